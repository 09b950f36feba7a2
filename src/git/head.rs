//! What HEAD is called: the ref that it is on, or those that are at its commit.
//!
//! Obeys where actions/checkout puts what it fetches: branches below `refs/remotes/origin`, Git tags below `refs/tags`, a pull
//! request as `refs/remotes/pull/N/merge`. Of other remotes, the first part of the name is the remote. A ref that cannot be
//! read is no name.

use gix::bstr::{BStr, ByteSlice as _};

use super::reason;
use crate::metadata::{FetchedPull, HeadRefs, NoHead, RefsAtHead};
use crate::model::GitRef;

/// The names of HEAD, which is this commit and on the ref `on`, if it is on one. `branches`: those whose histories are looked
/// into, in this order, where nothing has the commit.
pub(super) fn head_refs(
    repository: &gix::Repository,
    head: gix::ObjectId,
    on: Option<&BStr>,
    branches: &[String],
) -> Result<HeadRefs, NoHead> {
    match on {
        Some(on) => Ok(HeadRefs::On(GitRef::parse(&on.to_str_lossy()))),
        None => detached(repository, head, branches)
            .map(HeadRefs::Detached)
            .map_err(|error| NoHead::Unreadable(reason(&error))),
    }
}

fn detached(
    repository: &gix::Repository,
    head: gix::ObjectId,
    branches: &[String],
) -> Result<RefsAtHead, gix::Error> {
    let mut at = RefsAtHead::default();
    // Tips of the branches that are asked about.
    let mut tips: Vec<(String, gix::ObjectId)> = Vec::new();
    let refs = repository.references()?;
    for (name, id) in commits(refs.tags()?.peeled()?, "refs/tags/") {
        if id == head {
            at.tags.push(name);
        }
    }
    for (name, id) in commits(refs.remote_branches()?.peeled()?, "refs/remotes/") {
        let fetched = fetched_pull(&name);
        let branch = name.split_once('/').map(|(_, branch)| branch).filter(|branch| *branch != "HEAD");
        match (fetched, branch) {
            (Some(fetched), _) if id == head => at.pull_requests.push(fetched),
            (Some(_), _) | (_, None) => {}
            (None, Some(branch)) if id == head => at.branches.push(branch.to_owned()),
            (None, Some(branch)) => tips.push((branch.to_owned(), id)),
        }
    }
    for (name, id) in commits(refs.local_branches()?.peeled()?, "refs/heads/") {
        if id == head { at.branches.push(name) } else { tips.push((name, id)) }
    }
    at.tags.sort();
    at.pull_requests.sort();
    at.branches.sort();
    at.branches.dedup();
    if at == RefsAtHead::default() {
        let has_head =
            |tip| repository.merge_base(head, tip).is_ok_and(|base| base.is_some_and(|base| base == head));
        let holds = |name: &&String| tips.iter().any(|(known, tip)| known == *name && has_head(*tip));
        at.in_history_of = branches.iter().find(holds).cloned();
    }
    Ok(at)
}

/// The names of refs without what all of them begin with, and their commits.
fn commits(
    refs: gix::reference::iter::Iter<'_, '_>,
    prefix: &'static str,
) -> impl Iterator<Item = (String, gix::ObjectId)> {
    refs.flatten().filter_map(move |found| {
        let name = found.name().as_bstr().strip_prefix(prefix.as_bytes())?.to_str_lossy().into_owned();
        Some((name, found.try_id()?.detach()))
    })
}

/// `pull/5/merge`, `pull/5/head`.
fn fetched_pull(name: &str) -> Option<FetchedPull> {
    let (number, kind) = name.strip_prefix("pull/")?.split_once('/')?;
    let merge = match kind {
        "merge" => true,
        "head" => false,
        _ => return None,
    };
    Some(FetchedPull { number: number.parse().ok()?, merge })
}
