//! Why there is no plan.

use crate::model::Platform;

/// There is no plan that would do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The daemon cannot make the image.
    #[error(
        "{daemon} cannot {} because it does not keep images in the containerd image store: leave `builder` out, or set `builder: docker-container`",
        .needs.join(" or ")
    )]
    NoImageStore {
        /// The daemon.
        daemon: String,
        /// What it would have to do.
        needs: Vec<String>,
    },
    /// No node builds a platform.
    #[error(
        "no node of `builder` builds `{platform}`: there is {}; add a line `{platform}=ADDRESS`, or leave the platform out of `platform`",
        .nodes.join(", ")
    )]
    NoNode {
        /// The platform.
        platform: Platform,
        /// The nodes, and what they build.
        nodes: Vec<String>,
    },
    /// The builder is to be the daemon's, but nothing is known of one: a fault of this action.
    #[error("`builder` needs a Docker daemon, and none was looked at")]
    NoDaemon,
    /// An image is to be tagged, but nothing is known of one: a fault of this action.
    #[error("`mode: tag` needs an image, and none was looked at")]
    NoImage,
    /// The image is to be run or loaded, but nothing is known of the daemon's machine: a fault of this action.
    #[error("`verify` and `load` need a Docker daemon, and none was looked at")]
    NoMachine,
    /// Each node of the builder has another part of what is to be in one file.
    #[error(
        "`{input}`: each node of `builder` builds other platforms, so that nobody has all of it: let one node build{}",
        if *.input == "archive" { ", or push the image" } else { "" }
    )]
    FilesOfParts {
        /// The input that asks for the file.
        input: &'static str,
    },
    /// Docker's archive is to hold what it cannot.
    #[error(
        "`outputs`: `type=docker` takes one platform: write `type=oci`, or `archive`, which both engines load"
    )]
    DockerOfSeveral,
    /// A platform is to be verified that nothing here runs.
    #[error(
        "`verify` cannot run the image for `{platform}`: the runner's machine runs {}; {}",
        .runs.join(", "),
        if *.can_emulate {
            "`emulation` is `off`: leave it out for QEMU to be registered, or name another platform in `verify_platforms`"
        } else {
            "nothing can emulate it: name another platform in `verify_platforms`"
        }
    )]
    CannotVerify {
        /// The platform.
        platform: Platform,
        /// What the machine runs, in backticks.
        runs: Vec<String>,
        /// There is an emulator for it.
        can_emulate: bool,
    },
    /// A push was asked for, but there is no name to push to.
    #[error("`push: true`, but no tag can be published: {0}")]
    NoTag(String),
    /// An annotation for what is not built.
    #[error(
        "`annotations`: `{key}` is for `{platform}`, which is not built; `platform` has {}",
        .built.iter().map(|platform| format!("`{platform}`")).collect::<Vec<_>>().join(", ")
    )]
    AnnotatesOther {
        /// Its key.
        key: String,
        /// The platform that it names.
        platform: Platform,
        /// What is built.
        built: Vec<Platform>,
    },
    /// A name for single platforms that makes no tag, or another one's.
    #[error("`platform_tags`: {name} makes `{text}` {problem}")]
    PlatformTag {
        /// The name as it is written, in backticks.
        name: String,
        /// What it makes.
        text: String,
        /// What is wrong with that.
        problem: String,
    },
    /// `host-gateway` of a builder that has not told where that is.
    #[error(
        "`add_hosts`: this builder does not say where `host-gateway` is (only a Docker daemon does): write the address for `{0}`"
    )]
    NoHostGateway(String),
    /// Nothing to build for.
    #[error("`platform` names no platform (for example `linux/amd64`)")]
    NoPlatform,
    /// The plan breaks rules that every plan keeps: nothing was done.
    #[error("the plan contradicts itself, which is a fault of this action: {}", .0.join("; "))]
    Contradiction(Vec<String>),
}
