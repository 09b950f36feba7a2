//! What the image must pass before it gets a tag: which checks, on which platforms, in what kind of container.
//!
//! The containers run the very digest that will be tagged. Which platforms they can run on is known before the build, so
//! that one that nothing here runs is refused then. Values of their variables are in the keyring; here are their names.

use std::fmt::Write as _;
use std::time::Duration;

use super::build::Export;
use super::builder::{NodeAddress, job_of, runner_of, short_hash};
use super::emulation::can_emulate;
use super::error::PlanError;
use super::facts::{Facts, MachineFacts, can_run};
use super::image::{BuildWork, ImageWork};
use super::push::PushPlan;
use crate::inputs::config::{Check, CheckKind, Config};
use crate::model::{Platform, text};
use crate::runner::context::RunnerContext;
use crate::runner::units;

/// The most memory that a container has, in bytes, where the machine has twice as much.
const MEMORY: u64 = 2 << 30;

/// The repository of images that are in the daemon's store for a while.
const TEMPORARY: &str = "docker-push-action.invalid/verify";

/// How the image is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyPlan {
    /// What it must pass on each platform, in order, at least one.
    pub checks: Vec<Check>,
    /// The platforms that are verified, in order, at least one.
    pub platforms: Vec<Platform>,
    /// Those of them that are not the machine's own: `docker run` has to be told.
    pub foreign: Vec<Platform>,
    /// Those of them whose emulators are registered before.
    pub emulate: Vec<Platform>,
    /// Why these platforms, where nobody has named them and they are not the machine's own.
    pub why: Option<String>,
    /// Names of the variables of the containers.
    pub env: Vec<String>,
    /// The network of the containers; none if they have none.
    pub network: Option<String>,
    /// Longest time for each check.
    pub timeout: Duration,
    /// Memory of a container, in bytes.
    pub memory: u64,
    /// Where the image may not be pushed, how the daemon gets what it runs: for each platform.
    pub unpushed: Vec<LoadWork>,
    /// The job that containers are made for: run, attempt and job.
    pub job: String,
    /// The runner that they are made on, as builders' labels say it.
    pub runner: String,
}

/// One platform of an image that was built, and how it gets into the daemon's store for a while: its build is solved again,
/// for this platform alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadWork {
    /// The number of the node that has built it.
    pub node: usize,
    /// The platform.
    pub platform: Platform,
    /// The name that it has there.
    pub name: String,
    /// How it gets there.
    pub export: Export,
}

impl VerifyPlan {
    /// Whether a container is started as the image says, to become healthy.
    pub fn waits_for_health(&self) -> bool {
        self.checks.iter().any(|check| check.kind == CheckKind::Healthcheck)
    }

    /// In what kind of container, and where, in one line.
    pub(super) fn text(&self) -> String {
        let platforms: Vec<String> = self.platforms.iter().map(ToString::to_string).collect();
        let mut said = format!("on {}", platforms.join(", "));
        if let Some(why) = &self.why {
            let _ = write!(said, " ({why})");
        }
        let network =
            self.network.as_ref().map_or_else(|| "no network".into(), |name| format!("network {name}"));
        let _ = write!(
            said,
            "; {network}, {} of memory, at most {} for each line",
            units::bytes(self.memory),
            units::seconds(self.timeout)
        );
        if !self.env.is_empty() {
            let _ = write!(said, ", with {}", self.env.join(", "));
        }
        if !self.unpushed.is_empty() {
            said.push_str("; what is not pushed is loaded into the daemon for it, and removed again");
        }
        if !self.emulate.is_empty() {
            let names: Vec<String> = self.emulate.iter().map(ToString::to_string).collect();
            let _ = write!(said, "; QEMU is registered for {}", names.join(", "));
        }
        said
    }
}

/// Plans the verification of an image of these platforms; nothing if none is asked for.
///
/// # Errors
/// Nothing here runs a platform that is to be verified, or any of the image.
pub(super) fn plan_verify(
    config: &Config,
    context: &RunnerContext,
    facts: &Facts,
    (image, push): (&ImageWork, &PushPlan),
) -> Result<Option<VerifyPlan>, PlanError> {
    let asked = &config.verify;
    if asked.checks.is_empty() {
        return Ok(None);
    }
    let machine = facts.machine.as_ref().ok_or(PlanError::NoMachine)?;
    let (platforms, why) = platforms(&asked.platforms, image.platforms(), machine);
    let own = machine.platforms.get(..1).unwrap_or_default();
    let missing = |runs: &[Platform]| -> Vec<Platform> {
        platforms.iter().filter(|platform| !can_run(runs, platform)).cloned().collect()
    };
    let (foreign, emulate) = (missing(own), missing(&machine.platforms));
    if let Some(platform) = emulate.iter().find(|one| !config.builder.emulation || !can_emulate(one)) {
        let runs = machine.platforms.iter().map(|one| format!("`{one}`")).collect();
        let can_emulate = can_emulate(platform);
        return Err(PlanError::CannotVerify { platform: platform.clone(), runs, can_emulate });
    }
    let unpushed = match image.build() {
        Some(work) if !push.pushes() || push.tolerates_refusal() => unpushed(work, &platforms, context),
        _ => Vec::new(),
    };
    Ok(Some(VerifyPlan {
        unpushed,
        checks: asked.checks.clone(),
        foreign,
        emulate,
        platforms,
        why,
        env: asked.env.clone(),
        network: asked.network.clone(),
        timeout: asked.timeout,
        memory: machine.memory.map_or(MEMORY, |all| MEMORY.min(all / 2)),
        job: job_of(context),
        runner: runner_of(context),
    }))
}

