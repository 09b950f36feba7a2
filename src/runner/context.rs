//! What the GitHub runner says about this run: its variables and the event payload, as values.
//!
//! Everything comes in through [`RunnerContext::read`], which reads no process environment and no file. The
//! payload is the work of whoever caused the event: only the few fields that tags and pushes depend on are
//! looked at (`payload`), a field of the wrong type is an error, never a guess and never a panic.
//! Sources: actions/runner and GitHub's "Events that trigger workflows" and "Variables" pages.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::cache_service::CacheService;
use super::payload::{self, Payload, PayloadError};
use crate::model::{CommitId, GitRef, text};

pub use super::event::{Event, PullRequest, RepositoryFacts};

/// Who causes Dependabot's runs: they have a read-only token and none of the repository's secrets.
pub(super) const DEPENDABOT: &str = "dependabot[bot]";

/// Everything that the runner told us, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerContext {
    /// What started the run.
    pub event: Event,
    /// `GITHUB_REF`, what the run is on.
    pub git_ref: GitRef,
    /// `GITHUB_SHA`.
    pub sha: CommitId,
    /// The event is a push that threw commits of its ref away.
    pub forced: bool,
    /// The branch that the event's pull request asks to be merged into, by name (`main`). Of a push the ref that the pushed one
    /// was made from, whole (`refs/heads/main`), where GitHub says it, which it does for new refs at most.
    pub base_ref: Option<String>,
    /// The repository that the workflow runs in.
    pub repository: RepositoryFacts,
    /// `GITHUB_ACTOR`, who caused the run; `dependabot[bot]` among others.
    pub actor: String,
    /// The run itself.
    pub run: Run,
    /// The machine that the job is on.
    pub runner: Runner,
    /// `GITHUB_SERVER_URL` without a trailing slash, `https://github.com`.
    pub server_url: String,
    /// `GITHUB_API_URL`, `https://api.github.com`.
    pub api_url: String,
    /// Commit times (Unix seconds) that the payload knows, by commit; `created` comes from the checkout first.
    pub commit_times: Vec<(CommitId, i64)>,
    /// Directories and files, as this process sees them.
    pub paths: Paths,
    /// GitHub's cache, as this job has it.
    pub cache: CacheService,
    /// `RUNNER_DEBUG` is 1.
    pub debug: bool,
}

/// Identity of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Run {
    /// `GITHUB_RUN_ID`.
    pub id: u64,
    /// `GITHUB_RUN_ATTEMPT`, from 1.
    pub attempt: u64,
    /// `GITHUB_RUN_NUMBER`.
    pub number: u64,
    /// `GITHUB_JOB`, the job's key in the workflow: the same for all legs of a matrix.
    pub job: String,
    /// The page of this attempt.
    pub url: String,
}

/// The machine that the job is on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Runner {
    /// `RUNNER_NAME`, one job at a time.
    pub name: String,
    /// `RUNNER_ENVIRONMENT` is `github-hosted`: the machine is thrown away after the job.
    pub hosted_by_github: bool,
}

/// Where things are, as this process sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// `GITHUB_WORKSPACE`.
    pub workspace: PathBuf,
    /// `RUNNER_TEMP`.
    pub temp: PathBuf,
    /// The workspace as the host names it, `$RUNNER_WORKSPACE/<repository name>`, when known: inputs may hold it.
    pub host_workspace: Option<PathBuf>,
    /// `RUNNER_TEMP` as the host names it, when known: `_temp` beside the repository's directory.
    pub host_temp: Option<PathBuf>,
    /// `GITHUB_OUTPUT`.
    pub output: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub summary: Option<PathBuf>,
}

