//! `mode: tag`: the program itself, without Docker and without a checkout, on every registry that can be had. The images are put
//! there by this test; `tests/live` has built ones.

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::sync::Arc;

use docker_push_action::model::{Digest, Tag};
use docker_push_action::registry::Manifest;
use serde_json::{Value, json};

use crate::fault_proxy::{Act, Answer, FaultProxy, Kind};
use crate::legs::world::{Ended, SHA, World, digests};
use crate::registries::parts::{Door, Make, Running, Wanted};
use crate::registry::fake::{Fake, answer};

const PLAIN: Wanted = Wanted { make: Make::Debian, door: Door::Open, tls: false, delete: true };
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const COMMIT: &str = "io.github.docker-push-action.commit";

/// An image that is there, and who puts tags on it.
struct Tagging {
    world: Arc<World>,
    index: Manifest,
    /// The images of the index, by platform.
    images: BTreeMap<&'static str, Digest>,
}

impl Tagging {
    /// An index of two platforms, of this commit, under the tag `staged`.
    async fn of(host: &str, image: &str, commit: Option<&str>) -> Self {
        let world = Arc::new(World::of(host, image));
        let (index, images) = indexed(&world, commit, "1").await;
        put(&world, "staged", &index).await;
        Self { world, index, images }
    }

    fn from(&self) -> String {
        format!("{}:staged", self.world.repository)
    }

    fn run(&self, inputs: &[(&str, &str)]) -> Ended {
        self.run_with(inputs, &[])
    }

    /// The same with variables of the runner that are others than usual.
    fn run_with(&self, inputs: &[(&str, &str)], runner: &[(&str, &str)]) -> Ended {
        let from = self.from();
        // distribution answers 500 to who reads a manifest in the moment in which it is put again.
        let usual = [("mode", "tag"), ("from", from.as_str()), ("retries", "2")];
        let child = self.world.start_with(1, &[&usual[..], inputs].concat(), runner);
        self.world.end(child)
    }

    /// Nothing but `staged` is there.
    async fn is_untouched(&self, ended: &Ended) {
        for tag in [&format!("{SHA}-main"), "main", "latest", "v1.2.3"] {
            assert_eq!(self.world.under(tag).await, None, "{tag}\n{}", ended.log);
        }
        assert_eq!(self.world.under("staged").await.as_ref(), Some(&self.index.digest), "{}", ended.log);
    }
}

async fn put(world: &World, tag: &str, manifest: &Manifest) {
    world.client.put_tag(&world.repository, &Tag::parse(tag).unwrap(), manifest).await.unwrap();
}

/// An index of two platforms with provenance for one of them.
async fn indexed(
    world: &World,
    commit: Option<&str>,
    note: &str,
) -> (Manifest, BTreeMap<&'static str, Digest>) {
    let (arm, amd) = (world.image("linux/arm64", note).await, world.image("linux/amd64", note).await);
    let statement = world.image("unknown/unknown", note).await;
    let entry = |image: &Manifest, platform: &str| {
        let (os, architecture) = platform.split_once('/').unwrap();
        json!({
            "mediaType": OCI_MANIFEST, "digest": image.digest.as_str(), "size": image.bytes.len(),
            "platform": { "os": os, "architecture": architecture },
        })
    };
    let mut attests = entry(&statement, "unknown/unknown");
    attests["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": arm.digest.as_str(),
    });
    let mut index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [entry(&arm, "linux/arm64"), entry(&amd, "linux/amd64"), attests],
    });
    if let Some(commit) = commit {
        index["annotations"] =
            json!({ COMMIT: commit, "io.github.docker-push-action.ref": "refs/heads/main" });
    }
    let index = world.push(Manifest::new(index.to_string(), OCI_INDEX)).await;
    (index, [("linux/arm64", arm.digest), ("linux/amd64", amd.digest)].into())
}

/// Waits for a step while servers of this test go on.
async fn end(world: &Arc<World>, child: Child) -> Ended {
    let world = Arc::clone(world);
    tokio::task::spawn_blocking(move || world.end(child)).await.unwrap()
}

