//! What a merge finds: a run in an empty workspace, and legs in a registry.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use docker_push_action::model::{
    CommitId, Dial, Digest, InputsHash, Platform, RegistryHost, Repository, Tag,
};
use docker_push_action::registry::{Leg, Manifest, Recorded, Recording, RegistryClient, Timeouts};
use serde_json::{Value, json};

pub const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
pub const RUN: u64 = 4711;
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub fn inputs(text: &str) -> InputsHash {
    InputsHash { schema: 1, digest: Digest::of(text.as_bytes()) }
}

/// A workspace with nothing in it, and one image's repository.
pub struct World {
    pub client: RegistryClient,
    pub repository: Repository,
    place: tempfile::TempDir,
}

/// What a step leaves.
pub struct Ended {
    pub success: bool,
    pub log: String,
    pub outputs: BTreeMap<String, String>,
    pub summary: String,
}

impl World {
    pub fn of(host: &str, image: &str) -> Self {
        let host = RegistryHost::parse(host).unwrap();
        let client = RegistryClient::new(host.clone(), None, Dial::Direct, Timeouts::default());
        let repository = Repository::new(host, &format!("acme/shop/{image}")).unwrap();
        let place = tempfile::tempdir().unwrap();
        for name in ["workspace", "temp"] {
            std::fs::create_dir(place.path().join(name)).unwrap();
        }
        let world = Self { client, repository, place };
        world.payload(&json!({
            "ref": "refs/heads/main",
            "repository": { "full_name": "acme/shop", "default_branch": "main" },
        }));
        world
    }

