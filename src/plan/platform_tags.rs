//! Further tags for single platforms, made of the tags of the image.
//!
//! Each is on one platform's manifest of whatever the tag is on that it is made of: it has no order of its own, and goes
//! where that one goes (`order::Following`).

use serde::Serialize;

use super::error::PlanError;
use crate::inputs::config::PlatformTagName;
use crate::metadata::PlannedTag;
use crate::model::{Platform, Repository, Tag};
use crate::rules::Values;

/// A tag on the image of one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlatformTag {
    /// The tag.
    pub tag: Tag,
    /// The tag of the whole image that it is made of, and goes with.
    pub of: Tag,
    /// The platform.
    pub platform: Platform,
    /// The only repository that it is put in; `None`: every one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
}

impl PlatformTag {
    /// Whether it is put in this repository.
    pub fn is_for(&self, repository: &Repository) -> bool {
        self.repository.as_ref().is_none_or(|only| only == repository)
    }
}

/// The tags of these names, for each tag of the image and each of its platforms.
///
/// # Errors
/// A name makes no tag, or one that is another's already.
pub(super) fn platform_tags(
    names: &[PlatformTagName],
    tags: &[PlannedTag],
    platforms: &[Platform],
) -> Result<Vec<PlatformTag>, PlanError> {
    let mut made: Vec<PlatformTag> = Vec::new();
    for base in tags {
        for (platform, name) in platforms.iter().flat_map(|one| names.iter().map(move |name| (one, name))) {
            let text = name.template.render(&values(&base.tag, platform));
            let fault = |problem: String| PlanError::PlatformTag {
                name: name.text.clone(),
                text: text.clone(),
                problem,
            };
            let Ok(tag) = Tag::parse(&text) else {
                return Err(fault(format!(
                    "for `{platform}`, which is not a tag: {} characters of letters, digits, `.`, `_` and `-` at most, and neither `.` nor `-` first",
                    Tag::MAX
                )));
            };
            let new = PlatformTag {
                tag,
                of: base.tag.clone(),
                platform: platform.clone(),
                repository: base.repository.clone(),
            };
            if let Some(other) =
                tags.iter().find(|other| other.tag == new.tag && meet(other.repository.as_ref(), &new))
            {
                return Err(fault(format!(
                    "for `{platform}`, which is a tag of the whole image: {}",
                    other.reason
                )));
            }
            match made.iter().find(|other| other.tag == new.tag && meet(other.repository.as_ref(), &new)) {
                None => made.push(new),
                Some(other) if (&other.of, &other.platform) == (&new.of, &new.platform) => {}
                Some(other) if other.platform == new.platform => {
                    return Err(fault(format!("for `{platform}` of both `{}` and `{}`", other.of, new.of)));
                }
                Some(other) => {
                    return Err(fault(format!(
                        "for both `{}` and `{platform}`: `{{{{arch}}}}`, `{{{{variant}}}}` and `{{{{os}}}}` tell platforms apart",
                        other.platform
                    )));
                }
            }
        }
    }
    Ok(made)
}

/// Whether a tag for this repository, or for all, and another one are put in one.
fn meet(repository: Option<&Repository>, other: &PlatformTag) -> bool {
    repository.zip(other.repository.as_ref()).is_none_or(|(one, other)| one == other)
}