/// Why the run's context cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// Variables that every runner sets are missing.
    #[error("{} not set, so this is not a step of a GitHub workflow (the runner sets them for every action)", list(.0))]
    Missing(Vec<&'static str>),
    /// A variable's value makes no sense.
    #[error("`{variable}` is `{value}`: {expected}")]
    Variable {
        /// Its name.
        variable: &'static str,
        /// What it holds, shortened.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The event payload does not say what the event needs.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl RunnerContext {
    /// From the process's variables and the text of the file that `GITHUB_EVENT_PATH` names.
    ///
    /// # Errors
    /// All missing variables at once; a value or payload that this run cannot be understood from.
    pub fn read(variables: &BTreeMap<String, String>, event_json: &str) -> Result<Self, ContextError> {
        let get = |name: &str| variables.get(name).map_or("", |value| value.trim());
        let needed = ["GITHUB_EVENT_NAME", "GITHUB_REPOSITORY", "GITHUB_SHA", "GITHUB_WORKSPACE"];
        let missing: Vec<_> = needed.into_iter().filter(|name| get(name).is_empty()).collect();
        if !missing.is_empty() {
            return Err(ContextError::Missing(missing));
        }
        let payload = payload::read(get("GITHUB_EVENT_NAME"), event_json)?;
        let server_url = or(get("GITHUB_SERVER_URL"), "https://github.com").trim_end_matches('/').to_owned();
        let git_ref = git_ref(get("GITHUB_REF"), &payload.event)?;
        let repository = repository(get("GITHUB_REPOSITORY"), &server_url, &payload, &git_ref)?;
        let run = run(get, &server_url, &repository.full_name)?;
        Ok(Self {
            sha: sha(get("GITHUB_SHA"), payload.before.as_ref())?,
            paths: paths(get, &repository.name),
            actor: get("GITHUB_ACTOR").to_owned(),
            api_url: or(get("GITHUB_API_URL"), "https://api.github.com").trim_end_matches('/').to_owned(),
            cache: CacheService::read(get),
            debug: get("RUNNER_DEBUG") == "1",
            runner: Runner {
                name: get("RUNNER_NAME").to_owned(),
                hosted_by_github: get("RUNNER_ENVIRONMENT") == "github-hosted",
            },
            event: payload.event,
            forced: payload.forced,
            base_ref: payload.base_ref,
            commit_times: payload.commit_times,
            git_ref,
            repository,
            run,
            server_url,
        })
    }

    /// Whether this is a GitHub Enterprise Server of somebody's own: neither github.com nor a tenant of `ghe.com`.
    pub fn is_enterprise_server(&self) -> bool {
        let host = self.server_url.split_once("://").map_or(self.server_url.as_str(), |(_, rest)| rest);
        let host = host.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
        host != "github.com" && !host.ends_with(".ghe.com")
    }

    /// Whether GitHub withholds the repository's secrets from this run: a pull request from a fork, or
    /// any run that Dependabot caused. Secrets arrive as empty text there.
    pub fn secrets_withheld(&self) -> bool {
        let fork = match &self.event {
            Event::PullRequest(pull) => !self.is_own(pull.head_repository.as_deref()),
            _ => false,
        };
        fork || self.actor == DEPENDABOT
    }
}

/// The ref that the run is on. A release of a Git tag that is made in the same moment comes with an empty `GITHUB_REF`.
fn git_ref(text: &str, event: &Event) -> Result<GitRef, ContextError> {
    match event {
        _ if !text.is_empty() => Ok(GitRef::parse(text)),
        Event::Release { tag, .. } => Ok(GitRef::Tag(tag.clone())),
        _ => Err(ContextError::Missing(vec!["GITHUB_REF"])),
    }
}

/// The commit that the run is on. A deleted ref may leave `GITHUB_SHA` all zeros: what the ref pointed at before stands for it
/// then.
fn sha(text: &str, before: Option<&CommitId>) -> Result<CommitId, ContextError> {
    CommitId::parse(text).or_else(|_| {
        before.cloned().ok_or_else(|| ContextError::Variable {
            variable: "GITHUB_SHA",
            value: text::name(text),
            expected: "expected a full commit id, 40 hexadecimal characters",
        })
    })
}

/// The facts about the repository that the workflow runs in, from its name and, if it speaks of the same one, the payload.
fn repository(
    full_name: &str,
    server_url: &str,
    payload: &Payload,
    git_ref: &GitRef,
) -> Result<RepositoryFacts, ContextError> {
    let (owner, name) = full_name
        .split_once('/')
        .filter(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'))
        .ok_or_else(|| ContextError::Variable {
            variable: "GITHUB_REPOSITORY",
            value: text::name(full_name),
            expected: "expected `owner/name`",
        })?;
    // A payload may speak of another repository (`repository_dispatch` is free text): then it says nothing.
    let described =
        payload.repository.clone().filter(|facts| facts.full_name.eq_ignore_ascii_case(full_name));
    let mut facts = described.unwrap_or_default();
    if facts.html_url.is_empty() {
        facts.html_url = format!("{server_url}/{full_name}");
    }
    if let (None, Event::Schedule, GitRef::Branch(branch)) = (&facts.default_branch, &payload.event, git_ref)
    {
        facts.default_branch = Some(branch.clone());
    }
    Ok(RepositoryFacts { full_name: full_name.into(), owner: owner.into(), name: name.into(), ..facts })
}

/// The identity of the run. Numbers that the runner does not give are 0, for the attempt 1.
fn run<'a>(get: impl Fn(&str) -> &'a str, server_url: &str, repository: &str) -> Result<Run, ContextError> {
    let number = |variable: &'static str, default: u64| match get(variable) {
        "" => Ok(default),
        text => text.parse().map_err(|_| ContextError::Variable {
            variable,
            value: text::name(text),
            expected: "expected a whole number",
        }),
    };
    let id = number("GITHUB_RUN_ID", 0)?;
    let attempt = number("GITHUB_RUN_ATTEMPT", 1)?;
    let url = format!("{server_url}/{repository}/actions/runs/{id}/attempts/{attempt}");
    let job = get("GITHUB_JOB").to_owned();
    Ok(Run { id, attempt, number: number("GITHUB_RUN_NUMBER", 0)?, job, url })
}

/// The directories and files that the runner names. `RUNNER_WORKSPACE` stays the host's name of `<work>/<repository name>` in a
/// container action; the workspace is a directory of that name in it, and the temporary directory is `_temp` beside it.
fn paths<'a>(get: impl Fn(&str) -> &'a str, repository_name: &str) -> Paths {
    let optional = |name: &str| Some(get(name)).filter(|text| !text.is_empty()).map(PathBuf::from);
    let host = optional("RUNNER_WORKSPACE").filter(|path| path.is_absolute());
    Paths {
        workspace: PathBuf::from(get("GITHUB_WORKSPACE")),
        temp: optional("RUNNER_TEMP").unwrap_or_else(|| PathBuf::from("/tmp")),
        host_temp: host.as_deref().and_then(|path| path.parent()).map(|work| work.join("_temp")),
        host_workspace: host.map(|path| path.join(repository_name)),
        output: optional("GITHUB_OUTPUT"),
        summary: optional("GITHUB_STEP_SUMMARY"),
    }
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

/// Names as the subject of a sentence, with its verb.
fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let verb = if quoted.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", quoted.join(", "))
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
