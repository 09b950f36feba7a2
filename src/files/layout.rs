//! An OCI image layout as a tar archive (image spec, `image-layout.md`), written as its blobs come, each once and with its digest
//! checked; at its end what names them: `index.json`, with an entry for each name, as containerd writes and reads them; and the
//! `manifest.json` that Docker without containerd's store and podman with several names look for (moby's `image/tarexport`). That
//! one can hold one platform only.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use ring::digest::{Context, SHA256};
use serde_json::{Value, json};

use super::tar::{self, BLOCK, DIRECTORY, FILE, header, padding};
use crate::model::{Digest, ImageName, Platform};

/// Of a file that is what its name says, nobody changes anything.
const BLOB: u32 = 0o444;
const MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;
/// Documents that are kept, to be read at the end: manifests are far smaller.
const DOCUMENT_MAX: u64 = 512 << 10;
const DOCUMENTS_MAX: usize = 8 << 20;
/// An index in an index in an index.
const DEPTH: usize = 3;

/// What the whole layout is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Of an index or a manifest.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

/// A layout on its way.
pub struct Layout<W> {
    out: W,
    there: BTreeSet<Digest>,
    documents: BTreeMap<Digest, Vec<u8>>,
    /// The blob that has come last.
    last: Option<Digest>,
    kept: usize,
    blob: Option<Blob>,
}

/// A blob on its way.
struct Blob {
    digest: Digest,
    size: u64,
    left: u64,
    hash: Context,
    document: Option<Vec<u8>>,
}

