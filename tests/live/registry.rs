//! The registry client and the way to a loopback registry, against docker-registry and a real engine.
//!
//! What was pushed is read by `crane`. The ways to a registry are tried from inside a container: this very
//! test program, started by the `docker` client in the action's image with the runner's mounts.

#![allow(clippy::await_holding_lock, reason = "one thread runs one test; the lock is between tests")]
#![allow(clippy::print_stdout, reason = "what runs in a container reports through its log")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use docker_push_action::docker::{RelayOptions, reach_loopback_telling};
use docker_push_action::model::{Credentials, Dial, Digest, RegistryHost, Repository, Secret, Tag};
use docker_push_action::registry::{ImageMetadata, Kind, RegistryClient, Timeouts};

use crate::runner::wait::until;

/// Nobody listens here, and no test is ever given this port.
const NOBODY: &str = "127.0.0.1:1";

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("`{name}` is not set: run this beside tests/parts/with-engine"))
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn host(text: &str) -> RegistryHost {
    RegistryHost::parse(text).unwrap()
}

fn client(registry: &str, credentials: Option<&Credentials>) -> RegistryClient {
    RegistryClient::new(host(registry), credentials, Dial::Direct, Timeouts::default())
}

/// Puts five tags on the base image's index, and reads what came of it.
async fn publish(client: &RegistryClient, repository: &Repository, source: &str) -> (Digest, ImageMetadata) {
    let source = client.get_manifest(repository, &Tag::parse(source).unwrap()).await.unwrap();
    let tags = ["v1.2.3", "main", "latest", "0123456-main", "pr-7"].map(|text| Tag::parse(text).unwrap());
    let began = Instant::now();
    let puts = tags.iter().map(|tag| client.put_tag(repository, tag, &source));
    futures_util::future::try_join_all(puts).await.unwrap();
    let put = began.elapsed();
    let began = Instant::now();
    let metadata = client.metadata(repository, &source.digest).await.unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let memory = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!("five tags: {put:?}; metadata: {:?}; {memory}", began.elapsed());
    for tag in &tags {
        let found = client.head_manifest(repository, tag).await.unwrap().unwrap();
        assert_eq!(found.digest, source.digest);
    }
    (source.digest, metadata)
}

#[tokio::test]
async fn tags_on_a_digest_in_an_open_registry() {
    let _turn = crate::job::beside();
    let registry = variable("PARTS_REGISTRY");
    let name = format!("{registry}/registry-client/open");
    succeed(Command::new("crane").args([
        "copy",
        "--insecure",
        &format!("{registry}/base/busybox:1"),
        &format!("{name}:source"),
    ]));
    let repository = Repository::parse(&name).unwrap();
    let client = client(&registry, None);
    let (digest, metadata) = publish(&client, &repository, "source").await;

    assert_eq!(
        succeed(Command::new("crane").args(["digest", "--insecure", &format!("{name}:v1.2.3")])),
        digest.as_str()
    );
    let mut tags: Vec<_> =
        succeed(Command::new("crane").args(["ls", "--insecure", &name])).lines().map(str::to_owned).collect();
    tags.sort();
    assert_eq!(tags, ["0123456-main", "latest", "main", "pr-7", "source", "v1.2.3"]);
    let mut platforms: Vec<_> =
        metadata.platforms.iter().map(|p| p.platform.as_ref().unwrap().to_string()).collect();
    platforms.sort();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    for platform in &metadata.platforms {
        let one = succeed(Command::new("crane").args([
            "manifest",
            "--insecure",
            &format!("{name}@{}", platform.digest),
        ]));
        let one: serde_json::Value = serde_json::from_str(&one).unwrap();
        assert_eq!(one["config"]["digest"], platform.config_digest.as_ref().unwrap().as_str());
        let layers: u64 =
            one["layers"].as_array().unwrap().iter().map(|layer| layer["size"].as_u64().unwrap()).sum();
        assert!(platform.size > layers && layers > 0);
    }

    let nothing = client.head_manifest(&repository, &Tag::parse("none").unwrap()).await.unwrap();
    assert_eq!(nothing, None);
    let unknown = Repository::parse(&format!("{registry}/nobody/here")).unwrap();
    assert_eq!(client.head_manifest(&unknown, &Tag::parse("none").unwrap()).await.unwrap(), None);
    // A tag cannot be put on what is not there.
    let source = client.get_manifest(&repository, &digest).await.unwrap();
    let error = client.put_tag(&unknown, &Tag::parse("x").unwrap(), &source).await.unwrap_err();
    let Kind::ErrorResponse(answered) = error.kind() else { panic!("{error}") };
    assert!(answered.status / 100 == 4 && answered.code.is_some(), "{error}");
}

