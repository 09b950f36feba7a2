//! The real parts that `tests/parts/with-engine` brings up, as it exports them, and the docker client of its engine.

use super::registry::Registry;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What runs for this suite. The demo has no builders: their fields are empty there.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The kind: `docker26`, `docker29`, `docker26-graphdriver`, …
    pub engine: String,
    pub engine_version: String,
    pub socket: PathBuf,
    /// `127.0.0.1:PORT`, on the host's loopback only.
    pub registry: String,
    pub auth_registry: String,
    pub auth_username: String,
    pub auth_password: String,
    /// The bridge's gateway, as containers see the host.
    pub gateway: String,
    /// The port of a registry that listens on the gateway's address.
    pub gateway_port: String,
    /// The two-platform base image in `registry`.
    pub base: String,
    pub busybox_amd64: PathBuf,
    pub busybox_arm64: PathBuf,
    pub daemon_log: PathBuf,
    /// The real buildkitd's image and one that registers QEMU, in the engine's store.
    pub buildkit_image: String,
    pub binfmt_image: String,
    /// `tcp://GATEWAY:PORT` of a buildkitd with mutual TLS; the same one as `unix://…`.
    pub remote: String,
    pub remote_unix: String,
    /// One whose own platform is linux/arm64, with TLS too.
    pub remote_arm64: String,
    /// `ca.pem`, `cert.pem`, `key.pem`, and `other-…` of an authority that nobody trusts.
    pub tls: PathBuf,
    /// Debian's podman and skopeo with their libraries, unpacked.
    pub podman: PathBuf,
    /// Debian's headless Chromium, cmark-gfm and fonts with their libraries, unpacked.
    pub browser: PathBuf,
    /// Where `mermaid.min.js` is.
    pub mermaid: PathBuf,
    /// What belongs to this engine's run, and goes with it.
    pub run: PathBuf,
}

impl Parts {
    /// Reads the variables.
    ///
    /// # Errors
    /// One line that says what to run when they are not set.
    pub fn from_environment() -> Result<Self, String> {
        Ok(Self {
            buildkit_image: get("PARTS_BUILDKIT_IMAGE")?,
            binfmt_image: get("PARTS_BINFMT_IMAGE")?,
            remote: get("PARTS_REMOTE")?,
            remote_unix: get("PARTS_REMOTE_UNIX")?,
            remote_arm64: get("PARTS_REMOTE_ARM64")?,
            tls: get("PARTS_TLS")?.into(),
            podman: get("PARTS_PODMAN")?.into(),
            browser: get("PARTS_BROWSER")?.into(),
            mermaid: get("PARTS_MERMAID")?.into(),
            ..Self::without_builders()?
        })
    }

    /// Reads those of `with-engine --no-builders`.
    ///
    /// # Errors
    /// As [`Parts::from_environment`].
    pub fn without_builders() -> Result<Self, String> {
        Ok(Self {
            engine: get("PARTS_ENGINE")?,
            engine_version: get("PARTS_ENGINE_VERSION")?,
            socket: get("PARTS_DOCKER_SOCKET")?.into(),
            registry: get("PARTS_REGISTRY")?,
            auth_registry: get("PARTS_AUTH_REGISTRY")?,
            auth_username: get("PARTS_AUTH_USERNAME")?,
            auth_password: get("PARTS_AUTH_PASSWORD")?,
            gateway: get("PARTS_GATEWAY")?,
            gateway_port: get("PARTS_GATEWAY_REGISTRY_PORT")?,
            base: get("PARTS_BASE")?,
            busybox_amd64: get("PARTS_BUSYBOX_AMD64")?.into(),
            busybox_arm64: get("PARTS_BUSYBOX_ARM64")?.into(),
            daemon_log: get("PARTS_DAEMON_LOG").unwrap_or_default().into(),
            buildkit_image: String::new(),
            binfmt_image: String::new(),
            remote: String::new(),
            remote_unix: String::new(),
            remote_arm64: String::new(),
            tls: PathBuf::new(),
            podman: PathBuf::new(),
            browser: PathBuf::new(),
            mermaid: PathBuf::new(),
            run: get("PARTS_RUN")?.into(),
        })
    }

