//! `build_contexts`: `name=source` lines.
//!
//! Names are made familiar as buildx does (`buildflags.ParseContextNames`), sources are told apart as in its
//! `build/opt.go`. An image of an OCI layout is pinned here: BuildKit takes digests only.

use serde::Deserialize;

use super::fault::{Findings, InputFault, shown};
use super::shared::Shared;
use super::{files, parse, remote};
use crate::model::{Digest, NamedContext, NamedSource};
use crate::runner::context::RunnerContext;

const INPUT: &str = "build_contexts";

/// Reads the named contexts, in order; a name that is given twice is a fault.
pub(super) fn read(
    text: &str,
    shared: &Shared<'_>,
    context: &RunnerContext,
    findings: &mut Findings,
) -> Vec<NamedContext> {
    let mut all: Vec<NamedContext> = Vec::new();
    for (number, line) in parse::entries(text) {
        let Some(named) = findings.take(named(number, line, shared, context)) else { continue };
        if all.iter().any(|other| other.name == named.name) {
            findings.faults.push(InputFault::new(INPUT, format!("`{}` is given twice", named.name)));
        }
        all.push(named);
    }
    all
}

/// Reads one line, `name=source`.
fn named(
    number: usize,
    line: &str,
    shared: &Shared<'_>,
    context: &RunnerContext,
) -> Result<NamedContext, InputFault> {
    let Some((name, source)) = line.split_once('=') else {
        let message = format!("line {number} has no `=`");
        return Err(InputFault::new(INPUT, message)
            .hint("for example `base=docker-image://alpine:3.22` or `lib=../lib`"));
    };
    let name = parse::image(INPUT, name.trim())
        .map_err(|_| InputFault::new(INPUT, format!("`{}` cannot name a context", shown(name))))?
        .familiar();
    Ok(NamedContext { name, source: source_of(source.trim(), shared, context)? })
}

/// Reads the source of a context: an image, a layout, a URL, or a directory of the workspace.
fn source_of(text: &str, shared: &Shared<'_>, context: &RunnerContext) -> Result<NamedSource, InputFault> {
    if let Some(image) = text.strip_prefix("docker-image://") {
        parse::image(INPUT, image)?;
        return Ok(NamedSource::Remote(text.to_owned()));
    }
    if let Some(layout) = text.strip_prefix("oci-layout://") {
        return oci_layout(layout, shared, context);
    }
    if let Some(url) = remote::url(INPUT, text, &context.server_url) {
        return url.map(NamedSource::Remote);
    }
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    if text.starts_with("target:") || text.starts_with("input:") || scheme.is_some() {
        let what = scheme.or_else(|| text.split(':').next()).unwrap_or_default();
        let message = format!("`{}` is not a source of a context here", shown(what));
        let hint = "a directory, `docker-image://…`, a Git or HTTP URL, or `oci-layout://…`";
        return Err(InputFault::new(INPUT, message).hint(hint));
    }
    let workspace = files::workspace(&context.paths)?;
    files::context(INPUT, text, &workspace, &context.paths).map(NamedSource::Directory)
}

/// Reads the source `PATH[:tag][@digest]`, an image of an OCI layout in the workspace, and finds its digest where only a tag is
/// given.
fn oci_layout(text: &str, shared: &Shared<'_>, context: &RunnerContext) -> Result<NamedSource, InputFault> {
    let (path, digest) = match text.split_once('@') {
        Some((path, digest)) => {
            let digest = Digest::parse(digest).map_err(|error| InputFault::new(INPUT, error.to_string()))?;
            (path, Some(digest))
        }
        None => (text, None),
    };
    let colon = path.rfind(':').filter(|colon| !path[*colon..].contains('/'));
    let (path, tag) = colon.map_or((path, None), |at| (&path[..at], Some(&path[at + 1..])));
    let workspace = files::workspace(&context.paths)?;
    let directory = files::context(INPUT, path, &workspace, &context.paths)?;
    let index = shared.text(INPUT, &format!("{}/index.json", path.trim_end_matches('/')))?;
    let digest = digest.map_or_else(|| resolved(&index, tag, path), Ok)?;
    Ok(NamedSource::OciLayout { directory, digest })
}

/// The document that a tag names in a layout's index; without a tag the only one, else `latest`.
fn resolved(index: &str, tag: Option<&str>, path: &str) -> Result<Digest, InputFault> {
    #[derive(Deserialize)]
    struct Index {
        #[serde(default)]
        manifests: Vec<Descriptor>,
    }
    #[derive(Deserialize)]
    struct Descriptor {
        digest: Digest,
        #[serde(default)]
        annotations: Option<std::collections::BTreeMap<String, String>>,
    }
    let fault = |message: String| InputFault::new(INPUT, format!("the layout `{}` {message}", shown(path)));
    let index: Index = serde_json::from_str(index)
        .map_err(|error| fault(format!("has an `index.json` that is not valid (line {})", error.line())))?;
    let is = |descriptor: &Descriptor, tag: &str| {
        let name =
            descriptor.annotations.as_ref().and_then(|all| all.get("org.opencontainers.image.ref.name"));
        name.is_some_and(|name| name == tag || name.rsplit_once(':').is_some_and(|(_, last)| last == tag))
    };
    match (tag, index.manifests.as_slice()) {
        (_, []) => Err(fault("is empty".into())),
        (None, [only]) => Ok(only.digest.clone()),
        (tag, many) => {
            let tag = tag.unwrap_or("latest");
            let found = many.iter().find(|descriptor| is(descriptor, tag));
            found.map(|descriptor| descriptor.digest.clone()).ok_or_else(|| {
                fault(format!("has no image `{}` among its {}", shown(tag), many.len()))
                    .hint("name one by `:tag` or `@sha256:…`")
            })
        }
    }
}

#[cfg(test)]
#[path = "named_contexts_tests.rs"]
mod tests;
