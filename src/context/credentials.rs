//! Credentials that a checkout left in its Git directory never enter a build context.
//!
//! `actions/checkout` writes the job's token into `.git/config`, and `COPY . .` would put it into an image. So the files of a Git
//! directory that hold such things are blanked while they are sent: in place, every other byte and the length unchanged, so that
//! what was announced about them stays true. Covered are the configuration files (`http.*.extraheader`, passwords and tokens by
//! name, credential helpers and SSH commands that hold one), and in these, in `FETCH_HEAD`, in stored credentials, in the remotes
//! of old and in the reflogs every URL with a user part. Files outside a Git directory are the user's own and are sent as they
//! are, unless they are a part of one by another name: [`super::carriers`]. Time and memory are linear in a file's length.

use std::fmt;
use std::ops::Range;

use super::git_config::{ConfigLine, config_lines};
use super::git_directory::Carrier;
use crate::model::{sort_by_key, text};

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
        let (path, ignore_line) = (text::value(&self.path), text::value(self.ignore_line()));
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

/// Blanks what is secret in a file that [`super::git_directory::GitDirectory::carrier`] or [`super::carriers`] named. Says in
/// which lines that was, counted from 1.
pub fn blank(carrier: Carrier, content: &mut [u8]) -> Vec<usize> {
    let mut hidden: Vec<(Range<usize>, u8)> = Vec::new();
    match carrier {
        Carrier::Config => {
            for line in config_lines(content) {
                if let Some(value) = secret_value(&line) {
                    hidden.extend(line.in_file(value).into_iter().map(|range| (range, b' ')));
                }
                for user in url_users(&line.bytes) {
                    hidden.extend(line.in_file(user).into_iter().map(|range| (range, b'*')));
                }
            }
        }
        Carrier::Lines => {
            let mut start = 0;
            for line in content.split_inclusive(|&byte| byte == b'\n') {
                let users = url_users(line).into_iter();
                hidden.extend(users.map(|user| (start + user.start..start + user.end, b'*')));
                start += line.len();
            }
        }
    }
    let mut lines = Vec::new();
    sort_by_key(&mut hidden, |(range, _)| range.start);
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

/// How keys end whose values are secrets, whatever section they are in.
const SECRET_KEYS: [&str; 8] =
    ["extraheader", "password", "passwd", "pass", "token", "secret", "apikey", "api-key"];

/// A key that ends so and names a program.
const ASK_PASS: &str = "askpass";

/// What an SSH command that is given a password holds.
const SSH_PASSWORDS: [&[u8]; 4] = [b"sshpass", b"pass=", b"password=", b"-pw "];

/// The part of a configuration line that is to be hidden as a whole, if there is one.
fn secret_value(line: &ConfigLine) -> Option<Range<usize>> {
    let (key, start) = line.read().1?;
    let value = line.bytes[start..].to_ascii_lowercase();
    let holds = |what: &[u8]| value.windows(what.len()).any(|part| part == what);
    let is_secret = match key.as_str() {
        "helper" => holds(b"password="),
        "sshcommand" => SSH_PASSWORDS.iter().any(|what| holds(what)),
        ASK_PASS => false,
        key => SECRET_KEYS.iter().any(|end| key.ends_with(end)),
    };
    if is_secret {
        return Some(start..line.bytes.len());
    }
    // A proxy may be given without a scheme.
    if key == "proxy" && !holds(b"://") {
        let sign = value.iter().rposition(|&byte| byte == b'@')?;
        return Some(start..start + sign);
    }
    None
}

/// The user parts of all URLs in a line: for SSH the password only, since its user is no secret.
fn url_users(line: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = line[from..].windows(3).position(|three| three == b"://") {
        let scheme = &line[..from + offset];
        let start = from + offset + 3;
        // The next `://` ends an authority at the latest, so no byte is looked at for more than one.
        let length = line[start..].iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let authority = &line[start..length.map_or(line.len(), |length| start + length)];
        if let Some(sign) = authority.iter().rposition(|&byte| byte == b'@') {
            let colon = authority[..sign].iter().position(|&byte| byte == b':');
            let ssh = scheme.len() >= 3 && scheme[scheme.len() - 3..].eq_ignore_ascii_case(b"ssh");
            match (ssh, colon) {
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

    fn blanked(carrier: Carrier, text: &str) -> (String, Vec<usize>) {
        let mut content = text.as_bytes().to_vec();
        let lines = blank(carrier, &mut content);
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
            ("[gitlab] private-token = SECRET\n[a] appPassword=SECRET\n", "SECRET", vec![1, 2]),
            ("[core][http] extraheader = SECRET\n", "SECRET", vec![1]),
            ("\u{feff}[http] extraheader = SECRET\n", "SECRET", vec![1]),
            ("\u{feff}extraheader = SECRET\n", "SECRET", vec![1]),
            ("[core]\n sshCommand = sshpass -p SECRET ssh\n", "SECRET", vec![2]),
            ("[core]\n sshCommand = \"SSHPASS='SECRET' sshpass -e ssh -o X=y\"\n", "SECRET", vec![2]),
            ("[core]\n sshcommand = plink -pw SECRET\n", "SECRET", vec![2]),
        ] {
            let (after, found) = blanked(Carrier::Config, text);
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
                    \turl = ssh://git@host/x\n\tsshCommand = ssh -i key -o PasswordAuthentication=no\n\taskPass = /bin/ask\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n[user]\n\temail = a@b.c\n";
        assert_eq!(blanked(Carrier::Config, text), (text.to_owned(), vec![]));
        let log = "0 1 A <a@b.c> 1 +0\tclone: from https://github.com/a/b\n";
        assert_eq!(blanked(Carrier::Lines, log), (log.to_owned(), vec![]));
    }

    #[test]
    fn other_files_of_git() {
        let text = "abc\t\tbranch 'main' of https://x:SECRET@github.com/a/b\nhttps://SECRET@h";
        let (after, lines) = blanked(Carrier::Lines, text);
        assert_eq!(after, text.replace("x:SECRET@", "********@").replace("//SECRET@", "//******@"));
        assert_eq!(lines, [1, 2]);
    }

    /// A line of 1 MiB took a minute.
    #[test]
    fn a_line_costs_no_more_than_its_length() {
        for piece in ["a://b:SECRET@", "a://SECRET@b/", "SECRET@://", "\"\\@://x:SECRET@y\"", "[a]", "://"] {
            let text = piece.repeat((1 << 20) / piece.len());
            for carrier in [Carrier::Config, Carrier::Lines] {
                blanked(carrier, &text);
            }
        }
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
