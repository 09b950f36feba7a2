//! On which platforms the steps of a Dockerfile would run, told from its text alone.
//!
//! Obeys BuildKit's `frontend/dockerfile` (`dockerfile2llb/convert.go`): only stages that the target needs are built,
//! through `FROM`, `COPY --from` and `RUN --mount=from`; a stage runs on its own `--platform`, on its base stage's or
//! on the requested one; only a `RUN` executes anything. What a base image has stored by `ONBUILD` cannot be seen from
//! here. Whoever gets [`Steps::Unknown`] has to expect a step on every platform: to be wrong in that way costs
//! an emulator, in the other a build.

mod expand;
mod lines;
mod stages;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use crate::model::{NamedContext, Platform};
use expand::{Variables, expand};
use stages::Stages;

/// Longest Dockerfile that is looked at, in bytes.
pub const LONGEST: usize = 1024 * 1024;

/// A build, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The Dockerfile.
    pub text: &'a str,
    /// The stage to build; the last one if absent.
    pub target: Option<&'a str>,
    /// Build arguments.
    pub build_args: &'a [(String, String)],
    /// Contexts that may stand in for stages.
    pub named_contexts: &'a [NamedContext],
    /// What is to be built.
    pub platforms: &'a [Platform],
    /// What the builder is: `BUILDPLATFORM`.
    pub native: &'a Platform,
}

/// Where steps run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steps {
    /// On these platforms, requested or not, and on no other.
    On(BTreeSet<Platform>),
    /// It cannot be told; why, for people, as what is wrong with the Dockerfile.
    Unknown(String),
}

/// Whether the Dockerfile takes this build argument, in any stage; yes, if that cannot be told.
pub fn takes(text: &str, argument: &str) -> bool {
    let Ok(document) = lines::read(text) else { return true };
    document
        .instructions
        .iter()
        .filter(|one| one.keyword == "arg")
        .any(|one| one.rest.split_whitespace().any(|word| word.split('=').next() == Some(argument)))
}

/// The names of the stages, in order and in lower case; none if they cannot be told.
pub fn stage_names(text: &str) -> Vec<String> {
    let stages = lines::read(text).ok().and_then(|document| Stages::of(&document).ok()).unwrap_or_default();
    stages.stages.into_iter().filter_map(|stage| stage.name).collect()
}

/// Answers the question.
pub fn steps(question: &Question<'_>) -> Steps {
    answer(question).map_or_else(Steps::Unknown, Steps::On)
}

fn answer(question: &Question<'_>) -> Result<BTreeSet<Platform>, String> {
    if question.text.len() > LONGEST {
        return Err(format!("it is longer than {} KiB", LONGEST / 1024));
    }
    let document = lines::read(question.text)?;
    let build_args: Variables = question.build_args.iter().cloned().collect();
    let syntax = build_args.get(SYNTAX_ARGUMENT).or(document.syntax.as_ref());
    if !syntax.is_none_or(|syntax| is_usual(syntax)) {
        return Err("its `syntax` is not `docker/dockerfile`".into());
    }
    let stages = Stages::of(&document)?;
    let mut found = BTreeSet::new();
    for requested in question.platforms {
        let variables = stages
            .variables(predefined(question, requested, &build_args), &build_args, document.escape)
            .ok_or("one of its global `ARG`s cannot be told")?;
        let world = World { question, requested, variables, escape: document.escape };
        found.extend(world.platforms(&stages)?);
    }
    Ok(found)
}

/// The build argument that names another frontend.
const SYNTAX_ARGUMENT: &str = "BUILDKIT_SYNTAX";

/// The frontends that take what is known here: the released one, and what is to be released.
fn is_usual(syntax: &str) -> bool {
    let image = syntax.split_whitespace().next().unwrap_or_default();
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    let repository = image.split([':', '@']).next().unwrap_or_default();
    matches!(repository, "docker/dockerfile" | "docker/dockerfile-upstream")
}

