//! Workflows, as the pages of `docs` have them: jobs one after the other, their steps, and what the one hands to the other.
//!
//! Knows `needs`, `outputs`, `if: X != ''`, `env`, `with`, and expressions that are the name of a value; anything else stops the
//! test that needs it. A job whose `needs` have failed or were skipped is skipped. A `run` step is `bash -e FILE`, as the
//! runner has it where no shell is named.

use super::action::scalar;
use serde_yaml::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Outputs, variables or inputs.
pub type Texts = BTreeMap<String, String>;

/// One workflow file.
#[derive(Debug)]
pub struct Workflow {
    jobs: Vec<WorkflowJob>,
}

#[derive(Debug)]
struct WorkflowJob {
    id: String,
    needs: Vec<String>,
    condition: Option<String>,
    outputs: Texts,
    steps: Vec<WorkflowStep>,
}

#[derive(Debug)]
struct WorkflowStep {
    id: String,
    uses: Option<String>,
    with: Texts,
    env: Texts,
    run: Option<String>,
}

/// What became of a workflow.
#[derive(Debug, Default)]
pub struct Ran {
    /// Jobs, and whether they went well. Those that were skipped are not here.
    pub jobs: Vec<(String, bool)>,
    /// What the steps said.
    pub log: String,
}

impl Ran {
    /// Whether every job ran, and went well.
    pub fn all(&self, count: usize) -> bool {
        self.jobs.len() == count && self.jobs.iter().all(|(_, good)| *good)
    }
}

/// Who carries the steps out.
pub trait Runner {
    /// `github.KEY`.
    fn github(&self, key: &str) -> String;
    /// A step with an action: whether it went well, its outputs, and what it said.
    fn uses(&self, action: &str, with: Texts, env: Texts) -> (bool, Texts, String);
    /// Where `run` steps are.
    fn workspace(&self) -> &Path;
}

fn texts(value: &Value) -> Texts {
    let pairs = value.as_mapping().into_iter().flatten();
    pairs.map(|(key, value)| (scalar(key), scalar(value))).collect()
}

fn optional(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| scalar(value))
}

impl Workflow {
    /// Reads a workflow.
    pub fn parse(text: &str) -> Self {
        let read: Value = serde_yaml::from_str(text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
        let jobs = read["jobs"].as_mapping().expect("jobs");
        let step = |value: &Value| WorkflowStep {
            id: optional(&value["id"]).unwrap_or_default(),
            uses: optional(&value["uses"]),
            with: texts(&value["with"]),
            env: texts(&value["env"]),
            run: optional(&value["run"]),
        };
        let job = |(id, value): (&Value, &Value)| WorkflowJob {
            id: scalar(id),
            needs: match &value["needs"] {
                Value::Sequence(all) => all.iter().map(scalar).collect(),
                one => optional(one).into_iter().collect(),
            },
            condition: optional(&value["if"]),
            outputs: texts(&value["outputs"]),
            steps: value["steps"].as_sequence().expect("steps").iter().map(step).collect(),
        };
        Self { jobs: jobs.iter().map(job).collect() }
    }

    /// Runs every job, in the order of the file.
    pub fn run(&self, runner: &impl Runner) -> Ran {
        let mut ran = Ran::default();
        let mut handed: BTreeMap<String, Texts> = BTreeMap::new();
        for job in &self.jobs {
            let values = |steps: &BTreeMap<String, Texts>, name: &str| -> String {
                let of = |all: &BTreeMap<String, Texts>, id: &str, output: &str| {
                    all.get(id).and_then(|outputs| outputs.get(output)).cloned().unwrap_or_default()
                };
                match name.split('.').collect::<Vec<_>>()[..] {
                    ["github", key] => runner.github(key),
                    ["steps", id, "outputs", output] => of(steps, id, output),
                    ["needs", id, "outputs", output] if job.needs.iter().any(|needed| needed == id) => {
                        of(&handed, id, output)
                    }
                    _ => panic!("the emulator does not know `{name}`"),
                }
            };
            let mut steps = BTreeMap::new();
            let ready = job.needs.iter().all(|needed| handed.contains_key(needed));
            let wanted = job.condition.as_ref().is_none_or(|condition| {
                let name = condition.strip_suffix("!= ''").unwrap_or_else(|| panic!("`if: {condition}`"));
                !values(&steps, name.trim()).is_empty()
            });
            if !ready || !wanted {
                continue;
            }
            let mut good = true;
            for step in &job.steps {
                let filled = |all: &Texts| -> Texts {
                    all.iter()
                        .map(|(name, text)| (name.clone(), expanded(text, |name| values(&steps, name))))
                        .collect()
                };
                let (with, env) = (filled(&step.with), filled(&step.env));
                let (went, outputs, log) = match (&step.uses, &step.run) {
                    (Some(action), None) => runner.uses(action, with, env),
                    (None, Some(script)) => {
                        let script = expanded(script, |name| panic!("`{name}` is written into a script"));
                        let (went, log) = shell(&script, &env, runner.workspace());
                        (went, Texts::new(), log)
                    }
                    _ => panic!("neither `uses` nor `run`: {step:?}"),
                };
                ran.log += &log;
                ran.log.push('\n');
                steps.insert(step.id.clone(), outputs);
                if !went {
                    good = false;
                    break;
                }
            }
            if good {
                let outputs = job.outputs.iter();
                let outputs =
                    outputs.map(|(name, text)| (name.clone(), expanded(text, |name| values(&steps, name))));
                handed.insert(job.id.clone(), outputs.collect());
            }
            ran.jobs.push((job.id.clone(), good));
        }
        ran
    }
}

/// A text with the values of its `${{ … }}`.
fn expanded(text: &str, value: impl Fn(&str) -> String) -> String {
    let mut parts = text.split("${{");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once("}}").unwrap_or_else(|| panic!("unclosed in `{text}`"));
        out += &value(expression.trim());
        out += rest;
    }
    out
}

fn shell(script: &str, env: &Texts, workspace: &Path) -> (bool, String) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), script).expect("a file of ours");
    let output = Command::new("bash").arg("-e").arg(file.path()).current_dir(workspace).envs(env).output();
    let output = output.expect("bash");
    let log = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&log).into_owned())
}
