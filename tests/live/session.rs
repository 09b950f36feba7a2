//! What the session serves, proven by build steps on a real BuildKit: secrets, SSH agents, image layouts, caches in
//! directories. Straight through the library, beside whatever inputs lead there.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use docker_push_action::buildkit::{
    Address, BuildError, BuildIds, BuildOutcome, Connection, KeyFault, Provisions, SshError, build,
};
use docker_push_action::inputs::config::Dockerfile;
use docker_push_action::model::{
    BuildSecret, CacheEntry, ContextSource, Digest, NamedContext, NamedSource, Platform, SshKeys, SshSource,
};
use docker_push_action::plan::build::BuildPlan;
use docker_push_action::progress::event::{StatusUpdate, Vertex};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::builder::not_here;
use crate::job::{alone, beside, parts};
use crate::runner::parts::docker;
use crate::runner::wait::{PATIENCE, until};

/// One build without a result.
struct Trial {
    context: TempDir,
    plan: BuildPlan,
    provisions: Provisions,
}

/// What was seen of a build.
struct Seen {
    outcome: Result<BuildOutcome, BuildError>,
    steps: Vec<Vertex>,
    log: String,
}

impl Trial {
    /// Of the base image and these lines. A number in the Dockerfile keeps other builds' cache away.
    fn new(lines: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let context = tempfile::tempdir().unwrap();
        let unique = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let dockerfile = format!("FROM {}\nENV UNIQUE={unique}\n{lines}\n", parts().base);
        std::fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
        let dockerfile = Dockerfile {
            directory: Some(context.path().to_owned()),
            file_name: "Dockerfile".into(),
            in_workspace: "Dockerfile".into(),
        };
        let source = ContextSource::Directory(context.path().to_owned());
        let platforms = vec![Platform::parse("linux/amd64").unwrap()];
        Self {
            context,
            plan: BuildPlan::new(source, dockerfile, platforms),
            provisions: Provisions::default(),
        }
    }

    fn secret(mut self, id: &str, value: Vec<u8>) -> Self {
        self.plan.secrets.push(id.into());
        self.provisions.secrets.push(BuildSecret { id: id.into(), value });
        self
    }

    fn ssh(mut self, id: &str, keys: SshKeys) -> Self {
        self.plan.ssh.push(id.into());
        self.provisions.ssh.push(SshSource { id: id.into(), keys });
        self
    }

    fn run(&self) -> Seen {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let connection = Connection::open(&Address::DockerSocket(parts().socket.clone())).await.unwrap();
            let mut random = [0; 32];
            getrandom::fill(&mut random).unwrap();
            let ids = BuildIds::from_random(random);
            let (updates, mut incoming) = mpsc::channel::<StatusUpdate>(16);
            let building = build(&connection, &self.plan, &ids, self.provisions.clone(), updates, pending());
            let reading = async {
                let (mut steps, mut log) = (Vec::new(), Vec::new());
                while let Some(update) = incoming.recv().await {
                    steps.extend(update.vertexes);
                    log.extend(update.logs.into_iter().flat_map(|line| line.message));
                }
                (steps, String::from_utf8_lossy(&log).into_owned())
            };
            let both = async { tokio::join!(building, reading) };
            let (outcome, (steps, log)) =
                Box::pin(tokio::time::timeout(PATIENCE, both)).await.expect("the build ends");
            connection.close().await;
            Seen { outcome, steps, log }
        })
    }
}

impl Seen {
    fn succeeded(self) -> Self {
        assert!(self.outcome.is_ok(), "{:?}\n{}", self.outcome, self.log);
        self
    }

    fn error(&self) -> String {
        self.outcome.as_ref().expect_err("it fails").to_string()
    }

    fn is_cached(&self, part: &str) -> bool {
        let mut named = self.steps.iter().filter(|step| step.name.contains(part)).peekable();
        assert!(named.peek().is_some(), "no step `{part}`: {:?}", self.steps);
        named.any(|step| step.cached)
    }
}

fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(31) >> 3).to_le_bytes()[0] ^ seed).collect()
}

/// What `sha256sum` says.
fn sum(bytes: &[u8]) -> String {
    Digest::of(bytes).as_str().trim_start_matches("sha256:").to_owned()
}

