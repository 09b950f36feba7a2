//! The event that started a run: the payload and the variables that the runner sets beside it.
//!
//! The payloads are those of `tests/fixtures/events`; real commits are put in the place of the named ones there.

use serde_json::Value;
use std::path::PathBuf;

/// The commits that the fixtures name.
pub const TIP: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
pub const BEFORE: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
pub const HEAD: &str = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";
pub const MERGE: &str = "553c2077f0edc3d5dc5d17262f6aa498e69d6f8e";
pub const FORK: &str = "9049f1265b7d61be4a8904a9a27120d2064dab3b";
pub const QUEUE: &str = "b9d8c3e25c1b0d6a4f0c8e6e1f6c3a3f1f1d2c4e";

/// What the server tells the runner about the event.
#[derive(Debug, Clone)]
pub struct Event {
    /// `GITHUB_EVENT_NAME`.
    pub name: String,
    pub payload: Value,
    /// `GITHUB_REF`, whole.
    pub reference: String,
    pub sha: String,
    pub head_ref: String,
    pub base_ref: String,
    pub actor: String,
}

impl Event {
    /// The fixture `case` with its row of `events.tsv`.
    pub fn fixture(case: &str) -> Self {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/events");
        let read = |name: String| {
            std::fs::read_to_string(dir.join(&name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
        };
        let table = read("events.tsv".to_owned());
        let row: Vec<&str> = table
            .lines()
            .map(|line| line.split('\t').collect::<Vec<_>>())
            .find(|row| row[0] == case)
            .unwrap_or_else(|| panic!("`{case}` is not in events.tsv"));
        Self {
            name: row[1].to_owned(),
            payload: serde_json::from_str(&read(format!("{case}.json"))).expect("a fixture is JSON"),
            reference: row[2].to_owned(),
            sha: row[3].to_owned(),
            head_ref: row[4].to_owned(),
            base_ref: row[5].to_owned(),
            actor: row[6].to_owned(),
        }
    }

    /// The same event with `to` wherever `from` stands, in the payload and beside it.
    #[must_use]
    pub fn replace(mut self, from: &str, to: &str) -> Self {
        replace(&mut self.payload, from, to);
        for text in [&mut self.reference, &mut self.sha, &mut self.head_ref, &mut self.base_ref] {
            *text = text.replace(from, to);
        }
        self
    }

    /// The kind of ref, `branch` or `tag`, and its short name.
    pub fn ref_name(&self) -> (&'static str, &str) {
        if let Some(tag) = self.reference.strip_prefix("refs/tags/") {
            return ("tag", tag);
        }
        let name =
            self.reference.strip_prefix("refs/heads/").or_else(|| self.reference.strip_prefix("refs/pull/"));
        ("branch", name.unwrap_or(&self.reference))
    }
}

fn replace(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text.contains(from) => *text = text.replace(from, to),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, from, to)),
        Value::Object(map) => map.values_mut().for_each(|item| replace(item, from, to)),
        _ => {}
    }
}