impl<W: Write> Layout<W> {
    /// Begins one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(mut out: W) -> io::Result<Self> {
        for name in ["blobs/", "blobs/sha256/"] {
            out.write_all(&header(name, DIRECTORY_MODE, 0, DIRECTORY))?;
        }
        Ok(Self { out, there: BTreeSet::new(), documents: BTreeMap::new(), last: None, kept: 0, blob: None })
    }

    /// Begins a blob that is not there yet; its bytes come next.
    ///
    /// # Errors
    /// The last one is not whole, or it cannot be written.
    pub fn begin(&mut self, digest: &Digest, size: u64) -> io::Result<()> {
        if self.blob.is_some() {
            return Err(invalid("a blob is not whole"));
        }
        let Some(hex) = digest.as_str().strip_prefix("sha256:") else {
            return Err(invalid("it has a digest that is not SHA-256"));
        };
        self.out.write_all(&header(&format!("blobs/sha256/{hex}"), BLOB, size, FILE))?;
        let document = size <= DOCUMENT_MAX && self.kept < DOCUMENTS_MAX;
        let document = document.then(Vec::new);
        let hash = Context::new(&SHA256);
        self.blob = Some(Blob { digest: digest.clone(), size, left: size, hash, document });
        self.end_blob()
    }

    /// Bytes of the blob that was begun.
    ///
    /// # Errors
    /// There are more than was said, they are others than the digest says, or they cannot be written.
    pub fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(blob) = &mut self.blob else {
            return if bytes.is_empty() { Ok(()) } else { Err(invalid("a blob is longer than was said")) };
        };
        let count = bytes.len() as u64;
        blob.left = blob.left.checked_sub(count).ok_or_else(|| invalid("a blob is longer than was said"))?;
        blob.hash.update(bytes);
        if blob.document.as_ref().is_some_and(|document| document.is_empty() && bytes.first() != Some(&b'{'))
        {
            blob.document = None;
        }
        if let Some(document) = &mut blob.document {
            document.extend_from_slice(bytes);
        }
        self.out.write_all(bytes)?;
        self.end_blob()
    }

    /// Ends the blob if all of it is there.
    fn end_blob(&mut self) -> io::Result<()> {
        let Some(blob) = self.blob.take_if(|blob| blob.left == 0) else { return Ok(()) };
        self.out.write_all(&[0; BLOCK][..padding(blob.size)])?;
        let sum = blob.hash.finish();
        let sum: [u8; 32] = sum.as_ref().try_into().map_err(|_| invalid("a sum is none"))?;
        if Digest::from_sha256(sum) != blob.digest {
            return Err(invalid(&format!("the blob {} has other bytes than its digest says", blob.digest)));
        }
        if let Some(document) = blob.document {
            self.kept += document.len();
            self.documents.insert(blob.digest.clone(), document);
        }
        self.last = Some(blob.digest.clone());
        self.there.insert(blob.digest);
        Ok(())
    }

    /// What the last document says that it is: who hands an image on has what the others hang on come last.
    ///
    /// # Errors
    /// There is none, or it says nothing.
    pub fn last_document(&self) -> io::Result<Root> {
        let document = self.last.as_ref().zip(self.last.as_ref().and_then(|last| self.documents.get(last)));
        let (digest, document) = document.ok_or_else(|| invalid("it is cut off"))?;
        let told: Value = serde_json::from_slice(document).map_err(|_| invalid("a manifest is not JSON"))?;
        let media_type = told["mediaType"].as_str().ok_or_else(|| invalid("it does not say what it is"))?;
        Ok(Root { media_type: media_type.to_owned(), digest: digest.clone(), size: document.len() as u64 })
    }

    /// Ends the layout, and gives the writer back. `preferred` is the platform that stands for the image where only one can.
    ///
    /// # Errors
    /// What is named is not all there, or it cannot be written.
    pub fn finish(mut self, root: &Root, names: &[ImageName], preferred: &Platform) -> io::Result<W> {
        if self.blob.is_some() || !self.there.contains(&root.digest) {
            return Err(invalid("it is cut off"));
        }
        let manifest = self.manifest(&root.digest, preferred)?;
        self.file("index.json", &index(root, names).to_string())?;
        if let Some(manifest) = &manifest {
            self.file("manifest.json", &docker_manifest(manifest, names)?.to_string())?;
        }
        self.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        self.out.write_all(&tar::END)?;
        Ok(self.out)
    }

    fn file(&mut self, name: &str, content: &str) -> io::Result<()> {
        let size = content.len() as u64;
        self.out.write_all(&header(name, MODE, size, FILE))?;
        self.out.write_all(content.as_bytes())?;
        self.out.write_all(&[0; BLOCK][..padding(size)])
    }

    /// The manifest of the platform that stands for the image.
    fn manifest(&self, digest: &Digest, preferred: &Platform) -> io::Result<Option<Value>> {
        let mut digest = digest.clone();
        for _ in 0..DEPTH {
            let document = self.documents.get(&digest).map(|document| serde_json::from_slice(document));
            let document: Value = match document {
                Some(document) => document.map_err(|_| invalid("a manifest is not JSON"))?,
                None => return Ok(None),
            };
            let Some(children) = document["manifests"].as_array() else { return Ok(Some(document)) };
            let known = |child: &&Value| child["platform"]["os"].as_str() != Some("unknown");
            let fits = |child: &&Value| platform(child).as_ref() == Some(preferred);
            let images = || children.iter().filter(known);
            let Some(child) = images().find(fits).or_else(|| images().next()) else { return Ok(None) };
            let found = child["digest"].as_str().and_then(|found| Digest::parse(found).ok());
            digest = found.ok_or_else(|| invalid("an index names no digest"))?;
        }
        Ok(None)
    }
}

fn platform(child: &Value) -> Option<Platform> {
    let field = |name: &str| child["platform"][name].as_str();
    Some(Platform::from_fields(field("os")?, field("architecture")?, field("variant").unwrap_or_default()))
}

