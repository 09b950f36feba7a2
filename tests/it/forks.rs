//! A workflow that pushes to three registries, in a fork that has none of its secrets: the program itself, beside a builder and
//! GitHub's registry on the wire. All that it connects to is behind a proxy, which knows who was asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docker_push_action::buildkit::Address;
use docker_push_action::registry::Manifest;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::builders::listen;
use crate::daemon::{Daemon, Door, Script};
use crate::legs::world::pairs;
use crate::registry::fake::{Answer, Fake, Request, answer};

const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
const FORK: &str = "mallory/shop";
const ACTOR: &str = "mallory";
const TOKEN: &str = "ghs_0123456789abcdefghijABCDEFGHIJ012345";
const IMAGE: &str = "ghcr.io/mallory/shop/api";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str =
    r#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]},"config":{}}"#;
/// A hang is a failure.
const DEADLINE: Duration = Duration::from_mins(1);

/// The workflow's other repositories.
const HUBS: &str = "docker.io/acme/api";
const QUAYS: &str = "quay.io/acme/api";

/// What the workflow's `registry_auth` comes to in a fork, where every secret is empty: `more` stands in each entry.
fn logins(more: &str) -> String {
    format!(
        "- registry: docker.io\n  username: acme\n  password: ''\n{more}\
         - registry: quay.io\n  username:\n  password:\n{more}\n-\n"
    )
}

const OPTIONAL: &str = "  optional: true\n";

/// One run, and all that it can speak to.
struct World {
    place: tempfile::TempDir,
    ghcr: Fake,
    builder: Daemon,
    proxy: SocketAddr,
    connected: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

/// What a step leaves.
struct Ended {
    success: bool,
    log: String,
    outputs: BTreeMap<String, String>,
    summary: String,
}

impl Ended {
    /// The annotations of this kind.
    fn said(&self, kind: &str) -> Vec<&str> {
        self.log.lines().filter(|line| line.starts_with(&format!("::{kind}"))).collect()
    }

    /// Warnings about a registry or a login: a workspace without a checkout has others.
    fn warnings(&self) -> Vec<&str> {
        let about = |line: &&str| {
            ["docker.io", "quay.io", "ghcr.io", "registry_auth"].iter().any(|host| line.contains(host))
        };
        self.said("warning").into_iter().filter(about).collect()
    }
}

/// What the builder has made.
fn image() -> Manifest {
    let config = docker_push_action::model::Digest::of(CONFIG.as_bytes());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [],
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.as_str(), "size": CONFIG.len(),
        },
    });
    Manifest::new(manifest.to_string(), OCI_MANIFEST)
}

