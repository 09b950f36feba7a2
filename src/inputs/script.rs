//! The variables of the script that this action replaces, so that a workflow can change one line at a time.
//!
//! They stand in for the matching inputs only when `image_name` and `repository` are empty and
//! `CI_DOCKER_IMAGE` is set: a stray `DOMAIN` must never redirect a push. An input that says something wins.
//! `GITHUB_BRANCH` has no input: tags follow the event, so that a variable cannot name the tag of another
//! branch; it is compared, and a difference is a warning.

use std::collections::BTreeMap;

use super::credentials::is_servers_token;
use super::fault::{Notice, shown};
use super::image::{DEFAULT_REGISTRY, TargetInputs};
use super::push::{self, Push};
use super::raw::{RawInputs, ScriptVariables};
use crate::model::{GitRef, RegistryHost, slug};
use crate::runner::context::{Event, RunnerContext};

/// The inputs after the script's variables have stood in, and what there is to say of that.
pub(super) struct Filled {
    pub inputs: RawInputs,
    /// `<owner>/<repo>` of the image, where it is not that of the workflow's repository.
    pub repository_path: Option<String>,
    /// Which variable stands in for which input.
    pub stands_in: BTreeMap<&'static str, &'static str>,
    pub notices: Vec<Notice>,
}

impl Filled {
    /// The inputs that say where the image goes; without the references in `tags`.
    pub(super) fn target_inputs<'a>(&'a self, context: &'a RunnerContext) -> TargetInputs<'a> {
        let inputs = &self.inputs;
        TargetInputs {
            references: Vec::new(),
            pushes: push::parse(&inputs.push) != Ok(Push::No),
            repository: &inputs.repository,
            registry: &inputs.registry,
            image_name: &inputs.image_name,
            owner_and_name: self.repository_path.as_deref().unwrap_or(&context.repository.full_name),
        }
    }
}

/// Lets the script's variables stand in for inputs where they may, which is nowhere in most runs.
pub(super) fn fill(mut inputs: RawInputs, context: &RunnerContext) -> Filled {
    let script = std::mem::take(&mut inputs.script);
    let applies =
        inputs.image_name.is_empty() && inputs.repository.is_empty() && !script.ci_docker_image.is_empty();
    let mut filled =
        Filled { inputs, repository_path: None, stands_in: BTreeMap::new(), notices: Vec::new() };
    if !applies {
        return filled;
    }
    let may_see_login = login_belongs(&filled.inputs, &script);
    let Filled { inputs, stands_in, .. } = &mut filled;
    let mut fill = |input: &'static str, field: &mut String, variable: &'static str, value: &str| {
        if field.is_empty() && !value.is_empty() {
            value.clone_into(field);
            stands_in.insert(input, variable);
        }
    };
    fill("image_name", &mut inputs.image_name, "CI_DOCKER_IMAGE", &script.ci_docker_image);
    fill("registry", &mut inputs.registry, "DOMAIN", &script.domain);
    fill("context", &mut inputs.context, "CI_DOCKER_CONTEXT", &script.ci_docker_context);
    fill("dockerfile", &mut inputs.dockerfile, "CI_DOCKERFILE", &script.ci_dockerfile);
    fill("platform", &mut inputs.platform, "CI_DOCKER_PLATFORM", &script.ci_docker_platform);
    fill("latest_branch", &mut inputs.latest_branch, "LATEST_BRANCH", &script.latest_branch);
    if may_see_login {
        // `username` and `password` are never empty: the runner fills in their defaults.
        let default_user = inputs.username.is_empty() || inputs.username == context.actor;
        let default_password =
            inputs.password.is_empty() || is_servers_token(&inputs.password, &inputs.token);
        if default_user && default_password && !script.docker_password.is_empty() {
            inputs.password = script.docker_password.clone();
            stands_in.insert("password", "DOCKER_PASSWORD");
            if !script.docker_user.is_empty() {
                inputs.username.clone_from(&script.docker_user);
                stands_in.insert("username", "DOCKER_USER");
            }
        }
    }
    if !script.github_repo_ref.is_empty() {
        filled.repository_path = Some(script.github_repo_ref.clone());
        filled.stands_in.insert("repository", "GITHUB_REPO_REF");
    }
    filled.notices.push(used(&filled.stands_in));
    filled.notices.extend(branch(&script.github_branch, context));
    filled
}

/// Whether the script's login may be used: it is for the script's registry, not for one that an input names.
fn login_belongs(inputs: &RawInputs, script: &ScriptVariables) -> bool {
    let host = |text: &str| RegistryHost::parse(if text.is_empty() { DEFAULT_REGISTRY } else { text }).ok();
    inputs.registry.is_empty() || host(&inputs.registry) == host(&script.domain)
}

/// The notice that names each variable which stands in, and for what.
fn used(stands_in: &BTreeMap<&str, &str>) -> Notice {
    let pairs: Vec<String> =
        stands_in.iter().map(|(input, variable)| format!("`{variable}` for `{input}`")).collect();
    Notice::plain(format!(
        "`image_name` is empty and `CI_DOCKER_IMAGE` is set, so variables of the original script stand in: {}; \
         write the inputs to get rid of this",
        pairs.join(", ")
    ))
}

/// The warning for a run whose tags will not carry the name that the script would have used.
fn branch(given: &str, context: &RunnerContext) -> Option<Notice> {
    let on_ref = !matches!(
        context.event,
        Event::PullRequest(_)
            | Event::PullRequestTarget(_)
            | Event::IssueComment { .. }
            | Event::WorkflowRun { .. }
    );
    let (GitRef::Branch(name) | GitRef::Tag(name)) = &context.git_ref else { return None };
    let ours = slug(name)?;
    let differs = on_ref && !given.is_empty() && slug(given).as_deref() != Some(&ours);
    differs.then(|| {
        Notice::warning(format!(
            "`GITHUB_BRANCH` is `{}` but this run is on `{ours}`: the tags say `{ours}`, as they follow the event",
            shown(given)
        ))
    })
}
