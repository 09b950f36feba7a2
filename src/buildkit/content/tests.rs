//! What of a plan's paths the daemon gets to see, and which tag is put at the end.

use super::*;
use crate::inputs::config::Dockerfile;
use crate::model::{ContextSource, NamedContext, Platform};

fn entry(attrs: &[(&str, &str)]) -> CacheEntry {
    let attrs = attrs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    CacheEntry { kind: "local".into(), attrs }
}

fn plan(cache_from: Vec<CacheEntry>, cache_to: Vec<CacheEntry>) -> BuildPlan {
    let dockerfile =
        Dockerfile { directory: None, file_name: "Dockerfile".into(), in_workspace: "Dockerfile".into() };
    let platforms = vec![Platform::parse("linux/arm64").unwrap()];
    let plan = BuildPlan::new(ContextSource::Directory("/w".into()), dockerfile, platforms);
    BuildPlan { cache_from, cache_to, ..plan }
}

/// Puts a manifest into the directory of a cache.
fn write(directory: &Path, content: &str, tag: &str) -> Descriptor {
    let digest = Digest::of(content.as_bytes());
    let blobs = directory.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(blobs.join(digest.as_str().trim_start_matches("sha256:")), content).unwrap();
    let descriptor = Descriptor { media_type: "m".into(), digest, size: content.len() as u64 };
    layout::put_tag(directory, &descriptor, tag).unwrap();
    descriptor
}

#[test]
fn the_daemon_sees_ids_and_digests() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let id = ids::cache_id(directory.path());
    let latest = write(directory.path(), "{}", LATEST).digest;
    let other = write(directory.path(), "{ }", "other").digest;
    let gone = Digest::of(b"gone");
    let mut asked = plan(
        vec![
            entry(&[("src", path)]),
            entry(&[("src", path), ("tag", "other"), ("x", "y")]),
            entry(&[("src", path), ("digest", other.as_str())]),
            entry(&[("src", path), ("tag", "none")]),
            entry(&[("src", path), ("digest", gone.as_str())]),
            entry(&[("src", "/does/not/exist")]),
            CacheEntry { kind: "registry".into(), attrs: [("ref".into(), "a/b".into())].into() },
        ],
        vec![entry(&[("dest", path), ("mode", "max"), ("tag", "t"), ("reset", "true")])],
    );
    let layout = NamedSource::OciLayout { directory: directory.path().into(), digest: latest.clone() };
    asked.named_contexts = vec![NamedContext { name: "base".into(), source: layout }];
    let (stores, plan) = Stores::open(&asked);
    assert_eq!(
        plan.cache_from,
        [
            entry(&[("src", &id), ("digest", latest.as_str())]),
            entry(&[("src", &id), ("x", "y"), ("digest", other.as_str())]),
            entry(&[("src", &id), ("digest", other.as_str())]),
            asked.cache_from[6].clone(),
        ]
    );
    assert_eq!(plan.cache_to, [entry(&[("dest", &id), ("mode", "max")])]);
    let names: Vec<&String> = stores.by_name.keys().collect();
    assert_eq!(names, [&format!("local:{id}"), &format!("oci:{}", ids::layout_id(directory.path()))]);
    let missing: Vec<&str> = stores.missing.iter().map(|missing| missing.why.as_str()).collect();
    assert_eq!(missing[0], "its `index.json` has no tag `none`");
    assert!(missing[1].starts_with(&format!("its blob `{gone}` cannot be read")), "{}", missing[1]);
    assert_eq!(missing[2], "it has no `index.json`");
}

#[test]
fn the_tag_is_put_on_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let (stores, _) = Stores::open(&plan(Vec::new(), vec![entry(&[("dest", path), ("tag", "t")])]));
    // Nothing was written: nothing is named.
    stores.finish(&HashMap::new()).unwrap();
    assert!(layout::tagged(directory.path(), "t").is_err());
    let told = write(directory.path(), r#"{"mediaType":"m"}"#, "another");
    let text = format!(r#"{{"mediaType":"m","digest":"{}","size":{}}}"#, told.digest, told.size);
    stores.finish(&HashMap::from([("cache.manifest".to_owned(), text)])).unwrap();
    assert_eq!(layout::tagged(directory.path(), "t").unwrap(), Some(told.clone()));
    // The answer tells of another cache's manifest: the last blob of this directory is ours.
    let mine = write(directory.path(), r#"{"mediaType":"m","a":1}"#, "another");
    assert!(stores.exports[0].store.refuse_known(&mine.digest).is_err());
    let other = format!(r#"{{"mediaType":"m","digest":"{}","size":1}}"#, Digest::of(b"elsewhere"));
    stores.finish(&HashMap::from([("cache.manifest".to_owned(), other)])).unwrap();
    assert_eq!(layout::tagged(directory.path(), "t").unwrap(), Some(mine));
}
