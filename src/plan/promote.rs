//! Whether an image that is in the registry already is the one that this run would build: then its index is tagged, the
//! same bytes, and no builder is started.
//!
//! Only an image of the same whole commit and the same inputs, never a pull request's, never where a new build was asked
//! for. A registry's tags are never listed: candidates are the commit's tags under names that are known.

use crate::inputs::config::{Config, Promote, VersionInput};
use crate::metadata::{Metadata, Subject};
use crate::model::{CommitId, Digest, GitRef, Stamp, Stamped, Tag, slug, text};
use crate::runner::context::{Event, RunnerContext};

/// Candidates that are looked at.
const MOST: usize = 10;

/// An image is looked for before the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// Where one may be.
    pub from: Candidates,
    /// If none will do, the run fails; else the image is built.
    pub required: bool,
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// Tags of the commit, the likeliest first.
    pub tags: Vec<Tag>,
    /// Why none of them will do, whatever it is.
    pub hindrance: Option<String>,
}

/// No image will do: the condition that failed, of each candidate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no image of this commit can be promoted: {0}")]
pub struct NoCandidate(pub String);

/// What is looked for; `None`: nothing is.
pub(super) fn plan_promotion(
    config: &Config,
    context: &RunnerContext,
    metadata: &Metadata,
    stamp: &Stamp,
    pushes: bool,
) -> Option<Promotion> {
    let versioned = matches!(config.version, Some(VersionInput::Semver(_)));
    let released = match metadata.subject {
        Subject::GitTag(_) => true,
        Subject::Branch(_) => versioned,
        _ => false,
    };
    let hindrance = if !pushes {
        Some("this run does not publish".to_owned())
    } else if matches!(metadata.subject, Subject::PullRequest(_)) {
        Some("this is a pull request".to_owned())
    } else if let Some(why) = config.wants_new_build() {
        Some(why.to_owned())
    } else if stamp.inputs.is_none() {
        Some(
            "the Dockerfile or the context is not here, so that what it is built from is not known before"
                .into(),
        )
    } else {
        None
    };
    let from = Candidates { tags: tags(config, context, metadata), hindrance };
    match config.tag_options.promote {
        Promote::Only => Some(Promotion { from, required: true }),
        Promote::Auto if released && pushes => Some(Promotion { from, required: false }),
        Promote::Auto | Promote::Never => None,
    }
}

fn tags(config: &Config, context: &RunnerContext, metadata: &Metadata) -> Vec<Tag> {
    let release = match &context.event {
        // A release can be made from a commit, too: that is no name of a tag.
        Event::Release { target, .. } if CommitId::parse(target).is_err() => Some(target.as_str()),
        _ => None,
    };
    let sha = metadata.revision.cut(config.sha_length);
    let named = [Some(config.latest_branch.as_str()), release].into_iter().flatten();
    let tags = named.filter_map(|name| commit_tag(sha, name));
    let own = metadata.tags.iter().filter(|tag| tag.commit_tags.is_some()).map(|tag| tag.tag.clone());
    distinct(tags.chain(own))
}

fn commit_tag(sha: &str, branch: &str) -> Option<Tag> {
    Tag::parse(&format!("{sha}-{}", slug(branch)?)).ok()
}

fn distinct(tags: impl Iterator<Item = Tag>) -> Vec<Tag> {
    tags.fold(Vec::new(), |mut known, tag| {
        if known.len() < MOST && !known.contains(&tag) {
            known.push(tag);
        }
        known
    })
}

impl Candidates {
    /// The same, with the tags that the commit has on these branches.
    #[must_use]
    pub fn on(self, branches: &[String], sha: &str) -> Self {
        let more = branches.iter().filter_map(|branch| commit_tag(sha, branch));
        Self { tags: distinct(self.tags.into_iter().chain(more)), ..self }
    }

    /// Why there is none, where nothing is looked at.
    pub fn none(&self) -> NoCandidate {
        NoCandidate(self.hindrance.clone().unwrap_or_else(|| "this run does not publish".into()))
    }

