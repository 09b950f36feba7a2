//! GraphQL: the mutations that REST does not have, and queries. Here are the request, its checks and the shape of its answer;
//! what mutations do is in `mutations`, what a query shows in `queries`.
//!
//! Errors come with status 200 and mostly a `type`; the mutation's result is null then. Only credentials are refused
//! with a status. Source: GitHub's GraphQL reference, and its answers as people have reported them.

use super::State;
use super::access::Token;
use super::document::{Field, Operation, fault, parse, select};
use super::http::{Answer, Request};
use super::refusal::Refusal;
use super::{mutations, queries};
use serde_json::{Value, json};

/// An error: its type, where it has one, and message.
pub type No = (Option<&'static str>, String);

/// A mutation that there is.
pub struct Known {
    field: &'static str,
    /// The type of its input.
    input: &'static str,
    /// The input's fields.
    fields: &'static [&'static str],
    /// Texts that must be in it.
    needed: &'static [&'static str],
    /// Its result with everything that may be asked of it.
    sample: fn() -> Value,
    act: fn(&mut State, &Token, &Value) -> Result<Value, No>,
}

const KNOWN: &[Known] = &[
    Known {
        field: "createCommitOnBranch",
        input: "CreateCommitOnBranchInput",
        fields: &["clientMutationId", "branch", "fileChanges", "message", "expectedHeadOid"],
        needed: &[
            "/branch/repositoryNameWithOwner",
            "/branch/branchName",
            "/message/headline",
            "/expectedHeadOid",
        ],
        sample: || mutations::committed("", "", ""),
        act: mutations::commit,
    },
    Known {
        field: "updateRefs",
        input: "UpdateRefsInput",
        fields: &["clientMutationId", "repositoryId", "refUpdates"],
        needed: &["/repositoryId"],
        sample: || json!({ "clientMutationId": Value::Null }),
        act: mutations::update_refs,
    },
    Known {
        field: "enablePullRequestAutoMerge",
        input: "EnablePullRequestAutoMergeInput",
        fields: &[
            "clientMutationId",
            "pullRequestId",
            "commitHeadline",
            "commitBody",
            "mergeMethod",
            "authorEmail",
            "expectedHeadOid",
        ],
        needed: &["/pullRequestId"],
        sample: || mutations::automatic("", 0, Some("MERGE")),
        act: mutations::enable,
    },
    Known {
        field: "disablePullRequestAutoMerge",
        input: "DisablePullRequestAutoMergeInput",
        fields: &["clientMutationId", "pullRequestId"],
        needed: &["/pullRequestId"],
        sample: || mutations::automatic("", 0, Some("MERGE")),
        act: mutations::disable,
    },
];

/// The name of the mutation or query in a request, with the repository that it is about: for patterns and records.
pub fn operation(state: &State, request: &Request) -> Option<String> {
    let body = request.json()?;
    let operation = parse(body["query"].as_str()?).ok()?;
    let variables = &body["variables"];
    if operation.kind == "query" {
        let name = operation.fields.first().and_then(|field| queries::named(field, variables));
        return Some(
            [Some("query".to_owned()), Some(operation.name), name]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" "),
        );
    }
    let input = &variables[&operation.variables.first()?.0];
    let by_name = input["branch"]["repositoryNameWithOwner"].as_str().map(str::to_owned);
    let by_id = || mutations::home_of(state, input["repositoryId"].as_str()?);
    let by_pull = || mutations::pull_of(state, input["pullRequestId"].as_str()?).map(|(at, _)| at);
    let name = by_name.or_else(|| Some(state.homes[by_id().or_else(by_pull)?].full_name()));
    let field = operation.fields.first()?.name.clone();
    Some([Some(field), name].into_iter().flatten().collect::<Vec<_>>().join(" "))
}

pub fn answer(state: &mut State, request: &Request) -> Answer {
    let docs = state.docs();
    let page = "/graphql/guides/forming-calls-with-graphql#authentication";
    let token = match state.token(request) {
        Ok(Some(token)) => token,
        Ok(None) => {
            let words = "This endpoint requires you to be authenticated.";
            return Refusal::new(401, words).answer(&docs, page);
        }
        Err(no) => return Refusal { page: Some("/graphql"), ..no }.answer(&docs, page),
    };
    let Some(body) = request.json() else {
        return Refusal::new(400, "Problems parsing JSON").answer(&docs, "/graphql");
    };
    let operation = body["query"].as_str().ok_or("A query attribute must be specified and must be a string.");
    let answer = operation.map_err(str::to_owned).and_then(parse).and_then(|operation| {
        let variables = &body["variables"];
        if operation.kind == "query" {
            return queries::answer(state, &token, &operation, variables);
        }
        let (field, known, input) = checked(&operation, variables)?;
        Ok(result(field, (known.act)(state, &token, input)))
    });
    Answer::json(200, &answer.unwrap_or_else(|words| fault(&words)))
}

/// The mutation of a document that is right, with its input: nothing is done before.
fn checked<'a>(
    operation: &'a Operation,
    variables: &'a Value,
) -> Result<(&'a Field, &'static Known, &'a Value), String> {
    let (Some(field), Some((variable, declared))) = (operation.fields.first(), operation.variables.first())
    else {
        return Err("Parse error on \"}\"".into());
    };
    let known = KNOWN.iter().find(|known| known.field == field.name);
    let known = known.ok_or_else(|| format!("Field '{}' doesn't exist on type 'Mutation'", field.name))?;
    let kind = known.input;
    if *declared != format!("{kind}!") {
        let words = format!("Type mismatch on variable ${variable} and argument input");
        return Err(format!("{words} ({declared} / {kind}!)"));
    }
    select(&(known.sample)(), &field.shown, kind)?;
    let wrong =
        |why: String| format!("Variable ${variable} of type {kind}! was provided invalid value {why}");
    let input = &variables[variable];
    let fields = input.as_object().ok_or_else(|| wrong("(Expected value to not be null)".into()))?;
    if let Some(name) = fields.keys().find(|name| !known.fields.contains(&name.as_str())) {
        return Err(wrong(format!("for {name} (Field is not defined on {kind})")));
    }
    let lacks = |path: &&&str| input.pointer(path).and_then(Value::as_str).is_none();
    if let Some(path) = known.needed.iter().find(lacks) {
        return Err(wrong(format!("for {} (Expected value to not be null)", path[1..].replace('/', "."))));
    }
    Ok((field, known, input))
}

fn result(mutation: &Field, done: Result<Value, No>) -> Value {
    let mut body = json!({ "data": {} });
    match done {
        Ok(value) => {
            body["data"][&mutation.alias] =
                select(&value, &mutation.shown, &mutation.name).unwrap_or_default();
        }
        Err((kind, message)) => {
            body["data"][&mutation.alias] = Value::Null;
            let at = json!([{ "line": 1, "column": 48 }]);
            let mut error = json!({ "path": [mutation.alias], "locations": at, "message": message });
            if let Some(kind) = kind {
                error["type"] = kind.into();
            }
            body["errors"] = json!([error]);
        }
    }
    body
}
