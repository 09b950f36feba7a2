//! Facts: everything that the plan depends on, read at the same time and before anything is decided; and what was opened
//! or begun for that, for the phases that go on with it.
//!
//! Nothing is written anywhere, but an upload that is begun and given up where the image is to go. What is missing matters
//! only where it is needed: without something to build, nobody asks for a builder.

mod access;
mod builders;
mod context;
mod deploy;
mod given;
mod machine;
mod prestart;
mod sources;
mod subject;

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use super::background::Background;
use super::environment::OpenEnvironment;
use super::login;
use super::run::Run;
use crate::error::RunError;
use crate::github::cache_trouble;
use crate::inputs::config::Mode;
use crate::login::Session;
use crate::model::CacheTrouble;
use crate::plan::cache::reads_github;
use crate::plan::deploy::EnvironmentFacts;
use crate::plan::facts::{BuilderFacts, DockerfileText, Facts};

pub(super) use access::{AccessCheck, Existing, is_allowed_by_daemon};
pub(super) use builders::{Builders, builders};
pub(super) use prestart::Prestart;
pub(super) use sources::dockerfile as dockerfile_text;
use subject::{Subject, subject};

/// What was read, and what was opened or begun for that.
pub(super) struct Gathered {
    /// What the plan depends on.
    pub facts: Facts,
    /// What the next phases go on with.
    pub open: Open,
    /// The repositories of the environments that are deployed to, in the plan's order.
    pub environments: Vec<OpenEnvironment>,
}

/// What was opened or begun while facts were read.
pub(super) struct Open {
    /// What can build, connected.
    pub builders: Builders,
    /// The builder's container, begun as soon as it was certain.
    pub prestart: Prestart,
    /// The look at the registries, if the image is to be pushed.
    pub access: Option<AccessCheck>,
    /// The logins at the image's registries that were exchanged for.
    pub sessions: Vec<Session>,
}

/// Reads everything; nothing if there is nothing to do, which the report says then.
pub(super) async fn all(run: &Run<'_>) -> Result<Option<Gathered>, RunError> {
    run.until_stopped(async {
        match run.asked.mode {
            Mode::Merge | Mode::Tag => Box::pin(without_build(run)).await,
            Mode::Build | Mode::Leg | Mode::Stage | Mode::Check => Box::pin(for_build(run)).await,
        }
    })
    .await
}

/// What a run depends on that builds nothing: what it is about, and where it goes.
async fn without_build(run: &Run<'_>) -> Result<Option<Gathered>, RunError> {
    let (found, machine) = tokio::join!(subject_and_environments(run), machine::machine(run));
    let Some((subject, (deploy, environments))) = found? else { return Ok(None) };
    let dockerfile = DockerfileText::Unknown("nothing is built".into());
    let facts =
        Facts { machine: machine?, ..facts(&subject, BuilderFacts::default(), dockerfile, None, deploy) };
    Ok(Some(Gathered { facts, open: open(subject, Builders::none(), Prestart::none()), environments }))
}

/// What a run is about, and who will be told of it.
async fn subject_and_environments(run: &Run<'_>) -> Result<Option<(Subject, deploy::Looked)>, RunError> {
    let Some(subject) = subject(run).await? else { return Ok(None) };
    let looked = deploy::look(run, &subject).await?;
    Ok(Some((subject, looked)))
}

async fn for_build(run: &Run<'_>) -> Result<Option<Gathered>, RunError> {
    let (tell, found) = oneshot::channel();
    let prestart = Prestart::begin(run, found);
    let mut cache = cache_probe(run);
    let builders = async {
        let gateway = run.asked.build.run.has_open_gateway();
        let builders = builders(&run.asked.builder.choice, gateway, run.daemon).await;
        if let Ok(builders) = &builders {
            // Nobody listens when nothing is to be built.
            let _ = tell.send(builders.facts());
        }
        builders
    };
    let (subject, dockerfile, logins, builders, trouble, machine) = tokio::join!(
        subject_and_environments(run),
        sources::dockerfile(run.asked),
        login::exchange(run, login::Of::Others),
        builders,
        cache.take(),
        machine::machine(run),
    );
    let Some((subject, (deploy, environments))) = subject? else { return Ok(None) };
    logins.needed_at(run, &BTreeSet::new())?;
    let builders = builders?;
    let machine = machine?;
    let facts = Facts { machine, ..facts(&subject, builders.facts(), dockerfile, trouble.flatten(), deploy) };
    Ok(Some(Gathered { facts, open: open(subject, builders, prestart), environments }))
}

fn facts(
    subject: &Subject,
    builders: BuilderFacts,
    dockerfile: DockerfileText,
    cache_trouble: Option<CacheTrouble>,
    deploy: Vec<EnvironmentFacts>,
) -> Facts {
    let (metadata, targets) = (subject.metadata.clone(), subject.targets.clone());
    let context = subject.context.clone();
    let given = subject.given.clone();
    // Looked at by those who need it.
    let machine = None;
    Facts { metadata, targets, builders, dockerfile, context, cache_trouble, given, deploy, machine }
}

fn open(subject: Subject, builders: Builders, prestart: Prestart) -> Open {
    Open { builders, prestart, access: subject.access, sessions: subject.sessions }
}

/// Asks GitHub's cache whether it answers, if the build would read it.
fn cache_probe(run: &Run<'_>) -> Background<Option<CacheTrouble>> {
    let reads = |_: &_| reads_github(run.asked, run.context);
    let Some(cache) = run.process.github_cache().filter(reads) else { return Background::none() };
    let network = run.process.network();
    Background::begin(async move { cache_trouble(&cache.url, &cache.token, &network).await })
}
