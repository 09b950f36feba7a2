//! A context that is larger than anyone would want: what was sent of it, by directory.
//!
//! Counted are the files whose content a builder asked for, as they are sent: what an ignore file leaves out, what no step copies
//! and what the builder has already costs nothing, and is nobody's trouble. There is no walk for it, and one number
//! for each directory at the top, however large the tree is.
//!
//! From [`BYTES`] or [`FILES`] on it is worth a word. The sources of a service are some megabytes in a few thousand files; what
//! makes a context larger than this is nearly always what tools have put beside them: one `node_modules` has 200 MB and
//! 20,000 to 50,000 files, a `target` gigabytes, the `.git` of a repository of some years 100 MB. On a fresh runner all of that is read, sent,
//! hashed and written again in every run.

use std::collections::HashMap;

use super::path_text::text_of;

/// Bytes that no context of sources alone has.
pub const BYTES: u64 = 100_000_000;
/// Files of the same kind.
pub const FILES: u64 = 20_000;
/// Directories that are told.
const SHOWN: usize = 3;
/// Places that are counted apart; what comes after them is counted in the whole only.
const PLACES: usize = 4096;
/// A file at the top that is large enough to be counted as a place of its own.
const LARGE_FILE: u64 = 1_000_000;

/// Directories that tools fill, wherever they stand: an image that needs one makes it itself. `dist` and `build` are not among
/// them, as people build outside and copy those.
const MADE_BY_TOOLS: &[&str] = &[
    ".cache",
    ".git",
    ".gradle",
    ".hg",
    ".mypy_cache",
    ".next",
    ".nuxt",
    ".parcel-cache",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".terraform",
    ".tox",
    ".turbo",
    ".venv",
    "__pycache__",
    "bower_components",
    "node_modules",
    "target",
    "venv",
];

/// Bytes and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Bytes of content.
    pub bytes: u64,
    /// Files.
    pub files: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.files += 1;
    }
}

/// A part of a context that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// A directory at the top; or one that a tool has made, by its name, with `**/` where it is not only at the top, as a line
    /// of `.dockerignore` has it.
    pub name: String,
    /// What was sent of it.
    pub amount: Amount,
    /// It is one that an image seldom needs.
    pub made_by_tool: bool,
}

/// What was sent of a context that is too large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeContext {
    /// All of it.
    pub all: Amount,
    /// The largest parts, largest first.
    pub parts: Vec<Part>,
}

/// Counts what is sent.
#[derive(Debug, Default)]
pub struct Sent {
    all: Amount,
    places: Vec<Place>,
    by_key: HashMap<Box<[u8]>, usize>,
    /// The directory of the file before, and where that was counted: files mostly come directory by directory.
    last: (Vec<u8>, Option<usize>),
}

#[derive(Debug)]
struct Place {
    key: Box<[u8]>,
    made_by_tool: bool,
    /// It was found below the top.
    deep: bool,
    amount: Amount,
}

impl Sent {
    /// A file was sent: its path within the context, and its size.
    pub fn add(&mut self, path: &[u8], bytes: u64) {
        self.all.add(bytes);
        let directory = path.iter().rposition(|byte| *byte == b'/').map_or(&path[..0], |at| &path[..at]);
        let place = if directory.is_empty() {
            if bytes < LARGE_FILE {
                return;
            }
            self.place(path, false, false)
        } else if self.last.0 == directory {
            self.last.1
        } else {
            let (key, made_by_tool, deep) = key(directory);
            let place = self.place(key, made_by_tool, deep);
            self.last.0.clear();
            self.last.0.extend_from_slice(directory);
            self.last.1 = place;
            place
        };
        if let Some(place) = place.and_then(|at| self.places.get_mut(at)) {
            place.amount.add(bytes);
        }
    }

    fn place(&mut self, key: &[u8], made_by_tool: bool, deep: bool) -> Option<usize> {
        if let Some(at) = self.by_key.get(key) {
            self.places[*at].deep |= deep;
            return Some(*at);
        }
        if self.places.len() >= PLACES {
            return None;
        }
        self.places.push(Place { key: key.into(), made_by_tool, deep, amount: Amount::default() });
        self.by_key.insert(key.into(), self.places.len() - 1);
        Some(self.places.len() - 1)
    }

