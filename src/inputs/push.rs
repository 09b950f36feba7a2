//! The input `push`: whether what is built goes to the registry.

use super::fault::{InputFault, shown};
use super::parse;

/// What the input `push` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// As the event says.
    Auto,
    /// Always.
    Yes,
    /// Never.
    No,
    /// Never, as each line of `repository` is disabled.
    Nowhere,
}

impl Push {
    /// The same where each line of `repository` is disabled: whatever was asked for, there is nowhere to push to.
    #[must_use]
    pub(super) fn to_nowhere(self) -> Self {
        match self {
            Self::No => Self::No,
            Self::Auto | Self::Yes | Self::Nowhere => Self::Nowhere,
        }
    }
}

/// Reads the input: `auto` or a boolean.
pub(super) fn parse(text: &str) -> Result<Push, InputFault> {
    if matches!(text.trim(), "" | "auto") {
        return Ok(Push::Auto);
    }
    match parse::boolean("push", text, false) {
        Ok(true) => Ok(Push::Yes),
        Ok(false) => Ok(Push::No),
        Err(_) => Err(InputFault::new("push", format!("`{}` is not understood", shown(text)))
            .hint("write `auto`, `true` or `false`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (text, value) in
            [("", Push::Auto), ("auto", Push::Auto), ("TRUE", Push::Yes), ("False", Push::No)]
        {
            assert_eq!(parse(text), Ok(value));
        }
        for (asked, expected) in
            [(Push::Auto, Push::Nowhere), (Push::Yes, Push::Nowhere), (Push::No, Push::No)]
        {
            assert_eq!(asked.to_nowhere(), expected);
        }
        assert_eq!(parse("always").unwrap_err().hint.unwrap(), "write `auto`, `true` or `false`");
    }
}
