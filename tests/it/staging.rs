//! What `mode: stage` leaves in a registry and `mode: tag` takes away, on every registry that can be had: the program itself tags,
//! without Docker. The images are put there by this test; `tests/live` has built ones.

use docker_push_action::model::{CommitId, Digest, Platform};
use docker_push_action::registry::{Manifest, Staged};
use serde_json::json;

use crate::legs::world::{Ended, RUN, SHA, World};
use crate::registries::parts::{Door, Make, Running, Wanted};

const PLAIN: Wanted = Wanted { make: Make::Debian, door: Door::Open, tls: false, delete: true };

/// An image of this commit, staged.
async fn staged(world: &World, note: &str) -> (Manifest, Staged) {
    let index = {
        let arm = world.image("linux/arm64", note).await;
        let entry = json!({
            "mediaType": arm.media_type, "digest": arm.digest.as_str(), "size": arm.bytes.len(),
            "platform": { "os": "linux", "architecture": "arm64" },
        });
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({
            "schemaVersion": 2, "mediaType": media_type, "manifests": [entry],
            "annotations": { "io.github.docker-push-action.commit": SHA },
        });
        world.push(Manifest::new(index.to_string(), media_type)).await
    };
    let staged = Staged {
        run: RUN,
        attempt: 1,
        tags: world.tags(&[]),
        revision: CommitId::parse(SHA).unwrap(),
        digest: index.digest.clone(),
        tagged: false,
    };
    let platforms = [Platform::parse("linux/arm64").unwrap()];
    world.client.record_stage(&world.repository, &staged, (&index, &platforms)).await.unwrap();
    (index, staged)
}

fn tag(world: &World, digest: &Digest) -> Ended {
    let from = format!("{}@{digest}", world.repository);
    let inputs = [("mode", "tag"), ("from", from.as_str()), ("retries", "2")];
    let ended = world.end(world.start_with(1, &inputs, &[]));
    assert!(ended.success, "{}", ended.log);
    ended
}

async fn found(world: &World, staged: &Staged) -> Option<Staged> {
    world.client.staged_of(&world.repository, &staged.revision, &staged.tags).await.unwrap()
}

/// The record goes with the tags where the registry removes anything; elsewhere it says that the image has them.
async fn a_record_until_the_tags_are_there(wanted: Wanted) {
    let removes = wanted.delete;
    let Some(running) = Running::start(wanted).await else { return };
    let world = World::of(running.host().as_str(), "api");
    let (index, entry) = staged(&world, "1").await;
    assert_eq!(found(&world, &entry).await.as_ref(), Some(&entry));
    let record = format!("stage-image-{}", index.digest.short());
    assert!(world.under(&record).await.is_some());
    let ended = tag(&world, &index.digest);
    for name in ["main", "latest", &format!("{SHA}-main")] {
        assert_eq!(world.under(name).await.as_ref(), Some(&index.digest), "{name}");
    }
    let now = found(&world, &entry).await;
    let expected = (!removes).then(|| Staged { tagged: true, ..entry.clone() });
    assert_eq!(now, expected, "{}", ended.log);
    assert_eq!(world.under(&record).await.is_some(), !removes, "{}", ended.log);
    let said = if removes { "is removed" } else { "it says that the image has its tags" };
    assert!(
        ended.log.contains(&format!("the record of what was staged in {} ", world.repository)),
        "{}",
        ended.log
    );
    assert!(ended.log.contains(said), "{}", ended.log);
    // Once more there is nothing left to do.
    assert!(!tag(&world, &index.digest).log.contains("the record of what was staged"));
}

#[tokio::test]
async fn a_record_in_distribution_2() {
    a_record_until_the_tags_are_there(PLAIN).await;
    a_record_until_the_tags_are_there(Wanted { delete: false, ..PLAIN }).await;
}

#[tokio::test]
async fn a_record_in_distribution_3() {
    a_record_until_the_tags_are_there(Wanted { make: Make::Distribution, ..PLAIN }).await;
    a_record_until_the_tags_are_there(Wanted { make: Make::Distribution, delete: false, ..PLAIN }).await;
}

#[tokio::test]
async fn a_record_in_go_containerregistry() {
    a_record_until_the_tags_are_there(Wanted { make: Make::Go { referrers: false }, ..PLAIN }).await;
}

/// Two images of one commit, staged by jobs that say the same: each stays until it has its own tags.
#[tokio::test]
async fn another_image_of_the_commit_keeps_its_own() {
    let Some(running) = Running::start(PLAIN).await else { return };
    let world = World::of(running.host().as_str(), "api");
    let (first, _) = staged(&world, "1").await;
    let (second, _) = staged(&world, "2").await;
    tag(&world, &second.digest);
    assert!(world.under(&format!("stage-image-{}", first.digest.short())).await.is_some());
    assert_eq!(world.under(&format!("stage-image-{}", second.digest.short())).await, None);
    // One platform of what is staged may be the first of several that get tags.
    let arm = [("platform", "linux/arm64")];
    let from = format!("{}@{}", world.repository, first.digest);
    let inputs =
        [&[("mode", "tag"), ("from", from.as_str()), ("tags", "arm"), ("retries", "2")][..], &arm].concat();
    let ended = world.end(world.start_with(1, &inputs, &[]));
    assert!(ended.success, "{}", ended.log);
    assert!(world.under(&format!("stage-image-{}", first.digest.short())).await.is_some());
}
