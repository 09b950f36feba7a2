//! What can go wrong with a builder container, in words.

use crate::docker::error::DockerError;

/// The exit code by SIGKILL, which lets nobody say anything.
const KILLED: i64 = 137;

/// A builder container that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BuilderError {
    /// The daemon.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// Its image.
    #[error("cannot pull the builder's image `{image}`: {why}")]
    Pull {
        /// The image.
        image: String,
        /// What the daemon said.
        why: String,
    },
    /// The directory for its socket.
    #[error("cannot make the directory `{path}` for the builder's socket: {why}")]
    Directory {
        /// Where.
        path: String,
        /// The system's words.
        why: String,
    },
    /// It stopped by itself.
    #[error("the builder container of `{image}` ended{}{}", ending(*.code, *.out_of_memory, .error.as_deref()), last(if *.code == KILLED { &[] } else { .said.as_slice() }))]
    Ended {
        /// Its image.
        image: String,
        /// Its exit code.
        code: i64,
        /// The kernel ended it for want of memory.
        out_of_memory: bool,
        /// Why the daemon could not run it.
        error: Option<String>,
        /// The last lines of its log.
        said: Vec<String>,
    },
    /// It runs and does not answer.
    #[error("the builder container `{name}` does not answer within {seconds} s{}", last(.said.as_slice()))]
    Silent {
        /// Its name.
        name: String,
        /// How long it was waited for.
        seconds: u64,
        /// What happened the last time.
        said: Option<String>,
    },
    /// Somebody removed it.
    #[error("the builder container `{name}` is gone: somebody removed it")]
    Gone {
        /// Its name.
        name: String,
    },
    /// Another process makes and removes it again and again.
    #[error("the builder container `{name}` cannot be had: another process keeps making or removing it")]
    Busy {
        /// Its name.
        name: String,
    },
    /// The name is taken.
    #[error("a container that is not a builder of ours is called `{name}`")]
    Foreign {
        /// The name.
        name: String,
    },
    /// No such container.
    #[error("there is no container `{name}`, nor `{}`", super::existing::of_buildx(.name))]
    Missing {
        /// What was asked for.
        name: String,
    },
}

impl BuilderError {
    /// What to change, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Docker(error) => error.hint(),
            Self::Pull { .. } => Some(
                "name an image that this daemon can pull, or has, in `builder_image` (with `registry_auth` if it needs a \
                 login), or another builder in `builder`",
            ),
            Self::Ended { out_of_memory: true, .. } => {
                Some("the build needs more memory than the runner has")
            }
            Self::Ended { said, .. }
                if said.iter().any(|line| line.contains("toml") || line.contains("config")) =>
            {
                Some("check `buildkitd_config`")
            }
            Self::Missing { .. } => Some(
                "`builder: docker-container://NAME` takes the name of a container, or of a builder that `docker buildx \
                 create --driver docker-container --name NAME --bootstrap` made on this daemon",
            ),
            Self::Foreign { .. } => Some("remove or rename it"),
            _ => None,
        }
    }
}

fn ending(code: i64, out_of_memory: bool, error: Option<&str>) -> String {
    match (out_of_memory, error) {
        (true, _) => ": it ran out of memory".to_owned(),
        (false, Some(error)) => format!(": {error}"),
        (false, None) if code == KILLED => " (exit code 137): it was killed".to_owned(),
        (false, None) => format!(" with exit code {code}"),
    }
}

fn last(said: &[String]) -> String {
    if said.is_empty() { String::new() } else { format!("; its last words: {}", said.join(" | ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_by_its_kind() {
        let ended = |code, out_of_memory, error: Option<&str>, said: &[&str]| BuilderError::Ended {
            image: "moby/buildkit".into(),
            code,
            out_of_memory,
            error: error.map(Into::into),
            said: said.iter().map(ToString::to_string).collect(),
        };
        for (error, expected) in [
            (
                ended(1, false, None, &["a", "invalid buildkitd.toml"]),
                "the builder container of `moby/buildkit` ended with exit code 1; its last words: a | invalid \
                 buildkitd.toml",
            ),
            (
                ended(137, false, None, &["something before"]),
                "the builder container of `moby/buildkit` ended (exit code 137): it was killed",
            ),
            (
                ended(137, true, None, &[]),
                "the builder container of `moby/buildkit` ended: it ran out of memory",
            ),
            (
                ended(127, false, Some("no such file"), &[]),
                "the builder container of `moby/buildkit` ended: no such file",
            ),
        ] {
            assert_eq!(error.to_string(), expected);
        }
        assert_eq!(ended(1, false, None, &["x buildkitd.toml"]).hint(), Some("check `buildkitd_config`"));
        assert_eq!(ended(1, false, None, &["x"]).hint(), None);
        assert_eq!(
            BuilderError::Missing { name: "ci".into() }.to_string(),
            "there is no container `ci`, nor `buildx_buildkit_ci0`"
        );
    }
}