#[test]
fn secrets_reach_their_steps() {
    let _turn = beside();
    let most = bytes(BuildSecret::MAX, 0);
    let binary: Vec<u8> = (0..=255).cycle().take(4096).collect();
    let mount = |id: &str| format!("--mount=type=secret,id={id},required=true");
    let many: Vec<String> = (0..50).map(|n| format!("many-{n}")).collect();
    let checks: Vec<String> =
        many.iter().map(|id| format!("grep -qx 'value of {id}' /run/secrets/{id}")).collect();
    let lines = [
        format!("RUN {} test \"$(cat /run/secrets/one)\" = x", mount("one")),
        format!("RUN {} sha256sum /run/secrets/most | grep {}", mount("most"), sum(&most)),
        format!("RUN {} sha256sum /run/secrets/binary | grep {}", mount("binary"), sum(&binary)),
        "RUN --mount=type=secret,id=none test ! -e /run/secrets/none".to_owned(),
        format!(
            "RUN {} {}",
            many.iter().map(|id| mount(id)).collect::<Vec<_>>().join(" "),
            checks.join(" && ")
        ),
        "RUN ! grep -rlx 'value of many-7' /run /tmp /etc".to_owned(),
    ];
    let mut trial = Trial::new(&lines.join("\n"))
        .secret("one", b"x".to_vec())
        .secret("most", most)
        .secret("binary", binary)
        .secret("not-asked-for", b"y".to_vec());
    for id in many {
        let value = format!("value of {id}\n").into_bytes();
        trial = trial.secret(&id, value);
    }
    trial.run().succeeded();
}

#[test]
fn a_secret_that_is_missing_is_named() {
    let _turn = beside();
    let trial =
        Trial::new("RUN --mount=type=secret,id=token,required=true true").secret("other", b"x".to_vec());
    let error = trial.run().error();
    assert!(error.contains("secret token: not found"), "{error}");
}

/// The real OpenSSH client with all it needs, and public keys to ask for.
fn with_openssh(trial: &Trial, public_keys: &[&str]) {
    let root = trial.context.path().join("root");
    let tools = [ssh_tool("ssh-add"), ssh_tool("ssh-keygen")];
    let libraries = Command::new("ldd").args(&tools).output().expect("`ldd`");
    let libraries = String::from_utf8(libraries.stdout).unwrap();
    let paths = libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/') && !word.ends_with(':'))
        .map(PathBuf::from);
    for path in paths.chain(tools) {
        let to = root.join(path.strip_prefix("/").unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&path, to).unwrap();
    }
    for name in public_keys {
        std::fs::copy(key(name), root.join(name)).unwrap();
    }
}

fn ssh_tool(name: &str) -> PathBuf {
    let path = Path::new("/usr/bin").join(name);
    assert!(path.exists(), "`{}` is missing: install the package `openssh-client`", path.display());
    path
}

fn key(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ssh").join(name)
}

/// A step that has a file signed by each of these keys, RSA's with SHA-512, and verifies it.
fn signing(mount: &str, public_keys: &[&str]) -> String {
    let checks: Vec<String> = public_keys.iter().map(|name| format!("sign {name}")).collect();
    let sign = "sign() { ssh-keygen -Y sign -n test -f /$1 </etc/passwd >/$1.sig && \
                ssh-keygen -Y check-novalidate -n test -s /$1.sig </etc/passwd; }";
    format!("RUN --mount=type=ssh{mount} {sign}; ssh-add -L && {}", checks.join(" && "))
}

#[test]
fn key_files_sign_for_a_real_client() {
    const PUBLIC: &[&str] = &["ed25519.pub", "ecdsa256.pub", "ecdsa384.pub", "rsa2048.pub", "rsa3072.pub"];
    let _turn = beside();
    let files = ["ed25519", "ecdsa256", "ecdsa384.pem", "rsa2048.pkcs8", "rsa3072"].map(key).to_vec();
    let lines = [
        "COPY root/ /",
        &signing("", PUBLIC),
        &signing(",id=other,required=true", &["ed25519.pub"]),
        // An agent of ours takes no orders but these two.
        "RUN --mount=type=ssh ! /usr/bin/ssh-add -D && ! /usr/bin/ssh-add -x </dev/null && /usr/bin/ssh-add -l",
        "RUN --mount=type=ssh,id=unknown test ! -S /run/buildkit/ssh_agent.0",
        "RUN test -z \"$SSH_AUTH_SOCK\"",
    ];
    let trial = Trial::new(&lines.join("\n"))
        .ssh("default", SshKeys::Files(files))
        .ssh("other", SshKeys::Files(vec![key("ed25519")]));
    with_openssh(&trial, PUBLIC);
    let seen = trial.run().succeeded();
    assert!(seen.log.contains("ssh-ed25519 ") && seen.log.contains("test rsa3072"), "{}", seen.log);
}

