//! The lines of Git's configuration files, each with where its characters stand in the file, and what they include.
//!
//! Obeys Git's own reader (git-config, "Syntax"): continued lines are one, quotes fall away, escapes are read, a comment ends
//! a line outside of quotes. Whatever Git would refuse is read as far as it goes: a file that somebody broke may hold a
//! secret all the same. Time is linear in a file's length.

use std::ops::Range;

/// What UTF-8 text may begin with; Git passes over it.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The paths of the files that a configuration file includes, as they stand in it. The conditions of `includeIf` are not
/// judged: what may be included is taken as included.
pub(super) fn included(content: &[u8]) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    let mut includes = false;
    for line in config_lines(content) {
        let (section, member) = line.read();
        if let Some(section) = section {
            includes = matches!(section.as_str(), "include" | "includeif");
        }
        let Some((_, start)) = member.filter(|(key, _)| includes && key == "path") else { continue };
        let comment = (start..line.bytes.len())
            .find(|&at| matches!(line.bytes[at], b'#' | b';') && !line.origins[at].quoted);
        paths.push(line.bytes[start..comment.unwrap_or(line.bytes.len())].trim_ascii_end().to_vec());
    }
    paths
}

/// A line of a configuration file as Git reads it: continued lines joined, quotes dropped, escapes read.
#[derive(Debug, Default)]
pub(super) struct ConfigLine {
    pub bytes: Vec<u8>,
    /// Where each of the bytes comes from, in the same order.
    origins: Vec<Origin>,
}

/// Where a byte of a [`ConfigLine`] stands in the file.
#[derive(Debug, Clone, Copy)]
struct Origin {
    start: u32,
    /// Bytes that it takes up in the file: two for an escape.
    length: u8,
    quoted: bool,
}

impl ConfigLine {
    /// Where a part of this line stands in the file: one range for each stretch that nothing interrupts, so that no line
    /// break and no quote between two stretches is in any of them.
    pub fn in_file(&self, part: Range<usize>) -> Vec<Range<usize>> {
        let mut stretches: Vec<Range<usize>> = Vec::new();
        for origin in &self.origins[part] {
            let start = origin.start as usize;
            let end = start + usize::from(origin.length);
            match stretches.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => stretches.push(start..end),
            }
        }
        stretches
    }

    /// The last section that the line begins, in lower case, and the key that is set in it, in lower case, with where its
    /// value starts.
    pub fn read(&self) -> (Option<String>, Option<(String, usize)>) {
        let bytes = &self.bytes;
        let skip_blanks =
            |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let word = |from: usize| {
            let word = bytes[from..].iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == b'-');
            word.map(|byte| char::from(byte.to_ascii_lowercase())).collect::<String>()
        };
        let mut at = skip_blanks(0);
        let mut section = None;
        while bytes.get(at) == Some(&b'[') {
            section = Some(word(at + 1));
            let end = (at..bytes.len()).find(|&end| bytes[end] == b']' && !self.origins[end].quoted);
            let Some(end) = end else { return (section, None) };
            at = skip_blanks(end + 1);
        }
        let key = word(at);
        at = skip_blanks(at + key.len());
        let member = (bytes.get(at) == Some(&b'=')).then(|| (key, skip_blanks(at + 1)));
        (section, member)
    }
}

/// The lines of a configuration file, which must be no larger than [`super::git_directory::Carrier::largest`] says.
pub(super) fn config_lines(content: &[u8]) -> impl Iterator<Item = ConfigLine> {
    let mut at = if content.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    std::iter::from_fn(move || {
        (at < content.len()).then(|| {
            let (line, next) = config_line(content, at);
            at = next;
            line
        })
    })
}

/// Reads the line that begins at `at`, and says where the next one begins.
fn config_line(content: &[u8], mut at: usize) -> (ConfigLine, usize) {
    let mut line = ConfigLine::default();
    let (mut quoted, mut comment) = (false, false);
    while let Some(&byte) = content.get(at) {
        let rest = &content[at + 1..];
        let (mut byte, mut length) = (byte, 1);
        match byte {
            b'\n' => return (line, at + 1),
            b'\r' if rest.first() == Some(&b'\n') => return (line, at + 2),
            b'\\' if !comment && rest.starts_with(b"\n") => {
                at += 2;
                continue;
            }
            b'\\' if !comment && rest.starts_with(b"\r\n") => {
                at += 3;
                continue;
            }
            b'\\' if !comment && !rest.is_empty() => {
                byte = rest[0];
                length = 2;
            }
            b'"' if !comment => {
                quoted = !quoted;
                at += 1;
                continue;
            }
            b'#' | b';' if !quoted => comment = true,
            _ => {}
        }
        line.bytes.push(byte);
        line.origins.push(Origin { start: u32::try_from(at).unwrap_or(u32::MAX), length, quoted });
        at += usize::from(length);
    }
    (line, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn included_files() {
        let text = "[include]\n path = ../a\n[includeIf \"gitdir:/x/]y\"]\n\tPath=\"b #c\" ; d\n[INCLUDE] path = e\\\nf # g\n\
                    [user]\n path = no\n[include \"sub\"]\n other = no\n";
        assert_eq!(included(text.as_bytes()), [&b"../a"[..], b"b #c", b"ef"]);
    }
}
