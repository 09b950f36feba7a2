//! The renderer that suits where the lines go: a log, or a terminal with a person before it.

use std::time::Duration;

use super::event::{StatusUpdate, Timestamp};
use super::live::Live;
use super::plain::{Line, Plain, PlainOptions};
use super::state::State;

/// Folds the status stream and renders it.
#[derive(Debug)]
pub enum Display {
    /// Lines that stay.
    Plain(Box<Plain>),
    /// A frame that moves.
    Live(Box<Live>),
}

impl Display {
    /// `live`: lines can be drawn over.
    pub fn new(options: PlainOptions, live: bool) -> Self {
        if live {
            Self::Live(Box::new(Live::new(options)))
        } else {
            Self::Plain(Box::new(Plain::new(options)))
        }
    }

    /// Takes in a message of the status stream; `now` is local time, from any fixed point.
    pub fn update(&mut self, update: &StatusUpdate, now: Timestamp) -> Vec<Line> {
        match self {
            Self::Plain(plain) => plain.update(update, now),
            Self::Live(live) => live.update(update, now),
        }
    }

    /// How often [`Display::tick`] is to be called.
    pub fn interval(&self) -> Duration {
        match self {
            Self::Plain(_) => Duration::from_secs(1),
            Self::Live(_) => Duration::from_millis(100),
        }
    }

    /// What there is to say because time passes.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Line> {
        match self {
            Self::Plain(plain) => plain.tick(now),
            Self::Live(live) => live.tick(now),
        }
    }

    /// The stream is over.
    pub fn finish(&mut self, now: Timestamp) -> Vec<Line> {
        match self {
            Self::Plain(plain) => plain.finish(now),
            Self::Live(live) => live.finish(),
        }
    }

    /// What is known of the build.
    pub fn state(&self) -> &State {
        match self {
            Self::Plain(plain) => plain.state(),
            Self::Live(live) => live.state(),
        }
    }

    /// What is known of the build, when nothing more is to be said.
    pub fn into_state(self) -> State {
        match self {
            Self::Plain(plain) => plain.into_state(),
            Self::Live(live) => live.into_state(),
        }
    }
}
