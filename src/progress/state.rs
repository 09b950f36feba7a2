//! The fold of `BuildKit`'s status stream into what is known of the build. No clock, no output.
//!
//! Steps are keyed by digest and the last record wins: a step goes DONE → RUNNING → DONE when a cache probe
//! is followed by work. Times are the daemon's. What is kept is bounded: of a step's output some last
//! lines ([`Tail`]) and an unfinished one, so a step may write as much as it likes.
//! Every text that comes out is clean (`runner::untrusted`).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::assemble::Assembler;
use super::event::{StatusUpdate, Timestamp, Vertex, VertexLog, VertexStatus, VertexWarning};
use super::tail::{TAIL_LINES, Tail};
use crate::model::sort_by_key;
use crate::runner::{units, untrusted};

/// Bytes kept of each of the last lines of a step.
const TAIL_LINE: usize = 1000;
/// Bytes of a step's name.
const MAX_NAME: usize = 300;
/// Steps, transfers of a step, warnings: more are not kept.
const MAX_STEPS: usize = 20_000;
const MAX_TRANSFERS: usize = 500;
const MAX_WARNINGS: usize = 500;

/// The beginning of the name of a step that reads a cache's index (BuildKit's `solver/llbsolver/bridge.go`).
const IMPORT: &str = "importing cache manifest from ";

/// The step that every build has for itself: its session sends the Dockerfile.
const DEFINITION: &str = "[internal] load build definition from ";

/// What stands behind the name of an export that is tried again, with the attempt's number.
pub const AGAIN: &str = " (attempt ";

/// Index of a step in [`State::steps`].
pub type StepId = usize;

/// What a message changed, in the order in which it should be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// A step began for the first time.
    Started(StepId),
    /// A line of output, clean, with colours.
    Output {
        /// The step.
        step: StepId,
        /// Since the step began.
        at: Duration,
        /// The line.
        line: String,
    },
    /// A transfer of the step moved.
    Progress(StepId),
    /// A new warning, index in [`State::warnings`].
    Warning(usize),
    /// The step ended, perhaps not for the last time.
    Ended(StepId),
}

/// One step of the build.
#[derive(Debug, Default)]
pub struct Step {
    /// `#7`, by order of first start; 0 while it has not started.
    pub number: usize,
    /// `[linux/amd64 2/4] RUN make`, clean and short.
    pub name: String,
    /// Nothing had to be done.
    pub cached: bool,
    /// That was so at least once, and it could be taken from there: what it made may be fetched or unpacked afterwards,
    /// which BuildKit shows as a start of the step that is not cached.
    pub was_cached: bool,
    /// First start.
    pub began: Option<Timestamp>,
    /// Last end; absent while it runs.
    pub ended: Option<Timestamp>,
    /// Why it failed, clean.
    pub error: Option<String>,
    /// Last lines of its output.
    pub tail: Tail,
    /// Things inside the step.
    pub transfers: Vec<Transfer>,
    /// Start of the current or last stretch of work.
    stretch: Option<Timestamp>,
    /// Time of the stretches before.
    spent: Duration,
    streams: [Assembler; 2],
}

/// Progress of one thing inside a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// `sha256:…`, `pushing layers`, `transferring context:`; clean.
    pub name: String,
    /// Bytes so far.
    pub current: u64,
    /// All bytes, 0 when unknown.
    pub total: u64,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl Transfer {
    /// How long the transfer took, once it has ended.
    pub fn duration(&self) -> Option<Duration> {
        Some(self.ended?.saturating_sub(self.began?))
    }
}

impl Step {
    /// How long the step worked, without the pauses between a cache probe and the work itself.
    pub fn duration(&self) -> Duration {
        match (self.stretch, self.ended) {
            (Some(start), Some(end)) => self.spent + end.saturating_sub(start),
            _ => self.spent,
        }
    }

    /// Whether the step has begun and not ended.
    pub fn is_running(&self) -> bool {
        self.number > 0 && self.ended.is_none()
    }

