//! A commit's time as text: RFC 3339 in UTC, by the proleptic Gregorian calendar, without a clock.

/// The last second of the year 9999, after which RFC 3339 has no spelling.
const LAST: i64 = 253_402_300_799;

/// The time, if it can be written and an image can carry it: 1970 to 9999.
pub(crate) fn sensible(seconds: i64) -> Option<i64> {
    (0..=LAST).contains(&seconds).then_some(seconds)
}

/// `2026-11-21T09:30:00Z`. Give only what `sensible` let through.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years that begin in March have their leap day last, in cycles of 400 years from 0000-03-01.
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, wrap) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = cycle * 400 + year + wrap;
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_763_717_445, "2025-11-21T09:30:45Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
        assert_eq!([-1, 0, LAST, LAST + 1].map(sensible), [None, Some(0), Some(LAST), None]);
    }
}
