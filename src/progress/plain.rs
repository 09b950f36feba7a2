//! Progress as lines of a log that nobody can scroll back: the runner's.
//!
//! One step has the floor at a time. Its output stands in a group of its own, every line with its number and
//! the seconds since it began; what other steps say waits (bounded), until the step ends, is silent while
//! others wait, or has talked long enough. A step's end is one visible line. Groups are fenced with
//! `stop-commands`, so that even a line that got through `runner::untrusted` unharmed could do nothing;
//! what we have to say ourselves (annotations) comes outside of a group.
//!
//! Sans-IO: takes messages and the local time, gives lines. [`super::reporter`] writes them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::event::{StatusUpdate, Timestamp, VertexWarning};
use super::state::{Delta, State, Step, StepId};
use super::text;
use crate::runner::command::Command;
use crate::runner::untrusted;

/// A step with the floor that is silent for this long gives way to one that waits.
const SILENCE: Duration = Duration::from_secs(2);
/// Nobody waits longer than this, however much the other has to say.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that one step may have waiting, and all together.
const WAITING_STEP: usize = 64 * 1024;
const WAITING_ALL: usize = 256 * 1024;
/// A step that goes on after its end, as an image's does that is resolved, fetched and unpacked, is said to have ended
/// again only if it took so much longer.
const WORTH_SAYING: Duration = Duration::from_secs(1);
/// How often a transfer is reported at most; less often the longer it takes.
const TRANSFER: Duration = Duration::from_secs(5);
/// When nothing was printed for this long, a line says what still runs.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Clean text that starts with something of ours.
    Text(String),
    /// For the runner.
    Command(Command),
    /// Something is tried again, or was: ours, and one for the summary.
    Retry(String),
    /// What stands below the other lines from now on, where they can be drawn over.
    Frame(Vec<String>),
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

/// Output of a step that does not have the floor.
#[derive(Debug)]
struct Waiting {
    step: StepId,
    since: Timestamp,
    lines: Vec<String>,
    bytes: usize,
}

/// What was said about a step.
#[derive(Debug, Default)]
struct Said {
    /// Local time when it began.
    began: Timestamp,
    /// Groups opened so far.
    groups: usize,
    /// Its time when its end was last shown.
    end: Option<Duration>,
    /// Lines shown since then.
    lines: bool,
    /// Local time and bytes of the last report of its transfers.
    transfer: Option<(Timestamp, u64)>,
}

/// Folds the status stream and renders it.
#[derive(Debug)]
pub struct Plain {
    options: PlainOptions,
    state: State,
    said: HashMap<StepId, Said>,
    floor: Option<StepId>,
    /// Local time of the last line of the step with the floor.
    spoke: Timestamp,
    waiting: VecDeque<Waiting>,
    /// Ends that are said when it is clear that they are some.
    held: Vec<StepId>,
    notes: Vec<Line>,
    /// Local time of the last line, and how long to wait for the next heartbeat.
    quiet_since: Option<Timestamp>,
    patience: Duration,
    out: Vec<Line>,
}

impl Plain {
    /// Nothing said yet.
    pub fn new(options: PlainOptions) -> Self {
        Self {
            options,
            state: State::default(),
            said: HashMap::new(),
            floor: None,
            spoke: Timestamp::ZERO,
            waiting: VecDeque::new(),
            held: Vec::new(),
            notes: Vec::new(),
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
        for delta in self.state.apply(update) {
            match delta {
                Delta::Started(step) => self.said.entry(step).or_default().began = now,
                Delta::Output { step, at, line } => self.output(step, at, &line, now),
                Delta::Progress(step) => self.transfer(step, now),
                Delta::Warning(index) => self.note(index),
                Delta::Ended(step) => self.ended(step, now),
            }
        }
        self.settle(now);
        if let Some(text) = &update.retry {
            self.show_all(now);
            self.out.push(Line::Retry(text.clone()));
        }
        self.take(now)
    }

    /// To be called every second or so: passes the floor on, says what still runs.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Line> {
        self.settle(now);
        if !self.out.is_empty() {
            return self.take(now);
        }
        let quiet_since = *self.quiet_since.get_or_insert(now);
        let quiet = now.saturating_sub(quiet_since);
        if quiet < self.patience {
            return Vec::new();
        }
        let running = text::still_running(self.state.steps().iter().enumerate().filter_map(|(id, step)| {
            let began = self.said.get(&id)?.began;
            step.is_running().then(|| (step, now.saturating_sub(began)))
        }));
        self.patience = quiet + (quiet.max(HEARTBEAT)).min(4 * HEARTBEAT);
        let Some(running) = running else { return Vec::new() };
        self.close();
        self.out.push(Line::Text(running));
        std::mem::take(&mut self.out)
    }

    /// The stream is over: everything that waits is shown, the group is closed.
    pub fn finish(&mut self, now: Timestamp) -> Vec<Line> {
        self.show_all(now);
        self.take(now)
    }

    /// Everything that waits is shown, and no group is open then.
    fn show_all(&mut self, now: Timestamp) {
        self.close();
        while let Some(waiting) = self.waiting.pop_front() {
            self.show(waiting, now);
            self.close();
        }
        for id in std::mem::take(&mut self.held) {
            self.out.extend(self.state.step(id).map(|step| Line::Text(text::result(step))));
        }
        self.speak_notes();
    }

    fn take(&mut self, now: Timestamp) -> Vec<Line> {
        if !self.out.is_empty() || self.quiet_since.is_none() {
            self.quiet_since = Some(now);
            self.patience = HEARTBEAT;
        }
        std::mem::take(&mut self.out)
    }

