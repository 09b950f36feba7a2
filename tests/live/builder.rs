//! Which builder the jobs of this suite use: `LIVE_BUILDER` chooses, and the same tests must hold on each.
//!
//! | `LIVE_BUILDER` | builds |
//! |---|---|
//! | unset | what the action chooses by itself: the engine, or a container where the engine can't push |
//! | `container` | a docker-container builder |
//! | `remote` | a buildkitd on TCP with mutual TLS |
//! | `nodes` | two of them, one for each platform |

use crate::job::{Job, beside, parts};
use crate::runner::parts::{docker, try_docker};
use crate::runner::wait::until;
use std::io::Write as _;
use std::process::Command;
use std::sync::{OnceLock, RwLockReadGuard};

/// A kind of builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    /// The action's own choice.
    Auto,
    Container,
    Remote,
    Nodes,
}

/// The builder of this suite.
pub fn builder() -> Builder {
    static BUILDER: OnceLock<Builder> = OnceLock::new();
    *BUILDER.get_or_init(|| match std::env::var("LIVE_BUILDER").as_deref() {
        Err(_) | Ok("" | "auto") => Builder::Auto,
        Ok("container") => Builder::Container,
        Ok("remote") => Builder::Remote,
        Ok("nodes") => Builder::Nodes,
        Ok(other) => panic!("`LIVE_BUILDER` is `{other}`: container, remote, nodes or nothing"),
    })
}

/// Whether the engine's own BuildKit builds.
pub fn engine_builds() -> bool {
    builder() == Builder::Auto && !parts().graphdriver()
}

/// Whether what builds runs on the engine, so that tests can choose another for themselves.
pub fn on_the_engine() -> bool {
    matches!(builder(), Builder::Auto | Builder::Container)
}

/// Whether what builds talks to version 2 of GitHub's cache: BuildKit does since 0.20, which is in Docker 28.
pub fn knows_github_cache() -> bool {
    let major = || parts().engine_version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    !engine_builds() || major() >= Some(28)
}

/// Whether what builds is there for this step only: two of them share nothing that they built.
pub fn goes_with_its_step() -> bool {
    on_the_engine() && !engine_builds()
}

/// Whether what builds takes file names that are no UTF-8: BuildKit's own daemon does, Docker's only up to a version.
pub fn takes_any_name() -> bool {
    !engine_builds() || parts().engine_version.starts_with("26.")
}

