//! What images say of themselves, on the wire: in the places where it can stand, and from strangers.

use docker_push_action::model::stamp::{COMMIT, INPUTS, REF, REVISION};
use docker_push_action::model::{Digest, InputsHash, Stamp};
use docker_push_action::registry::Kind;

use super::fake::{Fake, answer};
use super::{INDEX, MANIFEST, api, kept, manifest, tag};

/// A registry that keeps these documents under their digests.
async fn keeping(documents: Vec<(String, &'static str)>) -> Fake {
    Fake::start(move |request| {
        api(request, || {
            let found = documents
                .iter()
                .find(|(text, _)| request.target.ends_with(Digest::of(text.as_bytes()).as_str()));
            found.map_or_else(|| answer(404, &[], ""), |(text, media_type)| kept(text, media_type))
        })
    })
    .await
}

async fn stamp(documents: Vec<(String, &'static str)>) -> (Stamp, usize) {
    let first = Digest::of(documents[0].0.as_bytes());
    let fake = keeping(documents).await;
    let stamp = fake.client().stamp(&fake.repository(), &first).await.unwrap();
    (stamp, fake.lines().len() - 1)
}

fn image(annotations: &str, config: &str) -> String {
    let digest = Digest::of(config.as_bytes());
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"digest":"{digest}","size":{}}},"layers":[],"annotations":{annotations}}}"#,
        config.len()
    )
}

fn index(annotations: &str, child: &str) -> String {
    let (attestation, digest) = (Digest::of(b"attestation"), Digest::of(child.as_bytes()));
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","annotations":{annotations},"manifests":[
        {{"digest":"{attestation}","size":7,"platform":{{"os":"unknown","architecture":"unknown"}}}},
        {{"digest":"{digest}","size":{},"platform":{{"os":"linux","architecture":"arm64"}}}}]}}"#,
        child.len()
    )
}

#[tokio::test]
async fn where_it_can_stand() {
    let commit = "1".repeat(40);
    let inputs = InputsHash { schema: 1, digest: Digest::of(b"inputs") };
    let ours = format!(r#"{{"{COMMIT}":"{commit}","{REF}":"refs/heads/main","{INPUTS}":"{inputs}"}}"#);
    let (read, requests) = stamp(vec![(index(&ours, "x"), INDEX)]).await;
    assert_eq!(read.commit.as_ref().unwrap().as_str(), commit);
    assert_eq!((read.reference.as_deref(), &read.inputs), (Some("refs/heads/main"), &Some(inputs)));
    assert_eq!(requests, 1, "the index says it all");

    let config = format!(r#"{{"config":{{"Labels":{{"{REVISION}":"{commit}"}}}}}}"#);
    let by_label = image("{}", &config);
    let by_annotation = image(&format!(r#"{{"{REVISION}":"{commit}"}}"#), &config);
    for (documents, expected) in [
        (vec![(by_annotation.clone(), MANIFEST)], 1),
        (vec![(by_label.clone(), MANIFEST), (config.clone(), "")], 2),
        (vec![(index("{}", &by_annotation), INDEX), (by_annotation, MANIFEST)], 2),
        (vec![(index(r#"{"a":"1"}"#, &by_label), INDEX), (by_label, MANIFEST), (config, "")], 3),
    ] {
        let (read, requests) = stamp(documents).await;
        assert_eq!((read.commit.unwrap().as_str(), requests), (commit.as_str(), expected));
    }
}

#[tokio::test]
async fn strangers_say_nothing() {
    let missing = index("null", "not there");
    let nested = index("{}", &missing);
    for documents in [
        vec![("[]".into(), INDEX)],
        vec![("\u{0}".into(), MANIFEST)],
        vec![(r#"{"schemaVersion":2,"manifests":[]}"#.into(), INDEX)],
        vec![(missing.clone(), INDEX)],
        vec![(nested, INDEX), (missing, INDEX)],
        vec![(image("[]", "gone"), MANIFEST)],
        vec![(image("{}", "no json"), MANIFEST), ("no json".into(), "")],
    ] {
        let text = documents[0].0.clone();
        assert_eq!(stamp(documents).await.0, Stamp::default(), "{text}");
    }
    let broken = Fake::start(|request| api(request, || answer(500, &[], ""))).await;
    let error = broken.client().stamp(&broken.repository(), &Digest::of(b"x")).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::ErrorResponse(_)), "an error of the registry's is one: {error}");
}

#[tokio::test]
async fn registries_that_let_nobody_move_a_tag() {
    let said =
        |code: &str, message: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
    for (status, body, immutable) in [
        (
            400,
            said(
                "TAG_INVALID",
                "The image tag 'a' already exists in the 'r' repository and cannot be overwritten because the tag is immutable.",
            ),
            true,
        ),
        (412, said("PRECONDITION", "Failed to process request due to 'r:a' configured as immutable."), true),
        (
            400,
            said("MANIFEST_INVALID", "cannot update tag a. The repository has enabled tag immutability"),
            true,
        ),
        (400, said("MANIFEST_INVALID", "manifest invalid"), false),
        (403, said("DENIED", "requested access to the resource is denied"), false),
        (500, said("UNKNOWN", "immutable index"), false),
    ] {
        let text = body.clone();
        let fake = Fake::start(move |request| api(request, || answer(status, &[], &text))).await;
        let error =
            fake.client().put_tag(&fake.repository(), &tag("a"), &manifest("{}", INDEX)).await.unwrap_err();
        assert_eq!(error.immutable().is_some(), immutable, "{body}");
    }
}
