//! `mode: merge`: the program itself, started without any Docker, on every registry that can be had. The legs are images
//! that this test puts there and records as `mode: leg` does; `tests/live` has real ones.

pub mod world;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use docker_push_action::model::{CommitId, Digest, Tag};
use docker_push_action::registry::{Deletion, Leg, Recording};
use serde_json::{Value, json};

use crate::fault_proxy::{Act, Answer, FaultProxy, Kind, Request};
use crate::registries::parts::{Door, Make, Running, Wanted};
use world::{RUN, SHA, World, digests, inputs};

const PLAIN: Wanted = Wanted { make: Make::Debian, door: Door::Open, tls: false, delete: true };

async fn world_in(running: &Running) -> World {
    let world = World::of(running.host().as_str(), "api");
    world.client.ping().await.unwrap();
    world
}

async fn two_legs_and_their_merge(wanted: Wanted) {
    let Some(running) = Running::start(wanted).await else { return };
    let world = world_in(&running).await;
    let [arm, amd, statement] = world.two_legs().await;
    let first = world.merge(1);
    assert!(first.success, "{wanted:?}: {}", first.log);
    assert!(!first.log.contains("::warning"), "{}", first.log);

    let digest = Digest::parse(&first.outputs["digest"]).unwrap();
    for tag in [&format!("{SHA}-main"), "main", "latest"] {
        assert_eq!(world.under(tag).await.as_ref(), Some(&digest), "{tag}");
    }
    let index = world.client.get_manifest(&world.repository, &digest).await.unwrap();
    assert_eq!(
        digests(&index),
        [arm.clone(), amd.clone(), statement],
        "in the order asked for, attestations last"
    );
    let json: Value = serde_json::from_slice(&index.bytes).unwrap();
    let stamp = |key: &str| json["annotations"][format!("io.github.docker-push-action.{key}")].clone();
    assert_eq!((stamp("commit"), stamp("ref")), (json!(SHA), json!("refs/heads/main")));
    assert!(stamp("inputs").is_string(), "{json}");
    let metadata: Value = serde_json::from_str(&first.outputs["metadata"]).unwrap();
    assert_eq!(metadata["platforms"].as_array().unwrap().len(), 2);
    assert_eq!(first.outputs["reference"], format!("{}@{digest}", world.repository));
    assert_eq!(first.outputs["tag_names"], format!("{SHA}-main\nmain\nlatest"));
    assert!(first.summary.starts_with("### ✅ Pushed"), "{}", first.summary);

    // The records are gone where that can be, and nothing else is.
    // go-containerregistry's keeps a tag whose manifest is gone.
    let gone = wanted.delete && !matches!(wanted.make, Make::Go { .. });
    for platform in ["linux/arm64", "linux/amd64"] {
        assert_eq!(world.recorded(platform).await, !gone, "{platform}");
    }
    let said = if wanted.delete { "is removed" } else { "stays, as this registry removes nothing" };
    assert_eq!(first.log.matches(said).count(), 2, "{}", first.log);
    for leg in [&arm, &amd] {
        let leg = Digest::parse(leg).unwrap();
        assert!(world.client.head_manifest(&world.repository, &leg).await.unwrap().is_some());
    }

    // The merge's job once more.
    let again = world.merge(2);
    assert!(again.success, "{}", again.log);
    assert_eq!(again.outputs["digest"], digest.as_str());
    assert_eq!(again.log.contains("has joined the legs already"), gone, "{}", again.log);
    assert!(!again.log.contains("::warning"), "{}", again.log);
}

#[tokio::test]
async fn two_legs_in_distribution_2() {
    two_legs_and_their_merge(PLAIN).await;
    two_legs_and_their_merge(Wanted { delete: false, ..PLAIN }).await;
}

#[tokio::test]
async fn two_legs_in_distribution_3() {
    two_legs_and_their_merge(Wanted { make: Make::Distribution, ..PLAIN }).await;
    two_legs_and_their_merge(Wanted { make: Make::Distribution, delete: false, ..PLAIN }).await;
}

