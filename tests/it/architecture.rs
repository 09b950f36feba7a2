//! The direction of dependencies, as the crate docs draw it: read from the `use crate::` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rooms, and what each uses besides itself: exactly this.
const USES: &[(&str, &[&str])] = &[
    ("buildkit", &["context", "files", "model", "net", "plan", "progress"]),
    ("context", &["model"]),
    ("docker", &["files", "model", "plan"]),
    (
        "engine",
        &[
            "buildkit",
            "context",
            "docker",
            "error",
            "files",
            "git",
            "github",
            "inputs",
            "kustomize",
            "login",
            "metadata",
            "model",
            "net",
            "plan",
            "progress",
            "registry",
            "runner",
        ],
    ),
    ("error", &["github", "kustomize", "model", "plan"]),
    ("files", &["context", "model"]),
    ("git", &["metadata", "model"]),
    ("github", &["model", "net"]),
    ("inputs", &["kustomize", "model", "rules", "runner"]),
    ("kustomize", &["model"]),
    ("login", &["model", "net", "registry"]),
    ("metadata", &["inputs", "model", "rules", "runner"]),
    ("net", &["model"]),
    ("plan", &["inputs", "kustomize", "metadata", "model", "rules", "runner"]),
    ("progress", &["model", "runner"]),
    ("registry", &["model", "net"]),
    ("rules", &["model"]),
    ("runner", &["model"]),
];

/// What the unit tests of a room use besides.
const USED_BY_TESTS: &[(&str, &[&str])] = &[("buildkit", &["inputs"]), ("inputs", &["metadata"])];

/// Rooms that do no input or output: these crates must not appear in them.
const PURE: &[&str] = &["kustomize", "model", "metadata", "plan", "progress", "rules"];
const EFFECTS: &[&str] =
    &["tokio", "hyper", "bollard", "tonic", "octocrab", "TcpStream", "std::fs", "SystemTime"];

/// Crates that stop at the door of one room.
const DOORS: &[(&str, &[&str])] = &[
    ("bollard::", &["docker"]),
    ("bollard_buildkit_proto", &["buildkit", "context"]),
    ("tonic", &["buildkit"]),
    ("octocrab", &["github"]),
    ("gix", &["git"]),
    ("envy", &["inputs"]),
];

/// Test modules in files of their own.
fn is_test(path: &Path) -> bool {
    let in_tests = path.parent().is_some_and(|parent| parent.ends_with("tests"));
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    in_tests
        || stem == "tests"
        || stem == "fixture"
        || stem.ends_with("_tests")
        || stem.ends_with("_tests_support")
}

/// A file of a room.
struct Source {
    path: PathBuf,
    /// Its code without comments.
    code: Vec<String>,
    /// The code of its tests.
    tests: Vec<String>,
}

/// Lines without comments; what is used is one line, however long.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        match lines.last_mut() {
            Some(before) if open => {
                let blank = if before.ends_with('{') { "" } else { " " };
                before.push_str(blank);
                before.push_str(line);
            }
            _ => lines.push(line.to_owned()),
        }
        let begins = line.starts_with("use ") || line.starts_with("pub") && line.contains(" use ");
        open = (open || begins) && !line.ends_with(';');
    }
    lines
}

fn sources(directory: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let (code, tests) = match text.split_once("#[cfg(test)]\nmod tests {") {
                _ if is_test(&path) => (Vec::new(), lines(&text)),
                Some((code, tests)) => (lines(code), lines(tests)),
                None => (lines(&text), Vec::new()),
            };
            found.push(Source { path, code, tests });
        }
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file of a room.
fn rooms() -> BTreeMap<String, Vec<Source>> {
    let mut files = Vec::new();
    sources(&src(), &mut files);
    let mut rooms: BTreeMap<String, Vec<Source>> = BTreeMap::new();
    for file in files {
        let relative = file.path.strip_prefix(src()).unwrap();
        if let Some(room) = relative.parent().and_then(|parent| parent.iter().next()) {
            rooms.entry(room.to_string_lossy().into_owned()).or_default().push(file);
        }
    }
    assert!(rooms.len() >= 12, "found the rooms {:?}", rooms.keys());
    rooms
}