    fn output(&mut self, step: StepId, at: Duration, line: &str, now: Timestamp) {
        let Some(number) = self.state.step(step).map(|step| step.number) else { return };
        let line = format!("#{number} {}.{:03} {line}", at.as_secs(), at.subsec_millis());
        if self.floor.is_none() && self.waiting.is_empty() {
            self.open(step);
        }
        if self.floor == Some(step) {
            self.spoke = now;
            self.said.entry(step).or_default().lines = true;
            self.out.push(Line::Text(line));
            return;
        }
        let waiting = self.wait(step, now);
        waiting.bytes += line.len();
        waiting.lines.push(line);
        if waiting.bytes > WAITING_STEP || self.waiting.iter().map(|w| w.bytes).sum::<usize>() > WAITING_ALL {
            self.pass(now);
        }
    }

    fn wait(&mut self, step: StepId, now: Timestamp) -> &mut Waiting {
        let at = self.waiting.iter().position(|waiting| waiting.step == step).unwrap_or_else(|| {
            self.waiting.push_back(Waiting { step, since: now, lines: Vec::new(), bytes: 0 });
            self.waiting.len() - 1
        });
        &mut self.waiting[at]
    }

    fn ended(&mut self, step: StepId, now: Timestamp) {
        if self.floor == Some(step) {
            self.close();
            self.result(step);
            self.pass(now);
        } else if self.floor.is_some() || self.waiting.iter().any(|waiting| waiting.step == step) {
            self.wait(step, now);
        } else {
            self.result(step);
        }
    }

    /// Passes the floor on when it should not be held any longer.
    fn settle(&mut self, now: Timestamp) {
        let waited = self.waiting.front().map(|waiting| now.saturating_sub(waiting.since));
        let give_way = match (self.floor, waited) {
            (None, _) => true,
            (Some(floor), _) if !self.state.step(floor).is_some_and(Step::is_running) => true,
            (Some(_), Some(waited)) => waited >= PATIENCE || now.saturating_sub(self.spoke) >= SILENCE,
            (Some(_), None) => false,
        };
        if give_way {
            self.pass(now);
        }
    }

    /// Takes the floor away; shows all that ended meanwhile, then the first that still has to say something.
    fn pass(&mut self, now: Timestamp) {
        self.close();
        let (ended, mut running): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| !self.state.step(waiting.step).is_some_and(Step::is_running));
        for waiting in ended {
            self.show(waiting, now);
        }
        self.speak_notes();
        let next = running.pop_front();
        self.waiting = running;
        if let Some(next) = next {
            self.show(next, now);
        }
    }

    /// Shows what waited. A step that still runs keeps the floor.
    fn show(&mut self, waiting: Waiting, now: Timestamp) {
        let step = waiting.step;
        if !waiting.lines.is_empty() {
            self.open(step);
            self.spoke = now;
            self.said.entry(step).or_default().lines = true;
            self.out.extend(waiting.lines.into_iter().map(Line::Text));
        }
        if !self.state.step(step).is_some_and(Step::is_running) {
            self.close();
            self.result(step);
        }
    }

    fn open(&mut self, step: StepId) {
        self.close();
        self.speak_notes();
        let said = self.said.entry(step).or_default();
        let again = if said.groups > 0 { " (continued)" } else { "" };
        said.groups += 1;
        let Some(known) = self.state.step(step) else { return };
        let title = format!("#{} {}{again}", known.number, known.name);
        self.out.push(Line::Command(Command::Group(title)));
        self.out.push(Line::Command(Command::StopCommands(self.options.fence.clone())));
        self.floor = Some(step);
    }

    fn close(&mut self) {
        if self.floor.take().is_some() {
            self.out.push(Line::Command(Command::Resume(self.options.fence.clone())));
            self.out.push(Line::Command(Command::EndGroup));
        }
    }

    /// The line that says how a step ended, unless it would say nothing new.
    fn result(&mut self, id: StepId) {
        let Some(step) = self.state.step(id) else { return };
        let said = self.said.entry(id).or_default();
        let time = step.duration();
        let again = said.end.is_some_and(|before| time < before + WORTH_SAYING);
        let trivial = said.groups == 0 && text::is_trivial(step);
        if (again && !said.lines && step.error.is_none()) || trivial {
            return;
        }
        said.end = Some(time);
        said.lines = false;
        self.held.retain(|held| *held != id);
        if text::may_go_on(step) {
            self.held.push(id);
            return;
        }
        self.out.push(Line::Text(text::result(step)));
    }

    fn transfer(&mut self, id: StepId, now: Timestamp) {
        let Some(step) = self.state.step(id).filter(|step| step.is_running()) else { return };
        if self.floor.is_some_and(|floor| floor != id) {
            return;
        }
        let said = self.said.entry(id).or_default();
        let (current, total) = step.bytes();
        let (last, before) = *said.transfer.get_or_insert((said.began, 0));
        let interval = TRANSFER.max(now.saturating_sub(said.began) / 4);
        if now.saturating_sub(last) < interval || current <= before {
            return;
        }
        let rate = (u128::from(current - before) * 1000 / now.saturating_sub(last).as_millis().max(1))
            .try_into()
            .unwrap_or(u64::MAX);
        said.transfer = Some((now, current));
        self.out.push(Line::Text(text::transfer(step, current, total, rate)));
    }

    fn note(&mut self, index: usize) {
        let Some(warning) = self.state.warnings().get(index) else { return };
        self.notes.push(self.options.warning(warning));
        if self.floor.is_none() {
            self.speak_notes();
        }
    }

    fn speak_notes(&mut self) {
        self.out.append(&mut self.notes);
    }
}