/// How each of these platforms gets into the daemon's store, under a name that no other job's has.
fn unpushed(work: &BuildWork, platforms: &[Platform], context: &RunnerContext) -> Vec<LoadWork> {
    let hash = short_hash(&[job_of(context), runner_of(context)]);
    let load = |platform: &Platform| {
        let node = work.solves.iter().position(|solve| solve.platforms.contains(platform))?;
        // No registry has this name: nothing is ever pulled by it.
        let name = format!("{TEMPORARY}:{hash}-{}", platform.to_string().replace('/', "-"));
        let export = match work.builder.nodes.get(node)?.address {
            NodeAddress::Docker => Export::Store(vec![name.clone()]),
            NodeAddress::OwnContainer(_) | NodeAddress::Container(_) | NodeAddress::Given(_) => {
                Export::Archive(vec![name.clone()])
            }
        };
        Some(LoadWork { node, platform: platform.clone(), name, export })
    };
    platforms.iter().filter_map(load).collect()
}

/// The platforms that are verified: those that are asked for, else the machine's own, else the first that it runs at all, else
/// the first; why, where that has to be said.
fn platforms(
    asked: &[Platform],
    built: &[Platform],
    machine: &MachineFacts,
) -> (Vec<Platform>, Option<String>) {
    if !asked.is_empty() {
        return (asked.to_vec(), None);
    }
    let (native, why) = native(built, machine);
    (vec![native], why)
}

/// The one of an image's platforms that is the machine's own, else the first that it runs at all, else the first; why, where that
/// has to be said.
pub(super) fn native(built: &[Platform], machine: &MachineFacts) -> (Platform, Option<String>) {
    let own = machine.platforms.first();
    // An image that is there may not say what it runs on, and a machine may not say what it runs.
    let (Some(first), Some(own)) = (built.first(), own) else {
        return (
            built.first().or(own).cloned().unwrap_or_else(|| Platform::from_fields("linux", "amd64", "")),
            None,
        );
    };
    if let Some(native) = built.iter().find(|platform| can_run(std::slice::from_ref(own), platform)) {
        return (native.clone(), None);
    }
    let chosen = built.iter().find(|platform| can_run(&machine.platforms, platform)).unwrap_or(first);
    (chosen.clone(), Some(format!("the image has none for {own}, which the runner is")))
}

/// How a container that verified an image ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this code.
    Exit(i64),
    /// The kernel ended it: it had no more than these bytes of memory.
    OutOfMemory(u64),
    /// It was killed after this time.
    TimedOut(Duration),
    /// It could not be started: the exit code that stands for it, and the daemon's words.
    NotStarted(i64, String),
    /// It has become healthy, or answers.
    Healthy,
    /// It was to become healthy, and has ended with this code.
    EndedEarly(i64),
    /// It has not become healthy in this time; how its health check ended the last time, and what that printed. Hostile text.
    Unhealthy(Duration, Option<(i64, String)>),
    /// None of the TCP ports that it exposes has answered in this time.
    NoAnswer(Vec<u16>, Duration),
    /// The image says nothing of what could be asked.
    NothingToAsk,
}

impl Ending {
    /// Whether the check is passed.
    pub fn is_well(&self) -> bool {
        matches!(self, Self::Exit(0) | Self::Healthy)
    }
}

/// A check that an image did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCheck {
    /// Which.
    pub check: Check,
    /// Where.
    pub platform: Platform,
    /// The image: `repository@digest`; none where it was not pushed.
    pub image: Option<String>,
    /// The platform is not the machine's own, which `docker run` has to be told.
    pub foreign: bool,
    /// How its container ended.
    pub ending: Ending,
    /// The last lines of its output. Hostile text.
    pub last: Vec<String>,
}

/// The image has not passed: what, on each platform, at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(FailedCheck::text).collect::<Vec<_>>().join("\n"))]
pub struct NotVerified(pub Vec<FailedCheck>);

