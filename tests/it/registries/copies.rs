//! An image brought over within a registry and from one to another: the same bytes, and nothing twice.

use bytes::Bytes;
use docker_push_action::model::{Digest, Repository};
use docker_push_action::registry::{Copied, Copying, Manifest, RegistryClient};

use super::parts::{Door, Make, Running};
use super::{OCI_INDEX, OCI_MANIFEST, PLAIN, Wanted};

/// Bytes of a layer: more than fits into any buffer on the way.
const LAYER: usize = 20 << 20;

/// An index of one image with a long layer and a short one, and what stands for attestations.
async fn put_image(client: &RegistryClient, repository: &Repository) -> Manifest {
    let image = async |name: &str, layers: &[Bytes]| {
        let config: Bytes = format!(r#"{{"architecture":"amd64","os":"linux","name":"{name}"}}"#).into();
        let mut entries = Vec::new();
        for blob in layers.iter().chain([&config]) {
            let digest = client.put_blob(repository, blob).await.unwrap();
            let media_type = "application/vnd.oci.image.layer.v1.tar";
            entries.push(
                serde_json::json!({ "mediaType": media_type, "digest": digest.as_str(), "size": blob.len() }),
            );
        }
        let mut config = entries.pop().unwrap();
        config["mediaType"] = "application/vnd.oci.image.config.v1+json".into();
        let json = serde_json::json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": entries,
        });
        let manifest = Manifest::new(json.to_string(), OCI_MANIFEST);
        client.put_manifest(repository, &manifest).await.unwrap();
        manifest
    };
    let short: Bytes = "a short layer".into();
    let children = [
        image("one", &[vec![7; LAYER].into(), short.clone()]).await,
        image("two", &[short, "statements".into()]).await,
    ];
    let entries: Vec<_> = children
        .iter()
        .map(|child| {
            serde_json::json!({
                "mediaType": OCI_MANIFEST, "digest": child.digest.as_str(), "size": child.bytes.len(),
                "platform": { "os": "linux", "architecture": "amd64" },
            })
        })
        .collect();
    let json = serde_json::json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
    let index = Manifest::new(json.to_string(), OCI_INDEX);
    client.put_manifest(repository, &index).await.unwrap();
    index
}

/// All of it can be read where it was brought to.
async fn is_whole(client: &RegistryClient, repository: &Repository, index: &Manifest) {
    assert_eq!(client.get_manifest(repository, &index.digest).await.unwrap(), *index);
    let metadata = client.metadata(repository, &index.digest).await.unwrap();
    assert_eq!(metadata.platforms.len(), 2);
    let layer = Digest::of(&vec![7; LAYER]);
    assert_eq!(client.head_blob(repository, &layer).await.unwrap(), Some(LAYER as u64));
}

async fn from_to(from: Wanted, to: Wanted) {
    let Some((source, target)) = Running::start(from).await.zip(Running::start(to).await) else { return };
    let (here, there) = (source.repository("acme/api"), target.repository("acme/copy"));
    let index = put_image(&source.client(), &here).await;
    let (from, to) = (source.client(), target.client());
    let copy = Copying { from: (&from, &here), to: (&to, &there) };
    let copied = copy.image(&index.digest).await.unwrap();
    // The long layer, two short ones, of which one is in both images, and two configs.
    let bytes = LAYER as u64 + 13 + 10 + 2 * 50;
    assert_eq!((copied.mounted, copied.passed), (0, 5), "{copied:?}");
    assert_eq!(copied.bytes, bytes, "{copied:?}");
    is_whole(&to, &there, &index).await;
    assert_eq!(copy.image(&index.digest).await.unwrap(), Copied::default(), "once is enough");

    // Within one registry nothing passes through here.
    let beside = target.repository("acme/beside");
    let copy = Copying { from: (&to, &there), to: (&to, &beside) };
    let copied = copy.image(&index.digest).await.unwrap();
    let mounts = !matches!(target.wanted.make, Make::Go { .. });
    // go-containerregistry's has every blob in every repository.
    assert_eq!((copied.mounted > 0, copied.passed), (mounts, 0), "{copied:?}");
    is_whole(&to, &beside, &index).await;

    // What is not there is not made up.
    let missing = copy.image(&Digest::of(b"nobody has this")).await.unwrap_err();
    assert!(missing.is_absence(), "{missing:?}");
    // The wrong login is a denial on either side.
    if target.wanted.door != Door::Open {
        let stranger = target.client_with(Some("wrong"));
        let nowhere = target.repository("acme/nowhere");
        let error = Copying { from: (&from, &here), to: (&stranger, &nowhere) }.image(&index.digest).await;
        let error = error.unwrap_err();
        assert!(error.is_denial(), "{error:?}");
    }
}

#[tokio::test]
async fn between_registries() {
    from_to(PLAIN, Wanted { door: Door::Basic, ..PLAIN }).await;
    from_to(Wanted { door: Door::Token, ..PLAIN }, PLAIN).await;
    from_to(PLAIN, Wanted { make: Make::Distribution, door: Door::Token, tls: true, ..PLAIN }).await;
    from_to(Wanted { door: Door::Basic, ..PLAIN }, Wanted { make: Make::Go { referrers: true }, ..PLAIN })
        .await;
}