/// A real agent, which ends with the test.
struct Agent {
    process: Child,
    directory: TempDir,
}

impl Agent {
    fn start(keys: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("agent");
        let mut command = Command::new(ssh_tool("ssh-agent"));
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null());
        let process = command.spawn().expect("`ssh-agent`");
        let agent = Self { process, directory };
        // Exit code 1: it answers, and has no keys yet.
        assert!(until(|| agent.ssh_add(&["-l"]).0 == Some(1)), "the agent answers");
        for name in keys {
            // It refuses keys that others could read.
            let copy = agent.directory.path().join(name);
            std::fs::copy(key(name), &copy).unwrap();
            std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            assert_eq!(agent.ssh_add(&["-q", copy.to_str().unwrap()]).0, Some(0), "{name}");
        }
        agent
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("agent")
    }

    fn ssh_add(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(ssh_tool("ssh-add"));
        let output = command.args(args).env("SSH_AUTH_SOCK", self.socket()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_real_agent_is_reached_and_cannot_be_changed() {
    const PUBLIC: &[&str] = &["ed25519.pub", "rsa2048.pub"];
    let _turn = beside();
    // Keys that only an agent can have for us: 521 bits.
    let agent = Agent::start(&["ed25519", "ecdsa521"]);
    let lines = [
        "COPY root/ /",
        &signing("", &["ed25519.pub"]),
        "RUN --mount=type=ssh /usr/bin/ssh-add -L | grep nistp521",
        "RUN --mount=type=ssh ! /usr/bin/ssh-add -T /rsa2048.pub",
        "RUN --mount=type=ssh ! /usr/bin/ssh-add -D; ! /usr/bin/ssh-add -d /ed25519.pub; /usr/bin/ssh-add -l",
        // Several connections at once.
        "RUN --mount=type=ssh for n in 1 2 3 4 5 6 7 8; do /usr/bin/ssh-add -T /ed25519.pub & done; wait",
    ];
    let trial = Trial::new(&lines.join("\n")).ssh("default", SshKeys::Agent(agent.socket()));
    with_openssh(&trial, PUBLIC);
    trial.run().succeeded();
    let (_, left) = agent.ssh_add(&["-l"]);
    assert_eq!(left.lines().count(), 2, "both keys are there: {left}");
}

#[test]
fn nobody_to_sign() {
    let _turn = beside();
    let error = Trial::new("RUN --mount=type=ssh,required=true true").run().error();
    assert!(error.contains("no SSH agent has the id `default`"), "{error}");

    let agent = Agent::start(&[]);
    let gone = agent.socket();
    drop(agent);
    let trial = Trial::new("RUN --mount=type=ssh true")
        .ssh("default", SshKeys::Agent(gone))
        .ssh("other", SshKeys::Files(vec![key("encrypted")]));
    let seen = trial.run();
    let Err(BuildError::Ssh(faults)) = &seen.outcome else { panic!("{:?}", seen.outcome) };
    assert!(matches!(faults[0], SshError::Agent { .. }), "{faults:?}");
    assert!(matches!(faults[1], SshError::Key { fault: KeyFault::Encrypted, .. }), "{faults:?}");
    assert!(seen.steps.is_empty(), "nothing was begun");
}

/// The base image in its layout.
fn base_layout() -> NamedSource {
    let directory = parts().busybox_amd64.parent().unwrap().join("layout");
    let index: serde_json::Value =
        serde_json::from_slice(&std::fs::read(directory.join("index.json")).unwrap()).unwrap();
    // One for each platform; the first is amd64's.
    let digest = Digest::parse(index["manifests"][0]["digest"].as_str().unwrap()).unwrap();
    NamedSource::OciLayout { directory, digest }
}

#[test]
fn image_layouts_are_contexts() {
    if parts().graphdriver() {
        return not_here("this engine's own BuildKit has no such thing without the image store");
    }
    let _turn = beside();
    let lines = "FROM layout\nRUN echo from the layout\nFROM layout-0\nCOPY --from=layout /bin/busybox /again/busybox\nRUN /again/busybox echo twice";
    let mut trial = Trial::new(lines);
    trial.plan.named_contexts.push(NamedContext { name: "layout".into(), source: base_layout() });
    for number in 0..20 {
        let name = format!("layout-{number}");
        trial.plan.named_contexts.push(NamedContext { name, source: base_layout() });
    }
    let seen = trial.run().succeeded();
    assert!(seen.log.contains("twice"), "{}", seen.log);

    let NamedSource::OciLayout { directory, .. } = base_layout() else { unreachable!() };
    let missing = NamedSource::OciLayout { directory, digest: Digest::of(b"missing") };
    let mut trial = Trial::new("FROM layout\nRUN true");
    trial.plan.named_contexts.push(NamedContext { name: "layout".into(), source: missing });
    let error = trial.run().error();
    assert!(error.contains(Digest::of(b"missing").as_str()) && error.contains("not found"), "{error}");
}

fn local(key: &str, directory: &Path, more: &[(&str, &str)]) -> CacheEntry {
    let mut attrs =
        std::collections::BTreeMap::from([(key.to_owned(), directory.to_str().unwrap().to_owned())]);
    attrs.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    CacheEntry { kind: "local".into(), attrs }
}

#[test]
fn a_cache_in_a_directory_outlives_the_engines() {
    if parts().graphdriver() {
        return not_here("this engine's own BuildKit has no such thing without the image store");
    }
    let _turn = alone();
    let place = tempfile::tempdir().unwrap();
    // A name that no header could carry.
    let directory = place.path().join("the cäche/of this");
    let mut trial = Trial::new("COPY data /data\nRUN sha256sum /data >/sum\nRUN cat /sum");
    std::fs::write(trial.context.path().join("data"), bytes(3 << 20, 7)).unwrap();
    trial.plan.cache_from = vec![local("src", &directory, &[])];
    trial.plan.cache_to = vec![local("dest", &directory, &[("mode", "max")])];
    let first = trial.run().succeeded();
    assert_eq!(first.outcome.unwrap().missing_caches.len(), 1, "there is none yet");
    let mut entries: Vec<_> =
        std::fs::read_dir(&directory).unwrap().map(|e| e.unwrap().file_name()).collect();
    entries.sort();
    assert_eq!(entries, ["blobs", "index.json", "oci-layout"]);
    for blob in std::fs::read_dir(directory.join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        assert_eq!(sum(&std::fs::read(blob.path()).unwrap()), blob.file_name().to_str().unwrap());
    }

    for _ in 0..2 {
        docker(&["builder", "prune", "--all", "--force"]);
        let again = trial.run().succeeded();
        assert!(again.is_cached("RUN sha256sum /data"), "{:?}", again.steps);
        assert!(again.is_cached("RUN cat /sum"), "{:?}", again.steps);
        assert!(again.outcome.unwrap().missing_caches.is_empty());
        let index = std::fs::read(directory.join("index.json")).unwrap();
        let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), 1, "{index}");
    }

    // Old blobs go when that is asked for, and the cache still is one. How many there are is not known: a layer of the base image
    // that another build has had compressed in another way goes along.
    let old = directory.join("blobs/sha256").join(sum(b"old"));
    std::fs::write(&old, b"old").unwrap();
    trial.plan.cache_to = vec![local("dest", &directory, &[("mode", "max"), ("reset", "true")])];
    trial.run().succeeded();
    assert!(!old.exists());
    docker(&["builder", "prune", "--all", "--force"]);
    assert!(trial.run().succeeded().is_cached("RUN cat /sum"));

    // Without it, the engine has to work.
    docker(&["builder", "prune", "--all", "--force"]);
    (trial.plan.cache_from, trial.plan.cache_to) = (Vec::new(), Vec::new());
    assert!(!trial.run().succeeded().is_cached("RUN cat /sum"));
}
