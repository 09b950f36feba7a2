//! A tag of the plan: what it is there for, and how it is published.
//!
//! The two are told apart. Its *source* is what people read in a plan; its *policy* is all that the order of publishing
//! goes by. A tag of another source needs no change there: it has a policy like any other.

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::model::{CommitId, Repository, Tag};
use crate::rules::RuleVersion;

/// A tag, why it is there, and how it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTag {
    /// The tag.
    pub tag: Tag,
    /// What it is there for.
    pub source: TagSource,
    /// When it is published, and whether it may move.
    pub policy: Policy,
    /// Why it is published, for people. Free of control characters, otherwise as hostile as a branch name.
    pub reason: String,
    /// The only repository that it is put in; `None`: every one.
    pub repository: Option<Repository>,
    /// The version that the tag stands for. Where the policy is [`Moves::Upwards`], it is compared with the version of the
    /// image that has the tag.
    pub version: Option<RuleVersion>,
    /// What the same is called for other commits, where it is called after one: by these, images of newer commits are found.
    pub commit_tags: Option<CommitTags>,
}

/// How tags are called after commits: a part of the commit's id, and what is around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitTags {
    /// Before the id: `sha-`.
    pub prefix: String,
    /// Characters of the id.
    pub length: usize,
    /// After the id: `-main`.
    pub suffix: String,
}

impl CommitTags {
    /// The tag of this commit.
    pub fn of(&self, commit: &CommitId) -> Option<Tag> {
        Tag::parse(&format!("{}{}{}", self.prefix, commit.cut(self.length), self.suffix)).ok()
    }

    /// How a tag is called that has the whole id of this commit in it.
    pub fn around(tag: &Tag, commit: &CommitId) -> Option<Self> {
        let (prefix, suffix) = tag.as_str().split_once(commit.as_str())?;
        Some(Self { prefix: prefix.to_owned(), length: commit.as_str().len(), suffix: suffix.to_owned() })
    }
}

/// What a tag is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TagSource {
    /// The commit that is built, `{sha}-{branch}` or `{sha}-pr-N`.
    Commit,
    /// The commit that is built, in a merge queue: `{sha}-queue`.
    Queue,
    /// The input `version`.
    Version,
    /// The Git tag that the run is on.
    GitTag,
    /// What `git describe` says of the commit.
    Describe,
    /// The branch that the run is on.
    Branch,
    /// The pull request that the run is about.
    PullRequest,
    /// The run is on the branch that owns `latest`, or makes a release.
    Latest,
    /// The rule in this line of `tags`.
    Rule(usize),
    /// The whole reference in this line of `tags`.
    Reference(usize),
}

/// When a tag is published, and whether it may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Among the other tags of the run.
    pub stage: Stage,
    /// Where it is on another image already.
    pub moves: Moves,
}

/// Tags of one stage may be published at the same time; each stage waits for those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// What names one commit or one version: the evidence that later stages, of any run, go by.
    First,
    /// What moves with a branch, a Git tag or a pull request.
    Second,
    /// What people get who ask for nothing.
    Last,
}

/// Whether a tag that is on another image may move to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moves {
    /// Not by itself: the image of the same commit stays and is the run's result; of another commit's, the input
    /// `existing_version` decides.
    Fixed,
    /// Not at all: it is put where nothing has its name, or an image of the same commit.
    IfFree,
    /// To a newer commit, never back.
    ByCommit,
    /// To a later version, never back: the version of the image that has it is compared with that of the tag.
    Upwards,
    /// Always, without being read.
    Free,
}

impl Policy {
    /// A commit's own tag.
    pub const COMMIT: Self = Self { stage: Stage::First, moves: Moves::Free };
    /// A version.
    pub const VERSION: Self = Self { stage: Stage::First, moves: Moves::Fixed };
    /// What Git says of a commit, where that is no version.
    pub const DESCRIPTION: Self = Self { stage: Stage::First, moves: Moves::IfFree };
    /// A branch, a Git tag that is no version, or a pull request.
    pub const MOVING: Self = Self { stage: Stage::Second, moves: Moves::ByCommit };
    /// Part of a version, `1` or `1.2`: it goes with the latest of the versions that it stands for.
    pub const UPWARDS: Self = Self { stage: Stage::Second, moves: Moves::Upwards };
    /// `latest`.
    pub const LATEST: Self = Self { stage: Stage::Last, moves: Moves::ByCommit };

    /// Whether the tag never moves by itself.
    pub fn is_fixed(self) -> bool {
        self.moves == Moves::Fixed
    }
}

impl PlannedTag {
    /// A tag for every repository, that stands for no version and is called after no commit.
    pub fn new(tag: Tag, (source, policy): (TagSource, Policy), reason: impl Into<String>) -> Self {
        let (repository, version, commit_tags) = (None, None, None);
        Self { tag, source, policy, reason: reason.into(), repository, version, commit_tags }
    }