#[tokio::test]
async fn a_registry_that_wants_a_login() {
    let _turn = crate::job::beside();
    let registry = variable("PARTS_AUTH_REGISTRY");
    let (username, password) = (variable("PARTS_AUTH_USERNAME"), variable("PARTS_AUTH_PASSWORD"));
    let name = format!("{registry}/registry-client/auth");
    let config = tempfile::tempdir().unwrap();
    let crane = || {
        let mut command = Command::new("crane");
        command.env("DOCKER_CONFIG", config.path());
        command
    };
    succeed(crane().args(["auth", "login", &registry, "-u", &username, "-p", &password]));
    let base = variable("PARTS_REGISTRY") + "/base/busybox:1";
    succeed(crane().args(["copy", "--insecure", &base, &format!("{name}:source")]));
    let repository = Repository::parse(&name).unwrap();
    let login = |password: &str| Credentials::new(host(&registry), &username, Secret::new(password));
    let (digest, _) = publish(&client(&registry, Some(&login(&password))), &repository, "source").await;
    assert_eq!(succeed(crane().args(["digest", "--insecure", &format!("{name}:latest")])), digest.as_str());

    let error =
        client(&registry, Some(&login("wrong"))).get_manifest(&repository, &digest).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Unauthorized(_)), "{error}");
    assert!(error.hint().unwrap().contains(&username));
    let error = client(&registry, None).get_manifest(&repository, &digest).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Unauthorized(_)), "{error}");
    let other = Credentials { registry: host("ghcr.io"), ..login(&password) };
    client(&registry, Some(&other)).get_manifest(&repository, &digest).await.unwrap_err();
}

/// A process that ends with this value.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Another implementation: go-containerregistry's.
#[tokio::test]
async fn tags_in_a_registry_of_other_make() {
    let _turn = crate::job::beside();
    let mut serve = Command::new("crane");
    serve.args(["registry", "serve", "--address", "127.0.0.1:0"]).stderr(std::process::Stdio::piped());
    let mut running = Running(serve.spawn().unwrap());
    // It chooses its port, listens, and says so.
    let mut said = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let port = said.find_map(|line| Some(line.ok()?.rsplit_once("serving on port ")?.1.to_owned()));
    let registry = format!("127.0.0.1:{}", port.expect("the registry starts"));
    let client_of = || client(&registry, None);
    let name = format!("{registry}/registry-client/other");
    let base = variable("PARTS_REGISTRY") + "/base/busybox:1";
    succeed(Command::new("crane").args(["copy", "--insecure", &base, &format!("{name}:source")]));
    let repository = Repository::parse(&name).unwrap();
    let (digest, metadata) = publish(&client_of(), &repository, "source").await;
    assert_eq!(metadata.platforms.len(), 2);
    let found = succeed(Command::new("crane").args(["digest", "--insecure", &format!("{name}:pr-7")]));
    assert_eq!(found, digest.as_str());
    let unknown = Repository::parse(&format!("{registry}/nobody/here")).unwrap();
    assert_eq!(client_of().head_manifest(&unknown, &Tag::parse("none").unwrap()).await.unwrap(), None);
}

/// Starts this program's test [`inside`] in the action's image, as the runner starts an action.
fn action(temp: &Path, registry: &str, expect: &str) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--entrypoint", "/test-program", "-v"]);
    command.arg(format!("{}:/var/run/docker.sock", variable("PARTS_DOCKER_SOCKET")));
    command.arg("-v").arg(format!("{}:/github/runner_temp", temp.display()));
    command.arg("-v").arg(format!("{}:/test-program:ro", program.display()));
    // The test program is linked to the machine's C library; the action in the image is not.
    for library in ["/lib", "/lib64", "/usr/lib"] {
        if Path::new(library).exists() {
            command.arg("-v").arg(format!("{library}:{library}:ro"));
        }
    }
    command.args(["-e", &format!("REGISTRY={registry}"), "-e", &format!("EXPECT={expect}")]);
    command.args([
        "-e",
        &format!("HELPER={}", temp.file_name().unwrap().to_string_lossy().to_lowercase().replace('.', "")),
    ]);
    command.args(["-e", "LOGIN_USERNAME", "-e", "LOGIN_PASSWORD"]);
    command
        .env("LOGIN_USERNAME", variable("PARTS_AUTH_USERNAME"))
        .env("LOGIN_PASSWORD", variable("PARTS_AUTH_PASSWORD"));
    command
}

/// Tells our helpers from those of tests that run at the same time.
const RUN: &str = "live-registry";

const INSIDE: [&str; 4] = ["registry::inside", "--exact", "--ignored", "--nocapture"];

