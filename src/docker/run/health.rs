//! What an image says of its own health, and a container of it that is waited for until it is well.
//!
//! Where the image has a `HEALTHCHECK`, the daemon makes it, and its word counts. The first seconds are the container's to
//! start in, so that a check which fails then is no failure; asked is each second, whatever interval the image has. Where it
//! has none, an exposed TCP port must answer (`probe`).

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::HealthConfig;
use serde::Deserialize;

use super::probe::{Network, Prober, answers};
use super::{Heard, RunOptions, in_container};
use crate::docker::connection::DaemonClient;
use crate::docker::error::DockerError;
use crate::model::text;
use crate::plan::verify::Ending;

/// Between two looks at the daemon's word.
const PAUSE: Duration = Duration::from_millis(200);
/// Nanoseconds between two health checks.
const INTERVAL: i64 = 1_000_000_000;

/// What an image says of how it is to be looked at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Image {
    config: Option<Config>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    healthcheck: Option<Healthcheck>,
    /// `8080/tcp`.
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Healthcheck {
    test: Option<Vec<String>>,
}

impl Config {
    /// Whether the daemon has something to run.
    fn has_healthcheck(&self) -> bool {
        let test = self.healthcheck.as_ref().and_then(|check| check.test.as_ref());
        test.is_some_and(|test| test.first().is_some_and(|kind| kind != "NONE"))
    }

    /// The TCP ports that it exposes, in order.
    fn ports(&self) -> Vec<u16> {
        let exposed = self.exposed_ports.iter().flat_map(BTreeMap::keys);
        let mut ports: Vec<u16> = exposed
            .filter_map(|port| match port.split_once('/') {
                Some((number, "tcp")) => number.parse().ok(),
                Some(_) => None,
                None => port.parse().ok(),
            })
            .collect();
        ports.sort_unstable();
        ports
    }
}

/// Starts a container as its image says, and waits until it is well.
///
/// # Errors
/// The daemon's words, where it is not the container that failed.
pub async fn run_until_healthy(
    daemon: &DaemonClient,
    options: &RunOptions<'_>,
    prober: &Prober<'_>,
    heard: &mut Heard<'_>,
) -> Result<Ending, DockerError> {
    let path = format!("/images/{}/json", options.image);
    let image: Image = daemon.read(&path, "look at the image").await?;
    let config = image.config.unwrap_or_default();
    if config.has_healthcheck() {
        return by_healthcheck(daemon, options, heard).await;
    }
    let ports = config.ports();
    if ports.is_empty() {
        return Ok(Ending::NothingToAsk);
    }
    let network = Network::of(daemon, options).await?;
    let options = RunOptions { network: Some(network.name()), ..options.clone() };
    let answering = async |id: &str| answers(daemon, &options, id, prober, &ports).await;
    let ending = in_container(daemon, &options, options.body(), answering, heard).await?;
    Ok(match ending {
        Ending::TimedOut(time) => Ending::NoAnswer(ports, time),
        Ending::Exit(code) => Ending::EndedEarly(code),
        other => other,
    })
}

/// Waits for the daemon's word.
async fn by_healthcheck(
    daemon: &DaemonClient,
    options: &RunOptions<'_>,
    heard: &mut Heard<'_>,
) -> Result<Ending, DockerError> {
    let mut body = options.body();
    body.healthcheck = Some(HealthConfig {
        interval: Some(INTERVAL),
        // Docker 25 and later ask each five seconds while it starts, unless told.
        start_interval: Some(INTERVAL),
        // What fails while it starts does not count, and it may start as long as it is waited for.
        start_period: i64::try_from(options.timeout.as_nanos()).ok(),
        ..HealthConfig::default()
    });
    let last = std::sync::Mutex::new(None);
    let healthy = async |id: &str| loop {
        let found = daemon.inspect(id, "look at its container").await?;
        let health = found.and_then(|found| found.state.health).unwrap_or_default();
        let said = health.log.last().map(|one| (one.exit_code, text::line(&one.output)));
        if let (Ok(mut last), Some(said)) = (last.lock(), said) {
            *last = Some(said);
        }
        if health.status == "healthy" {
            return Ok::<_, DockerError>(Ending::Healthy);
        }
        tokio::time::sleep(PAUSE).await;
    };
    let ending = in_container(daemon, options, body, healthy, heard).await?;
    Ok(match ending {
        Ending::TimedOut(time) => Ending::Unhealthy(time, last.into_inner().ok().flatten()),
        Ending::Exit(code) => Ending::EndedEarly(code),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_image_says() {
        let config = |json: serde_json::Value| -> Config { serde_json::from_value(json).unwrap() };
        for (json, checked, ports) in [
            (serde_json::json!({}), false, &[][..]),
            (serde_json::json!({ "Healthcheck": null, "ExposedPorts": null }), false, &[]),
            (serde_json::json!({ "Healthcheck": { "Test": ["NONE"] } }), false, &[]),
            (serde_json::json!({ "Healthcheck": { "Test": [], "Interval": 5 } }), false, &[]),
            (serde_json::json!({ "Healthcheck": { "Test": ["CMD", "true"] } }), true, &[]),
            (serde_json::json!({ "Healthcheck": { "Test": ["CMD-SHELL", "true"] } }), true, &[]),
            (
                serde_json::json!({ "ExposedPorts": { "8080/tcp": {}, "53/udp": {}, "80/tcp": {}, "x/tcp": {} } }),
                false,
                &[80, 8080],
            ),
        ] {
            let config = config(json);
            assert_eq!((config.has_healthcheck(), config.ports().as_slice()), (checked, ports), "{config:?}");
        }
    }
}
