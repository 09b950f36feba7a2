//! Emulators: registered for a step that needs one, for nothing else, and by a container that is gone afterwards.
//!
//! What is registered is the whole machine's: these tests run alone, on every engine of this machine, with a processor
//! that nothing else here uses, and take back what they registered.

#![allow(clippy::await_holding_lock, reason = "one thread runs one test; the lock is between tests")]

use crate::builder::{not_here, on_the_engine};
use crate::job::{Job, parts};
use crate::leftovers::{self, of_role};
use crate::runner::parts::docker;
use crate::runner::step::Killed;
use crate::runner::wait::until;
use docker_push_action::buildkit::{Address, Connection};
use docker_push_action::docker::{DaemonClient, emulated_by_container, machine_of_daemon};
use docker_push_action::model::Platform;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

pub const BINFMT: &str = "/proc/sys/fs/binfmt_misc";
pub const ENTRY: &str = "qemu-riscv64";
/// That of the action `prepare`'s test: BuildKit goes on listing what once was registered.
pub const AHEAD: &str = "linux/arm/v7";
pub const ENTRY_AHEAD: &str = "qemu-arm";

/// A processor that one test registers; BuildKit lists it from then on, even when it is taken back.
pub const RIGHT: &str = "linux/riscv64";
/// A processor that nobody registers.
const WRONG: &str = "linux/s390x";

/// What it says when it runs.
const WORDS: &[u8] = b"riscv64 runs\n";

