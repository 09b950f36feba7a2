//! Which images a solve resolved: read from its steps' names, to pin them in the next solve of the same build.
//!
//! A solve that failed answers with nothing but its error, so the steps are all that tells: BuildKit names the step of
//! a base image with the digest that it found (`[2/3] FROM docker.io/library/busybox:1@sha256:…`, a frontend's
//! `docker-image://docker.io/docker/dockerfile:1@sha256:…`). A source policy (BuildKit 0.11 and newer) then puts the
//! digest in where the next solve asks for the tag. Git and HTTP sources are not named with what was found. Of a Git context
//! the plan may know the commit: then the policy has the builder refuse another (`git.checksum`, BuildKit 0.24), and fetch it
//! without the history before it (`git.fetchbycommit`, 0.30); older ones pass over both.

use std::collections::BTreeMap;

use bollard_buildkit_proto::moby::buildkit::v1::sourcepolicy::{
    MatchType, Policy, PolicyAction, Rule, Selector, Update,
};

use crate::model::Digest;
use crate::plan::SourceCommit;
use crate::plan::build::PinnedImage;
use crate::progress::event::StatusUpdate;

/// More images than any Dockerfile has; a hostile daemon may name more.
const MOST: usize = 1000;
const SCHEME: &str = "docker-image://";

/// Images with the digest that each was resolved to.
#[derive(Clone, Debug, Default)]
pub struct Pins(BTreeMap<String, Option<Digest>>);

impl Pins {
    /// Takes note of what these steps' names say.
    pub fn note(&mut self, update: &StatusUpdate) {
        for image in update.vertexes.iter().filter_map(|vertex| pinned(&vertex.name)) {
            if self.0.len() >= MOST {
                return;
            }
            let known = self.0.entry(image.name).or_insert_with(|| Some(image.digest.clone()));
            // The Dockerfile names it with a digest besides: which of the two the tag means cannot be told.
            if known.as_ref() != Some(&image.digest) {
                *known = None;
            }
        }
    }

    /// Those that are known without doubt.
    pub fn images(&self) -> Vec<PinnedImage> {
        let known = self.0.iter().filter_map(|(name, digest)| Some((name, digest.as_ref()?)));
        known.map(|(name, digest)| PinnedImage { name: name.clone(), digest: digest.clone() }).collect()
    }
}

/// The image that a step's name says was resolved.
fn pinned(name: &str) -> Option<PinnedImage> {
    let step = name.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let (head, rest) = step.unwrap_or(("", name));
    let image = match rest.strip_prefix("FROM ") {
        Some(image) => image,
        None if head.starts_with("context ") => rest.strip_prefix(SCHEME).unwrap_or(rest),
        None => rest.strip_prefix(SCHEME)?,
    };
    let (name, digest) = image.split_once('@')?;
    // Whole names only, as BuildKit makes them: `docker.io/library/busybox:1`.
    let (path, tag) = name.rsplit_once(':')?;
    let whole =
        path.contains('/') && !tag.is_empty() && !tag.contains('/') && !name.contains(char::is_whitespace);
    let digest = Digest::parse(digest).ok().filter(|_| whole)?;
    Some(PinnedImage { name: name.to_owned(), digest })
}

