//! What a text of rules means: each line as a value, with its line number.

use super::fault::{Fault, Notice, Place, shown};
use super::pattern::Pattern;
use super::template::Template;
use crate::model::Repository;

/// What `tags` and `flavor` say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRules {
    /// What is written in `tags`, line by line.
    pub entries: Vec<Entry>,
    /// What is written in `flavor`.
    pub flavor: Flavor,
    /// What changes nothing and is worth a sentence.
    pub notices: Vec<Notice>,
}

/// One line of `tags`; one of several references in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Tags for every repository.
    Rule(Rule),
    /// A tag of one repository.
    Reference(Reference),
}

/// A rule, `type=…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where it is.
    pub place: Place,
    /// The line as it is written, for people; shortened.
    pub text: String,
    /// Whether it counts.
    pub enable: Template,
    /// The rules of the highest priority come first.
    pub priority: Priority,
    /// Before the tag, in the place of the flavor's.
    pub prefix: Option<Template>,
    /// After the tag, in the place of the flavor's.
    pub suffix: Option<Template>,
    /// What tags it makes.
    pub kind: Kind,
}

/// A whole reference, `ghcr.io/acme/api:1.2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Where it is.
    pub place: Place,
    /// The text as it is written, for people; shortened.
    pub text: String,
    /// Whether it counts.
    pub enable: Template,
    /// The repository that it names.
    pub repository: Repository,
    /// The tag in it.
    pub tag: Template,
}

/// What tags a rule makes. `value` stands for the Git tag's name where it is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `default`: those of the default strategy.
    Default,
    /// `schedule`.
    Schedule {
        /// The tag.
        pattern: Template,
    },
    /// `semver` and `pep440`.
    Version {
        /// Which of them.
        scheme: Scheme,
        /// The tag, made of parts of the version.
        pattern: Template,
        /// What is read instead of the Git tag.
        value: Template,
        /// Takes the version out of a longer text.
        matching: Option<Pattern>,
    },
    /// `match`.
    Match {
        /// Takes the tag out of a longer text.
        pattern: Pattern,
        /// By this group.
        group: usize,
        /// What is read instead of the Git tag.
        value: Template,
    },
    /// `edge`.
    Edge {
        /// The branch; the default branch, if none is named.
        branch: Option<String>,
    },
    /// `ref`.
    Ref(RefEvent),
    /// `raw`, and a bare word.
    Raw {
        /// The tag.
        value: Template,
    },
    /// `sha`.
    Sha {
        /// The whole commit id.
        long: bool,
    },
}

/// How versions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Semantic versions.
    Semver,
    /// Versions of Python packages.
    Pep440,
}

/// What `type=ref` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefEvent {
    /// The branch.
    Branch,
    /// The Git tag.
    Tag,
    /// The pull request.
    PullRequest,
}

/// A rule's `priority`, in thousandths, so that it can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(pub(super) i64);

/// What `flavor` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flavor {
    /// `latest`.
    pub latest: Latest,
    /// Before each tag of a rule that has no prefix of its own.
    pub prefix: Template,
    /// Whether `latest` has the prefix as well.
    pub prefix_on_latest: bool,
    /// After each tag of a rule that has no suffix of its own.
    pub suffix: Template,
    /// Whether `latest` has the suffix as well.
    pub suffix_on_latest: bool,
}

/// Whether the tag `latest` is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latest {
    /// If the first rule that makes a tag is of a kind that wants it.
    Auto,
    /// If any rule makes a tag.
    Yes,
    /// Not by itself.
    No,
}

impl Default for Flavor {
    fn default() -> Self {
        let nothing = || Template::text("");
        Self {
            latest: Latest::Auto,
            prefix: nothing(),
            prefix_on_latest: false,
            suffix: nothing(),
            suffix_on_latest: false,
        }
    }
}

impl TagRules {
    /// Whether the tags of the default strategy are among what is asked for.
    pub fn has_default(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry, Entry::Rule(Rule { kind: Kind::Default, .. })))
    }

    /// Faults for references to repositories that are not among these; none, if there are none to be among.
    pub fn unlisted(&self, listed: &[&Repository]) -> Vec<Fault> {
        let foreign = self
            .references()
            .filter(|reference| !listed.is_empty() && !listed.contains(&&reference.repository));
        foreign
            .map(|reference| {
                let message = format!(
                    "{} is in a repository that this step does not push to",
                    shown(&reference.text)
                );
                let hint = "add it to `repository`, or leave `repository` and `image_name` out: then the references name the repositories";
                reference.place.fault(message).hint(hint)
            })
            .collect()
    }

    /// Disables the references to these repositories, as their own `enable=false` would.
    pub fn disable(&mut self, is_left_out: impl Fn(&Repository) -> bool) {
        for entry in &mut self.entries {
            if let Entry::Reference(reference) = entry
                && is_left_out(&reference.repository)
            {
                reference.enable = Template::text("false");
            }
        }
    }

    /// The repositories of the whole references that may count, each once, in their order.
    pub fn repositories(&self) -> Vec<&Repository> {
        let mut found: Vec<&Repository> = Vec::new();
        for reference in self.references().filter(|reference| reference.enable.literal() != Some("false")) {
            if !found.contains(&&reference.repository) {
                found.push(&reference.repository);
            }
        }
        found
    }

    /// The whole references, in their order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Reference(reference) => Some(reference),
            Entry::Rule(_) => None,
        })
    }
}