/// What builds forgets what it built. A container that goes with its step has forgotten it anyway.
pub fn forget() {
    let nodes = match builder() {
        Builder::Auto if engine_builds() => {
            docker(&["builder", "prune", "--all", "--force"]);
            return;
        }
        Builder::Auto | Builder::Container => return,
        Builder::Remote => vec![&parts().remote],
        Builder::Nodes => vec![&parts().remote, &parts().remote_arm64],
    };
    for node in nodes {
        let output = buildctl(node).args(["prune", "--all"]).output().expect("buildctl is on PATH");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// BuildKit's own client for one of the nodes, or for a [`Container`].
pub fn buildctl(address: &str) -> Command {
    let mut command = Command::new("buildctl");
    command.args(["--addr", address]);
    if !address.starts_with("tcp://") {
        return command;
    }
    for (flag, file) in [("--tlscacert", "ca"), ("--tlscert", "cert"), ("--tlskey", "key")] {
        command.arg(flag).arg(parts().tls.join(format!("{file}.pem")));
    }
    command
}

/// The name under which `docker buildx` reaches what builds linux/amd64 here; a container is gone with its step.
pub fn of_buildx() -> Option<&'static str> {
    static REMOTE: OnceLock<()> = OnceLock::new();
    match builder() {
        Builder::Auto if engine_builds() => Some("default"),
        Builder::Auto | Builder::Container => None,
        Builder::Remote | Builder::Nodes => {
            REMOTE.get_or_init(|| {
                let file = |name: &str| parts().tls.join(format!("{name}.pem")).display().to_string();
                let options = format!("cacert={},cert={},key={}", file("ca"), file("cert"), file("key"));
                let driver = ["--driver", "remote", "--driver-opt", &options];
                docker(&[&["buildx", "create", "--name", "suite"], &driver[..], &[&parts().remote]].concat());
            });
            Some("suite")
        }
    }
}

/// A container of buildkitd that is gone with this value; nobody counts containers meanwhile.
pub struct Container {
    pub name: String,
    #[allow(dead_code, reason = "a turn is held, not read")]
    turn: RwLockReadGuard<'static, ()>,
}

impl Container {
    pub fn start(name: &str) -> Self {
        let turn = beside();
        let image = &parts().buildkit_image;
        docker(&["run", "-d", "--rm", "--privileged", "--network", "host", "--name", name, image]);
        Self { name: name.to_owned(), turn }
    }

    /// Where `buildctl` finds it, once it answers.
    pub fn answers(&self) -> String {
        let address = format!("docker-container://{}", self.name);
        let answers = || {
            let asked = Command::new("buildctl").args(["--addr", &address, "debug", "workers"]).output();
            asked.expect("buildctl is on PATH").status.success()
        };
        assert!(until(answers), "the builder in `{}` does not answer", self.name);
        address
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        docker(&["rm", "-f", &self.name]);
    }
}

/// Has buildx make a container that builds, under this name, and start it.
pub fn create_with_buildx(name: &str) {
    let image = format!("image={}", parts().buildkit_image);
    let driver = ["--driver", "docker-container", "--driver-opt", &image, "--driver-opt", "network=host"];
    docker(&[&["buildx", "create", "--bootstrap", "--name", name], &driver[..]].concat());
}

/// Says past the harness's capture that the test that calls this proves nothing with this suite's engine or builder, and
/// why. `tests/parts/suite` counts these lines.
pub fn not_here(why: &str) {
    let thread = std::thread::current();
    let line = format!("not run: {}: {why}\n", thread.name().unwrap_or("a test"));
    let _ = std::io::stderr().write_all(line.as_bytes());
    let list = std::fs::OpenOptions::new().create(true).append(true).open(parts().run.join("not-run"));
    list.and_then(|mut list| list.write_all(line.as_bytes())).expect("the run's directory can be written");
}

/// Removes what a test that failed has left, so that the next one that looks at the whole engine does not fail too.
pub fn end_all() {
    for role in ["builder", "prepare"] {
        end(&format!("label=docker-push-action.role={role}"));
    }
}

fn end(filter: &str) {
    for id in docker(&["ps", "-aq", "--filter", filter]).lines() {
        // It may be going by itself.
        let _ = try_docker(&["rm", "-fv", id]);
    }
}

impl Job {
    /// With the inputs and variables of this suite's builder.
    pub fn built_by(self, builder: Builder) -> Self {
        let parts = parts();
        // Nobody throws this machine away: each step removes what it made.
        let keep = "false";
        match builder {
            Builder::Auto if parts.graphdriver() => {
                self.input("builder_image", &parts.buildkit_image).input("builder_keep", keep)
            }
            Builder::Auto => self,
            Builder::Container => self
                .input("builder", "docker-container")
                .input("builder_image", &parts.buildkit_image)
                .input("builder_keep", keep),
            Builder::Remote => self.input("builder", &parts.remote).certificates(0),
            Builder::Nodes => {
                let lines = format!("linux/amd64={}\nlinux/arm64={}", parts.remote, parts.remote_arm64);
                self.input("builder", &lines).certificates(0).certificates(1)
            }
        }
    }

    /// Removes the containers that this job's runner keeps.
    pub fn end_kept(&self) {
        end(&format!("label=docker-push-action.runner={}", self.machine.runner));
    }

    /// What a workflow has in its secrets for a node.
    fn certificates(mut self, node: usize) -> Self {
        for (variable, file) in [("CACERT", "ca"), ("CERT", "cert"), ("KEY", "key")] {
            self.env.insert(format!("BUILDER_NODE_{node}_AUTH_TLS_{variable}"), parts().pem(file));
        }
        self
    }
}
