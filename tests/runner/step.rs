//! One step with a container action: started, read, cancelled and judged as the runner does it.
//!
//! Obeys `DockerCommandManager.DockerRun`, `ContainerActionHandler.cs` and `ProcessInvoker.cs` of actions/runner
//! 2.336. One thing differs: the engine's own socket is mounted in the place of `/var/run/docker.sock`.
//! [`Launch::Native`] starts the binary on the host instead, for what needs no container.

use super::action::{self, Action};
use super::event::Event;
use super::files::{self, LineSplitter};
use super::log::{Annotation, Group, Level, Log};
use super::machine::Machine;
use super::paths::PathMap;
use super::wait::PATIENCE;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long the runner waits after SIGINT, and then after SIGTERM.
pub const SIGINT_TIMEOUT: Duration = Duration::from_millis(7500);
pub const SIGTERM_TIMEOUT: Duration = Duration::from_millis(2500);
/// How long the runner waits for the pipes after the process has ended.
const PIPE_TIMEOUT: Duration = Duration::from_secs(5);

/// What is started.
#[derive(Debug, Clone)]
pub enum Launch {
    /// An image of the engine, with `docker run` and the runner's mounts.
    Image(String),
    /// A binary on this machine, with the same variables and host paths.
    Native(PathBuf),
}

/// A step as a workflow describes it, with everything that the job gives to it.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    pub machine: &'a Machine,
    pub action: &'a Action,
    pub launch: Launch,
    pub event: Event,
    /// `with:`.
    pub inputs: BTreeMap<String, String>,
    /// `env:` of workflow, job and step.
    pub env: BTreeMap<String, String>,
    /// The job's network, when it has `container:` or `services:`.
    pub network: Option<String>,
    /// What is mounted at `/var/run/docker.sock`.
    pub socket: PathBuf,
    /// Secrets of the workflow that the server hides in the log.
    pub secrets: Vec<String>,
    /// Arguments before everything else: how the bench measures a process.
    pub wrapper: Vec<String>,
}

/// The signal that ended a cancelled step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    No,
    Sigint,
    Sigterm,
    Sigkill,
}

/// What GitHub would know about the step afterwards.
#[derive(Debug, Clone)]
pub struct StepResult {
    /// None when a signal ended the process.
    pub exit_code: Option<i32>,
    /// The exit code is 0 and no command failed.
    pub success: bool,
    pub outputs: BTreeMap<String, String>,
    pub state: BTreeMap<String, String>,
    /// `GITHUB_ENV` and `GITHUB_PATH`: what later steps would get.
    pub env: BTreeMap<String, String>,
    pub path: Vec<String>,
    pub annotations: Vec<Annotation>,
    /// Values that were asked to be hidden.
    pub masks: BTreeSet<String>,
    /// The log as GitHub stores it, masked.
    pub log_lines: Vec<String>,
    /// Every line as the process wrote it.
    pub raw_lines: Vec<String>,
    pub groups: Vec<Group>,
    /// Names of the commands that were carried out.
    pub commands: Vec<String>,
    /// The summary as it would be shown, masked; empty when there is none or it is too large.
    pub summary: String,
    pub duration: Duration,
    pub killed: Killed,
    /// The container's name, to look for what is left of it.
    pub container: String,
}

impl StepResult {
    /// The annotations of one level.
    pub fn of(&self, level: Level) -> Vec<&Annotation> {
        self.annotations.iter().filter(|known| known.level == level).collect()
    }

    /// The masked log as one text.
    pub fn log(&self) -> String {
        self.log_lines.join("\n")
    }

    /// All error messages, one a line.
    pub fn errors(&self) -> String {
        self.of(Level::Error).iter().map(|known| known.message.as_str()).collect::<Vec<_>>().join("\n")
    }
}

/// With `SITUATIONS=FILE`: appends the line that decides for a reader, an error's first or the log's last, after the test's name.
fn list(log: &Log) {
    let Some(file) = std::env::var_os("SITUATIONS") else { return };
    let errors = log.annotations.iter().filter(|one| one.level == Level::Error);
    let errors: Vec<&str> = errors.filter_map(|one| one.message.lines().next()).collect();
    let said =
        if errors.is_empty() { log.lines.last().cloned().unwrap_or_default() } else { errors.join(" / ") };
    let thread = std::thread::current();
    let line = format!("{}\t{said}\n", thread.name().unwrap_or_default());
    let file = std::fs::OpenOptions::new().append(true).create(true).open(file);
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a list of situations");
}

struct Shared {
    log: Log,
    raw: Vec<String>,
    readers: usize,
}

type State = Arc<(Mutex<Shared>, Condvar)>;

/// A step that is under way.
pub struct RunningStep {
    pid: u32,
    exited: Receiver<Ending>,
    state: State,
    files: BTreeMap<&'static str, PathBuf>,
    started: Instant,
    container: String,
    ended: Option<Ending>,
}

/// How the process ended, and when: what reads its log may take longer.
type Ending = (std::io::Result<std::process::ExitStatus>, Instant);

