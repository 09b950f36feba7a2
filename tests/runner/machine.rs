//! The runner's machine: its work directory, the files that it prepares for a step, and the variables that it sets.
//!
//! Obeys `ContainerActionHandler.cs`, `GitHubContext.cs` and `FileCommandManager.cs` of actions/runner 2.336 and the
//! lay-out of a hosted Ubuntu runner: everything belongs to uid 1001.

use super::event::Event;
use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// The account that runs the runner on hosted machines, user and group.
pub const RUNNER_UID: u32 = 1001;
pub const RUNNER_GID: u32 = 1001;

/// The files that a step writes for the runner: the context's name, the file's prefix.
pub const FILE_COMMANDS: [(&str, &str); 5] = [
    ("env", "set_env_"),
    ("output", "set_output_"),
    ("path", "add_path_"),
    ("state", "save_state_"),
    ("step_summary", "step_summary_"),
];

/// One runner with one job's checkout of `owner/name`.
#[derive(Debug)]
pub struct Machine {
    /// Removed with the machine.
    root: tempfile::TempDir,
    pub repository: String,
    pub token: String,
    /// One of GitHub's own, which is thrown away after the job.
    pub hosted: bool,
    /// `GITHUB_RUN_ID`.
    pub run: u64,
    /// `GITHUB_RUN_ATTEMPT`.
    pub attempt: u64,
    /// `GITHUB_SERVER_URL`.
    pub server_url: String,
    /// `GITHUB_API_URL`.
    pub api_url: String,
    /// `ACTIONS_RESULTS_URL` and `ACTIONS_RUNTIME_TOKEN`, where the job has a cache service.
    pub cache: Option<(String, String)>,
    /// `RUNNER_NAME`: no two runners of one server share it, and each has one job at a time.
    pub runner: String,
    steps: std::cell::Cell<u32>,
}