    /// Whether it is put in this repository.
    pub fn is_for(&self, repository: &Repository) -> bool {
        self.repository.as_ref().is_none_or(|only| only == repository)
    }

    /// The word of the plan's JSON: `version` for whatever is one, else the source.
    fn kind(&self) -> &'static str {
        if self.policy.is_fixed() { TagSource::Version.word() } else { self.source.word() }
    }
}

impl TagSource {
    /// The word for it in the plan's JSON.
    fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Queue => "queue",
            Self::Version => "version",
            Self::GitTag => "git_tag",
            Self::Describe => "describe",
            Self::Branch => "branch",
            Self::PullRequest => "pull_request",
            Self::Latest => "latest",
            Self::Rule(_) => "rule",
            Self::Reference(_) => "reference",
        }
    }

    /// The line of `tags` that it is from, if it is.
    pub fn line(self) -> Option<usize> {
        match self {
            Self::Rule(line) | Self::Reference(line) => Some(line),
            _ => None,
        }
    }
}

/// As the output `plan` has it. Fields are added, never renamed.
impl Serialize for PlannedTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = self.source.line();
        let more = usize::from(line.is_some()) + usize::from(self.repository.is_some());
        let mut fields = serializer.serialize_struct("PlannedTag", 3 + more)?;
        fields.serialize_field("tag", &self.tag)?;
        fields.serialize_field("kind", self.kind())?;
        fields.serialize_field("reason", &self.reason)?;
        if let Some(line) = line {
            fields.serialize_field("line", &line)?;
        }
        if let Some(repository) = &self.repository {
            fields.serialize_field("repository", repository)?;
        }
        fields.end()
    }
}

/// The tag that says most about the image: a version, else the commit's.
pub fn most_specific(tags: &[PlannedTag]) -> Option<&PlannedTag> {
    tags.iter().find(|tag| tag.policy.is_fixed()).or_else(|| tags.first())
}

/// The tag that people follow: the first one that moves with a branch or a version, else the one that says most.
pub fn followed(tags: &[PlannedTag]) -> Option<&PlannedTag> {
    tags.iter().find(|tag| tag.policy.stage == Stage::Second).or_else(|| most_specific(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plans_json_has_the_kind_that_it_always_had() {
        for (source, policy, kind) in [
            (TagSource::Commit, Policy::COMMIT, "commit"),
            (TagSource::Queue, Policy::COMMIT, "queue"),
            (TagSource::Version, Policy::VERSION, "version"),
            (TagSource::GitTag, Policy::VERSION, "version"),
            (TagSource::GitTag, Policy::MOVING, "git_tag"),
            (TagSource::Describe, Policy::DESCRIPTION, "describe"),
            (TagSource::Describe, Policy::VERSION, "version"),
            (TagSource::PullRequest, Policy::MOVING, "pull_request"),
            (TagSource::Latest, Policy::LATEST, "latest"),
        ] {
            let tag = PlannedTag::new(Tag::parse("x").unwrap(), (source, policy), "y");
            let expected = serde_json::json!({"tag": "x", "kind": kind, "reason": "y"});
            assert_eq!(serde_json::to_value(&tag).unwrap(), expected);
        }
    }

    #[test]
    fn the_plans_json_names_the_line_of_a_rule() {
        for (source, policy, kind) in [
            (TagSource::Rule(3), Policy::MOVING, "rule"),
            (TagSource::Rule(3), Policy::VERSION, "version"),
            (TagSource::Reference(3), Policy::MOVING, "reference"),
        ] {
            let mut tag = PlannedTag::new(Tag::parse("x").unwrap(), (source, policy), "y");
            let mut expected = serde_json::json!({"tag": "x", "kind": kind, "reason": "y", "line": 3});
            assert_eq!(serde_json::to_value(&tag).unwrap(), expected);
            tag.repository = Some(Repository::parse("r.io/a").unwrap());
            expected["repository"] = "r.io/a".into();
            assert_eq!(serde_json::to_value(&tag).unwrap(), expected);
        }
    }

    #[test]
    fn tags_called_after_commits() {
        let [one, two] = ["1", "2"].map(|digit| CommitId::parse(&digit.repeat(40)).unwrap());
        let scheme = CommitTags { prefix: "sha-".into(), length: 7, suffix: "-x".into() };
        assert_eq!(scheme.of(&two).unwrap().as_str(), "sha-2222222-x");
        let tag = Tag::parse(&format!("v-{one}-y")).unwrap();
        let around = CommitTags::around(&tag, &one).unwrap();
        assert_eq!((around.prefix.as_str(), around.length, around.suffix.as_str()), ("v-", 40, "-y"));
        assert_eq!(around.of(&one), Some(tag.clone()));
        assert_eq!(CommitTags::around(&tag, &two), None);
        assert_eq!(CommitTags { suffix: "x".repeat(120), ..scheme }.of(&one), None, "too long for a tag");
    }
}