#[tokio::test]
async fn two_legs_in_go_containerregistry() {
    two_legs_and_their_merge(Wanted { make: Make::Go { referrers: false }, ..PLAIN }).await;
}

#[tokio::test]
async fn a_leg_that_is_not_there() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let world = world_in(&running).await;
    let amd = world.image("linux/amd64", "1").await;
    world.record(&world.leg("linux/amd64", 1, &amd.digest)).await;
    // Another run's is none.
    world.record(&Leg { run: RUN + 1, ..world.leg("linux/arm64", 1, &amd.digest) }).await;
    for attempt in [1, 2] {
        let ended = world.merge(attempt);
        assert!(!ended.success, "{}", ended.log);
        let expected = format!("run {RUN} has recorded no leg for `linux/arm64` of `{}`", world.repository);
        assert!(ended.log.contains(&expected), "{}", ended.log);
        assert!(
            ended.log.contains("hint: ") && ended.log.contains("`platform: linux/arm64`"),
            "{}",
            ended.log
        );
        assert_eq!((ended.outputs["pushed"].as_str(), ended.outputs["tags"].lines().count()), ("false", 3));
    }
    assert_eq!(world.under("main").await, None);
    assert!(world.recorded("linux/amd64").await, "a failed merge leaves the records for the next attempt");
    // All that was asked for is there.
    let ended = world.end(world.start(1, &[("platform", "linux/amd64")]));
    assert!(ended.success, "{}", ended.log);
    let index = Digest::parse(&ended.outputs["digest"]).unwrap();
    let index = world.client.get_manifest(&world.repository, &index).await.unwrap();
    assert_eq!(digests(&index), [amd.digest.to_string()]);
}

#[tokio::test]
async fn the_newest_attempt_of_each_leg() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let world = world_in(&running).await;
    let [arm, amd, statement] = world.two_legs().await;
    // One leg was run again; the slow first attempt of it ends last.
    let better = world.image("linux/amd64", "2").await;
    world.record(&world.leg("linux/amd64", 2, &better.digest)).await;
    world.record(&world.leg("linux/amd64", 1, &Digest::parse(&amd).unwrap())).await;
    let ended = world.merge(2);
    assert!(ended.success, "{}", ended.log);
    let index = Digest::parse(&ended.outputs["digest"]).unwrap();
    let index = world.client.get_manifest(&world.repository, &index).await.unwrap();
    assert_eq!(digests(&index), [arm, better.digest.to_string(), statement]);
    assert!(ended.log.contains(&format!("leg linux/amd64: {} (attempt 2)", better.digest)), "{}", ended.log);
}

#[tokio::test]
async fn legs_that_do_not_belong_together() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let world = world_in(&running).await;
    let [_, amd, _] = world.two_legs().await;
    let good = world.leg("linux/amd64", 1, &Digest::parse(&amd).unwrap());
    let arm = world.image("linux/arm64", "1").await;
    let (attested, _) = world.attested("linux/arm64", "2").await;
    let other = CommitId::parse(&"2".repeat(40)).unwrap();
    let gone = world.image("linux/amd64", "gone").await.digest;
    for (leg, expected) in [
        (Leg { revision: other.clone(), ..good.clone() }, format!("was built of the commit `{other}`")),
        (Leg { digest: arm.digest.clone(), ..good.clone() }, "is an image for `linux/arm64`".to_owned()),
        (Leg { digest: attested.digest.clone(), ..good.clone() }, "is an image for `linux/arm64`".to_owned()),
        (Leg { digest: gone.clone(), ..good.clone() }, gone.to_string()),
    ] {
        world.record(&leg).await;
        if leg.digest == gone {
            let removed = world.client.delete_manifest(&world.repository, &gone).await.unwrap();
            assert_eq!(removed, Deletion::Done);
        }
        let ended = world.end(world.start(1, &[("retries", "0")]));
        assert!(!ended.success && ended.log.contains(&expected), "{expected}\n{}", ended.log);
        assert_eq!(world.under("main").await, None);
    }
    // What was built from other inputs is still one image; a release of it is built and not promoted, and a notice says
    // why.
    world.record(&Leg { inputs: None, attempt: 2, ..good }).await;
    let ended = world.merge(2);
    assert!(ended.success, "{}", ended.log);
    let index = Digest::parse(&ended.outputs["digest"]).unwrap();
    let index = world.client.get_manifest(&world.repository, &index).await.unwrap();
    assert!(!String::from_utf8_lossy(&index.bytes).contains("docker-push-action.inputs"));
    let notice = ended.log.lines().filter(|line| line.starts_with("::notice"));
    let notice: Vec<&str> = notice.filter(|line| line.contains("built from different inputs")).collect();
    assert_eq!(notice.len(), 1, "{}", ended.log);
    assert!(notice[0].contains("`linux/amd64` from what is not known before a build"), "{}", notice[0]);
}

