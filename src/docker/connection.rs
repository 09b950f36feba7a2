//! The connection to the daemon.

use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::ClientVersion;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::error::DockerError;

/// A client of one daemon.
#[derive(Clone, Debug)]
pub struct DaemonClient {
    pub(super) docker: bollard::Docker,
    socket: PathBuf,
}

/// Seconds that the daemon may take to begin an answer.
pub(super) const TIMEOUT: u64 = 30;

impl DaemonClient {
    /// Connects to the daemon's Unix socket and agrees on an API version.
    pub async fn connect(socket: &Path) -> Result<Self, DockerError> {
        check_socket(socket)?;
        let doing = "talk to the Docker daemon";
        let patience = Duration::from_secs(TIMEOUT);
        let served = tokio::time::timeout(patience, ping(socket)).await.map_err(|_| {
            let why = format!("it does not answer within {TIMEOUT} s");
            DockerError::Failed { doing: doing.into(), why }
        })?;
        let served = served.map_err(|error| DockerError::connect(socket, &error))?;
        let newest = *bollard::API_DEFAULT_VERSION;
        let version = served.map_or(newest, |served| older(served, newest));
        let path = socket.to_string_lossy();
        let failed = |error: bollard::errors::Error| DockerError::of(doing, &error);
        let mut docker = bollard::Docker::connect_with_unix(&path, TIMEOUT, &version).map_err(failed)?;
        if served.is_none() {
            docker = docker.negotiate_version().await.map_err(failed)?;
        }
        Ok(Self { docker, socket: socket.to_owned() })
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

/// The newest API version that the daemon serves, if it says one. By hand, because bollard would ask for `/version`,
/// for which the daemon asks everything below it (5 ms against 0.5), and would lose the system's words.
async fn ping(socket: &Path) -> std::io::Result<Option<ClientVersion>> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n").await?;
    let mut head = Vec::new();
    stream.take(MAX_HEAD).read_to_end(&mut head).await?;
    Ok(served_version(&String::from_utf8_lossy(&head)))
}

/// Bytes of the answer to a ping that are read.
const MAX_HEAD: u64 = 16 * 1024;

fn older(one: ClientVersion, other: ClientVersion) -> ClientVersion {
    let number = |version: ClientVersion| (version.major_version, version.minor_version);
    if number(one) < number(other) { one } else { other }
}

fn served_version(head: &str) -> Option<ClientVersion> {
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let (_, version) = headers.find(|(name, _)| name.eq_ignore_ascii_case("api-version"))?;
    let (major, minor) = version.trim().split_once('.')?;
    Some(ClientVersion { major_version: major.parse().ok()?, minor_version: minor.parse().ok()? })
}

fn check_socket(socket: &Path) -> Result<(), DockerError> {
    let kind = match std::fs::metadata(socket) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DockerError::NoSocket(socket.to_owned()));
        }
        Err(error) => return Err(DockerError::connect(socket, &error)),
    };
    if kind.is_socket() {
        return Ok(());
    }
    let what = if kind.is_dir() { "a directory" } else { "a file" };
    Err(DockerError::NotASocket { path: socket.to_owned(), what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_of_a_ping() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nServer: x\r\n\r\n", Some("1.45")),
            ("HTTP/1.1 200 OK\r\napi-version:1.41\r\n\r\n", Some("1.41")),
            ("HTTP/1.1 200 OK\r\nApi-Version: new\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n\r\n", None),
            ("", None),
        ] {
            assert_eq!(
                served_version(head).map(|version| version.to_string()).as_deref(),
                expected,
                "{head}"
            );
        }
    }

    #[test]
    fn what_is_no_socket_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let missing = check_socket(&directory.path().join("none")).unwrap_err();
        assert!(missing.to_string().starts_with("there is no Docker socket at `"), "{missing}");
        let error = check_socket(directory.path()).unwrap_err();
        assert!(error.to_string().contains("is a directory, not the socket"), "{error}");
        assert!(error.hint().unwrap().contains("DOCKER_HOST"));
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(check_socket(&file).unwrap_err().to_string().contains("is a file"));
        let socket = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(check_socket(&socket).is_ok());
    }
}
