//! Bad input for what an image has to pass and for what else is made of it: an error that names the input and what it takes,
//! before anything is built, pushed or written.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::job::{Job, parts};
use crate::runner::log::Level;
use crate::runner::step::StepResult;

/// Inputs, and what their errors name.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

/// Every file, with when it was changed.
fn files(directory: &Path) -> BTreeMap<PathBuf, std::time::SystemTime> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path));
        }
        found.insert(path.clone(), std::fs::symlink_metadata(&path).unwrap().modified().unwrap());
    }
    found
}

/// What is wrong with how these inputs were refused; nothing, if nothing is.
fn fault(job: &Job, inputs: &[(&str, &str)], wanted: &[&str]) -> Option<String> {
    let mut step = job.native();
    step.inputs.extend(inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let before = files(&job.machine.workspace());
    let result: StepResult = step.run();
    let errors = result.errors();
    let missing = wanted.iter().find(|part| !errors.contains(**part));
    let bad = if result.success || result.of(Level::Error).is_empty() {
        "it has not failed with an error".to_owned()
    } else if let Some(part) = missing {
        format!("`{part}` is not named")
    } else if result.summary.contains("load build definition") || result.log().contains("panicked") {
        "something was built".to_owned()
    } else if files(&job.machine.workspace()) != before {
        "something was written".to_owned()
    } else if !parts().open_registry().tags(&job.repository()).is_empty() {
        "something was pushed".to_owned()
    } else {
        return None;
    };
    Some(format!("{inputs:?}: {bad}: {errors}\n{}", result.log()))
}

#[test]
fn each_is_refused_by_name_with_what_it_takes() {
    let job = Job::usual("bad-exports");
    let workspace = job.machine.workspace();
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), workspace.join("away")).unwrap();
    symlink(outside.path().join("api.tar"), workspace.join("away.tar")).unwrap();
    std::fs::create_dir(workspace.join("directory.tar")).unwrap();
    let elsewhere = outside.path().join("api.tar").display().to_string();
    let out = "leads out of the workspace";
    let by_link = "leads out of the workspace by a link";
    let cases: &[Case<'_>] = &[
        (&[("archive", "../api.tar")], &["input `archive`: `../api.tar`", out]),
        (&[("archive", &elsewhere)], &["input `archive`", out]),
        (&[("archive", "away/api.tar")], &["input `archive`", by_link]),
        (&[("archive", "away.tar")], &["input `archive`", by_link]),
        (&[("archive", "directory.tar")], &["input `archive`", "is a directory"]),
        (
            &[("archive", "api.tgz")],
            &["input `archive`", "none of `.tar`, `.tar.gz`, `.tar.zst`", "dist/api.tar.gz"],
        ),
        (&[("archive", "a.tar\nb.tar")], &["input `archive`", "more than one line"]),
        (&[("outputs", "type=local,dest=../dist")], &["input `outputs`", out]),
        (&[("outputs", "type=oci,dest=away/a.tar")], &["input `outputs`", by_link]),
        (&[("outputs", "type=tar")], &["input `outputs`: `type=tar` has no `dest`", "type=tar,dest="]),
        (&[("outputs", "type=squashfs,dest=a")], &["input `outputs`", "`local`, `tar`, `oci` and `docker`"]),
        (&[("outputs", "type=tar,dest=-")], &["input `outputs`", "cannot be written to `-`"]),
        (&[("outputs", "dist\ntype=local,dest=dist")], &["input `outputs`", "two entries write to"]),
        (&[("outputs", "type=image,name=r.io/a:1,push=true")], &["input `outputs`", "`tags` say where"]),
        (&[("outputs", "type=docker,dest=a.tar")], &["`outputs`", "`type=docker`", "one platform"]),
        (&[("compression", "brotli")], &["input `compression`", "`gzip`, `zstd`, `estargz`, `uncompressed`"]),
        (&[("compression", "gzip:99")], &["input `compression`", "0 to 9"]),
        (&[("compression", "zstd,always")], &["input `compression`", "only `force` is"]),
        (&[("load", "yes")], &["input `load`", "`true` or `false`"]),
        (&[("verify", "ok\nsh -c 'no end")], &["input `verify`: line 2, column 7", "has no end"]),
        (&[("verify", "a && b")], &["input `verify`", "`&&` means something to a shell", "sh -c"]),
        (
            &[("verify", "true"), ("verify_platforms", "linux/s390x")],
            &["input `verify_platforms`", "`platform` has"],
        ),
        (
            &[("verify", "true"), ("verify_platforms", "linux/amd46")],
            &["input `verify_platforms`", "not a known platform"],
        ),
        (&[("verify", "true"), ("verify_env", "two words")], &["input `verify_env`", "KEY=value"]),
        (&[("verify", "true"), ("verify_network", "container:db")], &["input `verify_network`", "`bridge`"]),
        (
            &[("verify", "healthcheck"), ("verify_network", "host")],
            &["input `verify_network`", "`healthcheck`"],
        ),
        (&[("verify", "true"), ("verify_timeout", "0")], &["input `verify_timeout`", "leaves no time"]),
        (&[("verify", "true"), ("verify_timeout", "soon")], &["input `verify_timeout`", "90s"]),
        (
            &[("mode", "check"), ("check_level", "strict")],
            &["input `check_level`", "`error`, `warning`, `none`"],
        ),
        // One run names all of them.
        (
            &[
                ("archive", "api.zip"),
                ("outputs", "-"),
                ("compression", "xz"),
                ("load", "1"),
                ("verify", "it's"),
            ],
            &["input `archive`", "input `outputs`", "input `compression`", "input `load`", "input `verify`"],
        ),
    ];
    let faults: Vec<String> =
        cases.iter().filter_map(|(inputs, wanted)| fault(&job, inputs, wanted)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

/// Whether it could be run is known before the build.
#[test]
fn a_foreign_platform_that_nothing_here_runs_is_refused_before_the_build() {
    let files =
        [("Dockerfile", "FROM scratch\nCOPY greeting /\nCMD [\"/greeting\"]\n"), ("greeting", "hello\n")];
    let job = Job::new("verify-foreign", &files);
    let foreign = [
        ("platform", "linux/amd64,linux/s390x"),
        ("verify", "true"),
        ("verify_platforms", "linux/s390x"),
        ("emulation", "off"),
    ];
    let wanted = ["linux/s390x", "verify", "`emulation`"];
    assert_eq!(fault(&job, &foreign, &wanted), None);
}

#[test]
fn an_image_by_a_digest_that_is_gone_gets_no_tag() {
    let job = Job::usual("tag-gone");
    let gone = format!("sha256:{}", "0".repeat(64));
    let from = format!("{}/{}@{gone}", parts().localhost(), job.repository());
    let inputs = [("mode", "tag"), ("from", from.as_str()), ("tags", "release")];
    assert_eq!(fault(&job, &inputs, &["`from`", &gone, "it is not there"]), None);
}
