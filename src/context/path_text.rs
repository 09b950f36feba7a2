//! Paths of a context as text, for those who read them: the wire's text fields and Go's patterns.
//!
//! A file's name is bytes that the author of the context chose: no name may be taken for another. What a person reads
//! passes `model::text` besides.

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
