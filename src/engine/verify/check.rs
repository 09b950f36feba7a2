//! One check: a container, its output in a group of the log, and how it ended.

use tokio::time::Instant;

use super::PROBE;
use super::transcript::Transcript;
use crate::docker::{
    Channel, DaemonClient, OwnContainer, Prober, RunOptions, owner, run_container, run_until_healthy,
};
use crate::engine::report::Verified;
use crate::engine::run::Run;
use crate::error::RunError;
use crate::inputs::config::{Check, CheckKind};
use crate::model::{Platform, text};
use crate::plan::verify::{Ending, VerifyPlan};
use crate::progress::plain::Line;
use crate::progress::reporter::Reporter;
use crate::runner::command::Command;
use crate::runner::units;

/// Where checks are made.
pub(super) struct Checking<'a> {
    pub run: &'a Run<'a>,
    pub plan: &'a VerifyPlan,
    pub daemon: &'a DaemonClient,
    /// The container that we are.
    pub own: Option<&'a OwnContainer>,
    /// The platform that is verified.
    pub platform: &'a Platform,
    /// Its image, by the name that the daemon knows.
    pub name: &'a str,
}

impl Checking<'_> {
    /// Makes a check, and says how it went; how its container ended, and the last lines of its output.
    pub(super) async fn check(&self, check: &Check) -> Result<(Ending, Vec<String>), RunError> {
        let (process, shown) = (self.run.process, text::name(&check.text));
        let began = Instant::now();
        let group = Group::open(
            &process.reporter,
            &format!("verify on {}: {shown}", self.platform),
            process.random_id(),
        );
        let (ending, last) = match &check.kind {
            CheckKind::Arguments(words) => self.container(Some(words)).await?,
            CheckKind::Healthcheck => self.container(None).await?,
        };
        drop(group);
        let (time, well) = (began.elapsed(), ending.is_well());
        let how =
            if well { format!("✓ passed in {}", units::seconds(time)) } else { "✗ failed".to_owned() };
        process.reporter.info(&format!("{how}: {shown} on {}", self.platform));
        let (platform, text) = (self.platform.clone(), check.text.clone());
        self.run.report.verified(Verified { platform, text, time, well });
        Ok((ending, last))
    }

    /// Runs the image with these arguments to its end; without any, as it is, until it is well.
    async fn container(&self, arguments: Option<&[String]>) -> Result<(Ending, Vec<String>), RunError> {
        let reporter = &self.run.process.reporter;
        let began = Instant::now();
        let mut transcript = Transcript::default();
        let mut heard = |channel: Channel, printed: &[u8]| {
            show(reporter, transcript.take(usize::from(channel == Channel::Err), printed, began.elapsed()));
        };
        let (label, owner) = (self.run.label(), owner(self.own));
        let options = RunOptions {
            id: self.run.process.random_id(),
            image: self.name,
            platform: self.platform,
            arguments,
            env: self.run.keyring.verify_env(),
            network: self.plan.network.as_deref(),
            memory: self.plan.memory,
            timeout: self.plan.timeout,
            run: &label,
            job: &self.plan.job,
            runner: &self.plan.runner,
            owner: owner.as_deref(),
        };
        let ending = if arguments.is_some() {
            run_container(self.daemon, &options, &mut heard).await?
        } else {
            let image = self.own.map(|own| own.image.as_str());
            let prober = Prober { image, program: &self.run.process.program, command: PROBE };
            run_until_healthy(self.daemon, &options, &prober, &mut heard).await?
        };
        show(reporter, transcript.finish(began.elapsed()));
        Ok((ending, transcript.last()))
    }
}

fn show(reporter: &Reporter, lines: Vec<String>) {
    if !lines.is_empty() {
        reporter.lines(&lines.into_iter().map(Line::Text).collect::<Vec<_>>());
    }
}

/// A group of the log in which nothing is a command. It is closed with this value.
struct Group<'a> {
    reporter: &'a Reporter,
    fence: String,
}

impl<'a> Group<'a> {
    fn open(reporter: &'a Reporter, title: &str, fence: String) -> Self {
        let open = [Command::Group(title.to_owned()), Command::StopCommands(fence.clone())];
        reporter.lines(&open.map(Line::Command));
        Self { reporter, fence }
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        let close = [Command::Resume(std::mem::take(&mut self.fence)), Command::EndGroup];
        self.reporter.lines(&close.map(Line::Command));
    }
}
