//! Staging: an image of all its platforms that gets no tag yet, as the workflow tests or scans it first.
//!
//! It is pushed by digest and recorded, so that no registry removes it and the next run of its commit can tell what was left
//! without a tag. A version's tag that another commit has ends the run here already, before anything is built; and one of
//! this commit keeps its image, which is what is staged then.

use crate::metadata::PlannedTag;
use crate::model::Digest;

/// What a staged image is recorded as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagePlan {
    /// `GITHUB_RUN_ID`.
    pub run: u64,
    /// Which attempt of the run.
    pub attempt: u64,
    /// The key of what decides the tags.
    pub tags: Digest,
    /// The tags that `mode: tag` would put with the same inputs.
    pub later: Vec<PlannedTag>,
}

#[cfg(test)]
mod tests {
    use crate::inputs::config::{Config, Mode, VersionInput};
    use crate::metadata::fixture::*;
    use crate::plan::build::Export;
    use crate::plan::check::violations;
    use crate::plan::display;
    use crate::plan::tests::{build, daemon, facts, fork};
    use crate::plan::{RunPlan, plan};
    use crate::runner::context::RunnerContext;

    fn planned(context: &RunnerContext, config: &Config) -> RunPlan {
        let plan = plan(config, context, &facts(daemon(), config, built(context, config).unwrap())).unwrap();
        assert_eq!(violations(&plan, config), Vec::<String>::new());
        plan
    }

    fn staging(config: &Config) -> RunPlan {
        let config = Config { mode: Mode::Stage, ..config.clone() };
        planned(&context(push(), "refs/heads/main"), &config)
    }

    #[test]
    fn it_is_the_build_of_the_same_inputs_without_its_tags() {
        let (staged, pushed) = (staging(&config()), planned(&context(push(), "refs/heads/main"), &config()));
        assert_eq!((build(&staged), &staged.stamp), (build(&pushed), &pushed.stamp));
        assert!(matches!(build(&staged).export, Export::PushByDigest(_)));
        assert!(staged.tags.is_empty() && staged.platform_tags.is_empty());
        let stage = staged.stage.as_ref().unwrap();
        assert_eq!((&stage.later, &stage.tags), (&pushed.tags, &config().tags_key));
        let text = display::render(&staged);
        let expected = "tags: none yet, as the image is staged: `mode: tag` puts them\nwith these inputs:\n  1111111-main ";
        assert!(text.contains(expected), "{text}");
        assert_eq!(display::title(&staged), "Stage ghcr.io/acme/shop/api");
        let json: serde_json::Value = serde_json::from_str(&display::json(&staged)).unwrap();
        assert_eq!((&json["mode"], &json["tags"]), (&"stage".into(), &serde_json::json!([])));
    }

    /// One that another commit has would only be found when everything is scanned.
    #[test]
    fn a_version_is_looked_at_before_the_build() {
        let version = Some(VersionInput::Semver(semver::Version::new(1, 2, 3)));
        let staged = staging(&Config { version, ..config() });
        let versions: Vec<&str> = staged.versions().iter().map(|tag| tag.tag.as_str()).collect();
        assert_eq!((versions, staged.looks_first()), (vec!["v1.2.3"], true));
    }

    #[test]
    fn where_nothing_is_pushed_nothing_is_staged() {
        let kept = planned(&fork(), &Config { mode: Mode::Stage, ..config() });
        assert!(!kept.push.pushes());
        assert_eq!(display::title(&kept), "Build ghcr.io/acme/shop/api");
    }
}
