//! Faults by lot: from a seed, so that a bad run can be had again.

use super::{Act, Answer, Kind, Request};
use std::time::{Duration, Instant};

/// A small generator (`xorshift64*`); the same seed throws the same.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds begin far apart; zero would stay zero.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Below `limit`.
    pub fn throw(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// Spoils so many of a hundred requests, each in a way that the dice choose.
#[derive(Debug, Clone)]
pub struct Chance {
    dice: Dice,
    percent: u64,
    /// How long all others after a spoiled one are, too.
    longest: Duration,
    until: Option<Instant>,
}

impl Chance {
    /// Each for itself.
    pub fn new(seed: u64, percent: u64) -> Self {
        Self { dice: Dice::new(seed), percent, longest: Duration::ZERO, until: None }
    }

    /// So many of a hundred begin an outage, which lasts up to `longest`: a client that asks again at once does not
    /// outlast it.
    pub fn in_outages(seed: u64, percent: u64, longest: Duration) -> Self {
        Self { longest, ..Self::new(seed, percent) }
    }

    /// What becomes of a request.
    pub fn act(&mut self, request: &Request) -> Act {
        let out = self.until.is_some_and(|until| Instant::now() < until);
        if !out {
            if self.dice.throw(100) >= self.percent {
                return Act::Pass;
            }
            let thousandths = u32::try_from(self.dice.throw(1001)).unwrap_or(1000);
            self.until = Some(Instant::now() + self.longest * thousandths / 1000);
        }
        let upload = matches!(request.kind, Kind::SendUpload | Kind::EndUpload);
        match self.dice.throw(11) {
            0 => Answer::status(429).retry_after(1).into(),
            1 => Answer::status(429).into(),
            2 => Answer::status(500).into(),
            3 => Answer::status(502).long(1 << 20).into(),
            4 | 5 => Answer::status(503).into(),
            6 if upload => Act::ResetAt(self.dice.throw(4096)),
            6 | 7 => Act::Reset,
            8 => Act::LoseAnswer,
            9 => Act::Truncate(self.dice.throw(64)),
            _ => Act::Stall(Duration::from_millis(300)),
        }
    }
}
