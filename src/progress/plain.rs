//! Progress as lines of a log that nobody can scroll back: the runner's.
//!
//! A step is told by one line when it ends ([`super::step_line`]). What it printed goes with that, by one rule:
//!
//! - **It ended well, and soon**: its line is the title of a folded group, and the output stands in it, whole. There is one group
//!   for a step, and no other step has a word in it.
//! - **It takes longer** than [`PATIENCE`] after its first words, or says more than can wait: from then on its output is shown as it
//!   comes, open, since a page that is being watched shows nothing of a folded group. Each line has the step's place in the
//!   Dockerfile before it, so that steps that run at once can be told apart. A line with its command begins that.
//! - **It failed**: its output is open in any case, as that is what a reader came for.
//!
//! Steps that run at once end in the order in which they end; nobody waits for another. Between, transfers say how far they
//! are, at most every five seconds, and when nothing else was said for half a minute, the steps that still run are named.
//!
//! Groups are fenced with `stop-commands`, so that even a line that got through `runner::untrusted` unharmed could do nothing
//! there. Open lines are not, as each fence would be two lines that nobody wants to read: they begin with the time, so that
//! none of them can be a command, and are free of marks as all that we print of others.
//!
//! Sans-IO: takes messages and the local time, gives lines. [`super::reporter`] writes them.

use std::collections::HashMap;
use std::time::Duration;

use super::event::{StatusUpdate, Timestamp, VertexWarning};
use super::label::Naming;
use super::state::{Delta, State, StepId};
use super::step_line::{StepLine, output_prefix};
use super::text;
use crate::runner::command::Command;
use crate::runner::untrusted;

/// How long the output of a step waits for its end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that one step may have waiting, and all together.
const WAITING_STEP: usize = 64 * 1024;
const WAITING_ALL: usize = 256 * 1024;
/// A step that goes on after its end, as an image's does that is resolved, fetched and unpacked, is said to have ended
/// again only if it took so much longer.
const WORTH_SAYING: Duration = Duration::from_secs(1);
/// How often a transfer is reported at most; less often the longer it takes.
const TRANSFER: Duration = Duration::from_secs(5);
/// When nothing was printed for this long, lines say what still runs.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Clean text that starts with something of ours.
    Text(String),
    /// What becomes of a step.
    Step(StepLine),
    /// The same, with the group that it opens.
    Group(StepLine),
    /// A line of a step's output in the open: what of ours stands before it, and the line with its colours.
    Output(String, String),
    /// For the runner.
    Command(Command),
    /// Something is tried again, or was: ours, and one for the summary.
    Retry(String),
    /// What stands below the other lines from now on, where they can be drawn over.
    Frame(Vec<Line>),
}

/// What the renderer must be told.
#[derive(Clone, Debug)]
pub struct PlainOptions {
    /// Token of the fence: at least 128 random bits, hexadecimal.
    pub fence: String,
    /// The Dockerfile as the frontend names it, and its path in the workspace: where annotations point to.
    /// Absent when it is not in the workspace.
    pub dockerfile: Option<(String, String)>,
    /// Warnings are lines of the log, and no annotations.
    pub quiet_warnings: bool,
    /// It is built for several platforms: each step says which.
    pub platforms: bool,
}

impl PlainOptions {
    /// A finding of the frontend.
    pub(super) fn warning(&self, warning: &VertexWarning) -> Line {
        let note = text::annotation(warning, self.dockerfile.as_ref());
        if !self.quiet_warnings {
            return Line::Command(Command::Annotation(note));
        }
        let place = note.file.as_ref().map(|file| match note.lines {
            Some((first, _)) => format!(" ({file}:{first})"),
            None => format!(" ({file})"),
        });
        let title = note.title.as_ref().map(|title| format!("{title}: ")).unwrap_or_default();
        let said = format!("{title}{}{}", note.message.replace('\n', "; "), place.unwrap_or_default());
        Line::Text(format!("warning: {}", untrusted::plain(&said)))
    }
}

/// What was said about a step.
#[derive(Debug, Default)]
struct Said {
    /// Local time when it began.
    began: Timestamp,
    /// Output that waits for its end, the step's time with each line.
    held: Vec<(Duration, String)>,
    /// Local time of the first of these lines.
    since: Timestamp,
    bytes: usize,
    /// Its output is shown as it comes.
    open: bool,
    /// Its time when its end was last shown.
    end: Option<Duration>,
    /// It has said something since then.
    spoke: bool,
    /// Local time and bytes of the last report of its transfers.
    transfer: Option<(Timestamp, u64)>,
}

