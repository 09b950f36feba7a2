//! A panic is a bug of ours, and no reason to lose a run's end: outputs, summary, the removal of what was made.
//!
//! Owns what is said of it: one line with its place, since what a panic says can be text from outside, and the error that ends the
//! run. What is done then is the engine's: the process does not unwind.

use std::any::Any;
use std::panic::PanicHookInfo;

use crate::model::text;

/// A panic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this action has a bug: {0}")]
pub struct Bug(String);

impl Bug {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "what was done before stays done; please report it with the log's lines around `panicked at`"
    }

    /// What the panic says.
    pub fn of(panic: &PanicHookInfo<'_>) -> Self {
        Self(said(panic.payload()))
    }
}

/// The log's line about a panic.
pub fn line(panic: &PanicHookInfo<'_>) -> String {
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
    use crate::progress::reporter::Reporter;

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

    #[test]
    fn a_bug_is_told_in_one_line_of_some_length() {
        let long = format!("odd\n::error::text {}", "x".repeat(1000));
        let text = Bug(said(&long)).to_string();
        assert!(text.starts_with("this action has a bug: odd ::error::text xxx"), "{text}");
        assert!(text.len() < 600 && !text.contains('\n'), "{text}");
        assert_eq!(said(&7), "it says no more");
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
