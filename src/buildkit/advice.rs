//! What to change when a build failed, told from what the daemon, the frontend or a registry said.
//!
//! Their words are all there is: neither BuildKit nor the registries behind it send codes for these faults. What is not
//! recognised gets no advice, which is better than a wrong one.

use super::error::BuildError;
use super::push_trouble::refuses_access;
use super::ssh::SshError;
use crate::model::RegistryHost;

impl BuildError {
    /// What to change, when that is known.
    pub fn hint(&self) -> Option<&'static str> {
        hint(self.cause())
    }

    /// The registry that did not let the daemon read a base image, if that is what went wrong.
    pub fn unread_base_image(&self) -> Option<RegistryHost> {
        let Self::Dockerfile { message, .. } = self.cause() else { return None };
        let (_, image) = message.split_once(UNRESOLVED).filter(|_| refuses_access(message))?;
        RegistryHost::parse(image.trim_start().split_once('/')?.0).ok()
    }
}

/// What BuildKit writes before an image that it could not look up.
const UNRESOLVED: &str = "failed to resolve source metadata for";

/// The same of an error that is no node's.
fn hint(error: &BuildError) -> Option<&'static str> {
    match error {
        BuildError::Session(error) => error.hint(),
        BuildError::Ssh(faults) => faults.first().map(SshError::hint),
        BuildError::StepFailed { message, .. } | BuildError::Dockerfile { message, .. }
            if message.contains("exec format error") =>
        {
            Some("this machine cannot run that platform's programs: register an emulator (QEMU) first")
        }
        BuildError::StepFailed { message, .. }
            if message.contains("failed to calculate checksum of ref") && message.contains("not found") =>
        {
            Some("is the file in the build context, and not excluded by `.dockerignore`?")
        }
        BuildError::Dockerfile { message, .. } if message.contains("no match for platform") => {
            Some("the base image is not published for that platform")
        }
        BuildError::Dockerfile { message, .. } if message.contains(UNRESOLVED) => pull_hint(message),
        BuildError::PushFailed { message, .. } => push_hint(message),
        BuildError::StepFailed { message, .. }
        | BuildError::Dockerfile { message, .. }
        | BuildError::Other { message, .. }
            if request_hint(message).is_some() =>
        {
            request_hint(message)
        }
        BuildError::Other { message, .. } if message.contains("exporter \"image\" could not be found") => {
            Some(
                "the daemon does not use the containerd image store, without which it cannot push what it builds",
            )
        }
        BuildError::NoChecks(_) => Some(
            "build checks come with BuildKit 0.14 (Docker Engine 27) and with version 1.8 of the frontend that a \
             `# syntax=` line names; `builder: docker-container` makes a builder that has them",
        ),
        BuildError::Dockerfile { message, .. } if message.contains("lint violation found for rules") => {
            Some("the Dockerfile's `# check=error=true` makes every finding an error, in a build as well")
        }
        BuildError::HeldUp(_) => Some(
            "restart the builder, as nothing else makes it let go; `builder: docker-container` has one of its own, which \
             is then made anew",
        ),
        _ => None,
    }
}

/// What BuildKit or its daemon will not do for anybody who asks.
fn request_hint(message: &str) -> Option<&'static str> {
    if message.contains("is not allowed by build daemon configuration") {
        Some(
            "the builder forbids what `allow` or `network: host` asks for: `builder: docker-container` makes one that \
             allows it; elsewhere the builder's own configuration must (`insecure-entitlements` in buildkitd.toml, \
             the input `buildkitd_config`)",
        )
    } else if has(message, &["network.host is not allowed", "security.insecure is not allowed"]) {
        Some(
            "a step asks for more than steps may: name it in the input `allow` (`network.host`, `security.insecure`)",
        )
    } else if has(message, &["frontend.gitquerystring"]) {
        Some(
            "this BuildKit is too old for `?ref=` in a Git URL: write `#ref:directory`, or take a newer builder",
        )
    } else if has(message, &["frontend.contexts"]) {
        Some("the frontend that the Dockerfile's `# syntax=` line names is too old for named build contexts")
    } else if message.contains("unknown attestation type") {
        Some("BuildKit makes `provenance` and `sbom`")
    } else if has(
        message,
        &["could not read Username", "Authentication failed for 'http", "terminal prompts disabled"],
    ) {
        Some(
            "a Git repository that is not public needs a token: `token` is used for repositories of this \
             repository's owner on this GitHub server; for others give one in `secrets`, as `GIT_AUTH_TOKEN.<host>=…`, \
             or `GIT_AUTH_TOKEN.<host>:<port>=…` where the URL has a port",
        )
    } else {
        None
    }
}

