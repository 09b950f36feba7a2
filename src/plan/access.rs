//! Push access: whether a run needs it, and what becomes of a run that has not got it.
//!
//! It is missing where a registry refuses, or where the workflow names a login whose secret this run does not get. Both count
//! only in a run that pushes, and only at the registries that it pushes to.

use super::push::{PushPlan, push_plan};
use crate::inputs::config::{Config, MissingLogin};
use crate::inputs::fault::InputFault;
use crate::metadata::{Metadata, PushDecision};
use crate::model::{Repository, Targets};

/// What push access is to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessNeed {
    /// Without it the run fails.
    Must,
    /// It decides whether the run pushes.
    Decides,
}

/// What push access is to this run; `None` if nothing will be pushed: then nobody looks for it.
pub fn needed(config: &Config, metadata: &Metadata) -> Option<AccessNeed> {
    match push_plan(config.push, metadata, &mut Vec::new()) {
        Ok(PushPlan::Push { tolerate_refusal: true, .. }) => Some(AccessNeed::Decides),
        Ok(PushPlan::Push { tolerate_refusal: false, .. }) => Some(AccessNeed::Must),
        // The plan says what is wrong.
        Ok(PushPlan::Keep { .. }) | Err(_) => None,
    }
}

/// The repositories of these that a run which pushes leaves out as their logins are missing, each with the reason: those that
/// are optional, and where access [`AccessNeed::Decides`] all of them.
///
/// # Errors
/// The logins that it cannot do without.
pub fn without_login(
    config: &Config,
    need: AccessNeed,
    targets: &Targets,
) -> Result<Vec<(Repository, String)>, Vec<InputFault>> {
    let registries = targets.registries();
    let missing = config.missing_logins.iter().filter(|missing| registries.contains(&missing.registry));
    let goes_without = |missing: &&MissingLogin| missing.optional || need == AccessNeed::Decides;
    let (left_out, needed): (Vec<_>, Vec<_>) = missing.partition(goes_without);
    if !needed.is_empty() {
        return Err(needed.into_iter().map(MissingLogin::fault).collect());
    }
    let missing_for = |target: &Repository| {
        let missing = left_out.iter().find(|missing| missing.registry == *target.registry())?;
        Some((target.clone(), missing.reason()))
    };
    Ok(targets.iter().filter_map(missing_for).collect())
}

/// These repositories are left out, each for a reason: nobody with this login may push there, and [`AccessNeed::Decides`], or
/// there is no login. The image and its tags go to the others, which are the answer; if there are none it is built, where the run
/// `builds`, and stays here.
pub fn refused(
    metadata: &mut Metadata,
    builds: bool,
    targets: &Targets,
    refusals: &[(Repository, String)],
) -> Option<Targets> {
    let left = without(targets, refusals);
    let so = match left {
        None if builds => "the image is built, nothing is published",
        None => "nothing is published",
        Some(_) => "it goes to the others only",
    };
    metadata.warnings.extend(
        refusals
            .iter()
            .map(|(repository, why)| format!("this job may not push to `{repository}` ({why}): {so}")),
    );
    if let Some(left) = &left {
        metadata.keep_tags_of(left);
    } else {
        let names: Vec<String> = refusals.iter().map(|(repository, _)| format!("`{repository}`")).collect();
        let why = format!("this job may not push to {}", names.join(", "));
        metadata.push_default = PushDecision::NoPush(why);
    }
    left
}