fn good(ended: Ended) -> Ended {
    assert!(ended.success, "{}", ended.log);
    ended
}

fn plan(ended: &Ended) -> Value {
    serde_json::from_str(&ended.outputs["plan"]).unwrap()
}

/// The tags that were held back.
fn held(ended: &Ended) -> Vec<String> {
    let list: Value = serde_json::from_str(&ended.outputs["held_back"]).unwrap();
    list.as_array().unwrap().iter().map(|one| one["tag"].as_str().unwrap().to_owned()).collect()
}

async fn what_was_staged_gets_all_tags(wanted: Wanted) {
    let Some(running) = Running::start(wanted).await else { return };
    let tagging = Tagging::of(running.host().as_str(), "api", Some(SHA)).await;
    let digest = tagging.index.digest.to_string();
    for _ in 0..2 {
        let ended = good(tagging.run(&[("version", "1.2.3")]));
        assert!(!ended.log.contains("::warning"), "{}", ended.log);
        for tag in [&format!("{SHA}-main"), "v1.2.3", "main", "latest"] {
            assert_eq!(tagging.world.under(tag).await.unwrap().as_str(), digest, "{tag}");
        }
        let of = |name: &str| ended.outputs[name].as_str();
        assert_eq!((of("digest"), of("promoted"), of("pushed")), (digest.as_str(), "true", "true"));
        assert_eq!((of("tag"), of("version")), ("v1.2.3", "1.2.3"));
        assert_eq!(of("reference"), format!("{}@{digest}", tagging.world.repository));
        let annotations: Vec<&str> = of("annotations").lines().collect();
        assert_eq!(annotations.len(), 2, "its own, and none of ours: {annotations:?}");
        assert!(annotations.contains(&format!("index:{COMMIT}={SHA}").as_str()), "{annotations:?}");
        let plan = plan(&ended);
        assert_eq!(
            (&plan["mode"], &plan["revision"], &plan["builder"]),
            (&json!("tag"), &json!(SHA), &json!(""))
        );
        assert_eq!(plan["from"]["digest"], digest.as_str());
        assert!(ended.log.contains(&format!("tagged {}@{digest} (linux/arm64 ", tagging.world.repository)));
        assert!(ended.summary.starts_with("### ✅ Tagged"), "{}", ended.summary);
    }
}

#[tokio::test]
async fn what_was_staged_in_distribution_2() {
    what_was_staged_gets_all_tags(PLAIN).await;
}

#[tokio::test]
async fn what_was_staged_in_distribution_3() {
    what_was_staged_gets_all_tags(Wanted { make: Make::Distribution, ..PLAIN }).await;
}

#[tokio::test]
async fn what_was_staged_in_go_containerregistry() {
    what_was_staged_gets_all_tags(Wanted { make: Make::Go { referrers: true }, ..PLAIN }).await;
}

