//! A source repository with images, and a repository that says which of them an environment runs: GitHub keeps real Git
//! repositories, the registry is real, and the program itself is started with `mode: tag`, which needs no Docker.

use std::path::PathBuf;
use std::process::Child;

use docker_push_action::model::{Digest, Tag};
use docker_push_action::registry::Manifest;
use serde_json::{Value, json};

use crate::github_server::{GithubServer, Hosted};
use crate::legs::world::{Ended, World};
use crate::registries::parts::{Door, Make, Running, Wanted};

const PLAIN: Wanted = Wanted { make: Make::Debian, door: Door::Open, tls: false, delete: true };
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub const FILE: &str = "apps/shop/kustomization.yaml";
pub const INFRA: &str = "acme/infra";

/// One environment, by its directory.
pub const SHOP: &str = "- repository: acme/infra\n  path: apps/shop\n  image: api\n";

/// What a file of an environment says before anything is deployed.
pub fn kustomization(host: &str, tag: &str) -> String {
    format!(
        "# the shop\nresources:\n- deployment.yaml # it\n\nimages:\n  # ours\n  - name: api\n    newName: {host}/acme/shop/api\n    newTag: {tag}\n"
    )
}

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec:\n  template:\n    spec:\n      containers:\n      - {name: api, image: api}\n";

/// All that a deployment speaks to.
pub struct Deployment {
    pub github: GithubServer,
    pub source: Hosted,
    pub infra: Hosted,
    /// May write to the repository of the environment.
    pub token: String,
    /// The job's own.
    pub job: String,
    pub world: World,
    _registry: Running,
}

/// A commit with its image.
#[derive(Clone, Debug)]
pub struct Build {
    pub commit: String,
    pub digest: Digest,
    /// Its Git tag, if it has one.
    pub version: Option<String>,
}

impl Deployment {
    /// With the environment at `v1.0.0`; nothing where the registry's part is missing.
    pub async fn start() -> Option<Self> {
        Self::on(GithubServer::start("127.0.0.1")).await
    }

    pub async fn on(github: GithubServer) -> Option<Self> {
        let registry = Running::start(PLAIN).await?;
        let world = World::of(registry.host().as_str(), "api");
        world.client.ping().await.unwrap();
        let (source, infra) = (github.repository("acme/shop"), github.repository(INFRA));
        source.push("main", "Begin", &[("README.md", "A shop")]);
        let file = kustomization(registry.host().as_str(), "v1.0.0");
        infra.push("main", "Begin", &[(FILE, &file), ("apps/shop/deployment.yaml", DEPLOYMENT)]);
        let token = github.token("deployer", &[INFRA], "contents:write, pull_requests:write");
        let job = github.installation_token("github-actions", &["acme/shop"], "contents:read");
        Some(Self { github, source, infra, token, job, world, _registry: registry })
    }

    pub fn host(&self) -> String {
        self.world.repository.registry().to_string()
    }

    /// A commit on `main`, and its image.
    pub async fn build(&self, note: &str) -> Build {
        let commit = self.source.push("main", note, &[("note", note)]);
        self.image_of(&commit, note).await
    }

    /// A commit on `main` with a Git tag, and its image.
    pub async fn release(&self, version: &str) -> Build {
        let build = self.build(version).await;
        self.source.git(&["tag", version, &build.commit]).expect("a Git tag");
        Build { version: Some(version.to_owned()), ..build }
    }

