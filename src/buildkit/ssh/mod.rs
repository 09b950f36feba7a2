//! `moby.sshforward.v1.SSH`: a build step talks to an SSH agent, of the runner's or of ours.
//!
//! The daemon opens one stream for each connection that a step makes. Whoever the agent is, a step sees
//! its keys and gets signatures, and never a key. Requests are answered one after the other, so that a
//! stream holds one message. See BuildKit's `session/sshforward`.

mod agent;
mod error;
mod file;
mod key;
mod wire;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard_buildkit_proto::moby::sshforward::v1::{BytesMessage, CheckAgentRequest, CheckAgentResponse};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use self::key::Key;
use super::grpc::{Code, Messages, Reply, Status, encode, streaming, unary};
use super::tasks::Spawner;
use crate::model::{SshKeys, SshSource};

pub use self::error::SshError;
pub(super) use self::error::joined;
pub use self::file::KeyFault;

/// The id of a mount that names none.
const DEFAULT: &str = "default";
/// Far more than any private key has.
const FILE_LIMIT: u64 = 100 << 10;
/// Longest wait for an agent to take a connection.
const CONNECTING: Duration = Duration::from_secs(5);
/// Longest wait for its answer: somebody may have to touch a device.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who signs, by id.
#[derive(Clone, Default)]
pub(super) struct Agents(BTreeMap<String, Agent>);

#[derive(Clone)]
enum Agent {
    Socket(PathBuf),
    Keys(Arc<[Key]>),
}

impl Agents {
    /// Reads the keys and tries the sockets; all faults, if there is one.
    pub(super) async fn open(sources: Vec<SshSource>) -> Result<Self, Vec<SshError>> {
        let mut agents = BTreeMap::new();
        let mut faults = Vec::new();
        for SshSource { id, keys } in sources {
            let agent = match keys {
                SshKeys::Agent(path) => match connect(&path).await {
                    Ok(_) => Agent::Socket(path),
                    Err(source) => {
                        faults.push(SshError::Agent { id, path, source });
                        continue;
                    }
                },
                SshKeys::Files(paths) => {
                    let read = paths.into_iter().map(|path| read_key(&id, path));
                    let (keys, bad): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
                    faults.extend(bad.into_iter().filter_map(Result::err));
                    Agent::Keys(keys.into_iter().filter_map(Result::ok).collect())
                }
            };
            agents.insert(id, agent);
        }
        if faults.is_empty() { Ok(Self(agents)) } else { Err(faults) }
    }

    fn find(&self, id: &str) -> Result<(&str, &Agent), Status> {
        let id = if id.is_empty() { DEFAULT } else { id };
        let found = self.0.get_key_value(id).map(|(id, agent)| (id.as_str(), agent));
        found.ok_or_else(|| Status::new(Code::NotFound, format!("no SSH agent has the id `{id}`")))
    }

    /// Answers `CheckAgent`.
    pub(super) fn check(&self, request: &CheckAgentRequest) -> Result<CheckAgentResponse, Status> {
        self.find(&request.id).map(|_| CheckAgentResponse {})
    }

    /// Answers `ForwardAgent`.
    pub(super) fn forward(
        &self,
        headers: &HeaderMap,
        messages: Messages<Incoming>,
        spawner: &Spawner,
    ) -> Response<Reply> {
        let id = headers.get("buildkit.ssh.id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let (id, agent) = match self.find(id) {
            Ok((id, agent)) => (id.to_owned(), agent.clone()),
            Err(status) => return unary::<()>(Err(status)),
        };
        tracing::info!(id, "a step talks to an SSH agent");
        let (outgoing, chunks) = mpsc::channel(1);
        let (end, ending) = oneshot::channel();
        spawner.spawn(async move {
            let outcome = converse(agent, messages, outgoing).await;
            let told = outcome.map_err(|gone| {
                Status::new(Code::Unavailable, format!("the SSH agent of the id `{id}` {gone}"))
            });
            // The daemon may have gone: then nobody needs to be told.
            let _gone = end.send(told);
        });
        streaming(chunks, ending)
    }
}

