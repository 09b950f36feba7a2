//! The orderly end of a process that panicked.
//!
//! Nothing unwinds: the thread that panics stops where it is, with all that it holds, its locks too. What is left to do is done
//! without it, in bounded time: the log's line, the end of the run (its last will: outputs, summary),
//! the removal of what was made, and the exit. When it is not the thread of the run, the run is told, drops what it does and ends
//! by itself; what is here is done only if it does not.
//!
//! Each part has a thread of its own and a deadline: whoever needs a lock that the panic has left closed never ends.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use crate::model::{chain, clean_up};
use crate::progress::bug::{Bug, line};
use crate::progress::reporter::Reporter;

/// For the run to end by itself when another thread has panicked.
const ORDERLY: Duration = Duration::from_secs(4);
/// For outputs, summary and the log's last lines.
const REPORT: Duration = Duration::from_secs(2);
/// For the removal of what was made.
const REMOVAL: Duration = Duration::from_secs(4);
/// The exit code of a process that cannot say more.
const FAILED: u8 = 1;

/// The end of the run, which gives the exit code.
type Will = Box<dyn FnOnce(Bug) -> u8 + Send>;

/// What becomes of this process when it panics. Clones are the same.
#[derive(Clone)]
pub struct Rescue {
    will: Arc<Mutex<Option<Will>>>,
    bug: watch::Receiver<Option<Bug>>,
}

impl Rescue {
    /// From here on a panic ends the process in order. The calling thread is that of the run.
    pub fn prepare(reporter: Reporter) -> Self {
        let (tell, bug) = watch::channel(None);
        let rescue = Self { will: Arc::default(), bug };
        let (will, run) = (Arc::clone(&rescue.will), thread::current().id());
        let begun = AtomicBool::new(false);
        std::panic::set_hook(Box::new(move |panic| {
            // The thread that panics may be the one that writes: then it is in the error only.
            let _told = reporter.try_info(&line(panic));
            if begun.swap(true, Ordering::SeqCst) {
                stop_here();
            }
            let bug = Bug::of(panic);
            if thread::current().id() != run {
                let _ = tell.send(Some(bug.clone()));
                thread::sleep(ORDERLY);
            }
            let will = will.lock().unwrap_or_else(PoisonError::into_inner).take();
            end(will, &reporter, &bug);
        }));
        rescue
    }

    /// What is done at the end instead of what the run would do.
    pub(super) fn last_will(&self, will: impl FnOnce(Bug) -> u8 + Send + 'static) {
        *self.will.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(will));
    }

    /// Ready when another thread has panicked.
    pub(super) async fn panicked(&self) -> Bug {
        let mut bug = self.bug.clone();
        loop {
            if let Some(bug) = bug.borrow_and_update().clone() {
                return bug;
            }
            if bug.changed().await.is_err() {
                // Nobody can tell any more.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Ends the process.
#[allow(clippy::exit, reason = "nothing unwinds to where the exit code is returned")]
fn end(will: Option<Will>, reporter: &Reporter, bug: &Bug) -> ! {
    let code = within(REPORT, {
        let (reporter, bug) = (reporter.clone(), bug.clone());
        move || {
            reporter.end_group();
            if let Some(will) = will {
                return will(bug);
            }
            reporter.error(&chain(&bug));
            FAILED
        }
    });
    if code.is_none() {
        // Whoever panicked while it wrote keeps the terminal.
        let _ = writeln!(std::io::stderr(), "{bug}");
    }
    let _ = within(REMOVAL, clean_up);
    std::process::exit(code.unwrap_or(FAILED).into())
}

/// Does this in a thread of its own; none when the time is over, or it panics.
fn within<T: Send + 'static>(patience: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, done) = sync_channel(1);
    let thread = thread::Builder::new().name("rescue".into()).spawn(move || {
        let _ = tell.send(work());
    });
    thread.ok()?;
    done.recv_timeout(patience).ok()
}

fn stop_here() -> ! {
    loop {
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Output};

    use super::*;
    use crate::model::Cleanup;

    /// What the process that dies is to do, and the file that it makes and removes.
    const CASE: &str = "RESCUE_CASE";
    const FILE: &str = "RESCUE_FILE";

    /// Runs a case in a process of its own; whether its file is left.
    fn died(case: &str) -> (Output, bool) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("made");
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "engine::rescue::tests::dies", "--ignored", "--nocapture"])
            .env(CASE, case)
            .env(FILE, &file)
            .output()
            .unwrap();
        (output, file.exists())
    }

    fn made(path: &Path) -> Cleanup {
        std::fs::write(path, "").unwrap();
        let path: PathBuf = path.to_owned();
        Cleanup::new(move || std::fs::remove_file(path).unwrap())
    }

    /// A terminal that cannot be written to any more.
    struct Broken;

    impl Write for Broken {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            assert!(!bytes.starts_with(b"now"), "the terminal is broken");
            std::io::stdout().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            std::io::stdout().flush()
        }
    }

    #[test]
    #[ignore = "the tests below run it in processes of their own"]
    #[allow(clippy::disallowed_methods, clippy::exit, reason = "it stands for a main function")]
    fn dies() {
        let (case, file) = (std::env::var(CASE).unwrap(), PathBuf::from(std::env::var_os(FILE).unwrap()));
        let reporter = Reporter::new(Broken, false);
        let rescue = Rescue::prepare(reporter.clone());
        let will = reporter.clone();
        if case != "no will" {
            let fails = case == "bad will";
            rescue.last_will(move |bug| {
                assert!(!fails, "the will is void");
                will.info(&format!("the end: {bug}"));
                7
            });
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut work = tokio::task::JoinSet::new();
            if case == "elsewhere" {
                work.spawn_blocking(move || {
                    let _made = made(&file);
                    panic!("on purpose");
                });
                let bug = rescue.panicked().await;
                reporter.info(&format!("told: {bug}"));
                clean_up();
                std::process::exit(3);
            }
            let _made = made(&file);
            if case == "broken terminal" {
                reporter.info("now");
            }
            // As a task, a future of the run, or what they call.
            work.spawn(async { panic!("on purpose") });
            work.join_next().await;
        });
    }

    #[test]
    fn a_panic_of_the_run_ends_it_in_order() {
        let (output, left) = died("will");
        let log = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(7), "{log}");
        let place = log.find("panicked at src/engine/rescue.rs:").unwrap();
        assert!(log[place..].contains("the end: this action has a bug: on purpose"), "{log}");
        assert!(!left, "what was made is removed");
    }

    #[test]
    fn a_panic_before_there_is_a_run_is_an_error() {
        let (output, left) = died("no will");
        let log = String::from_utf8(output.stdout).unwrap();
        assert_eq!((output.status.code(), left), (Some(1), false), "{log}");
        assert!(log.contains("\n::error::this action has a bug: on purpose\n"), "{log}");
    }

    #[test]
    fn a_panic_of_another_thread_is_told_to_the_run() {
        let (output, left) = died("elsewhere");
        let log = String::from_utf8(output.stdout).unwrap();
        assert_eq!((output.status.code(), left), (Some(3), false), "{log}");
        assert!(log.contains("told: this action has a bug: on purpose"), "{log}");
    }

    /// Whoever panics while it writes keeps the terminal, and a report that panics is none.
    #[test]
    fn what_cannot_be_reported_is_removed_all_the_same() {
        let (output, left) = died("broken terminal");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), left), (Some(1), false), "{said}");
        assert!(said.contains("this action has a bug: the terminal is broken"), "{said}");
        let (output, left) = died("bad will");
        assert_eq!((output.status.code(), left), (Some(1), false));
    }
}