/// Tells one run's variants of an image apart: they overwrote each other's legs, and every merge published the last one.
#[tokio::test]
async fn two_variants_of_one_repository_in_one_run() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let world = world_in(&running).await;
    let variants = ["1.0.0", "2.0.0"];
    let mut images = Vec::new();
    for version in variants {
        for platform in ["linux/arm64", "linux/amd64"] {
            let image = world.image(platform, version).await;
            let leg = Leg {
                tags: world.tags(&[("version", version)]),
                inputs: Some(inputs(version)),
                ..world.leg(platform, 1, &image.digest)
            };
            assert_eq!(world.record(&leg).await, Recording::Done(None), "{version}");
            images.push(image.digest.to_string());
        }
    }
    for (version, images) in variants.iter().zip(images.chunks(2)) {
        let ended = world.end(world.start(1, &[("version", version)]));
        assert!(ended.success, "{}", ended.log);
        let digest = Digest::parse(&ended.outputs["digest"]).unwrap();
        assert_eq!(world.under(&format!("v{version}")).await.as_ref(), Some(&digest));
        let index = world.client.get_manifest(&world.repository, &digest).await.unwrap();
        assert_eq!(digests(&index), images, "{version}: its own images");
    }
    // Legs without a version are none of theirs, and the error says what to look at.
    let ended = world.merge(1);
    assert!(!ended.success, "{}", ended.log);
    for said in [
        "has recorded no leg for `linux/arm64`, `linux/amd64`",
        "under the tags of this job",
        "(`repository`, `registry`, `image_name`, `tags`, `flavor`, `platform_tags`, `version`, `metadata_context`, `sha_length`, `latest_branch`)",
    ] {
        assert!(ended.log.contains(said), "{said}\n{}", ended.log);
    }
}

/// Variants with the same tags cannot both be published: the second leg fails, and does not replace the first.
#[tokio::test]
async fn two_jobs_that_record_one_leg() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let world = world_in(&running).await;
    let (first, second) = (world.image("linux/amd64", "1").await, world.image("linux/amd64", "2").await);
    let leg = world.leg("linux/amd64", 1, &first.digest);
    assert_eq!(world.record(&leg).await, Recording::Done(None));
    assert_eq!(world.record(&leg).await, Recording::Done(None), "a lost answer");
    let other = Leg { inputs: Some(inputs("other")), ..world.leg("linux/amd64", 1, &second.digest) };
    assert_eq!(world.record(&other).await, Recording::Contradicted(Box::new(leg.clone())));
    assert_eq!(world.find(&leg).await.unwrap().leg, leg, "it stays");
    // Bytes may differ between builds of the same inputs.
    let again = Leg { digest: second.digest.clone(), ..leg.clone() };
    assert_eq!(world.record(&again).await, Recording::Done(None));
    // Inputs may differ between attempts, as with a date for an argument.
    let later = Leg { attempt: 2, digest: first.digest.clone(), ..other };
    assert_eq!(world.record(&later).await, Recording::Done(Some(Box::new(again))));
    assert_eq!(world.find(&leg).await.unwrap().leg, later);
}