/// A program for `riscv64` that prints [`WORDS`] and ends: an ELF header, one segment, nine instructions.
fn program() -> Vec<u8> {
    let set = |register: u32, value: u32| value << 20 | register << 7 | 0x13;
    let (a0, a1, a2, a7, call) = (10, 11, 12, 17, 0x73);
    let words = u32::try_from(WORDS.len()).unwrap();
    let code = [
        set(a0, 1),
        a1 << 7 | 0x17,                       // a1 = here
        32 << 20 | a1 << 15 | a1 << 7 | 0x13, // a1 += the distance to the words
        set(a2, words),
        set(a7, 64),
        call,
        set(a0, 0),
        set(a7, 93),
        call,
    ];
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    let length = 64 + 56 + code.len() as u64 * 4 + WORDS.len() as u64;
    for half in [2_u16, 0xf3] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for entry in [0x1_0000_u64 + 120, 64, 0] {
        file.extend(entry.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for word in [1_u32, 5] {
        file.extend(word.to_le_bytes());
    }
    for long in [0_u64, 0x1_0000, 0x1_0000, length, length, 0x1000] {
        file.extend(long.to_le_bytes());
    }
    file.extend(code.iter().flat_map(|word| word.to_le_bytes()));
    file.extend(WORDS);
    file
}

/// The only one who registers these processors, until it is dropped.
pub struct Alone(#[allow(dead_code, reason = "a lock is held, not read")] File);

impl Alone {
    pub fn now() -> Self {
        let path = "/run/lock/docker-push-action-riscv64";
        let lock = File::options().create(true).append(true).mode(0o600).open(path).unwrap();
        lock.lock().unwrap();
        forget();
        Self(lock)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        forget();
    }
}

fn forget() {
    for entry in [ENTRY, ENTRY_AHEAD] {
        let entry = Path::new(BINFMT).join(entry);
        if entry.exists() {
            std::fs::write(entry, "-1").unwrap();
        }
    }
}

/// What the machine runs, as a run finds it whose builder is a container: tried, and not asked of BuildKit.
fn tried() -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found =
        runtime.block_on(machine_of_daemon(&parts().socket, false)).expect("the engine is on this machine");
    found.platforms.iter().map(ToString::to_string).collect()
}

/// What is registered, when no container of ours for that is left: the daemon removes it.
fn machine() -> Vec<String> {
    assert!(until(|| emulators().is_empty()), "{:?}", emulators());
    let names = std::fs::read_dir(BINFMT).unwrap().flatten();
    let mut names: Vec<String> =
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn emulators() -> Vec<String> {
    of_role("emulator")
}

pub fn job(name: &str, platform: &str, dockerfile: &str) -> Job {
    let mut job = Job::alone(name, &[("Dockerfile", dockerfile)]);
    std::fs::write(job.origin.path().join("program"), program()).unwrap();
    job.origin.commit("A program");
    job.event = job.event_of("push-branch");
    job.check_out("refs/heads/main", 1);
    job.input("platform", platform).input("emulator_image", &parts().binfmt_image)
}

/// Runs the program; no other test's step is this one.
pub fn runs(name: &str) -> String {
    format!("FROM scratch\nCOPY --chmod=755 program /program\nRUN [\"/program\", \"{name}\"]\n")
}

#[test]
fn a_step_registers_what_it_needs_and_no_more() {
    if !on_the_engine() {
        return not_here("nobody registers anything on another's machine");
    }
    let _alone = Alone::now();
    let mut names = machine();
    assert!(!tried().contains(&RIGHT.to_owned()), "{:?}", tried());
    let result = job("emulated", RIGHT, &runs("emulated")).run();
    assert!(result.success, "{}", result.log());
    for part in [
        "emulation   linux/riscv64: `RUN` steps run there, and ",
        "QEMU is registered for linux/riscv64",
        "riscv64 runs",
    ] {
        assert!(result.log().contains(part), "{part}\n--\n{}", result.log());
    }
    assert!(result.annotations.is_empty(), "{:?}", result.annotations);
    names.push(ENTRY.into());
    names.sort();
    assert_eq!(machine(), names);
    assert!(tried().contains(&RIGHT.to_owned()), "{:?}", tried());
    // Another run on this machine, before or after BuildKit has noticed, finds it done.
    let again = job("emulated-again", RIGHT, &runs("again")).run();
    assert!(again.success && again.annotations.is_empty(), "{}", again.log());
}

#[test]
fn what_is_tried_is_what_buildkit_says() {
    let _alone = Alone::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let said = runtime.block_on(async {
        let connection = Connection::open(&Address::DockerSocket(parts().socket.clone())).await.unwrap();
        connection.workers().await.unwrap().remove(0).platforms
    });
    let tried = tried();
    assert_eq!(tried.first(), said.first());
    let says = |platform: &str| said.iter().any(|one| one == platform);
    // Its list has what it has seen once, too; and Debian's engine has no program to try `386` with.
    let unsaid: Vec<&String> =
        tried.iter().filter(|one| *one != "linux/386" && !says(one.as_str())).collect();
    assert!(unsaid.is_empty(), "{unsaid:?}: {said:?}");
    for other in ["linux/arm64", WRONG] {
        assert_eq!(tried.iter().any(|one| one == other), says(other), "{other}: {tried:?}, {said:?}");
    }
}

#[test]
fn nothing_is_registered_where_nothing_runs() {
    if !on_the_engine() {
        return not_here("nobody registers anything on another's machine");
    }
    let _alone = Alone::now();
    let before = machine();
    let cross = "ARG BASE=busybox\nFROM --platform=$BUILDPLATFORM ${BASE} AS build\nRUN echo made >/made\n\
                 FROM scratch\nCOPY --from=build /made /\n";
    for (name, dockerfile) in [("copies", "FROM scratch\nCOPY program /\n"), ("crosses", cross)] {
        let result = job(name, WRONG, dockerfile).run();
        assert!(result.success, "{}", result.log());
        let note = "emulation   none: no step runs on linux/s390x, which ";
        assert!(result.log().contains(note), "{}", result.log());
        assert!(result.annotations.is_empty(), "{:?}", result.annotations);
        assert_eq!(machine(), before);
    }
}

#[test]
fn off_means_off() {
    if !on_the_engine() {
        return not_here("nobody registers anything on another's machine");
    }
    let _alone = Alone::now();
    let before = machine();
    let result = job("not-emulated", WRONG, &runs("off")).input("emulation", "off").run();
    assert!(!result.success, "{}", result.log());
    assert!(result.log().contains("not `linux/s390x`: a `RUN` step for these fails"), "{}", result.log());
    assert!(result.log().contains("`emulation` is `off`"), "{}", result.log());
    assert!(result.errors().contains("exec format error"), "{}", result.errors());
    assert_eq!(machine(), before);
}

#[test]
fn what_cannot_be_registered_ends_the_run_before_the_build() {
    if !on_the_engine() {
        return not_here("nobody registers anything on another's machine");
    }
    let _alone = Alone::now();
    docker(&["pull", "-q", &parts().base]);
    let before = machine();
    for (name, image, expected) in [
        // Another program: the daemon says that it cannot be started.
        ("not-binfmt", parts().base.as_str(), "cannot start its container: the Docker daemon answered"),
        ("not-there", "localhost:1/nowhere:v1", "with the image `localhost:1/nowhere:v1`: cannot pull it: "),
        ("not-a-name", "Not An Image", "emulator_image"),
    ] {
        let result = job(name, WRONG, &runs(name)).input("emulator_image", image).run();
        assert!(!result.success, "{}", result.log());
        for part in [expected, "emulator_image"] {
            assert!(result.errors().contains(part), "{part}: {}", result.errors());
        }
        assert!(!result.summary.contains("[1/2] COPY"), "nothing was built: {}", result.log());
        assert_eq!(machine(), before, "{name}");
    }
}

#[test]
fn a_cancelled_run_leaves_no_container() {
    if !on_the_engine() {
        return not_here("nobody registers anything on another's machine");
    }
    let _alone = Alone::now();
    // A container for a moment, while nobody counts them.
    let beside = crate::job::beside();
    docker(&["pull", "-q", &parts().base]);
    let container = docker(&["create", &parts().base, "true"]);
    let hangs = "ENTRYPOINT [\"sh\", \"-c\", \"sleep 986\"]";
    docker(&["commit", "--change", hangs, &container, "hanging:latest"]);
    docker(&["rm", &container]);
    drop(beside);
    let before = machine();
    let job = job("hanging", WRONG, &runs("hanging")).input("emulator_image", "hanging:latest");
    let running = job.step().start();
    assert!(until(|| leftovers::running("sleep 986") > 0), "its container never ran");
    let result = running.cancel();
    assert_eq!(result.killed, Killed::Sigint, "{}", result.log());
    assert_eq!(machine(), before, "{}", result.log());
    docker(&["rmi", "-f", "hanging:latest"]);
}

#[tokio::test(flavor = "current_thread")]
async fn what_a_builders_container_brings_along_is_seen() {
    let _beside = crate::job::beside();
    docker(&["pull", "-q", &parts().base]);
    let container = docker(&["create", &parts().base, "true"]);
    let directory = tempfile::tempdir().unwrap();
    // As BuildKit's image has them; a container need not run for that.
    let program = directory.path().join("buildkit-qemu-aarch64");
    std::fs::write(&program, "").unwrap();
    docker(&["cp", &program.display().to_string(), &format!("{container}:/usr/bin/")]);
    let daemon = DaemonClient::connect(&parts().socket).await.unwrap();
    let platforms = ["linux/arm64", "linux/riscv64"].map(|text| Platform::parse(text).unwrap());
    let emulated = emulated_by_container(&daemon, &container, &platforms).await;
    docker(&["rm", &container]);
    assert_eq!(emulated.unwrap(), [platforms[0].clone()]);
    assert!(emulated_by_container(&daemon, &container, &[]).await.unwrap().is_empty());
}
