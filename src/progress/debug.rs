//! `tracing` events as the runner's debug lines.
//!
//! Only this crate's: the HTTP and gRPC crates write headers into theirs. Those are of the levels debug and trace, which
//! the released program leaves out (`Cargo.toml`); ours are of the level info, and debug lines all the same. Spans are not
//! shown; their identities are counted so that `tracing` is content. A subscriber of forty lines costs no dependency.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::reporter::Reporter;

/// Sends this crate's events to the reporter.
pub struct DebugLines {
    reporter: Reporter,
    debug: bool,
    spans: AtomicU64,
}

impl DebugLines {
    /// Set it with `tracing::subscriber::set_global_default` (main does).
    pub fn new(reporter: Reporter) -> Self {
        Self { debug: reporter.is_debug(), reporter, spans: AtomicU64::new(0) }
    }
}

impl Subscriber for DebugLines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().split("::").next() == module_path!().split("::").next();
        self.debug && ours && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed).saturating_add(1))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let target = event.metadata().target();
        let place = target.split_once("::").map_or(target, |(_, module)| module);
        self.reporter.debug(&format!("{place}: {}{}", text.message, text.fields));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
