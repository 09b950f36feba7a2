//! One environment's steps, done one after the other.
//!
//! Every step can be done again, so that one whose answer got lost is: a scratch branch has a name that nobody else has, a commit
//! is bound to the head that it stands on, a branch is moved only from where it was read, and of a pull request there can be one.
//! Words are sent once: a comment that may have arrived is not sent again.

use std::sync::{Mutex as Lock, PoisonError};

use tokio::sync::Mutex;

use super::questions::answer;
use crate::engine::environment::Account;
use crate::engine::history::Historian;
use crate::engine::retry::{retry, retry_unsent, writing};
use crate::engine::run::Run;
use crate::error::DeployError;
use crate::github::{Contents, FileAddition, GitHub, GitHubError, NewPullRequest, PullRequest};
use crate::inputs::config::MergeMethod;
use crate::kustomize::SourceFile;
use crate::model::{CommitId, Digest, chain};
use crate::plan::RunPlan;
use crate::plan::deploy::{
    BaseRead, ChangedFile, DeployOutcome, DeployPlace, DeployReply, DeployStep, DeploySteps, DeployTrouble,
    DeployWork, DeployedImage, Message, Proposal, SCRATCH, Seen, is_orphan, scratch_branch,
};

/// Scratch branches that are there, of this run and of those that were killed, with who can delete them.
#[derive(Default)]
pub(super) struct Scratches(Lock<Vec<(GitHub, String, String)>>);

impl Scratches {
    fn add(&self, github: &GitHub, repository: &str, branch: &str) {
        let scratch = (github.clone(), repository.to_owned(), branch.to_owned());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|(_, of, name)| of == repository && name == branch) {
            known.push(scratch);
        }
    }

    fn forget(&self, branch: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, _, name)| name != branch);
    }

    /// Deletes those that are left, beside everything else.
    pub(super) fn clear(&self, run: &Run<'_>) {
        let left = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (github, repository, branch) in left {
            let reporter = run.process.reporter.clone();
            run.closing.begin(async move {
                if let Err(error) = github.delete_branch(&repository, &branch).await {
                    reporter.warn(&format!("the branch `{branch}` stays in {repository}: {}", chain(&error)));
                }
            });
        }
    }
}

/// What carries the steps of one environment out.
pub(super) struct Hand<'a> {
    pub run: &'a Run<'a>,
    pub plan: &'a RunPlan,
    pub work: &'a DeployWork,
    pub account: &'a Account,
    /// The repository's id in GraphQL.
    pub node_id: &'a str,
    pub historian: &'a Mutex<Historian>,
    pub scratches: &'a Scratches,
}