/// Folds the status stream and renders it.
#[derive(Debug)]
pub struct Plain {
    options: PlainOptions,
    state: State,
    naming: Naming,
    said: HashMap<StepId, Said>,
    /// Bytes of all output that waits.
    waiting: usize,
    /// Ends that are said when it is clear that they are some.
    ends: Vec<StepId>,
    /// Local time of the last line, and how long to wait for the next heartbeat.
    quiet_since: Option<Timestamp>,
    patience: Duration,
    out: Vec<Line>,
}

impl Plain {
    /// Nothing said yet.
    pub fn new(options: PlainOptions) -> Self {
        Self {
            naming: Naming::new(options.platforms),
            options,
            state: State::default(),
            said: HashMap::new(),
            waiting: 0,
            ends: Vec::new(),
            quiet_since: None,
            patience: HEARTBEAT,
            out: Vec::new(),
        }
    }

    /// What is known of the build.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What is known of the build, when nothing more is to be said.
    pub fn into_state(self) -> State {
        self.state
    }

    /// Takes in a message of the status stream; `now` is local time, from any fixed point.
    pub fn update(&mut self, update: &StatusUpdate, now: Timestamp) -> Vec<Line> {
        let deltas = self.state.apply(update);
        self.naming.learn(&self.state);
        for delta in deltas {
            match delta {
                Delta::Started(step) => self.said.entry(step).or_default().began = now,
                Delta::Output { step, at, line } => self.output(step, at, line, now),
                Delta::Progress(step) => self.transfer(step, now),
                Delta::Warning(index) => {
                    let warning = self.state.warnings().get(index);
                    self.out.extend(warning.map(|warning| self.options.warning(warning)));
                }
                Delta::Ended(step) => self.ended(step),
            }
        }
        self.open_overdue(now);
        if let Some(text) = &update.retry {
            self.say_ends();
            self.out.push(Line::Retry(text.clone()));
        }
        self.take(now)
    }

