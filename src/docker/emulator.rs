//! Emulators: QEMU registered in the kernel of the daemon's machine, by the image `tonistiigi/binfmt`.
//!
//! The container is privileged, as only that may write to `binfmt_misc`; so it has no network, runs one image that is
//! pinned by digest (or named by the user), is bounded in time and removed by the daemon. The program ends with 0
//! whatever happens: what counts is the list that it prints of what the machine can run now.

use std::collections::HashMap;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, ContainerArchiveInfoOptionsBuilder, CreateContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use serde::Deserialize;

use super::connection::DaemonClient;
use super::error::DockerError;
use super::image::{Pulled, ensure_image};
use super::ours::{LABEL_ROLE, LABEL_RUN, Unfinished, reap};
use crate::model::{Logins, Platform, text};

/// What registering needs to know about this run.
pub struct EmulatorOptions<'a> {
    /// The run's id, for the container's label.
    pub run: String,
    /// Random, `[a-z0-9]`: names the container.
    pub id: String,
    /// The image.
    pub image: &'a str,
    /// Who logs in to the image's registry.
    pub logins: &'a Logins,
    /// Hears how the pull of the image goes, a few times a second.
    pub pulling: &'a (dyn Fn(&Pulled) + Send + Sync),
    /// For the container, from its making to its end.
    pub timeout: Duration,
}

/// QEMU could not be registered.
#[derive(Debug, thiserror::Error)]
#[error("cannot register QEMU for {platforms} with the image `{image}`: {why}")]
pub struct EmulatorError {
    /// For which platforms.
    platforms: String,
    /// The image.
    image: String,
    /// What the daemon or the container said.
    why: String,
    /// Its image is not there: nothing was tried.
    unpulled: bool,
}

impl EmulatorError {
    /// What to change.
    pub fn hint(&self) -> &'static str {
        if self.unpulled {
            return "the daemon could not get the image: `emulator_image` names another one, of a registry that it reaches; with \
                    `emulation: off` nothing is registered";
        }
        "it takes a privileged container on the daemon's machine: where that is not allowed, register QEMU there once \
         (`apt-get install qemu-user-static`), or build these platforms on a machine that runs them; `emulator_image` \
         names another image, and with `emulation: off` nothing is registered"
    }
}

const ROLE: &str = "emulator";
/// Most of the container's output that is read, in bytes.
const MAX_OUTPUT: usize = 64 * 1024;

/// Registers emulators for these platforms.
///
/// # Errors
/// The words of the daemon or of the container, if any of the platforms cannot be run then.
pub async fn register_emulators(
    daemon: &DaemonClient,
    platforms: &[Platform],
    options: &EmulatorOptions<'_>,
) -> Result<(), EmulatorError> {
    let fail = |why: String, unpulled: bool| EmulatorError {
        platforms: platforms.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", "),
        image: text::name(options.image),
        why,
        unpulled,
    };
    let image = ensure_image(daemon, options.image, options.logins, options.pulling).await;
    let image = image.map_err(|error| fail(error.to_string(), true))?;
    let registered = async {
        let limit = options.timeout;
        let output = tokio::time::timeout(limit, output(daemon, &image, platforms, options))
            .await
            .map_err(|_| format!("the container has not ended within {} s", limit.as_secs_f32()))?
            .map_err(|error| error.to_string())?;
        output.judge(platforms)
    };
    registered.await.map_err(|why: String| fail(why, false))
}

/// What a container printed.
#[derive(Debug, Default)]
struct Output {
    stdout: String,
    stderr: String,
}

/// Runs the container, and reads what it prints until it ends.
async fn output(
    daemon: &DaemonClient,
    image: &str,
    platforms: &[Platform],
    options: &EmulatorOptions<'_>,
) -> Result<Output, DockerError> {
    let name = format!("docker-push-action-emulator-{}", options.id);
    let create = CreateContainerOptionsBuilder::default().name(&name).build();
    let unfinished = Unfinished::new(daemon.socket(), &name);
    let body = container(image, platforms, &options.run);
    unfinished.asked(true);
    let created = daemon.docker.create_container(Some(create), body).await;
    unfinished.asked(false);
    let id = created.map_err(|error| DockerError::of("create its container", &error))?.id;
    let (output, ()) = tokio::join!(run(daemon, &id), reap(daemon, &id, ROLE));
    let output = output?;
    // It has ended, and the daemon removes it.
    unfinished.keep();
    Ok(output)
}

async fn run(daemon: &DaemonClient, id: &str) -> Result<Output, DockerError> {
    // Before it starts: it lives for a moment only, and the daemon keeps no log of it.
    let attach = AttachContainerOptionsBuilder::default().stdout(true).stderr(true).stream(true).build();
    let attached = daemon.docker.attach_container(id, Some(attach)).await;
    let mut attached = attached.map_err(|error| DockerError::of("listen to its container", &error))?.output;
    let started = daemon.docker.start_container(id, None).await;
    started.map_err(|error| DockerError::of("start its container", &error))?;
    let mut output = Output::default();
    while let Some(part) = attached.next().await {
        match part.map_err(|error| DockerError::of("listen to its container", &error))? {
            LogOutput::StdErr { message } => add(&mut output.stderr, &message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                add(&mut output.stdout, &message);
            }
            LogOutput::StdIn { .. } => {}
        }
    }
    Ok(output)
}

fn add(text: &mut String, part: &[u8]) {
    let room = MAX_OUTPUT.saturating_sub(text.len());
    text.push_str(&String::from_utf8_lossy(&part[..part.len().min(room)]));
}

