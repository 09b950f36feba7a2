use serde_json::{Value, json};

use super::*;
use crate::registry::PlatformMetadata;
use crate::registry::index::{OCI_INDEX, OCI_MANIFEST};
use crate::registry::join;

fn inputs(text: &[u8]) -> InputsHash {
    InputsHash { schema: 1, digest: Digest::of(text) }
}

fn leg(platform: &str) -> Leg {
    Leg {
        run: 17,
        attempt: 2,
        tags: Digest::of(b"tags"),
        repository: Repository::parse("ghcr.io/acme/shop/api").unwrap(),
        platform: Platform::parse(platform).unwrap(),
        revision: CommitId::parse(&"1".repeat(40)).unwrap(),
        digest: image().digest,
        inputs: Some(inputs(b"inputs")),
    }
}

fn image() -> Manifest {
    Manifest::new("image", OCI_MANIFEST)
}

fn record_of(leg: &Leg, manifest: &Manifest) -> Manifest {
    leg.subject(manifest).record(&leg.annotations())
}

fn stand_in(leg: &Leg, manifest: &Manifest) -> Option<Manifest> {
    leg.subject(manifest).stand_in(&leg.annotations())
}

fn read(leg: &Leg, record: Manifest) -> Result<Recorded, InvalidRecord> {
    Recorded::read(record, (leg.run, &leg.tags), &leg.repository, &leg.platform)
}

fn changed(record: &Manifest, change: impl FnOnce(&mut Value)) -> Manifest {
    let mut json = serde_json::from_slice(&record.bytes).unwrap();
    change(&mut json);
    Manifest::new(json.to_string(), OCI_INDEX)
}