/// Into another repository of its registry, and into another registry.
#[tokio::test]
async fn copies() {
    let Some(here) = Running::start(PLAIN).await else { return };
    let Some(there) = Running::start(Wanted { make: Make::Distribution, ..PLAIN }).await else { return };
    let tagging = Tagging::of(here.host().as_str(), "api", Some(SHA)).await;
    let digest = &tagging.index.digest;
    let (beside, far) = (World::of(here.host().as_str(), "beside"), World::of(there.host().as_str(), "far"));
    let repositories = format!("{}\n{}", beside.repository, far.repository);
    let inputs = [
        ("image_name", ""),
        ("registry", ""),
        ("repository", repositories.as_str()),
        ("tags", "latest\ntype=sha"),
    ];
    let ended = good(tagging.run(&inputs));
    for world in [&beside, &far] {
        for tag in ["latest", &format!("sha-{}", &SHA[..7])] {
            assert_eq!(world.under(tag).await.as_ref(), Some(digest), "{tag}");
        }
        let index = world.client.get_manifest(&world.repository, digest).await.unwrap();
        assert_eq!(index.bytes, tagging.index.bytes);
        for image in digests(&index) {
            let image = Digest::parse(&image).unwrap();
            assert!(world.client.head_manifest(&world.repository, &image).await.unwrap().is_some());
        }
    }
    let copied = |world: &World| {
        let line = format!("copied {}@{digest} to {} in ", tagging.world.repository, world.repository);
        ended
            .log
            .lines()
            .find(|one| one.contains(&line))
            .unwrap_or_else(|| panic!("{}", ended.log))
            .to_owned()
    };
    assert!(copied(&beside).contains(" blobs within the registry, 0 through here, 0 B"), "{}", ended.log);
    assert!(copied(&far).contains("(0 blobs within the registry, "), "{}", ended.log);
    tagging.is_untouched(&ended).await;
    let each: Value = serde_json::from_str(&ended.outputs["metadata"]).unwrap();
    assert_eq!(each["repositories"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn one_platform_of_an_index() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let tagging = Tagging::of(running.host().as_str(), "api", Some(SHA)).await;
    let beside = World::of(running.host().as_str(), "beside");
    let arm = &tagging.images["linux/arm64"];
    let repositories = format!("{}\n{}", tagging.world.repository, beside.repository);
    let inputs = [
        ("platform", "linux/arm64"),
        ("image_name", ""),
        ("registry", ""),
        ("repository", repositories.as_str()),
        ("tags", "arm64"),
    ];
    let ended = good(tagging.run(&inputs));
    for world in [&tagging.world, &beside] {
        assert_eq!(world.under("arm64").await.as_ref(), Some(arm), "{}", ended.log);
    }
    assert!(
        ended.log.contains("::notice") && ended.log.contains("the attestations of linux/arm64"),
        "{}",
        ended.log
    );
    let plan = plan(&ended);
    assert_eq!(
        (&plan["from"]["named"], &plan["from"]["digest"]),
        (&json!(tagging.index.digest), &json!(arm))
    );
    assert_eq!((&plan["platforms"], &plan["revision"]), (&json!(["linux/arm64"]), &json!(SHA)));
    assert!(ended.outputs["imageid"].starts_with("sha256:"));
    // The only one of a manifest is that one.
    let whole = format!("{}@{arm}", tagging.world.repository);
    let same = [("from", whole.as_str()), ("platform", "linux/arm64/v8"), ("tags", "again")];
    good(tagging.run(&same));
    assert_eq!(tagging.world.under("again").await.as_ref(), Some(arm));
    for (from, platform, expected) in [
        (None, "linux/s390x", "it has no image for `linux/s390x`, but linux/arm64, linux/amd64"),
        (Some(whole.as_str()), "linux/amd64", "it has no image for `linux/amd64`, but linux/arm64"),
        (None, "linux/arm64,linux/amd64", "one platform can be taken out of an image, not"),
    ] {
        let from = from.map_or_else(|| tagging.from(), str::to_owned);
        let ended = tagging.run(&[("from", &from), ("platform", platform)]);
        assert!(!ended.success && ended.log.contains(expected), "{}", ended.log);
        tagging.is_untouched(&ended).await;
    }
}

#[tokio::test]
async fn an_image_that_does_not_say_its_commit() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let tagging = Tagging::of(running.host().as_str(), "api", None).await;
    let first = good(tagging.run(&[]));
    assert_eq!(first.outputs["tag_names"], "main\nlatest");
    assert!(first.log.contains("there is no commit tag: the image does not say its commit"), "{}", first.log);
    assert_eq!(plan(&first)["revision"], Value::Null);
    // The next one moves them, though nobody knows whether it should.
    let (other, _) = indexed(&tagging.world, None, "2").await;
    put(&tagging.world, "other", &other).await;
    let from = format!("{}:other", tagging.world.repository);
    let second = good(tagging.run(&[("from", &from), ("tags", "type=sha\nmain")]));
    assert_eq!(tagging.world.under("main").await, Some(other.digest));
    assert!(
        second.log.contains("`main` is moved, though the commit of this run is not known"),
        "{}",
        second.log
    );
    assert!(second.log.contains("line 1: type=sha"), "{}", second.log);
}

/// The history of a checkout, as no GitHub answers: two commits, the older one's image is tagged on the newer one's event.
#[tokio::test]
async fn an_older_image_gets_its_version_and_moves_nothing() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let world = World::of(running.host().as_str(), "api");
    let workspace = world.workspace();
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@x"])
            .args(arguments)
            .current_dir(&workspace)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "-b", "main"]);
    let commits: Vec<String> = ["first", "second"]
        .iter()
        .map(|message| {
            git(&["commit", "-q", "--allow-empty", "-m", message]);
            git(&["rev-parse", "HEAD"])
        })
        .collect();
    let [older, newer] = commits.as_slice() else { unreachable!() };
    let (index, images) = indexed(&world, Some(older), "1").await;
    put(&world, "staged", &index).await;
    let (current, _) = indexed(&world, Some(newer), "2").await;
    for tag in ["main", "latest"] {
        put(&world, tag, &current).await;
    }
    let tagging = Tagging { world: Arc::new(world), index, images };
    let runner = [("GITHUB_EVENT_NAME", "workflow_dispatch"), ("GITHUB_SHA", newer.as_str())];
    let ended = good(tagging.run_with(&[("version", "1.2.3")], &runner));
    assert_eq!(held(&ended), ["main", "latest"], "{}", ended.log);
    assert_eq!(ended.outputs["tag_names"], format!("{older}-main\nv1.2.3"));
    assert_eq!(tagging.world.under("latest").await.as_ref(), Some(&current.digest));
    assert_eq!(tagging.world.under("v1.2.3").await.as_ref(), Some(&tagging.index.digest));
    assert!(ended.log.contains(&format!("it is on the newer commit {}", &newer[..12])), "{}", ended.log);
    // Rolled back, as asked.
    good(tagging.run_with(&[("hold_back", "false")], &runner));
    assert_eq!(tagging.world.under("latest").await.as_ref(), Some(&tagging.index.digest));
    // An image of a commit that is not on the branch: what is called after that stays.
    git(&["checkout", "-q", "--detach", older]);
    git(&["commit", "-q", "--allow-empty", "-m", "aside"]);
    let aside = git(&["rev-parse", "HEAD"]);
    let (other, _) = indexed(&tagging.world, Some(&aside), "3").await;
    let from = format!("{}@{}", tagging.world.repository, other.digest);
    let ended = good(tagging.run_with(&[("from", &from), ("version", "2.0.0")], &runner));
    assert_eq!(ended.outputs["tag_names"], format!("{aside}-main\nv2.0.0"));
    assert!(
        ended.log.contains("nothing is called after branch `main`: the image is of commit"),
        "{}",
        ended.log
    );
}

