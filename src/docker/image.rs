//! Images that containers are made from: present, or pulled by the daemon, with all that it has: its mirrors, proxies and
//! certificates.
//!
//! Never looks for a newer one: whoever wants a certain image names its digest. A login goes to its own registry only.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{CreateImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::connection::DaemonClient;
use super::error::DockerError;
use super::ours::delete;
use crate::model::{Cleanup, ImageName, Logins, Platform, text};

/// How far a pull is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Bytes that have arrived; with `total` 0 it only begins.
    pub done: u64,
    /// Bytes of the layers that have begun to arrive.
    pub total: u64,
}

/// An image that cannot be had; whoever wants it names it.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The daemon cannot be asked.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// It is not there, and cannot be pulled.
    #[error("cannot pull it: {0}")]
    Pull(String),
}

/// A registry that sends nothing for so long sends nothing more.
const SILENCE: Duration = Duration::from_mins(1);

/// Finds an image, or has the daemon pull it; the answer is the name that the daemon knows it by. `logins`: the
/// registry's is used. `heard`: how the pull goes, a few times a second; first without bytes, when it begins.
///
/// # Errors
/// The daemon's or the registry's words.
pub(super) async fn ensure_image(
    daemon: &DaemonClient,
    reference: &str,
    logins: &Logins,
    heard: &(dyn Fn(&Pulled) + Send + Sync),
) -> Result<String, ImageError> {
    let image = ImageName::parse(reference).map_err(|why| ImageError::Pull(why.to_string()))?;
    // What was pulled by digest has no tag.
    let pinned = image.pinned();
    for name in std::iter::once(reference).chain(pinned.as_deref()) {
        if daemon.has_image(name).await? {
            return Ok(name.to_owned());
        }
    }
    pull(daemon, &image, None, logins, heard).await?;
    let name = pinned.unwrap_or_else(|| image.to_string());
    if !daemon.has_image(&name).await? {
        return Err(ImageError::Pull("the daemon has pulled it and does not know it".into()));
    }
    Ok(name)
}

/// An image that the daemon has. What was put there for it goes with this value.
#[derive(Debug)]
pub struct HeldImage {
    name: String,
    /// None where the daemon had it before.
    _removal: Option<Cleanup>,
}

/// Has the daemon pull the image of a platform, unless it has that already. `reference`: a repository with the digest of that
/// image's own manifest, as stores without containerd hold one platform under a digest.
///
/// # Errors
/// The daemon's or the registry's words.
pub async fn pull_platform(
    daemon: &DaemonClient,
    reference: &str,
    platform: &Platform,
    logins: &Logins,
    heard: &(dyn Fn(&Pulled) + Send + Sync),
) -> Result<HeldImage, ImageError> {
    let image = ImageName::parse(reference).map_err(|why| ImageError::Pull(why.to_string()))?;
    let was_there = daemon.has_image(reference).await?;
    if was_there {
        return Ok(HeldImage { name: reference.to_owned(), _removal: None });
    }
    let pulled = HeldImage::temporary(daemon, reference);
    pull(daemon, &image, Some(platform), logins, heard).await?;
    Ok(pulled)
}

/// Has the daemon pull these platforms of an image by its digest, and gives it these names. It keeps the name by its digest: to
/// remove that would remove all of its names in that repository, where containerd keeps images.
///
/// # Errors
/// The daemon's or the registry's words.
pub async fn pull_under_names(
    daemon: &DaemonClient,
    reference: &str,
    platforms: &[Platform],
    names: &[ImageName],
    logins: &Logins,
    heard: &(dyn Fn(&Pulled) + Send + Sync),
) -> Result<(), ImageError> {
    let image = ImageName::parse(reference).map_err(|why| ImageError::Pull(why.to_string()))?;
    for platform in platforms {
        pull(daemon, &image, Some(platform), logins, heard).await?;
    }
    for name in names {
        let options = TagImageOptionsBuilder::default().repo(&name.repository().to_string());
        let tagged = daemon.docker.tag_image(reference, Some(options.tag(name.version()).build())).await;
        tagged.map_err(|error| DockerError::of("give the image a name", &error))?;
    }
    Ok(())
}

impl HeldImage {
    /// One that is put into the daemon's store under this name, or will be.
    pub fn temporary(daemon: &DaemonClient, name: &str) -> Self {
        let (socket, path) = (daemon.socket().to_owned(), format!("/images/{name}"));
        // Nothing can be awaited then. One that is used by somebody else meanwhile stays.
        let removal = Cleanup::new(move || {
            let _ = delete(&socket, &path, REMOVAL);
        });
        Self { name: name.to_owned(), _removal: Some(removal) }
    }

