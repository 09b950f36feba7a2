//! A builder container that somebody else made: found by its name, started if it does not run, otherwise left alone.

use std::path::{Path, PathBuf};

use super::{BuilderError, RUN, SOCKET, inspect};
use crate::docker::connection::DaemonClient;
use crate::docker::error::DockerError;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    /// Its name.
    pub name: String,
    /// Its socket, if it is in a directory that we see too.
    pub socket: Option<PathBuf>,
}

/// What docker buildx calls the container of its builder of this name; further nodes count on.
pub(super) fn of_buildx(name: &str) -> String {
    format!("buildx_buildkit_{name}0")
}

impl Existing {
    /// Finds the container of this name, or the first one of buildx's builder of this name, and starts it if need be.
    pub async fn find(socket: &Path, name: &str) -> Result<Self, BuilderError> {
        let daemon = DaemonClient::connect(socket).await?;
        let buildx = of_buildx(name);
        let (own, plain, of_buildx) =
            tokio::join!(daemon.own_container(), inspect(&daemon, name), inspect(&daemon, &buildx));
        let (found, called) = match (plain?, of_buildx?) {
            (Some(found), _) => (found, name.to_owned()),
            (None, Some(found)) => (found, buildx),
            (None, None) => return Err(BuilderError::Missing { name: name.to_owned() }),
        };
        if !found.is_running() {
            let started = daemon.docker.start_container(&called, None).await;
            started.map_err(|error| DockerError::of(format!("start the container `{called}`"), &error))?;
        }
        let shared = found.mounts.iter().filter_map(|mount| {
            let inside = Path::new(RUN).strip_prefix(&mount.destination).ok()?;
            Some(Path::new(&mount.source).join(inside))
        });
        let socket = shared.map(|host| host.join(SOCKET)).find_map(|host| match own.as_ref().ok()? {
            Some(own) => own.our_path(&host),
            // Without a container of our own this machine is the daemon's.
            None => Some(host),
        });
        Ok(Self { name: called, socket })
    }
}
