//! Credentials that a checkout left in its Git directory never enter a build context.
//!
//! `actions/checkout` writes the job's token into `.git/config`, and `COPY . .` would put it into an image. So the files of a Git
//! directory that hold such things are blanked while they are sent: in place, every other byte and the length unchanged, so that
//! what was announced about them stays true. Covered are the configuration files (`http.*.extraheader`, passwords and tokens by
//! name, credential helpers that print one), and in these, in `FETCH_HEAD`, in stored credentials and in the reflogs every URL with a
//! user part. Files outside a Git directory are the user's own and are sent as they are.

use std::fmt;

use super::root::Listing;
use super::walk::printable;

/// Where a walk is, as far as Git directories are concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GitDirectory {
    inside: bool,
    in_logs: bool,
}

impl GitDirectory {
    /// The same for a directory below: a Git directory is one that is called `.git` or looks like one to Git (a bare repository, a
    /// submodule's, one that a link called `.git` leads to).
    #[must_use]
    pub fn enter(self, name: &[u8], listing: &Listing) -> Self {
        let looks_so = || [&b"HEAD"[..], b"objects", b"refs"].iter().all(|name| listing.contains(name));
        Self {
            inside: self.inside || name == b".git" || looks_so(),
            in_logs: self.in_logs || (self.inside && name == b"logs"),
        }
    }

    /// Whether a file of this name can hold credentials here.
    pub fn is_carrier(self, name: &[u8]) -> bool {
        self.inside
            && (self.in_logs
                || name.starts_with(b"config")
                || name.starts_with(b"FETCH_HEAD")
                || name == b"credentials"
                || name == b".git-credentials")
    }
}

/// A file that was sent with parts of it blanked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blanked {
    /// Relative to the context.
    pub path: String,
    /// The lines, counted from 1.
    pub lines: Vec<usize>,
}

impl Blanked {
    /// The line for `.dockerignore` that keeps the whole Git directory out.
    pub fn ignore_line(&self) -> &str {
        let mut end = 0;
        for element in self.path.split('/') {
            end += element.len();
            if element == ".git" {
                return &self.path[..end];
            }
            end += 1;
        }
        &self.path
    }
}

/// The warning: what was blanked where, and the line that makes it unnecessary.
impl fmt::Display for Blanked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, ignore_line) = (printable(&self.path), printable(self.ignore_line()));
        let shown: Vec<String> = self.lines.iter().take(5).map(usize::to_string).collect();
        let lines = shown.join(", ");
        let noun = if self.lines.len() == 1 { "line" } else { "lines" };
        write!(f, "credentials in `{path}` ({noun} {lines}")?;
        if self.lines.len() > shown.len() {
            write!(f, " and {} more", self.lines.len() - shown.len())?;
        }
        write!(f, ") were blanked in the build context: add the line `{ignore_line}` to .dockerignore")
    }
}

/// Blanks what is secret in a file that [`GitDirectory::is_carrier`] named, and says in which lines.
pub fn blank(path: &str, content: &mut [u8]) -> Vec<usize> {
    let config = path.rsplit('/').next().is_some_and(|name| name.starts_with("config"));
    let mut hidden: Vec<(std::ops::Range<usize>, u8)> = Vec::new();
    let mut at = 0;
    while at < content.len() {
        let (line, next) = if config { config_line(content, at) } else { plain_line(content, at) };
        at = next;
        if config && let Some(value) = secret_value(&line) {
            hidden.extend(line[value].iter().map(|unit| (unit.range(), b' ')));
        }
        for user in url_users(&line) {
            hidden.extend(line[user].iter().map(|unit| (unit.range(), b'*')));
        }
    }
    let mut lines = Vec::new();
    hidden.sort_by_key(|(range, _)| range.start);
    let (mut counted, mut number) = (0, 1);
    for (range, filler) in hidden {
        number += content[counted..range.start].split(|&byte| byte == b'\n').count() - 1;
        counted = range.start;
        let part = &mut content[range];
        // What is blank already (a second look at the same bytes) needs no warning.
        if part.iter().any(|&byte| byte != filler && byte != b' ' && byte != b'*')
            && lines.last() != Some(&number)
        {
            lines.push(number);
        }
        part.fill(filler);
    }
    lines
}

