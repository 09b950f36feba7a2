//! How long a push or a request is tried again: the policy, as a value that decides and never sleeps.
//!
//! One for everything that goes to a registry. Whoever talks to it says what kind of trouble there was
//! ([`Trouble`]); a [`Patience`] says whether and when to try again. Random bits and elapsed time come from outside.

use std::time::Duration;

/// The input `retries`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retries {
    /// As long as it is of use, within [`BUDGET`].
    #[default]
    Auto,
    /// So many more attempts at most, within the same time; none for 0.
    Times(u32),
}

/// The time from the first failure of one piece of work after which it is given up.
pub const BUDGET: Duration = Duration::from_mins(5);
/// The same for a registry that nobody has reached in this run: its name may be wrong.
const BUDGET_UNKNOWN: Duration = Duration::from_secs(4);
/// The same where it cannot be told whether another try is of use.
const BUDGET_UNCLEAR: Duration = Duration::from_mins(1);
/// The longest pause that we choose ourselves.
const LONGEST: Duration = Duration::from_secs(30);

/// What went wrong, as far as another try depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It has too much to do, and says for how long, or not.
    Busy(Option<Duration>),
    /// Its own trouble, or that of the network: 5xx, a connection that broke.
    Broken,
    /// It refused with words that may mean its own trouble or a lasting one.
    Unclear,
    /// Nobody answers there.
    Unreached,
    /// It no longer takes the login (401).
    LoginEnded,
    /// The login may not do this (403).
    Denied,
    /// Another try would end the same.
    Lasting,
}

/// What is known of the registry before the first failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// It was given a login.
    pub login: bool,
    /// It let us push already in this run.
    pub proven: bool,
    /// It answered already in this run, as it should: that it is gone is an outage, and no wrong name.
    pub reached: bool,
}

/// What is left of the patience with one piece of work.
#[derive(Clone, Debug)]
pub struct Patience {
    retries: Retries,
    standing: Standing,
    first: Duration,
    budget: Duration,
    failures: u32,
    renewed: bool,
}

impl Patience {
    /// For one request: a registry that is busy with another push of the same image is itself again within a second.
    pub fn with_request(retries: Retries, standing: Standing) -> Self {
        let (first, budget) = (Duration::from_millis(200), BUDGET);
        Self { retries, standing, first, budget, failures: 0, renewed: false }
    }

    /// For a whole push, which the daemon has tried again by itself for some seconds.
    pub fn with_push(retries: Retries, standing: Standing) -> Self {
        Self { first: Duration::from_secs(2), ..Self::with_request(retries, standing) }
    }

    /// The same, but given up after this time from the first failure.
    #[must_use]
    pub fn within(self, budget: Duration) -> Self {
        Self { budget, ..self }
    }

    /// It is known now that the registry lets us push.
    pub fn prove(&mut self) {
        self.standing.proven = true;
    }

    /// The login that may have ended is one that was not had once more yet: another registry's than those before.
    pub fn with_another_login(&mut self) {
        self.standing.login = true;
        self.renewed = false;
    }

    /// Attempts that have failed.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// After one more failure: how long to wait before the next attempt; `None` when there is to be none. `spent` is
    /// the time since the first failure, `random` any bits: each of many jobs waits its own time.
    pub fn after(&mut self, trouble: Trouble, spent: Duration, random: u64) -> Option<Duration> {
        let failures = self.failures;
        self.failures += 1;
        if let Retries::Times(most) = self.retries
            && failures >= most
        {
            return None;
        }
        let budget = match trouble {
            Trouble::Unreached if !self.standing.proven && !self.standing.reached => BUDGET_UNKNOWN,
            Trouble::Unclear => BUDGET_UNCLEAR,
            _ => BUDGET,
        };
        let left = budget.min(self.budget).checked_sub(spent).filter(|left| !left.is_zero())?;
        let own = jittered(self.first.saturating_mul(1 << failures.min(16)).min(LONGEST), random);
        match trouble {
            Trouble::Lasting => None,
            // What it asked for, and not a moment less.
            Trouble::Busy(Some(asked)) => Some(asked.max(own.min(self.first))).filter(|pause| *pause <= left),
            Trouble::Busy(None) | Trouble::Broken | Trouble::Unclear | Trouble::Unreached => {
                Some(own.min(left))
            }
            Trouble::LoginEnded => self.renew(self.standing.login || self.standing.proven),
            Trouble::Denied => self.renew(self.standing.proven),
        }
    }

    /// One fresh login, if there is reason to believe in it.
    fn renew(&mut self, of_use: bool) -> Option<Duration> {
        let first_time = !std::mem::replace(&mut self.renewed, true);
        (of_use && first_time).then_some(self.first)
    }
}

