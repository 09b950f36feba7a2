//! An OCI image layout in a directory (image spec, `image-layout.md`): blobs, and the index that names them.
//!
//! Nothing below the directory is reached through a link, so that no layout in a checkout leads out of it.
//! New files and directories belong to the owner of the directory that they are made in.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::renameat;
use rustix::io::Errno;
use serde_json::{Value, json};

use crate::context::root::{Listing, Root};
use crate::files::owned::create;
use crate::model::Digest;

/// The tag of a cache in its index, as buildx has it.
pub(super) const LATEST: &str = "latest";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const IMAGE_NAME: &str = "io.containerd.image.name";
/// Far more than an index of a thousand images.
const INDEX_LIMIT: u64 = 4 << 20;

/// What an index says of a blob.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// Opens a blob and tells its size in bytes.
pub(super) fn open_blob(directory: &Path, digest: &Digest) -> io::Result<(File, u64)> {
    let path = format!("blobs/{}", digest.as_str().replacen(':', "/", 1));
    let file = File::from(Root::open(directory)?.open_file(&path)?);
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    Ok((file, found.size()))
}

/// What the index has under a tag.
pub(super) fn tagged(directory: &Path, tag: &str) -> io::Result<Option<Descriptor>> {
    let index = index(directory)?;
    let found = manifests(&index).iter().find(|manifest| manifest["annotations"][REF_NAME] == tag);
    found.map(|manifest| serde_json::from_value(manifest.clone()).map_err(io::Error::other)).transpose()
}

/// Puts a tag on a blob that is there. All else that the index says stays.
pub(super) fn put_tag(directory: &Path, descriptor: &Descriptor, tag: &str) -> io::Result<()> {
    let root = Root::open(directory)?;
    let mut index = match read_index(&root)? {
        Some(index) if index.is_object() => index,
        _ => json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}),
    };
    let others = manifests(&index).iter().filter(|manifest| {
        let annotations = &manifest["annotations"];
        annotations[REF_NAME] != tag || !annotations[IMAGE_NAME].is_null()
    });
    let mut all: Vec<Value> = others.cloned().collect();
    all.push(json!({
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
        "annotations": {REF_NAME: tag},
    }));
    index["manifests"] = Value::Array(all);
    let top = root.open_directory(".")?;
    replace(&top, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    replace(&top, "index.json", index.to_string().as_bytes())
}

/// The index; an error if there is none.
pub(super) fn index(directory: &Path) -> io::Result<Value> {
    Ok(read_index(&Root::open(directory)?)?.ok_or(io::ErrorKind::NotFound)?)
}

/// The directory of the blobs.
pub(super) fn blobs(directory: &Path) -> io::Result<OwnedFd> {
    Ok(Root::open(directory)?.open_directory("blobs/sha256")?)
}

/// What is in an open directory.
pub(super) fn names(directory: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let listing = Listing::read(directory, &mut Vec::new())?;
    Ok(listing.names().map(<[u8]>::to_vec).collect())
}

fn manifests(index: &Value) -> &[Value] {
    index["manifests"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// `None`: there is no index yet.
fn read_index(root: &Root) -> io::Result<Option<Value>> {
    let file = match root.open_file("index.json") {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut text = Vec::new();
    file.take(INDEX_LIMIT).read_to_end(&mut text)?;
    // An index that was emptied is as good as none.
    if text.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&text)?)) }
}

/// Writes a file anew, in one moment.
fn replace(directory: &OwnedFd, name: &str, content: &[u8]) -> io::Result<()> {
    let new = format!(".{name}.new");
    let mut file = File::from(create(directory, &new)?);
    file.write_all(content)?;
    Ok(renameat(directory, new.as_str(), directory, name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(content: &[u8]) -> Descriptor {
        let media_type = "application/vnd.oci.image.manifest.v1+json".to_owned();
        Descriptor { media_type, digest: Digest::of(content), size: content.len() as u64 }
    }

    #[test]
    fn tags_are_put_and_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(tagged(path, LATEST).unwrap_err().kind(), io::ErrorKind::NotFound);
        let theirs =
            json!({"digest": Digest::of(b"x"), "size": 1, "annotations": {REF_NAME: "v1"}, "data": "eA=="});
        std::fs::write(path.join("index.json"), json!({"manifests": [theirs], "x": 1}).to_string()).unwrap();
        assert_eq!(tagged(path, LATEST).unwrap(), None);
        for content in [&b"a"[..], b"b"] {
            put_tag(path, &descriptor(content), LATEST).unwrap();
            assert_eq!(tagged(path, LATEST).unwrap(), Some(descriptor(content)));
        }
        let index: Value = serde_json::from_slice(&std::fs::read(path.join("index.json")).unwrap()).unwrap();
        assert_eq!(index["x"], 1);
        assert_eq!(manifests(&index).len(), 2);
        assert_eq!(manifests(&index)[0], theirs);
        let names: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn an_index_that_is_none() {
        let directory = tempfile::tempdir().unwrap();
        for (content, fine) in [("", true), ("{}", true), ("[]", true), ("{", false)] {
            std::fs::write(directory.path().join("index.json"), content).unwrap();
            assert_eq!(put_tag(directory.path(), &descriptor(b"a"), LATEST).is_ok(), fine, "{content:?}");
        }
    }

    #[test]
    fn links_lead_nowhere() {
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"s");
        let hex = digest.as_str().trim_start_matches("sha256:");
        let outside = directory.path().join("outside");
        std::fs::create_dir_all(outside.join("sha256")).unwrap();
        std::fs::write(outside.join("sha256").join(hex), "s").unwrap();
        let layout = directory.path().join("layout");
        std::fs::create_dir(&layout).unwrap();
        symlink(&outside, layout.join("blobs")).unwrap();
        assert!(open_blob(&layout, &digest).is_err());
        symlink(outside.join("index"), layout.join("index.json")).unwrap();
        assert!(put_tag(&layout, &descriptor(b"s"), LATEST).is_err());
        assert!(!outside.join("index").exists());
    }
}
