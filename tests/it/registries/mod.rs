//! Every call of the registry client, on every registry that can be had: distribution 2.8 and 3, and
//! go-containerregistry's; open, with a password, with a token server, behind TLS; with and without removal, mounts and
//! the referrers API.

#![allow(clippy::print_stdout, reason = "how long a look takes, for whoever measures")]

mod copies;
pub mod parts;
mod tokens;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use docker_push_action::model::{
    CommitId, Dial, Digest, InputsHash, Platform, RegistryHost, Repository, Tag,
};
use docker_push_action::net::Network;
use docker_push_action::registry::{
    Deletion, Kind, Leg, Manifest, Mount, Recording, RegistryClient, Timeouts, complete,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use parts::{Door, Make, Running, Wanted};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const ARTIFACT: &str = "application/vnd.test.thing+json";

const PLAIN: Wanted = Wanted { make: Make::Debian, door: Door::Open, tls: false, delete: true };

fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

/// An artifact: an empty config, no layers, maybe about something.
fn artifact(config: &Digest, size: usize, subject: Option<&Manifest>, note: &str) -> Manifest {
    let mut json = serde_json::json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": ARTIFACT,
        // go-containerregistry's goes by this type, the others by the one above.
        "config": { "mediaType": ARTIFACT, "digest": config.as_str(), "size": size },
        "layers": [{ "mediaType": "application/vnd.oci.empty.v1+json", "digest": config.as_str(), "size": size }],
        "annotations": { "note": note },
    });
    if let Some(subject) = subject {
        json["subject"] = serde_json::json!({
            "mediaType": subject.media_type, "digest": subject.digest.as_str(), "size": subject.bytes.len(),
        });
    }
    Manifest::new(json.to_string(), OCI_MANIFEST)
}

async fn every_call(running: &Running) {
    let client = running.client();
    let repository = running.repository("acme/api");
    let wanted = running.wanted;
    client.ping().await.unwrap();

    // Nothing is there, and looking for push access changes nothing of that.
    assert_eq!(client.head_manifest(&repository, &tag("v1")).await.unwrap(), None);
    let began = Instant::now();
    let upload = client.begin_upload(&repository).await.unwrap();
    println!("{wanted:?}: probe in {:?}", began.elapsed());
    client.end_upload(&repository, upload).await;
    assert_eq!(running.open_uploads("acme/api"), 0, "the upload was given up");
    assert_eq!(client.head_manifest(&repository, &tag("v1")).await.unwrap(), None);
    let blob: bytes::Bytes = "{}".into();
    let digest = Digest::of(&blob);
    assert_eq!(client.head_blob(&repository, &digest).await.unwrap(), None);
    assert!(client.get_blob(&repository, &digest).await.unwrap_err().is_absence());

    // Blobs.
    assert_eq!(client.put_blob(&repository, &blob).await.unwrap(), digest);
    assert_eq!(client.put_blob(&repository, &blob).await.unwrap(), digest, "twice is once");
    assert_eq!(client.head_blob(&repository, &digest).await.unwrap(), Some(2));
    assert_eq!(client.get_blob(&repository, &digest).await.unwrap(), blob);
    let other = running.repository("acme/other");
    let mounts = !matches!(wanted.make, Make::Go { .. });
    let mounted = client.mount_blob(&other, &repository, &digest).await.unwrap();
    assert_eq!(mounted, if mounts { Mount::Mounted } else { Mount::NotMounted });
    if mounts {
        assert_eq!(client.get_blob(&other, &digest).await.unwrap(), blob);
    }
    let unknown = Digest::of(b"nobody has this");
    assert_eq!(client.mount_blob(&other, &repository, &unknown).await.unwrap(), Mount::NotMounted);

    // Manifests and tags.
    let image = artifact(&digest, blob.len(), None, "image");
    client.put_manifest(&repository, &image).await.unwrap();
    client.put_tag(&repository, &tag("v1"), &image).await.unwrap();
    let found = client.head_manifest(&repository, &tag("v1")).await.unwrap().unwrap();
    assert_eq!(found, image.descriptor());
    assert_eq!(client.get_manifest(&repository, &tag("v1")).await.unwrap(), image);
    assert_eq!(client.get_manifest(&repository, &image.digest).await.unwrap(), image);
    assert!(client.get_manifest(&repository, &tag("none")).await.unwrap_err().is_absence());

    referrers(&client, &repository, &digest, &image, wanted).await;

    legs(&client, &repository, wanted).await;

    // Removal.
    let expected = if wanted.delete { Deletion::Done } else { Deletion::Unsupported };
    assert_eq!(client.delete_manifest(&repository, &image.digest).await.unwrap(), expected);
    let left = client.head_manifest(&repository, &image.digest).await.unwrap();
    assert_eq!(left.is_none(), wanted.delete);
    if wanted.delete {
        assert_eq!(client.delete_manifest(&repository, &image.digest).await.unwrap(), Deletion::Absent);
    }
}

