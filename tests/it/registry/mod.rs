//! The registry client against registries that are right, strange and hostile.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod copies;
mod downloads;
pub mod fake;
mod faults;
mod login;
mod stamps;
mod tls;
mod uploads;

use docker_push_action::model::{Digest, Tag};
use docker_push_action::registry::{Kind, Manifest};

use fake::{Answer, Fake, Request, answer};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What a registry answers, and what the error about it says.
type Case = (fn() -> Answer, &'static str);

fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

fn manifest(text: &'static str, media_type: &str) -> Manifest {
    let bytes = text.as_bytes();
    Manifest { bytes: bytes.into(), media_type: media_type.into(), digest: Digest::of(bytes) }
}

/// The answer of a registry that keeps this under every reference.
fn kept(text: &str, media_type: &str) -> Answer {
    let digest = format!("Docker-Content-Digest: {}", Digest::of(text.as_bytes()));
    answer(200, &[&format!("Content-Type: {media_type}; charset=utf-8"), &digest], text)
}

fn api(request: &Request, then: impl FnOnce() -> Answer) -> Answer {
    if request.target == "/v2/" { answer(200, &[], "{}") } else { then() }
}

#[tokio::test]
async fn a_tag_is_one_put_of_the_same_bytes() {
    let fake = Fake::start(|request| api(request, || answer(201, &[], ""))).await;
    let index = manifest(r#"{"schemaVersion":2,"manifests":[]}"#, INDEX);
    let (client, repository) = (fake.client(), fake.repository());
    for name in ["a", "b", "c"] {
        client.put_tag(&repository, &tag(name), &index).await.unwrap();
    }
    client.put_manifest(&repository, &index).await.unwrap();
    let by_digest = format!("PUT /v2/acme/api/manifests/{}", index.digest);
    let expected = [
        "GET /v2/",
        "PUT /v2/acme/api/manifests/a",
        "PUT /v2/acme/api/manifests/b",
        "PUT /v2/acme/api/manifests/c",
        &by_digest,
    ];
    assert_eq!(fake.lines(), expected);
    let put = &fake.asked()[1];
    assert_eq!(put.body, index.bytes);
    assert_eq!(put.header("content-type"), Some(INDEX));
    assert_eq!(put.header("authorization"), None);
}

#[tokio::test]
async fn a_put_that_was_stored_differently_is_an_error() {
    let other = format!("Docker-Content-Digest: {}", Digest::of(b"other"));
    let fake = Fake::start(move |request| api(request, || answer(201, &[&other], ""))).await;
    let index = manifest("{}", INDEX);
    let error = fake.client().put_tag(&fake.repository(), &tag("v1"), &index).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Digest { .. }), "{error}");
}

#[tokio::test]
async fn looking_up_a_tag() {
    let text = r#"{"schemaVersion":2,"manifests":[]}"#;
    let fake = Fake::start(move |request| match request.target.rsplit('/').next() {
        _ if request.target == "/v2/" => answer(200, &[], ""),
        Some("there") if request.method == "HEAD" => {
            let digest = Digest::of(text.as_bytes());
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Type: {INDEX}\r\nDocker-Content-Digest: {digest}\r\n\r\n",
                text.len()
            );
            Answer::Send(head.into_bytes())
        }
        // No digest in the answer: the bytes tell it.
        Some("silent") if request.method == "HEAD" => {
            Answer::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec())
        }
        Some("silent") => answer(200, &[&format!("Content-Type: {INDEX}")], text),
        _ => Answer::Send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n".to_vec()),
    })
    .await;
    let (client, repository) = (fake.client(), fake.repository());
    for name in ["there", "silent"] {
        let found = client.head_manifest(&repository, &tag(name)).await.unwrap().unwrap();
        assert_eq!(found.digest, Digest::of(text.as_bytes()), "{name}");
        assert_eq!((found.media_type.as_str(), found.size), (INDEX, Some(text.len() as u64)), "{name}");
    }
    assert_eq!(client.head_manifest(&repository, &tag("none")).await.unwrap(), None);
    let accepts =
        fake.asked()[1].headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("accept")).count();
    assert_eq!(accepts, 4);
}

#[tokio::test]
async fn other_bytes_than_asked_for_are_refused() {
    let fake = Fake::start(|request| api(request, || kept("{}", MANIFEST))).await;
    let (client, repository) = (fake.client(), fake.repository());
    assert_eq!(client.get_manifest(&repository, &tag("v1")).await.unwrap().digest, Digest::of(b"{}"));
    let asked = Digest::of(b"something else");
    let expected = Kind::Digest { expected: asked.to_string(), actual: Digest::of(b"{}").to_string() };
    for error in [
        client.get_manifest(&repository, &asked).await.unwrap_err(),
        client.head_manifest(&repository, &asked).await.unwrap_err(),
        client.get_blob(&repository, &asked).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), &expected, "{error}");
    }
}

#[tokio::test]
async fn metadata_is_read_again_from_the_registry() {
    let config = r#"{"os":"linux","architecture":"arm64","variant":"v8"}"#;
    let layer = Digest::of(b"layer");
    let image = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"digest":"{}","size":{}}},"layers":[{{"digest":"{layer}","size":1000}}]}}"#,
        Digest::of(config.as_bytes()),
        config.len()
    );
    let image_digest = Digest::of(image.as_bytes());
    let attestation = Digest::of(b"attestation");
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[
        {{"digest":"{image_digest}","size":{},"platform":{{"os":"linux","architecture":"arm64"}}}},
        {{"digest":"{attestation}","size":77,"platform":{{"os":"unknown","architecture":"unknown"}},"annotations":{{
          "vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"{image_digest}"}}}}]}}"#,
        image.len()
    );
    let index_digest = Digest::of(index.as_bytes());
    let documents =
        [(index, INDEX), (image.clone(), MANIFEST), (config.to_owned(), "application/octet-stream")];
    let fake = Fake::start(move |request| {
        api(request, || {
            let found = documents
                .iter()
                .find(|(text, _)| request.target.ends_with(Digest::of(text.as_bytes()).as_str()));
            found.map_or_else(|| answer(404, &[], ""), |(text, media_type)| kept(text, media_type))
        })
    })
    .await;
    let (client, repository) = (fake.client(), fake.repository());

    let metadata = client.metadata(&repository, &index_digest).await.unwrap();
    let size = (image.len() + config.len() + 1000) as u64;
    assert_eq!(metadata.digest, index_digest);
    assert_eq!(metadata.platforms.len(), 1);
    let platform = &metadata.platforms[0];
    assert_eq!(platform.platform.as_ref().unwrap().to_string(), "linux/arm64");
    assert_eq!((&platform.digest, platform.size), (&image_digest, size));
    assert_eq!(platform.config_digest, Some(Digest::of(config.as_bytes())));
    assert_eq!(metadata.attestations[0].subject, Some(image_digest.clone()));
    assert!(metadata.size > size + 77);
    assert!(
        !fake.lines().iter().any(|line| line.ends_with(attestation.as_str())),
        "attestations are not fetched"
    );

    // An image for one platform: the config says which.
    let single = client.metadata(&repository, &image_digest).await.unwrap();
    assert_eq!(single.platforms[0].platform.as_ref().unwrap().to_string(), "linux/arm64");
    assert_eq!(single.size, size);
    let json = serde_json::to_value(&single).unwrap();
    assert_eq!(json["platforms"][0]["digest"], image_digest.as_str());
}