/// Jobs of one run may be started by two versions of this action: neither bytes nor tag may change within a schema.
#[test]
fn golden_record() {
    let arm = leg("linux/arm/v7");
    assert_eq!(name(arm.run, &arm.tags, &arm.platform), "leg-17-978c2f894135-linux-arm-v7");
    let record = record_of(&arm, &image());
    assert_eq!(record.media_type, "application/vnd.oci.image.index.v1+json");
    assert_eq!(
        std::str::from_utf8(&record.bytes).unwrap(),
        concat!(
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#,
            r#"{"digest":"sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d","mediaType":"application/vnd.oci.image.manifest.v1+json","#,
            r#""platform":{"architecture":"arm","os":"linux","variant":"v7"},"size":5}],"annotations":{"#,
            r#""io.github.docker-push-action.leg.attempt":"2","#,
            r#""io.github.docker-push-action.leg.digest":"sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d","#,
            r#""io.github.docker-push-action.leg.inputs":"1:sha256:32381523e63197c929b67f793a8098bed0ae3a6fa902634fdbcc6fa4567f3346","#,
            r#""io.github.docker-push-action.leg.platform":"linux/arm/v7","#,
            r#""io.github.docker-push-action.leg.revision":"1111111111111111111111111111111111111111","#,
            r#""io.github.docker-push-action.leg.run":"17","#,
            r#""io.github.docker-push-action.leg.schema":"1","#,
            r#""io.github.docker-push-action.leg.tags":"sha256:978c2f8941354cf552831bb8b5b648bb3748e83f5d0a69e3301569af01e1de93"}}"#
        )
    );
    assert_eq!(
        record.digest.as_str(),
        "sha256:2218645c46ac38fe8be350acbdbe1e4779ef04e273974fdbb8e81402e5343848"
    );
    let unknown = record_of(&Leg { inputs: None, ..arm.clone() }, &image());
    let mut without: Value = serde_json::from_slice(&record.bytes).unwrap();
    without["annotations"]
        .as_object_mut()
        .unwrap()
        .remove("io.github.docker-push-action.leg.inputs")
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&unknown.bytes).unwrap(), without);
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let arm = leg("linux/arm/v7");
    for leg in [arm.clone(), Leg { inputs: None, ..arm.clone() }] {
        let record = record_of(&leg, &image());
        let expected = Recorded { leg: leg.clone(), record: record.clone(), stands_in: false };
        assert_eq!(read(&leg, record), Ok(expected));
    }
    let tag = |leg: &Leg| name(leg.run, &leg.tags, &leg.platform);
    let names = [
        tag(&arm),
        tag(&Leg { run: 18, ..arm.clone() }),
        tag(&Leg { tags: Digest::of(b"others"), ..arm.clone() }),
        tag(&leg("linux/arm/v6")),
    ];
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn what_is_no_record_is_refused_and_says_why() {
    let amd = leg("linux/amd64");
    let record = record_of(&amd, &image());
    let field = |name: &str| format!("{}{name}", SCHEMA.prefix);
    for (name, value, expected) in [
        ("run", "x", InvalidRecord::Field("run")),
        ("run", "18", InvalidRecord::Name("run")),
        ("attempt", "-2", InvalidRecord::Field("attempt")),
        ("tags", "md5:0", InvalidRecord::Field("tags")),
        ("tags", Digest::of(b"others").as_str(), InvalidRecord::Name("tags")),
        ("platform", "linux/none", InvalidRecord::Field("platform")),
        ("platform", "linux/arm64", InvalidRecord::Name("platform")),
        ("revision", "main", InvalidRecord::Field("revision")),
        ("digest", "latest", InvalidRecord::Field("digest")),
        ("inputs", "many", InvalidRecord::Field("inputs")),
        ("schema", "2\u{202e}\n", InvalidRecord::Schema("2\\u{202e}\\n".into())),
    ] {
        let other = changed(&record, |json| json["annotations"][field(name)] = json!(value));
        assert_eq!(read(&amd, other), Err(expected), "{name}: {value}");
    }
    for name in ["run", "attempt", "tags", "platform", "revision", "digest"] {
        let other = changed(&record, |json| {
            json["annotations"].as_object_mut().unwrap().remove(&field(name)).unwrap();
        });
        assert_eq!(read(&amd, other), Err(InvalidRecord::Field(name)));
    }
    let without = |key: &'static str| {
        changed(&record, |json| {
            json.as_object_mut().unwrap().remove(key).unwrap();
        })
    };
    let empty = changed(&record, |json| json["manifests"] = json!([]));
    assert_eq!(read(&amd, empty), Err(InvalidRecord::Empty));
    for other in [
        without("annotations"),
        without("manifests"),
        changed(&record, |json| json["annotations"] = json!({ "a": "b" })),
        changed(&record, |json| json["annotations"]["a"] = json!(7)),
        changed(&record, |json| json["manifests"][0]["digest"] = json!("md5:0")),
        changed(&record, |json| json["config"] = json!({ "digest": amd.digest.as_str(), "size": 1 })),
        Manifest::new("{}", OCI_INDEX),
        Manifest::new("", OCI_INDEX),
        Manifest::new(record.bytes.clone(), OCI_MANIFEST),
    ] {
        assert_eq!(read(&amd, other.clone()), Err(InvalidRecord::Other), "{other:?}");
    }
}

#[test]
fn a_record_that_stands_in_lists_what_the_leg_lists() {
    let amd = leg("linux/amd64");
    let image = image();
    let mut listed =
        [join::descriptor(&image, Some(&amd.platform)), join::descriptor(&image, Some(&amd.platform))];
    listed[1]["digest"] = json!(Digest::of(b"statement"));
    listed[1]["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    listed[1]["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": image.digest.as_str(),
    });
    let index = join::index_of(listed.to_vec(), &BTreeMap::new());
    let amd = Leg { digest: index.digest.clone(), ..amd };
    let record = stand_in(&amd, &index).unwrap();
    let json: Value = serde_json::from_slice(&record.bytes).unwrap();
    assert_eq!(json["manifests"].as_array().unwrap(), &listed);
    let expected = Recorded { leg: amd.clone(), record: record.clone(), stands_in: true };
    assert_eq!(read(&amd, record), Ok(expected));
    // What lists nothing, or is for another platform.
    assert_eq!(stand_in(&amd, &image), None);
    assert_eq!(stand_in(&leg("linux/arm64"), &index), None);
}

