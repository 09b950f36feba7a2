//! What the daemon says of itself, of containers and of images, as far as we read it.
//!
//! bollard's models decode all of the API's hundreds of fields and refuse an answer with one value that they do not know:
//! a tenth of the program, for a dozen fields. These are read by a request of our own; everything that changes something goes
//! through bollard. Follows the Docker Engine API: `ContainerInspect`, `ContainerList`, `ImageInspect`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::connection::{DaemonClient, TIMEOUT};
use super::error::DockerError;
use super::request::get;
use crate::model::text;

/// A container, looked at by itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Inspection {
    pub id: String,
    /// The id of its image.
    pub image: String,
    /// The driver of its file system.
    pub driver: String,
    pub state: State,
    pub config: Settings,
    pub host_config: HostSettings,
    #[serde(deserialize_with = "or_default")]
    pub mounts: Vec<MountPoint>,
    pub network_settings: NetworkSettings,
}

/// A container in the list of all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Listed {
    pub id: String,
    /// Each begins with a slash.
    #[serde(deserialize_with = "or_default")]
    pub names: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    pub state: Status,
    /// Seconds since 1970, by the daemon's clock.
    pub created: Option<i64>,
    #[serde(deserialize_with = "or_default")]
    pub mounts: Vec<MountPoint>,
}

/// What a container does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct State {
    pub status: Status,
    pub exit_code: i64,
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// Why it could not start; empty otherwise.
    pub error: String,
    /// What its health check says, if it has one.
    pub health: Option<Health>,
}

/// What a container's health check says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Health {
    /// `starting`, `healthy` or `unhealthy`.
    pub status: String,
    /// The last times that it was made, the oldest first.
    #[serde(deserialize_with = "or_default")]
    pub log: Vec<HealthLog>,
}

/// One time that a health check was made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct HealthLog {
    pub exit_code: i64,
    /// What it printed. Hostile text.
    pub output: String,
}

/// Whether it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Created,
    Running,
    Exited,
    Dead,
    Removing,
    /// Paused, restarting, or what a later daemon may say.
    #[default]
    #[serde(other)]
    Other,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Settings {
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct HostSettings {
    pub network_mode: String,
    pub runtime: String,
}

/// What is mounted; a volume's source is its directory on the daemon's machine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct MountPoint {
    pub source: String,
    pub destination: String,
    #[serde(rename = "RW")]
    pub writable: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct NetworkSettings {
    /// By the network's name.
    #[serde(deserialize_with = "or_default")]
    pub networks: BTreeMap<String, Endpoint>,
}

/// Where a container is on one network.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint {
    #[serde(rename = "Gateway")]
    pub gateway: String,
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    /// Its own address there.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
}

/// Go writes `null` for an empty list or map.
fn or_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

impl Inspection {
    pub(super) fn is_running(&self) -> bool {
        self.state.status == Status::Running
    }
}

impl Listed {
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }
}

impl DaemonClient {
    /// The container of this name or id; `None` if there is none. `doing` continues "cannot …".
    pub(super) async fn inspect(&self, name: &str, doing: &str) -> Result<Option<Inspection>, DockerError> {
        found(self.read(&format!("/containers/{}/json", escaped(name)), doing).await)
    }

    /// All containers with these labels and values, or only those that run.
    pub(super) async fn list(
        &self,
        labels: &[(&str, &str)],
        only_running: bool,
    ) -> Result<Vec<Listed>, DockerError> {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let filters = escaped(&serde_json::json!({ "label": labels }).to_string());
        let all = !only_running;
        self.read(&format!("/containers/json?all={all}&filters={filters}"), "list containers").await
    }

    /// Whether the daemon has this image.
    pub(super) async fn has_image(&self, name: &str) -> Result<bool, DockerError> {
        let doing = format!("look for the image `{}`", text::name(name));
        let image: Option<IgnoredAny> =
            found(self.read(&format!("/images/{}/json", escaped(name)), &doing).await)?;
        Ok(image.is_some())
    }

    /// Reads one answer.
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str, doing: &str) -> Result<T, DockerError> {
        let failed = |why: String| DockerError::Failed { doing: doing.to_owned(), why: text::line(&why) };
        let answer = tokio::time::timeout(Duration::from_secs(TIMEOUT), get(self.socket(), path)).await;
        let answer = answer.map_err(|_| failed("the Docker daemon does not answer".into()))?;
        let (status, body) = answer.map(|answer| (answer.status(), answer.into_body())).map_err(failed)?;
        if status == StatusCode::OK {
            return serde_json::from_slice(&body).map_err(|error| failed(error.to_string()));
        }
        let said = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.message);
        let message = said.unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned());
        let (doing, message) = (doing.to_owned(), text::line(&message));
        Err(DockerError::ErrorResponse { doing, status: status.as_u16(), message })
    }
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

fn found<T>(answer: Result<T, DockerError>) -> Result<Option<T>, DockerError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Percent-encoded for a path's segment or a query (RFC 3986, 2.1). A daemon takes slashes in an image's name as they are.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte);
    text.bytes().fold(String::new(), |mut all, byte| {
        if plain(byte) {
            all.push(char::from(byte));
        } else {
            let _ = write!(all, "%{byte:02X}");
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_leaves_empty_is_empty() {
        let read = |json: serde_json::Value| serde_json::from_value::<Inspection>(json).unwrap();
        let bare = read(serde_json::json!({ "Id": "a", "Mounts": null, "Config": { "Labels": null },
            "NetworkSettings": { "Networks": null }, "State": { "Status": "restarting", "Health": {} } }));
        assert!(bare.mounts.is_empty() && bare.config.labels.is_empty() && !bare.is_running());
        assert_eq!(bare.state.status, Status::Other);
        assert!(read(serde_json::json!({ "State": { "Status": "running" }, "New": [1] })).is_running());
    }

    #[test]
    fn names_and_filters_are_escaped() {
        for (text, expected) in [
            ("ghcr.io/o/r:1", "ghcr.io/o/r:1"),
            ("r@sha256:00", "r@sha256:00"),
            ("a?b#c d", "a%3Fb%23c%20d"),
            (r#"{"label":["a=b"]}"#, "%7B%22label%22:%5B%22a%3Db%22%5D%7D"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
