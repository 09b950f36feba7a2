//! What publishing would do now, by what is in the registry: for a dry run, which looks and changes nothing.
//!
//! Asks the same questions as the run itself (`order`). What it says may be out of date a moment later: the run reads again.

use std::fmt;

use super::order::{Known, Question, Verdict, VersionTaken, VersionVerdict, decide, version};
use super::promote::{NoCandidate, Promotion};
use super::publish::Ours;
use crate::metadata::{Moves, PlannedTag};
use crate::model::{CommitId, Digest, Stamped, Tag};

/// Characters of a commit that people are shown.
const SHOWN: usize = 12;

/// What publishing would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// What is in the registry cannot be told: why.
    Unknown(String),
    /// This.
    Known {
        /// To each planned tag, in the plan's order.
        tags: Vec<Fate>,
        /// The image that would be tagged instead of built, or why there is none; `None` where none is looked for.
        promotion: Option<Result<(Tag, Digest), NoCandidate>>,
    },
}

/// What would become of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing has this name yet.
    New,
    /// It is on this very image.
    There,
    /// It is on an image of this commit, and would be put again.
    SameCommit,
    /// It would move from another commit's image, if that says its commit.
    Moves(Option<CommitId>),
    /// It would move, though nobody knows whether it should: why.
    MovesThough(String),
    /// It would stay where it is: why.
    HeldBack(String),
    /// A version that exists for this commit: its image would be the result.
    Kept(Digest),
    /// A version that exists for another commit: the run would fail.
    Taken(VersionTaken),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("new"),
            Self::There => f.write_str("on this image already"),
            Self::SameCommit => f.write_str("on an image of the same commit"),
            Self::Moves(Some(commit)) => write!(f, "moves from {}", commit.cut(SHOWN)),
            Self::Moves(None) => f.write_str("moves from an image that does not say its commit"),
            Self::MovesThough(why) => write!(f, "moves, though {why}"),
            Self::HeldBack(why) => write!(f, "would be held back: {why}"),
            Self::Kept(digest) => {
                write!(f, "exists for this commit: {digest} is the result, nothing is built")
            }
            Self::Taken(taken) => write!(f, "the run would fail: {taken}"),
        }
    }
}

/// What would become of a tag that is on `current` now, or what has to be found out first. `digest` is that of our image, if it is
/// there already.
///
/// # Errors
/// The question, whose answer goes to `known`.
pub fn fate(
    tag: &PlannedTag,
    current: Option<&Stamped>,
    ours: &Ours,
    digest: Option<&Digest>,
    known: &Known,
) -> Result<Fate, Question> {
    if digest.is_some_and(|digest| current.is_some_and(|current| current.digest == *digest)) {
        return Ok(Fate::There);
    }
    if matches!(tag.policy.moves, Moves::Fixed | Moves::IfFree) {
        match version(tag, current, ours, digest) {
            VersionVerdict::Kept(digest) => return Ok(Fate::Kept(digest)),
            VersionVerdict::Held(why) => return Ok(Fate::HeldBack(why)),
            VersionVerdict::Taken(taken) => return Ok(Fate::Taken(taken)),
            VersionVerdict::Free => {}
        }
    }
    let Some(current) = current else { return Ok(Fate::New) };
    let there = &current.stamp.commit;
    let moves = || {
        if there.is_some() && *there == ours.stamp.commit {
            Fate::SameCommit
        } else {
            Fate::Moves(there.clone())
        }
    };
    if !matches!(tag.policy.moves, Moves::ByCommit | Moves::Upwards) || !ours.options.hold_back {
        return Ok(moves());
    }
    // No image is like one that is not built yet.
    match decide(tag, Some(current), ours, &Digest::of(b""), known) {
        Verdict::There | Verdict::Move => Ok(moves()),
        Verdict::MoveWithWarning(why) => Ok(Fate::MovesThough(why)),
        Verdict::Keep(why) => Ok(Fate::HeldBack(why)),
        Verdict::Yield(run) => Ok(Fate::HeldBack(format!("run {run} of the same commit has it"))),
        Verdict::Ask(question) => Err(question),
    }
}