    /// The first that will do, by what is under the tags.
    ///
    /// # Errors
    /// The condition that failed, for each.
    pub fn choose(&self, found: &[Option<Stamped>], ours: &Stamp) -> Result<(Tag, Digest), NoCandidate> {
        if let Some(why) = &self.hindrance {
            return Err(NoCandidate(why.clone()));
        }
        let mut reasons = Vec::new();
        for (tag, found) in self.tags.iter().zip(found) {
            match found.as_ref().map(|found| (unfit(&found.stamp, ours), &found.digest)) {
                Some((None, digest)) => return Ok((tag.clone(), digest.clone())),
                Some((Some(why), _)) => reasons.push(format!("`{tag}` {why}")),
                None => reasons.push(format!("there is no `{tag}`")),
            }
        }
        Err(NoCandidate(reasons.join(", ")))
    }
}

/// Why an image is not the one that we would build.
fn unfit(stamp: &Stamp, ours: &Stamp) -> Option<String> {
    let Some(commit) = &stamp.commit else { return Some("does not say its commit".into()) };
    if Some(commit) != ours.commit.as_ref() {
        return Some(format!("is of commit {commit}"));
    }
    match &stamp.reference {
        None => return Some("does not say its ref".into()),
        Some(reference) if reference.starts_with("refs/pull/") => {
            return Some(format!("is of a pull request ({})", text::name(reference)));
        }
        Some(_) => {}
    }
    match &stamp.inputs {
        None => Some("does not say what it was built from".into()),
        inputs if *inputs == ours.inputs => None,
        Some(other) if ours.inputs.as_ref().is_some_and(|ours| ours.schema != other.schema) => {
            Some("says what it was built from as another version of this action does".into())
        }
        Some(_) => Some(
            "was built from other inputs (Dockerfile, target, platforms, contexts, build arguments, labels)"
                .into(),
        ),
    }
}

/// Whether an image that is there may make the build needless, as far as can be told before anything is read: for a Git
/// tag's event, a release or a version. Then no builder is begun ahead.
pub fn may_need_no_build(config: &Config, context: &RunnerContext) -> bool {
    let tagged = match &context.event {
        Event::Release { .. } => true,
        Event::WorkflowRun { event, .. } => event == "release",
        _ => matches!(context.git_ref, GitRef::Tag(_)),
    };
    tagged
        || matches!(config.version, Some(VersionInput::Semver(_)))
        || config.tag_options.promote == Promote::Only
}

