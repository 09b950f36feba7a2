//! Dockerfiles on disk and in remote contexts.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::files_tests_support::{Checkout, checkout};
use super::*;

fn find(checkout: &Checkout, text: &str, beside: &str) -> Result<(Dockerfile, Option<Notice>), InputFault> {
    on_disk(text, &checkout.workspace, &checkout.workspace.join(beside), &checkout.paths)
}

#[test]
fn dockerfiles() {
    let checkout = checkout();
    let absolute = checkout.workspace.join("docker/prod").display().to_string();
    for (text, beside, directory, file_name, warned) in [
        ("", "", "", "Dockerfile", false),
        ("", "apps/web", "", "Dockerfile", false),
        ("", "apps/api", "", "Dockerfile", true),
        ("apps/api/Dockerfile", "apps/api", "apps/api", "Dockerfile", false),
        ("web.Dockerfile", "apps/web", "apps/web", "web.Dockerfile", false),
        ("../api/Dockerfile", "apps/web", "apps/api", "Dockerfile", false),
        ("linked", "", "docker", "prod", false),
        (absolute.as_str(), "", "docker", "prod", false),
        ("/home/runner/work/shop/shop/docker/prod", "apps/api", "docker", "prod", false),
    ] {
        let (found, notice) = find(&checkout, text, beside).unwrap();
        let directory: PathBuf = checkout.workspace.join(directory).components().collect();
        assert_eq!(
            (found.directory, found.file_name.as_str()),
            (Some(directory), file_name),
            "{text} {beside}"
        );
        assert_eq!(notice.is_some(), warned, "{text} {beside}");
    }
    let (found, notice) = find(&checkout, "", "apps/api").unwrap();
    assert_eq!(found.in_workspace, "Dockerfile");
    let notice = notice.unwrap().message;
    assert_eq!(
        notice,
        "`dockerfile`: both `Dockerfile` and `apps/api/Dockerfile` exist; the first, from the workspace, is used"
    );
}

#[test]
fn a_long_name_stays_whole() {
    let checkout = checkout();
    let name = format!("{}/{}.Dockerfile", "d".repeat(120), "f".repeat(120));
    fs::create_dir(checkout.workspace.join("d".repeat(120))).unwrap();
    fs::write(checkout.workspace.join(&name), "FROM scratch").unwrap();
    assert_eq!(find(&checkout, &name, "").unwrap().0.in_workspace, name);
    let not_utf8 = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff");
    fs::write(checkout.workspace.join(not_utf8), "FROM scratch").unwrap();
    symlink(not_utf8, checkout.workspace.join("to_bytes")).unwrap();
    assert!(find(&checkout, "to_bytes", "").unwrap_err().message.contains("not UTF-8"));
}

#[test]
fn dockerfiles_that_are_none() {
    let checkout = checkout();
    for (text, beside, part) in [
        ("no.Dockerfile", "", "`no.Dockerfile` does not exist; tried `no.Dockerfile` in the workspace"),
        ("no", "apps/api", "`no` does not exist; tried `no` and `apps/api/no` in the workspace"),
        ("../api/none", "apps/web", "`../api/none` does not exist; tried `apps/api/none` in the workspace"),
        ("../../../outside/Dockerfile", "apps/web", "leads out"),
        ("apps", "", "is a directory"),
        ("docker/", "", "is a directory"),
        ("leaving", "", "leads out of the workspace"),
        ("leaving_directory/Dockerfile", "", "leads out"),
        ("../outside/Dockerfile", "", "leads out"),
        ("/etc/passwd", "", "leads out"),
        ("/dev/null", "", "leads out"),
        ("dangling", "", "does not exist"),
        ("loop", "", "cannot be read"),
    ] {
        let fault = find(&checkout, text, beside).unwrap_err();
        assert!(fault.input == "dockerfile" && fault.message.contains(part), "{text}: {fault}");
    }
    // A socket is neither opened nor waited for.
    let _socket = std::os::unix::net::UnixListener::bind(checkout.workspace.join("socket")).unwrap();
    assert!(find(&checkout, "socket", "").unwrap_err().message.contains("not a regular file"));
    // A file that may not be read; root may read everything, so there the open succeeds.
    fs::set_permissions(checkout.workspace.join("docker/prod"), fs::Permissions::from_mode(0o000)).unwrap();
    let readable = fs::File::open(checkout.workspace.join("docker/prod")).is_ok();
    assert_eq!(find(&checkout, "docker/prod", "").is_ok(), readable);
}

/// BuildKit opens them as they are: the build hung for good.
#[test]
fn ignore_files_that_are_none() {
    for name in [".dockerignore", "Dockerfile.dockerignore"] {
        let checkout = checkout();
        let _socket = std::os::unix::net::UnixListener::bind(checkout.workspace.join("socket")).unwrap();
        symlink("socket", checkout.workspace.join(name)).unwrap();
        let fault = find(&checkout, "", "").unwrap_err();
        assert_eq!(fault.message, format!("`{name}` is not a regular file"));
        assert!(find(&checkout, "docker/prod", "apps/web").is_ok());
    }
}

#[test]
fn an_empty_workspace_asks_for_a_checkout() {
    let checkout = checkout();
    let empty = checkout.root.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let empty = fs::canonicalize(empty).unwrap();
    let paths = Paths { workspace: empty.clone(), ..Paths::default() };
    let fault = on_disk("", &empty, &empty, &paths).unwrap_err();
    assert!(fault.hint.unwrap().contains("actions/checkout"));
}

#[test]
fn dockerfiles_of_remote_contexts() {
    for (text, path) in
        [("", "Dockerfile"), ("./docker//prod", "docker/prod"), ("a/Dockerfile", "a/Dockerfile")]
    {
        let dockerfile = in_remote_context(text).unwrap();
        assert_eq!((dockerfile.directory, dockerfile.file_name.as_str()), (None, path));
    }
    for (text, part) in
        [("/x", "absolute"), ("../x", "leads out"), ("a/../../x", "leads out"), ("./", "names no file")]
    {
        assert!(in_remote_context(text).unwrap_err().message.contains(part), "{text}");
    }
}
