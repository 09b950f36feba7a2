//! What a step leaves behind, on the engine, in the runner's temporary directory and among the machine's processes.

use crate::job::Job;
use crate::runner::parts::docker;
use crate::runner::wait::until;
use std::path::Path;

/// Roles of helpers that the daemon removes by itself when they have ended. Their step does not wait for that.
const REMOVED_BY_DAEMON: [&str; 3] = ["relay", "emulator", "prepare"];

/// Containers, volumes, networks and the runner's temporary files, while no other test makes any. An output names a
/// bake file, which is the job's to keep.
pub fn everything(job: &Job) -> Vec<String> {
    assert!(job.is_alone());
    let mut all = vec![containers(), docker(&["volume", "ls", "-q"]), docker(&["network", "ls", "-q"])];
    list(&job.machine.temp(), &mut all);
    // The event's payload and a step's file-command files are the runner's own.
    all.retain(|path| !path.contains("_runner_file_commands/") && !path.ends_with("/event.json"));
    all.retain(|path| !path.contains("/docker-push-action-bake-"));
    all
}

/// The engine's containers. What the daemon is to remove is waited for, and is among them if it stays.
pub fn containers() -> String {
    until(|| REMOVED_BY_DAEMON.iter().all(|role| of_role(role).is_empty()));
    docker(&["ps", "--all", "--format", "{{.ID}} {{.Names}}"])
}

fn list(path: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(path).unwrap().flatten() {
        into.push(entry.path().display().to_string());
        if entry.path().is_dir() && !entry.path().is_symlink() {
            list(&entry.path(), into);
        }
    }
}

/// The containers of ours that have this role, by their whole ids.
pub fn of_role(role: &str) -> Vec<String> {
    let label = format!("label=docker-push-action.role={role}");
    docker(&["ps", "-aq", "--no-trunc", "--filter", &label]).lines().map(str::to_owned).collect()
}

/// Processes whose command line ends like this; those of the engine's containers are visible from here.
pub fn running(arguments: &str) -> usize {
    command_lines().iter().filter(|line| line.ends_with(arguments)).count()
}

/// The command lines of all processes, words parted by spaces.
pub fn command_lines() -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned()).collect()
}

/// Waits until no such process runs any more. Those of tests would run for hours: whoever sees them go has not just
/// waited for their end.
pub fn is_gone(arguments: &str) -> bool {
    until(|| running(arguments) == 0)
}
