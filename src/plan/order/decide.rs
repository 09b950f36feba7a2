//! Whether one tag may move: a pure decision, which says what it needs to know as long as it cannot be made.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::metadata::{Moves, PlannedTag};
use crate::model::stamp::RunNumber;
use crate::model::{CommitId, Digest, History, Relation, Stamped, slug, text};

use super::super::publish::Ours;

/// Characters of a commit that people are shown.
pub(super) const SHOWN: usize = 12;

/// What was found out so far.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// How the second commit stands to the first.
    relations: HashMap<(CommitId, CommitId), Relation>,
    /// The ref's newest commits, or why nobody can tell.
    history: Option<Result<History, String>>,
    /// Questions of yes or no; `None` where nobody can tell.
    facts: HashMap<Question, Option<bool>>,
}

/// What has to be found out about commits and refs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// How the second commit stands to the first.
    Relate(CommitId, CommitId),
    /// The ref's newest commits, as they are now.
    History,
    /// Whether this ref exists, by its whole name (`refs/heads/main`).
    Exists(String),
    /// Whether there is a branch with this slug.
    HasBranch(String),
    /// Whether GitHub has this commit: a workflow can make one that it pushes later.
    Pushed(CommitId),
}

/// The answer to a question.
#[derive(Clone, Debug)]
pub enum Answer {
    /// How the commits stand.
    Related(Relation),
    /// The ref's newest commits, or why nobody can tell.
    History(Result<History, String>),
    /// Yes or no; `None` where nobody can tell.
    Fact(Option<bool>),
}

/// What becomes of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is on our image already.
    There,
    /// It moves.
    Move,
    /// It moves, though nobody knows whether it should: why.
    MoveWithWarning(String),
    /// It stays: why.
    Keep(String),
    /// It stays, as this later run has built the same commit.
    Yield(RunNumber),
    /// That depends.
    Ask(Question),
}

impl Known {
    /// Takes an answer. One to another question counts as none: the same question must not come again.
    pub fn learn(&mut self, question: Question, answer: Answer) {
        match (question, answer) {
            (Question::Relate(old, new), Answer::Related(relation)) => {
                self.relations.insert((old, new), relation);
            }
            (Question::Relate(old, new), _) => {
                self.relations.insert((old, new), Relation::Unknown("nobody answered".into()));
            }
            (Question::History, Answer::History(history)) => self.history = Some(history),
            (Question::History, _) => self.history = Some(Err("nobody answered".into())),
            (question, Answer::Fact(fact)) => {
                self.facts.insert(question, fact);
            }
            (question, _) => {
                self.facts.insert(question, None);
            }
        }
    }

    /// How `new` stands to `old`.
    pub(super) fn relation(&self, old: &CommitId, new: &CommitId) -> Result<Relation, Question> {
        if old == new {
            return Ok(Relation::Same);
        }
        let known = self.relations.get(&(old.clone(), new.clone())).cloned();
        known.ok_or_else(|| Question::Relate(old.clone(), new.clone()))
    }

    /// Whether the ref's history has the commit; `None` if nobody can tell.
    pub(super) fn on_ref(&self, history: &History, commit: &CommitId) -> Result<Option<bool>, Question> {
        let Some(tip) = &history.tip else { return Ok(Some(false)) };
        if history.holds(commit) {
            return Ok(Some(true));
        }
        Ok(match self.relation(commit, tip)? {
            Relation::Same | Relation::Ahead => Some(true),
            Relation::Behind | Relation::Diverged | Relation::NotAhead => Some(false),
            Relation::Unknown(_) => None,
        })
    }

    /// The answer to a question of yes or no; `None` if nobody can tell.
    fn fact(&self, question: Question) -> Result<Option<bool>, Question> {
        self.facts.get(&question).copied().ok_or(question)
    }
}

/// Whether a moving tag, which is on `current` now, goes on our image `digest`.
pub fn decide(
    tag: &PlannedTag,
    current: Option<&Stamped>,
    ours: &Ours,
    digest: &Digest,
    known: &Known,
) -> Verdict {
    judge(tag, current, ours, digest, known).unwrap_or_else(Verdict::Ask)
}

