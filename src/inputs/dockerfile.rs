//! The Dockerfile: a file of the workspace, or a path in a context that BuildKit fetches by itself.
//!
//! On disk it is judged as every file that an input names ([`super::files`]), and so are the ignore files beside it, which
//! BuildKit opens as they are. The Dockerfile of a remote context is a name only: nobody here has seen the file.

use std::fs;
use std::path::{Path, PathBuf};

use super::fault::{InputFault, Notice, shown};
use super::files::{Found, lexical, localised, look, missing_hint, outside, relative};
use super::nearest::Wanted;
use crate::runner::context::Paths;

/// What the input `dockerfile` means when it is empty.
const DEFAULT: &str = "Dockerfile";

/// Where the Dockerfile is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// The directory that holds it, canonical, inside the workspace; none when it comes with a remote context.
    pub directory: Option<PathBuf>,
    /// Its file name; its path in a remote context.
    pub file_name: String,
    /// From the workspace, with `/`: what annotations and messages say.
    pub in_workspace: String,
}

/// Finds the Dockerfile that the text names: tried from the workspace, then from the context. A link counts as the file it leads
/// to. With it comes a warning when both exist.
pub(super) fn on_disk(
    text: &str,
    workspace: &Path,
    context: &Path,
    paths: &Paths,
) -> Result<(Dockerfile, Option<Notice>), InputFault> {
    let text = if text.is_empty() { DEFAULT } else { text };
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
            let message = format!("`{}` is not a regular file", relative(&ignore_file, workspace));
            return Err(
                InputFault::new("dockerfile", message).hint("the build would wait for its content for ever")
            );
        }
    }
    let in_workspace = file.strip_prefix(workspace).ok().and_then(Path::to_str);
    let parts = (file.parent(), file.file_name().and_then(|name| name.to_str()), in_workspace);
    let (Some(directory), Some(file_name), Some(in_workspace)) = parts else {
        let message = format!("`{}` has a name that is not UTF-8", relative(file, workspace));
        return Err(InputFault::new("dockerfile", message));
    };
    let dockerfile = Dockerfile {
        directory: Some(directory.to_owned()),
        file_name: file_name.to_owned(),
        in_workspace: in_workspace.to_owned(),
    };
    Ok((dockerfile, notice))
}

/// Whether the workspace has something of this name, whatever it is.
pub(super) fn is_in(workspace: &Path, text: &str, paths: &Paths) -> bool {
    let text = if text.is_empty() { DEFAULT } else { text };
    !matches!(look(&workspace.join(localised(text, paths).as_ref()), &[workspace]), Found::Missing)
}

/// The fault of a Dockerfile that is in neither of two places: the most telling of what was found there.
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
            Found::Special => return fault(format!("`{text}` is not a regular file")),
            Found::Unreadable(error) => return fault(format!("`{text}` cannot be read: {error}")),
            Found::Missing | Found::File(_) => {}
        }
    }
    let mut tried: Vec<PathBuf> =
        places.iter().filter(|place| meant(place)).map(|place| lexical(place)).collect();
    tried.dedup();
    let names: Vec<String> = tried.iter().map(|place| format!("`{}`", relative(place, workspace))).collect();
    fault(format!("`{text}` does not exist; tried {} in the workspace", names.join(" and ")))
        .hinted(missing_hint(workspace, &tried, Wanted::File))
}

/// Reads the name of a Dockerfile that comes with a remote context: a path in that context.
pub(super) fn in_remote_context(text: &str) -> Result<Dockerfile, InputFault> {
    let text = if text.is_empty() { DEFAULT } else { text };
    let fault = |message: &str| {
        InputFault::new("dockerfile", format!("`{}` {message}", shown(text)))
            .hint("with a URL as `context` it is a path in that context")
    };
    if text.starts_with('/') {
        return Err(fault("is an absolute path"));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(fault("leads out of the context"));
    }
    if parts.is_empty() {
        return Err(fault("names no file"));
    }
    let path = parts.join("/");
    Ok(Dockerfile { directory: None, file_name: path.clone(), in_workspace: path })
}

#[cfg(test)]
#[path = "dockerfile_tests.rs"]
mod tests;