    /// Writes a file of the workspace.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.workspace().join(name), text).unwrap();
    }

    pub fn workspace(&self) -> PathBuf {
        self.place.path().join("workspace")
    }

    /// Has the run started by another event than a push of `main`.
    pub fn payload(&self, payload: &Value) {
        std::fs::write(self.place.path().join("event.json"), payload.to_string()).unwrap();
    }

    pub async fn push(&self, manifest: Manifest) -> Manifest {
        self.client.put_manifest(&self.repository, &manifest).await.unwrap();
        manifest
    }

    /// A small image for a platform.
    pub async fn image(&self, platform: &str, note: &str) -> Manifest {
        let mut parts = platform.split('/');
        let config = json!({
            "os": parts.next(), "architecture": parts.next(), "note": note,
            "rootfs": { "type": "layers", "diff_ids": [] }, "config": {},
        });
        let blob = async |bytes: Vec<u8>, media_type: &str| {
            let (size, bytes) = (bytes.len(), bytes.into());
            let digest = self.client.put_blob(&self.repository, &bytes).await.unwrap();
            json!({ "mediaType": media_type, "digest": digest.as_str(), "size": size })
        };
        let config = blob(config.to_string().into_bytes(), "application/vnd.oci.image.config.v1+json").await;
        let layer = blob(b"layer".to_vec(), "application/vnd.oci.image.layer.v1.tar").await;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer],
        });
        self.push(Manifest::new(manifest.to_string(), OCI_MANIFEST)).await
    }

    /// The same with provenance, as BuildKit pushes it: an index of two.
    pub async fn attested(&self, platform: &str, note: &str) -> (Manifest, [String; 2]) {
        let image = self.image(platform, note).await;
        let statement = self.image("unknown/unknown", note).await;
        let (os, architecture) = platform.split_once('/').unwrap();
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
            { "mediaType": OCI_MANIFEST, "digest": image.digest.as_str(), "size": image.bytes.len(),
              "platform": { "os": os, "architecture": architecture } },
            { "mediaType": OCI_MANIFEST, "digest": statement.digest.as_str(), "size": statement.bytes.len(),
              "platform": { "os": "unknown", "architecture": "unknown" },
              "annotations": { "vnd.docker.reference.type": "attestation-manifest",
                               "vnd.docker.reference.digest": image.digest.as_str() } },
        ] });
        let pushed = self.push(Manifest::new(index.to_string(), OCI_INDEX)).await;
        (pushed, [image.digest.to_string(), statement.digest.to_string()])
    }

    pub fn leg(&self, platform: &str, attempt: u64, digest: &Digest) -> Leg {
        Leg {
            run: RUN,
            attempt,
            tags: self.tags(&[]),
            repository: self.repository.clone(),
            platform: Platform::parse(platform).unwrap(),
            revision: CommitId::parse(SHA).unwrap(),
            digest: digest.clone(),
            inputs: Some(inputs("inputs")),
        }
    }

    /// The key of what decides the tags where these inputs are given, as its golden test spells it out.
    pub fn tags(&self, inputs: &[(&str, &str)]) -> Digest {
        let given: BTreeMap<_, _> = inputs.iter().copied().collect();
        let given = if given.is_empty() { String::new() } else { format!(r#","inputs":{}"#, json!(given)) };
        let key = format!(r#"{{"schema":1,"repositories":["{}"]{given}}}"#, self.repository);
        Digest::of(key.as_bytes())
    }

    pub async fn record(&self, leg: &Leg) -> Recording {
        let manifest = self.client.get_manifest(&self.repository, &leg.digest).await.unwrap();
        self.client.record_leg(leg, &manifest).await.unwrap()
    }

    /// Writes under a leg's record what is none of ours.
    pub async fn forge(&self, leg: &Leg, change: impl FnOnce(&mut Value)) {
        let recorded = self.find(leg).await.unwrap();
        let mut json: Value = serde_json::from_slice(&recorded.record.bytes).unwrap();
        change(&mut json);
        let tag = Self::tag(leg);
        let forged = Manifest::new(json.to_string(), OCI_INDEX);
        self.client.put_tag(&self.repository, &tag, &forged).await.unwrap();
    }

    /// The tag of a leg's record.
    pub fn tag(leg: &Leg) -> Tag {
        let platform = leg.platform.to_string().replace('/', "-");
        Tag::parse(&format!("leg-{}-{}-{platform}", leg.run, leg.tags.short())).unwrap()
    }

    pub async fn find(&self, leg: &Leg) -> Option<Recorded> {
        let name = (leg.run, &leg.tags);
        self.client.leg(name, &self.repository, &leg.platform).await.unwrap().unwrap()
    }

    /// A leg of each usual platform, recorded by the first attempt: one with provenance, one without.
    pub async fn two_legs(&self) -> [String; 3] {
        let (arm, [image, statement]) = self.attested("linux/arm64", "1").await;
        let amd = self.image("linux/amd64", "1").await;
        self.record(&self.leg("linux/arm64", 1, &arm.digest)).await;
        self.record(&self.leg("linux/amd64", 1, &amd.digest)).await;
        [image, amd.digest.to_string(), statement]
    }

    pub async fn recorded(&self, platform: &str) -> bool {
        self.find(&self.leg(platform, 1, &Digest::of(b"any"))).await.is_some()
    }

    pub async fn under(&self, tag: &str) -> Option<Digest> {
        let tag = Tag::parse(tag).unwrap();
        let found = self.client.head_manifest(&self.repository, &tag).await.unwrap();
        found.map(|found| found.digest)
    }

    pub fn start(&self, attempt: u64, inputs: &[(&str, &str)]) -> Child {
        self.start_with(attempt, inputs, &[])
    }

    /// The same with variables of the runner that are others than usual.
    pub fn start_with(&self, attempt: u64, inputs: &[(&str, &str)], runner: &[(&str, &str)]) -> Child {
        let path = |name: &str| self.place.path().join(name);
        for name in ["output", "summary"] {
            std::fs::write(path(name), "").unwrap();
        }
        let name = self.repository.path().rsplit('/').next().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_docker-push-action"));
        command.env_clear().current_dir(path("workspace")).stdin(Stdio::null()).stderr(Stdio::piped());
        command.stdout(Stdio::piped());
        for (key, value) in [
            ("EVENT_NAME", "push"),
            ("REF", "refs/heads/main"),
            ("SHA", SHA),
            ("REPOSITORY", "acme/shop"),
            ("SERVER_URL", "https://github.com"),
            // Nobody answers there.
            ("API_URL", "http://127.0.0.1:1"),
            ("ACTOR", "octocat"),
            ("RUN_ID", &RUN.to_string()),
            ("RUN_ATTEMPT", &attempt.to_string()),
            ("ACTIONS", "true"),
        ] {
            command.env(format!("GITHUB_{key}"), value);
        }
        command.env("GITHUB_WORKSPACE", path("workspace")).env("GITHUB_EVENT_PATH", path("event.json"));
        command.env("GITHUB_OUTPUT", path("output")).env("GITHUB_STEP_SUMMARY", path("summary"));
        command.env("RUNNER_TEMP", path("temp")).env("RUNNER_DEBUG", "1");
        command.env("DOCKER_HOST", "unix:///there/is/no/docker.sock");
        let usual =
            [("mode", "merge"), ("image_name", name), ("registry", self.repository.registry().as_str())];
        for (input, value) in usual.iter().chain(inputs) {
            command.env(format!("INPUT_{}", input.to_uppercase()), value);
        }
        command.envs(runner.iter().copied());
        command.spawn().unwrap()
    }

    pub fn end(&self, child: Child) -> Ended {
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let read = |name: &str| std::fs::read_to_string(self.place.path().join(name)).unwrap();
        Ended {
            success: output.status.success(),
            log: text(&output.stdout) + &text(&output.stderr),
            outputs: pairs(&read("output")),
            summary: read("summary"),
        }
    }

    pub fn merge(&self, attempt: u64) -> Ended {
        self.end(self.start(attempt, &[]))
    }
}

/// `GITHUB_OUTPUT`, read.
pub fn pairs(text: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some((name, end)) = lines.next().and_then(|line| line.split_once("<<")) {
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
        pairs.insert(name.to_owned(), value.join("\n"));
    }
    pairs
}

pub fn digests(index: &Manifest) -> Vec<String> {
    let json: Value = serde_json::from_slice(&index.bytes).unwrap();
    let entries = json["manifests"].as_array().unwrap().iter();
    entries.map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
}
