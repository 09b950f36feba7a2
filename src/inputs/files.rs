//! Names of files and directories, held against the file system: the context, and what is common to all files that an input
//! names.
//!
//! Everything stays inside the workspace: links are followed first, then the place is judged. A name that
//! leads out, by `..`, by an absolute path or by a link, is refused even if the file is there; and so is a link into
//! a Git directory, where a checkout leaves its token.

use std::borrow::Cow;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::fault::{InputFault, shown};
use super::nearest::{self, Wanted};
use crate::runner::context::Paths;

/// The workspace's directory, without links in its name.
pub(super) fn workspace(paths: &Paths) -> Result<PathBuf, InputFault> {
    fs::canonicalize(&paths.workspace).map_err(|error| {
        let message = format!("the workspace `{}` cannot be read: {error}", paths.workspace.display());
        InputFault::new("context", message)
    })
}

/// The directory inside the workspace that `context` or `build_contexts` names, without links in its name.
pub(super) fn context(
    input: &str,
    text: &str,
    workspace: &Path,
    paths: &Paths,
) -> Result<PathBuf, InputFault> {
    let fault = |message: String| InputFault::new(input, message);
    let text = if text.is_empty() { "." } else { text };
    match look(&workspace.join(localised(text, paths).as_ref()), &[workspace]) {
        Found::Directory(directory) => Ok(directory),
        Found::File(_) | Found::Special => Err(fault(format!("`{}` is not a directory", shown(text)))),
        Found::Outside(target) => Err(outside(input, text, target.as_deref(), paths)),
        Found::Missing => {
            let fault = fault(format!("`{}` is not in the workspace", shown(text)));
            let path = lexical(&workspace.join(localised(text, paths).as_ref()));
            Err(fault.hinted(missing_hint(workspace, &[path], Wanted::Directory)))
        }
        Found::Unreadable(error) => Err(fault(format!("`{}` cannot be read: {error}", shown(text)))),
    }
}

/// What to change where none of these paths, which are all meant, names anything.
pub(super) fn missing_hint(workspace: &Path, paths: &[PathBuf], wanted: Wanted) -> Option<String> {
    if fs::read_dir(workspace).is_ok_and(|mut entries| entries.next().is_none()) {
        return Some("the workspace is empty: is there an `actions/checkout` step before this one?".into());
    }
    paths.iter().find_map(|path| nearest::hint(workspace, path, wanted))
}

/// The fault of a path that leads out of the workspace, by a link to `target` if there is one.
pub(super) fn outside(input: &str, text: &str, target: Option<&Path>, paths: &Paths) -> InputFault {
    let text = shown(text);
    match target {
        Some(target) => misled(input, &text, "the workspace", target, paths),
        None => InputFault::new(input, format!("`{text}` leads out of the workspace"))
            .hint("only files of the checkout can be built"),
    }
}

/// The fault of a path that a link takes to where nobody wrote: out of `area`, or into a Git directory.
pub(super) fn misled(input: &str, text: &str, area: &str, target: &Path, paths: &Paths) -> InputFault {
    let place = familiar(target, paths);
    if in_git_directory(target) {
        let message = format!("`{text}` leads by a link into a Git directory, to `{place}`");
        return InputFault::new(input, message).hint("what is in there may be the checkout's credentials");
    }
    InputFault::new(input, format!("`{text}` leads out of {area} by a link, to `{place}`"))
        .hint("a committed link must not choose what is read: name the file itself, if it is meant")
}

/// What a person calls a place that has no links in its name: from the workspace or from `${{ runner.temp }}`, if it is in one
/// of them.
fn familiar(place: &Path, paths: &Paths) -> String {
    let below = |root: &Path| {
        let rest = place.strip_prefix(fs::canonicalize(root).ok()?).ok()?;
        root.parent().is_some().then(|| rest.to_owned())
    };
    let place = match (below(&paths.temp), below(&paths.workspace)) {
        (Some(rest), _) => Path::new("${{ runner.temp }}").join(rest),
        (None, Some(rest)) => Path::new(".").join(rest),
        (None, None) => place.to_owned(),
    };
    // Without the slash that a join with nothing leaves, and the `.` before a name.
    let place: PathBuf = place.components().collect();
    let place = place.strip_prefix(".").ok().filter(|rest| *rest != Path::new("")).unwrap_or(&place);
    shown(&place.to_string_lossy())
}

/// What is at a path, links followed.
pub(super) enum Found {
    File(PathBuf),
    Directory(PathBuf),
    /// A device, a fifo, a socket: never opened.
    Special,
    /// Not where it may be. With the place when the path was written inside and a link led there.
    Outside(Option<PathBuf>),
    Missing,
    Unreadable(std::io::Error),
}

/// Finds out what is at a path that has to be in one of these directories, which have no links in their names.
pub(super) fn look<P: AsRef<Path>>(path: &Path, roots: &[P]) -> Found {
    let inside = |path: &Path| roots.iter().any(|root| path.starts_with(root));
    let written = lexical(path);
    match fs::canonicalize(path) {
        Ok(real) if !inside(&real) || in_git_directory(&real) && !in_git_directory(&written) => {
            Found::Outside(inside(&written).then_some(real))
        }
        Ok(real) => match fs::metadata(&real) {
            Ok(metadata) if metadata.is_dir() => Found::Directory(real),
            Ok(metadata) if metadata.is_file() => Found::File(real),
            Ok(_) => Found::Special,
            Err(error) => Found::Unreadable(error),
        },
        // What is outside is not told apart from what does not exist there.
        Err(_) if !inside(&written) => Found::Outside(None),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            match link_target(&written) {
                Some(target) if !inside(&target) => Found::Outside(Some(target)),
                _ => Found::Missing,
            }
        }
        Err(error) => Found::Unreadable(error),
    }
}

/// Where the first link on the way to a path leads, with the rest of the path: a place that need not exist, as many do not that
/// are on the runner's machine and not in this container.
fn link_target(path: &Path) -> Option<PathBuf> {
    let mut ancestors: Vec<&Path> = path.ancestors().collect();
    ancestors.reverse();
    let link = ancestors.into_iter().find(|one| one.is_symlink())?;
    let target = link.parent()?.join(fs::read_link(link).ok()?);
    Some(lexical(&target.join(path.strip_prefix(link).ok()?)))
}

/// Whether a path names a Git directory or something in one.
fn in_git_directory(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == ".git")
}

/// The path without `.` and `..`, which are taken at their word: no link is followed.
pub(super) fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

/// What this container calls a path that the workflow wrote as the runner's host knows it; any other path as it is.
pub(super) fn localised<'a>(text: &'a str, paths: &Paths) -> Cow<'a, Path> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Cow::Borrowed(path);
    }
    paths.from_host(&lexical(path)).map_or(Cow::Borrowed(path), Cow::Owned)
}

/// What a person calls a path: its name from the workspace, `.` for the workspace itself.
pub(super) fn relative(path: &Path, workspace: &Path) -> String {
    match path.strip_prefix(workspace) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".into(),
        Ok(rest) => shown(&rest.to_string_lossy()),
        Err(_) => shown(&path.to_string_lossy()),
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