/// The tags that decide something before anything is built, as far as is known before the plan: versions, and those that
/// may name such an image. All others are read right before they move, and not before.
pub fn decisive(config: &Config, context: &RunnerContext, metadata: &Metadata) -> Vec<Tag> {
    let versions = metadata.tags.iter().filter(|tag| tag.policy.is_fixed()).map(|tag| tag.tag.clone());
    let never = config.tag_options.promote == Promote::Never || config.wants_new_build().is_some();
    let never = never || !config.mode.builds();
    // What is checked out may be a Git tag on any event.
    let looked_for = may_need_no_build(config, context) || matches!(metadata.subject, Subject::GitTag(_));
    let promoted = if never || !looked_for { Vec::new() } else { tags(config, context, metadata) };
    distinct(versions.chain(promoted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::config::TagOptions;
    use crate::metadata::fixture::{built, commit, config, context, pull_request, push};
    use crate::model::InputsHash;

    fn inputs(schema: u32, text: &[u8]) -> InputsHash {
        InputsHash { schema, digest: Digest::of(text) }
    }

    fn promotion(config: &Config, context: &RunnerContext, pushes: bool) -> Option<Promotion> {
        let metadata = built(context, config).unwrap();
        let stamp = Stamp { inputs: Some(inputs(1, b"x")), ..Stamp::default() };
        plan_promotion(config, context, &metadata, &stamp, pushes)
    }

    fn names(promotion: Option<&Promotion>) -> String {
        match promotion {
            None => "no".into(),
            Some(Promotion { from: candidates, .. }) => {
                let tags: Vec<&str> = candidates.tags.iter().map(Tag::as_str).collect();
                format!(
                    "{}{}",
                    tags.join(" "),
                    candidates.hindrance.as_ref().map_or(String::new(), |why| format!(": {why}"))
                )
            }
        }
    }

    #[test]
    fn when_and_where_to_look() {
        let rules = |promote| TagOptions { promote, ..TagOptions::default() };
        let with = |promote| Config { tag_options: rules(promote), ..config() };
        let release = |target: &str| {
            let event =
                Event::Release { action: "published".into(), tag: "v1.2.3".into(), target: target.into() };
            context(event, "refs/tags/v1.2.3")
        };
        let version = Some(VersionInput::Semver(semver::Version::new(1, 2, 3)));
        let main = context(push(), "refs/heads/main");
        let tag = context(push(), "refs/tags/v1.2.3");
        let pull = context(Event::PullRequest(pull_request("acme/shop")), "refs/pull/5/merge");
        for (config, context, expected) in [
            (with(Promote::Auto), &main, "no"),
            (with(Promote::Only), &main, "1111111-main"),
            (with(Promote::Never), &tag, "no"),
            (with(Promote::Auto), &tag, "1111111-main 1111111-v1.2.3"),
            (Config { version, ..with(Promote::Auto) }, &main, "1111111-main"),
            (with(Promote::Auto), &release("Release/2.x"), "1111111-main 1111111-release-2.x 1111111-v1.2.3"),
            (with(Promote::Auto), &release(&"a".repeat(40)), "1111111-main 1111111-v1.2.3"),
            (with(Promote::Only), &pull, "1111111-main 2222222-pr-5: this is a pull request"),
            (
                Config { pull: true, ..with(Promote::Auto) },
                &tag,
                "1111111-main 1111111-v1.2.3: `pull` asks for a new build",
            ),
        ] {
            let metadata = built(context, &config).unwrap();
            let early = decisive(&config, context, &metadata);
            let promotion = promotion(&config, context, true);
            assert_eq!(names(promotion.as_ref()), expected);
            let versions = metadata.tags.iter().filter(|tag| tag.policy.is_fixed()).count();
            match &promotion {
                Some(Promotion { from, .. }) if from.hindrance.is_none() => {
                    assert_eq!(from.tags, early[versions..], "{expected}");
                }
                None => assert_eq!(early.len(), versions),
                _ => {}
            }
            assert!(promotion.is_none() || may_need_no_build(&config, context), "{expected}");
        }
        assert_eq!(promotion(&with(Promote::Auto), &tag, false), None);
        assert_eq!(
            names(promotion(&with(Promote::Only), &main, false).as_ref()),
            "1111111-main: this run does not publish"
        );
    }

    #[test]
    fn which_image_will_do() {
        let ours = Stamp { commit: Some(commit('1')), inputs: Some(inputs(1, b"x")), ..Stamp::default() };
        let main = || Stamp { reference: Some("refs/heads/main".into()), ..ours.clone() };
        let found = |stamp| Some(Stamped { digest: Digest::of(b"there"), stamp });
        let tags = ["a-main", "a-dev"].map(|text| Tag::parse(text).unwrap()).to_vec();
        let candidates = Candidates { tags, hindrance: None };
        let choose = |first: Option<Stamped>, second: Option<Stamped>| {
            candidates
                .choose(&[first, second], &ours)
                .map(|(tag, _)| tag.to_string())
                .map_err(|error| error.0)
        };
        assert_eq!(choose(found(main()), None), Ok("a-main".into()));
        assert_eq!(choose(None, found(main())), Ok("a-dev".into()));
        for (stamp, why) in [
            (Stamp::default(), "does not say its commit"),
            (
                Stamp { commit: Some(commit('2')), ..main() },
                "is of commit 2222222222222222222222222222222222222222",
            ),
            (Stamp { reference: Some("refs/pull/7".into()), ..main() }, "is of a pull request (refs/pull/7)"),
            (Stamp { reference: None, ..main() }, "does not say its ref"),
            (Stamp { inputs: None, ..main() }, "does not say what it was built from"),
            (
                Stamp { inputs: Some(inputs(2, b"x")), ..main() },
                "says what it was built from as another version of this action does",
            ),
            (
                Stamp { inputs: Some(inputs(1, b"y")), ..main() },
                "was built from other inputs (Dockerfile, target, platforms, contexts, build arguments, labels)",
            ),
        ] {
            assert_eq!(choose(found(stamp), None), Err(format!("`a-main` {why}, there is no `a-dev`")));
        }
        let never = Candidates { hindrance: Some("because".into()), ..candidates.clone() };
        assert_eq!(never.choose(&[found(main())], &ours).unwrap_err().0, "because");
        let more = candidates.on(&["dev".into(), "Fix/1".into(), "🚀".into()], "a");
        assert_eq!(more.tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["a-main", "a-dev", "a-fix-1"]);
    }
}
