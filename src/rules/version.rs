//! The version that a tag stands for, and which of two is later.

use std::cmp::Ordering;
use std::fmt;

use super::pep440::Pep440;
use super::rule::Scheme;

/// A version, as `type=semver` or `type=pep440` reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleVersion {
    /// A semantic version.
    Semver(semver::Version),
    /// A Python package's.
    Pep440(Pep440),
}

impl RuleVersion {
    /// Reads a version: semantic ones exactly, but for a leading `v`; Python's in any of its spellings.
    pub(crate) fn parse(scheme: Scheme, text: &str) -> Option<Self> {
        match scheme {
            Scheme::Semver => semver_of(text).map(Self::Semver),
            Scheme::Pep440 => Pep440::parse(text).map(Self::Pep440),
        }
    }

    /// How this version compares with another image's, which is what its version label says. `None` if that is no version
    /// of the same kind, or neither comes first.
    pub fn compare(&self, label: &str) -> Option<Ordering> {
        match self {
            Self::Semver(version) => semver_of(label).map(|other| version.cmp_precedence(&other)),
            Self::Pep440(version) => Pep440::parse(label).and_then(|other| version.partial_cmp(&other)),
        }
    }

    /// Whether the version is a release like any other: no pre-release; of Python's, no post- or development release.
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Self::Semver(version) => version.pre.is_empty(),
            Self::Pep440(version) => !version.is_special(),
        }
    }

    /// The parts that a pattern can name. `raw`: the text that the version was read from.
    pub(crate) fn parts(&self, raw: &str) -> Vec<(&'static str, String)> {
        let commas = |text: &str| text.replace('.', ",");
        let mut parts = vec![("raw", raw.to_owned()), ("version", self.name())];
        match self {
            Self::Semver(version) => parts.extend([
                ("major", version.major.to_string()),
                ("minor", version.minor.to_string()),
                ("patch", version.patch.to_string()),
                ("prerelease", commas(&version.pre)),
                ("build", commas(&version.build)),
            ]),
            Self::Pep440(version) => {
                let names = ["major", "minor", "patch"].into_iter().enumerate();
                parts.extend(names.map(|(index, name)| (name, version.release(index).to_owned())));
            }
        }
        parts
    }

    /// What `{{version}}` is: without build metadata; of Python's the normal form, whose local part metadata-action joins by
    /// something else than points.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Semver(version) => {
                let release = semver::Version { build: semver::BuildMetadata::EMPTY, ..version.clone() };
                release.to_string()
            }
            Self::Pep440(version) => {
                let normal = version.normal();
                match normal.split_once('+') {
                    Some((public, local)) => format!("{public}+{}", local.replace('.', ",")),
                    None => normal,
                }
            }
        }
    }
}

impl fmt::Display for RuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Semver(version) => fmt::Display::fmt(version, f),
            Self::Pep440(version) => f.write_str(&version.normal()),
        }
    }
}

/// A semantic version as npm's reader takes it: blanks around it, a leading `v`, numbers that JavaScript can count to.
fn semver_of(text: &str) -> Option<semver::Version> {
    const LONGEST: usize = 256;
    const HIGHEST: u64 = (1 << 53) - 1;
    let trimmed = text.trim();
    let version = semver::Version::parse(trimmed.strip_prefix('v').unwrap_or(trimmed)).ok()?;
    let countable = [version.major, version.minor, version.patch].iter().all(|number| *number <= HIGHEST);
    (countable && text.len() <= LONGEST).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_version_is_later() {
        use Ordering::{Equal, Greater, Less};
        for (scheme, ours, label, expected) in [
            (Scheme::Semver, "v1.2.9", "2.0.0", Some(Less)),
            (Scheme::Semver, "2.0.0", "v1.2.9", Some(Greater)),
            (Scheme::Semver, "1.2.3", "1.2.3", Some(Equal)),
            (Scheme::Semver, "1.2.3+a", "1.2.3+b", Some(Equal)),
            (Scheme::Semver, "1.10.0", "1.9.0", Some(Greater)),
            (Scheme::Semver, "1.0.0-rc.1", "1.0.0", Some(Less)),
            (Scheme::Semver, "1.0.0", "main", None),
            (Scheme::Semver, "1.0.0", "1.0", None),
            (Scheme::Pep440, "1.0", "1.0rc1", Some(Greater)),
            (Scheme::Pep440, "1.0", "1.0.0", None),
            (Scheme::Pep440, "1.0", "nightly", None),
        ] {
            let ours = RuleVersion::parse(scheme, ours).unwrap();
            assert_eq!(ours.compare(label), expected, "{ours} and {label}");
        }
    }

    #[test]
    fn what_is_a_semantic_version() {
        for (text, expected) in [
            ("v1.2.3", true),
            (" 1.2.3-rc.1+b.2 ", true),
            ("1.2", false),
            ("V1.2.3", false),
            ("=1.2.3", false),
            ("vv1.2.3", false),
            ("01.2.3", false),
            ("1.2.3-01", false),
            ("9007199254740991.0.0", true),
            ("9007199254740992.0.0", false),
            ("99999999999999999999.0.0", false),
            (&format!("1.2.3-{}", "a".repeat(251)), false),
        ] {
            assert_eq!(semver_of(text).is_some(), expected, "{text}");
        }
    }
}
