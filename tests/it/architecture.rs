//! The direction of dependencies, as the crate docs draw it: read from the `use crate::` lines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rooms, and what each may use besides itself.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("inputs", &["model", "runner"]),
    ("runner", &["model", "progress"]),
    ("metadata", &["model", "runner", "inputs", "git"]),
    ("context", &["model"]),
    ("progress", &["model", "runner"]),
    ("plan", &["model", "inputs", "metadata", "runner"]),
    ("git", &["model", "metadata"]),
    ("github", &["model", "net"]),
    ("docker", &["model", "plan"]),
    ("net", &["model"]),
    ("registry", &["model", "net"]),
    ("login", &["model", "net", "registry"]),
    ("buildkit", &["model", "plan", "progress", "context", "net"]),
];

/// Rooms that do no input or output: these crates must not appear in them.
const PURE: &[&str] = &["model", "metadata", "plan", "progress"];
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
    in_tests || stem == "tests" || stem.ends_with("_tests")
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !is_test(&path) {
            found.push(path);
        }
    }
}

/// The code of a file without comments and without its test module.
fn code(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().map(str::trim).filter(|line| !line.starts_with("//")).map(str::to_owned).collect()
}

/// Every file of a room, with its code.
fn rooms() -> BTreeMap<String, Vec<(PathBuf, Vec<String>)>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut rooms: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        if let Some(room) = relative.parent().and_then(|p| p.iter().next()) {
            let lines = code(&file);
            rooms.entry(room.to_string_lossy().into_owned()).or_default().push((file.clone(), lines));
        }
    }
    assert!(rooms.len() >= 12, "found the rooms {:?}", rooms.keys());
    rooms
}

#[test]
fn rooms_use_only_what_lies_below() {
    let mut faults = Vec::new();
    for (room, files) in rooms() {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == room) else { continue };
        for (file, lines) in files {
            for line in lines {
                for used in line.match_indices("crate::").map(|(at, m)| &line[at + m.len()..]) {
                    let used: String =
                        used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    if used != room && !used.is_empty() && !allowed.contains(&used.as_str()) {
                        faults.push(format!("{}: {line}", file.display()));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "uses that point upwards:\n{}", faults.join("\n"));
}

#[test]
fn pure_rooms_have_no_effects_and_foreign_types_stop_at_the_door() {
    let mut faults = Vec::new();
    for (room, files) in rooms() {
        for (file, lines) in files {
            for line in lines {
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