/// The variables that BuildKit sets before the first `ARG`; a build argument of the same name stands in for each.
fn predefined(question: &Question<'_>, requested: &Platform, build_args: &Variables) -> Variables {
    let mut variables = Variables::new();
    for (prefix, platform) in [("BUILD", question.native), ("TARGET", requested)] {
        let whole = platform.to_string();
        let variant = whole.splitn(3, '/').nth(2).unwrap_or_default().to_owned();
        variables.insert(format!("{prefix}VARIANT"), variant);
        variables.insert(format!("{prefix}PLATFORM"), whole);
        variables.insert(format!("{prefix}OS"), platform.os().to_owned());
        variables.insert(format!("{prefix}OSVERSION"), String::new());
        variables.insert(format!("{prefix}ARCH"), platform.architecture().to_owned());
    }
    variables.insert("TARGETSTAGE".into(), question.target.unwrap_or("default").to_owned());
    for (name, value) in &mut variables {
        if let Some(given) = build_args.get(name) {
            value.clone_from(given);
        }
    }
    variables
}

/// One requested platform.
struct World<'a> {
    question: &'a Question<'a>,
    requested: &'a Platform,
    variables: Variables,
    escape: char,
}

/// A stage with everything filled in.
#[derive(Default)]
struct Resolved {
    /// The stage that it is made from.
    parent: Option<usize>,
    /// Where its steps run; `None` when that cannot be told.
    platform: Option<Platform>,
    /// A named context is used in its place.
    replaced: bool,
}

impl World<'_> {
    /// Where steps run.
    fn platforms(&self, stages: &Stages) -> Result<BTreeSet<Platform>, String> {
        let (resolved, names) = self.resolve(stages)?;
        let target = match self.question.target {
            None => stages.stages.len() - 1,
            Some(name) => {
                *names.get(&name.to_lowercase()).ok_or("it has no stage of the name in `target`")?
            }
        };
        let mut found = BTreeSet::new();
        let mut seen = vec![false; stages.stages.len()];
        let mut open = vec![target];
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut seen[at], true) || resolved[at].replaced {
                continue;
            }
            let parent = resolved[at].parent;
            open.extend(parent);
            // A stage that a context stands in for has stored nothing.
            let stored = parent.filter(|parent| !resolved[*parent].replaced);
            let stored = stored.map(|parent| &stages.stages[parent].on_build);
            for steps in [Some(&stages.stages[at].steps), stored].into_iter().flatten() {
                if steps.runs {
                    let platform = resolved[at].platform.clone();
                    found.insert(platform.ok_or("the platform of one of its stages cannot be told")?);
                }
                open.extend(steps.sources.iter().filter_map(|source| {
                    let number = source.parse().ok().filter(|number| *number < stages.stages.len());
                    number.or_else(|| names.get(&source.to_lowercase()).copied())
                }));
            }
        }
        Ok(found)
    }

    /// Fills in every stage; also the last stage of each name.
    fn resolve(&self, stages: &Stages) -> Result<(Vec<Resolved>, HashMap<String, usize>), String> {
        let mut resolved: Vec<Resolved> = Vec::with_capacity(stages.stages.len());
        let mut names = HashMap::new();
        for (at, stage) in stages.stages.iter().enumerate() {
            let base = expand(&stage.base, &self.variables, self.escape)
                .ok_or("the base of one of its stages cannot be told")?;
            let replaced = stage.name.as_ref().is_some_and(|name| self.is_replaced(name));
            let parent = names.get(&base.to_lowercase()).copied().filter(|_| !replaced);
            let platform = match (parent, &stage.platform) {
                (Some(parent), _) => {
                    resolved.get(parent).and_then(|parent: &Resolved| parent.platform.clone())
                }
                (None, Some(platform)) if replaced || base != "scratch" => self.platform(platform),
                (None, _) => Some(self.requested.clone()),
            };
            resolved.push(Resolved { parent, platform, replaced });
            if let Some(name) = &stage.name {
                names.insert(name.clone(), at);
            }
        }
        Ok((resolved, names))
    }

    fn is_replaced(&self, stage: &str) -> bool {
        let is_it = |context: &NamedContext| {
            let name = context.name.strip_suffix(":latest").unwrap_or(&context.name);
            name.eq_ignore_ascii_case(stage)
        };
        !matches!(stage, "scratch" | "context") && self.question.named_contexts.iter().any(is_it)
    }

    /// `--platform`, filled in; an operating system or a processor alone will do.
    fn platform(&self, text: &str) -> Option<Platform> {
        let text = expand(text, &self.variables, self.escape)?;
        let native = self.question.native;
        let spellings =
            [text.clone(), format!("{}/{text}", native.os()), format!("{text}/{}", native.architecture())];
        let fits = |spelling: &String| Platform::parse(spelling).ok();
        let alone = if text.contains('/') { 1 } else { spellings.len() };
        spellings[..alone].iter().find_map(fits)
    }
}
