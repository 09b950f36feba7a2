//! The steps of making a builder: whether what is there will do, and to create, start and join. Each can be done twice and by
//! two processes.

use std::path::Path;

use bollard::models::NetworkConnectRequest;
use bollard::query_parameters::{CreateContainerOptionsBuilder, UploadToContainerOptionsBuilder};

use super::super::archive;
use super::super::connection::DaemonClient;
use super::super::error::DockerError;
use super::super::image::{ImageError, ensure_image};
use super::super::inspection::{Inspection, Status};
use super::super::ours::LABEL_ROLE;
use super::super::own_container::OwnContainer;
use super::guard::Guard;
use super::socket_dir::SocketDir;
use super::{BuilderError, BuilderSetup, LABEL_OWNER, ROLE, RUN};
use crate::plan::builder::{ContainerPlan, Keep};

/// The container as it should be.
pub(super) struct Wanted<'a> {
    pub(super) plan: &'a ContainerPlan,
    /// The container that we run in.
    pub(super) own: Option<&'a OwnContainer>,
    /// Where its socket is to appear.
    pub(super) socket_dir: Option<&'a SocketDir>,
    /// It is to outlive us.
    pub(super) ahead: bool,
}

impl Wanted<'_> {
    /// Whether what is there can be used; otherwise it must go first.
    pub(super) fn fits(&self, found: &Inspection) -> Result<bool, BuilderError> {
        let label = |key: &str| found.config.labels.get(key).map(String::as_str);
        if label(LABEL_ROLE) != Some(ROLE) {
            return Err(BuilderError::Foreign { name: self.plan.name.clone() });
        }
        let status = found.state.status;
        let alive = matches!(status, Status::Running | Status::Created | Status::Exited);
        // One that ended without being asked to may have broken its state: only a cache is worth the risk.
        let fresh = status != Status::Exited || self.plan.keep == Keep::Always;
        // Whoever made it for one step removes it: it may be about to.
        let owner = label(LABEL_OWNER).filter(|_| self.plan.keep == Keep::Step);
        let mine = owner.is_none_or(|owner| self.own.is_some_and(|own| own.id == owner));
        let shared = found.mounts.iter().find(|mount| mount.destination == RUN);
        let shared = shared.map(|mount| Path::new(&mount.source));
        let socket_dir = self.socket_dir.map(|socket_dir| socket_dir.host.as_path());
        let there = self.socket_dir.is_none_or(SocketDir::is_there);
        Ok(alive && fresh && mine && shared == socket_dir && there)
    }

    /// `false`: another process was faster, or is removing the one before.
    pub(super) async fn create(
        &self,
        daemon: &DaemonClient,
        setup: &BuilderSetup<'_>,
        guard: &mut Guard,
    ) -> Result<bool, BuilderError> {
        let owner = match self.socket_dir {
            Some(socket_dir) => {
                guard.directory(&socket_dir.ours);
                Some(socket_dir.make()?)
            }
            None => None,
        };
        let name = CreateContainerOptionsBuilder::default().name(&self.plan.name).build();
        let mut pulled = None;
        loop {
            guard.asked(true);
            let image = pulled.as_ref().unwrap_or(&self.plan.image);
            let created = daemon.docker.create_container(Some(name.clone()), self.body(image, owner)).await;
            guard.asked(false);
            match created.map_err(|error| DockerError::of("create the builder container", &error)) {
                Ok(_) => return Ok(true),
                Err(error) if error.is_conflict() => {
                    guard.disarm();
                    guard.keep_directory();
                    return Ok(false);
                }
                Err(error) if error.is_not_found() && pulled.is_none() => {
                    guard.disarm();
                    let image = ensure_image(daemon, image, setup.logins, setup.pulling).await;
                    pulled = Some(image.map_err(|error| match error {
                        ImageError::Docker(error) => error.into(),
                        ImageError::Pull(why) => BuilderError::Pull { image: self.plan.image.clone(), why },
                    })?);
                }
                Err(error) => {
                    guard.disarm();
                    return Err(error.into());
                }
            }
        }
    }

    /// Starts what was made; `false` when it went away in between.
    pub(super) async fn start(&self, daemon: &DaemonClient) -> Result<bool, BuilderError> {
        let name = &self.plan.name;
        if let Some(config) = &self.plan.config {
            // Also when another process made the container: it may not have come to this yet.
            let options = UploadToContainerOptionsBuilder::default().path("/etc").build();
            let archive = bollard::body_full(archive::config(config).into());
            let uploaded = daemon.docker.upload_to_container(name, Some(options), archive).await;
            match uploaded
                .map_err(|error| DockerError::of("put `buildkitd_config` into the builder container", &error))
            {
                Err(error) if error.is_not_found() => return Ok(false),
                uploaded => uploaded?,
            }
        }
        let started = daemon.docker.start_container(name, None).await;
        match started.map_err(|error| DockerError::of("start the builder container", &error)) {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts one that is there on our network, if it is not.
    pub(super) async fn join(
        &self,
        daemon: &DaemonClient,
        found: Option<&Inspection>,
    ) -> Result<Option<String>, BuilderError> {
        let Some(network) = self.network() else { return Ok(None) };
        if found.is_some_and(|found| !found.network_settings.networks.contains_key(&network)) {
            let request = NetworkConnectRequest { container: self.plan.name.clone(), endpoint_config: None };
            let joined = daemon.docker.connect_network(&network, request).await;
            match joined.map_err(|error| {
                DockerError::of(format!("put the builder container on the network `{network}`"), &error)
            }) {
                // It is on it already.
                Err(DockerError::ErrorResponse { status: 403 | 409, .. }) | Ok(()) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(network))
    }
}
