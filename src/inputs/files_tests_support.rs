//! A checkout with everything in it that must not be built.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::runner::context::Paths;

/// A workspace, and what lies beside it.
pub(super) struct Checkout {
    /// Holds the workspace and what is outside.
    pub root: tempfile::TempDir,
    pub paths: Paths,
    pub workspace: PathBuf,
}

/// Makes such a checkout.
pub(super) fn checkout() -> Checkout {
    let root = tempfile::tempdir().unwrap();
    let workspace = fs::canonicalize(root.path()).unwrap().join("workspace");
    for directory in ["apps/api", "apps/web", "docker"] {
        fs::create_dir_all(workspace.join(directory)).unwrap();
    }
    fs::create_dir(root.path().join("outside")).unwrap();
    fs::write(root.path().join("outside/Dockerfile"), "FROM scratch").unwrap();
    for file in ["Dockerfile", "apps/api/Dockerfile", "apps/web/web.Dockerfile", "docker/prod"] {
        fs::write(workspace.join(file), "FROM scratch").unwrap();
    }
    symlink("docker/prod", workspace.join("linked")).unwrap();
    symlink("../outside/Dockerfile", workspace.join("leaving")).unwrap();
    symlink("../outside", workspace.join("leaving_directory")).unwrap();
    symlink("nowhere", workspace.join("dangling")).unwrap();
    symlink("/nothing/there", workspace.join("leaving_for_nothing")).unwrap();
    symlink("loop", workspace.join("loop")).unwrap();
    let paths = Paths {
        workspace: workspace.clone(),
        host_workspace: Some("/home/runner/work/shop/shop".into()),
        ..Paths::default()
    };
    Checkout { root, paths, workspace }
}
