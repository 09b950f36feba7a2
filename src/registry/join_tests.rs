use super::super::index::{DOCKER_MANIFEST, OCI_MANIFEST};
use super::*;

fn digest(letter: &str) -> String {
    format!("sha256:{}", letter.repeat(64))
}

fn platforms(texts: &[&str]) -> Vec<Platform> {
    texts.iter().map(|text| Platform::parse(text).unwrap()).collect()
}

fn manifest(text: &str, media_type: &str) -> Manifest {
    let bytes = bytes::Bytes::from(text.to_owned());
    Manifest { digest: Digest::of(&bytes), media_type: media_type.into(), bytes }
}

fn image(letter: &str, platform: &str) -> String {
    let fields: Vec<&str> = platform.split('/').collect();
    let variant = fields.get(2).map_or_else(String::new, |variant| format!(r#","variant":"{variant}""#));
    format!(
        r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{}","size":7,"urls":["kept"],"platform":{{"os":"{}","architecture":"{}"{variant}}}}}"#,
        digest(letter),
        fields[0],
        fields[1]
    )
}

fn attestation(letter: &str, about: &str) -> String {
    format!(
        r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{}","size":9,"platform":{{"os":"unknown","architecture":"unknown"}},
        "annotations":{{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"{}"}}}}"#,
        digest(letter),
        digest(about)
    )
}

fn index(entries: &[String]) -> Manifest {
    let entries = entries.join(",");
    manifest(
        &format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{entries}]}}"#),
        OCI_INDEX,
    )
}

fn joined(
    nodes: &[(&[&str], Manifest)],
    wanted: &[&str],
    annotations: &JoinAnnotations,
) -> Result<Value, JoinError> {
    let asked: Vec<_> = nodes.iter().map(|(asked, _)| platforms(asked)).collect();
    let nodes: Vec<_> = nodes
        .iter()
        .zip(&asked)
        .map(|((_, manifest), platforms)| NodeImage { name: "n", platforms, manifest })
        .collect();
    let made = join(&nodes, &platforms(wanted), annotations)?;
    assert_eq!(made.digest, Digest::of(&made.bytes));
    // What we write, we read.
    assert!(matches!(super::super::index::parse(&made.bytes, OCI_INDEX), Ok(Document::Index(_))));
    Ok(serde_json::from_slice(&made.bytes).unwrap())
}

#[test]
fn images_in_the_order_asked_for_then_their_attestations() {
    let amd = index(&[image("a", "linux/amd64"), attestation("b", "a")]);
    let arm = index(&[
        attestation("e", "d"),
        image("c", "linux/arm64/v8"),
        image("d", "linux/arm/v7"),
        attestation("f", "c"),
    ]);
    let nodes: &[(&[&str], Manifest)] = &[(&["linux/amd64"], amd), (&["linux/arm64", "linux/arm/v7"], arm)];
    let made =
        joined(nodes, &["linux/arm64", "linux/amd64", "linux/arm/v7"], &JoinAnnotations::default()).unwrap();
    let order: Vec<&str> =
        made["manifests"].as_array().unwrap().iter().map(|m| &m["digest"].as_str().unwrap()[7..8]).collect();
    assert_eq!(order, ["c", "a", "d", "f", "b", "e"]);
    assert_eq!(made["mediaType"], OCI_INDEX);
    assert_eq!(made["manifests"][0]["urls"][0], "kept");
    assert_eq!(made["manifests"][5]["annotations"]["vnd.docker.reference.digest"], digest("d"));
    assert!(made.get("annotations").is_none());
}

#[test]
fn a_plain_manifest_gets_the_platform_that_was_asked_for() {
    let text = |letter: &str| {
        let config = format!(r#"{{"digest":"{}","size":2}}"#, digest(letter));
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[]}}"#)
    };
    let (amd, arm) = (manifest(&text("a"), OCI_MANIFEST), manifest(&text("b"), DOCKER_MANIFEST));
    let nodes: &[(&[&str], Manifest)] = &[(&["linux/amd64"], amd.clone()), (&["linux/arm/v7"], arm.clone())];
    let made = joined(nodes, &["linux/amd64", "linux/arm/v7"], &JoinAnnotations::default()).unwrap();
    assert_eq!(
        made["manifests"],
        json!([
            {"mediaType": OCI_MANIFEST, "digest": amd.digest.as_str(), "size": amd.bytes.len(),
             "platform": {"os": "linux", "architecture": "amd64"}},
            {"mediaType": DOCKER_MANIFEST, "digest": arm.digest.as_str(), "size": arm.bytes.len(),
             "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
        ])
    );
}

#[test]
fn annotations() {
    let annotations = JoinAnnotations {
        index: [("i".to_owned(), "1".to_owned())].into(),
        descriptors: vec![
            (Some(Platform::parse("linux/arm64").unwrap()), "d".into(), "arm's".into()),
            (None, "d".into(), "of all".into()),
        ],
    };
    let nodes: &[(&[&str], Manifest)] = &[
        (&["linux/amd64"], index(&[image("a", "linux/amd64"), attestation("b", "a")])),
        (&["linux/arm64"], index(&[image("c", "linux/arm64")])),
    ];
    let made = joined(nodes, &["linux/amd64", "linux/arm64"], &annotations).unwrap();
    assert_eq!(made["annotations"], json!({"i": "1"}));
    assert_eq!(made["manifests"][0]["annotations"], json!({"d": "of all"}));
    assert_eq!(made["manifests"][1]["annotations"], json!({"d": "arm's"}));
    // An attestation is no image.
    assert!(made["manifests"][2]["annotations"].get("d").is_none());
}

#[test]
fn parts_that_make_no_whole() {
    type Parts<'a> = Vec<(&'a [&'a str], Manifest)>;
    let amd = || index(&[image("a", "linux/amd64")]);
    let parse = |text: &str| Platform::parse(text).unwrap();
    let asked: &[&str] = &["linux/amd64", "linux/arm64"];
    let cases: Vec<(Parts<'_>, JoinError)> = vec![
        (vec![(&["linux/amd64"], amd())], JoinError::Missing(parse("linux/arm64"))),
        (vec![(&["linux/amd64"], amd()), (&["linux/amd64"], amd())], JoinError::Twice(parse("linux/amd64"))),
        (
            vec![(&["linux/arm64"], amd())],
            JoinError::Unasked { node: "n".into(), platform: Some(parse("linux/amd64")) },
        ),
        (
            vec![(&["linux/amd64"], index(&[image("a", "linux/amd64"), attestation("b", "c")]))],
            JoinError::Orphan { node: "n".into() },
        ),
        (vec![(&["linux/amd64"], index(&[]))], JoinError::Missing(parse("linux/amd64"))),
    ];
    for (nodes, expected) in cases {
        assert_eq!(joined(&nodes, asked, &JoinAnnotations::default()), Err(expected));
    }
    let broken = [(&["linux/amd64"][..], manifest("{}", OCI_INDEX))];
    let error = joined(&broken, asked, &JoinAnnotations::default()).unwrap_err();
    assert!(matches!(error, JoinError::Invalid { .. }), "{error}");
}
