//! The contents API: files, directories, links, submodules, what is too large for it.

use super::{Client, FILE, infra};
use crate::runner::github_server::store::File;
use base64::Engine as _;
use serde_json::{Value, json};

fn decoded(body: &Value) -> Vec<u8> {
    let text = body["content"].as_str().unwrap();
    assert!(text.lines().all(|line| line.len() <= 60), "{text}");
    base64::engine::general_purpose::STANDARD.decode(text.replace('\n', "")).unwrap()
}

#[test]
fn files_at_any_ref() {
    let (_server, hosted, client) = infra();
    let first = hosted.head("main").unwrap();
    let long = "images: [] # ".to_owned() + &"x".repeat(200) + "\n";
    hosted.push("main", "Second", &[(FILE, &long)]);
    hosted.git(&["tag", "v1", &first]).unwrap();
    let read = |reference: &str| client.get(&format!("/repos/acme/infra/contents/{FILE}{reference}")).json();
    for (reference, text) in [
        ("", long.as_str()),
        ("?ref=main", &long),
        ("?ref=v1", "images: []\n"),
        (&format!("?ref={first}"), "images: []\n"),
        ("?ref=refs%2Fheads%2Fmain", &long),
    ] {
        let body = read(reference);
        assert_eq!(decoded(&body), text.as_bytes(), "{reference}");
        assert_eq!(body["size"], text.len());
        assert_eq!((&body["type"], &body["encoding"]), (&json!("file"), &json!("base64")));
        assert_eq!((&body["path"], &body["name"]), (&json!(FILE), &json!("kustomization.yaml")));
        let blob = hosted.git(&["hash-object", "--stdin"]);
        assert!(blob.is_some() && body["sha"].as_str().is_some_and(|sha| sha.len() == 40));
    }
    let missing = client.get(&format!("/repos/acme/infra/contents/{FILE}?ref=nope"));
    assert_eq!(missing.told(), (404, "No commit found for the ref nope".into()));
    let url = format!("{}/repos/acme/infra/contents/{FILE}", client.root);
    let raw = client.try_send("GET", &url, None, "accept: application/vnd.github.raw+json").unwrap();
    assert_eq!(raw.body, long.as_bytes());
    for path in ["apps/nothing", "apps/shop/kustomization.yaml/x", "apps/shop/kustom"] {
        let told = client.get(&format!("/repos/acme/infra/contents/{path}")).told();
        assert_eq!(told, (404, "Not Found".into()), "{path}");
    }
}

#[test]
fn directories_links_and_submodules() {
    let (_server, hosted, client) = infra();
    let head = hosted.head("main").unwrap();
    let files = [
        ("apps/run.sh", File::Executable("#!/bin/sh\n")),
        ("apps/link", File::Link("shop/kustomization.yaml")),
        ("apps/broken", File::Link("../../outside")),
        ("apps/base", File::Submodule(&head)),
        ("apps/a b#c", File::Text("odd\n")),
    ];
    hosted.push_files("main", "More", &files);
    let list = client.get("/repos/acme/infra/contents/apps").json();
    let names: Vec<(&str, &str)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["type"].as_str().unwrap()))
        .collect();
    let expected = [
        ("a b#c", "file"),
        ("base", "file"),
        ("broken", "symlink"),
        ("link", "symlink"),
        ("run.sh", "file"),
        ("shop", "dir"),
    ];
    assert_eq!(names, expected);
    assert_eq!(list[5]["path"], "apps/shop");
    let root = client.get("/repos/acme/infra/contents/").json();
    assert_eq!((&root[0]["path"], &root[1]["path"]), (&json!("README.md"), &json!("apps")));
    let get = |path: &str| client.get(&format!("/repos/acme/infra/contents/apps/{path}")).json();
    assert_eq!(decoded(&get("a%20b%23c")), b"odd\n");
    let link = get("link");
    assert_eq!((&link["type"], decoded(&link)), (&json!("file"), b"images: []\n".to_vec()));
    assert_eq!(
        (&get("broken")["type"], &get("broken")["target"]),
        (&json!("symlink"), &json!("../../outside"))
    );
    assert_eq!((&get("base")["type"], &get("base")["sha"]), (&json!("submodule"), &json!(head)));
    // What is executable stays so when its text changes.
    hosted.push("main", "Text", &[("apps/run.sh", "#!/bin/bash\n")]);
    let listed = hosted.git(&["ls-tree", "main", "apps/run.sh"]).unwrap();
    assert!(listed.starts_with("100755 blob"), "{listed}");
}

#[test]
fn a_large_file_has_no_content_in_json() {
    let (server, hosted, client) = infra();
    let most = "x".repeat(1024 * 1024);
    hosted.push("main", "Large", &[("most", &most), ("more", &format!("{most}y"))]);
    assert_eq!(decoded(&client.get("/repos/acme/infra/contents/most").json()).len(), 1024 * 1024);
    let body = client.get("/repos/acme/infra/contents/more").json();
    assert_eq!((&body["content"], &body["encoding"]), (&json!(""), &json!("none")));
    assert_eq!(body["size"], 1024 * 1024 + 1);
    let url = format!("{}/repos/acme/infra/contents/more", client.root);
    let raw = client.try_send("GET", &url, None, "accept: application/vnd.github.raw+json").unwrap();
    assert_eq!(raw.body.len(), 1024 * 1024 + 1);
    server.repository("acme/empty");
    let empty = Client::new(&server, &server.token("octo", &["acme/empty"], "contents:read"));
    assert_eq!(empty.get("/repos/acme/empty/contents/a").told(), (404, "This repository is empty.".into()));
}
