//! BuildKit's words, made readable: what is said twice once, and what nobody needs not at all.

use crate::progress::text::why;

/// What BuildKit writes before an image that it could not look up.
const UNRESOLVED: &str = "failed to resolve source metadata for ";

/// An image that could not be looked up, and why not: BuildKit names it up to three times.
pub(super) fn unresolved(message: &str) -> Option<(&str, &str)> {
    let (_, rest) = message.split_once(UNRESOLVED)?;
    let (image, why) = rest.split_once(": ")?;
    let why = why.strip_prefix(image).and_then(|why| why.strip_prefix(": ")).unwrap_or(why);
    (!image.contains(char::is_whitespace)).then_some((image, why))
}

/// How a step ended. That a process has ended with a code, BuildKit says together with the whole command, which is the step.
pub(super) fn how(step: &str, exit_code: Option<u32>, message: &str) -> String {
    match exit_code {
        Some(code) => format!("failed with exit code {code}"),
        None => format!("failed: {}", why(step, message)),
    }
}

/// What the frontend said, with a base image named once.
pub(super) fn not_built(message: &str) -> String {
    match unresolved(message) {
        Some((image, why)) => format!("the base image `{image}` cannot be read: {why}"),
        None => format!("the Dockerfile cannot be built: {message}"),
    }
}

/// What was said about a push, without the addresses of uploads: each is another one, and longer than all the rest.
pub(super) fn without_uploads(message: &str) -> String {
    let mut words = message.split(' ').map(|word| match word.split_once("/blobs/uploads/") {
        Some((before, after)) => {
            let end = after.rfind(|c: char| !matches!(c, '"' | ':' | ',')).map_or(0, |at| at + 1);
            format!("{before}/blobs/uploads/…{}", after.get(end..).unwrap_or_default())
        }
        None => word.to_owned(),
    });
    let first = words.next().unwrap_or_default();
    words.fold(first, |text, word| text + " " + &word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_image_is_named_once() {
        for (why, expected) in [
            (
                "docker.io/library/a:1: not found",
                "the base image `docker.io/library/a:1` cannot be read: not found",
            ),
            ("403 Forbidden", "the base image `docker.io/library/a:1` cannot be read: 403 Forbidden"),
        ] {
            let message = format!("a:1: failed to resolve source metadata for docker.io/library/a:1: {why}");
            assert_eq!(not_built(&message), expected);
        }
        assert_eq!(
            not_built("unknown instruction: RUM"),
            "the Dockerfile cannot be built: unknown instruction: RUM"
        );
    }

    #[test]
    fn uploads_have_no_addresses() {
        for (message, expected) in [
            (
                "failed to do request: Put \"http://r.io/v2/a/blobs/uploads/0-1?_state=eyJ&digest=sha256%3A00\": EOF",
                "failed to do request: Put \"http://r.io/v2/a/blobs/uploads/…\": EOF",
            ),
            (
                "unexpected status from PUT request to https://r.io/v2/a/blobs/uploads/7?x=y: 503",
                "unexpected status from PUT request to https://r.io/v2/a/blobs/uploads/…: 503",
            ),
            ("x /blobs/uploads/é", "x /blobs/uploads/…"),
            ("no  address", "no  address"),
        ] {
            assert_eq!(without_uploads(message), expected);
        }
    }
}
