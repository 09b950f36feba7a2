//! One measured run of either client, and the median of several.

use crate::runner::action::Action;
use crate::runner::event::{BEFORE, Event, TIP};
use crate::runner::github_api::GithubApi;
use crate::runner::machine::Machine;
use crate::runner::parts::{Parts, docker, project};
use crate::runner::repository::Repository;
use crate::runner::step::{Launch, Step, StepResult};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One run: wall time, and peak memory in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub wall: Duration,
    pub peak_kib: u64,
}

impl Run {
    /// Both, one after the other.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        Self { wall: self.wall + next.wall, peak_kib: self.peak_kib.max(next.peak_kib) }
    }
}

/// Runs of one client for one case.
#[derive(Debug, Clone, Default)]
pub struct Runs(pub Vec<Run>);

impl Runs {
    /// The median wall time, in seconds.
    pub fn seconds(&self) -> f64 {
        median(self.0.iter().map(|run| run.wall.as_secs_f64()).collect())
    }

    /// The smallest and the largest wall time, in seconds.
    pub fn range(&self) -> (f64, f64) {
        let walls = || self.0.iter().map(|run| run.wall.as_secs_f64());
        (walls().fold(f64::INFINITY, f64::min), walls().fold(0.0, f64::max))
    }

    /// The largest peak, in MiB: a limit on memory is one that no run crosses.
    pub fn mebibytes(&self) -> f64 {
        let kib = self.0.iter().map(|run| run.peak_kib).max().unwrap_or_default();
        f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

/// What every case needs.
pub struct Bench {
    pub parts: Parts,
    pub machine: Machine,
    pub origin: Repository,
    /// Runs of each client, from `BENCH_RUNS`.
    pub runs: usize,
    binary: PathBuf,
    busybox: PathBuf,
    /// How many times too large this busybox prints memory: some versions take KiB for pages.
    factor: u64,
    /// An older binary of ours, from `BENCH_BEFORE`: it takes buildx's place.
    before: Option<PathBuf>,
    action: Action,
    prepare: Action,
    /// The action's image, told to say its version only.
    idle: Action,
    report: PathBuf,
}

impl Bench {
    pub fn new(parts: Parts) -> Self {
        let origin = Repository::new();
        origin.write("README.md", "# Bench\n");
        origin.commit("First");
        origin.write("Dockerfile", SMALL);
        origin.write("greeting", "hello\n");
        origin.commit("Second");
        let mut machine = Machine::new("acme/bench");
        // Asked once in a run that moves tags; buildx asks nobody.
        machine.api_url = GithubApi::start(&parts.gateway, origin.path()).url;
        origin.checkout(&machine.workspace(), "refs/heads/main", 1, "acme/bench", &machine.token);
        machine.own();
        let (busybox, arch) = if cfg!(target_arch = "aarch64") {
            (parts.busybox_arm64.clone(), "arm64")
        } else {
            (parts.busybox_amd64.clone(), "amd64")
        };
        let released = std::env::var("ACTION_BINARIES").ok().map(PathBuf::from);
        let binary = released.map_or_else(
            || env!("CARGO_BIN_EXE_docker-push-action").into(),
            |dir| dir.join(format!("out/linux_{arch}/docker-push-action")),
        );
        let report = machine.temp().join("measured");
        let runs = std::env::var("BENCH_RUNS").ok().and_then(|count| count.parse().ok()).unwrap_or(9);
        let action = |path: &str| Action::read(&project().join(path)).expect("the action's metadata");
        let (action, prepare) = (action("action.yml"), action("prepare/action.yml"));
        let mut idle = action.clone();
        idle.runs.args = Some(vec!["--version".to_owned()]);
        let before = std::env::var_os("BENCH_BEFORE").map(PathBuf::from);
        let factor = 1;
        let mut bench = Self {
            parts,
            machine,
            origin,
            runs,
            binary,
            busybox,
            factor,
            before,
            action,
            prepare,
            idle,
            report,
        };
        bench.factor = bench.calibrate();
        std::iter::once(&bench.binary).chain(&bench.before).for_each(|binary| settle(binary));
        bench
    }

    /// What is measured on what.
    pub fn heading(&self) -> String {
        let peer = match &self.before {
            Some(before) => before.display().to_string(),
            None => docker(&["buildx", "version"]).split_whitespace().take(2).collect::<Vec<_>>().join(" "),
        };
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        format!(
            "`{}` beside `{peer}` on Docker {} ({}), {cpus} CPUs; medians of interleaved runs",
            self.binary.display(),
            self.parts.engine_version,
            self.parts.engine
        )
    }

    /// Measures a program of known size.
    fn calibrate(&self) -> u64 {
        let mut command = self.timed();
        command.arg(&self.busybox).args(["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
        let peak = self.measure(command).peak_kib;
        match peak {
            65_536..=98_304 => 1,
            262_144..=393_216 => 4,
            _ => panic!("busybox reports {peak} KiB for a process of 64 MiB"),
        }
    }

    fn timed(&self) -> Command {
        let mut command = Command::new(&self.busybox);
        command.args(["time", "-f", "%M", "-o"]).arg(&self.report);
        command
    }

    fn measure(&self, mut command: Command) -> Run {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let output = command.output().unwrap_or_else(|fault| panic!("starting {command:?}: {fault}"));
        let wall = started.elapsed();
        assert!(
            output.status.success(),
            "{command:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Run { wall, peak_kib: self.peak() }
    }

    fn peak(&self) -> u64 {
        let text = std::fs::read_to_string(&self.report).expect("a report of busybox");
        text.lines().last().and_then(|line| line.trim().parse::<u64>().ok()).expect("a figure") / self.factor
    }

    /// One run of the action's binary on the host.
    pub fn ours(&self, build: &Build) -> Run {
        self.binary_of_ours(&self.binary, build)
    }

    /// One run of what ours is compared with: buildx, or an older binary of ours, whose images have names of their own: neither
    /// finds the other's under its tags.
    pub fn peer(&self, build: &Build) -> Run {
        match &self.before {
            Some(before) => {
                let name = format!("{}-before", build.name);
                self.binary_of_ours(before, &Build { name, ..build.clone() })
            }
            None => self.buildx(build),
        }
    }

    /// Whether that is an older binary of ours.
    pub fn peer_is_ours(&self) -> bool {
        self.before.is_some()
    }

    /// What that is called.
    pub fn peer_name(&self) -> &'static str {
        if self.peer_is_ours() { "before" } else { "buildx" }
    }

    fn binary_of_ours(&self, binary: &Path, build: &Build) -> Run {
        let wrapper = [self.busybox.display().to_string()]
            .into_iter()
            .chain(["time", "-f", "%M", "-o"].map(str::to_owned))
            .chain([self.report.display().to_string()])
            .collect();
        let wall = self.step(&self.action, build, Launch::Native(binary.to_owned()), wrapper);
        Run { wall, peak_kib: self.peak() }
    }

    /// One run of the action in its container, as the runner starts it.
    pub fn whole_action(&self, build: &Build) -> Run {
        Run { wall: self.step(&self.action, build, image(), Vec::new()), peak_kib: 0 }
    }

    /// The same image started the same way, to do nothing.
    pub fn idle_action(&self, build: &Build) -> Run {
        Run { wall: self.step(&self.idle, build, image(), Vec::new()), peak_kib: 0 }
    }

    /// The same with the binary on the host, with all that it said.
    pub fn native(&self, build: &Build) -> StepResult {
        self.result(build, Launch::Native(self.binary.clone()))
    }

    /// One run of the action, with all that it said.
    pub fn result(&self, build: &Build, launch: Launch) -> StepResult {
        self.run(&self.action, build, launch, Vec::new())
    }

    /// The action on another machine, with these inputs alone.
    pub fn native_on(&self, machine: &Machine, event: Event, inputs: BTreeMap<String, String>) -> StepResult {
        let launch = Launch::Native(self.binary.clone());
        let (action, socket) = (&self.action, self.parts.socket.clone());
        let (env, secrets, wrapper) = (BTreeMap::new(), Vec::new(), Vec::new());
        let result =
            Step { machine, action, launch, event, inputs, env, network: None, socket, secrets, wrapper }
                .run();
        assert!(result.success, "{}", result.log());
        result
    }

    /// Puts tags on the image under `source`, in a process of its own.
    pub fn publish(&self, repository: &str, source: &str, tags: &[String]) -> Run {
        let mut command = self.timed();
        command
            .arg(std::env::current_exe().expect("a path"))
            .args(["publish", repository, source])
            .args(tags);
        self.measure(command)
    }

    /// The second action before this build, until its helper has ended.
    pub fn prepare(&self, build: &Build) {
        self.step(&self.prepare, build, image(), Vec::new());
        let helpers = ["ps", "-q", "--filter", "label=docker-push-action.role=prepare"];
        let deadline = Instant::now() + Duration::from_secs(20);
        while !docker(&helpers).is_empty() {
            assert!(Instant::now() < deadline, "the helper does not end");
        }
    }

    fn step(&self, action: &Action, build: &Build, launch: Launch, wrapper: Vec<String>) -> Duration {
        self.run(action, build, launch, wrapper).duration
    }

    fn run(&self, action: &Action, build: &Build, launch: Launch, wrapper: Vec<String>) -> StepResult {
        let registry = match launch {
            Launch::Native(_) => self.parts.registry.clone(),
            Launch::Image(_) => self.parts.localhost(),
        };
        let inputs = [
            ("image_name", build.name.clone()),
            ("registry", registry),
            ("context", build.context.clone()),
            ("dockerfile", format!("{}/Dockerfile", build.context)),
            ("platform", build.platforms.to_owned()),
            ("push", build.pushed.to_string()),
            ("build_args", format!("BASE={}", self.parts.base)),
            // Neither client makes attestations here.
            ("provenance", "false".to_owned()),
        ];
        let container = |keep: &str| {
            vec![
                ("builder", "docker-container".to_owned()),
                ("builder_image", self.parts.buildkit_image.clone()),
                ("builder_keep", keep.to_owned()),
            ]
        };
        let builder = match build.with {
            With::Engine => Vec::new(),
            With::Container => container("true"),
            With::FreshContainer => container("false"),
        };
        let inputs = inputs.into_iter().chain(builder).chain(build.inputs.clone());
        let inputs = inputs.filter(|(name, _)| action.inputs.contains_key(*name));
        let result = Step {
            machine: &self.machine,
            action,
            launch,
            event: build
                .event
                .clone()
                .unwrap_or_else(|| Event::fixture("push-branch"))
                .replace(TIP, &self.origin.rev("main"))
                .replace(BEFORE, &self.origin.rev("main~1")),
            inputs: inputs.map(|(name, value)| (name.to_owned(), value)).collect(),
            env: build.env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            network: None,
            socket: self.parts.socket.clone(),
            secrets: Vec::new(),
            wrapper,
        }
        .run();
        assert!(result.success, "{}", result.log());
        result
    }

    /// One run of the docker client.
    pub fn docker(&self, arguments: &[String]) -> Run {
        let mut command = self.timed();
        command.arg(docker_path()).args(arguments);
        self.measure(command)
    }

    /// One run of a command line of the shell, all of whose commands must succeed.
    pub fn shell(&self, line: &str) -> Run {
        let mut command = self.timed();
        command.args(["bash", "-euo", "pipefail", "-c", line]);
        self.measure(command)
    }

    /// One run of `docker buildx build` with the same outcome.
    pub fn buildx(&self, build: &Build) -> Run {
        self.buildx_with(build, &[])
    }

    /// The same with more options.
    pub fn buildx_with(&self, build: &Build, options: &[String]) -> Run {
        let mut command = self.timed();
        let context = self.context(build);
        let builder = match build.with {
            With::Engine => "default",
            With::Container => BUILDER,
            With::FreshContainer => {
                // What a job does without an action of its own for it: three commands after each other.
                let script = format!(
                    "docker buildx create --name fresh {CREATE} && docker \"$@\" && docker buildx rm fresh"
                );
                command.args(["sh", "-euc", &script.replace("IMAGE", &self.parts.buildkit_image)]);
                "fresh"
            }
        };
        command.arg(docker_path()).args(["buildx", "build", "--builder", builder]);
        command.args(["--provenance=false", "--platform", build.platforms]);
        command.args(["--build-arg", &format!("BASE={}", self.parts.base)]);
        if build.pushed {
            command.arg("--push");
            let sha = self.origin.rev("main");
            for tag in [format!("{sha}-main"), "main".to_owned(), "latest".to_owned()] {
                command.args(["--tag", &format!("{}/buildx/{}:{tag}", self.parts.registry, build.name)]);
            }
        } else if !options.iter().any(|option| option == "--output") {
            // Ours makes the image, to know its digest; this makes none.
            command.args(["--output", "type=cacheonly"]);
        }
        command.args(options).arg("--file").arg(context.join("Dockerfile")).arg(&context);
        self.measure(command)
    }

    /// Makes buildx's own container, once; ours makes its own at its first run and keeps it.
    pub fn make_container(&self) {
        let exists = docker(&["buildx", "ls", "--format", "{{.Name}}"]).lines().any(|name| name == BUILDER);
        if !exists {
            let options = CREATE.replace("IMAGE", &self.parts.buildkit_image);
            let options: Vec<&str> = options.split(' ').collect();
            docker(&[&["buildx", "create", "--name", BUILDER], &options[..]].concat());
        }
    }

    /// The context's directory on the host.
    pub fn context(&self, build: &Build) -> PathBuf {
        self.machine.workspace().join(&build.context)
    }
}

/// What was just written lies in the page cache in large pieces, and each that a process touches counts as its memory: two
/// MiB more for the same binary. It is read anew, as from a disk.
fn settle(binary: &Path) {
    for command in [
        Command::new("sync").arg(binary),
        Command::new("dd").arg(format!("if={}", binary.display())).args(["iflag=nocache", "count=0"]),
    ] {
        let output = command.output().unwrap_or_else(|fault| panic!("starting {command:?}: {fault}"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Touches as much memory as a run with a file of 1 GiB fills, engine included, and gives it back. A virtual machine's host may take
/// free memory away after seconds, and it may hold old files: to get some then takes longer than the run.
pub fn touch_memory() {
    std::hint::black_box(vec![1_u8; 5 << 29]);
}

/// The engine forgets what it built: what is large must not stay in memory.
pub fn forget_builds() {
    docker(&["builder", "prune", "--all", "--force"]);
}

/// The container that this machine's runner keeps forgets what it built.
pub fn forget() {
    let kept = docker(&["ps", "-q", "--filter", "label=docker-push-action.keep=always"]);
    for container in kept.lines() {
        docker(&["exec", container, "buildctl", "prune", "--all"]);
    }
}

/// The same, and the container of buildx.
pub fn forget_in_containers() {
    forget();
    docker(&["buildx", "prune", "--builder", BUILDER, "--all", "--force"]);
}

/// The action in its container.
pub fn image() -> Launch {
    Launch::Image("docker-push-action:test".to_owned())
}

fn docker_path() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|dir| dir.join("docker"));
    found.find(|file| Path::new(file).is_file()).expect("the docker client is on PATH")
}

/// One build that both clients do.
#[derive(Debug, Clone)]
pub struct Build {
    pub name: String,
    /// Relative to the workspace.
    pub context: String,
    pub platforms: &'static str,
    /// Pushed under three tags, or built and thrown away: what remains is the client and the transfer.
    pub pushed: bool,
    pub with: With,
    /// More inputs of ours.
    pub inputs: Vec<(&'static str, String)>,
    /// More of our environment.
    pub env: Vec<(&'static str, String)>,
    /// What starts ours, if it is no push to the branch.
    pub event: Option<Event>,
}

/// What builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum With {
    /// The engine's own BuildKit.
    Engine,
    /// A container that both clients made earlier, each its own.
    Container,
    /// A container that is made for this build and removed after it.
    FreshContainer,
}

impl Build {
    /// A build by the engine.
    pub fn new(name: &str, platforms: &'static str, pushed: bool) -> Self {
        Self {
            name: name.into(),
            context: name.into(),
            platforms,
            pushed,
            with: With::Engine,
            inputs: Vec::new(),
            env: Vec::new(),
            event: None,
        }
    }

    #[must_use]
    pub fn with(self, with: With) -> Self {
        Self { with, ..self }
    }
}

/// How buildx makes a container: on the host's network, as the registry is on loopback.
const CREATE: &str = "--driver docker-container --driver-opt network=host,image=IMAGE --bootstrap";

/// The name of buildx's own container.
const BUILDER: &str = "bench";

/// A build that is all start and push: one step, one small file.
pub const SMALL: &str = "ARG BASE\nFROM ${BASE}\nRUN echo built >/built\nCOPY greeting /greeting\n";
