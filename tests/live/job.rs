//! What most tests begin with: a repository, its checkout on a runner's machine, a step with the action.

use crate::builder::builder;
use crate::runner::action::Action;
use crate::runner::event::{BEFORE, Event, FORK, HEAD, MERGE, TIP};
use crate::runner::machine::Machine;
use crate::runner::parts::{Parts, project};
use crate::runner::repository::Repository;
use crate::runner::step::{Launch, Step, StepResult};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The tag that `tests/parts/action-image` gave to the action's image.
pub const IMAGE: &str = "docker-push-action:test";

/// A Dockerfile with a step of its own on each platform.
pub const DOCKERFILE: &str = "ARG BASE=busybox\nFROM ${BASE}\nARG TARGETARCH\nRUN echo built for $TARGETARCH >/built\nCOPY greeting /greeting\nCMD [\"cat\", \"/built\", \"/greeting\"]\n";

/// The suite's parts; without them nothing runs, and one line says why.
pub fn parts() -> &'static Parts {
    static PARTS: OnceLock<Parts> = OnceLock::new();
    PARTS.get_or_init(|| {
        Parts::from_environment().unwrap_or_else(|fault| {
            // Past the capture of the test harness, and once instead of once a test.
            let _ = writeln!(std::io::stderr(), "error: {fault}");
            #[allow(clippy::exit, reason = "without an engine there is no suite")]
            std::process::exit(101)
        })
    })
}

/// The action's own metadata.
fn action() -> &'static Action {
    static ACTION: OnceLock<Action> = OnceLock::new();
    ACTION.get_or_init(|| Action::read(&project().join("action.yml")).expect("the action's own metadata"))
}

/// Tests run beside each other, but for those that look at the whole engine.
static ENGINE: RwLock<()> = RwLock::new(());

/// A turn beside other tests, for one that makes no [`Job`].
pub fn beside() -> RwLockReadGuard<'static, ()> {
    ENGINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// A turn while no other test runs, for the same.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    ENGINE.write().unwrap_or_else(PoisonError::into_inner)
}

#[allow(dead_code, reason = "a guard is held, not read")]
enum Turn {
    Beside(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// Says that an image's name is this test's: two that push to one repository at the same time see each other's tags.
fn own(name: &str) {
    static OWNERS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner);
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let owner = owners.entry(name.to_owned()).or_insert_with(|| test.clone()).clone();
    drop(owners);
    assert_eq!(owner, test, "`{name}` is another test's image: give this one a name of its own");
}

/// One job with one step, on one machine.
pub struct Job {
    pub machine: Machine,
    pub origin: Repository,
    pub event: Event,
    pub inputs: BTreeMap<String, String>,
    pub env: BTreeMap<String, String>,
    pub secrets: Vec<String>,
    pub network: Option<String>,
    pub socket: PathBuf,
    action: Action,
    turn: Turn,
}

impl Job {
    /// A push of two commits to main whose tree is `files`, pushed to the repository `acme/shop/NAME` of the open
    /// registry, which the host calls `localhost`.
    pub fn new(name: &str, files: &[(&str, &str)]) -> Self {
        Self::with(name, files, Turn::Beside(beside()))
    }

    /// The same, while no other test runs.
    pub fn alone(name: &str, files: &[(&str, &str)]) -> Self {
        Self::with(name, files, Turn::Alone(alone()))
    }

    /// The usual tree.
    pub fn usual(name: &str) -> Self {
        Self::new(name, &[("Dockerfile", DOCKERFILE), ("greeting", "hello\n")])
    }

    fn with(name: &str, files: &[(&str, &str)], turn: Turn) -> Self {
        let parts = parts();
        own(name);
        let origin = Repository::new();
        origin.write("README.md", "# Shop\n");
        let before = origin.commit("First");
        for (path, text) in files {
            origin.write(path, text);
        }
        let tip = origin.commit("Sell boxes in two sizes");
        let machine = Machine::new("acme/shop");
        let job = Self {
            event: Event::fixture("push-branch").replace(TIP, &tip).replace(BEFORE, &before),
            action: action().clone(),
            inputs: BTreeMap::new(),
            env: BTreeMap::new(),
            secrets: Vec::new(),
            network: None,
            socket: parts.socket.clone(),
            machine,
            origin,
            turn,
        };
        job.check_out("refs/heads/main", 1);
        job.input("image_name", name)
            .input("registry", &parts.localhost())
            .input("build_args", &format!("BASE={}", parts.base))
            .built_by(builder())
    }

    /// Checks a ref of the origin out, as actions/checkout does.
    pub fn check_out(&self, reference: &str, depth: u32) {
        let workspace = self.machine.workspace();
        std::fs::remove_dir_all(&workspace).expect("a workspace");
        std::fs::create_dir_all(&workspace).expect("a workspace");
        self.origin.checkout(&workspace, reference, depth, &self.machine.repository, &self.machine.token);
        self.machine.own();
    }

    #[must_use]
    pub fn input(mut self, name: &str, value: &str) -> Self {
        self.inputs.insert(name.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.inputs.remove(name);
        self
    }

    /// The event of a fixture, with this origin's commits in the place of the named ones.
    pub fn event_of(&self, case: &str) -> Event {
        let tip = self.origin.rev("main");
        Event::fixture(case).replace(TIP, &tip).replace(BEFORE, &self.origin.rev("main~1"))
    }

    /// A pull request of `branch`, which gets one commit, checked out as GitHub does: the merge commit, detached.
    /// Gives the head's commit and the merge commit.
    pub fn pull_request(mut self, case: &str, number: u32, branch: &str) -> (Self, String, String) {
        self.origin.branch(branch);
        self.origin.write("greeting", "hello from a branch\n");
        let head = self.origin.commit("Bigger boxes");
        self.origin.branch("main");
        let merge = self.origin.pull_request(number, branch);
        self.event = self.event_of(case).replace(HEAD, &head).replace(FORK, &head).replace(MERGE, &merge);
        self.check_out(&format!("refs/pull/{number}/merge"), 1);
        (self, head, merge)
    }

    /// The repository in the registry.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.machine.repository, self.inputs["image_name"])
    }

    /// The step in a container of the action's image.
    pub fn step(&self) -> Step<'_> {
        self.launch(Launch::Image(IMAGE.to_owned()))
    }

    /// The step with the binary of this build, on the host: for what needs no container.
    pub fn native(&self) -> Step<'_> {
        self.launch(Launch::Native(env!("CARGO_BIN_EXE_docker-push-action").into()))
    }

    fn launch(&self, launch: Launch) -> Step<'_> {
        Step {
            machine: &self.machine,
            action: &self.action,
            launch,
            event: self.event.clone(),
            inputs: self.inputs.clone(),
            env: self.env.clone(),
            network: self.network.clone(),
            socket: self.socket.clone(),
            secrets: self.secrets.clone(),
            wrapper: Vec::new(),
        }
    }

    /// Runs the step in its container.
    pub fn run(&self) -> StepResult {
        self.step().run()
    }

    /// The tags in the open registry now.
    pub fn tags(&self) -> Vec<String> {
        parts().open_registry().tags(&self.repository())
    }

    /// Whether other tests wait for this one.
    pub fn is_alone(&self) -> bool {
        match &self.turn {
            Turn::Alone(_) => true,
            Turn::Beside(_) => false,
        }
    }
}

/// The step went well, and its image is in the registry.
pub fn published(result: &StepResult) {
    assert!(result.success, "{}", result.log());
    assert_eq!(result.outputs["pushed"], "true", "{}", result.log());
}
