//! What kind of trouble a build met, and what to change: told from what the daemon, the frontend or a registry said.
//!
//! Their words are all there is: neither BuildKit nor the registries behind it send codes for these faults. What is not
//! recognised gets no advice, which is better than a wrong one.

use super::error::BuildError;
use super::push_trouble::refuses_access;
use super::ssh::SshError;
use super::wording::unresolved;
use crate::model::{ErrorCode, RegistryHost, Trouble};
use crate::progress::text::{copied_from, missing_source};

/// What kind of trouble it is, and what to change where that is known.
type Advice = (ErrorCode, Option<&'static str>);

impl BuildError {
    /// What kind of trouble it is.
    pub fn code(&self) -> ErrorCode {
        advice(self.cause()).0
    }

    /// What to change, when that is known.
    pub fn hint(&self) -> Option<&'static str> {
        advice(self.cause()).1
    }

    /// The registry that did not let the daemon read a base image, if that is what went wrong.
    pub fn unread_base_image(&self) -> Option<RegistryHost> {
        let Self::Dockerfile { message, .. } = self.cause() else { return None };
        let (image, _) = unresolved(message).filter(|_| refuses_access(message))?;
        RegistryHost::parse(image.split_once('/')?.0).ok()
    }

    /// What `COPY` or `ADD` named, by its path from the top of the build context, if it is not there.
    pub fn missing_source(&self) -> Option<&str> {
        let Self::StepFailed { step, message, exit_code: None, .. } = self.cause() else { return None };
        missing_source(message).filter(|_| copied_from(step).is_none())
    }
}

/// What is so of an error that is no node's.
fn advice(error: &BuildError) -> Advice {
    match error {
        BuildError::Session(error) => (ErrorCode::NoDaemon, error.hint()),
        BuildError::Ssh(faults) => (ErrorCode::SshFailed, faults.first().map(SshError::hint)),
        BuildError::StepFailed { step, message, exit_code, .. } => {
            request(message).unwrap_or_else(|| failed(step, message, *exit_code))
        }
        BuildError::Dockerfile { message, .. } => request(message).unwrap_or_else(|| dockerfile(message)),
        BuildError::PushFailed { message, .. } => push(error, message),
        BuildError::Other { message, .. } => request(message).unwrap_or_else(|| other(message)),
        BuildError::ContextTransfer { .. } => (ErrorCode::ContextFailed, None),
        BuildError::CacheStalled(_) => (ErrorCode::CacheStalled, None),
        BuildError::HeldUp(_) => (
            ErrorCode::CacheStalled,
            Some(
                "restart the builder, as nothing else makes it let go; `builder: docker-container` has one of its own, which \
                 is then made anew",
            ),
        ),
        BuildError::NoChecks(_) => (
            ErrorCode::Unsupported,
            Some(
                "build checks come with BuildKit 0.14 (Docker Engine 27) and with version 1.8 of the frontend that a \
                 `# syntax=` line names; `builder: docker-container` makes a builder that has them",
            ),
        ),
        BuildError::Disconnected { .. } => (ErrorCode::ConnectionLost, None),
        BuildError::Cancelled => (ErrorCode::Cancelled, None),
        BuildError::CacheIndex { .. } | BuildError::Nonsense(_) | BuildError::Node { .. } => {
            (ErrorCode::BuildFailed, None)
        }
    }
}

/// A step that failed, or could not be run.
fn failed(step: &str, message: &str, exit_code: Option<u32>) -> Advice {
    if let Some(advice) = machine(message) {
        return advice;
    }
    if missing_source(message).is_some() {
        let hint = match copied_from(step) {
            None => "is the file in the build context, and not excluded by `.dockerignore`?",
            Some(_) => "is the file made there, at this very path?",
        };
        return (ErrorCode::CopyNotFound, Some(hint));
    }
    match exit_code {
        Some(137) => (
            ErrorCode::OutOfMemory,
            Some(
                "its program was killed (signal 9), mostly because the machine has no more memory: let it use less (fewer \
                 jobs at once, a limit of its own), or build on a larger runner",
            ),
        ),
        Some(127) => (
            ErrorCode::CommandNotFound,
            Some(
                "the image has no such program: install it in a step before, or check its name and `PATH`; a script with \
                 Windows line endings (CRLF) is \"not found\" too, as is a program without its loader",
            ),
        ),
        Some(126) => (
            ErrorCode::RunFailed,
            Some("the file is there, but cannot be run: `chmod +x`, or `COPY --chmod=755`"),
        ),
        Some(_) => (ErrorCode::RunFailed, None),
        None => (ErrorCode::BuildFailed, None),
    }
}

