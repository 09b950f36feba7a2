//! The runner's secret masker: which strings are hidden in the log, the annotations and the summary, and how.
//!
//! Obeys `SecretMasker.cs` and `ValueEncoders.cs` of actions/runner 2.336: a value is hidden as it is and in the
//! encodings that a log is likely to show. `PowerShell`'s own forms are left out: they need a `PowerShell` step.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What replaces a hidden value.
pub const HIDDEN: &str = "***";

/// The values that are hidden from now on.
#[derive(Debug, Clone, Default)]
pub struct Masker {
    originals: BTreeSet<String>,
    hidden: BTreeSet<String>,
}

impl Masker {
    /// Hides `value` and its encodings. An empty value hides nothing.
    pub fn add(&mut self, value: &str) {
        if value.is_empty() || !self.originals.insert(value.to_owned()) {
            return;
        }
        self.hidden.insert(value.to_owned());
        self.hidden.extend(encodings(value).into_iter().filter(|encoded| !encoded.is_empty()));
    }

    /// What `add-mask` does: the whole value and each of its lines.
    pub fn add_lines(&mut self, value: &str) {
        self.add(value);
        for line in value.split(['\r', '\n']) {
            self.add(line.trim());
        }
    }

    /// The values that were asked to be hidden, without their encodings.
    pub fn values(&self) -> &BTreeSet<String> {
        &self.originals
    }

    /// `text` with every hidden value replaced; touching and overlapping matches become one replacement.
    pub fn mask(&self, text: &str) -> String {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for secret in &self.hidden {
            let mut from = 0;
            while let Some(at) = text[from..].find(secret.as_str()) {
                let start = from + at;
                ranges.push((start, start + secret.len()));
                from = start + text[start..].chars().next().map_or(1, char::len_utf8);
            }
        }
        ranges.sort_unstable();
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        let mut open = false;
        for (start, stop) in ranges {
            if !open || start > end {
                out.push_str(&text[end..start]);
                out.push_str(HIDDEN);
                open = true;
            }
            end = end.max(stop);
        }
        out.push_str(&text[end..]);
        out
    }
}

fn encodings(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let shifted = |by: usize| STANDARD.encode(if bytes.len() > by { &bytes[by..] } else { bytes });
    let json = serde_json::to_string(value).unwrap_or_default();
    let quoted = value.len() > 8 && value.starts_with('"') && value.ends_with('"');
    vec![
        STANDARD.encode(bytes),
        shifted(1),
        shifted(2),
        value.replace('"', "\\\""),
        value.replace('\'', "''"),
        json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned(),
        percent_encoded(bytes),
        value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&apos;"),
        if quoted { value[1..value.len() - 1].to_owned() } else { String::new() },
    ]
}

fn percent_encoded(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
