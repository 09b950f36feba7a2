//! The runner's file commands: outputs and the job summary; and files that outputs name.
//!
//! Obeys actions/runner `FileCommandManager.cs`. Every output is written as a heredoc, because values come
//! from branch names and build results; the delimiter is random and given by the caller. The runner appends
//! nothing and reads at the step's end, so we append too and never rewrite.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::model::text;

/// What GitHub takes for all outputs of a job, in bytes of UTF-16.
pub const MAX_OUTPUTS: usize = 1024 * 1024;

/// What GitHub takes for a step's summary, in bytes; it drops a larger one whole.
pub const MAX_SUMMARY: usize = 1024 * 1024;

/// Why outputs or the summary could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A name that the runner could misread.
    #[error("output name `{0}` is not made of letters, digits, `_` and `-`")]
    Name(String),
    /// The delimiter is not `ghadelimiter_` and 32 hexadecimal characters.
    #[error("the delimiter for output `{0}` is not random enough")]
    Delimiter(String),
    /// The value holds the delimiter, which only somebody who knows it could have put there.
    #[error("the value of output `{0}` holds its own delimiter")]
    Forged(String),
    /// The file.
    #[error("cannot write to `{}`", path.display())]
    Io {
        /// The runner's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A delimiter from 128 random bits.
pub fn delimiter(random: u128) -> String {
    format!("ghadelimiter_{random:032x}")
}

/// One output as the runner reads it. `\r` stays in the value: on Linux the runner ends lines at `\n` only.
pub fn render_output(name: &str, value: &str, delimiter: &str) -> Result<String, FileError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(FileError::Name(text::name(name)));
    }
    let random = delimiter.strip_prefix("ghadelimiter_").unwrap_or_default();
    if random.len() < 32 || !random.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(FileError::Delimiter(name.to_owned()));
    }
    if value.contains(delimiter) {
        return Err(FileError::Forged(name.to_owned()));
    }
    Ok(format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"))
}

/// Appends outputs in the given order, the most needed first. Returns the names of those that are left out,
/// because all before them already fill what GitHub takes; a value is never cut, half a JSON text helps nobody.
///
/// `delimiter` makes a fresh one for each. A new file is given to the owner of `workspace`.
pub fn append_outputs(
    file: &Path,
    workspace: &Path,
    outputs: &[(&str, &str)],
    mut delimiter: impl FnMut() -> String,
) -> Result<Vec<String>, FileError> {
    let mut text = String::new();
    let mut room = MAX_OUTPUTS;
    let mut left_out = Vec::new();
    for (name, value) in outputs {
        let size = 2 * (name.encode_utf16().count() + value.encode_utf16().count());
        if size > room {
            left_out.push((*name).to_owned());
            continue;
        }
        room -= size;
        text.push_str(&render_output(name, value, &delimiter())?);
    }
    append(file, workspace, &text)?;
    Ok(left_out)
}

/// Makes a file that was not there, owned as `workspace` is. No link that lies in its place is followed.
pub fn new_file(file: &Path, workspace: &Path, text: &str) -> Result<(), FileError> {
    let failed = |source| FileError::Io { path: file.to_owned(), source };
    let mut new = OpenOptions::new().append(true).create_new(true).open(file).map_err(failed)?;
    give(&new, workspace);
    new.write_all(text.as_bytes()).map_err(failed)
}

/// Appends to the job summary. What does not fit is cut at a line's end and a note says so.
pub fn append_summary(file: &Path, workspace: &Path, markdown: &str) -> Result<(), FileError> {
    let present = fs::metadata(file).map_or(0, |meta| usize::try_from(meta.len()).unwrap_or(usize::MAX));
    append(file, workspace, &fit_summary(markdown, MAX_SUMMARY.saturating_sub(present)))
}

/// The summary in at most `room` bytes; an open code fence and `<details>` are closed before the note.
pub fn fit_summary(markdown: &str, room: usize) -> String {
    const NOTE: &str = "\n\n_The summary was cut here: GitHub takes at most 1 MiB for each step._\n";
    if markdown.len() <= room {
        return markdown.to_owned();
    }
    let spare = NOTE.len() + 64;
    if room < spare {
        return String::new();
    }
    let end = markdown.floor_char_boundary(room - spare);
    let end = markdown[..end].rfind('\n').map_or(0, |at| at + 1);
    let mut kept = markdown[..end].to_owned();
    if let Some(fence) = open_fence(&kept) {
        kept.push_str(&fence);
        kept.push('\n');
    }
    if kept.matches("<details>").count() > kept.matches("</details>").count() {
        kept.push_str("\n</details>\n");
    }
    kept.push_str(NOTE);
    kept
}

/// The backticks that would close the code block that is open at the end, at most 40 of them.
fn open_fence(markdown: &str) -> Option<String> {
    let mut open: Option<usize> = None;
    for line in markdown.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        open = match open {
            None if ticks >= 3 => Some(ticks),
            Some(length) if ticks >= length && line.len() == ticks => None,
            unchanged => unchanged,
        };
    }
    open.map(|length| "`".repeat(length.min(40)))
}

