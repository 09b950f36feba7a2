//! Which paths a build really needs when it names some that are links: fsutil's followed paths.
//!
//! BuildKit's frontend sends the sources of `COPY` so that nothing else is transferred. Where one is a symbolic link, or lies below
//! one, its target is needed too. Links are read as if the context were the root of the file system, so none leads out of it. As in
//! fsutil, wildcards are expanded only to find links; what they match otherwise is left to the filter.

use std::collections::{BTreeSet, HashSet};

use rustix::io::Errno;

use super::error::WalkError;
use super::glob;
use super::root::{Listing, Root};
use super::slash_path::{base, clean, parent, within_root};

/// The given paths and everything that links among them lead to, sorted, without those below another; nothing when one of them
/// is the whole context.
pub fn follow(root: &Root, paths: &[String]) -> Result<Option<Vec<String>>, WalkError> {
    let mut resolver = Resolver { root, resolved: BTreeSet::new(), seen: HashSet::new() };
    for path in paths {
        resolver.resolve(within_root(path))?;
    }
    Ok(without_nested(resolver.resolved))
}

/// Drops paths that lie below the one before; nothing when one is the root itself. Expects sorted input to be complete.
pub fn without_nested(paths: impl IntoIterator<Item = String>) -> Option<Vec<String>> {
    let mut kept: Vec<String> = Vec::new();
    for path in paths {
        if path == "." {
            return None;
        }
        let nested = kept
            .last()
            .is_some_and(|last| path.strip_prefix(last.as_str()).is_some_and(|rest| rest.starts_with('/')));
        if !nested {
            kept.push(path);
        }
    }
    Some(kept)
}

/// Links followed for one path before it counts as a loop; the kernel stops at 40.
const MOST_LINKS: usize = 255;

struct Resolver<'a> {
    root: &'a Root,
    resolved: BTreeSet<String>,
    /// Whole paths that were looked at, so that a loop ends. (fsutil remembers links instead, and so forgets the second of two
    /// sources below the same link.)
    seen: HashSet<String>,
}

impl Resolver<'_> {
    /// Follows one path. A work list instead of recursion: a chain of links may be as long as the context has links.
    fn resolve(&mut self, path: String) -> Result<(), WalkError> {
        let mut pending = vec![path];
        let mut followed = 0;
        while let Some(path) = pending.pop() {
            if followed > MOST_LINKS || !self.seen.insert(path.clone()) {
                continue;
            }
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            for end in ends {
                let (current, below) = path.split_at(end);
                let targets = self.links_at(current)?;
                if !targets.is_empty() {
                    pending.extend(targets.iter().map(|target| within_root(&format!("{target}/{below}"))));
                    followed += 1;
                }
                if !targets.is_empty() || below.is_empty() {
                    self.resolved.insert(current.to_owned());
                    break;
                }
            }
        }
        Ok(())
    }

    /// The targets of the link at this path, or of all links that its last element matches, relative to the context.
    fn links_at(&self, path: &str) -> Result<Vec<String>, WalkError> {
        if !glob::has_wildcard(base(path)) {
            return Ok(self.link_at(path)?.into_iter().collect());
        }
        let directory = match self.root.open_directory(parent(path)) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Vec::new()),
            Err(fault) => return Err(WalkError::unreadable(parent(path), fault)),
        };
        let listing = Listing::read(&directory, &mut Vec::new())
            .map_err(|fault| WalkError::unreadable(parent(path), fault))?;
        let mut targets = Vec::new();
        for name in listing.names().filter_map(|name| std::str::from_utf8(name).ok()) {
            if glob::matches(base(path), name) == Ok(true) {
                targets.extend(self.link_at(&clean(&format!("{}/{name}", parent(path))))?);
            }
        }
        Ok(targets)
    }

    /// The target of the link at this path, relative to the context; nothing when there is no link.
    fn link_at(&self, path: &str) -> Result<Option<String>, WalkError> {
        let target = self.root.read_link(path).map_err(|fault| WalkError::unreadable(path, fault))?;
        let Some(target) = target else { return Ok(None) };
        let target = String::from_utf8(target).map_err(|_| WalkError::link_not_utf8(path))?;
        Ok(Some(if target.starts_with('/') {
            within_root(&target)
        } else {
            within_root(&format!("{}/{}", parent(path), target))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Creates `name`, `name/` or `name -> target` for each line.
    fn tree(lines: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for line in lines {
            match line.split_once(" -> ") {
                Some((name, target)) => symlink(target, dir.path().join(name)).unwrap(),
                None if line.ends_with('/') => fs::create_dir_all(dir.path().join(line)).unwrap(),
                None => fs::write(dir.path().join(line), "").unwrap(),
            }
        }
        dir
    }

    /// Tree, followed paths, what is needed.
    type Case<'a> = (&'a [&'a str], &'a [&'a str], Option<&'a [&'a str]>);

    #[test]
    fn links_lead_to_their_targets_inside() {
        let simple = ["dir/", "dir/foo", "dir/l1 -> foo", "l2 -> dir/l1", "bar"];
        let absolute = ["dir/", "dir/l1 -> /foo/bar/baz", "foo/", "foo/bar -> ../", "baz"];
        let escaping = ["dir/", "dir/l1 -> /foo/bar/baz", "foo/", "foo/bar -> ../../../", "baz"];
        let loops = ["l1 -> l1", "l2 -> l3", "l3 -> l2", "grow -> grow/x"];
        let wild = [
            "dir/",
            "foo/",
            "dir/l1 -> /foo/bar1",
            "dir/l2 -> /foo/bar2",
            "dir/other -> /foo/bar3",
            "foo/bar2 -> ../baz",
            "foo/bar1",
            "baz",
        ];
        let to_root = ["dir/", "dir/l1 -> /foo", "dir/l2 -> /", "foo/", "foo/bar"];
        let below = ["real/", "real/sub/", "real/sub/f", "ln -> real"];
        let cases: &[Case<'_>] = &[
            (&simple, &["l2", "bar"], Some(&["bar", "dir/foo", "dir/l1", "l2"])),
            (&absolute, &["dir/l1"], Some(&["baz", "dir/l1", "foo/bar"])),
            (&escaping, &["dir/l1"], Some(&["baz", "dir/l1", "foo/bar"])),
            (&loops, &["l1", "l3", "grow"], Some(&["grow", "l1", "l2", "l3"])),
            (&wild, &["dir/l*"], Some(&["baz", "dir/l*", "foo/bar1", "foo/bar2"])),
            (&wild, &["nowhere/f*/t*", "a/b", "a"], Some(&["a", "nowhere/f*/t*"])),
            (&to_root, &["dir/l1", "foo/bar"], Some(&["dir/l1", "foo"])),
            (&to_root, &["dir/l2", "foo"], None),
            (&below, &["ln/sub/f"], Some(&["ln", "real/sub/f"])),
            (&below, &["ln/sub/f", "ln/sub/g"], Some(&["ln", "real/sub/f", "real/sub/g"])),
            (&below, &["."], None),
            (&below, &["../../etc/passwd"], Some(&["etc/passwd"])),
            (&below, &[], Some(&[])),
        ];
        for (lines, paths, expected) in cases {
            let dir = tree(lines);
            let paths: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
            let found = follow(&Root::open(dir.path()).unwrap(), &paths).unwrap();
            let expected =
                expected.map(|paths| paths.iter().map(|&path| path.to_owned()).collect::<Vec<_>>());
            assert_eq!(found, expected, "{lines:?} {paths:?}");
        }
    }
}