/// The names that follow this path in a line, also within braces: `a` and `b` of `crate::{a, b::c}`.
fn named<'a>(line: &'a str, path: &str) -> Vec<&'a str> {
    let name =
        |text: &'a str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let mut names = Vec::new();
    for (at, found) in line.match_indices(path) {
        let rest = &line[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(several) => names.extend(several.split(", ").map(name)),
            None => names.push(name(rest)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Other rooms that these lines name, each once.
fn used<'a>(room: &str, lines: impl Iterator<Item = &'a String>) -> BTreeSet<&'a str> {
    let rooms = rooms_by_name();
    let all = lines.flat_map(|line| named(line, "crate::"));
    all.filter(|name| *name != room && rooms.contains(*name)).collect()
}

/// `error` is a file, and a room as any.
fn rooms_by_name() -> BTreeSet<String> {
    rooms().into_keys().chain(["error".to_owned()]).collect()
}

/// A table with one line for each room, as the constants above are written.
fn table(all: &BTreeMap<String, Vec<String>>) -> String {
    let line = |(room, names): (&String, &Vec<String>)| {
        let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        format!("    (\"{room}\", &[{}]),\n", names.join(", "))
    };
    all.iter().filter(|(_, names)| !names.is_empty()).map(line).collect()
}

fn written(constant: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let line = |(room, names): &(&str, &[&str])| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        ((*room).to_owned(), names)
    };
    constant.iter().map(line).collect()
}

#[test]
fn rooms_use_exactly_what_is_written_here() {
    let (mut uses, mut by_tests) = (BTreeMap::new(), BTreeMap::new());
    for (room, files) in rooms() {
        let code = used(&room, files.iter().flat_map(|file| &file.code));
        let tests = used(&room, files.iter().flat_map(|file| &file.tests));
        let more = tests.difference(&code).map(|name| (*name).to_owned()).collect();
        uses.insert(room.clone(), code.into_iter().map(str::to_owned).collect());
        by_tests.insert(room, more);
    }
    assert_eq!(table(&uses), table(&written(USES)), "in code");
    assert_eq!(table(&by_tests), table(&written(USED_BY_TESTS)), "in tests");
    // Whatever else changes, nothing points upwards.
    for (room, names) in &uses {
        let circle = names.iter().filter(|name| uses.get(*name).is_some_and(|back| back.contains(room)));
        assert_eq!(circle.collect::<Vec<_>>(), Vec::<&String>::new(), "{room} and these use each other");
    }
}

/// What a file belongs to: itself, or the folder of the room that it is in.
fn part(room: &str, path: &Path) -> Option<String> {
    let inside = path.strip_prefix(src().join(room)).ok()?;
    let first = Path::new(inside.iter().next()?);
    let name = first.file_stem()?.to_string_lossy().into_owned();
    (name != "mod").then_some(name)
}

/// What each file of a room uses of the others; what its folder's `mod.rs` says belongs to the folder.
fn parts(room: &str, files: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let names: BTreeSet<String> = files.iter().filter_map(|file| part(room, &file.path)).collect();
    for file in files {
        let Some(own) = part(room, &file.path) else { continue };
        // How far up the room itself is.
        let depth = file.path.strip_prefix(src().join(room)).unwrap().components().count();
        let is_folder = file.path.ends_with("mod.rs");
        let up = "super::".repeat(depth - usize::from(is_folder));
        for line in &file.code {
            let by_room = named(line, &format!("crate::{room}::"));
            let mut by_super =
                if line.contains(&format!("super::{up}")) { Vec::new() } else { named(line, &up) };
            by_super.retain(|name| *name != "super");
            for name in by_room.into_iter().chain(by_super) {
                if name != own && names.contains(name) {
                    uses.entry(own.clone()).or_default().insert(name.to_owned());
                }
            }
        }
    }
    uses
}

/// Those that can be come back to.
fn in_circles(uses: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let comes_back = |start: &&String| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![*start]);
        while let Some(one) = next.pop() {
            for name in uses.get(one).into_iter().flatten() {
                if name == *start {
                    return true;
                }
                if seen.insert(name) {
                    next.push(name);
                }
            }
        }
        false
    };
    uses.keys().filter(comes_back).cloned().collect()
}

#[test]
fn no_file_of_a_room_uses_another_in_a_circle() {
    let circles = rooms().into_iter().map(|(room, files)| {
        let names = in_circles(&parts(&room, &files));
        (room, names)
    });
    assert_eq!(table(&circles.collect()), "");
}

#[test]
fn pure_rooms_have_no_effects_and_foreign_types_stop_at_the_door() {
    let mut faults = Vec::new();
    for (room, files) in rooms() {
        for Source { path: file, code, .. } in files {
            for line in code {
                if PURE.contains(&room.as_str()) && EFFECTS.iter().any(|effect| line.contains(effect)) {
                    faults.push(format!("{} is pure: {line}", file.display()));
                }
                for (krate, homes) in DOORS {
                    let named =
                        line.starts_with(&format!("use {krate}")) || line.contains(&format!(" {krate}::"));
                    if named && !homes.contains(&room.as_str()) {
                        faults.push(format!("{} is not the door of {krate}: {line}", file.display()));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
