//! What no real registry does when an image is brought over: blobs of another length, transfers that break or stand
//! still, indexes without end.

use std::time::Duration;

use docker_push_action::model::{Dial, Digest, Repository};
use docker_push_action::registry::{Copying, Kind, RegistryClient, Timeouts};

use super::fake::{Answer, Fake, answer};
use super::{INDEX, MANIFEST, kept};

const LAYER: &str = "sixteen bytes ..";

/// A manifest with one layer of this size.
fn image(size: usize) -> String {
    let digest = Digest::of(LAYER.as_bytes());
    format!(
        r#"{{"schemaVersion":2,"config":{{"digest":"{digest}","size":{size}}},"layers":[{{"digest":"{digest}","size":{size}}}]}}"#
    )
}

/// A source that has this under every digest, and answers a blob with `blob`.
async fn source(
    top: String,
    media_type: &'static str,
    blob: impl Fn() -> Answer + Send + Sync + 'static,
) -> Fake {
    Fake::start(move |request| match (request.method.as_str(), request.target.as_str()) {
        (_, "/v2/") => answer(200, &[], ""),
        (_, target) if target.contains("/manifests/") => kept(&top, media_type),
        ("HEAD", _) => Answer::Send(b"HTTP/1.1 200 X\r\nContent-Length: 16\r\n\r\n".to_vec()),
        _ => blob(),
    })
    .await
}

/// A registry that has nothing and takes everything.
async fn empty() -> Fake {
    Fake::start(|request| match request.method.as_str() {
        "HEAD" => Answer::Send(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n".to_vec()),
        "POST" => answer(202, &["Location: /v2/acme/api/blobs/uploads/1?state=x"], ""),
        "PUT" => answer(201, &[], ""),
        _ => answer(200, &[], ""),
    })
    .await
}

async fn copied(from: &Fake, to: &Fake, top: &str) -> Result<(), Kind> {
    copied_within(Timeouts::default(), from, to, top).await
}

async fn copied_within(timeouts: Timeouts, from: &Fake, to: &Fake, top: &str) -> Result<(), Kind> {
    let client = |fake: &Fake| RegistryClient::new(fake.host(), None, Dial::Direct, timeouts);
    let (source, target) = (client(from), client(to));
    let (here, there): (Repository, Repository) = (from.repository(), to.repository());
    let copy = Copying { from: (&source, &here), to: (&target, &there) };
    copy.image(&Digest::of(top.as_bytes())).await.map(|_| ()).map_err(|error| error.kind().clone())
}

#[tokio::test]
async fn what_passes_through() {
    let top = image(LAYER.len());
    let (from, to) = (source(top.clone(), MANIFEST, || answer(200, &[], LAYER)).await, empty().await);
    copied(&from, &to, &top).await.unwrap();
    let asked = to.asked();
    let puts: Vec<_> = asked.iter().filter(|request| request.is("PUT", "/v2/acme/api/blobs")).collect();
    assert_eq!(
        puts[0].target,
        format!("/v2/acme/api/blobs/uploads/1?state=x&digest={}", Digest::of(LAYER.as_bytes()))
    );
    assert_eq!((puts[0].body.as_slice(), puts[0].header("content-length")), (LAYER.as_bytes(), Some("16")));
    assert!(to.lines().last().unwrap().starts_with("PUT /v2/acme/api/manifests/sha256:"), "{:?}", to.lines());
}

#[tokio::test]
async fn a_layer_of_another_length_is_not_taken() {
    let top = image(17);
    let (from, to) = (source(top.clone(), MANIFEST, || answer(200, &[], LAYER)).await, empty().await);
    let error = copied(&from, &to, &top).await.unwrap_err();
    assert!(
        matches!(&error, Kind::Protocol(text) if text.contains("16") && text.contains("17")),
        "{error:?}"
    );
    assert!(to.asked().iter().all(|request| request.method != "PUT"), "{:?}", to.lines());
}

#[tokio::test]
async fn a_transfer_that_breaks_or_stands_still_ends() {
    let half = || b"HTTP/1.1 200 X\r\nContent-Length: 16\r\n\r\nsixteen ".to_vec();
    let top = image(LAYER.len());
    for cut in [true, false] {
        let blob = move || if cut { Answer::Cut(half()) } else { Answer::Stall(half()) };
        let (from, to) = (source(top.clone(), MANIFEST, blob).await, empty().await);
        // What does not stand still is not to be late.
        let short = Timeouts { request: Duration::from_millis(300), ..Timeouts::default() };
        let timeouts = if cut { Timeouts::default() } else { short };
        let error = copied_within(timeouts, &from, &to, &top).await.unwrap_err();
        let expected = matches!((&error, cut), (Kind::Broken(_), true) | (Kind::Timeout { .. }, false));
        assert!(expected, "{cut}: {error:?}");
        assert!(
            !to.lines().iter().any(|line| line.contains("PUT /v2/acme/api/manifests")),
            "{:?}",
            to.lines()
        );
    }
}

#[tokio::test]
async fn an_index_without_end_is_refused() {
    let entry = format!(r#"{{"digest":"{}","size":1}}"#, Digest::of(b"child"));
    let top = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, vec![entry; 101].join(","));
    let (from, to) = (source(top.clone(), INDEX, || answer(200, &[], LAYER)).await, empty().await);
    let error = copied(&from, &to, &top).await.unwrap_err();
    assert!(matches!(&error, Kind::Protocol(text) if text.contains("101 entries")), "{error:?}");
    assert!(to.asked().iter().all(|request| request.method != "PUT"), "{:?}", to.lines());
}
