//! Why a path that a build copies is not in its context: left out by an ignore file, or in another directory.
//!
//! For the hint of an error, when the build is over: reads names, so many at most, and never goes through a link.

use std::fs;
use std::path::{Path, PathBuf};

use super::ignore::{PatternList, parse_dockerignore};

/// Entries that are looked at.
const MOST: usize = 20_000;
/// Directories below the top that are searched.
const DEPTH: usize = 6;
/// Bytes of an ignore file that are read.
const LONGEST: u64 = 1024 * 1024;

/// Why a path is not in the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It is there, and this line of this ignore file leaves it out.
    Ignored {
        /// The file.
        file: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What stands there.
        pattern: String,
    },
    /// There is something below this directory that has the whole path, or else its last name.
    Elsewhere {
        /// What there is.
        found: PathBuf,
        /// The directory from which it has the path that was asked for, where it has.
        from: Option<PathBuf>,
    },
}

/// Looks for `path`, which is missing from the context: an ignore file may leave it out, or it is elsewhere below `top`. Nothing
/// where neither is so. The first ignore file that exists is the one that counts.
pub fn absence(context: &Path, ignore_files: &[PathBuf], top: &Path, path: &str) -> Option<Absence> {
    let path = path.trim_start_matches('/');
    if path.split('/').any(|part| part == "..") {
        return None;
    }
    if fs::symlink_metadata(context.join(path)).is_ok() {
        return ignored(ignore_files, path);
    }
    let name = path.rsplit('/').next().filter(|name| !name.is_empty())?;
    let found = search(top, name, path);
    let from = found.as_ref().and_then(|found| prefix(found, path));
    found.map(|found| Absence::Elsewhere { from, found })
}

fn ignored(files: &[PathBuf], path: &str) -> Option<Absence> {
    let file = files.iter().find(|file| fs::symlink_metadata(file).is_ok_and(|it| it.is_file()))?;
    if fs::metadata(file).ok()?.len() > LONGEST {
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    let all = PatternList::new(&parse_dockerignore(&text)).ok()?;
    if !all.matches(path).ok()? {
        return None;
    }
    // The last line that covers it, as what stands above is not enough without it.
    let covers = |line: &&str| {
        let one = PatternList::new(&parse_dockerignore(line)).ok();
        one.is_some_and(|one| !one.has_negated() && one.matches(path) == Ok(true))
    };
    let (at, line) = text.lines().enumerate().filter(|(_, line)| covers(line)).last()?;
    Some(Absence::Ignored { file: file.clone(), line: at + 1, pattern: line.trim().to_owned() })
}

/// The least deep of what has the path below some directory; else of what has its last name.
fn search(top: &Path, name: &str, path: &str) -> Option<PathBuf> {
    let (mut named, mut seen) = (None, 0);
    let mut level = vec![top.to_owned()];
    for _ in 0..=DEPTH {
        let mut below = Vec::new();
        for directory in level {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                seen += 1;
                if seen > MOST {
                    return named;
                }
                if *entry.file_name() == *name {
                    if entry.path().ends_with(path) {
                        return Some(entry.path());
                    }
                    named = named.or_else(|| Some(entry.path()));
                }
                let is_directory = entry.file_type().is_ok_and(|it| it.is_dir());
                if is_directory && entry.file_name() != ".git" && entry.file_name() != "node_modules" {
                    below.push(entry.path());
                }
            }
        }
        below.sort();
        level = below;
    }
    named
}

/// The directory from which `found` is called `path`.
fn prefix(found: &Path, path: &str) -> Option<PathBuf> {
    let parts = Path::new(path).components().count();
    found.ends_with(path).then(|| found.ancestors().nth(parts).map(Path::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_is() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for file in
            ["app/src/main.c", "services/api/package.json", "services/api/src/x.c", "node_modules/only/there"]
        {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "").unwrap();
        }
        let elsewhere = |context: &str, path: &str| match absence(&root.join(context), &[], root, path)? {
            Absence::Elsewhere { found, from } => {
                let below = |path: PathBuf| path.strip_prefix(root).unwrap().display().to_string();
                Some((below(found), from.map(below)))
            }
            Absence::Ignored { .. } => None,
        };
        let at = |found: &str, from: Option<&str>| Some((found.to_owned(), from.map(ToOwned::to_owned)));
        for (context, path, expected) in [
            ("", "package.json", at("services/api/package.json", Some("services/api"))),
            ("", "src/x.c", at("services/api/src/x.c", Some("services/api"))),
            ("services/api", "app", at("app", Some(""))),
            ("", "lib/x.c", at("services/api/src/x.c", None)),
            ("", "there", None),
            ("", "nothing", None),
            ("app", "src", None),
            ("app", "/src", None),
            ("app", "../services", None),
        ] {
            assert_eq!(elsewhere(context, path), expected, "{path}");
        }
    }

    #[test]
    fn which_line_leaves_it_out() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir_all(root.join("dist")).unwrap();
        fs::write(root.join("dist/a.js"), "").unwrap();
        let own = root.join("Dockerfile.dockerignore");
        let common = root.join(".dockerignore");
        let files = [own.clone(), common.clone()];
        fs::write(&common, "# built\n*.md\n\n dist \n!dist/b.js\n").unwrap();
        let line = |path: &str| absence(root, &files, root, path);
        let expected = |file: &Path, line, pattern: &str| {
            Some(Absence::Ignored { file: file.to_owned(), line, pattern: pattern.to_owned() })
        };
        assert_eq!(line("dist/a.js"), expected(&common, 4, "dist"));
        assert_eq!(line("dist"), expected(&common, 4, "dist"));
        fs::write(&own, "**/*.js\n").unwrap();
        assert_eq!(line("dist/a.js"), expected(&own, 1, "**/*.js"));
        fs::write(&own, "[\n").unwrap();
        assert_eq!(line("dist/a.js"), None);
    }
}
