//! What became of an environment: for the log, the output `pull_requests` and the summary.

use serde_json::{Value, json};

use crate::error::DeployError;
use crate::model::{CommitId, Tag, chain};
use crate::plan::deploy::{Action, DeployOutcome, DeployWork, DeployedImage, PullRequestRef};

/// What became of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct EnvironmentOutcome {
    /// Which, for people.
    pub environment: String,
    /// Its repository.
    pub repository: String,
    /// What was to be deployed.
    pub tag: Tag,
    /// What was done; nothing where that failed.
    pub action: Option<Action>,
    /// The pull request that it is about.
    pub pull_request: Option<PullRequestRef>,
    /// The branch that it is proposed from.
    pub branch: Option<String>,
    /// The commit that was made.
    pub commit: Option<CommitId>,
    /// Why, or why not.
    pub reason: String,
}

impl EnvironmentOutcome {
    /// Of an environment of the plan.
    pub(in crate::engine) fn of(
        work: &DeployWork,
        image: &DeployedImage,
        outcome: Result<&DeployOutcome, &DeployError>,
    ) -> Self {
        let (action, pull_request, commit, reason) = match outcome {
            Ok(DeployOutcome { action, pull_request, commit, reason }) => {
                (Some(*action), pull_request.clone(), commit.clone(), reason.clone())
            }
            Err(error) => (None, None, None, chain(error)),
        };
        Self {
            environment: work.environment.to_string(),
            repository: work.environment.repository.to_string(),
            tag: image.tag.clone(),
            action,
            branch: work.place.as_ref().filter(|_| pull_request.is_some()).map(|place| place.branch.clone()),
            pull_request,
            commit,
            reason,
        }
    }

    /// What was done and why, for people, with the page of the pull request.
    pub(in crate::engine) fn line(&self) -> String {
        let page = self.pull_request.as_ref().map_or_else(String::new, |pull| format!(" ({})", pull.url));
        format!("{}{page}", self.text())
    }

    /// What was done and why, for people.
    pub(super) fn text(&self) -> String {
        let pull = self.pull_request.as_ref();
        let named =
            || pull.map_or_else(|| "pull request".to_owned(), |pull| format!("pull request {}", pull.number));
        let reason = &self.reason;
        match self.action {
            Some(Action::Opened) => format!("opened {}, {reason}", named()),
            Some(Action::Updated) => format!("moved {} on, {reason}", named()),
            Some(Action::Closed) => format!("closed {}: {reason}", named()),
            Some(Action::Committed) => format!("committed, {reason}"),
            Some(Action::Dispatched) => format!("sent {reason}"),
            Some(Action::Unchanged) => format!("unchanged: {reason}"),
            Some(Action::HeldBack) => format!("held back: {reason}"),
            None => format!("failed: {reason}"),
        }
    }

    /// As the output `pull_requests` has it. Fields are added, never renamed.
    pub(super) fn json(&self) -> Value {
        let mut value = json!({
            "environment": self.environment,
            "repository": self.repository,
            "action": self.action.map_or("failed", Action::name),
            "tag": self.tag,
            "reason": self.reason,
        });
        if let Some(pull) = &self.pull_request {
            value["number"] = json!(pull.number);
            value["url"] = json!(pull.url);
        }
        if let Some(branch) = &self.branch {
            value["branch"] = json!(branch);
        }
        if let Some(commit) = &self.commit {
            value["commit"] = json!(commit);
        }
        value
    }
}
