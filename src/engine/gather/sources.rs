//! What is checked out, the Dockerfile, and what only GitHub's API knows of the run.

use std::io::Read as _;
use std::path::Path;

use super::context;
use crate::engine::run::Run;
use crate::error::RunError;
use crate::git;
use crate::github::{GitHub, RefName};
use crate::inputs::config::{Config, VersionInput};
use crate::metadata::{
    CheckedOut, CheckoutFacts, GithubFacts, branch_to_look_up, head_to_confirm, pull_request_to_look_up,
    refs_to_read, triggering_commit,
};
use crate::model::{ContextSource, GitRef, chain};
use crate::plan::dockerfile;
use crate::plan::facts::DockerfileText;

/// Reads what the image's name depends on: what is checked out, and what only GitHub's API knows. Writes nothing anywhere.
pub(super) async fn sources(run: &Run<'_>) -> Result<(CheckoutFacts, GithubFacts), RunError> {
    let (checkout, github) = tokio::join!(checkout(run), github(run));
    let mut github = github?;
    github.context = context::found(run, &checkout).await;
    if let Some(head) = head_to_confirm(run.context, &checkout, run.asked) {
        github.checked_out = confirmed(run, &head).await;
    }
    Ok((checkout, github))
}

/// The text of the Dockerfile. A fault is no error here: whoever builds says it better.
pub(in crate::engine) async fn dockerfile(config: &Config) -> DockerfileText {
    let Some(directory) = &config.dockerfile.directory else {
        return DockerfileText::Unknown("it comes with the context".into());
    };
    let path = directory.join(&config.dockerfile.file_name);
    let read = tokio::task::spawn_blocking(move || read_dockerfile(&path)).await;
    match read.map_err(std::io::Error::other) {
        Ok(Ok(text)) => DockerfileText::Known(text),
        Ok(Err(error)) | Err(error) => DockerfileText::Unknown(format!("it cannot be read: {error}")),
    }
}

fn read_dockerfile(path: &Path) -> std::io::Result<String> {
    // A pipe in its place would never end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut text = Vec::new();
    // One byte more than is looked at, so that a longer one is told from one of that length.
    let longest = u64::try_from(dockerfile::LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?.take(longest).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

async fn checkout(run: &Run<'_>) -> CheckoutFacts {
    let Run { asked: config, context, .. } = *run;
    let workspace = context.paths.workspace.clone();
    let directory = match &config.context {
        ContextSource::Directory(directory) => directory.clone(),
        // What is built is not here; the checkout still says what the run is about.
        ContextSource::Remote(_) => workspace.clone(),
    };
    let commit = triggering_commit(context).clone();
    let wanted = git::Wanted {
        describe: config.version == Some(VersionInput::Auto),
        head_refs: refs_to_read(context, config),
    };
    let compared_with = commit.clone();
    let read =
        tokio::task::spawn_blocking(move || git::gather(&workspace, &directory, &commit, &wanted)).await;
    read.unwrap_or_else(|error| {
        let why = format!("reading the checkout failed: {error}");
        CheckoutFacts::none(compared_with, Some(why))
    })
}

async fn github(run: &Run<'_>) -> Result<GithubFacts, RunError> {
    let Run { context, keyring, .. } = *run;
    let mut facts = GithubFacts::default();
    let (request, branch) = (pull_request_to_look_up(context), branch_to_look_up(context));
    if request.is_none() && branch.is_none() {
        return Ok(facts);
    }
    let repository = &context.repository.full_name;
    let github = GitHub::new(&context.api_url, keyring.token(), &run.process.network())?;
    if let Some(number) = request {
        facts.pull_request_head = Some(github.pull_request_head(repository, number).await?.sha);
    }
    if let Some(branch) = branch {
        let told = github.is_on_branch(repository, &branch, triggering_commit(context)).await;
        facts.on_branch = told.map_err(|error| chain(&error));
    }
    Ok(facts)
}

/// Whether this repository has the commit that is checked out under the name that it is checked out by, or why nobody knows.
async fn confirmed(run: &Run<'_>, head: &CheckedOut) -> Result<bool, String> {
    let Run { context, keyring, .. } = *run;
    let repository = &context.repository.full_name;
    let github = GitHub::new(&context.api_url, keyring.token(), &run.process.network());
    let github = github.map_err(|error| error.to_string())?;
    let tip = match &head.git_ref {
        GitRef::Branch(name) => {
            let told = github.is_on_branch(repository, name, &head.commit).await;
            return told.map_err(|error| chain(&error));
        }
        GitRef::Tag(name) => RefName::Tag(name.clone()),
        GitRef::Pull(number) => RefName::Pull(*number),
        GitRef::Other(_) => return Ok(false),
    };
    let tip = github.tip(repository, &tip).await.map_err(|error| chain(&error))?;
    Ok(tip.as_ref() == Some(&head.commit))
}
