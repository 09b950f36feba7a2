//! Facts about what is checked out.

use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice as _;
use gix::commit::describe::SelectRef;
use gix::sec::Trust;

use super::head::head_refs;
use super::reason;
use super::regular::{git_directory, special_file};
use crate::metadata::{Ancestry, CheckoutFacts, DescribeError, NoHead};
use crate::model::{CommitId, text};

/// The most that a `.git` file (`gitdir: …`) may hold.
const LONGEST_GIT_FILE: u64 = 64 * 1024;

/// What is read on request only, as it can take long where there are many tags or branches.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The description of HEAD.
    pub describe: bool,
    /// The names of HEAD; with the branches whose histories are looked into for a commit without one, the likeliest first.
    pub head_refs: Option<Vec<String>>,
}

/// Reads the repository that `context` (the build context) was checked out from, and compares its HEAD with
/// `commit`. That is the workspace's own; where it has none (actions/checkout with `path`), the outermost one on
/// the way to the context. Blocks on file reads.
pub fn gather(workspace: &Path, context: &Path, commit: &CommitId, wanted: &Wanted) -> CheckoutFacts {
    match read(workspace, context, commit, wanted) {
        Ok(facts) => facts,
        Err(Unusable::Absent) => CheckoutFacts::none(commit.clone(), None),
        Err(Unusable::Because(why)) => {
            let warning = format!("the Git repository in the workspace is not used: {why}");
            let none = CheckoutFacts::none(commit.clone(), Some(warning));
            CheckoutFacts { head_refs: Err(NoHead::Unreadable(why)), ..none }
        }
    }
}

/// There is no repository, or none of use.
pub(super) enum Unusable {
    /// None is there.
    Absent,
    /// One is there, but not to be read; says why.
    Because(String),
}

fn read(
    workspace: &Path,
    context: &Path,
    commit: &CommitId,
    wanted: &Wanted,
) -> Result<CheckoutFacts, Unusable> {
    let mut repository = open(workspace, context)?;
    repository.object_cache_size_if_unset(4 * 1024 * 1024);
    let head = repository.head().map_err(|error| because("HEAD", &error))?;
    if head.is_unborn() {
        let mut facts = CheckoutFacts::none(commit.clone(), None);
        facts.describe = Err(DescribeError::NoCommit);
        facts.head_refs = Err(NoHead::NoCommit);
        return Ok(facts);
    }
    let on = head.referent_name().map(|name| name.as_bstr().to_owned());
    let head = repository.head_commit().map_err(|error| because("the commit of HEAD", &error))?;
    let id = CommitId::parse(&head.id.to_string()).map_err(|error| because("the id of HEAD", &error))?;
    let time = head.time().map_err(|error| because("the time of HEAD", &error))?;
    let described =
        if wanted.describe { description(&repository, &head) } else { Err(DescribeError::NotAsked) };
    let head_refs = match &wanted.head_refs {
        Some(branches) => head_refs(&repository, head.id, on.as_ref().map(|on| on.as_bstr()), branches),
        None => Err(NoHead::NotAsked),
    };
    let tagged = matches!(described, Ok((_, true)));
    let parents = head.parent_ids().filter_map(|parent| CommitId::parse(&parent.to_string()).ok()).collect();
    Ok(CheckoutFacts {
        ancestry: ancestry(&repository, head.id, &id, commit),
        head: Some(id),
        parents,
        head_time: Some(time.seconds),
        compared_with: commit.clone(),
        describe: described.map(|(text, _)| text),
        tagged,
        head_refs,
        warning: None,
    })
}

/// The outermost `.git` from the workspace down to the context. A submodule's is inside of its parent's tree.
fn outermost(workspace: &Path, context: &Path) -> Option<PathBuf> {
    let below = context.strip_prefix(workspace).unwrap_or(Path::new(""));
    let mut directories: Vec<&Path> = below.ancestors().collect();
    directories.reverse();
    let dot_gits = directories.into_iter().map(|directory| workspace.join(directory).join(".git"));
    dot_gits.into_iter().find(|dot_git| dot_git.symlink_metadata().is_ok())
}

/// Opens the repository, if it stays inside.
pub(super) fn open(workspace: &Path, context: &Path) -> Result<gix::Repository, Unusable> {
    let Ok(inside) = workspace.canonicalize() else { return Err(Unusable::Absent) };
    let dot_git = outermost(&inside, context).ok_or(Unusable::Absent)?;
    let there = dot_git.metadata().map_err(|error| because("`.git`", &error))?;
    // Anything else (a pipe) could block forever.
    if !(there.is_dir() || there.is_file() && there.len() <= LONGEST_GIT_FILE) {
        return Err(Unusable::Because("`.git` is neither a directory nor a file that names one".into()));
    }
    confine(&inside, &dot_git)?;
    let git = git_directory(&dot_git);
    if let Some(special) = special_file(&git) {
        let name = special.strip_prefix(&inside).unwrap_or(&special).to_string_lossy().into_owned();
        return Err(Unusable::Because(format!("`{}` is not a regular file", text::name(&name))));
    }
    let options = gix::open::Options::isolated().with(Trust::Reduced);
    let repository = gix::ThreadSafeRepository::open_opts(dot_git, options)
        .map_err(|error| because("it", &error))?
        .to_thread_local();
    confine(&inside, repository.git_dir())?;
    confine(&inside, repository.common_dir())?;
    Ok(repository)
}

fn canonical(path: &Path) -> Result<PathBuf, Unusable> {
    path.canonicalize().map_err(|error| because("the directory of the repository", &error))
}

/// Refuses what lies outside of the workspace.
fn confine(workspace: &Path, path: &Path) -> Result<(), Unusable> {
    if canonical(path)?.starts_with(workspace) {
        Ok(())
    } else {
        Err(Unusable::Because("`.git` leads out of the workspace".into()))
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
    // The push of an annotated tag may be known by the tag's own id.
    let Ok(wanted) = repository.find_object(wanted).and_then(gix::Object::peel_to_commit) else {
        return cut();
    };
    let wanted = wanted.id;
    if wanted == head {
        return Ancestry::Same;
    }
    match repository.merge_base(head, wanted) {
        Ok(Some(base)) if base.detach() == wanted => Ancestry::Ancestor,
        Ok(_) => cut(),
        Err(error) => Ancestry::Unknown(format!("the history cannot be read: {}", reason(&error))),
    }
}

/// `git describe --tags --always`, and whether that names a tag of this very commit. In a cut history the bare hash that Git would fall back to is no answer.
fn description(
    repository: &gix::Repository,
    head: &gix::Commit<'_>,
) -> Result<(String, bool), DescribeError> {
    let unreadable = |error: gix::Error| DescribeError::Unreadable(reason(&error));
    let found =
        head.describe().names(SelectRef::AllTags).id_as_fallback(true).try_format().map_err(unreadable)?;
    let Some(found) = found else { return Err(DescribeError::Shallow) };
    if found.name.is_none() && repository.is_shallow().map_err(unreadable)? {
        return Err(DescribeError::Shallow);
    }
    let tagged = found.name.is_some() && found.depth == 0;
    let text = found.to_string();
    Ok((text.as_bytes().to_str_lossy().into_owned(), tagged))
}

fn because(what: &str, error: &(dyn std::error::Error + 'static)) -> Unusable {
    Unusable::Because(format!("{what} cannot be read: {}", reason(error)))
}
