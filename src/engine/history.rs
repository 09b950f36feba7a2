//! What is asked about commits: GitHub first, else the checkout. Answers that cannot change are kept, and a server that
//! does not answer is asked once: all questions of a run together have a limit of time.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::run::Run;
use crate::git;
use crate::github::{GitHub, GitHubError, Listed, RefName};
use crate::metadata::Subject;
use crate::model::{CommitId, ContextSource, History, Relation, chain, slug};
use crate::plan::RunPlan;
use crate::plan::order::{Answer, Question};

/// For all questions to GitHub about the order of commits.
const BUDGET: Duration = Duration::from_secs(15);
/// Commits of the ref that are looked at.
const LONGEST: usize = 50;

/// Knows about commits.
pub(super) struct Historian {
    github: Result<GitHub, String>,
    repository: String,
    reference: Option<RefName>,
    /// The run's own commit.
    own: Option<CommitId>,
    workspace: PathBuf,
    directory: PathBuf,
    left: Duration,
    relations: HashMap<(CommitId, CommitId), Relation>,
}

impl Historian {
    /// For the ref that the plan is about. Asks nothing yet.
    pub(super) fn new(run: &Run<'_>, plan: &RunPlan) -> Self {
        let Run { process, asked, context, keyring, .. } = *run;
        let reference = match &plan.subject {
            Subject::Branch(name) => Some(RefName::Branch(name.clone())),
            Subject::GitTag(name) => Some(RefName::Tag(name.clone())),
            Subject::PullRequest(number) => number.map(RefName::Pull),
            Subject::Queue | Subject::Ref(_) => None,
        };
        let workspace = context.paths.workspace.clone();
        let directory = match &asked.context {
            ContextSource::Directory(directory) => directory.clone(),
            ContextSource::Remote(_) => workspace.clone(),
        };
        let github = GitHub::new(&context.api_url, keyring.token(), &process.network());
        Self {
            github: github.map_err(|error| error.to_string()),
            repository: context.repository.full_name.clone(),
            reference,
            own: plan.stamp.commit.clone(),
            workspace,
            directory,
            left: BUDGET,
            relations: HashMap::new(),
        }
    }

    /// What the order of images wants to know.
    pub(super) async fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Relate(old, new) => Answer::Related(self.relation(old, new).await),
            Question::History => Answer::History(self.history().await),
            Question::Exists(name) => {
                let Some(reference) = RefName::parse(name) else { return Answer::Fact(None) };
                let asked = self.ask(async |github, repository| github.tip(repository, &reference).await);
                Answer::Fact(asked.await.ok().map(|tip| tip.is_some()))
            }
            Question::HasBranch(wanted) => {
                let asked = self.ask(async |github, repository| github.branches(repository).await).await;
                let named = |name: &String| slug(name).as_ref() == Some(wanted);
                Answer::Fact(asked.ok().and_then(|branches| match branches {
                    Listed { all: false, names } => names.iter().any(named).then_some(true),
                    Listed { all: true, names } => Some(names.iter().any(named)),
                }))
            }
            Question::Pushed(commit) => {
                let asked = self.ask(async |github, repository| github.has_commit(repository, commit).await);
                Answer::Fact(asked.await.ok())
            }
        }
    }

    /// How `new` stands to `old`.
    async fn relation(&mut self, old: &CommitId, new: &CommitId) -> Relation {
        let pair = (old.clone(), new.clone());
        if let Some(known) = self.relations.get(&pair) {
            return known.clone();
        }
        let asked = self.ask(async |github, repository| github.relation(repository, old, new).await).await;
        let relation = match asked {
            Ok(relation) => relation,
            Err(why) => match self.in_checkout(old, new).await {
                Relation::Unknown(here) => Relation::Unknown(format!("{why}; {here}")),
                known => known,
            },
        };
        self.relations.insert(pair, relation.clone());
        relation
    }

    async fn in_checkout(&self, old: &CommitId, new: &CommitId) -> Relation {
        let (workspace, directory) = (self.workspace.clone(), self.directory.clone());
        let (old, new) = (old.clone(), new.clone());
        let read = tokio::task::spawn_blocking(move || git::relation(&workspace, &directory, &old, &new));
        read.await.unwrap_or_else(|error| Relation::Unknown(format!("reading the checkout failed: {error}")))
    }

    /// The ref's newest commits, as they are now.
    async fn history(&mut self) -> Result<History, String> {
        let Some(reference) = self.reference.clone() else {
            return Err("the run is on no branch, Git tag or pull request".into());
        };
        let own = self.own.clone();
        let newest = async |github: &GitHub, repository: &str| {
            github.history(repository, &reference, own.as_ref(), LONGEST).await
        };
        self.ask(newest).await
    }

    /// The branches at this commit; none if nobody can tell.
    pub(super) async fn branches_at(&mut self, commit: &CommitId) -> Vec<String> {
        let asked = self.ask(async |github, repository| github.branches_at(repository, commit).await).await;
        asked.unwrap_or_default()
    }

    async fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(&GitHub, &str) -> Result<T, GitHubError>,
    ) -> Result<T, String> {
        let github = self.github.as_ref().map_err(Clone::clone)?;
        let began = Instant::now();
        let answer = within(self.left, question(github, &self.repository)).await;
        self.left = self.left.saturating_sub(began.elapsed());
        let error = match answer {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) if error.is_unknown() => return Err(error.to_string()),
            Some(Err(error)) => chain(&error),
            None => format!("GitHub's API took longer than {} s", BUDGET.as_secs()),
        };
        // Not asked again: it would only take time.
        self.github = Err(error.clone());
        Err(error)
    }
}

async fn within<T>(limit: Duration, answer: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, answer).await.ok()
}
