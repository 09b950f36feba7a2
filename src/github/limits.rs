//! GitHub's rate limits, as its answers tell them. Source: "Rate limits for the REST API", which GraphQL shares.

use std::time::Duration;

use http::HeaderMap;

/// The pause after a secondary limit that names none.
const UNNAMED: Duration = Duration::from_mins(1);

/// How long to wait before a refused request may be made again, if limits are why it was refused. What is refused so was not
/// carried out. `limited`: the answer says so in its own way.
pub(super) fn pause(status: u16, headers: &HeaderMap, message: &str, limited: bool) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let seconds = |count: i64| Duration::from_secs(u64::try_from(count).unwrap_or(0));
    if !limited && !matches!(status, 403 | 429) {
        return None;
    }
    if let Some(after) = number("retry-after") {
        return Some(seconds(after));
    }
    if number("x-ratelimit-remaining") == Some(0) {
        // By GitHub's own clock: nobody's here need be right. One second more, as both are cut.
        let now = headers.get(http::header::DATE).and_then(|date| date.to_str().ok()).and_then(time);
        let left = number("x-ratelimit-reset").zip(now).map(|(reset, now)| seconds(reset - now + 1));
        return Some(left.unwrap_or(UNNAMED));
    }
    let secondary = message.to_ascii_lowercase().contains("secondary rate limit");
    (status == 429 || secondary || limited).then_some(UNNAMED)
}

/// Unix seconds of a `Date` header: `Tue, 15 Nov 1994 08:12:31 GMT`.
fn time(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_that_answers_ask_for() {
        let seconds = |count| Some(Duration::from_secs(count));
        let date = ("date", "Tue, 15 Nov 1994 08:12:31 GMT");
        let none: &[(&'static str, &'static str)] = &[];
        for (status, headers, message, limited, expected) in [
            (403, none, "Resource not accessible by integration", false, None),
            (404, &[("retry-after", "5")][..], "", false, None),
            (200, none, "", false, None),
            (403, &[("retry-after", "5")][..], "", false, seconds(5)),
            (429, &[("retry-after", "0")][..], "", false, seconds(0)),
            (429, none, "", false, seconds(60)),
            (403, none, "You have exceeded a secondary rate limit.", false, seconds(60)),
            (
                403,
                &[date, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "784887171")][..],
                "API rate limit exceeded",
                false,
                seconds(21),
            ),
            (
                403,
                &[date, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "784887000")][..],
                "",
                false,
                seconds(0),
            ),
            (403, &[("x-ratelimit-remaining", "0")][..], "", false, seconds(60)),
            (403, &[date, ("x-ratelimit-remaining", "7")][..], "", false, None),
            (200, none, "", true, seconds(60)),
        ] {
            let headers = headers.iter().map(|(name, value)| {
                (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
            });
            assert_eq!(pause(status, &headers.collect(), message, limited), expected, "{status} {message}");
        }
    }
}