#[test]
fn two_jobs_that_made_one_leg() {
    let first = leg("linux/amd64");
    let other = |change: fn(&mut Leg)| {
        let mut other = Leg { digest: Digest::of(b"other"), ..first.clone() };
        change(&mut other);
        (first.contradicts(&other), first.is_another_build(&other))
    };
    assert_eq!(other(|_| {}), (false, false), "the same inputs twice");
    assert_eq!(other(|leg| leg.inputs = Some(inputs(b"others"))), (true, true));
    assert_eq!(other(|leg| leg.inputs = None), (true, true));
    assert_eq!(
        other(|leg| {
            leg.inputs = Some(inputs(b"others"));
            leg.attempt = 3;
        }),
        (false, true)
    );
    // Those are refused by the merge.
    let of_another_commit = |leg: &mut Leg| {
        leg.inputs = None;
        leg.revision = CommitId::parse(&"2".repeat(40)).unwrap();
    };
    assert_eq!(other(of_another_commit), (false, false));
    let unknown = Leg { inputs: None, ..first.clone() };
    assert!(!unknown.contradicts(&unknown.clone()), "the same image");
}

#[test]
fn a_leg_is_an_image_for_its_platform() {
    let image = |platforms: &[Option<&str>]| ImageMetadata {
        digest: Digest::of(b"image"),
        media_type: String::new(),
        size: 1,
        platforms: platforms
            .iter()
            .map(|text| PlatformMetadata {
                platform: text.map(|text| Platform::parse(text).unwrap()),
                digest: Digest::of(b"manifest"),
                size: 1,
                config_digest: None,
                layers: Vec::new(),
            })
            .collect(),
        attestations: Vec::new(),
    };
    let amd = leg("linux/amd64");
    for (platforms, said) in [
        (&[Some("linux/amd64")][..], None),
        (&[None], None),
        (&[Some("linux/arm64")], Some("is an image for `linux/arm64`")),
        (&[Some("linux/amd64"), Some("linux/arm64")], Some("is an image for `linux/arm64`")),
        (&[], Some("is an image for no platform")),
    ] {
        let judged = holds_its_platform(&amd, &image(platforms)).map_err(|error| error.to_string());
        let expected =
            said.map_or(Ok(()), |said| Err(format!("the leg for `linux/amd64` {said} ({})", amd.digest)));
        assert_eq!(judged, expected);
    }
}

#[test]
fn all_legs_of_one_commit() {
    let of = |platform: &str| {
        let leg = leg(platform);
        Recorded { record: record_of(&leg, &image()), leg, stands_in: false }
    };
    let platforms = |texts: &[&str]| -> Vec<Platform> {
        texts.iter().map(|text| Platform::parse(text).unwrap()).collect()
    };
    let (amd, arm) = (of("linux/amd64"), of("linux/arm64"));
    let both = platforms(&["linux/arm64", "linux/amd64"]);
    let (repository, revision) = (amd.leg.repository.clone(), amd.leg.revision.clone());
    let complete = |found: &[Recorded]| -> Result<Vec<Recorded>, LegsError> {
        let legs = complete(17, &repository, &both, &revision, found)?;
        Ok(legs.into_iter().cloned().collect())
    };
    assert_eq!(complete(&[amd.clone(), arm.clone()]).unwrap(), [arm.clone(), amd.clone()]);
    let missing = complete(std::slice::from_ref(&amd)).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "run 17 has recorded no leg for `linux/arm64` of `ghcr.io/acme/shop/api` under the tags of this job"
    );
    let hint = missing.hint(&["version", "image_name"]);
    assert!(hint.contains("`platform: linux/arm64`"), "{hint}");
    assert!(hint.contains("decides the tags (`version`, `image_name`)"), "{hint}");
    let mut other = arm;
    other.leg.revision = CommitId::parse(&"2".repeat(40)).unwrap();
    let error = complete(&[amd, other]).unwrap_err().to_string();
    assert!(error.starts_with("the leg for `linux/arm64` was built of the commit `2222"), "{error}");
}
