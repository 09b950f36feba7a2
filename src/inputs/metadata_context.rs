//! The input `metadata_context`: whether tags and labels speak of the event or of what is checked out.
//!
//! The words are those of docker/metadata-action's `context`.

use super::fault::InputFault;
use super::parse;

/// What tags and labels speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataContext {
    /// The event's ref, and the commit that is checked out if it belongs to that.
    Workflow,
    /// What is checked out, whatever the event is about.
    Git,
}

/// Reads the input; nothing means the workflow's event.
pub(super) fn parse(text: &str) -> Result<MetadataContext, InputFault> {
    parse::one_of(
        "metadata_context",
        text,
        &[("workflow", MetadataContext::Workflow), ("git", MetadataContext::Git)],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (text, expected) in [
            ("", MetadataContext::Workflow),
            ("workflow", MetadataContext::Workflow),
            (" git\n", MetadataContext::Git),
        ] {
            assert_eq!(parse(text), Ok(expected));
        }
        let fault = parse("Git").unwrap_err().to_string();
        assert!(fault.contains("`metadata_context`") && fault.contains("`workflow`, `git`"), "{fault}");
    }
}
