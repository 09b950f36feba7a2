//! How long something may take, as inputs say it: `90s`, `3m`, `1h30m`, or whole seconds.

use std::time::Duration;

use super::fault::{InputFault, shown};

/// The longest that anything may take, in seconds: a day.
const LONGEST: u64 = 24 * 60 * 60;

/// Reads a limit; `default` if nothing is given. `none`: what is wrong with no time at all, and what to write instead.
pub(super) fn read(
    input: &str,
    text: &str,
    default: Duration,
    none: (&str, &str),
) -> Result<Duration, InputFault> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(default);
    }
    let fault = |what: &str| InputFault::new(input, format!("`{}` {what}", shown(text)));
    let seconds =
        seconds(text).ok_or_else(|| fault("is not a time").hint("for example `90s`, `3m` or `1h30m`"))?;
    match seconds {
        0 => Err(fault(none.0).hint(none.1)),
        seconds if seconds > LONGEST => Err(fault("is longer than a day")),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

/// The seconds of a time such as `1h30m` or `90`, whose units come once and from the largest on; nothing if it is none.
fn seconds(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse::<u32>() {
        return text.bytes().all(|b| b.is_ascii_digit()).then_some(seconds.into());
    }
    let (mut total, mut rest, mut largest) = (0_u64, text, u64::MAX);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u32 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes()[digits] {
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if unit >= largest {
            return None;
        }
        largest = unit;
        total = total.checked_add(u64::from(number) * unit)?;
        rest = &rest[digits + 1..];
    }
    Some(total)
}
