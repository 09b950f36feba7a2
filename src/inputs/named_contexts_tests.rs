//! Names, sources, and layouts on disk.

use super::super::config_tests_support::context as run;
use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OTHER: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000001";

fn given(lines: &str) -> (Vec<String>, Vec<InputFault>) {
    let root = tempfile::tempdir().unwrap();
    let workspace = std::fs::canonicalize(root.path()).unwrap();
    for (layout, index) in [
        ("one", format!(r#"{{"manifests":[{{"digest":"{DIGEST}"}}]}}"#)),
        (
            "two",
            format!(
                r#"{{"manifests":[
                    {{"digest":"{DIGEST}","annotations":{{"org.opencontainers.image.ref.name":"latest"}}}},
                    {{"digest":"{OTHER}","annotations":{{"org.opencontainers.image.ref.name":"docker.io/acme/api:v1"}}}}]}}"#
            ),
        ),
        ("unnamed", format!(r#"{{"manifests":[{{"digest":"{DIGEST}"}},{{"digest":"{OTHER}"}}]}}"#)),
        ("empty", "{}".into()),
        ("broken", "{\n\"manifests\": 1".into()),
        ("wrong", r#"{"manifests":[{"digest":"sha256:../../x"}]}"#.into()),
        ("directory", String::new()),
    ] {
        std::fs::create_dir(workspace.join(layout)).unwrap();
        if !index.is_empty() {
            std::fs::write(workspace.join(layout).join("index.json"), index).unwrap();
        }
    }
    std::fs::create_dir(workspace.join("leaving")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", workspace.join("leaving/index.json")).unwrap();
    let mut context = run("push");
    context.paths.workspace.clone_from(&workspace);
    let mut findings = Findings::default();
    let found = read(lines, &Shared::new(&context.paths), &context, &mut findings);
    let shown = |named: &NamedContext| {
        let source = match &named.source {
            NamedSource::Directory(path) => {
                format!("dir {}", path.strip_prefix(&workspace).unwrap().display())
            }
            NamedSource::Remote(url) => url.clone(),
            NamedSource::OciLayout { directory, digest } => {
                format!("{} {digest}", directory.strip_prefix(&workspace).unwrap().display())
            }
        };
        format!("{} = {source}", named.name)
    };
    (found.iter().map(shown).collect(), findings.faults)
}

#[test]
fn sources() {
    let one = format!("x = one {DIGEST}");
    for (line, expected) in [
        ("lib=directory", "lib = dir directory"),
        ("root=.", "root = dir "),
        ("Base=docker-image://alpine:3.22", "base = docker-image://alpine:3.22"),
        ("docker.io/library/alpine:latest=docker-image://acme/alpine", "alpine = docker-image://acme/alpine"),
        ("alpine:3.20=directory", "alpine:3.20 = dir directory"),
        ("src=https://github.com/acme/shop.git#v1:lib", "src = https://github.com/acme/shop.git#v1:lib"),
        ("src=https://files.example/x.tar.gz", "src = https://files.example/x.tar.gz"),
        ("x=oci-layout://one", &one),
        ("x=oci-layout://two", &format!("x = two {DIGEST}")),
        ("x=oci-layout://two:v1", &format!("x = two {OTHER}")),
        (&format!("x=oci-layout://unnamed@{OTHER}"), &format!("x = unnamed {OTHER}")),
        (&format!("x=oci-layout://two:v1@{DIGEST}"), &format!("x = two {DIGEST}")),
    ] {
        assert_eq!(given(line), (vec![expected.to_owned()], vec![]), "{line}");
    }
}

#[test]
fn wrong_lines() {
    for (line, part) in [
        ("lib", "line 1 has no `=`"),
        ("a b=directory", "`a b` cannot name a context"),
        ("=directory", "cannot name a context"),
        ("x=nothing", "`nothing` is not in the workspace"),
        ("x=../..", "leads out of the workspace"),
        ("x=/etc", "leads out"),
        ("x=target:build", "`target` is not a source of a context here"),
        ("x=s3://bucket", "`s3` is not a source"),
        ("x=docker-image://a b", "not a reference to an image"),
        ("x=https://u:hunter2@h/x.git", "holds credentials"),
        ("x=oci-layout://directory", "`directory/index.json` does not exist"),
        ("x=oci-layout://two:v2", "has no image `v2` among its 2"),
        // Even where there is one image only.
        ("x=oci-layout://./one:any", "has no image `any` among its 1"),
        ("x=oci-layout://unnamed", "has no image `latest` among its 2"),
        ("x=oci-layout://empty", "is empty"),
        ("x=oci-layout://broken", "`index.json` that is not valid"),
        ("x=oci-layout://wrong", "`index.json` that is not valid"),
        ("x=oci-layout://leaving", "leads out"),
        ("x=oci-layout://one@sha256:1", "is not a digest"),
        ("x=directory\nX=.", "`x` is given twice"),
    ] {
        let (_, faults) = given(line);
        let [fault] = faults.as_slice() else { panic!("{line}: {faults:?}") };
        assert!(fault.input == INPUT && fault.message.contains(part), "{line}: {fault}");
        assert!(!fault.to_string().contains("hunter2"));
    }
}