/// A listener that takes nobody lets one wait for ever.
async fn connect(path: &Path) -> io::Result<UnixStream> {
    let connected = tokio::time::timeout(CONNECTING, UnixStream::connect(path)).await;
    connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn read_key(id: &str, path: PathBuf) -> Result<Key, SshError> {
    let read = std::fs::metadata(&path).and_then(|found| {
        let mut data = Vec::new();
        if !found.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        std::fs::File::open(&path)?.take(FILE_LIMIT).read_to_end(&mut data).map(|_| data)
    });
    let data = match read {
        Ok(data) => data,
        Err(source) => return Err(SshError::Unreadable { id: id.to_owned(), path, source }),
    };
    match file::parse(&data) {
        Ok(mut key) => {
            if key.comment.is_empty() {
                key.comment = name_of(&path);
            }
            Ok(key)
        }
        Err(fault) => Err(SshError::Key { id: id.to_owned(), path, fault }),
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// One connection of a step, until either side ends it.
async fn converse(
    agent: Agent,
    mut messages: Messages<Incoming>,
    outgoing: mpsc::Sender<Bytes>,
) -> Result<(), String> {
    let mut source = match agent {
        Agent::Keys(keys) => Source::Keys(keys),
        Agent::Socket(path) => {
            let connected = connect(&path).await;
            Source::Socket(connected.map_err(|error| format!("is gone ({error})"))?)
        }
    };
    let mut buffer = BytesMut::new();
    loop {
        let message = tokio::select! {
            message = messages.next() => message.map_err(|status| format!("got a broken request ({status})"))?,
            closed = source.closed() => return Err(closed),
        };
        let Some(message) = message else { return Ok(()) };
        let bytes =
            BytesMessage::decode(message).map_err(|error| format!("got a broken request ({error})"))?;
        buffer.extend_from_slice(&bytes.data);
        let too_long = |agent::TooLong| "got a request that is too long".to_owned();
        while let Some(request) = agent::take_message(&mut buffer).map_err(too_long)? {
            let answer =
                if agent::is_allowed(&request) { source.ask(request).await? } else { agent::failure() };
            if outgoing.send(encode(&BytesMessage { data: answer.into() })).await.is_err() {
                return Ok(());
            }
        }
    }
}

enum Source {
    Keys(Arc<[Key]>),
    Socket(UnixStream),
}

impl Source {
    async fn ask(&mut self, request: Bytes) -> Result<Bytes, String> {
        match self {
            Self::Keys(keys) => Ok(agent::answer(keys, request)),
            Self::Socket(socket) => match tokio::time::timeout(PATIENCE, exchange(socket, &request)).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("did not answer within {} s", PATIENCE.as_secs())),
            },
        }
    }

    /// Ready when the agent ends the connection; it has nothing to say between two requests.
    async fn closed(&mut self) -> String {
        match self {
            Self::Keys(_) => std::future::pending().await,
            Self::Socket(socket) => match socket.read_u8().await {
                Ok(_) => "speaks out of turn".into(),
                Err(error) => format!("is gone ({error})"),
            },
        }
    }
}

async fn exchange(socket: &mut UnixStream, request: &[u8]) -> Result<Bytes, String> {
    socket.write_all(request).await.map_err(|error| format!("is gone ({error})"))?;
    let mut buffer = BytesMut::new();
    loop {
        let too_long = |agent::TooLong| "answers with a message that is too long".to_owned();
        if let Some(answer) = agent::take_message(&mut buffer).map_err(too_long)? {
            return Ok(answer);
        }
        match socket.read_buf(&mut buffer).await {
            Ok(0) => return Err("is gone (it closed the connection)".into()),
            Ok(_) => {}
            Err(error) => return Err(format!("is gone ({error})")),
        }
    }
}

#[cfg(test)]
mod tests;
