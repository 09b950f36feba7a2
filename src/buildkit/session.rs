//! The session: a connection on which the daemon is the client and asks us for files and logins.
//!
//! Its methods are told in headers when it is opened; the daemon keys its sessions by the id and finds
//! earlier transfers of the same directory by the shared key. See BuildKit's `session/`. A further
//! service is a further arm in `Services::answer` and a further line in `METHODS`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::v1::BytesMessage;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::address::Address;
use super::auth::{self, LoginLookup};
use super::connect_error::ConnectError;
use super::connection::Connection;
use super::content::{self, Stores};
use super::dial::Io;
use super::diffcopy::{Transfer, TransferError};
use super::file_send::{self, Archive, Files};
use super::filesync;
use super::grpc::{Messages, Reply, Status, percent_encode, unary};
use super::health;
use super::ids::BuildIds;
use super::secrets;
use super::ssh::Agents;
use super::tasks::{Spawner, Tasks};
use super::transfers::Transfers;
use crate::model::{BuildSecret, text};

/// What the daemon may call. It calls `GetTokenAuthority` too, told or not.
const METHODS: &[&str] = &[
    "/grpc.health.v1.Health/Check",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.filesync.v1.FileSend/DiffCopy",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
    "/containerd.services.content.v1.Content/Info",
    "/containerd.services.content.v1.Content/Read",
    "/containerd.services.content.v1.Content/Write",
];

/// `.dockerignore` travels in headers: hyper's 16 KiB end at some 1,200 patterns.
const HEADER_LIMIT: u32 = 16 << 20;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// How much of a stream is kept for writing: two chunks of a file.
const SEND_BUFFER: usize = 256 << 10;
/// Calls that the daemon may have open; a further one waits at its side. Each connection of a step to an
/// SSH agent is one for as long as it lives.
const CALLS: u32 = 128;

/// What the session serves.
pub(super) struct Services {
    /// Directories by the name that the daemon asks for; nothing outside them is read.
    pub directories: BTreeMap<String, PathBuf>,
    /// Logins.
    pub lookup: LoginLookup,
    /// Secrets.
    pub secrets: Vec<BuildSecret>,
    /// SSH agents.
    pub agents: Agents,
    /// Image layouts and caches.
    pub stores: Stores,
    /// What was sent.
    pub transfers: Transfers,
    /// What the names of files end in that this run is writing.
    pub staging: Option<String>,
    /// Where files go that are exported, if some are.
    pub files: Option<Files>,
    /// Who takes the archive that is exported, if one is.
    pub archive: Option<Archive>,
}

/// An open session.
pub(super) struct Session {
    services: Arc<Services>,
    tasks: Tasks,
}

impl Session {
    /// Opens a session at the daemon that this connection leads to.
    pub(super) async fn open(
        connection: &Connection,
        ids: &BuildIds,
        shared_key: &str,
        services: Services,
    ) -> Result<Self, ConnectError> {
        let headers = headers(ids, shared_key);
        let tasks = Tasks::default();
        let io = match connection.address() {
            Address::DockerSocket(_) => connection.dial_session(&headers).await?,
            _ => tunnel(connection, headers, &tasks).await?,
        };
        let session = Self { services: Arc::new(services), tasks };
        session.serve(io);
        Ok(session)
    }

    fn serve(&self, io: Box<dyn Io>) {
        let (services, spawner) = (self.services.clone(), self.tasks.spawner());
        let answer = service_fn(move |request| {
            let (services, spawner) = (services.clone(), spawner.clone());
            async move { Ok::<_, Infallible>(services.answer(request, &spawner).await) }
        });
        let connection = hyper::server::conn::http2::Builder::new(self.tasks.spawner())
            .timer(TokioTimer::new())
            .max_header_list_size(HEADER_LIMIT)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_concurrent_streams(CALLS)
            .auto_date_header(false)
            .serve_connection(io, answer);
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::info!(%error, "the session broke");
            }
        });
    }

    /// What made a transfer fail, if one did; the daemon says this of it.
    pub(super) async fn take_failure(&self, said: &str) -> Option<(String, TransferError)> {
        self.services.transfers.take_failure(said).await
    }

    /// The directories that it serves.
    pub(super) fn stores(&self) -> &Stores {
        &self.services.stores
    }

    /// Ends it, and says what was sent.
    pub(super) async fn close(self) -> Vec<(String, Transfer)> {
        self.tasks.close().await;
        self.services.transfers.take_done()
    }
}

