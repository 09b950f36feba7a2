//! Push access: whether a run needs it, and what becomes of a run that has not got it.

use super::push::{PushPlan, push_plan};
use crate::inputs::config::Config;
use crate::metadata::{Metadata, PushDecision};
use crate::model::Repository;

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
    if config.dry_run {
        return None;
    }
    match push_plan(config.push, metadata, &mut Vec::new()) {
        Ok(PushPlan::Push { tolerate_refusal: true, .. }) => Some(AccessNeed::Decides),
        Ok(PushPlan::Push { tolerate_refusal: false, .. }) => Some(AccessNeed::Must),
        // The plan says what is wrong.
        Ok(PushPlan::Keep { .. }) | Err(_) => None,
    }
}

/// These registries let nobody with this login push, and [`AccessNeed::Decides`]: the image goes to the other repositories;
/// if there are none it is built and stays here.
pub fn refused(metadata: &mut Metadata, all: usize, refusals: &[(Repository, String)]) {
    let nowhere = refusals.len() >= all;
    let so = if nowhere { "the image is built, nothing is published" } else { "it goes to the others only" };
    metadata.warnings.extend(
        refusals
            .iter()
            .map(|(repository, why)| format!("this job may not push to `{repository}` ({why}): {so}")),
    );
    if nowhere {
        let names: Vec<String> = refusals.iter().map(|(repository, _)| format!("`{repository}`")).collect();
        let why = format!("this job may not push to {}", names.join(", "));
        metadata.push_default = PushDecision::NoPush(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::config::Push;
    use crate::metadata::fixture::*;
    use crate::runner::context::Event;

    #[test]
    fn who_needs_it() {
        let pull = |from: &str| context(Event::PullRequest(pull_request(from)), "refs/pull/5/merge");
        let main = context(push(), "refs/heads/main");
        for (context, push, dry_run, expected) in [
            (&main, Push::Auto, false, Some(AccessNeed::Must)),
            (&main, Push::Yes, false, Some(AccessNeed::Must)),
            (&main, Push::No, false, None),
            (&main, Push::Auto, true, None),
            (&pull("acme/shop"), Push::Auto, false, Some(AccessNeed::Decides)),
            (&pull("acme/shop"), Push::Yes, false, Some(AccessNeed::Must)),
            (&pull("acme/shop"), Push::No, false, None),
            (&pull("mallory/shop"), Push::Auto, false, None),
            (&pull("mallory/shop"), Push::Yes, false, None),
        ] {
            let config = Config { push, dry_run, ..config() };
            assert_eq!(needed(&config, &built(context, &config).unwrap()), expected, "{push:?} {dry_run}");
        }
    }

    #[test]
    fn a_refusal_keeps_the_image_here() {
        let config = config();
        let pull = context(Event::PullRequest(pull_request("acme/shop")), "refs/pull/5/merge");
        let mut metadata = built(&pull, &config).unwrap();
        let refusal = |name: &str| (Repository::parse(name).unwrap(), "it answered 403".to_owned());
        let refusals = [refusal("ghcr.io/acme/shop/api"), refusal("r.io/api")];
        refused(&mut metadata, 2, &refusals[1..]);
        assert_eq!(needed(&config, &metadata), Some(AccessNeed::Decides), "the other takes it");
        assert_eq!(
            metadata.warnings.last().unwrap(),
            "this job may not push to `r.io/api` (it answered 403): it goes to the others only"
        );
        refused(&mut metadata, 2, &refusals);
        let plan = push_plan(Push::Auto, &metadata, &mut Vec::new()).unwrap();
        let why = "this job may not push to `ghcr.io/acme/shop/api`, `r.io/api`";
        assert_eq!(plan, PushPlan::Keep { why: why.into() });
        metadata = built(&pull, &config).unwrap();
        refused(&mut metadata, 1, &refusals[..1]);
        let plan = push_plan(Push::Auto, &metadata, &mut Vec::new()).unwrap();
        assert_eq!(plan, PushPlan::Keep { why: "this job may not push to `ghcr.io/acme/shop/api`".into() });
        assert_eq!(
            metadata.warnings.last().unwrap(),
            "this job may not push to `ghcr.io/acme/shop/api` (it answered 403): the image is built, nothing is published"
        );
        assert_eq!(needed(&config, &metadata), None);
    }
}
