//! One measured run of either client, and the median of several.

use crate::runner::action::Action;
use crate::runner::event::{BEFORE, Event, TIP};
use crate::runner::machine::Machine;
use crate::runner::parts::{Parts, docker, project};
use crate::runner::repository::Repository;
use crate::runner::step::{Launch, Step};
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
    action: Action,
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
        let machine = Machine::new("acme/bench");
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
        let action = Action::read(&project().join("action.yml")).expect("the action's metadata");
        let mut bench = Self { parts, machine, origin, runs, binary, busybox, factor: 1, action, report };
        bench.factor = bench.calibrate();
        bench
    }

    /// What is measured on what.
    pub fn heading(&self) -> String {
        let buildx = docker(&["buildx", "version"]);
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        format!(
            "`{}` beside `{}` on Docker {} ({}), {cpus} CPUs; medians of interleaved runs",
            self.binary.display(),
            buildx.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
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
        let wrapper = [self.busybox.display().to_string()]
            .into_iter()
            .chain(["time", "-f", "%M", "-o"].map(str::to_owned))
            .chain([self.report.display().to_string()])
            .collect();
        let wall = self.step(build, Launch::Native(self.binary.clone()), wrapper);
        Run { wall, peak_kib: self.peak() }
    }

    /// One run of the action in its container, as the runner starts it.
    pub fn whole_action(&self, build: &Build) -> Run {
        Run {
            wall: self.step(build, Launch::Image("docker-push-action:test".to_owned()), Vec::new()),
            peak_kib: 0,
        }
    }

    fn step(&self, build: &Build, launch: Launch, wrapper: Vec<String>) -> Duration {
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
        ];
        let result = Step {
            machine: &self.machine,
            action: &self.action,
            launch,
            event: Event::fixture("push-branch")
                .replace(TIP, &self.origin.rev("main"))
                .replace(BEFORE, &self.origin.rev("main~1")),
            inputs: inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            env: BTreeMap::new(),
            network: None,
            socket: self.parts.socket.clone(),
            secrets: Vec::new(),
            wrapper,
        }
        .run();
        assert!(result.success, "{}", result.log());
        result.duration
    }

    /// One run of `docker buildx build` with the same outcome.
    pub fn buildx(&self, build: &Build) -> Run {
        let mut command = self.timed();
        let context = self.context(build);
        command.arg(docker_path()).args(["buildx", "build", "--builder", "default"]);
        command.args(["--provenance=false", "--platform", build.platforms]);
        command.args(["--build-arg", &format!("BASE={}", self.parts.base)]);
        if build.pushed {
            command.arg("--push");
            let sha = self.origin.rev("main");
            for tag in [format!("{sha}-main"), "main".to_owned(), "latest".to_owned()] {
                command.args(["--tag", &format!("{}/buildx/{}:{tag}", self.parts.registry, build.name)]);
            }
        } else {
            // Ours makes the image, to know its digest; this makes none.
            command.args(["--output", "type=cacheonly"]);
        }
        command.arg("--file").arg(context.join("Dockerfile")).arg(&context);
        self.measure(command)
    }

    /// The context's directory on the host.
    pub fn context(&self, build: &Build) -> PathBuf {
        self.machine.workspace().join(&build.context)
    }
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
}

/// A build that is all start and push: one step, one small file.
pub const SMALL: &str = "ARG BASE\nFROM ${BASE}\nRUN echo built >/built\nCOPY greeting /greeting\n";
