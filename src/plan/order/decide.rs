//! Whether one tag may move: a pure decision, which says what it needs to know as long as it cannot be made.

use std::collections::HashMap;

use crate::metadata::{PlannedTag, printable};
use crate::model::{CommitId, Digest, History, Relation, Stamped, slug};

use super::super::publish::Ours;

/// Characters of a commit that people are shown.
pub(super) const SHOWN: usize = 12;

/// What was found out so far.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// How the second commit stands to the first.
    pub relations: HashMap<(CommitId, CommitId), Relation>,
    /// The ref's newest commits, or why nobody can tell.
    pub history: Option<Result<History, String>>,
}

/// What has to be found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// How the second commit stands to the first.
    Relate(CommitId, CommitId),
    /// The ref's newest commits.
    History,
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
    /// That depends.
    Ask(Question),
}

impl Known {
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
}

/// Whether a moving tag, which is on `current` now, goes on our image `digest`.
pub fn decide(
    tag: &PlannedTag,
    current: Option<&Stamped>,
    ours: &Ours,
    digest: &Digest,
    known: &Known,
) -> Verdict {
    let Some(current) = current else { return Verdict::Move };
    if current.digest == *digest {
        return Verdict::There;
    }
    if let Some(other) = claimed(tag, current, ours) {
        return Verdict::Keep(format!("it is the tag of {other} too, which has it now"));
    }
    let Some(own) = &ours.stamp.commit else {
        return Verdict::MoveWithWarning("the commit of this run is not known".into());
    };
    let Some(there) = &current.stamp.commit else {
        return Verdict::MoveWithWarning("the image that has it does not say its commit".into());
    };
    if there == own {
        return Verdict::Move;
    }
    if let (Some(source), Some(ours)) = (&current.stamp.source, &ours.stamp.source)
        && !source.eq_ignore_ascii_case(ours)
    {
        return Verdict::MoveWithWarning(format!(
            "the image that has it was built from {}",
            printable(source)
        ));
    }
    by_commit(there, own, ours, known).unwrap_or_else(Verdict::Ask)
}

/// The ref that has the tag and would call it so too, if it is not ours.
fn claimed(tag: &PlannedTag, current: &Stamped, ours: &Ours) -> Option<String> {
    let theirs = current.stamp.reference.as_ref()?;
    let (what, name) = match (theirs.strip_prefix("refs/heads/"), theirs.strip_prefix("refs/tags/")) {
        (Some(name), _) => ("branch", name),
        (_, Some(name)) => ("Git tag", name),
        _ => return None,
    };
    let own = ours.stamp.reference.as_deref()?;
    let claims = is_named_after(tag, own) && slug(name).as_deref() == Some(tag.tag.as_str());
    (claims && theirs != own).then(|| format!("{what} `{}`", printable(name)))
}

/// Whether the tag is called as it is because of the name of this branch or Git tag.
fn is_named_after(tag: &PlannedTag, reference: &str) -> bool {
    let name = reference.strip_prefix("refs/heads/").or_else(|| reference.strip_prefix("refs/tags/"));
    name.and_then(slug).as_deref() == Some(tag.tag.as_str())
}

fn by_commit(there: &CommitId, own: &CommitId, ours: &Ours, known: &Known) -> Result<Verdict, Question> {
    let newer = || Verdict::Keep(format!("it is on the newer commit {}", there.cut(SHOWN)));
    let relation = known.relation(there, own)?;
    match &relation {
        Relation::Same | Relation::Ahead => return Ok(Verdict::Move),
        Relation::Unknown(why) => {
            let why = format!(
                "whether {} is newer than {} cannot be told: {}",
                own.cut(SHOWN),
                there.cut(SHOWN),
                printable(why)
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
                printable(why)
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
    use crate::inputs::config::TagRules;
    use crate::metadata::{Policy, TagSource};
    use crate::model::{Stamp, Tag};

    fn id(digit: u8) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn planned(tag: &str, source: TagSource) -> PlannedTag {
        let policy = if source == TagSource::Latest { Policy::LATEST } else { Policy::MOVING };
        PlannedTag { tag: Tag::parse(tag).unwrap(), source, policy, reason: String::new() }
    }

    fn stamp(commit: u8, reference: &str) -> Stamp {
        let reference = (!reference.is_empty()).then(|| reference.to_owned());
        Stamp { commit: (commit > 0).then(|| id(commit)), reference, ..Stamp::default() }
    }

    fn ours(forced: bool) -> Ours {
        let stamp = stamp(2, "refs/heads/main");
        Ours { stamp, forced, commit_tags: None, rules: TagRules::default() }
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
            Verdict::Ask(Question::Relate(..)) => "relate",
            Verdict::Ask(Question::History) => "history",
        }
    }

    /// We are commit 2, the tag is on commit 1.
    fn by(relation: Option<Relation>, history: Option<Result<History, String>>, forced: bool) -> Verdict {
        let relations = relation.map(|relation| ((id(1), id(2)), relation)).into_iter().collect();
        let known = Known { relations, history };
        let main = planned("main", TagSource::Branch);
        decide(&main, Some(&there(stamp(1, "refs/heads/main"))), &ours(forced), &Digest::of(b"ours"), &known)
    }

    #[test]
    fn what_needs_no_history() {
        use Relation::{Ahead, Unknown};
        assert_eq!(by(None, None, false), Verdict::Ask(Question::Relate(id(1), id(2))));
        assert_eq!(by(Some(Ahead), None, false), Verdict::Move);
        let unknown = by(Some(Unknown("it is\ngone".into())), None, false);
        let Verdict::MoveWithWarning(why) = unknown else { panic!("{unknown:?}") };
        assert!(
            why.contains("222222222222 is newer than 111111111111 cannot be told: it is\u{fffd}gone"),
            "{why}"
        );

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
            let known =
                Known { relations, history: on(&[tip]).map(|found| found.map(|history: History| history)) };
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
    fn two_refs_of_one_slug() {
        let digest = Digest::of(b"ours");
        let relations = [((id(1), id(2)), Relation::Ahead)].into();
        let known = Known { relations, history: None };
        for (source, tag, own, theirs, expected) in [
            (TagSource::Branch, "feature-a", "refs/heads/feature-a", "refs/heads/Feature/A", "keep"),
            (TagSource::Branch, "feature-a", "refs/heads/feature-a", "refs/tags/feature-a", "keep"),
            (TagSource::Branch, "feature-a", "refs/heads/feature-a", "refs/heads/feature-a", "move"),
            (TagSource::GitTag, "stable", "refs/tags/stable", "refs/heads/stable", "keep"),
            // The commit's image of another ref was promoted.
            (TagSource::GitTag, "stable", "refs/tags/stable", "refs/heads/main", "move"),
            (TagSource::Branch, "main", "refs/heads/main", "refs/pull/7", "move"),
            (TagSource::Latest, "latest", "refs/heads/main", "refs/heads/master", "move"),
        ] {
            let mine = Ours { stamp: stamp(2, own), ..ours(false) };
            let verdict =
                decide(&planned(tag, source), Some(&there(stamp(1, theirs))), &mine, &digest, &known);
            assert_eq!(word(&verdict), expected, "{own} over {theirs}: {verdict:?}");
        }
    }
}