impl NotVerified {
    /// What to change, or how to look at it.
    pub fn hint(&self) -> String {
        let mut hint = String::from("no tag was moved");
        let Some(first) = self.0.first() else { return hint };
        if let Some(why) = first.likely() {
            let _ = write!(hint, "; {why}");
        }
        let Some(image) = &first.image else {
            hint.push_str("; the image was not pushed, and nothing of it is left");
            return hint;
        };
        let platform = if first.foreign { format!("--platform {} ", first.platform) } else { String::new() };
        let _ = write!(hint, "; to look at it: docker run --rm -it {platform}{image}");
        if let CheckKind::Arguments(words) = &first.check.kind {
            for word in words {
                let _ = write!(hint, " {}", quoted(&text::value(word)));
            }
        }
        hint
    }
}

impl FailedCheck {
    fn text(&self) -> String {
        let Self { check, platform, ending, last, .. } = self;
        let mut said = format!(
            "`verify`, line {}: `{}` failed on {platform}: {}",
            check.line,
            text::name(&check.text),
            ended(ending)
        );
        if last.is_empty() {
            // What has never run could not print anything.
            if !matches!(ending, Ending::NotStarted(..) | Ending::NothingToAsk) {
                said.push_str("; it has printed nothing");
            }
        } else {
            said.push_str("; its last output:");
            for line in last {
                let _ = write!(said, "\n  {}", text::line(line));
            }
        }
        said
    }

    /// What is probably the matter, by what it said.
    fn likely(&self) -> Option<&'static str> {
        let says = |part: &str| self.last.iter().any(|line| line.to_ascii_lowercase().contains(part));
        match &self.ending {
            Ending::TimedOut(_) | Ending::Unhealthy(..) => Some("`verify_timeout` gives it more time"),
            Ending::NoAnswer(..) => Some(
                "it must listen on all addresses, not on its own loopback only; `verify_timeout` gives it more time",
            ),
            Ending::NothingToAsk => Some(
                "add a `HEALTHCHECK` or an `EXPOSE` to the Dockerfile, or name a command in the place of `healthcheck`",
            ),
            Ending::NotStarted(_, why) if why.contains("exec format error") => Some(
                "the program is for another processor than the image's platform says, or a script without `#!`",
            ),
            Ending::NotStarted(_, why) if why.contains("network") => {
                Some("`verify_network` names a network that the daemon has (`docker network ls`)")
            }
            _ if says("read-only file system") => {
                Some("its file system is read-only, only /tmp can be written to")
            }
            _ if says("network is unreachable") || says("name resolution") || says("no such host") => {
                Some("it has no network unless `verify_network` names one")
            }
            _ => None,
        }
    }
}

/// How a container ended, and what its exit code means by convention (POSIX's shell, `docker run`, `signal(7)`).
fn ended(ending: &Ending) -> String {
    match ending {
        Ending::Exit(code) => match code_means(*code) {
            Some(means) => format!("exit code {code} ({means})"),
            None => format!("exit code {code}"),
        },
        Ending::OutOfMemory(limit) => {
            format!("it ran out of memory, of which it has {}", units::bytes(*limit))
        }
        Ending::TimedOut(limit) => {
            format!("it had not ended after {} and was killed", units::seconds(*limit))
        }
        Ending::NotStarted(code @ (126 | 127), why) => {
            let means =
                if *code == 127 { "the image has no such command" } else { "the command cannot be run" };
            format!("exit code {code}: {means}: {why}")
        }
        Ending::NotStarted(_, why) => format!("its container could not be started: {why}"),
        Ending::Healthy => "it is healthy".into(),
        Ending::EndedEarly(code) => format!("it has ended with exit code {code}, and should have gone on"),
        Ending::Unhealthy(limit, last) => {
            let said = match last {
                None => "its `HEALTHCHECK` was not made once".to_owned(),
                Some((code, said)) if said.is_empty() => {
                    format!("its `HEALTHCHECK` ended with exit code {code} the last time")
                }
                Some((code, said)) => {
                    format!(
                        "its `HEALTHCHECK` ended with exit code {code} the last time: {}",
                        text::line(said)
                    )
                }
            };
            format!("it is not healthy after {}; {said}", units::seconds(*limit))
        }
        Ending::NoAnswer(ports, limit) => {
            let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
            format!("nothing answers on port {} after {}", ports.join(" or "), units::seconds(*limit))
        }
        Ending::NothingToAsk => {
            "the image has no `HEALTHCHECK`, and exposes no TCP port that could be asked".into()
        }
    }
}

fn code_means(code: i64) -> Option<&'static str> {
    Some(match code {
        125 => "what started the command failed itself",
        126 => "a command cannot be run",
        127 => "there is no such command",
        129..=136 | 138..=159 => match code - 128 {
            4 => "SIGILL: an instruction that this processor does not have",
            6 => "SIGABRT: it gave itself up",
            11 => "SIGSEGV: it crashed",
            13 => "SIGPIPE",
            15 => "SIGTERM",
            _ => "ended by a signal",
        },
        137 => "SIGKILL: killed, perhaps for want of memory",
        _ => return None,
    })
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
