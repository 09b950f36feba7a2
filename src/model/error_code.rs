//! The codes of errors: a short name for each kind of trouble, which the page of troubleshooting explains.
//!
//! A code stands in every error that ends a run, and is a heading of `docs/troubleshooting.md`; people search for it. So none is
//! renamed, and a test holds the page to this list.

/// Declares the codes, so that none can be missing in the list of all.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What kind of trouble ended a run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// All there are, in the order of the page.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it is written, and the heading's anchor.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// An input, or several, cannot be used.
    InvalidInput = "invalid-input",
    /// The event or the runner's variables make no sense.
    InvalidEvent = "invalid-event",
    /// No tags can be made for this event.
    NoTags = "no-tags",
    /// What was asked for cannot be done here.
    Unsupported = "unsupported",
    /// A version's tag is on another commit.
    VersionTaken = "version-taken",
    /// There is nothing to promote.
    NothingToPromote = "nothing-to-promote",
    /// There is no Docker daemon, or no builder at the address given.
    NoDaemon = "no-daemon",
    /// The daemon or the builder refused something.
    DaemonFailed = "daemon-failed",
    /// The container that builds did not start, or ended.
    BuilderFailed = "builder-failed",
    /// The connection to the builder broke.
    ConnectionLost = "connection-lost",
    /// QEMU could not be registered.
    EmulatorFailed = "emulator-failed",
    /// GitHub gave no answer, or refused.
    GithubFailed = "github-failed",
    /// An identity bought no login.
    LoginFailed = "login-failed",
    /// There is no Dockerfile where it should be.
    DockerfileNotFound = "dockerfile-not-found",
    /// The Dockerfile cannot be read as one.
    InvalidDockerfile = "invalid-dockerfile",
    /// Build checks have found what is not allowed.
    CheckFailed = "check-failed",
    /// The stage to build does not exist.
    StageNotFound = "stage-not-found",
    /// A base image does not exist.
    BaseImageNotFound = "base-image-not-found",
    /// A base image may not be read.
    BaseImageDenied = "base-image-denied",
    /// A base image's registry gave no answer.
    BaseImageUnavailable = "base-image-unavailable",
    /// A base image is not there for a platform.
    PlatformNotFound = "platform-not-found",
    /// A registry takes no more requests for now.
    PullLimit = "pull-limit",
    /// What `COPY` or `ADD` names is not in the build context.
    CopyNotFound = "copy-not-found",
    /// A directory could not be sent to the builder.
    ContextFailed = "context-failed",
    /// A Git repository may not be read.
    GitDenied = "git-denied",
    /// Nobody signs for `ssh`.
    SshFailed = "ssh-failed",
    /// A step asks for more than it may.
    NotAllowed = "not-allowed",
    /// A step's program failed.
    RunFailed = "run-failed",
    /// A step's program does not exist.
    CommandNotFound = "command-not-found",
    /// A step was killed, mostly for its memory.
    OutOfMemory = "out-of-memory",
    /// A step's program is of another platform.
    WrongPlatform = "wrong-platform",
    /// A disk is full.
    NoSpace = "no-space",
    /// A cache held the build up.
    CacheStalled = "cache-stalled",
    /// BuildKit failed in another way.
    BuildFailed = "build-failed",
    /// A registry refused a push, or another access.
    RegistryDenied = "registry-denied",
    /// A registry cannot be reached, or has trouble of its own.
    RegistryUnavailable = "registry-unavailable",
    /// A registry does not speak as it should: TLS, plain HTTP.
    RegistryUntrusted = "registry-untrusted",
    /// A repository is not there, and the registry makes none.
    RepositoryNotFound = "repository-not-found",
    /// A registry refused something else, or answered what makes no sense.
    RegistryFailed = "registry-failed",
    /// The image that is to be tagged cannot be.
    ImageNotTagged = "image-not-tagged",
    /// Legs, or the nodes' images, make no image.
    CannotJoin = "cannot-join",
    /// The image has not passed.
    VerifyFailed = "verify-failed",
    /// The image cannot be run or loaded here.
    CannotRun = "cannot-run",
    /// A file that was asked for could not be written.
    NotWritten = "not-written",
    /// Environments were not told of the image.
    DeployFailed = "deploy-failed",
    /// The run was asked to stop.
    Cancelled = "cancelled",
    /// A fault of this action.
    Bug = "bug",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_of_a_link() {
        for code in ErrorCode::ALL {
            let text = code.as_str();
            assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{text}");
            assert_eq!(ErrorCode::ALL.iter().filter(|other| other.as_str() == text).count(), 1, "{text}");
        }
    }
}