async fn referrers(
    client: &RegistryClient,
    repository: &Repository,
    config: &Digest,
    image: &Manifest,
    wanted: Wanted,
) {
    let list = async |kind| client.referrers(repository, &image.digest, kind).await.unwrap();
    assert_eq!(list(None).await, [], "nothing refers to it yet");
    let about = artifact(config, 2, Some(image), "about");
    client.put_manifest(repository, &about).await.unwrap();
    if wanted.make != (Make::Go { referrers: true }) {
        assert_eq!(list(None).await, [], "this registry has no such list");
        // What a client writes where there is no API.
        let index = serde_json::json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{
            "mediaType": OCI_MANIFEST, "digest": about.digest.as_str(), "size": about.bytes.len(),
            "artifactType": ARTIFACT, "annotations": { "note": "about" },
        }] });
        let fallback = tag(&image.digest.as_str().replace(':', "-"));
        client.put_tag(repository, &fallback, &Manifest::new(index.to_string(), OCI_INDEX)).await.unwrap();
    }
    let found = list(None).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0].digest, found[0].size), (&about.digest, about.bytes.len() as u64));
    assert_eq!(found[0].artifact_type, ARTIFACT);
    assert_eq!(list(Some(ARTIFACT)).await, found);
    assert_eq!(list(Some("application/vnd.test.other")).await, []);
}

/// Records of a run's legs: the newest attempt's counts, and goes without its image.
async fn legs(client: &RegistryClient, repository: &Repository, wanted: Wanted) {
    let platforms = ["linux/arm64", "linux/amd64"].map(|text| Platform::parse(text).unwrap());
    let config = client.put_blob(repository, &"{}".into()).await.unwrap();
    let revision = CommitId::parse(&"1".repeat(40)).unwrap();
    let tags = Digest::of(b"tags");
    let mut made: Vec<Leg> = Vec::new();
    for (platform, attempt) in [(0, 1), (1, 1), (1, 3), (1, 2)] {
        let image = artifact(&config, 2, None, &format!("{platform} {attempt}"));
        client.put_manifest(repository, &image).await.unwrap();
        let leg = Leg {
            run: 17,
            attempt,
            tags: tags.clone(),
            repository: repository.clone(),
            platform: platforms[platform].clone(),
            revision: revision.clone(),
            digest: image.digest.clone(),
            inputs: (attempt == 1).then(|| InputsHash { schema: 1, digest: image.digest.clone() }),
        };
        let recording = client.record_leg(&leg, &image).await.unwrap();
        let expected = match attempt {
            // It was slow.
            2 => Recording::Overtaken,
            // Its inputs are not known to be the same.
            3 => Recording::Done(Some(Box::new(made[1].clone()))),
            _ => Recording::Done(None),
        };
        assert_eq!(recording, expected);
        made.push(leg);
    }
    let leg = async |run: u64, tags: &Digest, platform: &Platform| {
        client.leg((run, tags), repository, platform).await.unwrap().unwrap()
    };
    let mut found = Vec::new();
    for platform in &platforms {
        found.extend(leg(17, &tags, platform).await);
        assert_eq!(leg(18, &tags, platform).await, None, "another run's");
        assert_eq!(leg(17, &Digest::of(b"others"), platform).await, None, "another image's");
    }
    let legs = complete(17, repository, &platforms, &revision, &found).unwrap();
    assert_eq!(
        legs.iter().map(|one| one.leg.clone()).collect::<Vec<_>>(),
        [made[0].clone(), made[2].clone()]
    );
    for recorded in &found {
        let expected = if wanted.delete { Deletion::Done } else { Deletion::Unsupported };
        assert_eq!(client.remove_record(recorded).await.unwrap(), expected);
        assert!(client.head_manifest(repository, &recorded.leg.digest).await.unwrap().is_some());
    }
    let left = leg(17, &tags, &platforms[0]).await;
    // go-containerregistry's keeps a tag whose manifest is gone.
    assert_eq!(left.is_none(), wanted.delete && !matches!(wanted.make, Make::Go { .. }));
}

/// Whoever has no right is told so, and nothing else.
async fn denials(running: &Running) {
    let repository = running.repository("acme/api");
    for password in [None, Some("wrong")] {
        let client = running.client_with(password);
        let error = client.begin_upload(&repository).await.unwrap_err();
        assert!(error.is_denial(), "{error:?}");
        assert!(error.hint().unwrap().contains("`username` and `password`"), "{:?}", error.hint());
    }
    if running.wanted.door == Door::Token {
        let forbidden = running.repository("acme/forbidden");
        let error = running.client().begin_upload(&forbidden).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Denied(_)) && error.is_denial(), "{error:?}");
        assert!(error.hint().unwrap().contains("the right to push"), "{:?}", error.hint());
        // Reading is another token.
        assert_eq!(running.client().head_manifest(&forbidden, &tag("v1")).await.unwrap(), None);
        let public = running.repository("public/api");
        assert_eq!(running.client_with(None).head_manifest(&public, &tag("v1")).await.unwrap(), None);
        assert!(running.client_with(None).begin_upload(&public).await.unwrap_err().is_denial());
    }
}

async fn on(wanted: Wanted) {
    let Some(running) = Running::start(wanted).await else { return };
    if wanted.door != Door::Open {
        denials(&running).await;
    }
    every_call(&running).await;
}

