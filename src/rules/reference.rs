//! Whole references in `tags`, as build-push-action takes them: `ghcr.io/acme/api:1.2`.
//!
//! No tag has a `:`, so a word with one is a reference. The tag may have expressions, the repository may not: what a run
//! pushes to, and with which login, stands in the workflow.

use super::fault::{Fault, Place, shown};
use super::template::{Scope, Template};
use crate::model::{Repository, Tag};

/// Whether a word is meant as a reference: it has a `:`, an `@`, or begins with a registry's host.
pub(super) fn looks_like_one(text: &str) -> bool {
    let plain = outside(text);
    let host = |host: &str| host.contains('.') || host.eq_ignore_ascii_case("localhost");
    plain.contains(':')
        || plain.split_once('/').is_some_and(|(first, rest)| rest.contains('@') || host(first))
}

/// The text with what is within braces left out.
fn outside(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        plain.push_str(before);
        rest = after.split_once("}}").map_or("", |(_, rest)| rest);
    }
    plain + rest
}

/// Reads a reference that begins at this place.
pub(super) fn parse(text: &str, place: Place) -> Result<(Repository, Template), Vec<Fault>> {
    let fault = |message: String, hint: &str| Err(vec![place.fault(message).hint(hint)]);
    let braces = text.find("{{").unwrap_or(text.len());
    // A `:` before the first `/` is a port's; a tag that has a `/` is told of as a tag.
    let start = text[..braces].find('/').map_or(0, |at| at + 1);
    if text[..braces].contains('@') {
        return fault(
            format!("{} has a digest: the image is made by this run, and only then has one", shown(text)),
            "write repository and tag: `ghcr.io/acme/api:1.2`",
        );
    }
    let Some(colon) = text[start..braces].find(':').map(|at| start + at) else {
        if braces < text.len() {
            return fault(
                format!("the repository of {} has an expression", shown(text)),
                "only the tag of a whole reference can have one: `ghcr.io/acme/api:{{branch}}`",
            );
        }
        return fault(
            format!("the reference {} has no tag", shown(text)),
            "repositories stand in `repository`; here, write `ghcr.io/acme/api:1.2`, or `type=raw,value=…` for a tag",
        );
    };
    let (name, tag) = (&text[..colon], &text[colon + 1..]);
    let repository = Repository::parse(name).map_err(|error| {
        let fault = place.fault(error.to_string());
        let of_docker_hub = Repository::parse(&format!("docker.io/{name}")).is_ok();
        let hint = format!("on Docker Hub it is called {}", shown(&format!("docker.io/{text}")));
        vec![if of_docker_hub && !name.is_empty() { fault.hint(hint) } else { fault }]
    });
    let at = place.after(text[..=colon].chars().count());
    let tag = Template::parse(tag, Scope::GLOBAL, at).and_then(|template| {
        let legal = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        let wrong = match template.literal() {
            Some(literal) => Tag::parse(literal).is_err(),
            None => !template.literals().all(legal),
        };
        let told = || {
            at.fault(format!(
                "{} cannot be a tag (up to {} of letters, digits, `_`, `.` and `-`, not starting with `.` or `-`)",
                shown(tag),
                Tag::MAX
            ))
        };
        if wrong { Err(vec![told()]) } else { Ok(template) }
    });
    match (repository, tag) {
        (Ok(repository), Ok(tag)) => Ok((repository, tag)),
        (repository, tag) => Err(repository.err().into_iter().chain(tag.err()).flatten().collect()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fault::Input;
    use super::*;

    const PLACE: Place = Place { input: Input::Tags, line: 1, column: 1 };

    #[test]
    fn what_looks_like_a_reference() {
        for (text, expected) in [
            ("ghcr.io/acme/api:1.2", true),
            ("acme/api:1.2", true),
            ("api:1", true),
            ("localhost:5000/api", true),
            ("localhost/api", true),
            ("ghcr.io/acme/api", true),
            ("ghcr.io/acme/api:{{branch}}", true),
            ("acme/api@sha256:00", true),
            ("latest", false),
            ("1.2.3", false),
            ("feature/x", false),
            ("{{date 'HH:mm'}}", false),
            ("x-{{date 'HH:mm'}}", false),
        ] {
            assert_eq!(looks_like_one(text), expected, "{text}");
        }
    }

    #[test]
    fn references() {
        for (text, repository, tag) in [
            ("ghcr.io/Acme/API:1.2", "ghcr.io/acme/api", "1.2"),
            ("localhost:5000/api:x", "localhost:5000/api", "x"),
            ("docker.io/nginx:x", "docker.io/library/nginx", "x"),
        ] {
            let (found, template) = parse(text, PLACE).unwrap();
            assert_eq!((found.to_string().as_str(), template.literal()), (repository, Some(tag)), "{text}");
        }
        let (_, template) = parse("ghcr.io/a/b:{{branch}}-x", PLACE).unwrap();
        assert!(template.uses("branch"));
    }

    #[test]
    fn references_that_are_none() {
        for (text, column, words) in [
            (
                "acme/api:1",
                1,
                "names no registry (for example `ghcr.io/acme/api`) (on Docker Hub it is called `docker.io/acme/api:1`)",
            ),
            ("api:1", 1, "`docker.io/api:1`"),
            ("ghcr.io/acme/api", 1, "has no tag (repositories stand in `repository`"),
            ("localhost:5000/api", 1, "has no tag"),
            ("ghcr.io/a/b:", 13, "cannot be a tag"),
            ("ghcr.io/a/b:-x", 13, "cannot be a tag"),
            ("ghcr.io/a/b:x y", 13, "cannot be a tag"),
            ("ghcr.io/a/b:x+{{sha}}", 13, "cannot be a tag"),
            ("ghcr.io/a/b:x:y", 13, "cannot be a tag"),
            ("ghcr.io/a/b:feature/x", 13, "`feature/x` cannot be a tag"),
            ("localhost:5000/a/b:x/{{sha}}", 20, "cannot be a tag"),
            ("ghcr.io/a/b:{{x}}", 13, "no expression `{{x}}`"),
            ("ghcr.io/{{branch}}/b:x", 1, "has an expression"),
            ("ghcr.io/a/b:1@sha256:00", 1, "has a digest"),
            ("ghcr.io/a_/b:1", 1, "cannot name a repository"),
            ("https://ghcr.io/a:1", 1, "not a registry"),
            (":x", 1, "names no registry"),
        ] {
            let faults = parse(text, PLACE).expect_err(text);
            let told = faults[0].to_string();
            assert!(told.contains(words), "{text}: {told}");
            assert_eq!(faults[0].place.column, column, "{text}: {told}");
        }
        assert_eq!(parse("a_:-x", PLACE).unwrap_err().len(), 2);
    }

    proptest! {
        #[test]
        fn never_panics(text in r"([a-z./:@{} é_-]|\{\{sha\}\})*|.*") {
            looks_like_one(&text);
            if let Ok((repository, tag)) = parse(&text, PLACE)
                && let Some(tag) = tag.literal()
            {
                prop_assert!(Tag::parse(tag).is_ok());
                prop_assert!(Repository::parse(&repository.to_string()).is_ok());
            }
        }
    }
}
