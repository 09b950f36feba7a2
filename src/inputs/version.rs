//! The input `version`: a release's version, given or taken from Git.
//!
//! Obeys semver.org 2.0.0; the leading `v` that Git tags have is taken off.

use super::fault::{InputFault, shown};
use crate::model::Tag;

/// Which version the input `version` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionInput {
    /// A semantic version, without the leading `v`.
    Semver(semver::Version),
    /// `auto`: from Git.
    Auto,
}

/// Reads the input: `auto`, or a semantic version with or without one leading `v`; nothing when it is empty.
pub(super) fn parse(text: &str) -> Result<Option<VersionInput>, InputFault> {
    let text = text.trim();
    match text {
        "" => return Ok(None),
        "auto" => return Ok(Some(VersionInput::Auto)),
        _ => {}
    }
    let example = "for example `1.2.3`, `v1.2.3-rc.1` or `auto`";
    let version = semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).map_err(|_| {
        InputFault::new("version", format!("`{}` is not a semantic version", shown(text))).hint(example)
    })?;
    // One more for the `v` that its tag starts with.
    if version.to_string().len() + 1 > Tag::MAX {
        let message =
            format!("`{}` is too long for a tag, which has up to {} characters", shown(text), Tag::MAX);
        return Err(InputFault::new("version", message));
    }
    Ok(Some(VersionInput::Semver(version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, expected) in [
            ("1.2.3", "1.2.3"),
            ("v1.2.3", "1.2.3"),
            ("v1.2.3-rc.1+build.5", "1.2.3-rc.1+build.5"),
            (" 0.0.0\n", "0.0.0"),
        ] {
            let expected = semver::Version::parse(expected).unwrap();
            assert_eq!(parse(text), Ok(Some(VersionInput::Semver(expected))), "{text}");
        }
        assert_eq!(parse("auto"), Ok(Some(VersionInput::Auto)));
        assert_eq!(parse(" "), Ok(None));
        for bad in [
            "1.2",
            "1",
            "latest",
            "v1.2.3.4",
            "vv1.2.3",
            "V1.2.3",
            "01.2.3",
            "1.2.3-",
            "1.2.3-01",
            "main",
            "refs/tags/v1.2.3",
            "1.2.3 4",
            "AUTO",
            "1.2.3\n::error::x",
            "v",
        ] {
            let fault = parse(bad).unwrap_err().to_string();
            assert!(fault.contains("for example `1.2.3`") && !fault.contains('\n'), "{bad}: {fault}");
        }
        let long = format!("1.2.3-{}", "a".repeat(121));
        assert!(parse(&long).is_ok());
        assert!(parse(&format!("{long}a")).unwrap_err().message.contains("too long"));
    }
}
