//! The build context as BuildKit's own clients send it: what we built, `docker buildx build` finds in the cache.

use crate::builder::{goes_with_its_step, not_here, of_buildx, takes_any_name};
use crate::job::{Job, parts};
use crate::runner::parts::try_docker;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

const DOCKERFILE: &str = "ARG BASE
FROM ${BASE}
COPY . /all
COPY modes /modes
COPY links /links
COPY --chown=1:2 deep/a/*.txt /globbed/
COPY deep/**/b /stars
COPY odd /odd
";

const IGNORE: &str = "# comments, negations, stars
*.log
!keep.log
**/cache
!deep/cache/keep
deep/**/*.tmp
/rooted
odd/*
!odd/spa*
Dockerfile.ignored

  trimmed.txt  \n";

/// A tree with what contexts can hold.
fn tree(root: &Path) {
    let file = |path: &str, text: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    file("Dockerfile", DOCKERFILE);
    file(".dockerignore", IGNORE);
    for path in [
        "a.log",
        "keep.log",
        "rooted",
        "deep/rooted",
        "trimmed.txt",
        "deep/cache/keep",
        "deep/cache/drop",
        "cache/x",
        "deep/a/one.txt",
        "deep/a/two.txt",
        "deep/a/x.tmp",
        "deep/b/c/x.tmp",
        "deep/c/b/d",
        "deep/e/f/b/g",
        "odd/plain",
        "odd/space d",
        "odd/spa\u{e9}\u{2603}",
        "links/target",
        "modes/plain",
        "modes/setuid",
        "modes/sticky/x",
        "empty/.keep",
        "a-b/1",
        "a/1",
        "a.b/1",
        "a0/1",
    ] {
        file(path, path);
    }
    std::fs::create_dir_all(root.join("empty-dir")).unwrap();
    for (path, mode) in
        [("modes/setuid", 0o4755), ("modes/plain", 0o640), ("modes/sticky", 0o1777), ("modes", 0o750)]
    {
        std::fs::set_permissions(root.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink("target", root.join("links/relative")).unwrap();
    symlink("/etc/passwd", root.join("links/absolute")).unwrap();
    symlink("../nowhere", root.join("links/dangling")).unwrap();
    symlink("../deep", root.join("links/directory")).unwrap();
    std::fs::hard_link(root.join("links/target"), root.join("links/hard")).unwrap();
    std::fs::hard_link(root.join("deep/a/one.txt"), root.join("a/hard")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(root.join("links/fifo")).status().unwrap();
    assert!(made.success());
    if takes_any_name() {
        std::fs::write(root.join(OsStr::from_bytes(b"links/caf\xe9")), "coffee").unwrap();
        symlink(OsStr::from_bytes(b"caf\xe9"), root.join("links/to_bytes")).unwrap();
    }
    // Not every file system takes attributes of users; where it does, they are part of the cache key.
    for (path, name, value) in [("modes/plain", "user.note", "one"), ("modes/setuid", "user.note", "two")] {
        let _ =
            rustix::fs::setxattr(root.join(path), name, value.as_bytes(), rustix::fs::XattrFlags::empty());
    }
}

#[test]
fn buildx_finds_every_copy_cached() {
    let Some(builder) = of_buildx() else { return not_here("the builder is gone when buildx would look") };
    let job = Job::new("parity", &[("README.md", "# Parity\n")])
        .input("platform", "linux/amd64")
        .input("context", "tree")
        .input("dockerfile", "tree/Dockerfile");
    let root = job.machine.workspace().join("tree");
    tree(&root);
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let output = try_docker(&[
        "buildx",
        "build",
        "--builder",
        builder,
        "--progress",
        "plain",
        "--platform",
        "linux/amd64",
        "--build-arg",
        &format!("BASE={}", parts().base),
        "--output",
        "type=cacheonly",
        &root.display().to_string(),
    ]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    let mut copies = 0;
    for (number, step) in
        log.lines().filter_map(|line| line.split_once(' ')).filter(|(_, rest)| rest.contains("] COPY "))
    {
        copies += 1;
        assert!(log.contains(&format!("\n{number} CACHED")), "{number} {step} ran again:\n{log}");
    }
    assert!(copies >= 6, "{log}");
}

#[test]
fn what_changed_is_sent_and_what_did_not_is_not() {
    if goes_with_its_step() {
        return not_here("each step has a builder of its own, which has built nothing before");
    }
    let parts = parts();
    let job = Job::usual("delta").input("platform", "linux/amd64");
    let first = job.run();
    assert!(first.success, "{}", first.log());
    std::fs::write(job.machine.workspace().join("greeting"), "hello again\n").unwrap();
    let second = job.run();
    assert!(second.success, "{}", second.log());
    assert_ne!(first.outputs["digest"], second.outputs["digest"]);
    let image = format!("{}/{}@{}", parts.registry, job.repository(), second.outputs["digest"]);
    let output = crate::runner::parts::docker(&["run", "--rm", "--quiet", &image]);
    assert_eq!(output, "built for amd64\nhello again");
}

#[test]
fn a_dockerfile_has_its_own_ignore_file() {
    let parts = parts();
    let job = Job::new(
        "own-ignore",
        &[
            ("api.Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY . /src\n"),
            ("api.Dockerfile.dockerignore", ".git\nsecret\n"),
            (".dockerignore", "wanted\n"),
            ("secret", "x"),
            ("wanted", "x"),
        ],
    )
    .input("platform", "linux/amd64")
    .input("dockerfile", "api.Dockerfile");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let image = format!("{}/{}@{}", parts.registry, job.repository(), result.outputs["digest"]);
    let inside = crate::runner::parts::docker(&["run", "--rm", "--quiet", &image, "ls", "-A", "/src"]);
    assert!(inside.lines().any(|name| name == "wanted") && !inside.contains("secret\n"), "{inside}");
    assert!(!inside.lines().any(|name| name == "secret" || name == ".git"), "{inside}");
}

#[test]
fn a_file_name_that_is_no_text_is_built_or_named() {
    let job = Job::new("bytes", &[("Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY . /all\n")])
        .input("platform", "linux/amd64");
    let name = OsStr::from_bytes(b"caf\xe9.txt");
    std::fs::write(job.machine.workspace().join(name), "coffee").unwrap();
    let result = job.run();
    if !takes_any_name() {
        assert!(!result.success && job.tags().is_empty(), "{}", result.log());
        assert!(result.errors().contains(r"`caf\xe9.txt` has a name"), "{}", result.errors());
        return;
    }
    assert!(result.success, "{}", result.log());
    let image = format!("{}/{}@{}", parts().registry, job.repository(), result.outputs["digest"]);
    let shell = "cat \"$(printf '/all/caf\\351.txt')\"";
    assert_eq!(
        crate::runner::parts::docker(&["run", "--rm", "--quiet", &image, "sh", "-c", shell]),
        "coffee"
    );
}

#[test]
fn no_credentials_of_the_checkout_reach_an_image() {
    let job =
        Job::new("blanked", &[("Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY . /all\n"), ("app/main", "x")])
            .input("platform", "linux/amd64");
    let workspace = job.machine.workspace();
    let config = workspace.join(".git/config");
    let mut text = std::fs::read_to_string(&config).unwrap();
    text += "[core]\n\tsshCommand = sshpass -p TOPSECRET ssh\n[http]\n\textraheader = basic TOPSECRET\n\
             [include]\n\tpath = ../app/auth\n";
    std::fs::write(&config, text).unwrap();
    std::fs::write(workspace.join("app/auth"), "\u{feff}[http] extraheader = TOPSECRET\n").unwrap();
    std::fs::create_dir_all(workspace.join(".git/remotes")).unwrap();
    std::fs::write(workspace.join(".git/remotes/old"), "URL: https://x:TOPSECRET@example.com/a\n").unwrap();
    std::fs::hard_link(&config, workspace.join(".a-copy")).unwrap();
    std::fs::write(workspace.join("own"), "NOTOURS\n").unwrap();
    let result = job.run();
    assert!(result.success, "{}", result.log());
    for path in [".a-copy", ".git/remotes/old", "app/auth"] {
        assert!(result.log().contains(&format!("credentials in `{path}`")), "{path}: {}", result.log());
    }
    let image = format!("{}/{}@{}", parts().registry, job.repository(), result.outputs["digest"]);
    let search =
        ["run", "--rm", "--quiet", &image, "grep", "-rl", "-e", "TOPSECRET", "-e", "NOTOURS", "/all"];
    assert_eq!(crate::runner::parts::docker(&search), "/all/own");
}

/// Each of these hung the step for good.
#[test]
fn a_pipe_in_the_git_directory_is_not_waited_for() {
    for name in [".git/config", ".git/HEAD"] {
        let job = Job::usual("pipe").input("platform", "linux/amd64");
        let path = job.machine.workspace().join(name);
        std::fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let result = job.run();
        assert!(result.success, "{}", result.log());
        assert!(result.log().contains(&format!("`{name}` is not a regular file")), "{}", result.log());
    }
}