/// GitHub's registry, which has what the builder has pushed, and takes this run's login only.
fn ghcr(kept: &Mutex<BTreeMap<String, Manifest>>, request: &Request) -> Answer {
    let login = format!("Basic {}", STANDARD.encode(format!("{ACTOR}:{TOKEN}")));
    let authorization = request.header("authorization").unwrap_or_default();
    let (method, target) = (request.method.as_str(), request.target.as_str());
    if target.starts_with("/token") {
        let known = authorization == login;
        return if known { answer(200, &[], r#"{"token":"t"}"#) } else { answer(401, &[], "") };
    }
    if authorization != "Bearer t" {
        return answer(
            401,
            &[r#"WWW-Authenticate: Bearer realm="https://ghcr.io/token",service="ghcr.io""#],
            "",
        );
    }
    let mut kept = kept.lock().unwrap();
    let reference = target.strip_prefix("/v2/mallory/shop/api/manifests/");
    match (method, reference) {
        ("GET", None) if target == "/v2/" => answer(200, &[], "{}"),
        ("GET", None) if target.contains("/blobs/sha256:") => answer(200, &[], CONFIG),
        ("POST", None) => answer(202, &["Location: /v2/mallory/shop/api/blobs/uploads/1"], ""),
        ("DELETE", None) => answer(204, &[], ""),
        ("PUT", Some(tag)) => {
            kept.insert(tag.to_owned(), Manifest::new(request.body.clone(), OCI_MANIFEST));
            answer(201, &[], "")
        }
        ("GET" | "HEAD", Some(reference)) => match kept.get(reference) {
            None => answer(404, &[], ""),
            Some(manifest) => {
                let digest = format!("Docker-Content-Digest: {}", manifest.digest);
                let headers = [digest.as_str(), &format!("Content-Type: {OCI_MANIFEST}")];
                let Answer::Send(whole) = answer(200, &headers, &manifest.bytes) else { unreachable!() };
                let body = if method == "HEAD" { manifest.bytes.len() } else { 0 };
                Answer::Send(whole[..whole.len() - body].to_vec())
            }
        },
        _ => answer(404, &[], ""),
    }
}

/// A proxy that leads to GitHub's registry and to nobody else.
async fn proxy(to: SocketAddr, connected: Arc<Mutex<Vec<String>>>) -> (SocketAddr, JoinSet<()>) {
    listen(move |stream| tunnel(stream, to, Arc::clone(&connected))).await
}

async fn tunnel(mut stream: TcpStream, to: SocketAddr, connected: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let host = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
    let is_known = host == "ghcr.io:443";
    connected.lock().unwrap().push(host);
    if !is_known {
        stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        return;
    }
    let mut there = TcpStream::connect(to).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    // How it ends is the matter of those who speak.
    let _ended = copy_bidirectional(&mut stream, &mut there).await;
}

impl World {
    async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("workspace")).unwrap();
        std::fs::write(place.path().join("workspace/Dockerfile"), "FROM scratch\nCOPY Dockerfile /\n")
            .unwrap();
        let made = rcgen::generate_simple_self_signed(["ghcr.io".to_owned()]).unwrap();
        std::fs::write(place.path().join("root.pem"), made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let tls =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap();
        let image = image();
        let builder = Daemon::making(Door::None, Script::Succeed, image.digest.as_str());
        let kept = Mutex::new(BTreeMap::from([(image.digest.to_string(), image)]));
        let ghcr = Fake::start_tls(tls, move |request| ghcr(&kept, request)).await;
        let connected = Arc::default();
        let (proxy, serving) = proxy(ghcr.address, Arc::clone(&connected)).await;
        Self { place, ghcr, builder, proxy, connected, _serving: serving }
    }

    /// Runs the step with these inputs besides the usual ones, on a push to `main`.
    async fn run(&self, inputs: &[(&str, &str)]) -> Ended {
        let payload = json!({
            "ref": "refs/heads/main",
            "repository": { "full_name": FORK, "default_branch": "main" },
        });
        self.run_on("push", "refs/heads/main", &payload, inputs).await
    }

    async fn run_on(
        &self,
        event: &str,
        reference: &str,
        payload: &serde_json::Value,
        inputs: &[(&str, &str)],
    ) -> Ended {
        let path = |name: &str| self.place.path().join(name);
        std::fs::write(path("event.json"), payload.to_string()).unwrap();
        for name in ["output", "summary"] {
            std::fs::write(path(name), "").unwrap();
        }
        let Address::BuildkitSocket(socket) = self.builder.address() else { panic!("no socket") };
        let mut command = Command::new(env!("CARGO_BIN_EXE_docker-push-action"));
        command.env_clear().current_dir(path("workspace")).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (key, value) in [
            ("EVENT_NAME", event),
            ("REF", reference),
            ("SHA", SHA),
            ("REPOSITORY", FORK),
            ("SERVER_URL", "https://github.com"),
            // Nobody answers there.
            ("API_URL", "http://127.0.0.1:1"),
            ("ACTOR", ACTOR),
            ("RUN_ID", "4711"),
            ("RUN_ATTEMPT", "1"),
            ("ACTIONS", "true"),
        ] {
            command.env(format!("GITHUB_{key}"), value);
        }
        command.env("GITHUB_WORKSPACE", path("workspace")).env("GITHUB_EVENT_PATH", path("event.json"));
        command.env("GITHUB_OUTPUT", path("output")).env("GITHUB_STEP_SUMMARY", path("summary"));
        command.env("RUNNER_TEMP", socket.parent().unwrap()).env("RUNNER_DEBUG", "1");
        command.env("DOCKER_HOST", "unix:///there/is/no/docker.sock");
        command.env("HTTPS_PROXY", format!("http://{}", self.proxy));
        command.env("SSL_CERT_FILE", path("root.pem"));
        let builder = format!("unix://{}", socket.display());
        let usual = [
            ("builder", builder.as_str()),
            ("platform", "linux/amd64"),
            ("cache", "off"),
            ("retries", "0"),
            // The runner's own defaults.
            ("username", ACTOR),
            ("password", TOKEN),
            ("token", TOKEN),
        ];
        for (input, value) in usual.iter().chain(inputs) {
            command.env(format!("INPUT_{}", input.to_uppercase()), value);
        }
        let output = tokio::time::timeout(DEADLINE, command.output()).await.expect("no hang").unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            success: output.status.success(),
            log: text(&output.stdout) + &text(&output.stderr),
            outputs: pairs(&std::fs::read_to_string(path("output")).unwrap()),
            summary: std::fs::read_to_string(path("summary")).unwrap(),
        }
    }

    /// The hosts that were asked for.
    fn connected(&self) -> Vec<String> {
        let mut hosts = self.connected.lock().unwrap().clone();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// Where the builder was told to push; `None` if nobody told it anything.
    fn pushed_to(&self) -> Option<Vec<String>> {
        self.builder.seen(|seen| {
            let attrs = |exporter: &bollard_buildkit_proto::moby::buildkit::v1::Exporter| {
                let pushes = exporter.attrs.get("push").is_some_and(|push| push == "true");
                pushes.then(|| exporter.attrs["name"].clone())
            };
            seen.solve.as_ref().map(|solve| solve.exporters.iter().filter_map(attrs).collect())
        })
    }

    /// The tags that were put in GitHub's registry.
    fn tags(&self) -> Vec<String> {
        let puts = self.ghcr.lines().into_iter();
        let tag = |line: String| Some(line.strip_prefix("PUT /v2/mallory/shop/api/manifests/")?.to_owned());
        let mut tags: Vec<_> = puts.filter_map(tag).collect();
        tags.sort();
        tags
    }

    /// It went to the fork's own repository, and to no other.
    fn is_in_its_own_registry_only(&self, ended: &Ended) {
        assert!(ended.success, "{}", ended.log);
        assert_eq!(self.pushed_to().unwrap(), [IMAGE]);
        assert_eq!(self.tags(), [&format!("{SHA}-main"), "latest", "main"]);
        assert_eq!(self.connected(), ["ghcr.io:443"], "nobody else was spoken to");
        assert_eq!((ended.outputs["image"].as_str(), ended.outputs["pushed"].as_str()), (IMAGE, "true"));
        let tags: Vec<&str> = ended.outputs["tags"].lines().collect();
        assert!(tags.len() == 3 && tags.iter().all(|tag| tag.starts_with(IMAGE)), "{tags:?}");
        assert!(ended.summary.starts_with("### ✅ Pushed"), "{}", ended.summary);
    }

    /// It was built, and went nowhere.
    fn is_nowhere(&self, ended: &Ended) {
        assert!(ended.success, "{}", ended.log);
        assert_eq!(self.pushed_to().unwrap(), [""; 0]);
        assert_eq!(self.connected(), [""; 0], "nobody was spoken to");
        assert_eq!(ended.outputs["pushed"], "false");
        assert!(ended.summary.starts_with("### ✅ Built"), "{}", ended.summary);
    }
}

#[tokio::test]
async fn a_fork_pushes_to_its_own_registry_where_the_other_logins_are_optional() {
    let world = World::new().await;
    let repositories = [IMAGE, HUBS, QUAYS].join("\n");
    let ended = world.run(&[("repository", &repositories), ("registry_auth", &logins(OPTIONAL))]).await;
    world.is_in_its_own_registry_only(&ended);
    let warnings = ended.warnings();
    assert_eq!(warnings.len(), 2, "{}", ended.log);
    for (warning, repository, why) in [
        (warnings[0], HUBS, "entry 1 of `registry_auth`: `password` is empty"),
        (warnings[1], QUAYS, "entry 2 of `registry_auth`: `username` and `password` are empty"),
    ] {
        let said = format!("this job may not push to `{repository}` ({why}): it goes to the others only");
        assert!(warning.contains(&said), "{warning}");
    }
}

#[tokio::test]
async fn a_fork_pushes_to_its_own_registry_where_the_others_are_under_a_condition() {
    let world = World::new().await;
    // As `,enable=${{ secrets.DOCKERHUB_TOKEN != '' }}` comes out; the first line is one of them, and one is empty.
    let repositories =
        format!("{HUBS},enable=false\n\n  \r\n{IMAGE},enable=true\nname={QUAYS} , enable = false\n");
    let ended = world.run(&[("repository", &repositories), ("registry_auth", &logins(""))]).await;
    world.is_in_its_own_registry_only(&ended);
    assert_eq!(ended.warnings(), [""; 0], "{}", ended.log);
    assert_eq!(ended.said("notice"), [""; 0], "{}", ended.log);
    for (number, repository) in [(1, HUBS), (5, QUAYS)] {
        let line = format!("line {number} of `repository` says `enable=false`: `{repository}` is left out");
        assert!(ended.log.lines().any(|said| said == line), "{line}\n{}", ended.log);
    }
}

/// The password of the first line is for that line's registry, whether it counts or not.
#[tokio::test]
async fn a_password_for_a_line_that_does_not_count_is_shown_to_nobody() {
    let world = World::new().await;
    let repositories = format!("{HUBS},enable=false\n{IMAGE}");
    let ghcr = format!("- registry: ghcr.io\n  username: {ACTOR}\n  password: {TOKEN}\n");
    let given = [("username", "acme"), ("password", "hub-secret-1")];
    let inputs = [&given[..], &[("repository", &repositories), ("registry_auth", &ghcr)]].concat();
    let ended = world.run(&inputs).await;
    world.is_in_its_own_registry_only(&ended);
    let hub = STANDARD.encode("acme:hub-secret-1");
    let shown = |request: &Request| request.header("authorization").is_some_and(|login| login.contains(&hub));
    assert!(!world.ghcr.asked().iter().any(shown));
}

#[tokio::test]
async fn without_either_the_missing_secrets_are_named_before_anything_is_built() {
    let world = World::new().await;
    let repositories = [IMAGE, HUBS, QUAYS].join("\n");
    let inputs = [("repository", repositories.as_str()), ("registry_auth", &logins(""))];
    let ended = world.run(&inputs).await;
    assert!(!ended.success, "{}", ended.log);
    let errors = ended.said("error");
    assert_eq!(errors.len(), 2, "{}", ended.log);
    for (error, expected) in [
        (errors[0], "entry 1: `password` is empty, and the image is pushed to `docker.io`"),
        (errors[1], "entry 2: `username` and `password` are empty, and the image is pushed to `quay.io`"),
    ] {
        for part in [expected, "a fork, Dependabot", "`optional: true`", ",enable=${{ secrets.NAME != '' }}"]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    assert_eq!((world.pushed_to(), world.connected()), (None, vec![]));
    // The plan of such a run is the same fault.
    let dry = world.run(&[&inputs[..], &[("dry_run", "true")]].concat()).await;
    assert!(!dry.success && dry.said("error").len() == 2, "{}", dry.log);
}

#[tokio::test]
async fn where_no_repository_is_left_the_image_is_built_and_goes_nowhere() {
    let world = World::new().await;
    let (both, none) =
        ([HUBS, QUAYS].join("\n"), format!("{HUBS},enable=false\n,enable=false\n{QUAYS},enable=false"));
    let ended = world.run(&[("repository", &both), ("registry_auth", &logins(OPTIONAL))]).await;
    world.is_nowhere(&ended);
    assert_eq!(ended.warnings().len(), 2, "{}", ended.log);
    assert!(ended.warnings()[0].contains("the image is built, nothing is published"), "{}", ended.log);

    for push in ["auto", "true"] {
        let ended = world.run(&[("repository", &none), ("registry_auth", &logins("")), ("push", push)]).await;
        world.is_nowhere(&ended);
        assert_eq!(ended.warnings(), [""; 0], "{}", ended.log);
        let [notice] = ended.said("notice")[..] else { panic!("{}", ended.log) };
        assert!(notice.ends_with("says `enable=false`: the image is built and goes nowhere"), "{notice}");
    }
}

/// A tag that is for one repository only goes with it.
#[tokio::test]
async fn references_to_what_is_left_out_are_no_tags() {
    let world = World::new().await;
    let repositories = format!("{IMAGE}\n{HUBS},enable=false\n{QUAYS}");
    let tags = format!("edge\n{IMAGE}:1\n{HUBS}:2\n{QUAYS}:3");
    let inputs =
        [("repository", repositories.as_str()), ("tags", &tags), ("registry_auth", &logins(OPTIONAL))];
    let ended = world.run(&inputs).await;
    assert!(ended.success, "{}", ended.log);
    assert_eq!(world.pushed_to().unwrap(), [IMAGE]);
    assert_eq!(
        (world.tags(), world.connected()),
        (vec!["1".into(), "edge".into()], vec!["ghcr.io:443".into()])
    );
    assert_eq!(ended.outputs["tags"], format!("{IMAGE}:edge\n{IMAGE}:1"));
    // Nothing is left for the one that counts.
    let world = World::new().await;
    let only = [("repository", repositories.as_str()), ("tags", &format!("{HUBS}:2"))];
    let ended = world.run(&only).await;
    world.is_nowhere(&ended);
    assert!(ended.log.contains("no line of `tags` makes a tag for this event"), "{}", ended.log);
}

/// A role that this run does not get ends it only where the image is pushed with it.
#[tokio::test]
async fn an_identity_that_is_not_to_be_had_is_a_warning_where_nothing_is_pushed_with_it() {
    const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let login = format!("- registry: {ECR}\n  aws_role: arn:aws:iam::123456789012:role/push\n");
    let both = format!("{IMAGE}\n{ECR}/acme/api");
    let said = format!("the run goes on without a login for `{ECR}`: ");

    let world = World::new().await;
    let disabled = format!("{both},enable=false");
    let ended = world.run(&[("repository", &disabled), ("registry_auth", &login)]).await;
    world.is_in_its_own_registry_only(&ended);
    let [warning] = ended.said("warning")[..] else { panic!("{}", ended.log) };
    assert!(warning.contains(&said) && warning.contains("permissions: id-token: write"), "{warning}");

    let world = World::new().await;
    let kept = [("repository", both.as_str()), ("registry_auth", &login), ("push", "false")];
    let ended = world.run(&kept).await;
    world.is_nowhere(&ended);
    assert!(ended.said("warning").iter().any(|warning| warning.contains(&said)), "{}", ended.log);

    let world = World::new().await;
    let ended = world.run(&[("repository", &both), ("registry_auth", &login)]).await;
    assert!(!ended.success && ended.said("error").len() == 1, "{}", ended.log);
    assert!(ended.said("error")[0].contains(ECR), "{}", ended.log);
    assert_eq!(world.pushed_to(), None);
}

/// Nobody is told of secrets where nothing is pushed.
#[tokio::test]
async fn missing_secrets_are_no_matter_where_nothing_is_pushed() {
    let repositories = [IMAGE, HUBS, QUAYS].join("\n");
    let head = |repository: &str| {
        json!({
            "repository": { "full_name": FORK, "default_branch": "main" },
            "pull_request": { "number": 7, "state": "open", "head": { "sha": SHA, "repo": { "full_name": repository } } },
        })
    };
    let main = "refs/heads/main";
    for (event, reference, payload, push) in [
        ("pull_request", "refs/pull/7/merge", head("eve/shop"), "auto"),
        ("pull_request_target", main, head("eve/shop"), "auto"),
        ("merge_group", "refs/heads/gh-readonly-queue/main/pr-7-x", head(FORK), "auto"),
        ("push", main, head(FORK), "false"),
    ] {
        let world = World::new().await;
        let inputs = [("repository", repositories.as_str()), ("registry_auth", &logins("")), ("push", push)];
        let ended = world.run_on(event, reference, &payload, &inputs).await;
        world.is_nowhere(&ended);
        assert_eq!(ended.warnings(), [""; 0], "{event}: {}", ended.log);
        let debug = ended.said("debug");
        let told =
            |host: &str| debug.iter().any(|line| line.contains(&format!("no login for `{host}`: entry ")));
        assert!(told("docker.io") && told("quay.io"), "{event}: {}", ended.log);
    }
    // A pull request of the repository itself goes where it may.
    let world = World::new().await;
    let inputs = [("repository", repositories.as_str()), ("registry_auth", &logins(""))];
    let ended = world.run_on("pull_request", "refs/pull/7/merge", &head(FORK), &inputs).await;
    assert!(ended.success, "{}", ended.log);
    assert_eq!(world.pushed_to().unwrap(), [IMAGE]);
    assert_eq!(ended.warnings().len(), 2, "{}", ended.log);
}