impl Machine {
    /// An empty machine under the system's temporary directory.
    pub fn new(repository: &str) -> Self {
        let root = tempfile::Builder::new().prefix("runner-").tempdir().expect("a temporary directory");
        // The runner's own directories are readable by all.
        std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755))
            .expect("a temporary directory of ours");
        let token = "ghs_0123456789abcdefghijABCDEFGHIJ012345".to_owned();
        let machine = Self {
            root,
            repository: repository.to_owned(),
            token,
            hosted: true,
            run: 19_537_654_321,
            attempt: 1,
            server_url: "https://github.com".to_owned(),
            // Refuses at once, where the name of the real one would be waited for.
            api_url: "http://127.0.0.1:1".to_owned(),
            cache: None,
            runner: format!("GitHub Actions {}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
            steps: std::cell::Cell::new(0),
        };
        for dir in ["_github_home", "_github_workflow", "_runner_file_commands"] {
            std::fs::create_dir_all(machine.temp().join(dir)).expect("a runner's directory");
        }
        std::fs::create_dir_all(machine.workspace()).expect("a workspace");
        machine.own();
        machine
    }

    fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// `RUNNER_TEMP` on the host.
    pub fn temp(&self) -> PathBuf {
        self.work().join("_temp")
    }

    /// `RUNNER_WORKSPACE` on the host: the workspace's parent.
    pub fn pipeline(&self) -> PathBuf {
        self.work().join(self.name())
    }

    /// `GITHUB_WORKSPACE` on the host.
    pub fn workspace(&self) -> PathBuf {
        self.pipeline().join(self.name())
    }

    fn name(&self) -> &str {
        self.repository.split_once('/').map_or(self.repository.as_str(), |(_, name)| name)
    }

    /// Gives everything to the runner's account, as checkout leaves it. Only root can.
    pub fn own(&self) {
        own(&self.work());
    }

    /// Fresh file-command files and the event's payload; the variables' host paths by context name.
    pub fn prepare_step(&self, event: &Event) -> BTreeMap<&'static str, PathBuf> {
        let number = self.steps.get() + 1;
        self.steps.set(number);
        let payload = self.temp().join("_github_workflow/event.json");
        std::fs::write(&payload, event.payload.to_string()).expect("an event payload");
        own(&payload);
        let mut files = BTreeMap::from([("event_path", payload)]);
        for (context, prefix) in FILE_COMMANDS {
            let path = self.temp().join("_runner_file_commands").join(format!("{prefix}{number:08x}-step"));
            std::fs::write(&path, "").expect("a file-command file");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("a file of ours");
            own(&path);
            files.insert(context, path);
        }
        files
    }

    /// `GITHUB_GRAPHQL_URL`: an Enterprise Server's is beside its REST API, not below it.
    pub fn graphql_url(&self) -> String {
        format!("{}/graphql", self.api_url.strip_suffix("/v3").unwrap_or(&self.api_url))
    }

    /// `GITHUB_*`, `RUNNER_*` and `ACTIONS_*`, with host paths.
    pub fn variables(
        &self,
        event: &Event,
        files: &BTreeMap<&'static str, PathBuf>,
    ) -> BTreeMap<String, String> {
        let (ref_type, ref_name) = event.ref_name();
        let (owner, _) = self.repository.split_once('/').unwrap_or((&self.repository, ""));
        let workflow = format!("{}/.github/workflows/docker.yaml@{}", self.repository, event.reference);
        let mut all = BTreeMap::new();
        let mut set = |key: &str, value: &str| all.insert(key.to_owned(), value.to_owned());
        for (key, value) in [
            ("ACTION", "__org_docker-push-action"),
            ("ACTION_PATH", ""),
            ("ACTION_REF", "v1"),
            ("ACTION_REPOSITORY", "org/docker-push-action"),
            ("ACTOR", &event.actor),
            ("ACTOR_ID", "583231"),
            ("API_URL", &self.api_url),
            ("BASE_REF", &event.base_ref),
            ("EVENT_NAME", &event.name),
            ("GRAPHQL_URL", &self.graphql_url()),
            ("HEAD_REF", &event.head_ref),
            ("JOB", "docker"),
            ("REF", &event.reference),
            ("REF_NAME", ref_name),
            ("REF_PROTECTED", "false"),
            ("REF_TYPE", ref_type),
            ("REPOSITORY", &self.repository),
            ("REPOSITORY_ID", "123456789"),
            ("REPOSITORY_OWNER", owner),
            ("REPOSITORY_OWNER_ID", "1001"),
            ("RETENTION_DAYS", "90"),
            ("RUN_ATTEMPT", &self.attempt.to_string()),
            ("RUN_ID", &self.run.to_string()),
            ("RUN_NUMBER", "12"),
            ("SERVER_URL", &self.server_url),
            ("SHA", &event.sha),
            ("TRIGGERING_ACTOR", &event.actor),
            ("WORKFLOW", "Docker"),
            ("WORKFLOW_REF", &workflow),
            ("WORKFLOW_SHA", &event.sha),
            ("WORKSPACE", &self.workspace().display().to_string()),
        ] {
            set(&format!("GITHUB_{key}"), value);
        }
        for (context, path) in files {
            set(&format!("GITHUB_{}", context.to_uppercase()), &path.display().to_string());
        }
        let arch = if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" };
        for (key, value) in [
            ("OS", "Linux"),
            ("ARCH", arch),
            ("NAME", &self.runner),
            ("ENVIRONMENT", if self.hosted { "github-hosted" } else { "self-hosted" }),
            ("TOOL_CACHE", "/opt/hostedtoolcache"),
            ("TEMP", &self.temp().display().to_string()),
            ("WORKSPACE", &self.pipeline().display().to_string()),
        ] {
            set(&format!("RUNNER_{key}"), value);
        }
        set("ACTIONS_RUNTIME_URL", "https://pipelinesghubeus1.actions.githubusercontent.invalid/abc/");
        // A container action is told of the service, but not that it is of version 2.
        match &self.cache {
            Some((url, token)) => {
                set("ACTIONS_RUNTIME_TOKEN", token);
                set("ACTIONS_RESULTS_URL", url);
            }
            None => {
                set("ACTIONS_RUNTIME_TOKEN", RUNTIME_TOKEN);
            }
        }
        all
    }

    /// What the server hides from the log before the step says a word.
    pub fn secrets(&self) -> Vec<String> {
        let runtime = self.cache.as_ref().map_or(RUNTIME_TOKEN, |(_, token)| token);
        vec![self.token.clone(), runtime.to_owned()]
    }
}

/// Of the next runner.
static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1_000_000_042);

/// `ACTIONS_RUNTIME_TOKEN`: no real one, but long and hidden as real ones are.
pub const RUNTIME_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.cnVudGltZS10b2tlbi1vZi10aGUtam9i.c2lnbmF0dXJl";

/// Gives `path` and what is below it to the runner's account; links are not followed.
pub fn own(path: &Path) {
    let _ = std::os::unix::fs::lchown(path, Some(RUNNER_UID), Some(RUNNER_GID));
    if path.is_symlink() {
        return;
    }
    let _ = chown(path, Some(RUNNER_UID), Some(RUNNER_GID));
    if let Ok(entries) = std::fs::read_dir(path) {
        for entry in entries.flatten() {
            own(&entry.path());
        }
    }
}
