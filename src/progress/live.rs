//! Progress for a person at a terminal: what has ended scrolls by, what still runs stands below it and moves.
//!
//! The lower part is a frame of a few lines that [`super::reporter`] draws over itself. Of a step's output only the
//! last lines are shown, as the whole stays readable nowhere: a step that fails is reported with its last lines
//! when the build is over.
//!
//! Sans-IO, like [`super::plain`]: takes messages and the local time, gives lines and frames.

use std::collections::HashMap;
use std::time::Duration;

use super::event::{StatusUpdate, Timestamp};
use super::label::Naming;
use super::plain::{Line, PlainOptions};
use super::state::{Delta, State, Step, StepId};
use super::text;

/// Steps that a frame has room for.
const STEPS: usize = 8;
/// Lines of output below the step that spoke last.
const OUTPUT: usize = 4;
/// The shortest time over which a rate is taken.
const SAMPLE: Duration = Duration::from_secs(1);

/// What is remembered of a step beside its state.
#[derive(Debug, Default)]
struct Seen {
    /// Local time when it began.
    began: Timestamp,
    /// Its time when its end was shown.
    end: Option<Duration>,
    /// Local time and bytes of the last sample, and the rate that it gave, in bytes a second.
    sample: (Timestamp, u64),
    rate: Option<u64>,
}

/// Folds the status stream and renders it.
#[derive(Debug)]
pub struct Live {
    naming: Naming,
    options: PlainOptions,
    state: State,
    seen: HashMap<StepId, Seen>,
    /// The step that spoke last.
    speaker: Option<StepId>,
    /// Ends that are said when it is clear that they are some.
    held: Vec<StepId>,
}

impl Live {
    /// Nothing said yet.
    pub fn new(options: PlainOptions) -> Self {
        Self {
            naming: Naming::new(options.platforms),
            options,
            state: State::default(),
            seen: HashMap::new(),
            speaker: None,
            held: Vec::new(),
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

    /// Takes in a message: what scrolls by. The frame comes with [`Live::tick`], as nobody reads faster.
    pub fn update(&mut self, update: &StatusUpdate, now: Timestamp) -> Vec<Line> {
        let mut lines = Vec::new();
        let deltas = self.state.apply(update);
        self.naming.learn(&self.state);
        for delta in deltas {
            match delta {
                Delta::Started(step) => {
                    self.seen.insert(step, Seen { began: now, sample: (now, 0), ..Seen::default() });
                }
                Delta::Output { step, .. } => self.speaker = Some(step),
                Delta::Progress(_) => {}
                Delta::Warning(index) => {
                    let warning = self.state.warnings().get(index);
                    lines.extend(warning.map(|warning| self.options.warning(warning)));
                }
                Delta::Ended(step) => lines.extend(self.ended(step)),
            }
        }
        if let Some(text) = &update.retry {
            lines.extend(self.held_ends());
            lines.push(Line::Retry(text.clone()));
        }
        lines
    }

    fn held_ends(&mut self) -> Vec<Line> {
        let held = std::mem::take(&mut self.held);
        let held = held.into_iter().filter_map(|id| self.state.step(id));
        held.map(|step| Line::Step(text::result(&self.naming, step))).collect()
    }

    /// The frame as it is now; to be asked for several times a second.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Line> {
        let frame = self.frame(now);
        vec![Line::Frame(frame)]
    }

    /// The stream is over: the frame goes.
    pub fn finish(&mut self) -> Vec<Line> {
        let mut lines = self.held_ends();
        lines.push(Line::Frame(Vec::new()));
        lines
    }

    /// The line that says how a step ended, unless it would say nothing new.
    fn ended(&mut self, id: StepId) -> Option<Line> {
        let step = self.state.step(id)?;
        let seen = self.seen.entry(id).or_default();
        let time = step.duration();
        let again = seen.end.is_some_and(|before| time < before + Duration::from_millis(100));
        if (again && step.error.is_none()) || text::is_trivial(step) {
            return None;
        }
        seen.end = Some(time);
        self.held.retain(|held| *held != id);
        if text::may_go_on(step) {
            self.held.push(id);
            return None;
        }
        Some(Line::Step(text::result(&self.naming, step)))
    }

    fn frame(&mut self, now: Timestamp) -> Vec<Line> {
        let running: Vec<StepId> = (0..self.state.steps().len())
            .filter(|id| self.state.step(*id).is_some_and(Step::is_running))
            .collect();
        let mut lines = Vec::new();
        for id in running.iter().take(STEPS) {
            let Some(step) = self.state.step(*id) else { continue };
            let seen = self.seen.entry(*id).or_default();
            let time = now.saturating_sub(seen.began);
            let moved = moved(step, seen, now);
            lines.push(Line::Step(text::running(&self.naming, step, time, &moved)));
            if self.speaker == Some(*id) {
                let tail = step.tail.lines();
                let tail = tail.iter().skip(tail.len().saturating_sub(OUTPUT));
                lines.extend(tail.map(|line| Line::Text(format!("         │ {line}"))));
            }
        }
        lines.extend(text::more(running.len().saturating_sub(STEPS)).map(Line::Text));
        lines
    }
}

/// `: 12.3 MB of 45.6 MB, 8.2 MB/s`; nothing where no bytes move.
fn moved(step: &Step, seen: &mut Seen, now: Timestamp) -> String {
    let (current, total) = step.bytes();
    if current == 0 {
        return String::new();
    }
    let (at, before) = seen.sample;
    let passed = now.saturating_sub(at);
    if passed >= SAMPLE {
        let bytes = u128::from(current.saturating_sub(before));
        seen.rate = u64::try_from(bytes * 1000 / passed.as_millis().max(1)).ok();
        seen.sample = (now, current);
    }
    text::moved(current, total, seen.rate)
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