fn judge(
    tag: &PlannedTag,
    current: Option<&Stamped>,
    ours: &Ours,
    digest: &Digest,
    known: &Known,
) -> Result<Verdict, Question> {
    let Some(current) = current else { return Ok(Verdict::Move) };
    if current.digest == *digest {
        return Ok(Verdict::There);
    }
    if tag.policy.moves == Moves::Upwards {
        return upwards(tag, current, ours, known);
    }
    if let Some(why) = of_another(tag, current, ours, known)? {
        return Ok(Verdict::Keep(why));
    }
    in_order(current, ours, known)
}

/// By the commits of the two images.
fn in_order(current: &Stamped, ours: &Ours, known: &Known) -> Result<Verdict, Question> {
    let Some(own) = &ours.stamp.commit else {
        return Ok(Verdict::MoveWithWarning("the commit of this run is not known".into()));
    };
    let Some(there) = &current.stamp.commit else {
        return Ok(Verdict::MoveWithWarning("the image that has it does not say its commit".into()));
    };
    if there == own {
        return Ok(match (current.stamp.run, ours.stamp.run) {
            (Some(theirs), Some(run)) if theirs > run => Verdict::Yield(theirs),
            _ => Verdict::Move,
        });
    }
    if let (Some(source), Some(ours)) = (&current.stamp.source, &ours.stamp.source)
        && !source.eq_ignore_ascii_case(ours)
    {
        let why = format!("the image that has it was built from {}", text::name(source));
        return Ok(Verdict::MoveWithWarning(why));
    }
    by_commit(there, own, ours, known)
}

/// A tag that goes with the latest of the versions that it stands for. Where the image that has it does not say a version that
/// could be compared, a newer commit keeps it; nothing else is known.
fn upwards(tag: &PlannedTag, current: &Stamped, ours: &Ours, known: &Known) -> Result<Verdict, Question> {
    let theirs = current.stamp.version.as_deref();
    let theirs = theirs.map(|label| version_in(label, tag, ours));
    match theirs.zip(tag.version.as_ref()).and_then(|(theirs, own)| own.compare(theirs)) {
        Some(Ordering::Greater) => Ok(Verdict::Move),
        Some(Ordering::Equal) => in_order(current, ours, known),
        Some(Ordering::Less) => {
            let theirs = text::name(theirs.unwrap_or_default());
            Ok(Verdict::Keep(format!("it is on version `{theirs}`, which is later")))
        }
        None => Ok(match in_order(current, ours, known)? {
            Verdict::Keep(_) if !is_behind(current, ours, known) => {
                Verdict::MoveWithWarning("the image that has it does not say its version".into())
            }
            verdict => verdict,
        }),
    }
}

/// The version within an image's label of it. The label is a whole tag, `alpine-1.2.9`: what is around the version in ours is
/// around theirs, too, where one workflow has made both.
fn version_in<'a>(label: &'a str, tag: &PlannedTag, ours: &Ours) -> &'a str {
    let around = || {
        let own = tag.version.as_ref()?.name();
        let (prefix, suffix) = ours.stamp.version.as_deref()?.split_once(own.as_str())?;
        label.strip_prefix(prefix)?.strip_suffix(suffix)
    };
    around().unwrap_or(label)
}

/// Whether the image that has a tag is of a commit that descends from ours.
fn is_behind(current: &Stamped, ours: &Ours, known: &Known) -> bool {
    let commits = current.stamp.commit.as_ref().zip(ours.stamp.commit.as_ref());
    commits.is_some_and(|(theirs, own)| known.relation(theirs, own) == Ok(Relation::Behind))
}

/// Why a tag that is called after our ref is another ref's of that slug, if it is.
fn of_another(
    tag: &PlannedTag,
    current: &Stamped,
    ours: &Ours,
    known: &Known,
) -> Result<Option<String>, Question> {
    let Some(own) = ours.stamp.reference.as_deref().filter(|own| is_named_after(tag, own)) else {
        return Ok(None);
    };
    let Some(theirs) = current.stamp.reference.as_deref() else {
        // Somebody else's tool has put it there, likely for the branch. A Git tag is put once; a branch goes on.
        if !own.starts_with(GIT_TAG) {
            return Ok(None);
        }
        let unsaid = "the image that has it does not say its ref";
        return Ok(match known.fact(Question::HasBranch(tag.tag.to_string()))? {
            Some(false) => None,
            Some(true) => Some(format!("{unsaid}, and a branch is called so, too")),
            None => Some(format!("{unsaid}, and whether a branch is called so, too, cannot be told")),
        });
    };
    if theirs == own || !is_named_after(tag, theirs) {
        return Ok(None);
    }
    // Who is gone owns nothing.
    if known.fact(Question::Exists(theirs.to_owned()))? == Some(false) {
        return Ok(None);
    }
    let (what, name) = match theirs.strip_prefix(GIT_TAG) {
        Some(name) => ("Git tag", name),
        None => ("branch", theirs.strip_prefix(BRANCH).unwrap_or(theirs)),
    };
    Ok(Some(format!("it is the tag of {what} `{}` too, which has it now", text::name(name))))
}

