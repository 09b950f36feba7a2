//! The commit that a Git context's ref is at, asked of GitHub before anything is decided: tags and labels are to say what is
//! built, and the builder is told to build it.
//!
//! Only this server is asked, whose token we have. What it does not say is no error: the context is built as it was asked
//! for, and a warning says what is not known.

use std::time::Duration;

use crate::engine::run::Run;
use crate::github::{GitHub, GitHubError};
use crate::metadata::{
    Ancestry, CheckoutFacts, ContextCommit, ContextRef, ref_to_look_up, triggering_commit,
};
use crate::model::{CommitId, Relation, chain};

/// For all that is asked.
const LONGEST: Duration = Duration::from_secs(15);

/// What the context's ref is, or why nobody knows; none if it names no ref that GitHub could tell. A commit that is checked
/// out is known here.
pub(super) async fn found(run: &Run<'_>, checkout: &CheckoutFacts) -> Option<Result<ContextCommit, String>> {
    let Run { process, asked, context, keyring, .. } = *run;
    let wanted = match ref_to_look_up(context, &asked.context)? {
        Ok(wanted) => wanted,
        Err(why) => return Some(Err(why)),
    };
    let github = match GitHub::new(&context.api_url, keyring.token(), &process.network()) {
        Ok(github) => github,
        Err(error) => return Some(Err(error.to_string())),
    };
    let expected = triggering_commit(context);
    let asking = look_up(&github, &wanted, expected, checkout.head.as_ref());
    Some(match tokio::time::timeout(LONGEST, asking).await {
        Ok(Ok(Some(found))) => Ok(found),
        Ok(Ok(None)) => Err(format!("{} has no such branch, Git tag or ref", wanted.repository)),
        Ok(Err(error)) => Err(chain(&error)),
        Err(_) => Err(format!("GitHub's API took longer than {} s", LONGEST.as_secs())),
    })
}

async fn look_up(
    github: &GitHub,
    wanted: &ContextRef,
    expected: &CommitId,
    here: Option<&CommitId>,
) -> Result<Option<ContextCommit>, GitHubError> {
    let repository = &wanted.repository;
    let Some((name, commit)) = first(github, wanted).await? else { return Ok(None) };
    let on_branch = name.starts_with("heads/")
        || name.starts_with("tags/") && is_on_default_branch(github, repository, &commit).await;
    let mut found =
        ContextCommit { on_branch, parents: Vec::new(), time: None, ancestry: Ancestry::Same, commit };
    if here == Some(&found.commit) && wanted.own {
        return Ok(Some(found));
    }
    // Worth a warning nowhere: what is not known is left out.
    let details = github.commit(repository, &found.commit).await.unwrap_or_default();
    (found.parents, found.time) = (details.parents, details.time);
    if wanted.own && found.commit != *expected {
        found.ancestry = match github.relation(repository, expected, &found.commit).await {
            Ok(Relation::Same | Relation::Ahead) => Ancestry::Ancestor,
            Ok(Relation::Behind | Relation::Diverged | Relation::NotAhead) => Ancestry::NotAncestor,
            Ok(Relation::Unknown(why)) => Ancestry::Unknown(why),
            Err(error) => Ancestry::Unknown(chain(&error)),
        };
    }
    Ok(Some(found))
}

/// Whether the default branch has this commit, as that of a release's tag as a rule. Where that is not known, the ref is
/// fetched, and not the commit.
async fn is_on_default_branch(github: &GitHub, repository: &str, commit: &CommitId) -> bool {
    match github.default_branch(repository).await {
        Ok(branch) => github.is_on_branch(repository, &branch, commit).await.unwrap_or(false),
        Err(_) => false,
    }
}

/// The first of the meanings that exists.
async fn first(github: &GitHub, wanted: &ContextRef) -> Result<Option<(String, CommitId)>, GitHubError> {
    let repository = &wanted.repository;
    let mut names = wanted.names.clone();
    if names.is_empty() {
        names.push(format!("heads/{}", github.default_branch(repository).await?));
    }
    for name in names {
        if let Some(commit) = github.commit_of(repository, &name).await? {
            return Ok(Some((name, commit)));
        }
    }
    Ok(None)
}