/// GitHub says whether a commit is on the branch, without a checkout.
#[tokio::test]
async fn an_older_image_of_the_branch_by_github() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let older = "1".repeat(40);
    let tagging = Tagging::of(running.host().as_str(), "api", Some(&older)).await;
    for (relation, expected) in [
        ("ahead", vec![format!("{older}-main"), "main".into(), "latest".into()]),
        ("diverged", vec![format!("{older}-main")]),
    ] {
        let compare = format!("/repos/acme/shop/compare/{older}...{SHA}");
        let github = Fake::start(move |request| {
            let json = match request.target.as_str() {
                "/repos/acme/shop/git/ref/heads/main" => {
                    json!({ "object": { "sha": SHA, "type": "commit" } })
                }
                target if target.starts_with(&compare) => json!({ "status": relation }),
                _ => return answer(404, &["Content-Type: application/json"], r#"{"message":"Not Found"}"#),
            };
            answer(200, &["Content-Type: application/json"], json.to_string())
        })
        .await;
        let api = format!("http://{}", github.address);
        let child = tagging.world.start_with(
            1,
            &[("mode", "tag"), ("from", &tagging.from()), ("dry_run", "true")],
            &[("GITHUB_API_URL", &api)],
        );
        let ended = end(&tagging.world, child).await;
        let names: Vec<&str> = ended.outputs["tag_names"].lines().collect();
        assert_eq!(names, expected, "{}", ended.log);
    }
}

