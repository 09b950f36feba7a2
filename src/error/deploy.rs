//! Why an environment was not told of an image.

use crate::github::{GitHubError, InvalidAppKey};
use crate::kustomize::{EditError, NoKustomization};
use crate::model::{GithubRepository, text};
use crate::plan::deploy::DeployTrouble;

/// Why an environment was not told of an image.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// There is nothing to prove with that this run may write there.
    #[error("there is no login for `{repository}`: {}", no_login(*.app_without_key))]
    NoLogin {
        /// The repository.
        repository: GithubRepository,
        /// An App is named, without its key.
        app_without_key: bool,
    },
    /// The App's key is none.
    #[error(transparent)]
    AppKey(#[from] InvalidAppKey),
    /// GitHub refused, or gave no answer.
    #[error("{source}")]
    GitHub {
        /// The repository.
        repository: GithubRepository,
        /// What was shown to GitHub.
        login: LoginKind,
        /// What it said.
        #[source]
        source: Box<GitHubError>,
    },
    /// Nothing can be written there.
    #[error("the repository `{0}` is archived, so that nothing can be written to it")]
    Archived(GithubRepository),
    /// It has another name now.
    #[error("the repository `{asked}` is called `{}` now", text::name(.now))]
    Renamed {
        /// As it was asked for.
        asked: GithubRepository,
        /// As GitHub has it.
        now: String,
    },
    /// There is nothing in it.
    #[error("the repository `{0}` is empty")]
    Empty(GithubRepository),
    /// The branch is not there.
    #[error("`{repository}` has no branch `{}`", text::name(.branch))]
    NoBranch {
        /// The repository.
        repository: GithubRepository,
        /// Its name.
        branch: String,
    },
    /// Nothing that can be read is at a path.
    #[error("`{}` in `{repository}` on branch `{}` cannot be read: {why}", text::value(.path), text::name(.branch))]
    NoFile {
        /// The repository.
        repository: GithubRepository,
        /// The branch.
        branch: String,
        /// The path.
        path: String,
        /// Why not.
        why: String,
    },
    /// A directory without one kustomization.
    #[error(transparent)]
    NoKustomization(#[from] NoKustomization),
    /// A file that the image cannot be set in.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// It went on changing.
    #[error(transparent)]
    Trouble(DeployTrouble),
}

/// What was shown to GitHub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginKind {
    /// `deploy_token`.
    Token,
    /// A token of the App's installation.
    App,
    /// The job's own token.
    Job,
}

impl DeployError {
    /// What to change, when that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoLogin { .. } => Some(
                "give `deploy_token`, or `deploy_app_id` with `deploy_app_key`; the job's own token writes to the run's own \
                 repository only"
                    .into(),
            ),
            Self::AppKey(_) => Some("give the whole PEM file that GitHub made for the App".into()),
            Self::GitHub { repository, login, source } => github(repository, *login, source),
            Self::Archived(_) => Some("take its entry out of `deploy`, or unarchive it".into()),
            Self::Renamed { .. } => Some("write its new name in `deploy`".into()),
            Self::Empty(_) => Some("commit the file that says the image first".into()),
            Self::NoBranch { .. } => Some("check `branch`; without it the default branch is meant".into()),
            Self::NoFile { .. } => Some("check `path`: it is written from the repository's top".into()),
            Self::NoKustomization(_) => Some("name the file itself in `path`".into()),
            Self::Edit(error) | Self::Trouble(DeployTrouble::Edit(error)) => error.hint().map(Into::into),
            Self::Trouble(DeployTrouble::Contended) => Some("run the job again".into()),
            Self::Trouble(DeployTrouble::NoFiles) => None,
        }
    }
}

fn no_login(app_without_key: bool) -> &'static str {
    if app_without_key {
        "`deploy_app_key` is empty"
    } else {
        "neither `deploy_token` nor `deploy_app_id` is given"
    }
}

