//! The default tag strategy: which tags an image gets, and why.
//!
//! Two rules rule the rest. A tag names what was *built*: when the checkout is not what the event is about, only
//! the commit's own tag is written; with `metadata_context: git` it is what the run is about. And a tag belongs to one thing: what could be taken for somebody else's name
//! (`latest`, a version, `pr-N`) is left to its owner. Nothing here knows what a registry holds.

use super::head::{Told, checked_out, doubt};
use super::remote::ContextCommit;
use super::ruled::{Around, ruled};
use super::rules::{DefaultTags, Evaluated};
use super::sourced::Sourced;
use super::trigger::{Trigger, branch_to_look_up, trigger, triggering_commit};
use super::{
    Ancestry, CheckedOut, CheckoutFacts, CommitTags, DescribeError, GivenImage, Metadata, NoHead, PlannedTag,
    Policy, Subject, TagSource, date, quoted, semver_of, slug,
};
use crate::inputs::config::{Config, MetadataContext, MetadataEnv, Push, VersionInput};
use crate::model::{CommitId, ContextSource, Tag, sort_by_key, text};
use crate::rules::{Fault, TagRules};
use crate::runner::context::{Event, RunnerContext};

/// The inputs that tags depend on.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// `version`.
    pub version: Option<&'a VersionInput>,
    /// `sha_length`, characters of the commit id in a commit tag.
    pub sha_length: usize,
    /// `latest_branch`, the branch that owns `latest`.
    pub latest_branch: &'a str,
    /// `push`.
    pub push: Push,
    /// `context`, where the sources are.
    pub context: &'a ContextSource,
    /// `tags` and `flavor`, which take the place of the default strategy.
    pub tags: Option<&'a TagRules>,
    /// What variables ask of rules.
    pub env: MetadataEnv,
    /// The time of the run, in Unix milliseconds: what `{{date}}` says.
    pub now: i64,
    /// `metadata_context`.
    pub speaks_of: MetadataContext,
    /// The image that `from` names, which is tagged instead of one that is built.
    pub given: Option<&'a GivenImage>,
}

impl<'a> From<&'a Config> for Rules<'a> {
    fn from(config: &'a Config) -> Self {
        Self {
            version: config.version.as_ref(),
            sha_length: config.sha_length,
            latest_branch: &config.latest_branch,
            push: config.push,
            context: &config.context,
            tags: config.tags.as_ref(),
            env: config.metadata_env,
            now: 0,
            speaks_of: config.metadata_context,
            given: None,
        }
    }
}

/// What GitHub was asked, as neither the event nor the checkout says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubFacts {
    /// The head of `pull_request_to_look_up`, if that was told.
    pub pull_request_head: Option<CommitId>,
    /// Whether `branch_to_look_up` has the commit that the run is about, or why nobody knows.
    pub on_branch: Result<bool, String>,
    /// Whether this repository has what `head_to_confirm` says, or why nobody knows.
    pub checked_out: Result<bool, String>,
    /// What the ref of `ref_to_look_up` is, or why nobody knows; none if there is no such ref.
    pub context: Option<Result<ContextCommit, String>>,
}

impl Default for GithubFacts {
    fn default() -> Self {
        let nobody_asked = || Err("GitHub was not asked".into());
        Self {
            pull_request_head: None,
            on_branch: nobody_asked(),
            checked_out: nobody_asked(),
            context: None,
        }
    }
}

/// What comes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is to be built, and the run succeeds; says why.
    NothingToDo(String),
    /// An image.
    Build(Box<Metadata>),
}

