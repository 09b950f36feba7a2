//! Facts about what is checked out.

use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice as _;
use gix::commit::describe::SelectRef;
use gix::sec::Trust;

use crate::metadata::{Ancestry, CheckoutFacts, DescribeError, printable};
use crate::model::CommitId;

/// The most that a `.git` file (`gitdir: …`) may hold.
const LONGEST_GIT_FILE: u64 = 64 * 1024;

/// The most that is told of a failure, in characters: it can hold what was read.
const LONGEST_REASON: usize = 400;

/// Reads the repository whose work tree is the workspace, and compares its HEAD with `commit`. Describing can
/// take long in a repository with many tags, so it is done on request only. Blocks on file reads.
pub fn gather(workspace: &Path, commit: &CommitId, describe: bool) -> CheckoutFacts {
    match read(workspace, commit, describe) {
        Ok(facts) => facts,
        Err(None) => CheckoutFacts::none(commit.clone(), None),
        Err(Some(why)) => {
            let warning = format!("the Git repository in the workspace is not used: {why}");
            CheckoutFacts::none(commit.clone(), Some(warning))
        }
    }
}

/// `Err(None)` when there is no repository, `Err(why)` when there is one of no use.
fn read(workspace: &Path, commit: &CommitId, describe: bool) -> Result<CheckoutFacts, Option<String>> {
    let mut repository = open(workspace)?;
    repository.object_cache_size_if_unset(4 * 1024 * 1024);
    let head = repository.head().map_err(|error| unreadable("HEAD", &error))?;
    if head.is_unborn() {
        let mut facts = CheckoutFacts::none(commit.clone(), None);
        facts.describe = Err(DescribeError::NoCommit);
        return Ok(facts);
    }
    let head = repository.head_commit().map_err(|error| unreadable("the commit of HEAD", &error))?;
    let id = CommitId::parse(&head.id.to_string()).map_err(|error| Some(error.to_string()))?;
    let time = head.time().map_err(|error| unreadable("the time of HEAD", &error))?;
    let describe = if describe { description(&repository, &head) } else { Err(DescribeError::NotAsked) };
    Ok(CheckoutFacts {
        ancestry: ancestry(&repository, head.id, &id, commit),
        head: Some(id),
        head_time: Some(time.seconds),
        compared_with: commit.clone(),
        describe,
        warning: None,
    })
}

/// Opens `<workspace>/.git`, if it stays inside.
fn open(workspace: &Path) -> Result<gix::Repository, Option<String>> {
    let dot_git = workspace.join(".git");
    let there = match dot_git.metadata() {
        Ok(there) => there,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(None),
        Err(error) => return Err(Some(format!("`.git` cannot be read: {error}"))),
    };
    // Anything else (a pipe) could block forever.
    if !there.is_dir() && !(there.is_file() && there.len() <= LONGEST_GIT_FILE) {
        return Err(Some("`.git` is neither a directory nor a file that names one".into()));
    }
    let inside = canonical(workspace)?;
    confine(&inside, &dot_git)?;
    let options = gix::open::Options::isolated().with(Trust::Reduced);
    let repository = gix::ThreadSafeRepository::open_opts(dot_git, options)
        .map_err(|error| unreadable("it", &error))?
        .to_thread_local();
    confine(&inside, repository.git_dir())?;
    confine(&inside, repository.common_dir())?;
    Ok(repository)
}

fn canonical(path: &Path) -> Result<PathBuf, Option<String>> {
    path.canonicalize().map_err(|error| Some(format!("`{}` cannot be read: {error}", path.display())))
}

/// Refuses what lies outside of the workspace.
fn confine(workspace: &Path, path: &Path) -> Result<(), Option<String>> {
    if canonical(path)?.starts_with(workspace) {
        Ok(())
    } else {
        Err(Some("`.git` leads out of the workspace".into()))
    }
}

/// Whether HEAD descends from the commit.
fn ancestry(repository: &gix::Repository, head: gix::ObjectId, id: &CommitId, commit: &CommitId) -> Ancestry {
    if id == commit {
        return Ancestry::Same;
    }
    let cut = || {
        if repository.is_shallow().unwrap_or(true) {
            Ancestry::Unknown("the checkout is shallow; give actions/checkout `fetch-depth: 0`".into())
        } else {
            Ancestry::NotAncestor
        }
    };
    let Ok(wanted) = gix::ObjectId::from_hex(commit.as_str().as_bytes()) else { return cut() };
    if !repository.has_object(wanted) {
        return cut();
    }
    match repository.merge_base(head, wanted) {
        Ok(Some(base)) if base.detach() == wanted => Ancestry::Ancestor,
        Ok(_) => cut(),
        Err(error) => Ancestry::Unknown(format!("the history cannot be read: {}", chain(&error))),
    }
}

/// `git describe --tags --always`. In a cut history the bare hash that Git would fall back to is no answer.
fn description(repository: &gix::Repository, head: &gix::Commit<'_>) -> Result<String, DescribeError> {
    let unreadable = |error: gix::Error| DescribeError::Unreadable(chain(&error));
    let found =
        head.describe().names(SelectRef::AllTags).id_as_fallback(true).try_format().map_err(unreadable)?;
    let Some(found) = found else { return Err(DescribeError::Shallow) };
    if found.name.is_none() && repository.is_shallow().map_err(unreadable)? {
        return Err(DescribeError::Shallow);
    }
    let text = found.to_string();
    Ok(text.as_bytes().to_str_lossy().into_owned())
}

fn unreadable(what: &str, error: &gix::Error) -> Option<String> {
    Some(format!("{what} cannot be read: {}", chain(error)))
}

/// The error and its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    printable(&text).chars().take(LONGEST_REASON).collect()
}