#[tokio::test]
async fn distribution_2() {
    on(PLAIN).await;
    on(Wanted { delete: false, ..PLAIN }).await;
}

#[tokio::test]
async fn distribution_2_with_a_password() {
    on(Wanted { door: Door::Basic, ..PLAIN }).await;
}

#[tokio::test]
async fn distribution_2_with_a_token_server() {
    on(Wanted { door: Door::Token, ..PLAIN }).await;
}

#[tokio::test]
async fn distribution_2_behind_tls() {
    on(Wanted { tls: true, door: Door::Basic, ..PLAIN }).await;
}

#[tokio::test]
async fn distribution_3() {
    on(Wanted { make: Make::Distribution, ..PLAIN }).await;
}

#[tokio::test]
async fn distribution_3_behind_tls_with_a_token_server() {
    on(Wanted { make: Make::Distribution, door: Door::Token, tls: true, ..PLAIN }).await;
}

#[tokio::test]
async fn go_containerregistry() {
    on(Wanted { make: Make::Go { referrers: false }, ..PLAIN }).await;
    on(Wanted { make: Make::Go { referrers: true }, ..PLAIN }).await;
}

/// A proxy that carries one tunnel after the other to `to`, whatever name is asked for; what it was asked.
async fn proxy(
    to: std::net::SocketAddr,
) -> (std::net::SocketAddr, Arc<Mutex<Vec<String>>>, tokio::task::JoinSet<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move {
        let mut tunnels = tokio::task::JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            tunnels.spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let known = head.contains("Proxy-Authorization: Basic b2N0bzpzZWNyZXQ=\r\n");
                log.lock().unwrap().push(head);
                if !known {
                    let _ = stream.write_all(b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n").await;
                    return;
                }
                let mut registry = tokio::net::TcpStream::connect(to).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut registry).await;
            });
        }
    });
    (address, asked, serving)
}

#[tokio::test]
async fn through_a_proxy() {
    let Some(running) = Running::start(Wanted { tls: true, ..PLAIN }).await else { return };
    let (proxy, asked, _serving) = proxy(running.address).await;
    let host = RegistryHost::parse("registry.test").unwrap();
    let client = |variables: &[(&str, String)]| {
        let mut all: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let ca = running.tls.as_ref().unwrap().path("ca.crt").display().to_string();
        all.insert("SSL_CERT_FILE".into(), ca);
        let network = Network::from_variables(&all);
        RegistryClient::within(&network, host.clone(), None, Dial::Direct, Timeouts::default())
    };
    let with_login = format!("http://octo:secret@{proxy}");
    // The name is the proxy's matter: nothing here could resolve it.
    let repository = Repository::new(host.clone(), "acme/api").unwrap();
    let good = client(&[("HTTPS_PROXY", with_login.clone())]);
    good.begin_upload(&repository).await.unwrap();
    good.put_blob(&repository, &"{}".into()).await.unwrap();
    let first = asked.lock().unwrap()[0].clone();
    assert!(first.starts_with("CONNECT registry.test:443 HTTP/1.1\r\n"), "{first}");

    let error = client(&[("HTTPS_PROXY", format!("http://{proxy}"))]).ping().await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Proxy(_)), "{error:?}");
    assert!(error.to_string().contains("answered 407"), "{error}");
    assert!(error.hint().unwrap().contains("`HTTPS_PROXY`"), "{:?}", error.hint());
    let none = [("HTTPS_PROXY", with_login), ("NO_PROXY", "registry.test".into())];
    assert!(matches!(client(&none).ping().await.unwrap_err().kind(), Kind::Name(_)));
    let gone = client(&[("HTTPS_PROXY", "http://proxy.invalid:3128".into())]).ping().await.unwrap_err();
    assert!(gone.to_string().contains("through the proxy `proxy.invalid:3128`"), "{gone}");
    let socks = client(&[("https_proxy", format!("socks5://{proxy}"))]).ping().await.unwrap_err();
    assert!(socks.to_string().contains("SOCKS"), "{socks}");
}

#[tokio::test]
async fn what_docker_trusts_a_registry_for() {
    let Some(running) = Running::start(Wanted { tls: true, ..PLAIN }).await else { return };
    let tls = running.tls.as_ref().unwrap();
    let certs = tempfile::tempdir().unwrap();
    let place = certs.path().join(running.host().as_str());
    std::fs::create_dir(&place).unwrap();
    let error = running.client_of_docker_certs(certs.path()).ping().await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Tls(_)), "{error:?}");
    assert!(error.hint().unwrap().contains("`SSL_CERT_FILE`"), "{:?}", error.hint());
    std::fs::copy(tls.path("ca.crt"), place.join("ca.crt")).unwrap();
    running.client_of_docker_certs(certs.path()).ping().await.unwrap();
    // Another registry's authority is nobody's here.
    let elsewhere = certs.path().join("other.test");
    std::fs::rename(&place, &elsewhere).unwrap();
    assert!(running.client_of_docker_certs(certs.path()).ping().await.is_err());
}