/// The policy that pins these images, and a Git context to its commit; none if there is nothing to pin.
pub(super) fn policy(images: &[PinnedImage], context: Option<&SourceCommit>) -> Option<Policy> {
    let rule = |identifier: String, updates: Update| Rule {
        action: PolicyAction::Convert.into(),
        selector: Some(Selector { identifier, match_type: MatchType::Exact.into(), constraints: Vec::new() }),
        updates: Some(updates),
    };
    let images = images.iter().map(|PinnedImage { name, digest }| {
        let identifier = format!("{SCHEME}{name}@{digest}");
        rule(format!("{SCHEME}{name}"), Update { identifier, attrs: [].into() })
    });
    let context = context.map(|SourceCommit { source, commit, by_id }| {
        let checked = ("git.checksum".to_owned(), commit.to_string());
        let alone = by_id.then(|| ("git.fetchbycommit".to_owned(), "true".to_owned()));
        let attrs = [checked].into_iter().chain(alone).collect();
        rule(source.clone(), Update { identifier: source.clone(), attrs })
    });
    let rules: Vec<Rule> = images.chain(context).collect();
    (!rules.is_empty()).then_some(Policy { version: 1, rules })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::event::Vertex;

    fn pins(names: &[String]) -> Vec<String> {
        let vertexes = names.iter().map(|name| Vertex { name: name.clone(), ..Vertex::default() }).collect();
        let mut pins = Pins::default();
        pins.note(&StatusUpdate { vertexes, ..StatusUpdate::default() });
        pins.images().into_iter().map(|image| format!("{}@{}", image.name, image.digest)).collect()
    }

    #[test]
    fn names_of_steps() {
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        let busybox = format!("docker.io/library/busybox:1@{one}");
        for name in [
            format!("FROM {busybox}"),
            format!("[1/3] FROM {busybox}"),
            format!("[linux/amd64 build 1/3] FROM {busybox}"),
            format!("docker-image://{busybox}"),
            format!("[context base] {busybox}"),
            format!("[context base] docker-image://{busybox}"),
        ] {
            assert_eq!(pins(std::slice::from_ref(&name)), [busybox.as_str()], "{name}");
        }
        let port = format!("127.0.0.1:5000/base:1@{one}");
        assert_eq!(pins(&[format!("[1/1] FROM {port}")]), [port.as_str()]);
        for name in [
            format!("[2/3] RUN echo FROM {busybox}"),
            format!("[1/3] FROM docker.io/library/busybox@{one}"),
            format!("[1/3] FROM busybox:1@{one}"),
            "[1/3] FROM docker.io/library/busybox:1".to_owned(),
            "[1/3] FROM docker.io/library/busybox:1@sha256:12".to_owned(),
            "[internal] load build definition from Dockerfile".to_owned(),
            "FROM scratch".to_owned(),
            String::new(),
        ] {
            assert_eq!(pins(std::slice::from_ref(&name)), Vec::<String>::new(), "{name}");
        }
        let other = format!("docker.io/library/busybox:1@{two}");
        let doubt = [format!("FROM {busybox}"), format!("FROM {other}"), format!("FROM {busybox}")];
        assert_eq!(pins(&doubt), Vec::<String>::new(), "two answers are none");
    }

    #[test]
    fn a_policy_replaces_the_tag() {
        assert_eq!(policy(&[], None), None);
        let image = PinnedImage { name: "r.io/a:1".into(), digest: Digest::of(b"one") };
        let rule = &policy(std::slice::from_ref(&image), None).unwrap().rules[0];
        assert_eq!(rule.selector.as_ref().unwrap().identifier, "docker-image://r.io/a:1");
        assert_eq!(
            rule.updates.as_ref().unwrap().identifier,
            format!("docker-image://r.io/a:1@{}", image.digest)
        );
    }

    #[test]
    fn a_policy_has_another_commit_refused() {
        let (source, commit) = ("git://h/a/b.git#main:api", "1".repeat(40));
        let of = |by_id| {
            let commit = crate::model::CommitId::parse(&commit).unwrap();
            let rules =
                policy(&[], Some(&SourceCommit { source: source.into(), commit, by_id })).unwrap().rules;
            let Update { identifier, attrs } = rules[0].updates.clone().unwrap();
            assert_eq!((rules.len(), identifier.as_str()), (1, source));
            assert_eq!(rules[0].selector.as_ref().unwrap().identifier, source);
            let mut attrs: Vec<String> =
                attrs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
            attrs.sort();
            attrs
        };
        assert_eq!(of(false), [format!("git.checksum={commit}")]);
        assert_eq!(of(true), [format!("git.checksum={commit}"), "git.fetchbycommit=true".into()]);
    }
}