impl Services {
    async fn answer(self: Arc<Self>, request: Request<Incoming>, spawner: &Spawner) -> Response<Reply> {
        let (head, body) = request.into_parts();
        let mut messages = Messages::new(body);
        let method = head.uri.path();
        tracing::info!(method, "the daemon calls");
        match method {
            "/grpc.health.v1.Health/Check" => unary(health::check()),
            "/moby.filesync.v1.Auth/Credentials" => {
                let request = messages.only().await;
                unary(request.and_then(|request| auth::credentials(&self.lookup, &request)))
            }
            "/moby.filesync.v1.FileSync/DiffCopy" => {
                let staging = self.staging.as_deref();
                let (directories, transfers) = (&self.directories, &self.transfers);
                filesync::diff_copy(directories, transfers, staging, &head.headers, messages, spawner)
            }
            "/moby.filesync.v1.FileSend/DiffCopy" => match &self.files {
                Some(files) => file_send::receive_files(files, messages, spawner),
                None => file_send::receive(self.archive.as_ref(), messages, spawner),
            },
            "/moby.buildkit.secrets.v1.Secrets/GetSecret" => {
                let request = messages.only().await;
                unary(request.and_then(|request| secrets::get_secret(&self.secrets, &request)))
            }
            "/moby.sshforward.v1.SSH/CheckAgent" => {
                let request = messages.only().await;
                unary(request.and_then(|request| self.agents.check(&request)))
            }
            "/moby.sshforward.v1.SSH/ForwardAgent" => self.agents.forward(&head.headers, messages, spawner),
            other if other.starts_with(content::SERVICE) => {
                let method = &other[content::SERVICE.len()..];
                self.stores.answer(method, &head.headers, messages, spawner).await
            }
            other => unary::<()>(Err(Status::unimplemented(other))),
        }
    }
}

fn headers(ids: &BuildIds, shared_key: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    let mut add = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(&percent_encode(value)) {
            map.append(HeaderName::from_static(name), value);
        }
    };
    add("x-docker-expose-session-uuid", &ids.session);
    add("x-docker-expose-session-sharedkey", shared_key);
    for method in METHODS {
        add("x-docker-expose-session-grpc-method", method);
    }
    map
}

/// The session as a stream of the Control service: what buildkitd has instead of `/session`.
async fn tunnel(
    connection: &Connection,
    headers: HeaderMap,
    tasks: &Tasks,
) -> Result<Box<dyn Io>, ConnectError> {
    const CHUNK: usize = 32 << 10;
    let (ours, theirs) = tokio::io::duplex(8 * CHUNK);
    let (from_us, mut to_us) = tokio::io::split(theirs);
    let outgoing = futures_util::stream::unfold(from_us, |mut from_us| async move {
        let mut data = Vec::with_capacity(CHUNK);
        let read = from_us.read_buf(&mut data).await.ok()?;
        (read > 0).then_some((BytesMessage { data }, from_us))
    });
    let mut request = tonic::Request::new(outgoing);
    *request.metadata_mut() = tonic::metadata::MetadataMap::from_headers(headers);
    let mut control = connection.control();
    let answer = control.session(request).await;
    let refused = |status: tonic::Status| ConnectError::NoSession {
        address: connection.address().clone(),
        said: text::lines(status.message()),
    };
    let mut incoming = answer.map_err(refused)?.into_inner();
    tasks.spawn(async move {
        while let Ok(Some(message)) = incoming.message().await {
            if to_us.write_all(&message.data).await.is_err() {
                break;
            }
        }
    });
    Ok(Box::new(TokioIo::new(ours)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_introduces_itself() {
        let ids = BuildIds { reference: "r".into(), session: "s".into() };
        let map = headers(&ids, "/home/jürgen\n");
        assert_eq!(map["x-docker-expose-session-uuid"], "s");
        assert_eq!(map["x-docker-expose-session-sharedkey"], "/home/j%C3%BCrgen%0A");
        assert_eq!(map.get_all("x-docker-expose-session-grpc-method").iter().count(), METHODS.len());
    }
}
