//! What no real registry at hand does while a whole image is read from it: storage elsewhere, blobs of another length, transfers
//! that break and are taken up, or never come further.

use std::time::Duration;

use docker_push_action::model::{Dial, Digest};
use docker_push_action::registry::{Kind, Part, RegistryClient, Timeouts};
use tokio::sync::mpsc;

use super::fake::{Answer, Fake, Request, answer};
use super::{INDEX, MANIFEST, kept};

const CONFIG: &str = "{\"os\":\"linux\"}";
const LAYER: &str = "sixteen bytes ..";

fn manifest() -> String {
    let entry =
        |text: &str| format!(r#"{{"digest":"{}","size":{}}}"#, Digest::of(text.as_bytes()), text.len());
    let (config, layer) = (entry(CONFIG), entry(LAYER));
    // The same layer twice, as images have it.
    format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{layer},{layer}]}}"#)
}

/// A registry with that image, which answers who asks for the layer with `layer`.
async fn registry(layer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Fake {
    let digest = |text: &str| Digest::of(text.as_bytes()).as_str().to_owned();
    let (config, of_layer) = (digest(CONFIG), digest(LAYER));
    Fake::start(move |request| match (request.method.as_str(), request.target.as_str()) {
        (_, "/v2/") => answer(200, &[], ""),
        (_, target) if target.contains("/manifests/") => kept(&manifest(), MANIFEST),
        ("HEAD", _) => Answer::Send(b"HTTP/1.1 200 X\r\nContent-Length: 16\r\n\r\n".to_vec()),
        (_, target) if target.ends_with(&config) => answer(200, &[], CONFIG),
        (_, target) if target.ends_with(&of_layer) => layer(request),
        _ => answer(404, &[], ""),
    })
    .await
}

/// What came, blob by blob, and how it ended.
type Came = (Vec<(String, Vec<u8>)>, Result<(), Kind>);

async fn downloaded(fake: &Fake, timeouts: Timeouts) -> Came {
    let client = RegistryClient::new(fake.host(), None, Dial::Direct, timeouts);
    of(&client, fake, &Digest::of(manifest().as_bytes())).await
}

async fn of(client: &RegistryClient, fake: &Fake, top: &Digest) -> Came {
    let (parts, mut incoming) = mpsc::channel(4);
    let repository = fake.repository();
    let sending = async move {
        let parts = parts;
        client.download(&repository, top, &parts).await.map_err(|error| error.kind().clone())
    };
    let mut blobs: Vec<(String, Vec<u8>)> = Vec::new();
    let taking = async {
        while let Some(part) = incoming.recv().await {
            match part {
                Part::Top(top) => blobs.push((top.digest.to_string(), top.bytes.to_vec())),
                Part::Blob(digest, _) => blobs.push((digest.to_string(), Vec::new())),
                Part::Data(data) => blobs.last_mut().unwrap().1.extend(data),
            }
        }
    };
    let (ended, ()) = tokio::join!(sending, taking);
    (blobs, ended)
}

/// Everything is there, once, and is what its digest says.
fn whole((blobs, ended): &Came) {
    ended.as_ref().unwrap();
    assert_eq!(blobs.len(), 3, "{blobs:?}");
    for (digest, bytes) in blobs {
        assert_eq!(digest, Digest::of(bytes).as_str(), "{}", String::from_utf8_lossy(bytes));
    }
}

fn ranges(fake: &Fake) -> Vec<Option<String>> {
    let layer = Digest::of(LAYER.as_bytes());
    let of_layer = |request: &&Request| request.method == "GET" && request.target.ends_with(layer.as_str());
    fake.asked().iter().filter(of_layer).map(|one| one.header("range").map(str::to_owned)).collect()
}

#[tokio::test]
async fn an_image_comes_in_order_and_each_blob_once() {
    let fake = registry(|_| answer(200, &[], LAYER)).await;
    let came = downloaded(&fake, Timeouts::default()).await;
    whole(&came);
    let order: Vec<&[u8]> = came.0.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    assert_eq!(order, [manifest().as_bytes(), CONFIG.as_bytes(), LAYER.as_bytes()]);
    assert_eq!(ranges(&fake), [None]);
}

/// As GHCR, Docker Hub and ECR do: the storage is told nothing of the login.
#[tokio::test]
async fn storage_elsewhere_is_asked_without_the_login() {
    let storage = Fake::start(|_| answer(200, &[], LAYER)).await;
    let to = format!("Location: http://{}/blob?signed=1", storage.address);
    let fake = registry(move |_| answer(307, &[&to], "")).await;
    let client = fake.client_of_octo();
    whole(&of(&client, &fake, &Digest::of(manifest().as_bytes())).await);
    assert_eq!(storage.lines(), ["GET /blob?signed=1"]);
    assert_eq!(storage.asked()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_redirect_that_leads_nowhere_is_refused() {
    for location in ["file:///etc/passwd", "https://u:p@r.io/x", "not a url", ""] {
        let to = format!("Location: {location}");
        let fake = registry(move |_| answer(307, &[&to], "")).await;
        let (blobs, ended) = downloaded(&fake, Timeouts::default()).await;
        assert!(matches!(ended, Err(Kind::Protocol(_))), "{location}: {ended:?}");
        assert!(blobs.last().unwrap().1.is_empty(), "{blobs:?}");
    }
}

#[tokio::test]
async fn a_blob_of_another_length_is_not_taken() {
    for body in ["sixteen bytes ..!", "sixteen", ""] {
        let fake = registry(move |_| answer(200, &[], body)).await;
        let (blobs, ended) = downloaded(&fake, Timeouts::default()).await;
        let said = format!("it sends {} bytes, and its manifest says 16", body.len());
        assert_eq!(ended, Err(Kind::Protocol(said)));
        assert!(blobs.last().unwrap().1.is_empty(), "{blobs:?}");
        assert_eq!(ranges(&fake).len(), 1, "another try would be no better");
    }
    // One that says nothing of it cannot be held against it.
    let silent = || Answer::Cut(b"HTTP/1.1 200 X\r\n\r\nsixteen bytes ..".to_vec());
    let fake = registry(move |_| silent()).await;
    let (_, ended) = downloaded(&fake, Timeouts::default()).await;
    assert!(matches!(&ended, Err(Kind::Protocol(said)) if said.contains("an unknown number")), "{ended:?}");
}

fn head(status: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_blob_that_breaks_is_taken_up_where_it_broke() {
    let fake = registry(|request| match request.header("range") {
        None => Answer::Cut([head("200 X", 16), b"sixte".to_vec()].concat()),
        Some("bytes=5-") => Answer::Cut([head("206 X", 11), b"en by".to_vec()].concat()),
        Some("bytes=10-") => Answer::Send([head("206 X", 6), b"tes ..".to_vec()].concat()),
        Some(_) => answer(416, &[], ""),
    })
    .await;
    whole(&downloaded(&fake, Timeouts::default()).await);
    assert_eq!(ranges(&fake), [None, Some("bytes=5-".into()), Some("bytes=10-".into())]);
}

/// RFC 9110, 14.2: a server may ignore the header, and sends all of it.
#[tokio::test]
async fn what_was_there_is_skipped_where_no_range_is_known() {
    let fake = registry(|request| match request.header("range") {
        None => Answer::Cut([head("200 X", 16), b"sixte".to_vec()].concat()),
        Some(_) => answer(200, &[], LAYER),
    })
    .await;
    whole(&downloaded(&fake, Timeouts::default()).await);
    assert_eq!(ranges(&fake).len(), 2);
}

#[tokio::test]
async fn a_blob_that_never_comes_further_ends() {
    for stalls in [false, true] {
        let fake = registry(move |request| {
            let (first, rest) = (request.header("range").is_none(), head("206 X", 11));
            let sent = if first { [head("200 X", 16), b"sixte".to_vec()].concat() } else { rest };
            if stalls && !first { Answer::Stall(sent) } else { Answer::Cut(sent) }
        })
        .await;
        let short = Timeouts { request: Duration::from_millis(200), ..Timeouts::default() };
        let (blobs, ended) = downloaded(&fake, if stalls { short } else { Timeouts::default() }).await;
        let expected =
            matches!((&ended, stalls), (Err(Kind::Timeout { .. }), true) | (Err(Kind::Broken(_)), false));
        assert!(expected, "{ended:?}");
        assert_eq!(blobs.last().unwrap().1, b"sixte");
        // The first, and three that brought nothing.
        assert_eq!(ranges(&fake).len(), 4);
    }
}

/// However often it breaks: what comes further goes on.
#[tokio::test]
async fn a_byte_at_a_time_is_progress() {
    let fake = registry(|request| {
        let from: usize = request
            .header("range")
            .map_or(0, |range| range["bytes=".len()..range.len() - 1].parse().unwrap());
        Answer::Cut([head("206 X", 16 - from), LAYER.as_bytes()[from..=from].to_vec()].concat())
    })
    .await;
    whole(&downloaded(&fake, Timeouts::default()).await);
    assert_eq!(ranges(&fake).len(), LAYER.len());
}

#[tokio::test]
async fn other_bytes_than_the_digest_says_are_for_who_takes_them() {
    let fake = registry(|_| answer(200, &[], "other bytes, 16!")).await;
    let (blobs, ended) = downloaded(&fake, Timeouts::default()).await;
    ended.unwrap();
    let (digest, bytes) = blobs.last().unwrap();
    assert_ne!(digest, Digest::of(bytes).as_str(), "`files::Layout` refuses them");
}

#[tokio::test]
async fn manifests_are_held_against_their_digests_here() {
    let fake = Fake::start(|request| match request.target.as_str() {
        "/v2/" => answer(200, &[], ""),
        _ => kept("{\"schemaVersion\":2}", MANIFEST),
    })
    .await;
    let (blobs, ended) = downloaded(&fake, Timeouts::default()).await;
    assert!(blobs.is_empty() && matches!(ended, Err(Kind::Digest { .. })), "{ended:?}");
}

#[tokio::test]
async fn an_index_in_an_index_is_refused() {
    let inner = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[]}}"#);
    let digest = Digest::of(inner.as_bytes());
    let top = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{{"mediaType":"{INDEX}","digest":"{digest}","size":{}}}]}}"#,
        inner.len()
    );
    let of_top = Digest::of(top.as_bytes());
    let fake = Fake::start(move |request| match request.target.as_str() {
        "/v2/" => answer(200, &[], ""),
        target if target.ends_with(digest.as_str()) => kept(&inner, INDEX),
        _ => kept(&top, INDEX),
    })
    .await;
    let (_, ended) = of(&fake.client(), &fake, &of_top).await;
    assert!(
        matches!(&ended, Err(Kind::Protocol(said)) if said.contains("an index in an index")),
        "{ended:?}"
    );
}

#[tokio::test]
async fn nobody_who_takes_it_any_more_ends_it() {
    let fake = registry(|_| answer(200, &[], LAYER)).await;
    let (parts, incoming) = mpsc::channel(1);
    drop(incoming);
    let (client, repository) = (fake.client(), fake.repository());
    client.download(&repository, &Digest::of(manifest().as_bytes()), &parts).await.unwrap();
    assert_eq!(ranges(&fake), Vec::<Option<String>>::new());
}