    pub async fn image_of(&self, commit: &str, note: &str) -> Build {
        let image = self.world.image("linux/amd64", note).await;
        let index = json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX,
            "manifests": [{
                "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": image.digest.as_str(),
                "size": image.bytes.len(), "platform": { "os": "linux", "architecture": "amd64" },
            }],
            "annotations": {
                "io.github.docker-push-action.commit": commit,
                "io.github.docker-push-action.ref": "refs/heads/main",
            },
        });
        let index = self.world.push(Manifest::new(index.to_string(), OCI_INDEX)).await;
        let staged = Tag::parse(&format!("staged-{}", &commit[..7])).unwrap();
        self.world.client.put_tag(&self.world.repository, &staged, &index).await.unwrap();
        Build { commit: commit.to_owned(), digest: index.digest, version: None }
    }

    /// The run of a build's event, with `deploy_token`.
    pub fn run(&self, build: &Build, deploy: &str) -> Ended {
        self.run_with(build, deploy, &[("deploy_token", &self.token)])
    }

    /// The same with these inputs instead.
    pub fn run_with(&self, build: &Build, deploy: &str, more: &[(&str, &str)]) -> Ended {
        self.run_in(&self.world, build, deploy, more)
    }

    fn run_in(&self, world: &World, build: &Build, deploy: &str, more: &[(&str, &str)]) -> Ended {
        world.end(self.start_in(world, build, deploy, more))
    }

    /// Starts the run of a build's event.
    pub fn start_in(&self, world: &World, build: &Build, deploy: &str, more: &[(&str, &str)]) -> Child {
        self.start_attempt(1, world, build, deploy, more)
    }

    /// Another attempt of it.
    pub fn start_attempt(
        &self,
        attempt: u64,
        world: &World,
        build: &Build,
        deploy: &str,
        more: &[(&str, &str)],
    ) -> Child {
        let reference = match &build.version {
            Some(version) => format!("refs/tags/{version}"),
            None => "refs/heads/main".to_owned(),
        };
        world.payload(&json!({
            "ref": reference,
            "repository": { "full_name": "acme/shop", "default_branch": "main" },
        }));
        let from = format!("{}@{}", self.world.repository, build.digest);
        let (api, server) = (self.github.api_url(), self.github.server_url());
        let runner = [
            ("GITHUB_REF", reference.as_str()),
            ("GITHUB_SHA", build.commit.as_str()),
            ("GITHUB_API_URL", api.as_str()),
            ("GITHUB_SERVER_URL", server.as_str()),
        ];
        let usual = [
            ("mode", "tag"),
            ("from", from.as_str()),
            ("token", self.job.as_str()),
            ("deploy", deploy),
            ("retries", "2"),
        ];
        world.start_with(attempt, &[&usual[..], more].concat(), &runner)
    }

    /// The same beside other runs: with files of its own.
    pub fn run_apart(&self, build: &Build, deploy: &str) -> Ended {
        let apart = World::of(&self.host(), "api");
        self.run_in(&apart, build, deploy, &[("deploy_token", &self.token)])
    }

    /// The file of the environment at a branch.
    pub fn file(&self, branch: &str) -> String {
        self.infra.read(branch, FILE).unwrap_or_default()
    }

    /// What was asked of a repository since the last look, as lines.
    pub fn calls_to(&self, repository: &str) -> Vec<String> {
        self.github.lines().into_iter().filter(|line| line.contains(repository)).collect()
    }
}

/// What is deployed in every run.
pub fn always(deploy: &str) -> String {
    format!("{deploy}  when: always\n")
}

pub fn good(ended: Ended) -> Ended {
    assert!(ended.success, "{}", ended.log);
    ended
}

/// The output `pull_requests`.
pub fn outcomes(ended: &Ended) -> Vec<Value> {
    serde_json::from_str(&ended.outputs["pull_requests"]).unwrap()
}

/// What was done in the only environment.
pub fn action(ended: &Ended) -> String {
    let all = outcomes(ended);
    assert_eq!(all.len(), 1, "{}", ended.log);
    all[0]["action"].as_str().unwrap().to_owned()
}

/// Where Debian's kustomize is.
#[allow(clippy::disallowed_methods, reason = "said by whoever runs the tests")]
pub fn kustomize() -> Option<PathBuf> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/parts");
    let path =
        std::env::var_os("PARTS").map_or(here, PathBuf::from).join("debian/kustomize/usr/bin/kustomize");
    assert!(
        path.exists() || std::env::var_os("REQUIRE_PARTS").is_none(),
        "`tests/parts/fetch kustomize` brings it"
    );
    path.exists().then_some(path)
}