/// What runs in the container.
#[tokio::test]
#[ignore = "run by the tests below, in a container"]
async fn inside() {
    let registry = host(&variable("REGISTRY"));
    let socket = Path::new("/var/run/docker.sock");
    let options = RelayOptions {
        run: RUN.into(),
        id: variable("HELPER"),
        directories: vec![PathBuf::from("/github/runner_temp")],
        program: "/docker-push-action".into(),
        timeout: Duration::from_mins(1),
    };
    if variable("EXPECT") == "cancelled" {
        // At any moment of its start: a signal does the same.
        for milliseconds in (0..200).step_by(8) {
            let options = RelayOptions { id: format!("{}{milliseconds}", options.id), ..options.clone() };
            let start = reach_loopback_telling(&registry, socket, &options, || {});
            let _ = tokio::time::timeout(Duration::from_millis(milliseconds), start).await;
        }
        return;
    }
    let began = Instant::now();
    let reached = match reach_loopback_telling(&registry, socket, &options, || {}).await {
        Ok(reached) => reached,
        Err(error) => {
            println!("error: {error}");
            assert_eq!(variable("EXPECT"), "error");
            return;
        }
    };
    println!("reached: {:?} in {:?}", reached.dial, began.elapsed());
    let way = match &reached.dial {
        Dial::Direct => "direct",
        Dial::Address(_) => "gateway",
        Dial::Socket(_) => "relay",
    };
    if variable("EXPECT") == "killed" {
        // Until somebody kills this container.
        std::future::pending::<()>().await;
    }
    assert_eq!(variable("EXPECT"), way);
    let password = Secret::new(variable("LOGIN_PASSWORD"));
    let credentials = Credentials::new(registry.clone(), variable("LOGIN_USERNAME"), password);
    let began = Instant::now();
    let client =
        RegistryClient::new(registry.clone(), Some(&credentials), reached.dial.clone(), Timeouts::default());
    client.ping().await.unwrap();
    println!("ping: {:?}", began.elapsed());
    let repository = Repository::new(registry, "base/busybox").unwrap();
    let source = Tag::parse("1").unwrap();
    if client.head_manifest(&repository, &source).await.unwrap().is_some() {
        publish(&client, &repository, "1").await;
    }
    let began = Instant::now();
    reached.close();
    println!("closed: {:?}", began.elapsed());
}

fn helpers(which: &str) -> String {
    succeed(Command::new("docker").args([
        "ps",
        which,
        "--quiet",
        "--filter",
        &format!("label=docker-push-action.run={RUN}"),
    ]))
}

/// Waits until no helper is left.
fn no_helper() {
    assert!(until(|| helpers("--all").is_empty()), "helpers are left: {}", helpers("--all"));
}

/// The ways, one after the other: they look at the same engine's containers.
#[test]
fn ways_to_a_registry_on_the_hosts_loopback() {
    let _turn = crate::job::beside();
    let port = |address: &str| address.rsplit(':').next().unwrap().to_owned();
    let open = variable("PARTS_REGISTRY");
    let auth = variable("PARTS_AUTH_REGISTRY");
    let gateway = format!("localhost:{}", variable("PARTS_GATEWAY_REGISTRY_PORT"));
    let named = format!("localhost:{}", port(&open));
    for (registry, expect, network) in [
        (&open, "relay", "bridge"),
        (&named, "relay", "bridge"),
        (&auth, "relay", "bridge"),
        (&gateway, "gateway", "bridge"),
        (&open, "direct", "host"),
        (&NOBODY.to_owned(), "error", "bridge"),
        (&open, "cancelled", "bridge"),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let mut command = action(temp.path(), registry, expect);
        command.args(["--network", network, &variable("PARTS_IMAGE")]).args(INSIDE);
        let output = run(&mut command);
        let log = said(&output);
        println!("== {registry}, {network}\n{log}");
        assert!(output.status.success(), "{registry}, {network}: {log}");
        assert!(log.contains("1 passed"), "{log}");
        if expect == "error" {
            for part in
                ["directly: ", "through the gateway `", "through a helper container on the host's network: "]
            {
                assert!(log.contains(part), "{log}");
            }
        }
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0, "the shared directory is removed");
        no_helper();
    }

    // However we end, the helper ends too.
    let temp = tempfile::tempdir().unwrap();
    let mut command = action(temp.path(), &open, "killed");
    let own = format!("registry-killed-{}", std::process::id());
    command.args(["--name", &own, &variable("PARTS_IMAGE")]).args(INSIDE);
    let mut child =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    assert!(until(|| !helpers("--no-trunc").is_empty()), "no helper was started");
    succeed(Command::new("docker").args(["kill", "--signal", "KILL", &own]));
    child.wait().unwrap();
    no_helper();
}