/// What to change where GitHub says no.
fn github(repository: &GithubRepository, login: LoginKind, error: &GitHubError) -> Option<String> {
    let (status, kind, message, accepts) = match error {
        GitHubError::Refused { pause: Some(pause), .. } | GitHubError::GraphQl { pause: Some(pause), .. } => {
            return Some(format!(
                "GitHub takes requests again in {} s: run the job again then",
                pause.as_secs()
            ));
        }
        GitHubError::Refused { status, message, accepts, .. } => {
            (*status, "", message.as_str(), accepts.as_deref())
        }
        GitHubError::GraphQl { kind, message, about_pulls, .. } => {
            let accepts = about_pulls.then_some("pull_requests: write");
            (0, kind.as_deref().unwrap_or_default(), message.as_str(), accepts)
        }
        GitHubError::Address(_) | GitHubError::Transport { .. } | GitHubError::Timeout { .. } => return None,
    };
    if message.contains("archived") {
        return Some("take its entry out of `deploy`, or unarchive it".into());
    }
    if message.contains("clean status") {
        return Some(
            "it waits for nothing: require a check or a review on the branch, or leave `auto_merge` out"
                .into(),
        );
    }
    if message.contains("Auto merge is not allowed") {
        return Some("allow auto-merge in the settings of the repository, or leave `auto_merge` out".into());
    }
    if message.contains("GitHub Actions is not permitted to create") {
        return Some(
            "let workflows open pull requests (settings of the repository, \"Actions\", \"General\"), or give `deploy_token`"
                .into(),
        );
    }
    if kind == "BRANCH_PROTECTION_RULE_VIOLATION" || message.contains("through a pull request") {
        return Some("the branch takes no direct commits: leave `direct_commit` out".into());
    }
    let needs = accepts.unwrap_or("contents: write and pull_requests: write");
    match (status, kind) {
        (401, _) => Some(match login {
            LoginKind::Token => "the token in `deploy_token` is wrong, or has ended".into(),
            LoginKind::App => "check that `deploy_app_id` and `deploy_app_key` are of one App".into(),
            LoginKind::Job => "the job's token has ended".into(),
        }),
        (403, _) | (_, "FORBIDDEN" | "INSUFFICIENT_SCOPES") => Some(match login {
            LoginKind::Token => format!(
                "the token in `deploy_token` lacks a permission in `{repository}`: {needs} (of a classic token: the scope `repo`)"
            ),
            LoginKind::App => format!("the App lacks a permission in `{repository}`: {needs}"),
            LoginKind::Job => format!("the job lacks a permission: {needs} (`permissions:` in the workflow)"),
        }),
        (404, _) | (_, "NOT_FOUND") => Some(match login {
            LoginKind::Token => format!(
                "GitHub says the same of what is not there and of what the token in `deploy_token` does not see: check \
                 the name, and that the token has access to `{repository}` (contents: write, pull_requests: write)"
            ),
            LoginKind::App => format!("check the name, and that the App is installed for `{repository}`"),
            LoginKind::Job => "check the name".into(),
        }),
        (422, _) if login == LoginKind::App && message.contains("permissions requested") => Some(format!(
            "the App's installation needs the permissions contents: write and pull_requests: write in `{repository}`"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, message: &str, accepts: Option<&str>) -> GitHubError {
        GitHubError::Refused {
            api_url: "https://api.github.com".into(),
            what: "a branch of acme/infra".into(),
            status,
            message: message.into(),
            pause: None,
            accepts: accepts.map(Into::into),
        }
    }

    fn hint(login: LoginKind, source: GitHubError) -> String {
        let repository = GithubRepository::parse("acme/infra").unwrap();
        DeployError::GitHub { repository, login, source: Box::new(source) }.hint().unwrap_or_default()
    }

    #[test]
    fn a_refusal_names_the_permission_that_is_missing() {
        let denied = || refused(403, "Resource not accessible by integration", Some("contents: write"));
        for (login, error, expected) in [
            (
                LoginKind::Token,
                denied(),
                "the token in `deploy_token` lacks a permission in `acme/infra`: contents: write",
            ),
            (LoginKind::App, denied(), "the App lacks a permission in `acme/infra`: contents: write"),
            (LoginKind::Job, denied(), "the job lacks a permission: contents: write"),
            (LoginKind::Token, refused(401, "Bad credentials", None), "wrong, or has ended"),
            (LoginKind::Token, refused(404, "Not Found", None), "the token has access to `acme/infra`"),
            (LoginKind::App, refused(404, "Not Found", None), "the App is installed for `acme/infra`"),
            (LoginKind::Token, refused(403, "Repository was archived so is read-only.", None), "unarchive"),
            (
                LoginKind::Job,
                refused(403, "GitHub Actions is not permitted to create or approve pull requests.", None),
                "let workflows open pull requests",
            ),
        ] {
            let hint = hint(login, error);
            assert!(hint.contains(expected), "{hint}");
        }
        let protected = GitHubError::GraphQl {
            api_url: String::new(),
            what: String::new(),
            kind: Some("BRANCH_PROTECTION_RULE_VIOLATION".into()),
            message: "Changes must be made through a pull request.".into(),
            pause: None,
            about_pulls: false,
        };
        assert!(hint(LoginKind::Token, protected).contains("leave `direct_commit` out"));
    }
}