fn values(tag: &Tag, platform: &Platform) -> Values {
    let names = vec![
        ("tag", tag.to_string()),
        ("os", platform.os().to_owned()),
        ("arch", platform.architecture().to_owned()),
        ("variant", platform.variant().to_owned()),
    ];
    Values { names, ..Values::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Policy, TagSource};
    use crate::rules::{Input, Place, Scope, Template};

    impl PlatformTagName {
        /// As the input's only line has it.
        pub(in crate::plan) fn of(text: &str) -> Self {
            let place = Place { input: Input::PlatformTags, line: 1, column: 1 };
            let template = Template::parse(text, Scope::PLATFORM_TAG, place).unwrap();
            Self { text: format!("`{text}`"), template }
        }
    }

    /// `tag` for every repository, `repository:tag` for one.
    fn tags(text: &str) -> Vec<PlannedTag> {
        let tag = |text: &str| {
            let (repository, tag) = text.rsplit_once(':').map_or((None, text), |(one, tag)| (Some(one), tag));
            let planned =
                PlannedTag::new(Tag::parse(tag).unwrap(), (TagSource::Rule(1), Policy::MOVING), "line 1");
            PlannedTag { repository: repository.map(|one| Repository::parse(one).unwrap()), ..planned }
        };
        text.split_whitespace().map(tag).collect()
    }

    fn made(names: &[&str], of: &str, platforms: &str) -> Result<String, String> {
        let names: Vec<PlatformTagName> = names.iter().map(|text| PlatformTagName::of(text)).collect();
        let platforms: Vec<Platform> =
            platforms.split_whitespace().map(|one| Platform::parse(one).unwrap()).collect();
        let all = platform_tags(&names, &tags(of), &platforms).map_err(|error| error.to_string())?;
        let text = |one: &PlatformTag| {
            let repository = one.repository.as_ref().map(|only| format!("{only}:")).unwrap_or_default();
            format!("{repository}{}={}:{}", one.tag, one.of, one.platform)
        };
        Ok(all.iter().map(text).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn names_and_what_they_make() {
        let both = "linux/amd64 linux/arm64";
        for (names, of, platforms, expected) in [
            (&[][..], "1.2", both, ""),
            (
                &["{{tag}}-{{arch}}"],
                "1.2 latest",
                both,
                "1.2-amd64=1.2:linux/amd64 1.2-arm64=1.2:linux/arm64 latest-amd64=latest:linux/amd64 latest-arm64=latest:linux/arm64",
            ),
            (
                &["{{os}}_{{arch}}{{variant}}-{{tag}}"],
                "1",
                "linux/arm/v6 linux/arm/v7 linux/386",
                "linux_armv6-1=1:linux/arm/v6 linux_armv7-1=1:linux/arm/v7 linux_386-1=1:linux/386",
            ),
            (
                &["{{tag}}-{{arch}}", "{{tag}}-{{os}}-{{arch}}"],
                "1",
                "linux/amd64",
                "1-amd64=1:linux/amd64 1-linux-amd64=1:linux/amd64",
            ),
            (&["{{tag}}-{{arch}}", "{{tag}}-amd64"], "1", "linux/amd64", "1-amd64=1:linux/amd64"),
            (&["{{tag}}-one"], "1", "linux/amd64", "1-one=1:linux/amd64"),
            (
                &["{{tag}}-{{arch}}"],
                "r.io/a:1 r.io/b:1",
                "linux/amd64",
                "r.io/a:1-amd64=1:linux/amd64 r.io/b:1-amd64=1:linux/amd64",
            ),
            (
                &["{{tag}}-{{arch}}"],
                "r.io/a:1 r.io/b:1-amd64",
                "linux/amd64",
                "r.io/a:1-amd64=1:linux/amd64 r.io/b:1-amd64-amd64=1-amd64:linux/amd64",
            ),
            (&["{{tag}}-{{arch}}"], "", both, ""),
        ] {
            assert_eq!(made(names, of, platforms), Ok(expected.into()), "{names:?} {of}");
        }
    }

    #[test]
    fn names_that_say_too_little_or_too_much() {
        let long = "a".repeat(125);
        for (names, of, platforms, part) in [
            (
                "{{tag}}-x",
                "1",
                "linux/amd64 linux/arm64",
                "`platform_tags`: `{{tag}}-x` makes `1-x` for both `linux/amd64` and `linux/arm64`",
            ),
            ("{{tag}}-{{arch}}", "1", "linux/arm/v6 linux/arm/v7", "makes `1-arm` for both"),
            (
                "{{tag}}{{variant}}",
                "1",
                "linux/amd64",
                "makes `1` for `linux/amd64`, which is a tag of the whole image: line 1",
            ),
            (
                "{{tag}}-{{arch}}",
                "1 1-amd64",
                "linux/amd64",
                "makes `1-amd64` for `linux/amd64`, which is a tag of the whole image",
            ),
            ("{{tag}}-{{arch}}", "r.io/a:1 1-amd64", "linux/amd64", "which is a tag of the whole image"),
            ("{{tag}}-{{arch}}", &long, "linux/amd64", "which is not a tag: 128 characters"),
            ("-{{tag}}", "1", "linux/amd64", "which is not a tag"),
        ] {
            let error = made(&[names], of, platforms).unwrap_err();
            assert!(error.contains(part), "{names}: {error}");
        }
        let of_both = made(&["{{tag}}-a", "{{tag}}-b-a"], "1 1-b", "linux/amd64").unwrap_err();
        assert!(of_both.contains("makes `1-b-a` for `linux/amd64` of both `1` and `1-b`"), "{of_both}");
    }
}