/// What the frontend does not build.
fn dockerfile(message: &str) -> Advice {
    if let Some(advice) = machine(message) {
        return advice;
    }
    // Also of an image that is there: which one, BuildKit does not say in the usual words then.
    if message.contains("no match for platform") {
        return (ErrorCode::PlatformNotFound, Some("the base image is not published for that platform"));
    }
    if let Some((_, why)) = unresolved(message) {
        return pull(message, why);
    }
    if message.contains("lint violation found for rules") {
        let hint = "the Dockerfile's `# check=error=true` makes every finding an error, in a build as well";
        return (ErrorCode::CheckFailed, Some(hint));
    }
    if message.starts_with("failed to read dockerfile") {
        return (ErrorCode::DockerfileNotFound, None);
    }
    if message.starts_with("target stage ") {
        return (ErrorCode::StageNotFound, None);
    }
    (ErrorCode::InvalidDockerfile, None)
}

/// What the builder's machine cannot do, whatever it was doing.
fn machine(message: &str) -> Option<Advice> {
    let (code, hint) = if message.contains("exec format error") {
        (
            ErrorCode::WrongPlatform,
            "this machine cannot run that platform's programs: register an emulator (QEMU) first",
        )
    } else if message.contains("no space left on device") {
        (
            ErrorCode::NoSpace,
            "the builder's disk is full: remove what is not needed before this step, or build on a runner with more room",
        )
    } else {
        return None;
    };
    Some((code, Some(hint)))
}

/// What BuildKit or its daemon will not do for anybody who asks.
fn request(message: &str) -> Option<Advice> {
    let (code, hint) = if message.contains("is not allowed by build daemon configuration") {
        (
            ErrorCode::NotAllowed,
            "the builder forbids what `allow` or `network: host` asks for: `builder: docker-container` makes one that \
             allows it; elsewhere the builder's own configuration must (`insecure-entitlements` in buildkitd.toml, \
             the input `buildkitd_config`)",
        )
    } else if has(message, &["network.host is not allowed", "security.insecure is not allowed"]) {
        (
            ErrorCode::NotAllowed,
            "a step asks for more than steps may: name it in the input `allow` (`network.host`, `security.insecure`)",
        )
    } else if has(message, &["frontend.gitquerystring"]) {
        (
            ErrorCode::Unsupported,
            "this BuildKit is too old for `?ref=` in a Git URL: write `#ref:directory`, or take a newer builder",
        )
    } else if has(message, &["frontend.contexts"]) {
        (
            ErrorCode::Unsupported,
            "the frontend that the Dockerfile's `# syntax=` line names is too old for named build contexts",
        )
    } else if message.contains("unknown attestation type") {
        (ErrorCode::Unsupported, "BuildKit makes `provenance` and `sbom`")
    } else if has(
        message,
        &["could not read Username", "Authentication failed for 'http", "terminal prompts disabled"],
    ) {
        (
            ErrorCode::GitDenied,
            "a Git repository that is not public needs a token: `token` is used for repositories of this \
             repository's owner on this GitHub server; for others give one in `secrets`, as `GIT_AUTH_TOKEN.<host>=…`, \
             or `GIT_AUTH_TOKEN.<host>:<port>=…` where the URL has a port",
        )
    } else {
        return None;
    };
    Some((code, Some(hint)))
}

fn push(error: &BuildError, message: &str) -> Advice {
    if refuses_access(message) {
        let hint = "check `username` and `password`, and that they may write to this repository";
        return (ErrorCode::RegistryDenied, Some(hint));
    }
    if has(message, &["does not exist in the registry with id"])
        || (message.contains(".dkr.ecr") && message.contains("404 Not Found"))
    {
        let hint = "Amazon ECR makes no repository by a push: `create_repository: true` makes it first";
        return (ErrorCode::RepositoryNotFound, Some(hint));
    }
    if has(message, &["server gave HTTP response to HTTPS client"]) {
        let hint = "the registry speaks plain HTTP: the daemon needs it in its `insecure-registries`";
        return (ErrorCode::RegistryUntrusted, Some(hint));
    }
    if has(message, UNREACHABLE) {
        return (ErrorCode::RegistryUnavailable, Some("the daemon cannot reach the registry"));
    }
    match error.push_trouble() {
        Some(Trouble::Busy(_)) => (
            ErrorCode::RegistryUnavailable,
            Some(
                "the registry takes no more for now: run the job again later; nothing is wrong with the build",
            ),
        ),
        Some(Trouble::Broken | Trouble::Unclear) => (
            ErrorCode::RegistryUnavailable,
            Some(
                "the trouble is the registry's, or the network's: run the job again; nothing is wrong with the build",
            ),
        ),
        _ => (ErrorCode::RegistryFailed, None),
    }
}

