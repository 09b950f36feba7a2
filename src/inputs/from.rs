//! The input `from`: the image that `mode: tag` puts the tags on.
//!
//! A whole reference, by tag, digest or both, of which the digest counts. An empty one is no fault yet: what another job of the
//! run would have pushed is nothing where that pushes nothing, as in a fork.

use super::fault::{InputFault, shown};
use super::parse;
use crate::model::{Digest, ImageName};

/// Reads the input; nothing if it is empty.
pub(super) fn parse(text: &str) -> Result<Option<ImageName>, InputFault> {
    let Some(text) = parse::line("from", text)? else { return Ok(None) };
    let hint = "for example `ghcr.io/acme/api:main` or `ghcr.io/acme/api@sha256:…`";
    if Digest::parse(&text).is_ok() {
        let message = format!("`{}` is a digest alone", shown(&text));
        return Err(InputFault::new("from", message)
            .hint("write the repository before it: `ghcr.io/acme/api@sha256:…`"));
    }
    let name = ImageName::parse_whole(&text).map_err(|why| {
        let fault = InputFault::new("from", why.to_string());
        let on_docker_hub = format!("docker.io/{text}");
        match ImageName::parse_whole(&on_docker_hub) {
            // Whatever is no name of a repository otherwise is not one there.
            Ok(name) if ImageName::parse(&text).as_ref() == Ok(&name) => {
                fault.hint(format!("on Docker Hub it is called `{}`", shown(&on_docker_hub)))
            }
            Ok(_) | Err(_) => fault.hint(hint),
        }
    })?;
    if !name.says_which() {
        let message = format!("`{}` has neither a tag nor a digest", shown(&text));
        return Err(InputFault::new("from", message).hint(hint));
    }
    Ok(Some(name))
}

/// That nothing is named, and tags are to be put on it.
pub fn missing() -> InputFault {
    InputFault::new("from", "missing; it is the image that `mode: tag` puts the tags on").hint(
        "for example `ghcr.io/acme/api@sha256:…`, such as the output `reference` of another job of this run",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let digest = Digest::of(b"");
        for (text, expected) in [
            (" ghcr.io/Acme/API:main\n", "ghcr.io/acme/api:main"),
            ("localhost:5000/api:1.2", "localhost:5000/api:1.2"),
            ("docker.io/nginx:1", "docker.io/library/nginx:1"),
            (&format!("r.io/a@{digest}"), &format!("r.io/a@{digest}")),
            (&format!("r.io/a:main@{digest}"), &format!("r.io/a:main@{digest}")),
        ] {
            assert_eq!(parse(text).unwrap().unwrap().to_string(), expected);
        }
        assert_eq!(parse(" "), Ok(None));
    }

    #[test]
    fn what_is_no_reference() {
        for (text, words) in [
            (
                "acme/api:1",
                "names no registry (for example `ghcr.io/acme/api`) (on Docker Hub it is called `docker.io/acme/api:1`)",
            ),
            ("nginx:1", "on Docker Hub it is called `docker.io/nginx:1`"),
            ("nginx", "on Docker Hub it is called `docker.io/nginx`"),
            ("ghcr.io/acme/api", "`ghcr.io/acme/api` has neither a tag nor a digest (for example"),
            ("ghcr.io/acme/api:", "tag"),
            ("ghcr.io/acme/api@sha256:1", "digest"),
            ("ghcr.io/acme/api:-x", "`-x`"),
            ("https://ghcr.io/a:1", "registry"),
            ("ghcr.io/a b:1", "cannot name a repository"),
            (Digest::of(b"").as_str(), "is a digest alone (write the repository before it"),
            ("r.io/a:1\nr.io/b:1", "more than one line"),
            ("r.io/a:1, r.io/b:1", "cannot"),
        ] {
            let told = parse(text).unwrap_err().to_string();
            assert!(told.starts_with("input `from`: ") && told.contains(words), "{text}: {told}");
        }
    }

    #[test]
    fn the_fault_of_none() {
        assert!(missing().to_string().starts_with("input `from`: missing; "), "{}", missing());
    }
}