/// Both look before either has written: the one that is overwritten is told so.
#[tokio::test]
async fn two_jobs_that_record_one_leg_in_the_same_moment() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let proxy = FaultProxy::new(&running.address.to_string(), |_| Act::Pass);
    let world = World::of(&proxy.host(), "same-moment");
    let direct = World::of(running.host().as_str(), "same-moment");
    let (first, second) = (world.image("linux/amd64", "1").await, world.image("linux/amd64", "2").await);
    // The key is made of the repository's name, which differs by the proxy's port only.
    let leg = world.leg("linux/amd64", 1, &first.digest);
    let other = Leg {
        inputs: Some(inputs("other")),
        tags: leg.tags.clone(),
        ..direct.leg("linux/amd64", 1, &second.digest)
    };
    let (client, between) = (Arc::new(direct), other.clone());
    let runtime = tokio::runtime::Handle::current();
    proxy.script(move |request| {
        if request.kind != Kind::PutTag {
            return Act::Pass;
        }
        let (client, between, runtime) = (Arc::clone(&client), between.clone(), runtime.clone());
        Act::Then(Box::new(move || {
            runtime.block_on(async {
                let manifest = client.client.get_manifest(&client.repository, &between.digest).await.unwrap();
                // As the other one does, that has looked already.
                let found = client.client.record_leg(&Leg { attempt: 2, ..between.clone() }, &manifest).await;
                assert!(matches!(found.unwrap(), Recording::Done(_)));
                client
                    .forge(&between, |json| {
                        json["annotations"]["io.github.docker-push-action.leg.attempt"] = json!("1");
                    })
                    .await;
            });
        }))
    });
    let told = world.record(&leg).await;
    assert!(matches!(&told, Recording::Contradicted(found) if found.digest == other.digest), "{told:?}");
}

/// What somebody makes of a record.
type Forgery<'a> = Box<dyn Fn(&mut Value) + 'a>;

#[tokio::test]
async fn a_record_that_somebody_else_has_written() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let world = world_in(&running).await;
    let [arm, amd, _] = world.two_legs().await;
    let good = world.leg("linux/amd64", 1, &Digest::parse(&amd).unwrap());
    let annotation = |name: &str| format!("io.github.docker-push-action.leg.{name}");
    let forgeries: [(&str, Forgery); 6] = [
        ("its `run` is another's", Box::new(|json| json["annotations"][annotation("run")] = json!("1"))),
        (
            "its `digest` is missing or makes no sense",
            Box::new(|json| json["annotations"][annotation("digest")] = json!("x")),
        ),
        ("it has the form `9`", Box::new(|json| json["annotations"][annotation("schema")] = json!("9"))),
        ("it is not such a record", Box::new(|json| json["annotations"] = json!({ "a": "b" }))),
        ("it lists nothing", Box::new(|json| json["manifests"] = json!([]))),
        (
            "is an image for `linux/arm64`",
            Box::new(|json| {
                json["manifests"][0]["digest"] = json!(arm);
                json["manifests"][0]["platform"]["architecture"] = json!("arm64");
            }),
        ),
    ];
    for (said, forge) in forgeries {
        world.forge(&good, forge).await;
        let ended = world.merge(1);
        assert!(!ended.success && ended.log.contains(said), "{said}\n{}", ended.log);
        assert_eq!(world.under("main").await, None, "{said}");
        // The job that makes the leg mends it.
        assert_eq!(world.record(&good).await, Recording::Done(None), "{said}");
    }
    let ended = world.merge(1);
    assert!(ended.success, "{}", ended.log);
}

/// No registry must lose a leg before the merge comes: an index lists it, under a tag.
async fn a_leg_outlives_the_registrys_reaping(wanted: Wanted) {
    let Some(running) = Running::start(wanted).await else { return };
    let world = world_in(&running).await;
    let lost = world.image("linux/s390x", "nobody's").await;
    let legs = world.two_legs().await;
    let [arm, amd] = ["linux/arm64", "linux/amd64"].map(|platform| world.leg(platform, 1, &lost.digest));
    for leg in [&arm, &amd] {
        let found = world.find(leg).await.unwrap();
        assert_eq!(digests(&found.record), [found.leg.digest.to_string()], "it lists the leg");
    }
    if running.reap() {
        assert_eq!(world.client.head_manifest(&world.repository, &lost.digest).await.unwrap(), None);
    }
    let attested = world.find(&arm).await.unwrap().leg.digest.to_string();
    for digest in legs.iter().chain([&attested]) {
        let digest = Digest::parse(digest).unwrap();
        let there = world.client.head_manifest(&world.repository, &digest).await.unwrap();
        assert!(there.is_some(), "{digest}");
    }
    let ended = world.merge(1);
    assert!(ended.success, "{}", ended.log);
}

