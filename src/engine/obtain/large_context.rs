//! The word about a build context that is larger than anyone would want, when it has been sent.
//!
//! A warning where directories that tools fill are a part of it, with the lines that leave them out. Where the largest parts are
//! the project's own, there may be nothing to change, and a run should not warn for ever: a notice.

use std::path::Path;

use crate::buildkit::BuildOutcome;
use crate::context::large::{Amount, LargeContext};
use crate::engine::run::Run;
use crate::model::{ContextSource, text};
use crate::plan::build::BuildPlan;
use crate::runner::command::{Annotation, Level};
use crate::runner::units;

/// The name by which a builder asks for the main context; others are the names of named ones.
const MAIN: &str = "context";

/// Says it of each context once: several nodes are sent the same ones.
pub(super) fn say_large(run: &Run<'_>, build: &BuildPlan, outcomes: &[BuildOutcome]) {
    let mut told: Vec<&str> = Vec::new();
    for (name, sent) in outcomes.iter().flat_map(|outcome| &outcome.transfers) {
        if let Some(large) = sent.large.as_ref().filter(|_| !told.contains(&name.as_str())) {
            told.push(name);
            run.process.reporter.annotate(annotation(name, &ignore_file(build, name), large));
        }
    }
}

/// The file that leaves something out of a context.
fn ignore_file(build: &BuildPlan, name: &str) -> String {
    let own = format!("{}.dockerignore", build.dockerfile.file_name);
    let exists = |directory: &Path| directory.join(&own).is_file();
    let local = matches!(build.context, ContextSource::Directory(_));
    let counts = name == MAIN && local && build.dockerfile.directory.as_deref().is_some_and(exists);
    if counts { own } else { ".dockerignore".to_owned() }
}

fn annotation(name: &str, ignore_file: &str, large: &LargeContext) -> Annotation {
    let context = if name == MAIN {
        "the build context".to_owned()
    } else {
        format!("the build context `{}`", text::name(name))
    };
    let largest =
        large.parts.iter().map(|part| format!("`{}` ({})", text::value(&part.name), told(part.amount)));
    let lines: Vec<String> = large
        .parts
        .iter()
        .filter(|part| part.made_by_tool)
        .map(|part| format!("`{}`", text::value(&part.name)))
        .collect();
    let ignore_file = text::value(ignore_file);
    let (level, advice) = if lines.is_empty() {
        let advice = format!("what no step needs is left out by a line with its path in `{ignore_file}`");
        (Level::Notice, advice)
    } else {
        let (these, noun) = if lines.len() == 1 { ("this", "line") } else { ("these", "lines") };
        let leave = if lines.len() == 1 { "leaves" } else { "leave" };
        let advice = format!(
            "if no step needs them, {these} {noun} in `{ignore_file}` {leave} them out: {}",
            lines.join(", ")
        );
        (Level::Warning, advice)
    };
    let largest: Vec<String> = largest.collect();
    let most =
        if largest.is_empty() { String::new() } else { format!("; most is in {}", largest.join(", ")) };
    let message = format!("{context} is large: {} were sent to the builder{most}; {advice}", told(large.all));
    Annotation::new(level, message)
}

/// `412.3 MB in 38,112 files`
fn told(amount: Amount) -> String {
    let noun = if amount.files == 1 { "file" } else { "files" };
    format!("{} in {} {noun}", units::bytes(amount.bytes), units::count(amount.files))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::large::Part;

    fn large(parts: &[(&str, u64, u64, bool)]) -> LargeContext {
        let parts = parts.iter().map(|&(name, bytes, files, made_by_tool)| Part {
            name: name.into(),
            amount: Amount { bytes, files },
            made_by_tool,
        });
        LargeContext { all: Amount { bytes: 412_300_000, files: 38_112 }, parts: parts.collect() }
    }

    #[test]
    fn what_is_said() {
        let said = annotation(
            MAIN,
            ".dockerignore",
            &large(&[
                ("**/node_modules", 300_000_000, 30_000, true),
                (".git", 80_000_000, 4_100, true),
                ("assets", 20_000_000, 1, false),
            ]),
        );
        assert_eq!(said.level, Level::Warning);
        assert_eq!(
            said.message,
            "the build context is large: 412.3 MB in 38,112 files were sent to the builder; most is in `**/node_modules` (300.0 MB \
             in 30,000 files), `.git` (80.0 MB in 4,100 files), `assets` (20.0 MB in 1 file); if no step needs them, these lines in \
             `.dockerignore` leave them out: `**/node_modules`, `.git`"
        );
        let said = annotation("lib", ".dockerignore", &large(&[("models", 300_000_000, 12, false)]));
        assert_eq!(said.level, Level::Notice);
        assert_eq!(
            said.message,
            "the build context `lib` is large: 412.3 MB in 38,112 files were sent to the builder; most is in `models` (300.0 MB in 12 \
             files); what no step needs is left out by a line with its path in `.dockerignore`"
        );
        let said =
            annotation(MAIN, "api.Dockerfile.dockerignore", &large(&[("target", 300_000_000, 12, true)]));
        assert!(
            said.message.ends_with(
                "if no step needs them, this line in `api.Dockerfile.dockerignore` leaves them out: `target`"
            ),
            "{}",
            said.message
        );
    }
}