const BRANCH: &str = "refs/heads/";
const GIT_TAG: &str = "refs/tags/";

/// Whether the tag is called as it is because of the name of this branch or Git tag.
fn is_named_after(tag: &PlannedTag, reference: &str) -> bool {
    let name = reference.strip_prefix(BRANCH).or_else(|| reference.strip_prefix(GIT_TAG));
    name.and_then(slug).as_deref() == Some(tag.tag.as_str())
}

/// Ours descends from the one that is there: it must be on the ref, too. Who pushed it to another one, or threw it away
/// since, may not move the ref's tags.
fn ahead(own: &CommitId, known: &Known) -> Result<Verdict, Question> {
    // Unanswered: the event said that it is; where an event does not, nothing but the commit's tag is planned.
    let Ok(history) = known.history.as_ref().ok_or(Question::History)? else { return Ok(Verdict::Move) };
    let name = own.cut(SHOWN);
    Ok(match known.on_ref(history, own)? {
        Some(true) => Verdict::Move,
        None => Verdict::MoveWithWarning(format!("nobody knows where commit {name} is now")),
        Some(false) if history.tip.is_some() && known.fact(Question::Pushed(own.clone()))? == Some(false) => {
            Verdict::MoveWithWarning(format!("commit {name} is not on GitHub yet"))
        }
        Some(false) => Verdict::Keep(format!("commit {name} is not on its ref")),
    })
}