#[tokio::test]
async fn a_version_that_is_another_commits() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let tagging = Tagging::of(running.host().as_str(), "api", Some(SHA)).await;
    let beside = World::of(running.host().as_str(), "beside");
    let (other, _) = indexed(&beside, Some(&"2".repeat(40)), "2").await;
    put(&beside, "v1.2.3", &other).await;
    let repositories = format!("{}\n{}", tagging.world.repository, beside.repository);
    let inputs =
        [("image_name", ""), ("registry", ""), ("repository", repositories.as_str()), ("version", "1.2.3")];
    let ended = tagging.run(&inputs);
    let expected =
        format!("the version's tag `v1.2.3` exists already, on the image of commit {}", "2".repeat(40));
    assert!(!ended.success && ended.log.contains(&expected), "{}", ended.log);
    // Neither in the one that has it, nor in the other.
    tagging.is_untouched(&ended).await;
    assert_eq!(beside.under("main").await, None);
    let ended = good(tagging.run(&[&inputs[..], &[("existing_version", "skip")]].concat()));
    assert_eq!(held(&ended), ["v1.2.3"]);
    assert_eq!(beside.under("main").await.as_ref(), Some(&tagging.index.digest));
    // The same commit's stays, and is the result.
    let (same, _) = indexed(&beside, Some(SHA), "3").await;
    put(&beside, "v3.0.0", &same).await;
    let repository = beside.repository.to_string();
    let inputs = [("image_name", ""), ("registry", ""), ("repository", &repository), ("version", "3.0.0")];
    let ended = good(tagging.run(&inputs));
    assert_eq!(ended.outputs["digest"], same.digest.as_str(), "{}", ended.log);
    assert_eq!(beside.under("main").await, Some(same.digest));
    assert!(ended.log.contains("is the result, and not the image that `from` names"), "{}", ended.log);
}

/// What the registry has under `staged` in these cases is none that could be tagged.
#[tokio::test]
async fn what_is_no_image() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let proxy = FaultProxy::new(&running.address.to_string(), |_| Act::Pass);
    let tagging = Tagging::of(&proxy.host(), "api", Some(SHA)).await;
    let descriptor =
        |kind: &str| json!({ "mediaType": kind, "digest": Digest::of(b"x").as_str(), "size": 1 });
    let helm = "application/vnd.cncf.helm.config.v1+json";
    let nested = json!({ "mediaType": OCI_INDEX, "digest": tagging.index.digest.as_str(), "size": tagging.index.bytes.len() });
    let gone = descriptor(OCI_MANIFEST);
    for (media_type, body, expected) in [
        (
            OCI_MANIFEST,
            json!({ "schemaVersion": 2, "config": descriptor(helm), "layers": [] }).to_string(),
            "it is an artifact of type `application/vnd.cncf.helm.config.v1+json`",
        ),
        (OCI_INDEX, json!({ "schemaVersion": 2, "manifests": [] }).to_string(), "its index names no image"),
        (
            OCI_INDEX,
            json!({ "schemaVersion": 2, "manifests": [nested] }).to_string(),
            "its index names another index",
        ),
        (
            OCI_INDEX,
            json!({ "schemaVersion": 2, "manifests": [gone] }).to_string(),
            "its index names what is not there",
        ),
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            json!({ "schemaVersion": 1, "name": "x", "fsLayers": [] }).to_string(),
            "its `schemaVersion` is 1, not 2",
        ),
        ("text/html", "<html>::error::x".into(), "no image manifest or index"),
    ] {
        proxy.script(move |request| {
            if request.kind == Kind::GetManifest && request.reference() == "staged" {
                let headers = vec![format!("Content-Type: {media_type}")];
                return Answer { status: 200, headers, body: body.clone().into_bytes() }.into();
            }
            Act::Pass
        });
        let ended = tagging.run(&[]);
        assert!(!ended.success && ended.log.contains(expected), "{expected}\n{}", ended.log);
        let error = ended.log.lines().find(|line| line.starts_with("::error")).unwrap();
        assert!(error.contains("of `from`") || error.contains("which `from` names"), "{error}");
        proxy.mend();
        tagging.is_untouched(&ended).await;
    }
}

