//! The input `deploy`: a YAML list of environments that are to run the image; and what they are written with (`login`).
//!
//! Owns what an entry means (`environment`), its texts (`template`), and what can be wrong with it: each fault names the line
//! and the entry. An entry is judged by itself, all faults are found in one go, in every run, whether it deploys or not. An
//! entry of which an expression has left nothing is none. Nothing in the list is secret.

mod entry;
mod environment;
mod login;
mod template;

use serde_yaml::Value;

use super::fault::{Findings, InputFault};
use super::raw::RawInputs;
use crate::kustomize::lines_of_list;
use crate::model::DeployLogin;

pub use environment::{DeployWhen, Environment, FileChange, Means, MergeMethod, PullRequestOptions};
pub use template::{Placeholder, Template};

use entry::Entry;

const INPUT: &str = "deploy";

/// How to write it.
const EXAMPLE: &str =
    "write a list: `- repository: acme/infra`, and below it `  path: apps/shop` and `  image: api`";

/// What was asked for in the way of deployments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployInputs {
    /// The environments, in order.
    pub environments: Vec<Environment>,
    /// The id of an App is given, and its key is empty, as it is where a run gets no secrets.
    pub app_without_key: bool,
}

/// Reads the list and the login; what is wrong is among the findings.
pub(super) fn read(inputs: &RawInputs, findings: &mut Findings) -> (DeployInputs, Option<DeployLogin>) {
    let environments = environments(&inputs.deploy, findings);
    let login = login::read(inputs, findings);
    let app_without_key = login.is_none() && !inputs.deploy_app_id.trim().is_empty();
    (DeployInputs { environments, app_without_key }, login)
}

fn environments(text: &str, findings: &mut Findings) -> Vec<Environment> {
    let list = match list(text) {
        Ok(list) => list,
        Err(fault) => {
            findings.faults.push(fault);
            return Vec::new();
        }
    };
    let mut lines = lines_of_list(text).into_iter();
    let mut environments: Vec<Environment> = Vec::new();
    for (number, value) in (1..).zip(&list) {
        let mut entry = Entry::new(number, lines.next().unwrap_or_default());
        let read = entry.read(value);
        if let Some(environment) = &read
            && let Some(same) = environments.iter().find(|one| is_same(one, environment))
        {
            let what = format!("it says where the image is set as entry {} does", same.number);
            entry.fault_at("path", what, "keep one of them");
        }
        findings.faults.append(&mut entry.faults);
        environments.extend(read);
    }
    environments
}

/// Whether two entries would write to the same place.
fn is_same(one: &Environment, other: &Environment) -> bool {
    let (Means::Files(a), Means::Files(b)) = (&one.means, &other.means) else {
        return one.repository.is(other.repository.as_str()) && one.means == other.means;
    };
    one.repository.is(other.repository.as_str())
        && a.branch == b.branch
        && a.kind == b.kind
        && a.paths.iter().any(|path| b.paths.contains(path))
}

/// Reads the text as a list, whose entries are not judged yet.
fn list(text: &str) -> Result<Vec<Value>, InputFault> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Sequence(list)) => Ok(list),
        Ok(Value::Null) => Ok(Vec::new()),
        Ok(_) => Err(InputFault::new(INPUT, "not a list").hint(EXAMPLE)),
        Err(error) => {
            let said = crate::model::text::line(&error.to_string());
            Err(InputFault::new(INPUT, format!("cannot be read as YAML: {said}")).hint(EXAMPLE))
        }
    }
}

#[cfg(test)]
mod tests;
