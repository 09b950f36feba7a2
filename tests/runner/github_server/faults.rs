//! What a test makes happen at a certain call: another answer, a broken connection, or something that somebody else
//! does just before.

use super::http::Answer;
use super::now;
use serde_json::{Value, json};

/// How a call goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This answer, and nothing is done.
    Instead(Answer),
    /// It is done, and this is the answer.
    After(Answer),
    /// The connection breaks before anything is done.
    Cut,
    /// It is done, and the connection breaks before the answer.
    CutAfter,
    /// Nothing is done and nothing is answered, as long as the client waits.
    Silence,
}

impl Fault {
    /// Any answer instead.
    pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let answer = Answer { status, headers: Vec::new(), body: body.into() };
        Self::Instead(headers.iter().fold(answer, |answer, (name, value)| answer.header(name, *value)))
    }

    /// GraphQL's error of this type, and the mutation's result null.
    pub fn graphql(mutation: &str, kind: &str, message: &str) -> Self {
        let error = json!({ "type": kind, "path": [mutation], "message": message });
        Self::Instead(Answer::json(200, &json!({ "data": { mutation: Value::Null }, "errors": [error] })))
    }

    /// An answer with this status and message instead.
    pub fn refused(status: u16, message: &str) -> Self {
        let body = json!({ "message": message, "status": status.to_string() });
        Self::Instead(Answer::json(status, &body))
    }

    /// The primary rate limit is used up, until in so many seconds.
    pub fn primary_limit(seconds: u64) -> Self {
        let words = "API rate limit exceeded for user ID 1. If you reach out to GitHub Support for help, please \
                     include the request ID 0401:1234:5678 and timestamp 2026-11-29 12:00:00 UTC.";
        let page = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api";
        let body = json!({ "message": words, "documentation_url": page, "status": "403" });
        Self::Instead(used_up(Answer::json(403, &body), seconds))
    }

    /// The same as GraphQL says it: with status 200.
    pub fn graphql_limit(seconds: u64) -> Self {
        let words = "API rate limit already exceeded for user ID 1.";
        let error = json!({ "type": "RATE_LIMIT", "code": "graphql_rate_limit", "message": words });
        Self::Instead(used_up(Answer::json(200, &json!({ "errors": [error] })), seconds))
    }

    /// A secondary rate limit (403 or 429), with seconds in `retry-after` or without.
    pub fn secondary_limit(status: u16, retry_after: Option<u64>) -> Self {
        let words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you \
                     reach out to GitHub Support for help, please include the request ID 0401:1234:5678.";
        let page = "https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits";
        let body = json!({ "documentation_url": page, "message": words });
        let answer = Answer::json(status, &body);
        Self::Instead(match retry_after {
            Some(seconds) => answer.header("retry-after", seconds.to_string()),
            None => answer,
        })
    }

    /// 500 in JSON; 502 and 503 with the page that stands before the API.
    pub fn server_error(status: u16) -> Self {
        if status == 500 {
            return Self::Instead(Answer::json(500, &json!({ "message": "Server Error" })));
        }
        let page = "<!DOCTYPE html>\n<html><head><title>Unicorn! &middot; GitHub</title></head>\n\
                    <body><p>This page is taking too long to load.</p></body></html>\n";
        let kind = ("content-type".to_owned(), "text/html; charset=utf-8".to_owned());
        Self::Instead(Answer { status, headers: vec![kind], body: page.into() })
    }

    /// The same, after the call has had its effect.
    pub fn after(self) -> Self {
        match self {
            Self::Instead(answer) | Self::After(answer) => Self::After(answer),
            Self::Cut | Self::CutAfter | Self::Silence => Self::CutAfter,
        }
    }
}

fn used_up(answer: Answer, seconds: u64) -> Answer {
    let reset = (now() + seconds).to_string();
    answer.header("x-ratelimit-remaining", "0").header("x-ratelimit-reset", reset)
}

/// What somebody does just before a call.
pub type Hook = Box<dyn FnOnce() + Send>;

/// Something for certain calls.
pub struct Rule {
    /// `METHOD /path` below the API's root, or `mutationName owner/name`; `*` is anything.
    pub pattern: String,
    /// How many matching calls pass before it.
    pub skip: usize,
    pub what: What,
}

pub enum What {
    /// Once.
    Fault(Fault),
    /// At each call from then on.
    Always(Fault),
    /// Once, before the call.
    Hook(Hook),
}

/// What happens before a call, and instead of it. Rules that have had their turn go.
pub fn at_call(rules: &mut Vec<Rule>, call: &str) -> (Vec<Hook>, Option<Fault>) {
    let (mut hooks, mut fault) = (Vec::new(), None);
    let mut kept = Vec::new();
    for mut rule in std::mem::take(rules) {
        if !matches(&rule.pattern, call) {
            kept.push(rule);
        } else if rule.skip > 0 {
            rule.skip -= 1;
            kept.push(rule);
        } else {
            match rule.what {
                What::Hook(hook) => hooks.push(hook),
                What::Fault(once) if fault.is_none() => fault = Some(once),
                What::Always(always) => {
                    fault = fault.or_else(|| Some(always.clone()));
                    kept.push(Rule { what: What::Always(always), ..rule });
                }
                // Another one has this call: it has the next.
                What::Fault(_) => kept.push(rule),
            }
        }
    }
    *rules = kept;
    (hooks, fault)
}

/// Whether a text is as a pattern says, in which `*` is anything.
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => {
            let Some(left) = text.strip_prefix(start) else { return false };
            let ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
            ends.into_iter().any(|at| matches(rest, &left[at..]))
        }
    }
}
