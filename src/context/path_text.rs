//! Paths of a context as text, for the three who read them: messages, the wire's text fields, Go's patterns.
//!
//! A file's name is bytes that the author of the context chose. Whoever names the files must neither write the log nor
//! have a name taken for another: what a person reads is escaped, what a pattern sees is what Go's patterns see.

use std::borrow::Cow;

/// A path as text: bytes that are no UTF-8 are written as `\xHH`.
pub fn text_of(path: &[u8]) -> String {
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// A path as Go's patterns see it: a byte that is no UTF-8 counts as one replacement character.
pub(super) fn as_matched(path: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(path) {
        return Cow::Borrowed(text);
    }
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

/// A path as a message may show it: whoever names the files must not write the log.
pub fn printable(path: &str) -> String {
    let mut shown = String::with_capacity(path.len());
    for ch in path.chars() {
        if ch.is_control() { shown.extend(ch.escape_default()) } else { shown.push(ch) }
    }
    shown
}