/// A quarter less to a quarter more.
fn jittered(pause: Duration, random: u64) -> Duration {
    let thousandths = u32::try_from(750 + random % 501).unwrap_or(1000);
    pause * thousandths / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: u64 = 250;
    const KNOWN: Standing = Standing { login: true, proven: true, reached: true };

    #[test]
    fn pauses_grow_and_the_budget_ends_them() {
        let mut patience = Patience::with_push(Retries::Auto, KNOWN);
        let mut spent = Duration::ZERO;
        let mut pauses = Vec::new();
        while let Some(pause) = patience.after(Trouble::Broken, spent, MIDDLE) {
            pauses.push(pause.as_secs());
            spent += pause;
        }
        assert_eq!(
            pauses,
            [2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30, 30, 30],
            "the last try is at the budget's end"
        );
        assert_eq!((spent, patience.failures()), (BUDGET, 14));
        let mut patience = Patience::with_request(Retries::Auto, KNOWN);
        let pauses: Vec<_> = (0..4)
            .map(|_| patience.after(Trouble::Broken, Duration::ZERO, MIDDLE).unwrap().as_millis())
            .collect();
        assert_eq!(pauses, [200, 400, 800, 1600]);
    }

    #[test]
    fn what_is_worth_another_try() {
        let first = |trouble, standing| {
            let mut patience = Patience::with_push(Retries::Auto, standing);
            patience.after(trouble, Duration::ZERO, MIDDLE)
        };
        let login = Standing { login: true, ..Standing::default() };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (trouble, standing, expected) in [
            (Trouble::Lasting, KNOWN, None),
            (Trouble::Busy(None), Standing::default(), seconds(2)),
            (Trouble::Busy(seconds(40)), Standing::default(), seconds(40)),
            (Trouble::Busy(seconds(0)), KNOWN, seconds(2)),
            (Trouble::Busy(seconds(300)), KNOWN, seconds(300)),
            (Trouble::Busy(seconds(301)), KNOWN, None),
            (Trouble::Broken, Standing::default(), seconds(2)),
            (Trouble::Unclear, KNOWN, seconds(2)),
            (Trouble::Unreached, Standing::default(), seconds(2)),
            (Trouble::LoginEnded, Standing::default(), None),
            (Trouble::LoginEnded, login, seconds(2)),
            (Trouble::Denied, login, None),
            (Trouble::Denied, KNOWN, seconds(2)),
        ] {
            assert_eq!(first(trouble, standing), expected, "{trouble:?} {standing:?}");
        }
    }

    #[test]
    fn an_outage_is_waited_for_and_a_name_that_nobody_knows_is_not() {
        let spent = Duration::from_secs(10);
        for (standing, waits) in [
            (Standing::default(), false),
            (Standing { login: true, ..Standing::default() }, false),
            (Standing { reached: true, ..Standing::default() }, true),
            (KNOWN, true),
        ] {
            let pause = Patience::with_push(Retries::Auto, standing).after(Trouble::Unreached, spent, MIDDLE);
            assert_eq!(pause.is_some(), waits, "{standing:?}");
        }
    }

    #[test]
    fn a_login_is_renewed_once() {
        let mut patience = Patience::with_push(Retries::Auto, KNOWN);
        let after =
            |patience: &mut Patience, trouble| patience.after(trouble, Duration::ZERO, MIDDLE).is_some();
        assert!(after(&mut patience, Trouble::LoginEnded));
        assert!(after(&mut patience, Trouble::Broken));
        assert!(!after(&mut patience, Trouble::Denied));
        assert!(!after(&mut patience, Trouble::LoginEnded));
    }

    #[test]
    fn nobody_there_is_believed_soon_unless_somebody_was() {
        let tries = |trouble, standing| {
            let mut patience = Patience::with_request(Retries::Auto, standing);
            let mut spent = Duration::ZERO;
            while let Some(pause) = patience.after(trouble, spent, MIDDLE) {
                spent += pause;
            }
            spent
        };
        assert_eq!(tries(Trouble::Unreached, Standing::default()), BUDGET_UNKNOWN);
        assert_eq!(tries(Trouble::Unreached, KNOWN), BUDGET);
        assert_eq!(tries(Trouble::Unclear, KNOWN), BUDGET_UNCLEAR);
    }

    #[test]
    fn each_login_is_had_once_more() {
        let mut patience = Patience::with_push(Retries::Auto, Standing::default());
        let mut after = |another: bool| {
            if another {
                patience.with_another_login();
            }
            patience.after(Trouble::LoginEnded, Duration::ZERO, MIDDLE).is_some()
        };
        assert_eq!([false, true, false, true, false].map(&mut after), [false, true, false, true, false]);
    }

    #[test]
    fn a_look_is_short() {
        let second = Duration::from_secs(1);
        let after = |trouble, spent| {
            let mut patience = Patience::with_request(Retries::Times(2), KNOWN).within(2 * second);
            patience.after(trouble, spent, MIDDLE)
        };
        for (trouble, spent, expected) in [
            (Trouble::Broken, Duration::ZERO, Some(Duration::from_millis(200))),
            (Trouble::Broken, 2 * second, None),
            (Trouble::Denied, Duration::ZERO, Some(Duration::from_millis(200))),
            (Trouble::Busy(Some(second)), Duration::ZERO, Some(second)),
            (Trouble::Busy(Some(second)), 3 * second / 2, None),
            (Trouble::Busy(Some(60 * second)), Duration::ZERO, None),
        ] {
            assert_eq!(after(trouble, spent), expected, "{trouble:?} after {spent:?}");
        }
    }

    #[test]
    fn a_count_is_a_count() {
        for (most, expected) in [(0, 0), (1, 1), (3, 3)] {
            let mut patience = Patience::with_request(Retries::Times(most), KNOWN);
            let tries =
                (0..9).take_while(|_| patience.after(Trouble::Broken, Duration::ZERO, MIDDLE).is_some());
            assert_eq!(tries.count(), expected);
        }
    }

    #[test]
    fn jobs_wait_each_its_own_time() {
        for random in 0..2000 {
            let pause = jittered(Duration::from_secs(8), random);
            assert!((6000..=10_000).contains(&pause.as_millis()), "{pause:?}");
        }
        assert_ne!(jittered(LONGEST, 1), jittered(LONGEST, 2));
    }
}