fn push_hint(message: &str) -> Option<&'static str> {
    if refuses_access(message) {
        Some("check `username` and `password`, and that they may write to this repository")
    } else if has(message, &["does not exist in the registry with id"])
        || (message.contains(".dkr.ecr") && message.contains("404 Not Found"))
    {
        Some("Amazon ECR makes no repository by a push: `create_repository: true` makes it first")
    } else if has(message, UNREACHABLE) {
        Some("the daemon cannot reach the registry")
    } else if has(message, &["server gave HTTP response to HTTPS client"]) {
        Some("the registry speaks plain HTTP: the daemon needs it in its `insecure-registries`")
    } else {
        None
    }
}

fn pull_hint(message: &str) -> Option<&'static str> {
    if message.contains("buildkit-syft-scanner") {
        Some(
            "that is the image that makes the SBOM: `sbom: generator=IMAGE` names another one, of a registry that the daemon \
             reaches; `sbom: false` makes none",
        )
    } else if refuses_access(message) {
        Some("the base image's registry does not let us read it: is the name right, is a login needed?")
    } else if has(message, UNREACHABLE) {
        Some("the daemon cannot reach the base image's registry")
    } else {
        None
    }
}

const UNREACHABLE: &[&str] = &["connection refused", "lookup ", "i/o timeout", "no route to host"];

fn has(message: &str, words: &[&str]) -> bool {
    words.iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_base_image_is_not_read() {
        let of = |message: &str| {
            let error = BuildError::Dockerfile { message: message.into(), location: None };
            error.unread_base_image().map(|host| host.to_string())
        };
        let refused = "base: failed to resolve source metadata for ghcr.io/acme/base:1: failed to authorize: 403 Forbidden";
        assert_eq!(of(refused).as_deref(), Some("ghcr.io"));
        for other in [
            "failed to resolve source metadata for ghcr.io/acme/base:1: not found",
            "denied: ghcr.io/acme",
            "failed to resolve source metadata for denied",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_refused_has_a_hint() {
        for (message, part) in [
            (
                "granting entitlement security.insecure is not allowed by build daemon configuration",
                "buildkitd_config",
            ),
            ("failed to load LLB: network.host is not allowed", "`allow`"),
            ("unsupported frontend capability moby.buildkit.frontend.gitquerystring", "`#ref:directory`"),
            ("unknown attestation type \"vex\"", "`sbom`"),
            (
                "failed to fetch remote https://h/x.git: fatal: could not read Username for 'https://h'",
                "GIT_AUTH_TOKEN",
            ),
        ] {
            let error = BuildError::Other { code: "Unknown".into(), message: message.into() };
            assert!(error.hint().is_some_and(|hint| hint.contains(part)), "{message}");
        }
    }

    #[test]
    fn push_hints() {
        for (message, part) in [
            (
                "unexpected status from POST request to http://r/v2/a/blobs/uploads/: 401 Unauthorized",
                "password",
            ),
            ("denied: requested access to the resource is denied", "password"),
            ("dial tcp 127.0.0.1:5000: connect: connection refused", "reach"),
            ("http: server gave HTTP response to HTTPS client", "insecure-registries"),
        ] {
            let error = BuildError::PushFailed { repository: "r/a".into(), message: message.into() };
            assert!(error.hint().unwrap().contains(part), "{message}");
        }
    }
}
