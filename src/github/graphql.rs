//! GraphQL: what is asked in one query where REST needs several, and what REST does not have at all.
//!
//! Errors come with status 200, and mostly name their kind. An answer that has any is none, also where it has a part of what was
//! asked for: what is missing was refused. Source: GitHub's page "Forming calls with GraphQL".

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::limits::pause;
use super::{GitHub, GitHubError};
use crate::model::text;

/// What a branch's pull requests are called in queries: a token without the permission for them does not see these.
const PULLS: [&str; 2] = ["open", "closed"];

/// The answer to a query or a mutation.
#[derive(Deserialize)]
struct Answered {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Default, Deserialize)]
struct Fault {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    message: String,
    /// Where in the answer something is missing.
    #[serde(default)]
    path: Vec<Value>,
}

impl GitHub {
    /// A query with its variables; the data of the answer.
    pub(super) async fn query(
        &self,
        what: &str,
        query: &str,
        variables: &Value,
    ) -> Result<Value, GitHubError> {
        let body = json!({ "query": query, "variables": variables });
        let client = self.graphql.as_ref().unwrap_or(&self.client);
        let answer = self.answer_of(client, what, &Method::POST, "/graphql", Some(&body)).await?;
        let Answered { data, mut errors } = self.read(what, &answer.body)?;
        if let Some(data) = data.filter(|data| errors.is_empty() && data.is_object()) {
            return Ok(data);
        }
        let Fault { kind, message, path } =
            if errors.is_empty() { Fault::default() } else { errors.swap_remove(0) };
        let limited = kind.as_deref().is_some_and(|kind| kind.starts_with("RATE_LIMIT"));
        Err(GitHubError::GraphQl {
            api_url: self.api_url.clone(),
            what: what.to_owned(),
            pause: limited.then(|| pause(200, &answer.headers, &message, true)).flatten(),
            kind,
            message: text::line(&message),
            about_pulls: path.iter().any(|part| PULLS.iter().any(|name| part == name)),
        })
    }

    /// A mutation, with its one variable `input`; its result.
    pub(super) async fn mutate(
        &self,
        what: &str,
        (name, input_type, selection): (&str, &str, &str),
        input: &Value,
    ) -> Result<Value, GitHubError> {
        let query = format!("mutation($input: {input_type}!) {{ {name}(input: $input) {{ {selection} }} }}");
        let mut data = self.query(what, &query, &json!({ "input": input })).await?;
        match data[name].take() {
            Value::Null => Err(GitHubError::GraphQl {
                api_url: self.api_url.clone(),
                what: what.to_owned(),
                kind: None,
                message: "the answer has no result".into(),
                pause: None,
                about_pulls: false,
            }),
            result => Ok(result),
        }
    }
}
