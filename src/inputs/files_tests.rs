//! Contexts on disk.

use super::super::files_tests_support::checkout;
use super::*;

#[test]
fn contexts() {
    let checkout = checkout();
    let absolute = checkout.workspace.join("apps/api").display().to_string();
    for (text, expected) in [
        ("", ""),
        (".", ""),
        ("./apps/../apps/api/", "apps/api"),
        (absolute.as_str(), "apps/api"),
        ("/home/runner/work/shop/shop", ""),
        ("/home/runner/work/shop/shop/apps/api", "apps/api"),
        ("/home/runner/work/shop/shop/apps/../docker", "docker"),
    ] {
        let found = context("context", text, &checkout.workspace, &checkout.paths).unwrap();
        assert_eq!(found, checkout.workspace.join(expected).components().collect::<PathBuf>(), "{text}");
    }
    for (text, part) in [
        ("..", "leads out of the workspace"),
        ("../outside", "leads out"),
        ("../nothing-there", "leads out"),
        ("apps/../../outside", "leads out"),
        ("/", "leads out"),
        ("/etc", "leads out"),
        ("/home/runner/work/shop/shop/../../x", "leads out"),
        ("leaving_directory", "leads out"),
        ("Dockerfile", "is not a directory"),
        ("linked", "is not a directory"),
        ("nothing", "`nothing` is not in the workspace"),
        ("dangling", "is not in the workspace"),
        ("leaving_for_nothing", "leads out of the workspace by a link, to `/nothing/there`"),
        ("leaving_for_nothing/x", "leads out of the workspace by a link, to `/nothing/there/x`"),
        ("Dockerfile/x", "is not in the workspace"),
        ("loop", "cannot be read"),
    ] {
        let fault = context("context", text, &checkout.workspace, &checkout.paths).unwrap_err();
        assert!(fault.input == "context" && fault.message.contains(part), "{text}: {fault}");
    }
}

#[test]
fn a_workspace_that_is_gone_cannot_be_read() {
    let checkout = checkout();
    let gone = Paths { workspace: checkout.workspace.join("gone"), ..Paths::default() };
    assert!(workspace(&gone).unwrap_err().message.contains("cannot be read"));
}