impl Hand<'_> {
    /// Does one step after the other. `read`: the base, as it was before the build.
    pub(super) async fn carry_out(
        &self,
        image: &DeployedImage,
        digest: &Digest,
        read: Option<BaseRead>,
    ) -> Result<DeployOutcome, DeployError> {
        let Some((_, place)) = self.work.change() else {
            return Err(DeployError::Trouble(DeployTrouble::NoFiles));
        };
        let digest = Some(digest.clone());
        let mut steps = DeploySteps::new(&self.plan.deploy, (self.work, image), digest, self.run.context);
        let mut read = read;
        let mut scratch = None;
        loop {
            let reply = match steps.next() {
                DeployStep::Done(outcome) => return Ok(outcome),
                DeployStep::Fail(trouble) => return Err(DeployError::Trouble(trouble)),
                DeployStep::Commit { base, files, message } => {
                    let (branch, made) = self.commit(&base, &files, &message).await?;
                    scratch = Some(branch);
                    DeployReply::Committed(made)
                }
                DeployStep::Move { from, to } => {
                    let reply = self.move_branch(place, (from.as_ref(), &to), scratch.as_deref()).await?;
                    if let Some(branch) = scratch.take().filter(|_| matches!(reply, DeployReply::Done)) {
                        self.scratches.forget(&branch);
                    }
                    reply
                }
                DeployStep::CommitToBase { base, files, message } => {
                    self.commit_to_base(place, &base, &files, &message).await?
                }
                step => self.read_or_write(step, place, image, &mut read).await?,
            };
            steps.answer(reply);
        }
    }

    /// What is one request, or a few that belong together.
    pub(super) async fn read_or_write(
        &self,
        step: DeployStep,
        place: &DeployPlace,
        image: &DeployedImage,
        read: &mut Option<BaseRead>,
    ) -> Result<DeployReply, DeployError> {
        Ok(match step {
            DeployStep::Look => DeployReply::Seen(self.look(place, read).await?),
            DeployStep::FindProposal => DeployReply::Proposal(self.find(place).await?),
            DeployStep::ReadFiles(at) => DeployReply::Files(self.files(place, &at).await?),
            DeployStep::ReadBranch => {
                let branch = &place.branch;
                DeployReply::Branch(self.ask(async |github, name| github.branch(name, branch).await).await?)
            }
            DeployStep::FindClosed(head) => {
                let (branch, base) = (&place.branch, &place.base);
                let asked =
                    async |github: &GitHub, name: &str| github.was_proposed(name, branch, base, &head).await;
                DeployReply::Closed(self.ask(asked).await?)
            }
            DeployStep::Ask(question) => {
                DeployReply::Answer(answer(self.run, self.historian, &question, image).await)
            }
            DeployStep::Open(opening) => {
                let Message { title, body } = &opening.message;
                let new = NewPullRequest {
                    title,
                    body,
                    head: &place.branch,
                    base: &place.base,
                    draft: opening.draft,
                };
                let opened =
                    self.write(async |github, name| github.create_pull_request(name, new).await).await?;
                match opened {
                    Some(opened) => DeployReply::Proposal(Some(proposal(opened))),
                    None => DeployReply::Exists,
                }
            }
            DeployStep::Update { number, message } => {
                let words = (message.title.as_str(), message.body.as_str());
                let updated = self
                    .write(async |github, name| github.update_pull_request(name, number, words).await)
                    .await?;
                DeployReply::Proposal(Some(proposal(updated)))
            }
            DeployStep::Decorate(number) => {
                self.decorate(number).await;
                DeployReply::Done
            }
            DeployStep::AutoMerge { proposal, method } => {
                self.auto_merge(&proposal, method).await?;
                DeployReply::Done
            }
            DeployStep::Close { number, comment } => {
                self.close(number, &comment).await?;
                DeployReply::Done
            }
            // These need what `carry_out` has.
            DeployStep::Commit { .. }
            | DeployStep::Move { .. }
            | DeployStep::CommitToBase { .. }
            | DeployStep::Done(_)
            | DeployStep::Fail(_) => DeployReply::Stale,
        })
    }

    async fn ask<T>(
        &self,
        question: impl AsyncFn(&GitHub, &str) -> Result<T, GitHubError>,
    ) -> Result<T, DeployError> {
        self.account.ask(self.run, question).await
    }

    /// Writes what can be written again.
    async fn write<T>(
        &self,
        request: impl AsyncFn(&GitHub, &str) -> Result<T, GitHubError>,
    ) -> Result<T, DeployError> {
        let (github, name) = (&self.account.github, self.account.repository.as_str());
        let written = retry(self.run.process, writing(self.run), async || request(github, name).await).await;
        written.map_err(|error| self.account.failed(error))
    }

    /// Looks at what is there. `read`: the base, as it was before. Scratch branches that a run before has left are noted.
    async fn look(&self, place: &DeployPlace, read: &mut Option<BaseRead>) -> Result<Seen, DeployError> {
        let asked = async |github: &GitHub, name: &str| {
            github.environment_branches(name, (&place.base, &place.branch), SCRATCH).await
        };
        let found = self.ask(asked).await?;
        let repository = &self.account.repository;
        let now = (self.run.process.now)();
        for branch in found.others.iter().filter(|branch| is_orphan(branch, now, &self.run.context.run)) {
            self.scratches.add(&self.account.github, repository.as_str(), branch);
        }
        let Some(head) = found.base else {
            return Err(DeployError::NoBranch { repository: repository.clone(), branch: place.base.clone() });
        };
        let base = match read.take().filter(|known| known.head == head) {
            Some(known) => known,
            None => self.base(place, head).await?,
        };
        let closed = found.branch.as_ref().is_some_and(|head| found.closed.contains(head));
        Ok(Seen { base, branch: found.branch, proposal: found.proposal.map(proposal), closed })
    }

    async fn base(&self, place: &DeployPlace, head: CommitId) -> Result<BaseRead, DeployError> {
        let found = self.files(place, &head).await?;
        let mut files = Vec::new();
        for (path, file) in place.files.iter().zip(found) {
            files.push(file.ok_or_else(|| DeployError::NoFile {
                repository: self.account.repository.clone(),
                branch: place.base.clone(),
                path: path.clone(),
                why: "it is not there any more, or no text".into(),
            })?);
        }
        Ok(BaseRead { head, files })
    }

    async fn files(
        &self,
        place: &DeployPlace,
        at: &CommitId,
    ) -> Result<Vec<Option<SourceFile>>, DeployError> {
        let mut files = Vec::new();
        for path in &place.files {
            let contents = self.ask(async |github, name| github.contents(name, path, at).await).await?;
            files.push(match contents {
                Contents::File(bytes) => SourceFile::new(path, &bytes).ok(),
                Contents::Directory(_) | Contents::Other(_) | Contents::Missing => None,
            });
        }
        Ok(files)
    }

    async fn find(&self, place: &DeployPlace) -> Result<Option<Proposal>, DeployError> {
        let (branch, base) = (&place.branch, &place.base);
        let found = self.ask(async |github, name| github.open_pull_request(name, branch, base).await).await?;
        Ok(found.map(proposal))
    }

    /// Makes a commit on a scratch branch; the branch's name and the commit.
    async fn commit(
        &self,
        base: &CommitId,
        files: &[ChangedFile],
        message: &Message,
    ) -> Result<(String, CommitId), DeployError> {
        let process = self.run.process;
        let scratch = scratch_branch((process.now)(), &self.run.context.run, &process.random_id());
        let name = self.account.repository.as_str();
        self.scratches.add(&self.account.github, name, &scratch);
        let branch = scratch.as_str();
        self.write(async |github, name| match github.create_branch(name, branch, base).await {
            // The answer to the request before was lost: nobody else has this name.
            Err(error) if error.status() == Some(422) => match github.branch(name, branch).await? {
                Some(_) => Ok(()),
                None => Err(error),
            },
            created => created,
        })
        .await?;
        let additions = additions(files);
        let words = (message.title.as_str(), message.body.as_str());
        let made = self
            .write(async |github, name| {
                match github.commit_on_branch(name, (branch, base), &additions, words).await? {
                    Some(made) => Ok(Some(made)),
                    // The same: what is there is ours.
                    None => github.branch(name, branch).await,
                }
            })
            .await?;
        let gone =
            || DeployError::NoBranch { repository: self.account.repository.clone(), branch: scratch.clone() };
        let made = made.filter(|made| made != base).ok_or_else(gone)?;
        Ok((scratch, made))
    }

    /// Moves the pull request's branch, and looks where it is if the answer does not say what became of it.
    async fn move_branch(
        &self,
        place: &DeployPlace,
        (from, to): (Option<&CommitId>, &CommitId),
        scratch: Option<&str>,
    ) -> Result<DeployReply, DeployError> {
        let (node_id, branch) = (self.node_id, place.branch.as_str());
        let moved = self
            .write(async |github, name| {
                match github.move_branch((name, node_id), branch, (from, to), scratch).await {
                    Err(error) if error.is_unclear() => match github.branch(name, branch).await? {
                        Some(at) if at == *to => Ok(true),
                        at if at.as_ref() == from => Err(error),
                        _ => Ok(false),
                    },
                    Err(error) if error.is_stale() => Ok(false),
                    moved => moved.map(|()| true),
                }
            })
            .await?;
        Ok(if moved { DeployReply::Done } else { DeployReply::Stale })
    }

    async fn commit_to_base(
        &self,
        place: &DeployPlace,
        base: &CommitId,
        files: &[ChangedFile],
        message: &Message,
    ) -> Result<DeployReply, DeployError> {
        let (additions, branch) = (additions(files), place.base.as_str());
        let words = (message.title.as_str(), message.body.as_str());
        let made = self
            .write(async |github, name| {
                github.commit_on_branch(name, (branch, base), &additions, words).await
            })
            .await?;
        Ok(made.map_or(DeployReply::Stale, DeployReply::Committed))
    }

    /// Labels and reviewers. The pull request is there: what cannot be given to it is a warning.
    async fn decorate(&self, number: u64) {
        let options = self.work.options();
        let labels = async {
            if options.labels.is_empty() {
                return Ok(());
            }
            self.write(async |github, name| github.add_labels(name, number, &options.labels).await).await
        };
        let reviewers = async {
            if options.reviewers.is_empty() && options.team_reviewers.is_empty() {
                return Ok(());
            }
            let who = (options.reviewers.as_slice(), options.team_reviewers.as_slice());
            self.write(async |github, name| github.request_reviewers(name, number, who).await).await
        };
        let (labels, reviewers) = tokio::join!(labels, reviewers);
        for error in [labels.err(), reviewers.err()].into_iter().flatten() {
            self.warn(number, &error);
        }
    }

    /// Has it merged by itself, or not any more. That it cannot be is a warning; that it cannot be stopped is not.
    async fn auto_merge(&self, proposal: &Proposal, method: Option<MergeMethod>) -> Result<(), DeployError> {
        let pull = PullRequest {
            number: proposal.number,
            url: proposal.url.clone(),
            node_id: proposal.node_id.clone(),
            head: proposal.head.clone(),
            is_open: proposal.is_open,
            auto_merge: proposal.auto_merge,
        };
        let word = method.map(|method| method.name().to_ascii_uppercase());
        let done = self.write(async |github, _| github.auto_merge(&pull, word.as_deref()).await).await;
        match done {
            Err(error) if method.is_some() => {
                self.warn(proposal.number, &error);
                Ok(())
            }
            done => done,
        }
    }

    fn warn(&self, number: u64, error: &DeployError) {
        let environment = &self.work.environment;
        let hint = error.hint().map_or_else(String::new, |hint| format!(" ({hint})"));
        let said =
            format!("deploy {environment}: pull request {number} is there, but {}{hint}", chain(error));
        self.run.process.reporter.warn(&said);
    }

    /// Closes it, with a word; without the word, if that cannot be said.
    async fn close(&self, number: u64, comment: &str) -> Result<(), DeployError> {
        let (github, name) = (&self.account.github, self.account.repository.as_str());
        let request = async || github.comment(name, number, comment).await;
        if let Err(error) = retry_unsent(self.run.process, writing(self.run), request).await {
            self.warn(number, &self.account.failed(error));
        }
        self.write(async |github, name| github.close_pull_request(name, number).await).await
    }
}

fn additions(files: &[ChangedFile]) -> Vec<FileAddition<'_>> {
    files.iter().map(|file| FileAddition { path: &file.path, text: &file.text }).collect()
}

fn proposal(pull: PullRequest) -> Proposal {
    let PullRequest { number, url, node_id, head, is_open, auto_merge } = pull;
    Proposal { number, url, node_id, head, is_open, auto_merge }
}