impl Step<'_> {
    /// Starts the step and waits for its end.
    pub fn run(&self) -> StepResult {
        self.start().wait()
    }

    /// Starts the step.
    pub fn start(&self) -> RunningStep {
        let files = self.machine.prepare_step(&self.event);
        let workspace = self.machine.workspace();
        let paths = PathMap::of_an_action(&self.machine.temp(), &workspace);
        let (env, unexpected) = self.environment(&files);
        let mut secrets = self.machine.secrets();
        secrets.extend(self.secrets.iter().cloned());
        let mut log = Log::new(paths.clone(), workspace.display().to_string(), &secrets);
        if !unexpected.is_empty() {
            log.line(&format!("::warning::Unexpected input(s) '{}'", unexpected.join("', '")));
        }

        let container = container_name(&self.launch, &files);
        let mut command = self.command(&container, &env, &paths);
        command.current_dir(&workspace).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|fault| panic!("starting {command:?}: {fault}"));
        let state: State =
            Arc::new((Mutex::new(Shared { log, raw: Vec::new(), readers: 2 }), Condvar::new()));
        read(child.stdout.take(), &state);
        read(child.stderr.take(), &state);
        RunningStep { pid: child.id(), exited: exit_of(child), state, files, started, container, ended: None }
    }

    /// The container's variables with host paths, in the runner's order of precedence, and the undeclared inputs.
    fn environment(
        &self,
        files: &BTreeMap<&'static str, PathBuf>,
    ) -> (BTreeMap<String, String>, Vec<String>) {
        let github =
            BTreeMap::from([("token", self.machine.token.clone()), ("actor", self.event.actor.clone())]);
        let (inputs, unexpected) = self.action.inputs(&self.inputs, &github);
        let mut env = self.env.clone();
        env.extend(inputs.iter().map(|(name, value)| (action::variable(name), value.clone())));
        for (key, value) in &self.action.runs.env {
            env.entry(key.clone()).or_insert_with(|| action::expand(value, &github, &inputs));
        }
        env.insert("HOME".to_owned(), self.machine.temp().join("_github_home").display().to_string());
        env.extend(self.machine.variables(&self.event, files));
        (env, unexpected)
    }

    fn command(&self, container: &str, env: &BTreeMap<String, String>, paths: &PathMap) -> Command {
        let program = match &self.launch {
            Launch::Image(_) => Path::new("docker"),
            Launch::Native(binary) => binary,
        };
        let mut command = match self.wrapper.split_first() {
            Some((wrapper, rest)) => {
                let mut command = Command::new(wrapper);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        match &self.launch {
            Launch::Native(_) => {
                command.env_clear().envs(env).env("GITHUB_ACTIONS", "true");
                command.env("CI", env.get("CI").map_or("true", String::as_str));
                if !env.contains_key("DOCKER_HOST") {
                    command.env("DOCKER_HOST", format!("unix://{}", self.socket.display()));
                }
                command.args(self.arguments());
            }
            Launch::Image(image) => {
                command.args([
                    "run",
                    "--name",
                    container,
                    "--label",
                    "a1b2c3",
                    "--workdir",
                    "/github/workspace",
                    "--rm",
                ]);
                for (key, value) in env {
                    // The value travels in the client's own environment, so that no argument shows it.
                    command.args(["-e", key]).env(key, paths.to_container(value));
                }
                command.args(["-e", "GITHUB_ACTIONS=true"]);
                if !env.contains_key("CI") {
                    command.args(["-e", "CI=true"]);
                }
                if let Some(entrypoint) =
                    self.action.runs.entrypoint.as_deref().filter(|path| !path.is_empty())
                {
                    command.args(["--entrypoint", entrypoint]);
                }
                if let Some(network) = &self.network {
                    command.args(["--network", network]);
                }
                command.args(["-v", &format!("{}:/var/run/docker.sock", self.socket.display())]);
                for mount in paths.mounts() {
                    command.args(["-v", &mount]);
                }
                command.arg(image).args(self.arguments());
            }
        }
        command
    }

    fn arguments(&self) -> Vec<String> {
        let github =
            BTreeMap::from([("token", self.machine.token.clone()), ("actor", self.event.actor.clone())]);
        let inputs = self.action.inputs(&self.inputs, &github).0;
        let args = self.action.runs.args.iter().flatten();
        args.map(|arg| action::expand(arg, &github, &inputs)).collect()
    }
}

impl RunningStep {
    /// Waits until the step's log has a line that `wanted` accepts; false when it ends without one.
    pub fn wait_for_line(&self, wanted: impl Fn(&str) -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let (mutex, changed) = &*self.state;
        let mut shared = lock(mutex);
        let mut seen = 0;
        loop {
            if shared.raw[seen..].iter().any(|line| wanted(line)) {
                return true;
            }
            seen = shared.raw.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || shared.readers == 0 {
                return false;
            }
            shared = changed.wait_timeout(shared, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// The process that was started: the docker client, or the action itself when it is native.
    pub fn process(&self) -> u32 {
        self.pid
    }

    /// Waits for the step's end, but no longer than `limit`; whether it has ended.
    pub fn ends_within(&mut self, limit: Duration) -> bool {
        if self.ended.is_none() {
            self.ended = self.exited.recv_timeout(limit).ok();
        }
        self.ended.is_some()
    }

    /// Waits for the step's end; stops the test when that takes longer than any step of ours may.
    pub fn wait(mut self) -> StepResult {
        if self.ends_within(PATIENCE) {
            return self.finish(Killed::No);
        }
        self.signal("KILL");
        let log = lock(&self.state.0).log.lines.join("\n");
        panic!("the step did not end in {PATIENCE:?}; its log:\n{log}");
    }

    /// Cancels the step as the runner does: SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL, all to the process that it
    /// started, which for a container is the docker client.
    pub fn cancel(mut self) -> StepResult {
        for (signal, killed, limit) in
            [("INT", Killed::Sigint, SIGINT_TIMEOUT), ("TERM", Killed::Sigterm, SIGTERM_TIMEOUT)]
        {
            self.signal(signal);
            if self.ends_within(limit) {
                return self.finish(killed);
            }
        }
        self.signal("KILL");
        self.ends_within(PATIENCE);
        self.finish(Killed::Sigkill)
    }

    /// Sends a signal by its short name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid.to_string()]).status();
        assert!(sent.is_ok(), "`kill` could not be started");
    }

    fn finish(mut self, killed: Killed) -> StepResult {
        let (status, ended) = self.ended.take().expect("the process ended");
        let status = status.expect("a child of ours can be waited for");
        let deadline = Instant::now() + PIPE_TIMEOUT;
        let (mutex, changed) = &*self.state;
        let mut shared = lock(mutex);
        while shared.readers > 0 && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            shared = changed.wait_timeout(shared, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        let duration = ended - self.started;
        let raw_lines = shared.raw.clone();
        let mut log = shared.log.clone();
        drop(shared);
        let (env, path) = self.file_commands(&mut log);
        let summary = self.summary(&mut log);
        list(&log);
        StepResult {
            exit_code: status.code(),
            success: status.success() && !log.failed,
            groups: log.groups(),
            outputs: log.outputs,
            state: log.state,
            env,
            path,
            annotations: log.annotations,
            masks: log.masker.values().clone(),
            log_lines: log.lines,
            raw_lines,
            commands: log.commands.into_iter().map(|command| command.name).collect(),
            summary,
            duration,
            killed,
            container: self.container,
        }
    }

    /// Reads the files that the step wrote; their values win over those of commands in the log.
    fn file_commands(&self, log: &mut Log) -> (BTreeMap<String, String>, Vec<String>) {
        let mut env = BTreeMap::new();
        for name in ["env", "output", "state"] {
            let bytes = std::fs::read(&self.files[name]).unwrap_or_default();
            match files::pairs(&String::from_utf8_lossy(&bytes)) {
                Ok(pairs) => match name {
                    "output" => log.outputs.extend(pairs),
                    "state" => log.state.extend(pairs),
                    _ => env.extend(pairs),
                },
                Err(fault) => {
                    log.error(&format!("Unable to process file command '{name}' successfully."));
                    log.error(&fault);
                    log.failed = true;
                }
            }
        }
        let path = std::fs::read_to_string(&self.files["path"]).unwrap_or_default();
        (env, path.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    fn summary(&self, log: &mut Log) -> String {
        let bytes = std::fs::read(&self.files["step_summary"]).unwrap_or_default();
        if bytes.len() > files::SUMMARY_LIMIT {
            log.error(&format!(
                "$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of {}k, got {}k.",
                files::SUMMARY_LIMIT / 1024,
                bytes.len() / 1024
            ));
            return String::new();
        }
        String::from_utf8_lossy(&bytes).lines().map(|line| log.masker.mask(line) + "\n").collect()
    }
}

fn lock(mutex: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The runner keeps letters, digits and `_` of the image's name, and adds six hexadecimal digits.
fn container_name(launch: &Launch, files: &BTreeMap<&'static str, PathBuf>) -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let image = match launch {
        Launch::Image(image) => image.as_str(),
        Launch::Native(_) => "native",
    };
    let kept: String = image.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let random = RandomState::new().hash_one(files) & 0x00ff_ffff;
    format!("{}_{random:06x}", kept.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn exit_of(mut child: Child) -> Receiver<Ending> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let status = child.wait();
        sender.send((status, Instant::now()))
    });
    receiver
}

/// Feeds one pipe into the log until it ends. Both pipes share one log, in the order in which the lines arrive.
fn read(pipe: Option<impl Read + Send + 'static>, state: &State) {
    let mut pipe = pipe.expect("the pipe was asked for");
    let state = Arc::clone(state);
    std::thread::spawn(move || {
        let mut splitter = LineSplitter::default();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = pipe.read(&mut buffer).unwrap_or(0);
            let mut lines = splitter.feed(&buffer[..count]);
            if count == 0 {
                lines.extend(splitter.finish());
            }
            let (mutex, changed) = &*state;
            let mut shared = lock(mutex);
            for line in lines {
                shared.log.line(&line);
                shared.raw.push(line);
            }
            if count == 0 {
                shared.readers -= 1;
                changed.notify_all();
                return;
            }
            changed.notify_all();
        }
    });
}