/// The index of the layout: an entry for each name, as one could not have several.
fn index(root: &Root, names: &[ImageName]) -> Value {
    let entry = |name: Option<&ImageName>| {
        let mut entry = json!({"mediaType": root.media_type, "digest": root.digest, "size": root.size});
        if let Some(name) = name {
            entry["annotations"] = json!({
                "io.containerd.image.name": name.to_string(),
                "org.opencontainers.image.ref.name": name.version(),
            });
        }
        entry
    };
    let entries: Vec<Value> = match names {
        [] => vec![entry(None)],
        names => names.iter().map(|name| entry(Some(name))).collect(),
    };
    json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries})
}

/// Docker's own table of contents, of one image.
fn docker_manifest(manifest: &Value, names: &[ImageName]) -> io::Result<Value> {
    let place = |descriptor: &Value| -> io::Result<String> {
        let digest = descriptor["digest"].as_str().and_then(|digest| Digest::parse(digest).ok());
        let digest = digest.ok_or_else(|| invalid("a manifest names no digest"))?;
        Ok(format!("blobs/{}", digest.as_str().replacen(':', "/", 1)))
    };
    let layers = manifest["layers"].as_array().into_iter().flatten().map(place);
    let layers = layers.collect::<io::Result<Vec<String>>>()?;
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let names = if names.is_empty() { Value::Null } else { json!(names) };
    Ok(json!([{"Config": place(&manifest["config"])?, "RepoTags": names, "Layers": layers}]))
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the image's archive makes no sense: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index of two platforms with an attestation, and all that hangs on it; what it is about is the last.
    fn image() -> Vec<Vec<u8>> {
        let descriptor = |bytes: &[u8], platform: Value| json!({"mediaType": "m", "digest": Digest::of(bytes), "size": bytes.len(), "platform": platform});
        let mut blobs: Vec<Vec<u8>> = Vec::new();
        let mut children = Vec::new();
        for (os, architecture) in [("linux", "arm64"), ("linux", "amd64"), ("unknown", "unknown")] {
            let config = json!({"architecture": architecture, "os": os}).to_string().into_bytes();
            let layer = [b"layer of ".as_slice(), architecture.as_bytes()].concat();
            let manifest = json!({
                "schemaVersion": 2,
                "config": descriptor(&config, Value::Null),
                "layers": [descriptor(&layer, Value::Null), descriptor(b"shared", Value::Null)],
            });
            let manifest = manifest.to_string().into_bytes();
            children.push(descriptor(&manifest, json!({"os": os, "architecture": architecture})));
            blobs.extend([config, layer, manifest]);
        }
        blobs.push(b"shared".to_vec());
        blobs.push(json!({"schemaVersion": 2, "manifests": children}).to_string().into_bytes());
        blobs
    }

    fn names(texts: &[&str]) -> Vec<ImageName> {
        texts.iter().map(|text| ImageName::parse_whole(text).unwrap()).collect()
    }

    fn written(blobs: &[Vec<u8>], names: &[ImageName], preferred: &str) -> io::Result<Vec<u8>> {
        let mut layout = Layout::new(Vec::new())?;
        for blob in blobs {
            layout.begin(&Digest::of(blob), blob.len() as u64)?;
            for piece in blob.chunks(5) {
                layout.data(piece)?;
            }
        }
        let last = blobs.last().unwrap();
        let root = Root { media_type: "i".into(), digest: Digest::of(last), size: last.len() as u64 };
        layout.finish(&root, names, &Platform::parse(preferred).unwrap())
    }

    fn unpacked(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let mut reader = tar::Reader::default();
        let mut take = |event: tar::Event<'_>| {
            match event {
                tar::Event::File(name, _) => files.push((name.to_owned(), Vec::new())),
                tar::Event::Data(data) => files.last_mut().unwrap().1.extend(data),
            }
            Ok(())
        };
        reader.feed(archive, &mut take).unwrap();
        assert!(reader.has_ended());
        files.into_iter().collect()
    }

    #[test]
    fn what_names_the_blobs() {
        let (blobs, names) = (image(), names(&["r.io/a:1", "docker.io/acme/api:latest"]));
        for (preferred, shown) in
            [("linux/amd64", "amd64"), ("linux/arm64", "arm64"), ("linux/s390x", "arm64")]
        {
            let files = unpacked(&written(&blobs, &names, preferred).unwrap());
            assert_eq!(files.len(), blobs.len() + 3);
            for blob in &blobs {
                let digest = Digest::of(blob);
                assert_eq!(&files[&format!("blobs/{}", digest.as_str().replacen(':', "/", 1))], blob);
            }
            let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
            let said: Vec<String> = index["manifests"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| {
                    assert_eq!(one["digest"], json!(Digest::of(blobs.last().unwrap())));
                    let annotations = &one["annotations"];
                    format!(
                        "{} {}",
                        annotations["io.containerd.image.name"].as_str().unwrap(),
                        annotations["org.opencontainers.image.ref.name"].as_str().unwrap()
                    )
                })
                .collect();
            assert_eq!(said, ["r.io/a:1 1", "docker.io/acme/api:latest latest"]);
            let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
            assert_eq!(manifest[0]["RepoTags"], json!(["r.io/a:1", "docker.io/acme/api:latest"]));
            let layer = files[manifest[0]["Layers"][0].as_str().unwrap()].clone();
            assert_eq!(String::from_utf8(layer).unwrap(), format!("layer of {shown}"), "{preferred}");
            assert_eq!(files["oci-layout"], br#"{"imageLayoutVersion":"1.0.0"}"#);
        }
    }

    #[test]
    fn what_it_is_about_comes_last() {
        let mut layout = Layout::new(Vec::new()).unwrap();
        let said = |layout: &Layout<Vec<u8>>| layout.last_document().map_err(|error| error.to_string());
        assert!(said(&layout).unwrap_err().contains("cut off"));
        let mut put = |bytes: &[u8]| {
            layout.begin(&Digest::of(bytes), bytes.len() as u64).unwrap();
            layout.data(bytes).unwrap();
            said(&layout)
        };
        assert!(put(b"a layer").unwrap_err().contains("cut off"));
        let index = br#"{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        let media_type = "application/vnd.oci.image.index.v1+json".into();
        assert_eq!(put(index), Ok(Root { media_type, digest: Digest::of(index), size: index.len() as u64 }));
        assert!(put(br#"{"manifests":[]}"#).unwrap_err().contains("does not say what it is"));
        assert!(put(b"{").unwrap_err().contains("not JSON"));
    }

    #[test]
    fn what_does_not_add_up() {
        let no = |layout: io::Result<()>, why: &str| {
            let said = layout.unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        };
        let mut layout = Layout::new(Vec::new()).unwrap();
        layout.begin(&Digest::of(b"abc"), 3).unwrap();
        no(layout.data(b"abd"), "other bytes than its digest says");
        let mut layout = Layout::new(Vec::new()).unwrap();
        layout.begin(&Digest::of(b"abc"), 3).unwrap();
        no(layout.data(b"abcd"), "longer than was said");
        let mut layout = Layout::new(Vec::new()).unwrap();
        layout.begin(&Digest::of(b"abc"), 3).unwrap();
        no(layout.begin(&Digest::of(b"x"), 1), "not whole");
        let mut layout = Layout::new(Vec::new()).unwrap();
        no(layout.begin(&Digest::of(b"x"), 0), "other bytes");
        let root = Root { media_type: "i".into(), digest: Digest::of(b"x"), size: 1 };
        let preferred = Platform::parse("linux/amd64").unwrap();
        let layout = Layout::new(Vec::new()).unwrap();
        no(layout.finish(&root, &[], &preferred).map(|_| ()), "cut off");
    }

    #[test]
    fn an_image_without_a_name_has_none() {
        let files = unpacked(&written(&image(), &[], "linux/amd64").unwrap());
        let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        assert_eq!(manifest[0]["RepoTags"], Value::Null);
    }
}
