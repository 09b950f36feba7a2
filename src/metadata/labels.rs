//! The labels of an image: the OCI annotation keys that can be known, then what the user wrote.
//!
//! Source: the image specification's `annotations.md`; the eight keys of docker/metadata-action, but `created` is
//! the commit's time, so that the same commit gives the same labels. Of what is built from another repository nothing is
//! said that is so of the run's own one only.

use std::collections::BTreeMap;

use super::{Metadata, Origin, date};
use crate::rules::{Input, Place, Scope, Template, Values};
use crate::runner::context::RunnerContext;

/// The prefix of the keys that the specification defines.
pub const OCI: &str = "org.opencontainers.image.";

/// The key of the creation time.
pub const CREATED: &str = "org.opencontainers.image.created";
/// The key of the commit.
pub const REVISION: &str = "org.opencontainers.image.revision";

/// The value of a label or an annotation, with what its expressions stand for. One that is none, which the inputs do not let
/// through, stays as it is.
pub fn written(text: &str, values: &Values) -> String {
    let place = Place { input: Input::Labels, line: 1, column: 1 };
    Template::parse(text, Scope::TEXT, place).map_or_else(|_| text.to_owned(), |text| text.render(values))
}

/// All labels. A default that is unknown or empty is left out; the user's replace defaults, the last of a
/// key counts, and an empty value of theirs is kept.
pub fn labels(
    context: &RunnerContext,
    metadata: &Metadata,
    added: &[(String, String)],
) -> BTreeMap<String, String> {
    let repository = &context.repository;
    let (description, source, licenses) = match &metadata.origin {
        Origin::Own => {
            (repository.description.clone(), repository.html_url.clone(), repository.license.clone())
        }
        Origin::Other(page) => (String::new(), page.clone().unwrap_or_default(), String::new()),
    };
    let defaults = [
        ("title", repository.name.clone()),
        ("description", description),
        ("url", repository.html_url.clone()),
        ("source", source),
        ("version", metadata.version.clone().unwrap_or_default()),
        ("created", metadata.created.map(date::rfc3339).unwrap_or_default()),
        ("revision", metadata.built.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("licenses", licenses),
    ];
    let known = defaults.into_iter().filter(|(_, value)| !value.is_empty());
    let added = added.iter().map(|(key, text)| (key.clone(), written(text, &metadata.values)));
    known.map(|(key, value)| (format!("{OCI}{key}"), value)).chain(added).collect()
}
