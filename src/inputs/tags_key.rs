//! What decides the tags of an image, as one key: jobs of a run that are to meet have the same.
//!
//! The legs of an image and their merge are given it by the workflow, each for itself, so it is made of what the
//! workflow says and of nothing that one of the jobs alone could find out. Two variants of an image that a run builds
//! side by side have tags of their own, so they differ here; those that do not would overwrite each other's tags.
//! Nothing of the build is in it (target, arguments, the Dockerfile), as a merge is given none of that; nor is what
//! says whether a tag may move (`existing_version`, `hold_back`, `push`), as it names none.
//!
//! Repositories are compared as they are understood, since several inputs name them; all else as text, line by line. A
//! record in a registry carries the key: its JSON has a version, and an input that says nothing is left out, so that
//! an input of a later version changes no key of a workflow that does not use it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::raw::RawInputs;
use crate::model::{Digest, Repository};

/// The inputs that decide the tags, for people: jobs that are to meet say the same in each.
pub const INPUTS: &[&str] = &[
    "repository",
    "registry",
    "image_name",
    "tags",
    "flavor",
    "platform_tags",
    "version",
    "metadata_context",
    "sha_length",
    "latest_branch",
];

/// The version of the JSON below.
const SCHEMA: u32 = 1;

/// How an input is found.
type Text = fn(&RawInputs) -> &str;

/// Those of them that count by their text. Whatever names a tag belongs here, and in [`INPUTS`].
const TEXTS: &[(&str, Text)] = &[
    ("tags", |inputs| &inputs.tags),
    ("flavor", |inputs| &inputs.flavor),
    ("platform_tags", |inputs| &inputs.platform_tags),
    ("version", |inputs| &inputs.version),
    ("metadata_context", |inputs| &inputs.metadata_context),
    ("sha_length", |inputs| &inputs.sha_length),
    ("latest_branch", |inputs| &inputs.latest_branch),
];

#[derive(Serialize)]
struct Document {
    schema: u32,
    repositories: BTreeSet<String>,
    /// By name; only what says something.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    inputs: BTreeMap<&'static str, String>,
}

/// Makes the key of an image that goes to these repositories.
pub(super) fn tags_key<'a>(
    inputs: &RawInputs,
    repositories: impl IntoIterator<Item = &'a Repository>,
) -> Digest {
    Digest::of(&json(inputs, repositories))
}

fn json<'a>(inputs: &RawInputs, repositories: impl IntoIterator<Item = &'a Repository>) -> Vec<u8> {
    let texts = TEXTS.iter().map(|(name, text)| (*name, lines(text(inputs))));
    let document = Document {
        schema: SCHEMA,
        repositories: repositories.into_iter().map(ToString::to_string).collect(),
        inputs: texts.filter(|(_, text)| !text.is_empty()).collect(),
    };
    // A number and texts: nothing in them can fail.
    serde_json::to_vec(&document).unwrap_or_default()
}

/// The lines that say something, without blanks around them: YAML has many ways to write them.
fn lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repositories(names: &[&str]) -> Vec<Repository> {
        names.iter().map(|name| Repository::parse(name).unwrap()).collect()
    }

    fn document(inputs: &RawInputs, names: &[&str]) -> String {
        String::from_utf8(json(inputs, &repositories(names))).unwrap()
    }

    /// The jobs of a run may be started by two versions of this action.
    #[test]
    fn golden_keys() {
        let least = r#"{"schema":1,"repositories":["ghcr.io/acme/shop/api"]}"#;
        assert_eq!(document(&RawInputs::default(), &["ghcr.io/acme/shop/api"]), least);
        assert_eq!(
            tags_key(&RawInputs::default(), &repositories(&["ghcr.io/acme/shop/api"])).as_str(),
            "sha256:15119843fda869534b45a76d71310d7008f07c3ca6399d03798120aacc92ea71"
        );
        let full = RawInputs {
            version: "v1.2.3".into(),
            sha_length: "7".into(),
            latest_branch: "trunk".into(),
            ..RawInputs::default()
        };
        let names = ["ghcr.io/acme/shop/api", "docker.io/acme/api"];
        assert_eq!(
            document(&full, &names),
            r#"{"schema":1,"repositories":["docker.io/acme/api","ghcr.io/acme/shop/api"],"inputs":{"latest_branch":"trunk","sha_length":"7","version":"v1.2.3"}}"#
        );
        assert_eq!(
            tags_key(&full, &repositories(&names)).as_str(),
            "sha256:aa5e0efc63b70f7f3c82c61ac8725dc1b7cb01cf54122a373b7cd5cff67f70d0"
        );
    }

    #[test]
    fn what_names_a_tag_counts_and_nothing_else() {
        let key = |change: fn(&mut RawInputs)| {
            let mut inputs = RawInputs::default();
            change(&mut inputs);
            tags_key(&inputs, &repositories(&["r.io/a"]))
        };
        let plain = key(|_| {});
        for change in [
            (|inputs| inputs.version = "1.2.3".into()) as fn(&mut RawInputs),
            |inputs| inputs.tags = "type=sha".into(),
            |inputs| inputs.flavor = "suffix=-alpine".into(),
            |inputs| inputs.platform_tags = "{{tag}}-{{arch}}".into(),
            |inputs| inputs.metadata_context = "git".into(),
            |inputs| inputs.sha_length = "7".into(),
            |inputs| inputs.latest_branch = "trunk".into(),
        ] {
            assert_ne!(key(change), plain);
        }
        for change in [
            (|inputs| inputs.version = " \r\n".into()) as fn(&mut RawInputs),
            |inputs| inputs.image_name = "the repositories say it".into(),
            |inputs| inputs.platform = "linux/amd64".into(),
            |inputs| inputs.target = "web".into(),
            |inputs| inputs.build_args = "A=1".into(),
            |inputs| inputs.mode = "merge".into(),
            |inputs| inputs.push = "true".into(),
            |inputs| inputs.existing_version = "skip".into(),
            |inputs| inputs.labels = "a=1".into(),
        ] {
            assert_eq!(key(change), plain);
        }
        assert_ne!(tags_key(&RawInputs::default(), &repositories(&["r.io/b"])), plain);
        let both = |names: &[&str]| tags_key(&RawInputs::default(), &repositories(names));
        assert_eq!(both(&["r.io/a", "r.io/b"]), both(&["r.io/b", "r.io/a"]));
        assert_ne!(both(&["r.io/a", "r.io/b"]), plain);
        assert_eq!(lines(" a \r\n\n\tb\n"), "a\nb");
    }

    #[test]
    fn every_text_is_among_the_inputs_that_people_are_told() {
        for (name, _) in TEXTS {
            assert!(INPUTS.contains(name), "{name}");
            assert!(crate::inputs::table::INPUTS.iter().any(|input| input.name == *name), "{name}");
        }
        for name in INPUTS {
            assert!(crate::inputs::table::INPUTS.iter().any(|input| input.name == *name), "{name}");
        }
    }
}
