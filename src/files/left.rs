//! What a run that was killed has left of a file or a directory on its way: removed by the next run that makes the same one, before
//! it could become a part of a build context. What somebody is at stays (`for_now`).

use std::path::Path;

use super::directory::{names, remove_all};
use super::for_now::{around, is_left, is_name};

/// Removes what is left of earlier runs on their way to this file or directory; the names that it had.
pub fn remove_left(place: &Path, is_directory: bool) -> Vec<String> {
    let (Some(name), Some(above)) = (place.file_name(), place.parent()) else { return Vec::new() };
    // A directory that was not there when it was begun may be there now.
    let inside = Some(place).filter(|place| is_directory && place.is_dir());
    let mut removed = Vec::new();
    for directory in [Some(above), inside].into_iter().flatten() {
        let Ok(directory) = around(directory) else { continue };
        let found = names(&directory).unwrap_or_default();
        let left = found.iter().filter(|found| is_name(found, name) && is_left(&directory, found));
        let gone = left.filter(|left| remove_all(&directory, left, 0).is_ok());
        removed.extend(gone.map(|name| name.to_string_lossy().into_owned()));
    }
    removed
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;
    use crate::files::{NewDirectory, NewFile, names_in};

    #[test]
    fn what_is_held_stays_and_what_is_left_goes() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = ("a".repeat(32), "b".repeat(32));
        for (place, is_directory) in [("api.tar", false), ("new/api.tar", false), ("dist", true)] {
            let path = root.path().join(place);
            let name = path.file_name().unwrap().to_str().unwrap();
            let left = format!(".{name}.{b}.partial");
            if is_directory {
                let held = NewDirectory::begin(&path, &a).unwrap();
                fs::create_dir_all(root.path().join(&left).join("deep")).unwrap();
                fs::write(root.path().join(&left).join("deep/file"), "x").unwrap();
                assert_eq!(remove_left(&path, true), [left]);
                held.directory(b"there", 0o755).unwrap();
            } else {
                let mut held = NewFile::begin(&path, &a).unwrap();
                fs::write(root.path().join(&left), "x").unwrap();
                assert_eq!(remove_left(&path, false), [left]);
                held.write_all(b"there").unwrap();
            }
            assert_eq!(names_in(root.path()), Vec::<String>::new(), "{place}");
        }
    }

    #[test]
    fn what_is_not_ours_stays() {
        let root = tempfile::tempdir().unwrap();
        let id = "c".repeat(32);
        let others = [
            "api.tar".to_owned(),
            ".api.tar.partial".to_owned(),
            ".api.tar.mine.partial".to_owned(),
            format!(".other.tar.{id}.partial"),
            format!(".api.tar.{id}.part"),
        ];
        for name in &others {
            fs::write(root.path().join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("api.tar", root.path().join(format!(".api.tar.{id}.partial"))).unwrap();
        let before = names_in(root.path());
        assert_eq!(remove_left(&root.path().join("api.tar"), false), Vec::<String>::new());
        assert_eq!(names_in(root.path()), before);
        assert_eq!(remove_left(&root.path().join("nowhere/deep/x.tar"), false), Vec::<String>::new());
    }
}