fn append(path: &Path, workspace: &Path, text: &str) -> Result<(), FileError> {
    let failed = |source| FileError::Io { path: path.to_owned(), source };
    let mut file = open(path, workspace).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// Opens for appending; makes the file, owned as the workspace is, when it is not there.
fn open(path: &Path, workspace: &Path) -> io::Result<File> {
    match OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    give(&file, workspace);
    Ok(file)
}

fn give(file: &File, workspace: &Path) {
    if let Ok(owner) = fs::metadata(workspace) {
        // Only root may give files away; anybody else owns the workspace already.
        let _ = std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `EnvFileKeyValuePairs` of actions/runner, on Linux.
    fn runner_reads(text: &str) -> Result<Vec<(String, String)>, String> {
        let mut lines = text.split_inclusive('\n');
        let mut found = Vec::new();
        while let Some(line) = lines.next() {
            let line = line.strip_suffix('\n').unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let (equals, heredoc) = (line.find('='), line.find("<<"));
            match (equals, heredoc) {
                (Some(equals), heredoc) if heredoc.is_none_or(|heredoc| equals < heredoc) => {
                    found.push((line[..equals].into(), line[equals + 1..].into()));
                }
                (_, Some(heredoc)) => {
                    let (name, delimiter) = (&line[..heredoc], &line[heredoc + 2..]);
                    let mut value: Vec<&str> = Vec::new();
                    loop {
                        let line = lines.next().ok_or("no delimiter")?;
                        if line.strip_suffix('\n').unwrap_or(line) == delimiter {
                            break;
                        }
                        value.push(line.strip_suffix('\n').ok_or("no new line")?);
                    }
                    found.push((name.into(), value.join("\n")));
                }
                _ => return Err(format!("invalid format {line}")),
            }
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn any_value_comes_back(values in prop::collection::vec("(?s).{0,40}", 1..5), seed: u64) {
            let text: String = values.iter().enumerate()
                .map(|(i, value)| render_output("some_name", value, &delimiter(u128::from(seed) + i as u128)).unwrap())
                .collect();
            let read: Vec<String> = runner_reads(&text).unwrap().into_iter().map(|(_, value)| value).collect();
            prop_assert_eq!(read, values);
        }
    }

    #[test]
    fn forgeries_are_refused() {
        let known = delimiter(7);
        assert_eq!(render_output("tag", "v1", &known).unwrap(), format!("tag<<{known}\nv1\n{known}\n"));
        let forged = format!("x\n{known}\nimage=evil\n");
        assert!(matches!(render_output("tag", &forged, &known), Err(FileError::Forged(_))));
        assert!(matches!(render_output("tag", "x", "EOF"), Err(FileError::Delimiter(_))));
        for bad in ["", "a=b", "a<<b", "a b", "a\nb"] {
            assert!(matches!(render_output(bad, "x", &known), Err(FileError::Name(_))), "{bad}");
        }
    }

    #[test]
    fn outputs_append_and_keep_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("output");
        let large = "x".repeat(MAX_OUTPUTS / 2);
        let mut number = 0;
        let mut fresh = || {
            number += 1;
            delimiter(number)
        };
        let left = append_outputs(&file, dir.path(), &[("a", "1"), ("b", &large), ("c", "3")], &mut fresh);
        assert_eq!(left.unwrap(), ["b"]);
        append_outputs(&file, dir.path(), &[("d", "")], &mut fresh).unwrap();
        let read = runner_reads(&fs::read_to_string(&file).unwrap()).unwrap();
        let pairs: Vec<(&str, &str)> = read.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("c", "3"), ("d", "")]);
        let missing = dir.path().join("no/such");
        assert!(
            append_outputs(&missing, dir.path(), &[], &mut fresh)
                .unwrap_err()
                .to_string()
                .contains("no/such")
        );
    }

    /// As root (the action's container) the workspace is somebody else's; otherwise it is ours.
    #[test]
    fn a_new_file_belongs_to_the_owner_of_the_workspace() {
        let dir = tempfile::tempdir().unwrap();
        let _ = std::os::unix::fs::chown(dir.path(), Some(1001), Some(127));
        let file = dir.path().join("output");
        append_summary(&file, dir.path(), "x").unwrap();
        let other = dir.path().join("named");
        new_file(&other, dir.path(), "x").unwrap();
        let owner = fs::metadata(dir.path()).unwrap();
        for file in [file, other] {
            let got = fs::metadata(&file).unwrap();
            assert_eq!((got.uid(), got.gid()), (owner.uid(), owner.gid()), "{file:?}");
        }
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(new_file(&link, dir.path(), "x").is_err());
        assert!(!target.exists());
    }

    #[test]
    fn a_summary_too_large_is_cut_and_says_so() {
        assert_eq!(fit_summary("short\n", 100), "short\n");
        let long = format!("<details>\n\n````\n{}", "line é\n".repeat(100));
        let cut = fit_summary(&long, 400);
        assert!(cut.len() <= 400, "{}", cut.len());
        assert!(cut.starts_with("<details>\n\n````\nline é\n"));
        assert!(cut.contains("\nline é\n````\n\n</details>\n\n\n_The summary was cut here"), "{cut}");
        assert_eq!(fit_summary(&long, 20), "");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("summary");
        let half = format!("{}\n", "x".repeat(MAX_SUMMARY / 2));
        for _ in 0..3 {
            append_summary(&file, dir.path(), &half).unwrap();
        }
        assert!(fs::metadata(&file).unwrap().len() <= MAX_SUMMARY as u64);
    }
}