fn by_commit(there: &CommitId, own: &CommitId, ours: &Ours, known: &Known) -> Result<Verdict, Question> {
    let newer = || Verdict::Keep(format!("it is on the newer commit {}", there.cut(SHOWN)));
    let relation = known.relation(there, own)?;
    match &relation {
        Relation::Same => return Ok(Verdict::Move),
        Relation::Ahead => return ahead(own, known),
        Relation::Unknown(why) => {
            let why = format!(
                "whether {} is newer than {} cannot be told: {}",
                own.cut(SHOWN),
                there.cut(SHOWN),
                text::line(why)
            );
            return Ok(Verdict::MoveWithWarning(why));
        }
        Relation::Behind | Relation::Diverged | Relation::NotAhead => {}
    }
    let history = match known.history.as_ref().ok_or(Question::History)? {
        Ok(history) => history,
        Err(_) if ours.forced => {
            let why = format!(
                "its commit {} is not in the history of this one, which was force-pushed",
                there.cut(SHOWN)
            );
            return Ok(Verdict::MoveWithWarning(why));
        }
        Err(why) if relation == Relation::Diverged => {
            let why = format!(
                "neither of {} and {} is in the other's history, and what the ref is now cannot be told: {}",
                own.cut(SHOWN),
                there.cut(SHOWN),
                text::line(why)
            );
            return Ok(Verdict::MoveWithWarning(why));
        }
        Err(_) if relation == Relation::Behind => return Ok(newer()),
        Err(_) => {
            return Ok(Verdict::Keep(format!(
                "its commit {} is not in the history of this one: newer, or thrown away by a force push, which GitHub's API would tell",
                there.cut(SHOWN)
            )));
        }
    };
    Ok(match (known.on_ref(history, own)?, known.on_ref(history, there)?) {
        (Some(true), Some(false)) => Verdict::Move,
        (_, Some(true)) | (None, _) if relation == Relation::Behind => newer(),
        (Some(false), _) => Verdict::Keep(format!("commit {} is no longer on its ref", own.cut(SHOWN))),
        (Some(true), Some(true)) => Verdict::Keep(format!(
            "commit {}, which has it, is not in the history of this one, and both are on the ref",
            there.cut(SHOWN)
        )),
        (Some(true), None) => {
            Verdict::MoveWithWarning(format!("nobody knows the commit {} that has it", there.cut(SHOWN)))
        }
        (None, _) => Verdict::MoveWithWarning(format!("nobody knows where commit {} is now", own.cut(SHOWN))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::config::TagOptions;
    use crate::metadata::{Policy, TagSource};
    use crate::model::{Stamp, Tag};

    fn id(digit: u8) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn planned(tag: &str, source: TagSource) -> PlannedTag {
        let policy = if source == TagSource::Latest { Policy::LATEST } else { Policy::MOVING };
        PlannedTag::new(Tag::parse(tag).unwrap(), (source, policy), "")
    }

    fn stamp(commit: u8, reference: &str) -> Stamp {
        let reference = (!reference.is_empty()).then(|| reference.to_owned());
        Stamp { commit: (commit > 0).then(|| id(commit)), reference, ..Stamp::default() }
    }

    fn ours(forced: bool) -> Ours {
        let stamp = stamp(2, "refs/heads/main");
        Ours { stamp, forced, commit_tags: None, options: TagOptions::default() }
    }

    fn there(stamp: Stamp) -> Stamped {
        Stamped { digest: Digest::of(b"theirs"), stamp }
    }

    fn word(verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::There => "there",
            Verdict::Move => "move",
            Verdict::MoveWithWarning(_) => "warn",
            Verdict::Keep(_) => "keep",
            Verdict::Yield(_) => "yield",
            Verdict::Ask(Question::Relate(..)) => "relate",
            Verdict::Ask(Question::History) => "history",
            Verdict::Ask(Question::Exists(_)) => "exists?",
            Verdict::Ask(Question::HasBranch(_)) => "branch?",
            Verdict::Ask(Question::Pushed(_)) => "pushed?",
        }
    }

    /// We are commit 2, the tag is on commit 1.
    fn by(relation: Option<Relation>, history: Option<Result<History, String>>, forced: bool) -> Verdict {
        let relations = relation.map(|relation| ((id(1), id(2)), relation)).into_iter().collect();
        let known = Known { relations, history, ..Known::default() };
        let main = planned("main", TagSource::Branch);
        decide(&main, Some(&there(stamp(1, "refs/heads/main"))), &ours(forced), &Digest::of(b"ours"), &known)
    }

    /// A tag that goes with versions, ours being 1.9.0 of commit 2; the one that is there is of commit 1.
    #[test]
    fn what_moves_upwards() {
        use Relation::{Ahead, Behind, Diverged, Unknown};
        let tag = PlannedTag {
            version: crate::rules::RuleVersion::parse(crate::rules::Scheme::Semver, "1.9.0"),
            ..PlannedTag::new(Tag::parse("1").unwrap(), (TagSource::Rule(1), Policy::UPWARDS), "")
        };
        let nothing_more = Err::<History, _>("nobody".to_owned());
        for (commit, version, relation, expected) in [
            (1, Some("1.8.9"), Behind, "move"),
            (1, Some("v1.8.9"), Diverged, "move"),
            (0, Some("1.8.9"), Behind, "move"),
            (1, Some("1.10.0"), Ahead, "keep"),
            (1, Some("2.0.0"), Ahead, "keep"),
            (1, Some("1.9.0-rc.1"), Behind, "move"),
            // The same version of another commit: as between any two commits.
            (1, Some("1.9.0"), Ahead, "move"),
            (1, Some("1.9.0+b"), Behind, "keep"),
            (2, Some("1.9.0"), Behind, "move"),
            // None that could be compared.
            (1, None, Ahead, "move"),
            (1, None, Behind, "keep"),
            (1, None, Diverged, "warn"),
            (1, Some("main"), Unknown("gone".into()), "warn"),
            (0, Some("main"), Ahead, "warn"),
        ] {
            let current = there(Stamp { version: version.map(Into::into), ..stamp(commit, "refs/tags/v1") });
            let relations = [((id(1), id(2)), relation.clone())].into();
            let known = Known { relations, history: Some(nothing_more.clone()), ..Known::default() };
            let verdict = decide(&tag, Some(&current), &ours(false), &Digest::of(b"ours"), &known);
            assert_eq!(word(&verdict), expected, "{version:?} of {commit}, {relation:?}: {verdict:?}");
        }
        let current = there(Stamp { version: Some("2.0.0\n".into()), ..stamp(1, "") });
        let verdict = decide(&tag, Some(&current), &ours(false), &Digest::of(b"ours"), &Known::default());
        assert_eq!(verdict, Verdict::Keep("it is on version `2.0.0\\n`, which is later".into()));
    }

    #[test]
    fn versions_are_compared_within_the_labels_that_a_workflow_writes() {
        let tag = PlannedTag {
            version: crate::rules::RuleVersion::parse(crate::rules::Scheme::Semver, "1.9.0"),
            ..PlannedTag::new(Tag::parse("latest").unwrap(), (TagSource::Latest, Policy::UPWARDS), "")
        };
        for (own, theirs, expected) in [
            ("x-1.9.0", "x-2.0.0", "keep"),
            ("x-1.9.0", "x-1.8.0", "move"),
            ("v1.9.0-alpine", "v2.0.0-alpine", "keep"),
            // The same version: as between any two commits, and no pre-release of it.
            ("1.9.0-alpine", "1.9.0-alpine", "relate"),
            // Made before there was a prefix.
            ("x-1.9.0", "2.0.0", "keep"),
            ("x-1.9.0", "y-2.0.0", "relate"),
            ("nightly", "2.0.0", "keep"),
            ("nightly", "1.9.0", "relate"),
        ] {
            let mut ours = ours(false);
            ours.stamp.version = Some(own.into());
            let current = there(Stamp { version: Some(theirs.into()), ..stamp(1, "refs/tags/v") });
            let verdict = decide(&tag, Some(&current), &ours, &Digest::of(b"ours"), &Known::default());
            assert_eq!(word(&verdict), expected, "{own} over {theirs}");
        }
    }

    #[test]
    fn what_needs_no_history() {
        use Relation::{Ahead, Unknown};
        assert_eq!(by(None, None, false), Verdict::Ask(Question::Relate(id(1), id(2))));
        assert_eq!(by(Some(Ahead), None, false), Verdict::Ask(Question::History));
        assert_eq!(by(Some(Ahead), Some(Err("no answer".into())), false), Verdict::Move, "as the event says");
        let unknown = by(Some(Unknown("it is\ngone".into())), None, false);
        let Verdict::MoveWithWarning(why) = unknown else { panic!("{unknown:?}") };
        assert!(why.contains("222222222222 is newer than 111111111111 cannot be told: it is gone"), "{why}");

        let digest = Digest::of(b"ours");
        let main = planned("main", TagSource::Branch);
        let verdict = |current: Option<Stamped>| {
            word(&decide(&main, current.as_ref(), &ours(false), &digest, &Known::default()))
        };
        assert_eq!(verdict(None), "move");
        assert_eq!(verdict(Some(Stamped { digest: digest.clone(), stamp: Stamp::default() })), "there");
        assert_eq!(verdict(Some(there(stamp(2, "refs/heads/main")))), "move", "a rerun");
        assert_eq!(verdict(Some(there(Stamp::default()))), "warn");
        let nobody = Ours { stamp: stamp(0, "refs/heads/main"), ..ours(false) };
        let current = there(stamp(1, ""));
        assert_eq!(word(&decide(&main, Some(&current), &nobody, &digest, &Known::default())), "warn");
        let source = |url: &str| Stamp { source: Some(url.into()), ..stamp(1, "") };
        let home =
            Ours { stamp: Stamp { commit: Some(id(2)), ..source("https://github.com/a/b") }, ..ours(false) };
        for (url, expected) in [("https://github.com/A/b", "relate"), ("https://github.com/x/y", "warn")] {
            let verdict = decide(&main, Some(&there(source(url))), &home, &digest, &Known::default());
            assert_eq!(word(&verdict), expected, "{url}");
        }
    }

    #[test]
    fn where_the_commits_are_not_in_line() {
        use Relation::{Ahead, Behind, Diverged, NotAhead};
        let on = |commits: &[u8]| {
            let commits: Vec<_> = commits.iter().map(|digit| (id(*digit), vec![])).collect();
            Some(Ok(History { tip: commits.first().map(|(tip, _)| tip.clone()), commits }))
        };
        let nobody = || Some(Err("no answer".to_owned()));
        for relation in [Behind, Diverged, NotAhead] {
            assert_eq!(word(&by(Some(relation), None, false)), "history");
        }
        for (relation, history, forced, expected) in [
            (Ahead, on(&[2, 1]), false, "move"),
            (Behind, on(&[1, 2]), false, "keep"),
            (Diverged, on(&[1, 2]), false, "keep"),
            // Without an answer.
            (Behind, nobody(), false, "keep"),
            (NotAhead, nobody(), false, "keep"),
            (Diverged, nobody(), false, "warn"),
            (Behind, nobody(), true, "warn"),
            (NotAhead, nobody(), true, "warn"),
            // The ref is gone.
            (Diverged, on(&[]), false, "keep"),
        ] {
            assert_eq!(word(&by(Some(relation.clone()), history, forced)), expected, "{relation:?}");
        }
        // The ref is at 2 or 3 now: is commit 1 in its history?
        let at = |tip: u8, others: &[(u8, Relation)], relation: Relation| {
            let mut relations: HashMap<_, _> =
                others.iter().map(|(old, relation)| ((id(*old), id(tip)), relation.clone())).collect();
            relations.insert((id(1), id(2)), relation);
            let history = on(&[tip]).map(|found| found.map(|history: History| history));
            let known = Known { relations, history, ..Known::default() };
            let main = planned("main", TagSource::Branch);
            word(&decide(&main, Some(&there(stamp(1, ""))), &ours(false), &Digest::of(b"ours"), &known))
        };
        assert_eq!(at(2, &[], Diverged), "move", "force-pushed to us");
        assert_eq!(at(2, &[], Behind), "move", "force-pushed back to us");
        assert_eq!(at(3, &[], Diverged), "relate");
        assert_eq!(at(3, &[(2, Ahead), (1, Diverged)], Diverged), "move", "we are on the ref, it is not");
        assert_eq!(at(3, &[(2, Diverged), (1, Ahead)], Diverged), "keep", "we were thrown away");
        assert_eq!(at(3, &[(2, Diverged), (1, Diverged)], Diverged), "keep", "both were");
        assert_eq!(at(3, &[(2, Ahead), (1, Ahead)], Behind), "keep");
        assert_eq!(at(3, &[(2, Ahead), (1, Relation::Unknown("gone".into()))], Diverged), "warn");
        assert_eq!(at(3, &[(2, Relation::Unknown("gone".into())), (1, Diverged)], Diverged), "warn");
        assert_eq!(at(3, &[(2, Relation::Unknown("gone".into())), (1, Diverged)], Behind), "keep");
    }

    #[test]
    fn a_commit_that_is_not_on_its_ref_does_not_move_the_refs_tags() {
        use Relation::{Ahead, Behind, Diverged, Unknown};
        // The ref is at 3: how that stands to us, and whether GitHub has our commit.
        for (tip, pushed, expected) in [
            (Ahead, None, "move"),
            (Diverged, Some(Some(true)), "keep"),
            (Diverged, Some(None), "keep"),
            (Behind, None, "pushed?"),
            (Behind, Some(Some(true)), "keep"),
            // Made by the workflow, which pushes it when the image is there.
            (Behind, Some(Some(false)), "warn"),
            (Unknown("gone".into()), None, "warn"),
        ] {
            let history = History { tip: Some(id(3)), commits: vec![(id(3), vec![])] };
            let known = Known {
                relations: [((id(1), id(2)), Ahead), ((id(2), id(3)), tip.clone())].into(),
                history: Some(Ok(history)),
                facts: pushed.map(|pushed| (Question::Pushed(id(2)), pushed)).into_iter().collect(),
            };
            let main = planned("main", TagSource::Branch);
            let current = there(stamp(1, "refs/heads/main"));
            let verdict = decide(&main, Some(&current), &ours(false), &Digest::of(b"ours"), &known);
            assert_eq!(word(&verdict), expected, "{tip:?} {pushed:?}");
        }
        let gone = Known {
            relations: [((id(1), id(2)), Ahead)].into(),
            history: Some(Ok(History::default())),
            ..Known::default()
        };
        let main = planned("main", TagSource::Branch);
        let verdict = decide(&main, Some(&there(stamp(1, ""))), &ours(false), &Digest::of(b"ours"), &gone);
        assert_eq!(verdict, Verdict::Keep("commit 222222222222 is not on its ref".into()));
    }

    #[test]
    fn of_two_builds_of_one_commit_the_later_runs_has_the_tag() {
        let run =
            |number: (u64, u64)| (number.0 > 0).then_some(RunNumber { id: number.0, attempt: number.1 });
        for (own, theirs, expected) in [
            ((7, 1), (8, 1), "yield"),
            ((7, 1), (7, 2), "yield"),
            ((7, 2), (7, 1), "move"),
            ((8, 1), (7, 9), "move"),
            // Where one does not say it, nobody can tell.
            ((7, 1), (0, 0), "move"),
            ((0, 0), (8, 1), "move"),
        ] {
            let stamped = |number| Stamp { run: run(number), ..stamp(2, "refs/heads/main") };
            let mine = Ours { stamp: stamped(own), ..ours(false) };
            let main = planned("main", TagSource::Branch);
            let current = there(stamped(theirs));
            let verdict = decide(&main, Some(&current), &mine, &Digest::of(b"ours"), &Known::default());
            assert_eq!(word(&verdict), expected, "{own:?} {theirs:?}");
        }
    }

    #[test]
    fn two_refs_of_one_slug() {
        let digest = Digest::of(b"ours");
        for (source, tag, own, theirs, exists, expected) in [
            (
                TagSource::Branch,
                "feature-a",
                "refs/heads/feature-a",
                "refs/heads/Feature/A",
                Some(true),
                "keep",
            ),
            (TagSource::Branch, "feature-a", "refs/heads/feature-a", "refs/heads/Feature/A", None, "keep"),
            (
                TagSource::Branch,
                "feature-a",
                "refs/heads/feature-a",
                "refs/heads/Feature/A",
                Some(false),
                "move",
            ),
            (
                TagSource::Branch,
                "feature-a",
                "refs/heads/feature-a",
                "refs/tags/feature-a",
                Some(true),
                "keep",
            ),
            (TagSource::Branch, "feature-a", "refs/heads/feature-a", "refs/heads/feature-a", None, "move"),
            (TagSource::GitTag, "stable", "refs/tags/stable", "refs/heads/stable", Some(true), "keep"),
            // The commit's image of another ref was promoted.
            (TagSource::GitTag, "stable", "refs/tags/stable", "refs/heads/main", Some(true), "move"),
            (TagSource::Branch, "main", "refs/heads/main", "refs/pull/7", Some(true), "move"),
            (TagSource::Latest, "latest", "refs/heads/main", "refs/heads/master", Some(true), "move"),
        ] {
            let known = Known {
                relations: [((id(1), id(2)), Relation::Ahead)].into(),
                history: Some(Ok(History { tip: Some(id(2)), commits: vec![(id(2), vec![id(1)])] })),
                facts: [(Question::Exists(theirs.into()), exists)].into(),
            };
            let mine = Ours { stamp: stamp(2, own), ..ours(false) };
            let current = there(stamp(1, theirs));
            let verdict = decide(&planned(tag, source), Some(&current), &mine, &digest, &known);
            assert_eq!(word(&verdict), expected, "{own} over {theirs}: {verdict:?}");
        }
    }

    #[test]
    fn a_git_tag_does_not_take_what_may_be_a_branchs_tag() {
        let digest = Digest::of(b"ours");
        for (own, current, branch, expected) in [
            ("refs/tags/dev", stamp(1, ""), None, "branch?"),
            ("refs/tags/dev", stamp(1, ""), Some(Some(true)), "keep"),
            ("refs/tags/dev", stamp(0, ""), Some(Some(true)), "keep"),
            ("refs/tags/dev", stamp(2, ""), Some(Some(true)), "keep"),
            ("refs/tags/dev", stamp(1, ""), Some(None), "keep"),
            ("refs/tags/dev", stamp(1, ""), Some(Some(false)), "move"),
            ("refs/tags/dev", stamp(1, "refs/tags/dev"), None, "move"),
            ("refs/heads/dev", stamp(1, ""), None, "move"),
        ] {
            let known = Known {
                relations: [((id(1), id(2)), Relation::Ahead)].into(),
                history: Some(Ok(History { tip: Some(id(2)), commits: vec![(id(2), vec![id(1)])] })),
                facts: branch.map(|known| (Question::HasBranch("dev".into()), known)).into_iter().collect(),
            };
            let mine = Ours { stamp: stamp(2, own), ..ours(false) };
            let tag = planned("dev", TagSource::GitTag);
            let verdict = decide(&tag, Some(&there(current.clone())), &mine, &digest, &known);
            assert_eq!(word(&verdict), expected, "{own} over {current:?}: {verdict:?}");
        }
    }
}