#[tokio::test]
async fn a_leg_outlives_the_reaping_of_distribution_3() {
    a_leg_outlives_the_registrys_reaping(Wanted { make: Make::Distribution, ..PLAIN }).await;
}

#[tokio::test]
async fn a_leg_is_listed_in_the_other_registries() {
    a_leg_outlives_the_registrys_reaping(PLAIN).await;
    a_leg_outlives_the_registrys_reaping(Wanted { make: Make::Go { referrers: false }, ..PLAIN }).await;
}

#[tokio::test]
async fn a_registry_that_takes_no_index_in_an_index() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let proxy = FaultProxy::new(&running.address.to_string(), |_| Act::Pass);
    let world = World::of(&proxy.host(), "flat");
    let mut refused = false;
    proxy.script(move |request| {
        let first = request.kind == Kind::PutTag && !std::mem::replace(&mut refused, true);
        if first { Answer::status(400).into() } else { Act::Pass }
    });
    let (leg, images) = world.attested("linux/arm64", "1").await;
    let leg = world.leg("linux/arm64", 1, &leg.digest);
    assert_eq!(world.record(&leg).await, Recording::Done(None));
    let found = world.find(&leg).await.unwrap();
    assert_eq!((digests(&found.record), found.stands_in), (images.to_vec(), true));
    let amd = world.image("linux/amd64", "1").await;
    world.record(&world.leg("linux/amd64", 1, &amd.digest)).await;
    // It has reaped what nothing lists.
    world.client.delete_manifest(&world.repository, &leg.digest).await.unwrap();
    let ended = world.merge(1);
    assert!(ended.success, "{}", ended.log);
    let index = Digest::parse(&ended.outputs["digest"]).unwrap();
    let index = world.client.get_manifest(&world.repository, &index).await.unwrap();
    let [image, statement] = images;
    assert_eq!(digests(&index), [image, amd.digest.to_string(), statement]);
}

#[tokio::test]
async fn nothing_to_merge() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let world = world_in(&running).await;
    let ended = world.end(world.start(1, &[("push", "false")]));
    assert!(ended.success, "{}", ended.log);
    let expected = "nothing to do: there is nothing to merge, as nothing is pushed: `push` is false";
    assert!(ended.log.contains(expected), "{}", ended.log);
    assert_eq!(ended.outputs["pushed"], "false");
    assert!(ended.summary.starts_with("### Nothing to do"), "{}", ended.summary);
    let dry = world.end(world.start(1, &[("dry_run", "true")]));
    assert!(dry.success && dry.log.contains("Merge the legs of"), "{}", dry.log);
    assert_eq!(world.under("main").await, None);
}

/// The process that is killed, as soon as it is known.
#[derive(Clone, Default)]
struct Victim(Arc<AtomicU32>);

impl Victim {
    fn kill(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.0.load(Ordering::SeqCst) == 0 {
            assert!(Instant::now() < deadline, "nobody was started");
            std::thread::yield_now();
        }
        let pid = self.0.load(Ordering::SeqCst).to_string();
        let _ = Command::new("kill").args(["-KILL", &pid]).status();
    }
}

/// Kills at the request of this number, before the registry hears of it or after it did.
fn killer(
    number: usize,
    after: bool,
    victim: Victim,
    done: Arc<AtomicBool>,
) -> impl FnMut(&Request) -> Act + Send + 'static {
    let mut count = 0;
    move |_| {
        count += 1;
        if count - 1 != number {
            return Act::Pass;
        }
        done.store(true, Ordering::SeqCst);
        let victim = victim.clone();
        if after {
            return Act::Then(Box::new(move || victim.kill()));
        }
        victim.kill();
        Act::Reset
    }
}