/// A base image that could not be looked up.
fn pull(message: &str, why: &str) -> Advice {
    if message.contains("buildkit-syft-scanner") {
        return (
            ErrorCode::BaseImageUnavailable,
            Some(
                "that is the image that makes the SBOM: `sbom: generator=IMAGE` names another one, of a registry that the \
                 daemon reaches; `sbom: false` makes none",
            ),
        );
    }
    if has(why, &["429 Too Many Requests", "toomanyrequests", "rate limit"]) {
        return (
            ErrorCode::PullLimit,
            Some(
                "the registry counts pulls, and has counted enough: a login (`registry_auth`) is allowed more than none; or run \
                 the job again later",
            ),
        );
    }
    if refuses_access(message) {
        let hint = "the base image's registry does not let us read it: is the name right, is a login needed?";
        return (ErrorCode::BaseImageDenied, Some(hint));
    }
    if has(why, UNREACHABLE) {
        return (ErrorCode::BaseImageUnavailable, Some("the daemon cannot reach the base image's registry"));
    }
    if why.ends_with("not found") {
        return (ErrorCode::BaseImageNotFound, Some("check the image's name and tag"));
    }
    (ErrorCode::BaseImageUnavailable, None)
}

/// What the daemon says of the request itself.
fn other(message: &str) -> Advice {
    if message.contains("exporter \"image\" could not be found") {
        return (
            ErrorCode::Unsupported,
            Some(
                "the daemon does not use the containerd image store, without which it cannot push what it builds",
            ),
        );
    }
    machine(message).unwrap_or((ErrorCode::BuildFailed, None))
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
    fn kinds_of_trouble() {
        let step = |exit_code: Option<u32>, message: &str| BuildError::StepFailed {
            step: "[2/2] RUN x".into(),
            digest: String::new(),
            message: message.into(),
            exit_code,
            location: None,
        };
        let dockerfile = |message: &str| BuildError::Dockerfile { message: message.into(), location: None };
        let base = |why: &str| {
            let image = "docker.io/library/a:1";
            dockerfile(&format!("a:1: failed to resolve source metadata for {image}: {why}"))
        };
        let missing =
            "failed to compute cache key: failed to calculate checksum of ref a::b: \"/x y\": not found";
        for (error, expected, hint) in [
            (step(Some(1), "exit code: 1"), "run-failed", ""),
            (step(Some(126), "exit code: 126"), "run-failed", "chmod"),
            (step(Some(127), "exit code: 127"), "command-not-found", "CRLF"),
            (step(Some(137), "exit code: 137"), "out-of-memory", "signal 9"),
            (step(Some(1), "exit code: 1: exec format error"), "wrong-platform", "QEMU"),
            (step(None, "write /x: no space left on device"), "no-space", "disk is full"),
            (step(None, missing), "copy-not-found", "`.dockerignore`"),
            (step(None, "whatever"), "build-failed", ""),
            (base("docker.io/library/a:1: not found"), "base-image-not-found", "tag"),
            (base("not found"), "base-image-not-found", "tag"),
            (base("pull access denied, repository does not exist"), "base-image-denied", "login"),
            (base("unexpected status: 429 Too Many Requests"), "pull-limit", "login"),
            (base("toomanyrequests: You have reached your pull rate limit"), "pull-limit", "login"),
            (base("dial tcp: lookup docker.io: no such host"), "base-image-unavailable", "reach"),
            (base("no match for platform in manifest: not found"), "platform-not-found", "platform"),
            (dockerfile("failed to read dockerfile: open x: no such file"), "dockerfile-not-found", ""),
            (
                dockerfile("no match for platform in manifest sha256:00: not found"),
                "platform-not-found",
                "platform",
            ),
            (dockerfile("target stage \"x\" could not be found"), "stage-not-found", ""),
            (dockerfile("dockerfile parse error on line 2"), "invalid-dockerfile", ""),
            (dockerfile("failed to load LLB: network.host is not allowed"), "not-allowed", "`allow`"),
            (BuildError::silent("a call"), "connection-lost", ""),
            (BuildError::Cancelled.on_node("a", "b"), "cancelled", ""),
            (step(Some(127), "x").on_node("a", "b"), "command-not-found", "CRLF"),
        ] {
            assert_eq!(error.code().as_str(), expected, "{error}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{error}: {:?}", error.hint());
        }
        assert_eq!(step(None, missing).missing_source(), Some("x y"));
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
            ("unexpected status from PUT request to http://r/v2/a: 503 Service Unavailable", "registry's"),
            ("unexpected status from PUT request to http://r/v2/a: 429 Too Many Requests", "for now"),
            ("dial tcp 127.0.0.1:5000: connect: connection refused", "reach"),
            ("http: server gave HTTP response to HTTPS client", "insecure-registries"),
        ] {
            let error = BuildError::PushFailed { repository: "r/a".into(), message: message.into() };
            assert!(error.hint().unwrap().contains(part), "{message}");
        }
    }
}