    /// To be called every second or so: shows what has waited long enough, says what still runs.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Line> {
        self.open_overdue(now);
        if !self.out.is_empty() {
            return self.take(now);
        }
        let quiet_since = *self.quiet_since.get_or_insert(now);
        let quiet = now.saturating_sub(quiet_since);
        if quiet < self.patience {
            return Vec::new();
        }
        self.patience = quiet + (quiet.max(HEARTBEAT)).min(4 * HEARTBEAT);
        let running = self.state.steps().iter().enumerate().filter_map(|(id, step)| {
            let began = self.said.get(&id)?.began;
            step.is_running().then(|| (step, now.saturating_sub(began)))
        });
        let (running, more) = text::still_running(&self.naming, running);
        running.into_iter().map(Line::Step).chain(text::more(more).map(Line::Text)).collect()
    }

    /// The stream is over: everything that waits is shown.
    pub fn finish(&mut self, now: Timestamp) -> Vec<Line> {
        let mut waiting: Vec<StepId> =
            self.said.iter().filter(|(_, said)| !said.held.is_empty()).map(|(id, _)| *id).collect();
        waiting.sort_unstable();
        for id in waiting {
            self.open(id, now);
        }
        self.say_ends();
        self.take(now)
    }

    fn take(&mut self, now: Timestamp) -> Vec<Line> {
        if !self.out.is_empty() || self.quiet_since.is_none() {
            self.quiet_since = Some(now);
            self.patience = HEARTBEAT;
        }
        std::mem::take(&mut self.out)
    }

    fn output(&mut self, id: StepId, at: Duration, line: String, now: Timestamp) {
        let said = self.said.entry(id).or_default();
        said.spoke = true;
        if said.open {
            self.show(id, [(at, line)]);
            return;
        }
        if said.held.is_empty() {
            said.since = now;
        }
        said.bytes += line.len();
        self.waiting += line.len();
        said.held.push((at, line));
        if said.bytes > WAITING_STEP || self.waiting > WAITING_ALL {
            self.open(id, now);
        }
    }

    /// Shows, in the open, what was printed by steps that are not likely to end soon.
    fn open_overdue(&mut self, now: Timestamp) {
        let is_overdue = |said: &Said| !said.held.is_empty() && now.saturating_sub(said.since) >= PATIENCE;
        let mut overdue: Vec<(Timestamp, StepId)> = self
            .said
            .iter()
            .filter(|(_, said)| is_overdue(said))
            .map(|(id, said)| (said.since, *id))
            .collect();
        overdue.sort_unstable();
        for (_, id) in overdue {
            self.open(id, now);
        }
    }

    /// From now on, and with what has waited, the output of this step is shown as it comes.
    fn open(&mut self, id: StepId, now: Timestamp) {
        let held = self.held(id);
        let said = self.said.entry(id).or_default();
        said.open = true;
        let time = now.saturating_sub(said.began);
        self.out
            .extend(self.state.step(id).map(|step| Line::Step(text::running(&self.naming, step, time, ""))));
        self.show(id, held);
    }

    /// Output in the open.
    fn show(&mut self, id: StepId, lines: impl IntoIterator<Item = (Duration, String)>) {
        let Some(step) = self.state.step(id) else { return };
        let short = self.naming.short(&step.name);
        // What has no place in the Dockerfile is called by what it does.
        let label = if short.label.is_empty() { &short.command } else { &short.label };
        let prefix = |at| output_prefix(at, Some((label, self.naming.width())));
        self.out.extend(lines.into_iter().map(|(at, line)| Line::Output(prefix(at), line)));
    }

    /// What of a step's output waits, which is then no longer kept.
    fn held(&mut self, id: StepId) -> Vec<(Duration, String)> {
        let said = self.said.entry(id).or_default();
        self.waiting = self.waiting.saturating_sub(std::mem::take(&mut said.bytes));
        std::mem::take(&mut said.held)
    }

    /// The line that says how a step ended, unless it would say nothing new, and what it printed.
    fn ended(&mut self, id: StepId) {
        let held = self.held(id);
        let Some(step) = self.state.step(id) else { return };
        let said = self.said.entry(id).or_default();
        said.open = false;
        let time = step.duration();
        let again = said.end.is_some_and(|before| time < before + WORTH_SAYING);
        let trivial = text::is_trivial(step);
        if (again && step.error.is_none() || trivial) && !said.spoke {
            return;
        }
        said.end = Some(time);
        said.spoke = false;
        self.ends.retain(|end| *end != id);
        if held.is_empty() && text::may_go_on(step) {
            self.ends.push(id);
            return;
        }
        let line = text::result(&self.naming, step);
        if step.is_failed() {
            self.show(id, held);
            self.out.push(Line::Step(line));
        } else if held.is_empty() {
            self.out.push(Line::Step(line));
        } else {
            self.group(line, held);
        }
    }

    /// Output in a group that no command leads out of.
    fn group(&mut self, title: StepLine, lines: Vec<(Duration, String)>) {
        let fence = &self.options.fence;
        self.out.push(Line::Group(title));
        self.out.push(Line::Command(Command::StopCommands(fence.clone())));
        let line = |(at, line): (Duration, String)| Line::Text(output_prefix(at, None) + &line);
        self.out.extend(lines.into_iter().map(line));
        self.out.push(Line::Command(Command::Resume(fence.clone())));
        self.out.push(Line::Command(Command::EndGroup));
    }

    fn say_ends(&mut self) {
        let ends = std::mem::take(&mut self.ends);
        let steps = ends.into_iter().filter_map(|id| self.state.step(id));
        self.out.extend(steps.map(|step| Line::Step(text::result(&self.naming, step))));
    }

    fn transfer(&mut self, id: StepId, now: Timestamp) {
        let Some(step) = self.state.step(id).filter(|step| step.is_running()) else { return };
        let said = self.said.entry(id).or_default();
        let (current, total) = step.bytes();
        let (last, before) = *said.transfer.get_or_insert((said.began, 0));
        let time = now.saturating_sub(said.began);
        let interval = TRANSFER.max(time / 4);
        if now.saturating_sub(last) < interval || current <= before {
            return;
        }
        let rate = (u128::from(current - before) * 1000 / now.saturating_sub(last).as_millis().max(1))
            .try_into()
            .unwrap_or(u64::MAX);
        said.transfer = Some((now, current));
        let moved = text::moved(current, total, Some(rate));
        self.out.push(Line::Step(text::running(&self.naming, step, time, &moved)));
    }
}