/// No tags can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// The name of the ref has nothing that a tag may hold.
    #[error(
        "the name of {what} {name} leaves nothing for a tag: it needs a letter of a-z, a digit or `_` (in the first 63 characters)"
    )]
    EmptySlug {
        /// `branch`, `Git tag` or `ref`.
        what: &'static str,
        /// The name, in backticks.
        name: String,
    },
    /// A text is too long for a tag.
    #[error(
        "{what} makes the tag `{text}`, {length} characters long; registries take {}: shorten it",
        Tag::MAX
    )]
    TooLong {
        /// Where it is from.
        what: &'static str,
        /// The tag that would be, or enough of it.
        text: String,
        /// Its length.
        length: usize,
    },
    /// `version: auto` without an answer.
    #[error("`version: auto` needs a description of the commit: {0}")]
    Describe(DescribeError),
    /// Rules whose outcome cannot be what it should be: all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Rules(Vec<Fault>),
    /// The event does not carry the head and nobody could tell it.
    #[error(
        "`push: true` on pull request #{0}, but its head commit is unknown: the event does not carry it and the API did not tell; give `token` the permission `pull-requests: read`"
    )]
    HeadUnknown(u64),
    /// `metadata_context: git`, and nobody knows what is checked out.
    #[error("`metadata_context: git` takes tags and labels from what is checked out, but {0}")]
    NoHead(NoHead),
}

impl StrategyError {
    /// What to change, where the error itself does not say it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoHead(why) => Some(why.hint()),
            _ => None,
        }
    }
}

/// Works out tags, version and revision.
pub fn derive(
    context: &RunnerContext,
    checkout: &CheckoutFacts,
    rules: Rules<'_>,
    github: &GithubFacts,
) -> Result<Outcome, StrategyError> {
    let (mut subject, mut occasion, known_head, push_default) = match trigger(context) {
        Trigger::Nothing(why) => return Ok(Outcome::NothingToDo(why)),
        Trigger::Build { subject, occasion, pull_request_head, push } => {
            (subject, occasion, pull_request_head, push)
        }
    };
    let mut head = known_head.or_else(|| github.pull_request_head.clone());
    let made =
        Sourced::of(context, checkout, (rules.context, rules.given), github.context.as_ref(), head.as_ref());
    let Sourced { checkout, built, own, as_checked_out, origin, no_commit, warnings } = made;
    let found = github.context.as_ref().and_then(|found| found.as_ref().ok());
    let expected = triggering_commit(context).clone();
    let revision = built.clone().or(checkout.head.clone()).unwrap_or_else(|| expected.clone());
    // What was thrown away was so for the event's own commit.
    let mut forced = context.forced && (rules.given.is_none() || own && revision == expected);
    let by_default = rules.tags.is_none_or(TagRules::has_default);
    let mut run =
        Strategy { context, checkout: &checkout, rules, revision, expected, own, tags: Vec::new(), warnings };
    // Of a rule that would name it, the plan says so.
    let said = no_commit.iter().filter(|_| by_default).map(|why| format!("there is no commit tag: {why}"));
    run.warnings.extend(said);
    let told = Told { context, subject: &subject, pull_request_head: head.as_ref() };
    let out = run.checked_out(told, &github.checked_out)?;
    // What is checked out speaks for itself.
    let can_name_head = rules.env.pr_head_sha && out.is_none();
    if let Some(out) = out {
        let about = out.subject(told);
        if about != subject {
            occasion = format!("{occasion}; checked out is {}", out.name());
        }
        forced &= out.git_ref == context.git_ref && out.commit == context.sha;
        (subject, head) = (about, Some(out.commit));
        run.expected = run.revision.clone();
    } else if let Some(name) = branch_to_look_up(context)
        && let Err(why) = run.on_its_branch(&name, &github.on_branch)
    {
        run.warnings.push(format!("only the commit tag is written: {why}"));
        subject = Subject::Ref(name);
    }
    let (version, created) = (run.version(&subject)?, run.created(found));
    if by_default {
        run.default_tags(&subject, head.as_ref())?;
        sort_by_key(&mut run.tags, |tag| tag.policy.stage);
    }
    let named = run.named(&subject, head.as_ref());
    // A pull request's number is right, whatever of it is checked out.
    let limited = matches!(subject, Subject::Branch(_) | Subject::GitTag(_));
    let withheld = run.drift(matches!(subject, Subject::Branch(_))).filter(|_| limited);
    // What is built is a pull request's merge; rules can be asked to name its head.
    let names_head = can_name_head && matches!(subject, Subject::PullRequest(_));
    let ruled_commit = if names_head { named.clone() } else { own.then(|| run.revision.clone()) };
    let around = Around {
        context,
        subject: &subject,
        commit: ruled_commit.as_ref(),
        no_commit: no_commit
            .as_deref()
            .unwrap_or("what is built is not a commit of this repository that is known"),
        named: named.as_ref(),
        short_sha: rules.env.short_sha_length,
        withheld: withheld.as_deref(),
        now: rules.now,
        committed: created,
    };
    let (mut version, mut no_tag) = (version, Vec::new());
    if let Some(rules) = rules.tags {
        let evaluated = run.by_rules(rules, &around, version.as_deref())?;
        (run.tags, no_tag) = (evaluated.tags, evaluated.nothing);
        version = evaluated.version.or(version);
        run.warnings.extend(evaluated.warnings);
    }
    let Strategy { revision, tags, warnings, .. } = run;
    let values = around.values(version.as_deref(), built.as_ref());
    Ok(Outcome::Build(Box::new(Metadata {
        subject,
        occasion,
        tags,
        version,
        revision,
        built,
        as_checked_out,
        origin,
        created,
        named,
        forced,
        push_default,
        values,
        no_tag,
        warnings,
    })))
}