    /// Whether the step ended because something else failed or the build was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.ends_with("context canceled"))
    }

    /// Whether the step ended by its own fault.
    pub fn is_failed(&self) -> bool {
        self.error.is_some() && !self.is_cancelled()
    }

    /// The cache that this step reads, as BuildKit names it; nothing when it is a step of another kind.
    pub fn imported_cache(&self) -> Option<&str> {
        self.name.strip_prefix(IMPORT)
    }

    /// The exit code of its process, when that is why it failed.
    pub fn exit_code(&self) -> Option<i32> {
        let (_, after) = self.error.as_ref()?.rsplit_once("exit code: ")?;
        after.split(|c: char| c != '-' && !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// The bytes that were moved so far and, where every part says how many there are, the bytes in all.
    pub fn bytes(&self) -> (u64, Option<u64>) {
        let moving = || self.transfers.iter().filter(|transfer| transfer.current > 0 || transfer.total > 0);
        let current = moving().fold(0_u64, |sum, transfer| sum.saturating_add(transfer.current));
        let total = moving().fold(0_u64, |sum, transfer| sum.saturating_add(transfer.total));
        let known = moving().all(|transfer| transfer.total > 0) && total > 0;
        (current, known.then_some(total))
    }
}

/// All that is known of the build.
#[derive(Debug, Default)]
pub struct State {
    steps: Vec<Step>,
    by_digest: HashMap<String, StepId>,
    /// When the first step of each node began, which is one of this build's own.
    first: HashMap<String, Timestamp>,
    started: usize,
    warnings: Vec<VertexWarning>,
    seen_warnings: HashSet<(String, String, u32)>,
}

impl State {
    /// Steps in order of appearance; those with number 0 never began.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// One step; none for an id that is not of this state.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.get(id)
    }

    /// Findings of the frontend, each once, clean.
    pub fn warnings(&self) -> &[VertexWarning] {
        &self.warnings
    }

    /// The step with this digest, which failed; of several nodes that have it the one whose step is called so.
    pub fn failed(&self, digest: &str, name: &str) -> Option<&Step> {
        let is_it = |known: &str| {
            known.strip_suffix(digest).is_some_and(|node| node.is_empty() || node.ends_with(' '))
        };
        let found = self.by_digest.iter().filter(|(known, _)| is_it(known)).map(|(_, id)| &self.steps[*id]);
        let failed = found.filter(|step| step.is_failed());
        // Names are cut here and not there.
        failed.max_by_key(|step| {
            (name.starts_with(step.name.trim_end_matches('…')), std::cmp::Reverse(step.number))
        })
    }

    /// How long those inner parts of steps took whose name begins so, from the first start to the last end within a step, summed
    /// over the steps: with `pushing` it is the time of the push. Exports that were tried again are not among them.
    pub fn time_of(&self, prefix: &str) -> Duration {
        self.steps.iter().filter(|step| !step.name.contains(AGAIN)).fold(Duration::ZERO, |sum, step| {
            let parts = step.transfers.iter().filter(|part| part.name.starts_with(prefix));
            let first = parts.clone().filter_map(|part| part.began).min();
            let last = parts.filter_map(|part| part.ended).max();
            sum + last.unwrap_or_default().saturating_sub(first.unwrap_or(Timestamp::MAX))
        })
    }

    /// Takes in one message of the daemon and says what it changed, in the order in which that should be shown.
    pub fn apply(&mut self, update: &StatusUpdate) -> Vec<Delta> {
        let mut deltas = Vec::new();
        let mut ended = Vec::new();
        self.begin(update);
        for vertex in &update.vertexes {
            self.vertex(vertex, &mut deltas, &mut ended);
        }
        for status in &update.statuses {
            self.status(status, &mut deltas);
        }
        // Of two streams each is in order.
        let mut logs: Vec<&VertexLog> = update.logs.iter().collect();
        sort_by_key(&mut logs, |log| log.timestamp);
        for log in logs {
            self.log(log, &mut deltas);
        }
        for warning in &update.warnings {
            self.warning(warning, &mut deltas);
        }
        // A step's last words come in the message that says it ended: the end is shown after them.
        for step in ended {
            self.flush(step, &mut deltas);
            deltas.push(Delta::Ended(step));
        }
        deltas
    }

    /// Notes when each node began with this build: with the Dockerfile, else with the earliest of the steps that come first.
    fn begin(&mut self, update: &StatusUpdate) {
        let mut first: HashMap<&str, (bool, Timestamp)> = HashMap::new();
        for vertex in update.vertexes.iter().filter(|vertex| !self.first.contains_key(node_of(vertex))) {
            let Some(start) = vertex.started.or(vertex.completed) else { continue };
            let new = (!vertex.name.contains(DEFINITION), start);
            let known = first.entry(node_of(vertex)).or_insert(new);
            *known = new.min(*known);
        }
        self.first.extend(first.into_iter().map(|(node, (_, start))| (node.to_owned(), start)));
    }

    fn vertex(&mut self, vertex: &Vertex, deltas: &mut Vec<Delta>, ended: &mut Vec<StepId>) {
        let id = match self.by_digest.get(&vertex.digest) {
            Some(id) => *id,
            None if self.steps.len() >= MAX_STEPS => return,
            None => {
                let id = self.steps.len();
                self.by_digest.insert(vertex.digest.clone(), id);
                self.steps.push(Step::default());
                id
            }
        };
        let step = &mut self.steps[id];
        if !vertex.name.is_empty() {
            let name = untrusted::plain(&vertex.name);
            step.name = untrusted::cut(&units::short_digests(name.trim()), MAX_NAME);
        }
        step.cached = vertex.cached;
        // What could not be taken from the cache after all has to be made.
        step.was_cached = if vertex.cached { vertex.error.is_empty() } else { step.was_cached };
        step.error = (!vertex.error.is_empty())
            .then(|| untrusted::cut(&untrusted::plain_lines(&vertex.error), 4 * TAIL_LINE));
        let start = vertex.started.or(vertex.completed);
        if let Some(start) = start {
            // One that another build had begun before: what it took before this one is not this one's.
            let start = start.max(self.first.get(node_of(vertex)).copied().unwrap_or_default());
            if step.number == 0 {
                self.started += 1;
                step.number = self.started;
                step.began = Some(start);
                step.stretch = Some(start);
                deltas.push(Delta::Started(id));
            } else if step.stretch.is_some_and(|stretch| start > stretch)
                && let (Some(stretch), Some(end)) = (step.stretch, step.ended)
            {
                step.spent += end.saturating_sub(stretch);
                step.stretch = Some(start);
            }
        }
        let news = vertex.completed.is_some() && vertex.completed != step.ended;
        step.ended = vertex.completed;
        if news && !ended.contains(&id) {
            ended.push(id);
        }
    }

    fn status(&mut self, status: &VertexStatus, deltas: &mut Vec<Delta>) {
        let Some(id) = self.by_digest.get(&status.vertex).copied() else { return };
        let step = &mut self.steps[id];
        let name = if status.id.is_empty() { &status.name } else { &status.id };
        let name = untrusted::cut(untrusted::plain(name).trim(), MAX_NAME);
        let at = match step.transfers.iter().position(|transfer| transfer.name == name) {
            Some(at) => at,
            None if step.transfers.len() >= MAX_TRANSFERS => return,
            None => {
                step.transfers.push(Transfer { name, ..Transfer::default() });
                step.transfers.len() - 1
            }
        };
        let transfer = &mut step.transfers[at];
        transfer.current = u64::try_from(status.current).unwrap_or(0);
        transfer.total = u64::try_from(status.total).unwrap_or(0);
        transfer.began = transfer.began.or(status.started);
        transfer.ended = status.completed;
        deltas.push(Delta::Progress(id));
    }

    fn log(&mut self, log: &VertexLog, deltas: &mut Vec<Delta>) {
        let Some(id) = self.by_digest.get(&log.vertex).copied() else { return };
        let step = &mut self.steps[id];
        let at = log.timestamp.saturating_sub(step.began.unwrap_or(log.timestamp));
        let stream = usize::from(log.stream == 2);
        let lines = step.streams[stream].push(&log.message);
        step.output(id, (at, stream), lines, deltas);
    }

    fn flush(&mut self, id: StepId, deltas: &mut Vec<Delta>) {
        let step = &mut self.steps[id];
        let at = step.ended.unwrap_or_default().saturating_sub(step.began.unwrap_or_default());
        for stream in 0..step.streams.len() {
            let line = step.streams[stream].finish();
            step.output(id, (at, stream), line, deltas);
        }
    }

    fn warning(&mut self, warning: &VertexWarning, deltas: &mut Vec<Delta>) {
        let line = warning.location.as_ref().map_or(0, |location| location.line);
        let short = untrusted::cut(untrusted::plain(&warning.short).trim(), TAIL_LINE);
        // Each platform's run of the frontend reports the same.
        let key = (short.clone(), warning.url.clone(), line);
        if self.warnings.len() >= MAX_WARNINGS || !self.seen_warnings.insert(key) {
            return;
        }
        let detail = warning.detail.iter().take(TAIL_LINES);
        self.warnings.push(VertexWarning {
            short,
            detail: detail.map(|line| untrusted::cut(&untrusted::plain(line), TAIL_LINE)).collect(),
            url: untrusted::cut(&untrusted::plain(&warning.url), TAIL_LINE),
            ..warning.clone()
        });
        deltas.push(Delta::Warning(self.warnings.len() - 1));
    }
}

/// The node that a step is of, where there are several (`StatusUpdate::of_node`).
fn node_of(vertex: &Vertex) -> &str {
    vertex.digest.rsplit_once(' ').map_or("", |(node, _)| node)
}

impl Step {
    fn output(
        &mut self,
        id: StepId,
        (at, stream): (Duration, usize),
        lines: impl IntoIterator<Item = String>,
        deltas: &mut Vec<Delta>,
    ) {
        for line in lines {
            self.tail.push(untrusted::cut(&untrusted::strip_colours(&line), TAIL_LINE), stream == 1);
            deltas.push(Delta::Output { step: id, at, line });
        }
    }
}
