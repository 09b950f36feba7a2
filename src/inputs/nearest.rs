//! The path that was meant by one that does not exist: misspelt, or in another directory.
//!
//! Looks at names alone, at so many of them at most, and never through a link.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::fault::shown;
use super::names::distance;
use crate::model::sort_by_key;

/// Entries that are looked at in one search.
const MOST: usize = 5_000;
/// Bytes of a name that may be misspelt.
const LONGEST: usize = 64;
/// Directories below the workspace that are searched.
const DEPTH: usize = 4;

/// What a path should name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    File,
    Directory,
}

/// A hint for a path below the root that names nothing: what it may have been meant to name.
pub(super) fn hint(root: &Path, path: &Path, wanted: Wanted) -> Option<String> {
    let path = path.strip_prefix(root).ok()?;
    let relative = |path: &Path| shown(&path.strip_prefix(root).unwrap_or(path).to_string_lossy());
    if let Some(near) = spelt_right(root, path, wanted) {
        return Some(format!("did you mean `{}`?", relative(&near)));
    }
    let found = elsewhere(root, path, wanted);
    match found.as_slice() {
        [] => None,
        [one] => Some(format!("it is at `{}`", relative(one))),
        [first, .., last] => Some(format!("there are `{}` and `{}`", relative(first), relative(last))),
    }
}

/// The path with each part that does not exist replaced by the name beside it that is nearest.
fn spelt_right(root: &Path, path: &Path, wanted: Wanted) -> Option<PathBuf> {
    let mut right = root.to_owned();
    let mut left = path.components().count();
    for part in path.components() {
        let Component::Normal(name) = part else { return None };
        left -= 1;
        let wanted = if left == 0 { wanted } else { Wanted::Directory };
        let as_written = right.join(name);
        right = if is(&as_written, wanted) { as_written } else { nearest(&right, name.to_str()?, wanted)? };
    }
    Some(right)
}

fn nearest(directory: &Path, name: &str, wanted: Wanted) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?.take(MOST).flatten();
    let near = entries.filter_map(|entry| {
        let known =
            entry.file_name().into_string().ok().filter(|known| known.len().max(name.len()) <= LONGEST)?;
        let distance = distance(&name.to_lowercase(), &known.to_lowercase());
        (distance <= 1 + known.len() / 5 && is(&entry.path(), wanted)).then_some((distance, known))
    });
    near.min().map(|(_, known)| directory.join(known))
}

/// What has the same name in another directory, the least deep first; at most a few.
fn elsewhere(root: &Path, path: &Path, wanted: Wanted) -> Vec<PathBuf> {
    let Some(name) = path.file_name() else { return Vec::new() };
    let (mut found, mut seen) = (Vec::new(), 0);
    let mut level = vec![root.to_owned()];
    for _ in 0..DEPTH {
        let mut below = Vec::new();
        for directory in level {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                seen += 1;
                if seen > MOST {
                    return found;
                }
                if entry.file_name() == name && is(&entry.path(), wanted) {
                    found.push(entry.path());
                }
                let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                if !hidden && entry.file_name() != "node_modules" && is(&entry.path(), Wanted::Directory) {
                    below.push(entry.path());
                }
            }
        }
        below.sort();
        level = below;
    }
    sort_by_key(&mut found, |path| (path.components().count(), path.clone()));
    found.truncate(2);
    found
}

fn is(path: &Path, wanted: Wanted) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| match wanted {
        Wanted::File => it.is_file(),
        Wanted::Directory => it.is_dir(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for directory in ["services/api", "services/web", "node_modules/x", ".git"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for file in [
            "services/api/Dockerfile",
            "services/api/main.go",
            "node_modules/x/odd",
            ".git/config",
            "Makefile",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        fs::write(root.join("services/web/Dockerfile.prod"), "").unwrap();
        for (path, wanted, expected) in [
            ("Dockerfile", Wanted::File, Some("it is at `services/api/Dockerfile`")),
            ("servces/api/dockerfile", Wanted::File, Some("did you mean `services/api/Dockerfile`?")),
            ("service/ap", Wanted::Directory, Some("did you mean `services/api`?")),
            ("api", Wanted::Directory, Some("it is at `services/api`")),
            ("makefile", Wanted::File, Some("did you mean `Makefile`?")),
            ("odd", Wanted::File, None),
            ("config", Wanted::File, None),
            ("quite/another/thing", Wanted::File, None),
            ("../Dockerfile", Wanted::File, Some("it is at `services/api/Dockerfile`")),
        ] {
            assert_eq!(hint(root, &root.join(path), wanted).as_deref(), expected, "{path}");
        }
        fs::write(root.join("services/web/Dockerfile"), "").unwrap();
        assert_eq!(
            hint(root, &root.join("Dockerfile"), Wanted::File).unwrap(),
            "there are `services/api/Dockerfile` and `services/web/Dockerfile`"
        );
        assert_eq!(hint(root, Path::new("/elsewhere"), Wanted::File), None);
    }
}
