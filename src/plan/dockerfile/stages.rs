//! The stages of a Dockerfile: what each one is made from, and whether it runs anything.

use super::expand::Variables;
use super::lines::{Document, Instruction, stored, words};

/// A Dockerfile in stages. Nothing is filled in yet: that depends on the platform.
#[derive(Debug, Default)]
pub(super) struct Stages {
    /// `ARG`s before the first stage: name and default, in order, as written.
    pub arguments: Vec<(String, Option<String>)>,
    /// In order.
    pub stages: Vec<Stage>,
}

/// One stage, as written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stage {
    /// Its name, in lower case.
    pub name: Option<String>,
    /// An image or an earlier stage.
    pub base: String,
    /// `--platform`.
    pub platform: Option<String>,
    /// What is done in it.
    pub steps: Steps,
    /// What is done in a stage that is made from it.
    pub on_build: Steps,
}

/// What matters of a stage's instructions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// It has a `RUN`.
    pub runs: bool,
    /// Stages, their numbers, or images that files are taken from.
    pub sources: Vec<String>,
}

/// Most global `ARG`s that are filled in: each may hold a long value.
const MOST_ARGUMENTS: usize = 1000;

/// Instructions without a meaning here.
const OTHERS: &[&str] = &[
    "cmd",
    "entrypoint",
    "env",
    "expose",
    "healthcheck",
    "label",
    "maintainer",
    "shell",
    "stopsignal",
    "user",
    "volume",
    "workdir",
    "arg",
    "add",
];

impl Stages {
    /// Reads the instructions.
    pub(super) fn of(document: &Document) -> Result<Self, String> {
        let mut found = Self::default();
        for one in &document.instructions {
            match (one.keyword.as_str(), found.stages.last_mut()) {
                ("from", _) => found.stages.push(from(one)?),
                ("arg", None) => found.arguments.extend(arguments(&one.rest, document.escape)),
                (_, None) => return Err("something stands before its first `FROM`".into()),
                ("onbuild", Some(stage)) => stage.on_build.take(&stored(one, document.escape))?,
                (_, Some(stage)) => stage.steps.take(one)?,
            }
        }
        if found.stages.is_empty() { Err("it has no `FROM`".into()) } else { Ok(found) }
    }

    /// The variables that `FROM` can use: the given ones, then those declared here. `None` for a value that cannot
    /// be told.
    pub(super) fn variables(
        &self,
        mut variables: Variables,
        build_args: &Variables,
        escape: char,
    ) -> Option<Variables> {
        if self.arguments.len() > MOST_ARGUMENTS {
            return None;
        }
        for (name, default) in &self.arguments {
            let value = match (build_args.get(name), default) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => super::expand::expand(default, &variables, escape)?,
                (None, None) => continue,
            };
            variables.insert(name.clone(), value);
        }
        Some(variables)
    }
}

impl Steps {
    fn take(&mut self, one: &Instruction) -> Result<(), String> {
        match one.keyword.as_str() {
            "run" => {
                self.runs = true;
                let mounts = values(one, "mount");
                self.sources.extend(mounts.filter_map(|mount| {
                    let mut from =
                        mount.split(',').filter_map(|field| field.trim_matches('"').split_once('='));
                    let (_, from) = from.rfind(|(key, _)| key.eq_ignore_ascii_case("from"))?;
                    Some(from.to_owned())
                }));
            }
            "copy" => self.sources.extend(values(one, "from").map(str::to_owned)),
            other if OTHERS.contains(&other) => {}
            _ => return Err("it has an instruction that is not known here".into()),
        }
        Ok(())
    }
}

fn from(one: &Instruction) -> Result<Stage, String> {
    let words: Vec<&str> = one.rest.split_whitespace().collect();
    let (base, name) = match words.as_slice() {
        [base] => (base, None),
        [base, between, name] if between.eq_ignore_ascii_case("as") => (base, Some(name.to_lowercase())),
        _ => return Err("it has a `FROM` that is neither `FROM image` nor `FROM image AS name`".into()),
    };
    let platform = values(one, "platform").last().map(str::to_owned);
    Ok(Stage { name, base: (*base).to_owned(), platform, ..Stage::default() })
}

/// The values of a flag, in order.
fn values<'a>(one: &'a Instruction, name: &'a str) -> impl Iterator<Item = &'a str> {
    let of_name = move |flag: &'a String| {
        let (flag, value) = flag.strip_prefix("--")?.split_once('=')?;
        (flag == name).then_some(value)
    };
    one.flags.iter().filter_map(of_name)
}

/// `ARG a b=c "d=e f"`: names and defaults; quotes and escapes stay in them.
fn arguments(text: &str, escape: char) -> Vec<(String, Option<String>)> {
    let split = |word: String| match word.split_once('=') {
        Some((name, default)) => (name.to_owned(), Some(default.to_owned())),
        None => (word, None),
    };
    words(text, escape).0.into_iter().map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::super::lines::read;
    use super::*;

    #[test]
    fn stages() {
        let text = "ARG A=1 B C=\"x y\"\nARG D='$A'\nFROM --platform=$P a AS B\nRUN --mount=type=cache,target=/x \
                    --mount=type=bind,FROM=c,source=/ x\nCOPY --from=d --link . .\nONBUILD RUN x\nONBUILD COPY \
                    --from=e . .\nfrom b\nENV RUN=1";
        let stages = Stages::of(&read(text).unwrap()).unwrap();
        let shown: Vec<(&str, Option<&str>)> =
            stages.arguments.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        assert_eq!(shown, [("A", Some("1")), ("B", None), ("C", Some("\"x y\"")), ("D", Some("'$A'"))]);
        let steps = |runs: bool, sources: &[&str]| Steps {
            runs,
            sources: sources.iter().map(|source| (*source).to_owned()).collect(),
        };
        let first = Stage {
            name: Some("b".into()),
            base: "a".into(),
            platform: Some("$P".into()),
            steps: steps(true, &["c", "d"]),
            on_build: steps(true, &["e"]),
        };
        assert_eq!(stages.stages, [first, Stage { base: "b".into(), ..Stage::default() }]);
    }

    #[test]
    fn what_is_no_dockerfile() {
        for (text, expected) in [
            ("", "no `FROM`"),
            ("ARG A", "no `FROM`"),
            ("RUN x\nFROM a", "before its first"),
            ("FROM a b", "neither"),
            ("FROM", "neither"),
            ("FROM a\nSTEP x", "not known here"),
            ("FROM a\nONBUILD STEP x", "not known here"),
            ("{\"syntax\": \"x\"}", "before its first"),
        ] {
            let error = Stages::of(&read(text).unwrap()).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
