//! Whether a request that failed is worth another try, and when: a decision, nobody sleeps here.
//!
//! Every request of [`super::RegistryClient`] may be repeated: reading changes nothing, and a tag put twice on the
//! same digest is put once.

use std::time::Duration;

use super::error::{Kind, RegistryError};

/// Pauses before the second, third and fourth try: a registry that is busy with another push of the same image is
/// itself again within a second.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(600), Duration::from_millis(1800)];

/// The longest that a registry may ask us to stay away.
const LONGEST: Duration = Duration::from_secs(10);

/// How long to wait before trying again after `failures` failures (from 1); `None`: it is of no use.
pub fn decide(error: &RegistryError, failures: usize) -> Option<Duration> {
    let pause = *PAUSES.get(failures.checked_sub(1)?)?;
    match error.kind() {
        Kind::Broken(_) | Kind::Connect(_) | Kind::Refused(_) | Kind::Timeout { .. } => Some(pause),
        Kind::Answered(answer) => match answer.status {
            429 | 500 | 502..=504 => {
                Some(answer.retry_after.unwrap_or(pause).max(pause)).filter(|pause| *pause <= LONGEST)
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Answered;
    use super::*;

    fn answered(status: u16, retry_after: Option<u64>) -> Kind {
        let retry_after = retry_after.map(Duration::from_secs);
        Kind::Answered(Answered { status, code: None, message: None, retry_after })
    }

    #[test]
    fn what_is_worth_another_try() {
        let millis = |kind: Kind, failures| {
            let error = RegistryError::new("r.io", "read", None, kind);
            decide(&error, failures).map(|pause| pause.as_millis())
        };
        for (kind, expected) in [
            (answered(500, None), Some(200)),
            (answered(503, Some(0)), Some(200)),
            (answered(429, Some(3)), Some(3000)),
            (answered(429, Some(60)), None),
            (answered(404, None), None),
            (answered(400, None), None),
            (answered(501, None), None),
            (Kind::Broken("x".into()), Some(200)),
            (Kind::Refused("x".into()), Some(200)),
            (Kind::Unauthorized("x".into()), None),
            (Kind::Denied("x".into()), None),
            (Kind::Tls("x".into()), None),
            (Kind::Name("x".into()), None),
        ] {
            assert_eq!(millis(kind.clone(), 1), expected, "{kind:?}");
        }
        let pauses: Vec<_> = (0..6).map(|failures| millis(answered(502, None), failures)).collect();
        assert_eq!(pauses, [None, Some(200), Some(600), Some(1800), None, None]);
    }
}