/// Whether an image that is there would do, for the plan's text; `None` where none is looked for.
pub(super) fn promotion(plan: Option<&Promotion>, outlook: Option<&Outlook>) -> Option<String> {
    let Promotion { from: candidates, required } = plan?;
    let found = match outlook {
        Some(Outlook::Known { promotion, .. }) => promotion.as_ref(),
        _ => None,
    };
    let names: Vec<String> = candidates.tags.iter().map(|tag| format!("`{tag}`")).collect();
    let names = names.join(" or ");
    Some(match (found, &candidates.hindrance, required) {
        (Some(Ok((tag, digest))), ..) => format!("`{tag}` ({digest}) would be tagged, nothing is built"),
        (Some(Err(none)), _, false) => format!("none ({}): the image would be built", none.0),
        (Some(Err(none)), _, true) => format!("none ({}): the run would fail", none.0),
        (None, Some(why), false) => format!("no: {why}"),
        (None, Some(why), true) => format!("no, so that the run fails: {why}"),
        (None, None, false) => {
            format!("{names} if it was made of this commit and the same inputs: then nothing is built")
        }
        (None, None, true) => {
            format!("{names} if it was made of this commit and the same inputs; otherwise the run fails")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::config::{ExistingVersion, TagOptions};
    use crate::metadata::{Policy, TagSource};
    use crate::model::{Relation, Stamp};
    use crate::plan::order::Answer;
    use crate::plan::promote::Candidates;

    fn id(digit: u8) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn there(commit: u8) -> Stamped {
        let commit = (commit > 0).then(|| id(commit));
        Stamped { digest: Digest::of(b"x"), stamp: Stamp { commit, ..Stamp::default() } }
    }

    #[test]
    fn what_would_become_of_a_tag() {
        use TagSource::{Branch, Commit, Latest, Version};
        let skip = TagOptions { existing_version: ExistingVersion::Skip, ..TagOptions::default() };
        let overwrite = TagOptions { existing_version: ExistingVersion::Overwrite, ..TagOptions::default() };
        let never = TagOptions { hold_back: false, ..TagOptions::default() };
        let usual = TagOptions::default();
        let said = |source, current: Option<Stamped>, rules: &TagOptions, relation: Relation| {
            let policy = match source {
                Commit => Policy::COMMIT,
                Version => Policy::VERSION,
                Latest => Policy::LATEST,
                _ => Policy::MOVING,
            };
            let tag = PlannedTag::new(Tag::parse("v1.0.0").unwrap(), (source, policy), "");
            let stamp = Stamp { commit: Some(id(2)), ..Stamp::default() };
            let ours = Ours { stamp, forced: false, commit_tags: None, options: *rules };
            let mut known = Known::default();
            while let Err(question) = fate(&tag, current.as_ref(), &ours, None, &known) {
                let answer = match question {
                    Question::Relate(..) => Answer::Related(relation.clone()),
                    _ => Answer::History(Err("nobody".into())),
                };
                known.learn(question, answer);
            }
            fate(&tag, current.as_ref(), &ours, None, &known).unwrap().to_string()
        };
        for (source, current, rules, relation, expected) in [
            (Branch, None, &usual, Relation::Same, "new"),
            (Commit, Some(there(2)), &usual, Relation::Same, "on an image of the same commit"),
            (Commit, Some(there(1)), &usual, Relation::Same, "moves from 111111111111"),
            (Branch, Some(there(2)), &usual, Relation::Same, "on an image of the same commit"),
            (Branch, Some(there(1)), &usual, Relation::Ahead, "moves from 111111111111"),
            (
                Latest,
                Some(there(1)),
                &usual,
                Relation::Behind,
                "would be held back: it is on the newer commit 111111111111",
            ),
            (Latest, Some(there(1)), &never, Relation::Behind, "moves from 111111111111"),
            (
                Latest,
                Some(there(0)),
                &never,
                Relation::Same,
                "moves from an image that does not say its commit",
            ),
            (
                Branch,
                Some(there(0)),
                &usual,
                Relation::Same,
                "moves, though the image that has it does not say its commit",
            ),
            (Version, None, &usual, Relation::Same, "new"),
            (
                Version,
                Some(there(1)),
                &skip,
                Relation::Same,
                "would be held back: the version exists for commit 111111111111",
            ),
            (Version, Some(there(1)), &overwrite, Relation::Same, "moves from 111111111111"),
        ] {
            assert_eq!(said(source, current, rules, relation), expected, "{source:?}");
        }
        let taken = said(Version, Some(there(1)), &usual, Relation::Same);
        assert!(
            taken.starts_with("the run would fail: the version's tag `v1.0.0` exists already, on"),
            "{taken}"
        );
        let kept = said(Version, Some(there(2)), &usual, Relation::Same);
        assert!(kept.starts_with("exists for this commit: sha256:"), "{kept}");
    }

    #[test]
    fn whether_an_image_would_do() {
        let tags = ["a-main", "a-dev"].map(|text| Tag::parse(text).unwrap()).to_vec();
        let candidates =
            |hindrance: Option<&str>| Candidates { tags: tags.clone(), hindrance: hindrance.map(Into::into) };
        let known = |promotion| Some(Outlook::Known { tags: Vec::new(), promotion: Some(promotion) });
        let none = || known(Err(NoCandidate("there is no `a-main`".into())));
        let promoting = |hindrance, required| Promotion { from: candidates(hindrance), required };
        let (look, only) = (promoting(None, false), promoting(None, true));
        for (plan, outlook, expected) in [
            (
                &look,
                None,
                "`a-main` or `a-dev` if it was made of this commit and the same inputs: then nothing is built",
            ),
            (
                &only,
                None,
                "`a-main` or `a-dev` if it was made of this commit and the same inputs; otherwise the run fails",
            ),
            (&promoting(Some("`no_cache` is set"), false), None, "no: `no_cache` is set"),
            (&promoting(Some("why"), true), None, "no, so that the run fails: why"),
            (&look, none(), "none (there is no `a-main`): the image would be built"),
            (&only, none(), "none (there is no `a-main`): the run would fail"),
        ] {
            assert_eq!(promotion(Some(plan), outlook.as_ref()).as_deref(), Some(expected));
        }
        let found = known(Ok((tags[0].clone(), Digest::of(b""))));
        let text = promotion(Some(&look), found.as_ref()).unwrap();
        assert!(text.ends_with(") would be tagged, nothing is built"), "{text}");
        assert_eq!(promotion(None, None), None);
    }
}