    /// The name that the daemon knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The most that removing an image may take.
const REMOVAL: Duration = Duration::from_secs(2);

async fn pull(
    daemon: &DaemonClient,
    image: &ImageName,
    platform: Option<&Platform>,
    logins: &Logins,
    heard: &(dyn Fn(&Pulled) + Send + Sync),
) -> Result<(), ImageError> {
    // Without a version the daemon would pull all tags. It takes a digest in the place of a tag.
    let name = image.repository().to_string();
    let options = CreateImageOptionsBuilder::default().from_image(&name).tag(image.version());
    let options = match platform {
        Some(platform) => options.platform(&platform.to_string()).build(),
        None => options.build(),
    };
    let credentials = logins.for_registry(image.repository().registry());
    let credentials = credentials.map(|login| {
        let token = login.identity_token().map(|token| token.expose().to_owned());
        let password = token.is_none().then(|| login.password.expose().to_owned());
        DockerCredentials {
            username: Some(login.username.clone()).filter(|name| !name.is_empty()),
            password,
            identitytoken: token,
            serveraddress: Some(login.registry.as_str().to_owned()),
            ..DockerCredentials::default()
        }
    });
    heard(&Pulled::default());
    let mut layers = Layers::default();
    let mut moved = Instant::now();
    let mut stream = std::pin::pin!(daemon.docker.create_image(Some(options), None, credentials));
    loop {
        let Ok(next) = tokio::time::timeout_at(moved + SILENCE, stream.next()).await else {
            return Err(ImageError::Pull(format!("nothing arrived for {} s", SILENCE.as_secs())));
        };
        let Some(said) = next else { return Ok(()) };
        let said = said.map_err(|error| match DockerError::of("pull", &error) {
            DockerError::ErrorResponse { message, .. } => ImageError::Pull(message),
            DockerError::Failed { why, .. } => ImageError::Pull(why),
            other => other.into(),
        })?;
        if let Some(error) = said.error_detail {
            return Err(ImageError::Pull(text::line(&error.message.unwrap_or_default())));
        }
        if layers.hear(said) {
            moved = Instant::now();
            heard(&layers.pulled());
        }
    }
}

/// What a daemon has said of each layer.
#[derive(Default)]
struct Layers {
    said: BTreeMap<String, (String, i64)>,
    bytes: BTreeMap<String, Pulled>,
}

impl Layers {
    /// Takes a line; `false` if it says again what was said before, as engines do while nothing arrives.
    fn hear(&mut self, line: CreateImageInfo) -> bool {
        let (Some(id), Some(status)) = (line.id, line.status) else { return true };
        let detail = line.progress_detail.unwrap_or_default();
        let far = detail.current.unwrap_or_default();
        if status == "Downloading" {
            let bytes = |number: i64| u64::try_from(number).unwrap_or(0);
            let pulled = Pulled { done: bytes(far), total: bytes(detail.total.unwrap_or_default()) };
            self.bytes.insert(id.clone(), pulled);
        } else if let Some(pulled) = self.bytes.get_mut(&id) {
            // Whatever comes after it, it has arrived.
            pulled.done = pulled.total;
        }
        let now = (status, far);
        self.said.get(&id) != Some(&now) && {
            self.said.insert(id, now);
            true
        }
    }

    fn pulled(&self) -> Pulled {
        let sum = |part: fn(&Pulled) -> u64| self.bytes.values().map(part).fold(0, u64::saturating_add);
        Pulled { done: sum(|one| one.done), total: sum(|one| one.total) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_is_told_from_what_is_said_again() {
        let mut layers = Layers::default();
        for (line, news, done, total) in [
            (r#"{"status":"Pulling from a/b","id":"1"}"#, true, 0, 0),
            (r#"{"status":"Downloading","id":"a","progressDetail":{"current":1,"total":9}}"#, true, 1, 9),
            (r#"{"status":"Downloading","id":"a","progressDetail":{"current":1,"total":9}}"#, false, 1, 9),
            (r#"{"status":"Downloading","id":"b","progressDetail":{"current":-1,"total":5}}"#, true, 1, 14),
            (r#"{"status":"Download complete","id":"a"}"#, true, 9, 14),
            (r#"{"status":"Extracting","id":"a","progressDetail":{"current":3,"total":4}}"#, true, 9, 14),
            (r#"{"status":"Extracting","id":"a","progressDetail":{"current":4,"total":4}}"#, true, 9, 14),
            (r#"{"status":"Status: Downloaded newer image"}"#, true, 9, 14),
        ] {
            assert_eq!(layers.hear(serde_json::from_str(line).unwrap()), news, "{line}");
            assert_eq!(layers.pulled(), Pulled { done, total }, "{line}");
        }
    }
}