#[tokio::test]
async fn killed_anywhere_the_next_attempt_completes_it() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let mut points = 0;
    'points: for number in 0.. {
        for after in [false, true] {
            let proxy = FaultProxy::new(&running.address.to_string(), |_| Act::Pass);
            let world = World::of(&proxy.host(), &format!("killed-{number}-{after}"));
            world.two_legs().await;
            let old = world.image("linux/s390x", "old").await;
            world.client.put_tag(&world.repository, &Tag::parse("main").unwrap(), &old).await.unwrap();
            let (victim, done) = (Victim::default(), Arc::new(AtomicBool::new(false)));
            proxy.script(killer(number, after, victim.clone(), Arc::clone(&done)));
            let child = world.start(1, &[]);
            victim.0.store(child.id(), Ordering::SeqCst);
            let ended = world.end(child);
            if !done.load(Ordering::SeqCst) {
                assert!(ended.success, "{}", ended.log);
                break 'points;
            }
            points += 1;
            proxy.mend();
            let main = world.under("main").await.unwrap();
            let again = world.merge(2);
            assert!(again.success, "{number} {after}: {}\n{}", ended.log, again.log);
            let new = &again.outputs["digest"];
            assert!(main == old.digest || main.as_str() == new, "{number} {after}: {main}");
            for tag in again.outputs["tag_names"].lines() {
                assert_eq!(world.under(tag).await.unwrap().as_str(), new, "{number} {after}: {tag}");
            }
            for platform in ["linux/arm64", "linux/amd64"] {
                assert!(!world.recorded(platform).await, "{number} {after}: {platform}");
            }
        }
    }
    // Records, legs, the index, three tags, two removals, each before and after.
    assert!(points >= 30, "{points} points");
}

#[tokio::test]
async fn a_record_that_cannot_be_removed_is_no_trouble() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let proxy = FaultProxy::new(&running.address.to_string(), |_| Act::Pass);
    let world = World::of(&proxy.host(), "forbidden");
    world.two_legs().await;
    proxy.script(|request| {
        if request.method == "DELETE" && request.path.contains("/manifests/") {
            return Answer::status(403).into();
        }
        Act::Pass
    });
    let ended = world.merge(1);
    assert!(ended.success, "{}", ended.log);
    assert!(!ended.log.contains("::warning") && !ended.log.contains("::notice"), "{}", ended.log);
    assert_eq!(ended.log.matches("::debug::the record of the leg").count(), 2, "{}", ended.log);
    proxy.mend();
    let left = world.find(&world.leg("linux/arm64", 1, &Digest::of(b"any"))).await.unwrap();
    assert_eq!(world.client.remove_record(&left).await.unwrap(), Deletion::Done);
}

#[tokio::test]
async fn a_registry_that_lets_nobody_move_a_record() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let proxy = FaultProxy::new(&running.address.to_string(), |_| Act::Pass);
    let world = World::of(&proxy.host(), "immutable");
    let [_, amd, _] = world.two_legs().await;
    let better = world.image("linux/amd64", "2").await;
    proxy.script(|request| {
        if request.kind != Kind::PutTag || !request.reference().starts_with("leg-") {
            return Act::Pass;
        }
        let said = r#"{"errors":[{"code":"TAG_INVALID","message":"the tag is immutable"}]}"#;
        Answer { status: 400, headers: Vec::new(), body: said.into() }.into()
    });
    let again = world.leg("linux/amd64", 2, &better.digest);
    assert_eq!(world.record(&again).await, Recording::Immutable);
    // Nothing is there to stand in, or something of another commit.
    let first = world.leg("linux/s390x", 1, &better.digest);
    let recording = async |leg: &Leg| world.client.record_leg(leg, &better).await.unwrap_err().immutable();
    assert!(recording(&first).await.is_some());
    let other = Leg { revision: CommitId::parse(&"2".repeat(40)).unwrap(), ..again };
    assert!(recording(&other).await.is_some());
    let ended = world.merge(2);
    assert!(ended.success, "{}", ended.log);
    assert!(ended.log.contains(&format!("leg linux/amd64: {amd} (attempt 1)")), "{}", ended.log);
}