struct Strategy<'a> {
    context: &'a RunnerContext,
    checkout: &'a CheckoutFacts,
    rules: Rules<'a>,
    revision: CommitId,
    /// The commit that the run is about.
    expected: CommitId,
    /// Whether the first is a commit of this repository, and what is built.
    own: bool,
    tags: Vec<PlannedTag>,
    warnings: Vec<String>,
}

impl Strategy<'_> {
    /// The commit that decides which image is newer.
    fn named(&self, subject: &Subject, head: Option<&CommitId>) -> Option<CommitId> {
        match subject {
            _ if !self.own => None,
            Subject::PullRequest(_) => {
                let head = head?;
                Some(if self.checkout.holds(head) { head } else { &self.revision }.clone())
            }
            _ => Some(self.revision.clone()),
        }
    }

    /// The tags of the default strategy.
    fn default_tags(&mut self, subject: &Subject, head: Option<&CommitId>) -> Result<(), StrategyError> {
        match subject {
            Subject::Branch(name) => self.on_ref("branch", name, Some(TagSource::Branch)),
            Subject::GitTag(name) => self.on_ref("Git tag", name, Some(TagSource::GitTag)),
            Subject::Ref(name) => self.on_ref("ref", name, None),
            Subject::PullRequest(Some(number)) => self.on_pull_request(*number, head),
            Subject::PullRequest(None) => {
                self.warnings.push(
                    "the event names no pull request (GitHub leaves it out for forks): there is no tag to publish"
                        .into(),
                );
                Ok(())
            }
            Subject::Queue if !self.own => Ok(()),
            Subject::Queue => {
                let sha = self.revision.cut(self.rules.sha_length);
                self.add(
                    format!("{sha}-queue"),
                    (TagSource::Queue, Policy::COMMIT),
                    "this commit in the merge queue".into(),
                    "the commit",
                )
            }
        }
    }

    /// The tags that rules make in the place of the default strategy's, or with them.
    fn by_rules(
        &mut self,
        rules: &TagRules,
        around: &Around<'_>,
        version: Option<&str>,
    ) -> Result<Evaluated, StrategyError> {
        let default = DefaultTags { tags: &self.tags, version };
        let evaluated = ruled(rules, around, default).map_err(StrategyError::Rules)?;
        // The default strategy has said so already.
        if let Some(drift) = around.withheld.filter(|_| !rules.has_default()) {
            self.warnings.push(format!("no tag is called after the ref of this run: {drift}"));
        }
        Ok(evaluated)
    }

    /// What is checked out, if the run is to be about that; none where the event says it.
    fn checked_out(
        &mut self,
        told: Told<'_>,
        confirmed: &Result<bool, String>,
    ) -> Result<Option<CheckedOut>, StrategyError> {
        match (self.rules.speaks_of, self.rules.context) {
            (MetadataContext::Workflow, _) => return Ok(None),
            (MetadataContext::Git, ContextSource::Remote(_)) => {
                self.warnings.push(
                    "`metadata_context: git` has no effect: `context` is fetched, and nothing that is checked out is built"
                        .into(),
                );
                return Ok(None);
            }
            (MetadataContext::Git, ContextSource::Directory(_)) => {}
        }
        let found = checked_out(self.checkout, told, self.rules.latest_branch);
        let Some(out) = found.map_err(StrategyError::NoHead)? else { return Ok(None) };
        if !doubt(told, self.checkout, &out) {
            return Ok(Some(out));
        }
        let (name, commit) = (out.name(), &out.commit);
        let why = match confirmed {
            Ok(true) => return Ok(Some(out)),
            Ok(false) => format!("this repository does not have commit {commit} there"),
            Err(why) => {
                format!("whether this repository has commit {commit} there is not known: {}", text::line(why))
            }
        };
        self.warnings.push(format!(
            "{name}, which is checked out, names no tag, the event does: this run may build a stranger's code, and {why}"
        ));
        Ok(None)
    }

    /// Whether the run is about this branch; else why that is not so, or not known.
    fn on_its_branch(&self, name: &str, on_branch: &Result<bool, String>) -> Result<(), String> {
        let (commit, name) = (&self.expected, quoted(name));
        match on_branch {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!(
                "commit {commit} is not on a branch {name}: the run before this one was on a Git tag of that name, or the branch has changed since"
            )),
            Err(why) => Err(format!(
                "whether {name} is a branch that has commit {commit}, or a Git tag, is not known: {}",
                text::line(why)
            )),
        }
    }

    /// What the label and the output `version` say, whether or not it becomes a tag.
    fn version(&self, subject: &Subject) -> Result<Option<String>, StrategyError> {
        let of_tag = |name: &str| semver_of(name).map_or_else(|| name.to_owned(), |v| v.to_string());
        Ok(match (self.rules.version, subject) {
            (Some(VersionInput::Semver(version)), _) => Some(version.to_string()),
            (Some(VersionInput::Auto), Subject::GitTag(name)) => Some(text::value(&of_tag(name))),
            (Some(VersionInput::Auto), _) => {
                let said = self.checkout.describe.clone().map_err(StrategyError::Describe)?;
                let said = if self.checkout.tagged { of_tag(&said) } else { said };
                Some(text::value(&said))
            }
            (None, Subject::GitTag(name)) => semver_of(name).map(|v| v.to_string()),
            (None, _) => None,
        })
    }

    /// The commit's own time: the checkout's, else what GitHub said, else the event's. Never now.
    fn created(&mut self, found: Option<&ContextCommit>) -> Option<i64> {
        let revision = &self.revision;
        let told = found.filter(|found| found.commit == *revision).and_then(|found| found.time);
        let checked_out = self.checkout.head_time.filter(|_| self.checkout.head.as_ref() == Some(revision));
        let payload = self.context.commit_times.iter().find(|(commit, _)| commit == revision);
        let seconds = checked_out.or(told).or(payload.map(|(_, seconds)| *seconds))?;
        let sensible = date::sensible(seconds);
        if sensible.is_none() {
            self.warnings.push(format!(
                "commit {revision} says it was made {seconds} seconds after 1970: its time is left out"
            ));
        }
        sensible
    }

    fn on_ref(
        &mut self,
        what: &'static str,
        name: &str,
        moving: Option<TagSource>,
    ) -> Result<(), StrategyError> {
        let slug = slug(name).ok_or_else(|| StrategyError::EmptySlug { what, name: quoted(name) })?;
        let reason = format!("this commit on {what} {}", quoted(name));
        if self.own {
            self.add_commit(&self.revision.clone(), format!("-{slug}"), reason, what)?;
        }
        let Some(source) = moving else { return Ok(()) };
        if let Some(drift) = self.drift(source == TagSource::Branch) {
            // A version that is given speaks for itself.
            self.given_version()?;
            let left = match self.tags.as_slice() {
                [] => "no tag is written".to_owned(),
                [only] if only.source == TagSource::Commit => "only the commit tag is written".to_owned(),
                _ => format!("nothing is called after {what} {}", quoted(name)),
            };
            self.warnings.push(format!("{left}: {drift}"));
            return Ok(());
        }
        if let Some(owner) = self.owner_of(&slug, source) {
            self.warnings.push(format!(
                "only the commit tag is written: {what} {} would take the tag `{slug}`, which belongs to {owner}",
                quoted(name)
            ));
            return Ok(());
        }
        self.version_tags(name, &slug, source)?;
        let version = source == TagSource::GitTag && semver_of(&slug).is_some();
        let policy = if version { Policy::VERSION } else { Policy::MOVING };
        self.add(slug, (source, policy), format!("{what} {}", quoted(name)), what)?;
        if source == TagSource::Branch && name == self.rules.latest_branch {
            let reason = format!("branch {} is `latest_branch`", quoted(name));
            self.add("latest", (TagSource::Latest, Policy::LATEST), reason, what)?;
        }
        Ok(())
    }

    /// The tags of a version: the input's, the Git tag's own spelling, or what Git describes.
    fn version_tags(&mut self, name: &str, slug: &str, source: TagSource) -> Result<(), StrategyError> {
        let of_tag = semver_of(name).filter(|_| source == TagSource::GitTag);
        match self.rules.version {
            Some(VersionInput::Semver(version)) => {
                if of_tag.as_ref().is_some_and(|of_tag| of_tag != version) {
                    self.warnings
                        .push(format!("`version` is {version}, but the Git tag is {}", quoted(name)));
                }
                self.given_version()?;
            }
            Some(VersionInput::Auto) if source != TagSource::GitTag => self.described(slug)?,
            Some(VersionInput::Auto) | None => {}
        }
        if of_tag.is_some() {
            let reason = format!("Git tag {} is a version", quoted(name));
            self.add(name.replace('+', "-"), (TagSource::GitTag, Policy::VERSION), reason, "the Git tag")?;
        }
        Ok(())
    }

    /// The tag of the version that the input gives, if it gives one.
    fn given_version(&mut self) -> Result<(), StrategyError> {
        let Some(VersionInput::Semver(version)) = self.rules.version else { return Ok(()) };
        let reason = format!("`version` is {version}");
        let tag = format!("v{version}").replace('+', "-");
        self.add(tag, (TagSource::Version, Policy::VERSION), reason, "`version`")
    }

    /// What `git describe` says becomes a tag as it is, but for what no tag may hold. `branch`: the tag of the branch that
    /// the run is on, whose place it never takes.
    fn described(&mut self, branch: &str) -> Result<(), StrategyError> {
        const WHAT: &str = "Git's description";
        let said = self.checkout.describe.clone().map_err(StrategyError::Describe)?;
        let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let text: String = said.chars().map(|c| if kept(c) { c } else { '-' }).collect();
        let text = text.trim_start_matches(['.', '-']);
        if text == branch {
            return Ok(());
        }
        let taken = text.eq_ignore_ascii_case("latest")
            || is_pull_request_name(text)
            || slug(self.rules.latest_branch).as_deref() == Some(text);
        if text.is_empty() || taken {
            self.warnings.push(format!("Git describes the commit as {}: that becomes no tag", quoted(&said)));
            return Ok(());
        }
        let reason = format!("`version: auto`: Git describes the commit as {}", quoted(&said));
        // The commit of a release: its tag is the release's, whose bytes stay.
        let release = self.checkout.tagged && semver_of(&said).is_some();
        let policy = if release { Policy::VERSION } else { Policy::DESCRIPTION };
        self.add(text, (TagSource::Describe, policy), reason, WHAT)
    }

    fn on_pull_request(&mut self, number: u64, head: Option<&CommitId>) -> Result<(), StrategyError> {
        match head {
            _ if !self.own => {}
            Some(head) => {
                let holds = self.checkout.holds(head);
                if holds {
                    let reason = format!("head commit of pull request #{number}");
                    self.add_commit(head, format!("-pr-{number}"), reason, "the commit")?;
                }
                if let Some(given) = self.rules.given.filter(|_| !holds) {
                    self.warnings.push(format!(
                        "there is no commit tag: the image is of commit {}, which is neither the head {head} of pull request #{number} nor made of it",
                        given.commit.as_ref().unwrap_or(&self.revision)
                    ));
                    return self.pull_request_tag(number);
                }
                // Checking out what the event points at is right for `pull_request` only.
                let on_pull = self.context.git_ref == crate::model::GitRef::Pull(number);
                let tip = self.checkout.head.as_ref() == Some(&self.context.sha);
                if !on_pull && tip && self.context.sha != *head {
                    self.warnings.push(format!(
                        "the checkout is commit {} of the default branch, not pull request #{number} ({head}): the image would hold nothing of it",
                        self.revision
                    ));
                } else if !holds {
                    self.warnings.push(format!(
                        "there is no commit tag: commit {} is checked out, which is neither the head {head} of pull request #{number} nor made of it (somebody pushed meanwhile, or the checkout is of something else)",
                        self.revision
                    ));
                }
            }
            None if self.rules.push == Push::Yes => return Err(StrategyError::HeadUnknown(number)),
            None => self.warnings.push(format!(
                "the head commit of pull request #{number} is unknown: there is no commit tag"
            )),
        }
        self.pull_request_tag(number)
    }

    fn pull_request_tag(&mut self, number: u64) -> Result<(), StrategyError> {
        self.add(
            format!("pr-{number}"),
            (TagSource::PullRequest, Policy::MOVING),
            format!("pull request #{number}"),
            "the number",
        )
    }

    /// Why what is built, or tagged, is not what the event is about, if it is not. `on_branch`: that is a branch.
    fn drift(&self, on_branch: bool) -> Option<String> {
        let expected = &self.expected;
        if let Some(given) = self.rules.given {
            return given.drift(expected, on_branch);
        }
        let head = self.checkout.head.as_ref().filter(|head| *head != expected)?;
        let advice = match self.context.event {
            Event::WorkflowRun { .. } => {
                "; to build that one, give actions/checkout `ref: ${{ github.event.workflow_run.head_sha }}`"
            }
            _ => "",
        };
        let unknown = |why: &str| {
            Some(format!(
                "HEAD is {head}, and whether it descends from {expected}, which this run is about, cannot be known: {why}{advice}"
            ))
        };
        match &self.checkout.ancestry {
            _ if self.checkout.compared_with != *expected => unknown("they were not compared"),
            Ancestry::Same | Ancestry::Ancestor => None,
            Ancestry::NotAncestor => Some(format!(
                "HEAD is {head}, which does not descend from {expected}, which this run is about{advice}"
            )),
            Ancestry::Unknown(why) => unknown(why),
        }
    }

    /// Whose tag a slug is, if not its ref's.
    fn owner_of(&self, slug: &str, source: TagSource) -> Option<&'static str> {
        if slug == "latest" {
            return Some("`latest_branch`");
        }
        let version = semver_of(slug).is_some();
        if source == TagSource::GitTag {
            let owned = !version && super::slug(self.rules.latest_branch).as_deref() == Some(slug);
            return owned.then_some("the branch of that name, which is `latest_branch`");
        }
        if is_pull_request_name(slug) {
            return Some("a pull request");
        }
        version.then_some("a version")
    }

    /// Adds a tag; one that is there already keeps its first reason.
    fn add(
        &mut self,
        text: impl AsRef<str>,
        (source, policy): (TagSource, Policy),
        reason: String,
        what: &'static str,
    ) -> Result<(), StrategyError> {
        let text = text.as_ref();
        let Ok(tag) = Tag::parse(text) else {
            return Err(StrategyError::TooLong { what, length: text.len(), text: text::name(text) });
        };
        if self.tags.iter().all(|there| there.tag != tag) {
            self.tags.push(PlannedTag::new(tag, (source, policy), reason));
        }
        Ok(())
    }

    /// Adds the commit's own tag, which is the first of all.
    fn add_commit(
        &mut self,
        commit: &CommitId,
        suffix: String,
        reason: String,
        what: &'static str,
    ) -> Result<(), StrategyError> {
        let scheme = CommitTags { prefix: String::new(), length: self.rules.sha_length, suffix };
        let text = format!("{}{}", commit.cut(scheme.length), scheme.suffix);
        self.add(text, (TagSource::Commit, Policy::COMMIT), reason, what)?;
        if let Some(own) = self.tags.last_mut() {
            own.commit_tags = Some(scheme);
        }
        Ok(())
    }
}

fn is_pull_request_name(slug: &str) -> bool {
    slug.strip_prefix("pr-").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
