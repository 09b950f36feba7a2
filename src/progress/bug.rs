//! A panic is a bug of ours, and no reason to lose a run's end: outputs, summary, the removal of what was made.
//!
//! Owns how it is told (one line with its place, through the reporter, since what a panic says can be text from outside) and how
//! it is turned into an error at the boundary of a run. The binary unwinds for this, so that what was begun is dropped in order.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo};

use futures_util::FutureExt as _;

use super::reporter::Reporter;
use crate::model::text;

/// A panic that was caught.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this action has a bug: {0}")]
pub struct Bug(String);

impl Bug {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "what was done before stays done; please report it with the log's lines around `panicked at`"
    }

    /// Of what a thread that panicked left.
    pub fn from_panic(payload: &(dyn Any + Send)) -> Self {
        Self(said(payload))
    }
}

/// From here on, panics are lines of the log.
pub fn tell_of_panics(reporter: Reporter) {
    std::panic::set_hook(Box::new(move |panic| {
        // The thread that panics may be the one that writes: whoever catches it says it then.
        let _told = reporter.try_info(&line(panic));
    }));
}

/// The work's result, or the panic that ended it. What the work had borrowed is as the panic left it.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Bug> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|payload| Bug::from_panic(&*payload))
}

fn line(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or_else(String::new, ToString::to_string);
    format!("panicked at {place}: {}", said(panic.payload()))
}

/// In one line and not at any length: it may quote what was being read.
fn said(payload: &(dyn Any + Send)) -> String {
    let said = payload.downcast_ref::<&str>().copied();
    let said =
        said.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("it says no more");
    text::line(said)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_run() {
        let mut done = Vec::new();
        let work = async {
            done.push("pushed");
            tokio::task::yield_now().await;
            assert!(done.is_empty(), "odd\n::error::text {}", "x".repeat(1000));
        };
        let bug = caught(work).await.unwrap_err();
        let text = bug.to_string();
        assert!(text.starts_with("this action has a bug: odd ::error::text xxx"), "{text}");
        assert!(text.len() < 600 && !text.contains('\n'), "{text}");
        assert_eq!(done, ["pushed"], "what was done is still known");
        assert_eq!(caught(async { 1 }).await, Ok(1));
        assert_eq!(Bug::from_panic(&7), Bug("it says no more".into()));
    }

    /// What a panic says can be a part of a file that was being read: no command of the runner comes of it.
    #[test]
    fn a_panic_is_told_in_one_harmless_line() {
        let out = Out::default();
        let reporter = Reporter::new(out.clone(), false);
        reporter.mask("hunter2");
        out.0.lock().unwrap().clear();
        assert!(
            reporter.try_info(&format!("panicked at a:1: {}", said(&"::error::\n::add-mask::x hunter2")))
        );
        let written = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written, "panicked at a:1: ::error:: ::add-mask::x ***\n");
    }

    #[test]
    fn a_panic_of_the_one_who_writes_waits_for_nobody() {
        struct Panics(Arc<Mutex<Option<Reporter>>>);
        impl Write for Panics {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                let reporter = self.0.lock().unwrap().take();
                assert!(!reporter.unwrap().try_info("panicked"), "nobody can write now");
                Ok(bytes.len())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let own = Arc::new(Mutex::new(None));
        let reporter = Reporter::new(Panics(Arc::clone(&own)), false);
        *own.lock().unwrap() = Some(reporter.clone());
        reporter.info("x");
    }
}