fn container(image: &str, platforms: &[Platform], run: &str) -> ContainerCreateBody {
    let mut processors: Vec<&str> = platforms.iter().map(Platform::architecture).collect();
    processors.sort_unstable();
    processors.dedup();
    let labels = [(LABEL_ROLE, ROLE), (LABEL_RUN, run)];
    ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(vec!["--install".into(), processors.join(",")]),
        labels: Some(HashMap::from(labels.map(|(key, value)| (key.to_owned(), value.to_owned())))),
        host_config: Some(HostConfig {
            auto_remove: Some(true),
            privileged: Some(true),
            network_mode: Some("none".into()),
            // `binfmt_misc` belongs to a user namespace: what is registered in a remapped one is no use to BuildKit.
            userns_mode: Some("host".into()),
            log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// What the program prints at its end.
#[derive(Deserialize)]
struct Status {
    supported: Vec<String>,
}

impl Output {
    /// Whether the machine runs these platforms now; else what the container said.
    fn judge(&self, platforms: &[Platform]) -> Result<(), String> {
        let said = text::line(&self.stderr);
        let said = if said.is_empty() { "nothing".into() } else { format!("`{said}`") };
        let status = self.stdout.find('{').and_then(|start| {
            serde_json::Deserializer::from_str(&self.stdout[start..]).into_iter::<Status>().next()?.ok()
        });
        let Some(status) = status else {
            return Err(format!("its container does not say what the machine runs now; it said {said}"));
        };
        let supported: Vec<Platform> =
            status.supported.iter().filter_map(|text| Platform::parse(text).ok()).collect();
        let runs = |wanted: &Platform| {
            supported.iter().any(|one| one.os() == wanted.os() && one.architecture() == wanted.architecture())
        };
        let missing: Vec<String> =
            platforms.iter().filter(|one| !runs(one)).map(|one| format!("`{one}`")).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("the machine still does not run {}; its container said {said}", missing.join(", ")))
    }
}

/// Which of these platforms a builder's container emulates by itself: BuildKit's own image brings programs for that
/// (`solver/llbsolver/ops/exec_binfmt.go`), which its list of platforms does not show.
///
/// # Errors
/// The daemon's words.
pub async fn emulated_by_container(
    daemon: &DaemonClient,
    container: &str,
    platforms: &[Platform],
) -> Result<Vec<Platform>, DockerError> {
    let mut emulated = Vec::new();
    for platform in platforms.iter().filter(|platform| platform.os() == "linux") {
        let path = format!("/usr/bin/buildkit-qemu-{}", processor(platform));
        let options = ContainerArchiveInfoOptionsBuilder::default().path(&path).build();
        let found = daemon.docker.get_container_archive_info(container, Some(options)).await;
        match found.map_err(|error| DockerError::of(format!("look into the container `{container}`"), &error))
        {
            Ok(_) => emulated.push(platform.clone()),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(emulated)
}

/// QEMU's name of a processor.
fn processor(platform: &Platform) -> &str {
    match platform.architecture() {
        "arm64" => "aarch64",
        "amd64" => "x86_64",
        "386" => "i386",
        "mips64le" => "mips64el",
        "loong64" => "loongarch64",
        same => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platforms(texts: &[&str]) -> Vec<Platform> {
        texts.iter().map(|text| Platform::parse(text).unwrap()).collect()
    }

    #[test]
    fn the_container_is_privileged_and_alone() {
        let wanted = platforms(&["linux/riscv64", "linux/arm/v7", "linux/arm/v6"]);
        let body = container("sha256:00", &wanted, "7-1");
        assert_eq!(body.cmd.unwrap(), ["--install", "arm,riscv64"]);
        assert_eq!(body.labels.unwrap()["docker-push-action.run"], "7-1");
        let host = body.host_config.unwrap();
        assert_eq!((host.privileged, host.auto_remove), (Some(true), Some(true)));
        assert_eq!((host.network_mode.as_deref(), host.mounts), (Some("none"), None));
    }

    #[test]
    fn what_the_machine_runs_counts() {
        let wanted = platforms(&["linux/arm64", "linux/arm/v6"]);
        let judged = |stdout: &str, stderr: &str| {
            Output { stdout: stdout.into(), stderr: stderr.into() }.judge(&wanted).err()
        };
        let all = "{\n  \"supported\": [\"linux/amd64\", \"linux/arm64\", \"linux/arm/v7\"], \"emulators\": null\n}\n";
        assert_eq!(judged(all, "installing: arm64 qemu-aarch64 already registered\n"), None);
        let failed = "installing: arm64 OK\ninstalling: arm EPERM opening\n";
        assert_eq!(
            judged("{\"supported\": [\"linux/amd64\", \"linux/arm64\", \"?\"]}", failed).unwrap(),
            "the machine still does not run `linux/arm/v6`; its container said \
             `installing: arm64 OK installing: arm EPERM opening`"
        );
        for (stdout, stderr, expected) in [
            ("", "error: cannot mount\u{1b}[2J", "it said `error: cannot mount [2J`"),
            ("{\"supported\": 1}", "", "it said nothing"),
            ("{\"supported", "", "it said nothing"),
        ] {
            let said = judged(stdout, stderr).unwrap();
            assert!(said.starts_with("its container does not say") && said.ends_with(expected), "{said}");
        }
    }

    #[test]
    fn output_is_bounded() {
        let mut text = String::new();
        for _ in 0..40 {
            add(&mut text, &[b'x'; 4096]);
        }
        assert_eq!(text.len(), MAX_OUTPUT);
    }
}
