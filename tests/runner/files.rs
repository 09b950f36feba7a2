//! The files that a step writes for the runner: outputs and state (`GITHUB_OUTPUT`, `GITHUB_STATE`, `GITHUB_ENV`),
//! `GITHUB_PATH` and the summary.
//!
//! Obeys `FileCommandManager.cs` of actions/runner 2.336, with its limits. A fault here fails the step.

/// The largest summary that is uploaded, in bytes; a larger one is dropped whole, with an error annotation.
pub const SUMMARY_LIMIT: usize = 1024 * 1024;

/// The pairs in a file of `NAME=value` lines and `NAME<<DELIMITER` blocks, in order.
///
/// Only `\n` ends a line, as on Linux runners: a `\r` stays in the value and in the delimiter.
///
/// # Errors
/// The runner's own sentence about the line that it can't read.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut rest = Lines { text, at: 0 };
    while let Some((line, _)) = rest.next_line() {
        if line.is_empty() {
            continue;
        }
        match (line.find('='), line.find("<<")) {
            (Some(equals), heredoc) if heredoc.is_none_or(|heredoc| equals < heredoc) => {
                found.push((line[..equals].to_owned(), line[equals + 1..].to_owned()));
            }
            (_, Some(heredoc)) => {
                let (name, delimiter) = (&line[..heredoc], &line[heredoc + 2..]);
                if name.is_empty() || delimiter.is_empty() {
                    return Err(format!(
                        "Invalid format '{line}'. Name must not be empty and delimiter must not be empty"
                    ));
                }
                found.push((name.to_owned(), block(&mut rest, delimiter)?));
            }
            _ => return Err(format!("Invalid format '{line}'")),
        }
    }
    Ok(found)
}

fn block(rest: &mut Lines<'_>, delimiter: &str) -> Result<String, String> {
    let start = rest.at;
    let mut end = start;
    loop {
        match rest.next_line() {
            None => return Err(format!("Invalid value. Matching delimiter not found '{delimiter}'")),
            Some((line, _)) if line == delimiter => return Ok(rest.text[start..end].to_owned()),
            Some((_, false)) => return Err("Invalid value. EOF marker missing new line.".to_owned()),
            Some((_, true)) => end = rest.at - 1,
        }
    }
}

struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lines<'a> {
    /// The next line and whether a newline ended it.
    fn next_line(&mut self) -> Option<(&'a str, bool)> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        if let Some(end) = rest.find('\n') {
            self.at += end + 1;
            Some((&rest[..end], true))
        } else {
            self.at = self.text.len();
            Some((rest, false))
        }
    }
}

/// Cuts a byte stream into lines as .NET's `ReadLine` does: `\n`, `\r\n` and a lone `\r` all end one. Bytes that are
/// no UTF-8 become replacement characters.
#[derive(Debug, Default)]
pub struct LineSplitter {
    pending: Vec<u8>,
    after_cr: bool,
}

impl LineSplitter {
    /// Takes the next bytes; gives the lines that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => lines.push(self.take()),
                _ => self.pending.push(byte),
            }
        }
        lines
    }

    /// The last line, if the stream did not end with a line ending.
    pub fn finish(&mut self) -> Option<String> {
        (!self.pending.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}