#[tokio::test]
async fn what_cannot_be_read() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let proxy = FaultProxy::new(&running.address.to_string(), |_| Act::Pass);
    let tagging = Tagging::of(&proxy.host(), "api", Some(SHA)).await;
    let wrong = Digest::of(b"another");
    let absent = format!("{}:nothing", tagging.world.repository);
    let other = format!("{}@{wrong}", tagging.world.repository);
    let bytes = tagging.index.bytes.to_vec();
    let uploads = proxy.count(Kind::StartUpload);
    for (from, spoil, expected) in [
        (absent.as_str(), None, vec!["it is not there", "hint: check repository, tag and digest"]),
        (other.as_str(), None, vec!["it is not there"]),
        (&tagging.from(), Some(Answer::status(403)), vec!["the login for `", "needs the right to pull it"]),
        (
            &other,
            Some(Answer { status: 200, headers: vec![format!("Content-Type: {OCI_INDEX}")], body: bytes }),
            vec!["the bytes that came are `", wrong.as_str()],
        ),
        (&tagging.from(), Some(Answer::status(503)), vec!["503"]),
    ] {
        proxy.script(move |request| match &spoil {
            Some(answer) if request.kind == Kind::GetManifest => answer.clone().into(),
            _ => Act::Pass,
        });
        let ended = tagging.run(&[("from", from)]);
        assert!(!ended.success, "{}", ended.log);
        for part in expected {
            assert!(ended.log.contains(part), "{part}\n{}", ended.log);
        }
        assert_eq!(proxy.count(Kind::StartUpload), uploads, "it is read before anything else is looked at");
        proxy.mend();
        tagging.is_untouched(&ended).await;
    }
}

#[tokio::test]
async fn a_job_that_may_not_push() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let proxy = FaultProxy::new(&running.address.to_string(), |_| Act::Pass);
    let tagging = Tagging::of(&proxy.host(), "api", Some(SHA)).await;
    proxy.script(|request| match request.kind {
        Kind::StartUpload => Answer::status(403).into(),
        _ => Act::Pass,
    });
    let ended = tagging.run(&[]);
    assert!(!ended.success && ended.log.contains("403"), "{}", ended.log);
    assert_eq!(proxy.put(Kind::PutTag), ["staged"], "by this test");
    // On a pull request of the same repository that is no failure.
    tagging.world.payload(&json!({
        "action": "opened",
        "repository": { "full_name": "acme/shop", "default_branch": "main" },
        "pull_request": {
            "number": 43, "base": { "ref": "main" },
            "head": { "sha": SHA, "ref": "x", "repo": { "full_name": "acme/shop" } },
        },
    }));
    let runner = [("GITHUB_EVENT_NAME", "pull_request"), ("GITHUB_REF", "refs/pull/43/merge")];
    let ended = good(tagging.run_with(&[], &runner));
    assert!(ended.log.contains("nothing to do: there is nothing to tag"), "{}", ended.log);
    assert!(ended.log.contains("nothing is published"), "{}", ended.log);
    assert_eq!(proxy.put(Kind::PutTag), ["staged"], "by this test");
    proxy.mend();
    let ended = good(tagging.run_with(&[], &runner));
    assert_eq!(ended.outputs["tag_names"], format!("{SHA}-pr-43\npr-43"));
}