    /// What there is to say, if it was too much.
    pub fn too_large(&self) -> Option<LargeContext> {
        if self.all.bytes <= BYTES && self.all.files <= FILES {
            return None;
        }
        let mut places: Vec<&Place> = self.places.iter().collect();
        // By what makes it too large; the name, so that two runs say the same.
        let many = self.all.bytes <= BYTES;
        let size = |place: &Place| if many { place.amount.files } else { place.amount.bytes };
        places.sort_by(|a, b| size(b).cmp(&size(a)).then_with(|| a.key.cmp(&b.key)));
        let parts = places.into_iter().take(SHOWN).map(|place| Part {
            name: format!("{}{}", if place.deep { "**/" } else { "" }, text_of(&place.key)),
            amount: place.amount,
            made_by_tool: place.made_by_tool,
        });
        Some(LargeContext { all: self.all, parts: parts.collect() })
    }
}

/// What a directory is counted as: the first of its elements that a tool has made, else its first; whether it is made by a
/// tool, and is not at the top.
fn key(directory: &[u8]) -> (&[u8], bool, bool) {
    let mut elements = directory.split(|byte| *byte == b'/').enumerate();
    let top = directory.split(|byte| *byte == b'/').next().unwrap_or_default();
    let made = elements.find(|(_, element)| MADE_BY_TOOLS.iter().any(|name| name.as_bytes() == *element));
    made.map_or((top, false, false), |(depth, element)| (element, true, depth > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &[(&str, u64, usize)]) -> Option<Vec<(String, u64, u64, bool)>> {
        let mut sent = Sent::default();
        for (path, bytes, count) in files {
            for at in 0..*count {
                sent.add(path.replace('#', &at.to_string()).as_bytes(), *bytes);
            }
        }
        let part = |part: Part| (part.name, part.amount.bytes, part.amount.files, part.made_by_tool);
        sent.too_large().map(|large| large.parts.into_iter().map(part).collect())
    }

    #[test]
    fn what_is_usual_is_not_told() {
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("src/#", 1000, 20_000)]), None);
        assert_eq!(told(&[("model.bin", BYTES, 1)]), None);
    }

    #[test]
    fn the_largest_parts() {
        let name = |name: &str, bytes, files, made| (name.to_owned(), bytes, files, made);
        assert_eq!(
            told(&[
                ("src/a#.rs", 1000, 100),
                ("target/debug/deps/#", 1_000_000, 200),
                ("node_modules/left-pad/#", 10_000, 300),
                (".git/objects/#", 100_000, 50),
                ("assets/#", 1_000_000, 4),
            ])
            .unwrap(),
            [
                name("target", 200_000_000, 200, true),
                name(".git", 5_000_000, 50, true),
                name("assets", 4_000_000, 4, false),
            ]
        );
        // Many small ones: the number counts.
        assert_eq!(
            told(&[("src/a", 5_000_000, 1), ("docs/#", 1, 7), ("web/node_modules/x/#/y", 10, 20_000)])
                .unwrap(),
            [
                name("**/node_modules", 200_000, 20_000, true),
                name("docs", 7, 7, false),
                name("src", 5_000_000, 1, false),
            ]
        );
        // All places of one name are one part, and a line for those below the top is one for those at the top.
        assert_eq!(
            told(&[
                ("node_modules/#", 60_000_000, 1),
                ("a/node_modules/#", 60_000_000, 1),
                ("dump.sql", 2_000_000, 1),
                ("README.md", 1000, 1),
            ])
            .unwrap(),
            [name("**/node_modules", 120_000_000, 2, true), name("dump.sql", 2_000_000, 1, false)]
        );
    }

    #[test]
    fn memory_does_not_grow_with_the_tree() {
        let mut sent = Sent::default();
        for at in 0..100_000 {
            sent.add(format!("{at}/a/b/c/file").as_bytes(), 10);
        }
        assert_eq!((sent.places.len(), sent.by_key.len(), sent.all.files), (PLACES, PLACES, 100_000));
        assert_eq!(sent.too_large().unwrap().parts.len(), 3);
    }
}