    /// `localhost:PORT`: the open registry by the name that a workflow with `services:` would use.
    pub fn localhost(&self) -> String {
        format!("localhost:{}", self.registry.rsplit_once(':').map_or("5000", |(_, port)| port))
    }

    /// The open registry, to read what was pushed.
    pub fn open_registry(&self) -> Registry {
        Registry::open(&self.registry)
    }

    /// The registry with a password.
    pub fn closed_registry(&self) -> Registry {
        let basic = Some((self.auth_username.clone(), self.auth_password.clone()));
        Registry { host: self.auth_registry.clone(), basic }
    }

    /// The text of a file of [`Parts::tls`].
    pub fn pem(&self, name: &str) -> String {
        let path = self.tls.join(format!("{name}.pem"));
        std::fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
    }

    /// Podman with a store of its own in this directory, where nothing is mounted and no image is signed.
    pub fn podman(&self, store: &Path) -> Command {
        let file = |path: &str| self.podman.join(path);
        let mut command = unpacked(&self.podman, "usr/bin/podman");
        command.env("CONTAINERS_REGISTRIES_CONF", file("etc/containers/registries.conf"));
        command.env("HOME", store);
        // Where there is none of the system's, only this one is read.
        let config = store.join(".config/containers");
        std::fs::create_dir_all(&config).expect("a store");
        std::fs::copy(file("etc/containers/policy.json"), config.join("policy.json"))
            .expect("podman's own policy");
        command.arg("--root").arg(store.join("root")).arg("--runroot").arg(store.join("run"));
        // It looks whether this is there, and runs nothing of it.
        command.arg("--conmon").arg(file("usr/bin/conmon"));
        command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]);
        command
    }

    /// A program of Debian's that is unpacked with the browser, its fonts and its libraries.
    pub fn of_browser(&self, program: &str) -> Command {
        let mut command = unpacked(&self.browser, program);
        command.env("FONTCONFIG_SYSROOT", &self.browser);
        command
    }

    /// Whether the engine lacks the containerd image store.
    pub fn graphdriver(&self) -> bool {
        self.engine.contains("graphdriver")
    }
}

/// A program in this unpacked root, with the root's libraries.
fn unpacked(root: &Path, program: &str) -> Command {
    let inside = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten().map(|one| one.path());
    let named = |path: &PathBuf| path.to_string_lossy().ends_with("-linux-gnu");
    let triplets = ["usr/lib", "lib"].into_iter().flat_map(|parent| inside(&root.join(parent)).filter(named));
    // PulseAudio's stand one deeper.
    let libraries: Vec<PathBuf> = triplets.flat_map(|path| [path.join("pulseaudio"), path]).collect();
    let mut command = Command::new(root.join(program));
    command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).expect("paths without colons"));
    command
}

fn get(name: &str) -> Result<String, String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
        format!(
            "`{name}` is not set: run `make test`, or `tests/parts/with-engine docker26 -- cargo test --test live`"
        )
    })
}

/// Runs the docker client against the suite's engine; its output.
///
/// An engine that collects garbage, because another test has removed an image, may collect what it is pulling. It says so,
/// and is asked once more.
pub fn docker(args: &[&str]) -> String {
    let collected = |output: &Output| {
        let said = String::from_utf8_lossy(&output.stderr);
        said.contains("failed to check image") && said.contains("code = NotFound desc = content digest")
    };
    let mut output = try_docker(args);
    if collected(&output) {
        output = try_docker(args);
    }
    assert!(
        output.status.success(),
        "docker {}: {}{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Runs a command in an image that the engine holds, for a platform; its output.
pub fn run_on(platform: &str, image: &str, command: &[&str]) -> String {
    let run = ["run", "--rm", "--quiet", "--pull", "never", "--platform", platform, image];
    docker(&[&run, command].concat())
}

/// Runs the docker client; whatever came of it.
pub fn try_docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().expect("the docker client is on PATH")
}

/// The repository of this project.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