/// Those that are not among the refusals, if any remain.
pub fn without(targets: &Targets, refusals: &[(Repository, String)]) -> Option<Targets> {
    let names: Vec<Repository> = refusals.iter().map(|(repository, _)| repository.clone()).collect();
    targets.without(&names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::config::Push;
    use crate::metadata::PlannedTag;
    use crate::metadata::fixture::*;
    use crate::model::{RegistryHost, Tag};
    use crate::runner::context::Event;

    #[test]
    fn who_needs_it() {
        let pull = |from: &str| context(Event::PullRequest(pull_request(from)), "refs/pull/5/merge");
        let main = context(push(), "refs/heads/main");
        for (context, push, expected) in [
            (&main, Push::Auto, Some(AccessNeed::Must)),
            (&main, Push::Yes, Some(AccessNeed::Must)),
            (&main, Push::No, None),
            (&main, Push::Nowhere, None),
            (&pull("acme/shop"), Push::Auto, Some(AccessNeed::Decides)),
            (&pull("acme/shop"), Push::Yes, Some(AccessNeed::Must)),
            (&pull("acme/shop"), Push::No, None),
            (&pull("mallory/shop"), Push::Auto, None),
            (&pull("mallory/shop"), Push::Yes, None),
        ] {
            let config = Config { push, ..config() };
            assert_eq!(needed(&config, &built(context, &config).unwrap()), expected, "{push:?}");
        }
    }

    #[test]
    fn a_refusal_keeps_the_image_here() {
        let config = config();
        let pull = context(Event::PullRequest(pull_request("acme/shop")), "refs/pull/5/merge");
        let mut metadata = built(&pull, &config).unwrap();
        let refusal = |name: &str| (Repository::parse(name).unwrap(), "it answered 403".to_owned());
        let refusals = [refusal("ghcr.io/acme/shop/api"), refusal("r.io/api")];
        let targets = Targets::of(refusals.iter().map(|(repository, _)| repository.clone())).unwrap();
        let left = refused(&mut metadata, true, &targets, &refusals[1..]);
        assert_eq!(left.unwrap().to_string(), "ghcr.io/acme/shop/api");
        assert_eq!(needed(&config, &metadata), Some(AccessNeed::Decides), "the other takes it");
        assert_eq!(
            metadata.warnings.last().unwrap(),
            "this job may not push to `r.io/api` (it answered 403): it goes to the others only"
        );
        assert_eq!(refused(&mut metadata, true, &targets, &refusals), None);
        let plan = push_plan(Push::Auto, &metadata, &mut Vec::new()).unwrap();
        let why = "this job may not push to `ghcr.io/acme/shop/api`, `r.io/api`";
        assert_eq!(plan, PushPlan::Keep { why: why.into() });
        metadata = built(&pull, &config).unwrap();
        assert_eq!(refused(&mut metadata, true, &config.targets, &refusals[..1]), None);
        let plan = push_plan(Push::Auto, &metadata, &mut Vec::new()).unwrap();
        assert_eq!(plan, PushPlan::Keep { why: "this job may not push to `ghcr.io/acme/shop/api`".into() });
        assert_eq!(
            metadata.warnings.last().unwrap(),
            "this job may not push to `ghcr.io/acme/shop/api` (it answered 403): the image is built, nothing is published"
        );
        assert_eq!(needed(&config, &metadata), None);
    }

    #[test]
    fn a_login_that_is_missing_counts_where_the_image_goes() {
        let missing = |registry: &str, optional| MissingLogin {
            registry: RegistryHost::parse(registry).unwrap(),
            optional,
            input: "registry_auth",
            entry: Some(1),
            why: "`password` is empty".into(),
        };
        let [fork, hub, quay] = ["ghcr.io/fork/api", "docker.io/acme/api", "quay.io/acme/api"];
        let outcome = |missing_logins: Vec<MissingLogin>, need| {
            let repositories = [fork, hub, quay].map(|name| Repository::parse(name).unwrap());
            let targets = Targets::of(repositories).unwrap();
            match without_login(&Config { missing_logins, ..config() }, need, &targets) {
                Ok(left_out) => left_out.iter().map(|(repository, _)| repository.to_string()).collect(),
                Err(faults) => faults.iter().map(|fault| format!("!{}", fault.message)).collect::<Vec<_>>(),
            }
        };
        let (must, decides) = (AccessNeed::Must, AccessNeed::Decides);
        let fault = |host| format!("!entry 1: `password` is empty, and the image is pushed to `{host}`");
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (logins, need, expected) in [
            (vec![], must, vec![]),
            (vec![missing("docker.io", true), missing("quay.io", true)], must, owned(&[hub, quay])),
            (vec![missing("docker.io", true), missing("quay.io", false)], must, vec![fault("quay.io")]),
            (
                vec![missing("docker.io", false), missing("quay.io", false)],
                must,
                vec![fault("docker.io"), fault("quay.io")],
            ),
            (vec![missing("docker.io", false), missing("quay.io", true)], decides, owned(&[hub, quay])),
            (
                vec![missing("ghcr.io", true), missing("docker.io", true), missing("quay.io", true)],
                must,
                owned(&[fork, hub, quay]),
            ),
            // No tag of this run is for one there.
            (vec![missing("r.io", false)], must, vec![]),
        ] {
            assert_eq!(outcome(logins.clone(), need), expected, "{logins:?} {need:?}");
        }
    }

    #[test]
    fn a_run_that_is_left_without_a_repository_pushes_nothing() {
        let config = Config { push: Push::Yes, ..config() };
        let mut metadata = built(&context(push(), "refs/heads/main"), &config).unwrap();
        let reason = "entry 1 of `registry_auth`: `password` is empty".to_owned();
        let refusals = [(config.targets.first().clone(), reason)];
        assert_eq!(refused(&mut metadata, true, &config.targets, &refusals), None);
        assert_eq!(
            metadata.warnings,
            [
                "this job may not push to `ghcr.io/acme/shop/api` (entry 1 of `registry_auth`: `password` is empty): \
              the image is built, nothing is published"
            ]
        );
        assert_eq!(needed(&config, &metadata), None);
    }

    #[test]
    fn tags_of_a_repository_that_is_left_out_are_none() {
        let config = config();
        let mut metadata = built(&context(push(), "refs/heads/main"), &config).unwrap();
        let hub = Repository::parse("docker.io/acme/api").unwrap();
        let targets = Targets::new(config.targets.first().clone(), [hub.clone()]);
        let everywhere = metadata.tags.len();
        for repository in targets.iter() {
            let own = PlannedTag { repository: Some(repository.clone()), ..metadata.tags[0].clone() };
            metadata.tags.push(PlannedTag { tag: Tag::parse("own").unwrap(), ..own });
        }
        let left = refused(&mut metadata, true, &targets, &[(hub, "it answered 403".into())]);
        assert_eq!(left, Some(config.targets.clone()));
        let bound: Vec<_> = metadata.tags[everywhere..].iter().map(|tag| tag.repository.as_ref()).collect();
        assert_eq!(bound, [Some(config.targets.first())]);
    }
}
