//! What an image is of: what is checked out, what is fetched in its place, or what one that is there already says.
//!
//! Pure: the checkout was read, and GitHub and the registry were asked, before.

use super::remote::{ContextCommit, Sources, fetched, sources};
use super::trigger::triggering_commit;
use super::{CheckoutFacts, GivenImage, Origin};
use crate::model::{CommitId, ContextSource, text};
use crate::runner::context::RunnerContext;

/// What the image is of.
pub(super) struct Sourced {
    /// What is checked out, or stands in its place.
    pub checkout: CheckoutFacts,
    /// The commit, if it is known.
    pub built: Option<CommitId>,
    /// That is one of this repository: the order of images goes by those.
    pub own: bool,
    /// It is what is checked out.
    pub as_checked_out: bool,
    /// Whose sources it is built from.
    pub origin: Origin,
    /// Why an image that is there already has no commit tag, if it has none.
    pub no_commit: Option<String>,
    /// What a person should know of that.
    pub warnings: Vec<String>,
}

impl Sourced {
    /// By what is asked for: an image that is there already, a context that is fetched, or what is checked out.
    pub(super) fn of(
        context: &RunnerContext,
        workspace: &CheckoutFacts,
        (asked, given): (&ContextSource, Option<&GivenImage>),
        told: Option<&Result<ContextCommit, String>>,
        pull_request_head: Option<&CommitId>,
    ) -> Self {
        if let Some(given) = given {
            return Self {
                checkout: given.facts(workspace, context, pull_request_head),
                built: given.commit.clone(),
                own: given.own_commit().is_some(),
                as_checked_out: false,
                origin: Origin::Own,
                no_commit: given.no_commit(),
                warnings: Vec::new(),
            };
        }
        let ContextSource::Remote(url) = asked else {
            let checked_out = || triggering_commit(context).clone();
            return Self {
                built: Some(workspace.head.clone().unwrap_or_else(checked_out)),
                own: true,
                as_checked_out: true,
                origin: Origin::Own,
                no_commit: None,
                warnings: workspace.warning.clone().into_iter().collect(),
                checkout: workspace.clone(),
            };
        };
        let remote = sources(url, context, told);
        let checkout = fetched(&remote, workspace, context, told.and_then(|told| told.as_ref().ok()));
        let built = remote.commit().cloned();
        let own = matches!(remote, Sources::Own(_));
        let warnings = unknown_commit(&remote, told).into_iter().chain(checkout.warning.clone()).collect();
        let as_checked_out = own && built == workspace.head;
        let origin = match remote {
            Sources::Other { page, .. } => Origin::Other(page),
            Sources::Own(_) | Sources::OwnRef(_) => Origin::Own,
        };
        Self { checkout, built, own, as_checked_out, origin, no_commit: None, warnings }
    }
}

/// What is said of a context whose commit is not known.
fn unknown_commit(remote: &Sources, told: Option<&Result<ContextCommit, String>>) -> Option<String> {
    match (remote, told) {
        (Sources::OwnRef(why), _) => Some(format!(
            "there is no commit tag and no revision label: which commit `context` names is known only when it is fetched: {why} (`#${{{{ github.sha }}}}` names the commit)"
        )),
        (Sources::Other { commit: None, .. }, Some(Err(why))) => Some(format!(
            "there is no revision label: which commit `context` names is known only when it is fetched: {}",
            text::line(why)
        )),
        _ => None,
    }
}
