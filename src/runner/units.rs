//! Sizes, times and digests as people read them: decimal units as registries and GitHub show them, seconds first.

use std::time::Duration;

/// `999 B`, `12.3 kB`, `1.2 GB`: powers of 1000.
pub fn bytes(count: u64) -> String {
    if count < 1000 {
        return format!("{count} B");
    }
    let (unit, size) = match count {
        0..1_000_000 => ("kB", 1_000),
        1_000_000..1_000_000_000 => ("MB", 1_000_000),
        1_000_000_000..1_000_000_000_000 => ("GB", 1_000_000_000),
        _ => ("TB", 1_000_000_000_000),
    };
    format!("{}.{} {unit}", count / size, count % size * 10 / size)
}

/// `999`, `38,112`: digits in groups of three.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && at % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `40 ms`, `0.4 s`, `59.9 s`, `1 m 05 s`, `2 h 03 m`: rounded to what is shown, so that 59.96 s are `1 m 00 s`.
pub fn seconds(time: Duration) -> String {
    let rounded = |unit: u128| (time.as_millis() + unit / 2) / unit;
    match (rounded(1), rounded(100), rounded(1000), rounded(60_000)) {
        (0..100, ..) => format!("{} ms", rounded(1)),
        (_, tenths @ 0..600, ..) => format!("{}.{} s", tenths / 10, tenths % 10),
        (_, _, seconds @ 0..3600, _) => format!("{} m {:02} s", seconds / 60, seconds % 60),
        (.., minutes) => format!("{} h {:02} m", minutes / 60, minutes % 60),
    }
}

/// The text with every whole digest cut to what people compare: `busybox@sha256:0123456789ab…`.
pub fn short_digests(text: &str) -> String {
    const ALGORITHM: &str = "sha256:";
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(ALGORITHM) {
        let (before, digest) = rest.split_at(at + ALGORITHM.len());
        short.push_str(before);
        let hex = digest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let kept = if hex == 64 { 12 } else { hex };
        short.push_str(&digest[..kept]);
        if kept < hex {
            short.push('…');
        }
        rest = &digest[hex..];
    }
    short.push_str(rest);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (count, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (12_345, "12.3 kB"),
            (999_999, "999.9 kB"),
            (12_300_000, "12.3 MB"),
            (1_073_741_824, "1.0 GB"),
            (5_000_000_000_000_000, "5000.0 TB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
    }

    #[test]
    fn counts() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (38_112, "38,112"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), expected);
        }
    }

    #[test]
    fn times() {
        for (millis, expected) in [
            (0, "0 ms"),
            (99, "99 ms"),
            (100, "0.1 s"),
            (449, "0.4 s"),
            (450, "0.5 s"),
            (59_949, "59.9 s"),
            (59_950, "1 m 00 s"),
            (89_500, "1 m 30 s"),
            (3_599_499, "59 m 59 s"),
            (3_599_500, "1 h 00 m"),
            (65_000, "1 m 05 s"),
            (3_599_000, "59 m 59 s"),
            (7_380_000, "2 h 03 m"),
        ] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn digests_are_cut() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (name, expected) in [
            ("pushing layers", "pushing layers"),
            (&format!("extracting {digest}"), "extracting sha256:aaaaaaaaaaaa…"),
            (
                &format!("FROM x@{digest} AS {digest}!"),
                "FROM x@sha256:aaaaaaaaaaaa… AS sha256:aaaaaaaaaaaa…!",
            ),
            (&format!("{digest}0"), &format!("{digest}0")),
            ("sha256:éééééééé", "sha256:éééééééé"),
            ("sha256:abc", "sha256:abc"),
            ("sha256:", "sha256:"),
        ] {
            assert_eq!(short_digests(name), expected);
        }
    }
}