/// One character of a line as Git reads it, and where it stands in the file.
#[derive(Debug, Clone, Copy)]
struct Unit {
    byte: u8,
    start: usize,
    end: usize,
    quoted: bool,
}

impl Unit {
    fn range(self) -> std::ops::Range<usize> {
        self.start..self.end
    }
}

/// A line of a configuration file: continued lines joined, quotes dropped, escapes read. With the start of the next.
fn config_line(content: &[u8], mut at: usize) -> (Vec<Unit>, usize) {
    let mut line = Vec::new();
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
        line.push(Unit { byte, start: at, end: at + length, quoted });
        at += length;
    }
    (line, at)
}

/// A line of any other file.
fn plain_line(content: &[u8], at: usize) -> (Vec<Unit>, usize) {
    let length = content[at..].iter().position(|&byte| byte == b'\n').unwrap_or(content.len() - at);
    let unit = |place: usize| Unit { byte: content[place], start: place, end: place + 1, quoted: false };
    ((at..at + length).map(unit).collect(), at + length + 1)
}

/// Keys whose values are secrets, whatever section they are in.
const SECRET_KEYS: [&str; 8] =
    ["extraheader", "password", "passwd", "pass", "smtppass", "token", "oauthtoken", "oauth-token"];

/// The part of a configuration line that is to be hidden as a whole.
fn secret_value(line: &[Unit]) -> Option<std::ops::Range<usize>> {
    let skip_blanks =
        |from: usize| from + line[from..].iter().take_while(|unit| unit.byte.is_ascii_whitespace()).count();
    let mut at = skip_blanks(0);
    if line.get(at)?.byte == b'[' {
        at += line[at..].iter().position(|unit| unit.byte == b']' && !unit.quoted)? + 1;
        at = skip_blanks(at);
    }
    let length =
        line[at..].iter().take_while(|unit| unit.byte.is_ascii_alphanumeric() || unit.byte == b'-').count();
    let key: String =
        line[at..at + length].iter().map(|unit| char::from(unit.byte.to_ascii_lowercase())).collect();
    at = skip_blanks(at + length);
    if line.get(at)?.byte != b'=' {
        return None;
    }
    at = skip_blanks(at + 1);
    let value: Vec<u8> = line[at..].iter().map(|unit| unit.byte.to_ascii_lowercase()).collect();
    let holds = |what: &[u8]| value.windows(what.len()).any(|part| part == what);
    if SECRET_KEYS.contains(&key.as_str()) || (key == "helper" && holds(b"password=")) {
        return Some(at..line.len());
    }
    // A proxy may be given without a scheme.
    if key == "proxy" && !holds(b"://") {
        let sign = value.iter().rposition(|&byte| byte == b'@')?;
        return Some(at..at + sign);
    }
    None
}

