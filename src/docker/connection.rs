//! The connection to the daemon.

use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::error::DockerError;

/// A client of one daemon.
#[derive(Clone, Debug)]
pub struct DaemonClient {
    pub(super) docker: bollard::Docker,
    socket: PathBuf,
}

/// Seconds that the daemon may take to begin an answer.
const TIMEOUT: u64 = 30;

impl DaemonClient {
    /// Connects to the daemon's Unix socket and agrees on an API version.
    pub async fn connect(socket: &Path) -> Result<Self, DockerError> {
        check_socket(socket)?;
        // Tried by hand first: the system's own words are lost in what bollard would say.
        let opened = tokio::net::UnixStream::connect(socket).await;
        drop(opened.map_err(|error| DockerError::connect(socket, &error))?);
        let doing = "talk to the Docker daemon";
        let path = socket.to_string_lossy();
        let docker = bollard::Docker::connect_with_unix(&path, TIMEOUT, bollard::API_DEFAULT_VERSION)
            .map_err(|error| DockerError::of(doing, &error))?;
        let docker = docker.negotiate_version().await.map_err(|error| DockerError::of(doing, &error))?;
        Ok(Self { docker, socket: socket.to_owned() })
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
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
