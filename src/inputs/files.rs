//! The context and the Dockerfile on disk: the only inputs that are looked at in the file system.
//!
//! Everything stays inside the workspace: links are followed first, then the place is judged. A name that
//! leads out, by `..`, by an absolute path or by a link, is refused even if the file is there; and so is a link into
//! a Git directory, where a checkout leaves its token.

use std::borrow::Cow;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::config::Dockerfile;
use super::fault::{InputFault, Notice, shown};
use crate::runner::context::Paths;

const DEFAULT_DOCKERFILE: &str = "Dockerfile";

/// The workspace without links in its name.
pub(super) fn workspace(paths: &Paths) -> Result<PathBuf, InputFault> {
    fs::canonicalize(&paths.workspace).map_err(|error| {
        let message = format!("the workspace `{}` cannot be read: {error}", paths.workspace.display());
        InputFault::new("context", message)
    })
}

/// The directory that `context` or `build_contexts` names, without links, inside the workspace.
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
        Found::File(_) | Found::Special => Err(fault(format!("`{}` is no directory", shown(text)))),
        Found::Outside(target) => Err(outside(input, text, target.as_deref(), paths)),
        Found::Missing => {
            let fault = fault(format!("`{}` is not in the workspace", shown(text)));
            Err(if is_empty(workspace) { fault.hint(CHECK_OUT) } else { fault })
        }
        Found::Unreadable(error) => Err(fault(format!("`{}` cannot be read: {error}", shown(text)))),
    }
}

/// The Dockerfile: tried from the workspace, then from the context. A link counts as the file it leads to.
pub(super) fn dockerfile(
    text: &str,
    workspace: &Path,
    context: &Path,
    paths: &Paths,
) -> Result<(Dockerfile, Option<Notice>), InputFault> {
    let text = if text.is_empty() { DEFAULT_DOCKERFILE } else { text };
    let name = localised(text, paths);
    let places = [workspace.join(name.as_ref()), context.join(name.as_ref())];
    let found = places.each_ref().map(|place| look(place, &[workspace]));
    let [in_workspace, in_context] = &found;
    let (file, notice) = match (in_workspace, in_context) {
        (Found::File(file), Found::File(other)) if file != other => {
            let notice = format!(
                "`dockerfile`: both `{}` and `{}` exist; the first, from the workspace, is used",
                relative(file, workspace),
                relative(other, workspace)
            );
            (file, Some(Notice::warning(notice)))
        }
        (Found::File(file), _) | (_, Found::File(file)) => (file, None),
        _ => return Err(no_dockerfile(text, &found, &places, workspace, paths)),
    };
    fs::File::open(file).map_err(|error| {
        InputFault::new("dockerfile", format!("`{}` cannot be read: {error}", relative(file, workspace)))
    })?;
    let mut own_ignore_file = file.clone().into_os_string();
    own_ignore_file.push(".dockerignore");
    for ignore_file in [PathBuf::from(own_ignore_file), context.join(".dockerignore")] {
        // BuildKit reads it without a look, and would wait for ever.
        if matches!(look(&ignore_file, &[workspace]), Found::Special) {
            let message = format!("`{}` is no regular file", relative(&ignore_file, workspace));
            return Err(
                InputFault::new("dockerfile", message).hint("the build would wait for its content for ever")
            );
        }
    }
    let in_workspace = file.strip_prefix(workspace).ok().and_then(Path::to_str);
    let parts = (file.parent(), file.file_name().and_then(|name| name.to_str()), in_workspace);
    let (Some(directory), Some(file_name), Some(in_workspace)) = parts else {
        let message = format!("`{}` has a name that is no UTF-8", relative(file, workspace));
        return Err(InputFault::new("dockerfile", message));
    };
    let dockerfile = Dockerfile {
        directory: Some(directory.to_owned()),
        file_name: file_name.to_owned(),
        in_workspace: in_workspace.to_owned(),
    };
    Ok((dockerfile, notice))
}

pub(super) const CHECK_OUT: &str =
    "the workspace is empty: is there an `actions/checkout` step before this one?";

/// The most telling of what was found in the places where no Dockerfile is.
fn no_dockerfile(
    text: &str,
    found: &[Found; 2],
    places: &[PathBuf; 2],
    workspace: &Path,
    paths: &Paths,
) -> InputFault {
    let fault = |message: String| InputFault::new("dockerfile", message);
    let text = shown(text);
    // `../api/Dockerfile` leads out of the workspace but not out of it from the context: only the latter is meant.
    let meant = |place: &PathBuf| lexical(place).starts_with(workspace);
    let one_is_meant = places.iter().any(meant);
    for (found, place) in found.iter().zip(places) {
        match found {
            Found::Outside(_) if one_is_meant && !meant(place) => {}
            Found::Outside(target) => return outside("dockerfile", &text, target.as_deref(), paths),
            Found::Directory(_) => return fault(format!("`{text}` is a directory, not a file")),
            Found::Special => return fault(format!("`{text}` is no regular file")),
            Found::Unreadable(error) => return fault(format!("`{text}` cannot be read: {error}")),
            Found::Missing | Found::File(_) => {}
        }
    }
    let mut tried: Vec<String> = places
        .iter()
        .filter(|place| meant(place))
        .map(|place| format!("`{}`", relative(&lexical(place), workspace)))
        .collect();
    tried.dedup();
    let tried = tried.join(" and ");
    let fault = fault(format!("`{text}` does not exist; tried {tried} in the workspace"));
    if is_empty(workspace) { fault.hint(CHECK_OUT) } else { fault }
}

fn outside(input: &str, text: &str, target: Option<&Path>, paths: &Paths) -> InputFault {
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

/// What a person calls a place without links in its name.
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

/// What is at a path.
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

/// What is at a path, when that is in one of these directories, which have no links in their names.
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
            Found::Missing
        }
        Err(error) => Found::Unreadable(error),
    }
}

/// Whether a path names a Git directory or something in one.
fn in_git_directory(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == ".git")
}

/// The path with `.` and `..` taken at their word.
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

/// The container's name of a path that the workflow wrote as the runner's host knows it.
pub(super) fn localised<'a>(text: &'a str, paths: &Paths) -> Cow<'a, Path> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Cow::Borrowed(path);
    }
    paths.from_host(&lexical(path)).map_or(Cow::Borrowed(path), Cow::Owned)
}

/// What a person calls it: from the workspace, `.` for itself.
fn relative(path: &Path, workspace: &Path) -> String {
    match path.strip_prefix(workspace) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".into(),
        Ok(rest) => shown(&rest.to_string_lossy()),
        Err(_) => shown(&path.to_string_lossy()),
    }
}

pub(super) fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