/// The user parts of all URLs in a line: for SSH the password only, since its user is no secret.
fn url_users(line: &[Unit]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) =
        line[from..].windows(3).position(|three| three.iter().map(|unit| unit.byte).eq(*b"://"))
    {
        let scheme_end = from + offset;
        let start = scheme_end + 3;
        let length = line[start..].iter().position(|unit| matches!(unit.byte, b'/' | b'?' | b'#'));
        let authority = &line[start..length.map_or(line.len(), |length| start + length)];
        if let Some(sign) = authority.iter().rposition(|unit| unit.byte == b'@') {
            let scheme: Vec<u8> =
                line[..scheme_end].iter().map(|unit| unit.byte.to_ascii_lowercase()).collect();
            let colon = authority[..sign].iter().position(|unit| unit.byte == b':');
            match (scheme.ends_with(b"ssh"), colon) {
                (true, None) => {}
                (true, Some(colon)) => found.push(start + colon + 1..start + sign),
                (false, _) => found.push(start..start + sign),
            }
        }
        from = start;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blanked(path: &str, text: &str) -> (String, Vec<usize>) {
        let mut content = text.as_bytes().to_vec();
        let lines = blank(path, &mut content);
        assert_eq!(content.len(), text.len());
        (String::from_utf8(content).unwrap(), lines)
    }

    #[test]
    fn every_way_to_write_a_secret() {
        for (text, hidden, lines) in [
            (
                "[http \"https://github.com/\"]\n\textraheader = AUTHORIZATION: basic SECRET\n",
                "SECRET",
                vec![2],
            ),
            ("[http]\r\n\tExtraHeader=SECRET\r\n[core]\r\n\tbare = false\r\n", "SECRET", vec![2]),
            (
                "[http]\n\textraheader = \"AUTHORIZATION: \\\nbasic \\\"SECRET\\\"\" ; x\n\tproxy = y\n",
                "SECRET",
                vec![2, 3],
            ),
            ("[http] extraheader = SECRET", "SECRET", vec![1]),
            ("[a]\n b = c # odd \\\nextraheader = SECRET\n", "SECRET", vec![3]),
            ("[remote \"o\"]\n url = https://user:SECRET@host/p\n", "SECRET", vec![2]),
            (
                "[remote \"o\"]\n url = https://SECRET@host/p\n pushurl = HTTPS://SECRET:x-oauth-basic@host\n",
                "SECRET",
                vec![2, 3],
            ),
            ("[remote \"o\"]\n url = https://user:SEC\\\nRET@host/p\n", "RET", vec![2, 3]),
            ("[remote \"o\"]\n url = \"https://user:SEC#RET@host/p\"\n", "user:SEC", vec![]),
            ("[url \"https://x:SECRET@github.com/\"]\n insteadOf = https://github.com/\n", "SECRET", vec![1]),
            ("[url \"a\"]\n insteadof = https://x:SECRET@github.com/\n", "SECRET", vec![2]),
            ("[http]\n proxy = user:SECRET@proxy:8080\n", "SECRET", vec![2]),
            ("[http]\n proxy = http://user:SECRET@proxy:8080\n", "SECRET", vec![2]),
            ("[remote \"o\"]\n url = ssh://git:SECRET@host/p\n", "SECRET", vec![2]),
            ("# was https://user:SECRET@host/p\n", "SECRET", vec![1]),
            ("[credential]\n helper = \"!f() { echo password=SECRET; }; f\"\n", "SECRET", vec![2]),
            ("[github]\n token = SECRET\n[sendemail]\n smtpPass = SECRET\n", "SECRET", vec![2, 4]),
        ] {
            let (after, found) = blanked(".git/config", text);
            if lines.is_empty() {
                // `#` ends the authority for Git as for us: this is no user part.
                assert_eq!(after, text);
                continue;
            }
            assert!(!after.contains(hidden), "{text:?} became {after:?}");
            assert_eq!(found, lines, "{text:?} became {after:?}");
            assert_eq!(after.matches('\n').count(), text.matches('\n').count());
        }
    }

    #[test]
    fn nothing_else_changes() {
        let text = "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://github.com/a/b@c\n\turl = git@github.com:a/b\n\
                    \turl = ssh://git@host/x\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n[user]\n\temail = a@b.c\n";
        assert_eq!(blanked(".git/config", text), (text.to_owned(), vec![]));
        let log = "0 1 A <a@b.c> 1 +0\tclone: from https://github.com/a/b\n";
        assert_eq!(blanked(".git/logs/HEAD", log), (log.to_owned(), vec![]));
    }

    #[test]
    fn other_files_of_git() {
        let text = "abc\t\tbranch 'main' of https://x:SECRET@github.com/a/b\nhttps://SECRET@h";
        let (after, lines) = blanked(".git/FETCH_HEAD", text);
        assert_eq!(after, text.replace("x:SECRET@", "********@").replace("//SECRET@", "//******@"));
        assert_eq!(lines, [1, 2]);
    }

    #[test]
    fn the_warning_says_what_to_do() {
        let blanked = Blanked { path: "a\n::b/.git/logs/HEAD".into(), lines: (1..=7).collect() };
        assert_eq!(
            blanked.to_string(),
            "credentials in `a\\n::b/.git/logs/HEAD` (lines 1, 2, 3, 4, 5 and 2 more) were blanked in the build context: \
             add the line `a\\n::b/.git` to .dockerignore"
        );
    }

    #[test]
    fn the_ignore_line_names_the_git_directory() {
        for (path, line) in [
            (".git/config", ".git"),
            ("a/.git/modules/x/config", "a/.git"),
            ("bare/config", "bare/config"),
            ("x.git/config", "x.git/config"),
        ] {
            assert_eq!(Blanked { path: path.into(), lines: vec![1] }.ignore_line(), line);
        }
    }
}
