//! URL-encoded pairs, as in a query or the body of a form.

use std::collections::BTreeMap;

/// The pairs by name, values without `%XX`.
pub fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), plain(value))).collect()
}

/// A text without `%XX`.
pub fn plain(text: &str) -> String {
    let mut rest = text.split('%');
    let mut bytes = rest.next().unwrap_or_default().as_bytes().to_vec();
    for part in rest {
        let (code, tail) = part.split_at(2.min(part.len()));
        bytes.push(u8::from_str_radix(code, 16).unwrap_or(b'?'));
        bytes.extend_from_slice(tail.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