/// The job that stages pushes nothing in a fork either, so that there is nothing to name.
#[tokio::test]
async fn a_fork_has_nothing_to_tag() {
    let registry = Fake::start(|_| answer(500, &[], "")).await;
    let world = World::of(&registry.address.to_string(), "api");
    world.payload(&json!({
        "action": "opened",
        "repository": { "full_name": "acme/shop", "default_branch": "main" },
        "pull_request": {
            "number": 43, "base": { "ref": "main" },
            "head": { "sha": SHA, "ref": "main", "repo": { "full_name": "mallory/shop" } },
        },
    }));
    let runner = [("GITHUB_EVENT_NAME", "pull_request"), ("GITHUB_REF", "refs/pull/43/merge")];
    let named = format!("{}:main", world.repository);
    for from in ["", &named] {
        let ended = world.end(world.start_with(1, &[("mode", "tag"), ("from", from)], &runner));
        assert!(ended.success, "{}", ended.log);
        let why = "nothing to do: there is nothing to tag, as nothing is pushed: pull requests from forks may not publish";
        assert!(ended.log.contains(why), "{}", ended.log);
        assert_eq!(ended.outputs["pushed"], "false");
    }
    for (inputs, expected) in [
        (
            vec![("mode", "tag"), ("from", "")],
            "input `from`: missing; it is the image that `mode: tag` puts the tags on",
        ),
        (vec![("mode", "tag"), ("from", "acme/api:1")], "on Docker Hub it is called `docker.io/acme/api:1`"),
        (
            vec![("mode", "tag"), ("from", &named), ("metadata_context", "git")],
            "input `metadata_context`: `git` speaks of",
        ),
        (vec![("mode", "merge"), ("from", &named)], "input `from`: it names an image to put tags on"),
    ] {
        let world = World::of(&registry.address.to_string(), "api");
        let ended = world.end(world.start_with(1, &inputs, &[]));
        assert!(!ended.success && ended.log.contains(expected), "{expected}\n{}", ended.log);
    }
    assert_eq!(registry.lines(), Vec::<String>::new(), "nobody was asked");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let proxy = FaultProxy::new(&running.address.to_string(), |_| Act::Pass);
    let tagging = Tagging::of(&proxy.host(), "api", Some(SHA)).await;
    put(&tagging.world, "main", &tagging.index).await;
    let before = proxy.seen().len();
    // What a build alone is asked for need not be there.
    let inputs = [
        ("dry_run", "true"),
        ("dockerfile", "nowhere/Dockerfile"),
        ("secret_files", "a=nowhere"),
        ("builder", "tcp://nowhere.invalid:1"),
        ("labels", "a=1"),
        ("version", "1.2.3"),
    ];
    let ended = good(tagging.run(&inputs));
    let methods: Vec<String> =
        proxy.seen()[before..].iter().map(|seen| seen.request.method.clone()).collect();
    assert!(methods.iter().all(|method| method == "GET" || method == "HEAD"), "{methods:?}");
    for part in [
        format!("commit      {SHA}, by the stamp of this action"),
        format!("from        {} ({})", tagging.from(), tagging.index.digest),
        "builder     none: the image is there already".into(),
        "branch `main`; on this image already".into(),
        "`version` is 1.2.3; new".into(),
        "`labels` has no effect with `mode: tag`".into(),
    ] {
        assert!(ended.log.contains(&part), "{part}\n{}", ended.log);
    }
    assert_eq!(tagging.world.under("v1.2.3").await, None);
}

/// Somebody moves `staged` while this run looks around.
#[tokio::test]
async fn what_was_planned_is_what_is_tagged() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let proxy = FaultProxy::new(&running.address.to_string(), |_| Act::Pass);
    let tagging = Tagging::of(&proxy.host(), "api", Some(SHA)).await;
    let (other, _) = indexed(&tagging.world, Some(&"2".repeat(40)), "2").await;
    let direct = Arc::new(World::of(running.host().as_str(), "api"));
    let (runtime, moved) = (tokio::runtime::Handle::current(), other.clone());
    proxy.script(move |request| {
        if request.kind != Kind::StartUpload {
            return Act::Pass;
        }
        let (direct, moved, runtime) = (Arc::clone(&direct), moved.clone(), runtime.clone());
        Act::Then(Box::new(move || runtime.block_on(put(&direct, "staged", &moved))))
    });
    let world = &tagging.world;
    let child = world.start(1, &[("mode", "tag"), ("from", &tagging.from())]);
    let ended = good(end(world, child).await);
    assert_eq!(world.under("staged").await, Some(other.digest), "it was moved");
    assert_eq!(world.under("main").await.as_ref(), Some(&tagging.index.digest), "{}", ended.log);
}
