//! Repositories of environments: what is in them, and events that are sent to them.
//!
//! Sources: GitHub's REST pages "Repository contents" and "Repositories". A file of more than a megabyte has no contents there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::history::escaped;
use super::{GitHub, GitHubError};
use crate::model::CommitId;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// A file with these bytes.
    File(Vec<u8>),
    /// A directory with these names.
    Directory(Vec<String>),
    /// Something that is not read: what, for people.
    Other(String),
    /// Nothing.
    Missing,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Found {
    Directory(Vec<Entry>),
    One(One),
}

#[derive(Deserialize)]
struct Entry {
    name: String,
}

#[derive(Deserialize)]
struct One {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    encoding: String,
    #[serde(default)]
    content: String,
}

impl GitHub {
    /// What is at this path of the repository, in this commit.
    pub async fn contents(
        &self,
        repository: &str,
        path: &str,
        commit: &CommitId,
    ) -> Result<Contents, GitHubError> {
        let below = if path == "." { String::new() } else { escaped(path) };
        let route = format!("/repos/{repository}/contents/{below}?ref={commit}");
        let found = match self.ask(format!("{path} of {repository}"), route).await {
            Ok(found) => found,
            Err(error) if error.status() == Some(404) => return Ok(Contents::Missing),
            Err(error) => return Err(error),
        };
        Ok(match found {
            Found::Directory(entries) => {
                Contents::Directory(entries.into_iter().map(|entry| entry.name).collect())
            }
            Found::One(One { kind, .. }) if kind != "file" => Contents::Other(format!("it is a {kind}")),
            Found::One(One { encoding, content, .. }) if encoding == "base64" => {
                let plain: String = content.split_whitespace().collect();
                match STANDARD.decode(plain) {
                    Ok(bytes) => Contents::File(bytes),
                    Err(_) => Contents::Other("GitHub's answer cannot be read".into()),
                }
            }
            Found::One(_) => Contents::Other("it is larger than a megabyte".into()),
        })
    }

    /// Sends an event to a repository's workflows.
    pub async fn dispatch(
        &self,
        repository: &str,
        event_type: &str,
        payload: &Value,
    ) -> Result<(), GitHubError> {
        let body = json!({ "event_type": event_type, "client_payload": payload });
        let what = format!("the event {event_type} to {repository}");
        let route = format!("/repos/{repository}/dispatches");
        let IgnoredAny = self.write(&what, Method::POST, &route, Some(&body)).await?;
        Ok(())
    }
}
