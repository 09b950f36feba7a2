//! The steps of putting tags, one after the other: what to do next, given what came of the last.
//!
//! Tags that do not move are looked at first: a version that is there for the same commit decides which image all others go
//! on. Then
//! the commit's tag, then the moving ones, stage by stage, each read right before its move. Last the look for newer
//! commits' tags: after it nothing of ours is on an image that is older than the newest one published.
//!
//! No tag leads from one version to the next, and rules can make tags without any that is called after the commit. What has
//! no such evidence is read once more after its move, and put again where an older image has taken it meanwhile.

use std::cmp::Ordering;
use std::mem;

use super::decide::{Answer, Known, Question, SHOWN, Verdict, decide};
use super::version::{VersionTaken, VersionVerdict, version};
use crate::metadata::{Moves, PlannedTag, Stage};
use crate::model::stamp::RunNumber;
use crate::model::{CommitId, Digest, History, Stamped, Tag};
use crate::plan::publish::{HeldBack, Ours, PublishPlan};

/// Newer commits whose tags are looked up, the newest first.
const CANDIDATES: usize = 50;
/// How often a run moves on to a newer image, or puts its own again: each time others have published meanwhile.
const ROUNDS: usize = 10;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read what is under these tags now.
    Read(Vec<Tag>),
    /// Put each tag on its image. They may be put at the same time.
    Put(Vec<(Tag, Digest)>),
    /// Find out something about commits and refs. Answers may be kept, but for the history, which may change.
    Ask(Question),
    /// Nothing more: all is done.
    Done,
    /// Nothing more: a version is taken, and nothing was put.
    Fail(VersionTaken),
}

/// What came of a step; in its order.
#[derive(Clone, Debug)]
pub enum Reply {
    /// What is under the tags, if anything.
    Read(Vec<Option<Stamped>>),
    /// What became of each tag.
    Put(Vec<Putting>),
    /// The answer to the question.
    Answer(Answer),
}

/// What became of a tag that was to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Putting {
    /// It is on the image.
    Done,
    /// The registry lets nobody move it: in its words.
    Immutable(String),
}

/// What was done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The run's result: what was given, or what a version tag was on already.
    pub digest: Digest,
    /// Tags that are on it now.
    pub published: Vec<PlannedTag>,
    /// Tags that are not.
    pub held_back: Vec<HeldBack>,
    /// What tags were on when they were first read, if anything. Not all are read.
    pub before: Vec<(Tag, Option<Stamped>)>,
    /// Those of them that this run has put on another one's image.
    pub passed_on: Vec<Tag>,
    /// What a person should know, one sentence each.
    pub warnings: Vec<String>,
}

/// The steps of one run.
#[derive(Clone, Debug)]
pub struct Steps {
    ours: Ours,
    /// Stages that have not begun.
    stages: Vec<Vec<PlannedTag>>,
    phase: Phase,
    known: Known,
    progress: Progress,
    /// Tags of the commit that this run has put on its own image.
    evidence: Vec<PlannedTag>,
    /// Moving tags that this run has put, which are on `image` now, of the commit `base` by this run.
    moved: Vec<PlannedTag>,
    /// Tags of versions that this run has put. They stay where they are when the others move on.
    raised: Vec<PlannedTag>,
    /// What has no evidence is being read once more.
    rereading: bool,
    base: Option<CommitId>,
    image: Digest,
    run: Option<RunNumber>,
    /// The later run that the commit's tags were left to.
    yielded: Option<RunNumber>,
    /// An earlier run has put the commit's tag meanwhile: what else it has put is not known.
    overtaken: bool,
    rounds: usize,
}

#[derive(Clone, Debug)]
enum Phase {
    /// Those that do not move.
    Versions(Vec<PlannedTag>),
    Reading(Vec<PlannedTag>),
    Deciding(Vec<PlannedTag>, Vec<Option<Stamped>>, Question),
    Putting(Vec<PlannedTag>),
    /// The commit's tags go on the image of a later run, then these are read again.
    Yielding(RunNumber, Digest, Vec<PlannedTag>),
    /// What is under the tag of `base` now.
    Comparing(Tag),
    /// The commit's tags go on our image again.
    Reclaiming,
    Looking,
    Placing(History, Question),
    Candidates(Vec<CommitId>, Vec<Tag>, History),
    MovingOn(CommitId, Digest, Option<RunNumber>),
    Done,
    Failed(VersionTaken),
}

impl Steps {
    /// Of this plan, from the beginning.
    pub fn new(plan: PublishPlan) -> Self {
        let PublishPlan { digest, mut stages, ours, .. } = plan;
        let mut first = Vec::new();
        let mut versions = Vec::new();
        if stages.first().and_then(|stage| stage.first()).is_some_and(|tag| tag.policy.stage == Stage::First)
        {
            (versions, first) = stages
                .remove(0)
                .into_iter()
                .partition(|tag| matches!(tag.policy.moves, Moves::Fixed | Moves::IfFree));
        }
        let progress = Progress {
            digest: digest.clone(),
            published: Vec::new(),
            passed_on: Vec::new(),
            held_back: Vec::new(),
            before: Vec::new(),
            warnings: Vec::new(),
        };
        let mut steps = Self {
            base: ours.stamp.commit.clone(),
            image: digest,
            run: ours.stamp.run,
            yielded: None,
            overtaken: false,
            evidence: Vec::new(),
            ours,
            stages,
            phase: Phase::Done,
            known: Known::default(),
            progress,
            moved: Vec::new(),
            raised: Vec::new(),
            rereading: false,
            rounds: 0,
        };
        if versions.is_empty() {
            steps.put(first);
        } else {
            steps.stages.insert(0, first);
            steps.phase = Phase::Versions(versions);
        }
        steps
    }

    /// What to do now.
    pub fn next(&self) -> Step {
        let names = |tags: &[PlannedTag]| tags.iter().map(|tag| tag.tag.clone()).collect::<Vec<_>>();
        match &self.phase {
            Phase::Versions(tags) | Phase::Reading(tags) => Step::Read(names(tags)),
            Phase::Deciding(.., question) | Phase::Placing(_, question) => Step::Ask(question.clone()),
            Phase::Putting(tags) => {
                Step::Put(tags.iter().map(|tag| (tag.tag.clone(), self.progress.digest.clone())).collect())
            }
            Phase::Yielding(_, digest, _) => {
                Step::Put(self.evidence.iter().map(|tag| (tag.tag.clone(), digest.clone())).collect())
            }
            Phase::Comparing(tag) => Step::Read(vec![tag.clone()]),
            Phase::Reclaiming => {
                Step::Put(self.evidence.iter().map(|tag| (tag.tag.clone(), self.image.clone())).collect())
            }
            Phase::Looking => Step::Ask(Question::History),
            Phase::Candidates(_, tags, _) => Step::Read(tags.clone()),
            Phase::MovingOn(_, digest, _) => {
                Step::Put(self.moved.iter().map(|tag| (tag.tag.clone(), digest.clone())).collect())
            }
            Phase::Done => Step::Done,
            Phase::Failed(taken) => Step::Fail(taken.clone()),
        }
    }

    /// What was done so far.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Tells what came of [`Steps::next`]. A reply to another question ends the steps.
    pub fn answer(&mut self, reply: Reply) {
        match (mem::replace(&mut self.phase, Phase::Done), reply) {
            (Phase::Versions(tags), Reply::Read(found)) => {
                self.remember(&tags, &found);
                self.versions(tags, found);
            }
            (Phase::Reading(tags), Reply::Read(found)) => {
                self.remember(&tags, &found);
                self.decide(tags, found);
            }
            (Phase::Deciding(tags, found, question), Reply::Answer(answer)) => {
                self.known.learn(question, answer);
                self.decide(tags, found);
            }
            (Phase::Putting(tags), Reply::Put(results)) => {
                for (tag, result) in tags.into_iter().zip(results) {
                    match result {
                        Putting::Done => self.is_put(tag),
                        Putting::Immutable(why) => {
                            self.hold(&tag, format!("the registry lets nobody move it ({why})"));
                        }
                    }
                }
                self.next_stage();
            }
            (Phase::Yielding(run, _, stage), Reply::Put(results)) => {
                for (tag, result) in self.evidence.clone().iter().zip(results) {
                    if result == Putting::Done {
                        self.hold(tag, of_later(run));
                    }
                }
                // A still later one may have put all of them meanwhile.
                self.yielded = Some(run);
                self.phase = Phase::Reading(stage);
            }
            (Phase::Comparing(_), Reply::Read(found)) => self.compare(found.into_iter().next().flatten()),
            (Phase::Reclaiming, Reply::Put(_)) => {
                self.overtaken = true;
                self.phase = Phase::Reading(self.moved.clone());
            }
            (Phase::Looking, Reply::Answer(Answer::History(history))) => self.look(history),
            (Phase::Placing(history, question), Reply::Answer(answer)) => {
                self.known.learn(question, answer);
                self.look(Ok(history));
            }
            (Phase::Candidates(commits, _, history), Reply::Read(found)) => {
                self.newest(&commits, &found, &history);
            }
            (Phase::MovingOn(commit, digest, run), Reply::Put(results)) => {
                let name = match run {
                    Some(run) if self.ours.stamp.commit.as_ref() == Some(&commit) => {
                        for tag in self.evidence.clone() {
                            self.hold(&tag, of_later(run));
                        }
                        format!("later run {run} of the same commit")
                    }
                    _ => format!("newer commit {}", commit.cut(SHOWN)),
                };
                for (tag, result) in self.moved.clone().iter().zip(results) {
                    match result {
                        Putting::Done => {
                            self.progress.passed_on.push(tag.tag.clone());
                            self.hold(tag, format!("the {name} was published meanwhile: it has it"));
                        }
                        Putting::Immutable(why) => self.progress.warnings.push(format!(
                            "`{}` should be on the {name}, but the registry lets nobody move it ({why})",
                            tag.tag
                        )),
                    }
                }
                (self.base, self.image, self.run) = (Some(commit), digest, run);
                self.look_for_newer();
            }
            _ => {}
        }
    }

    /// Keeps what tags were on before this run touched any.
    fn remember(&mut self, tags: &[PlannedTag], found: &[Option<Stamped>]) {
        for (PlannedTag { tag, .. }, found) in tags.iter().zip(found) {
            if self.progress.before.iter().all(|(known, _)| known != tag) {
                self.progress.before.push((tag.clone(), found.clone()));
            }
        }
    }

    fn versions(&mut self, tags: Vec<PlannedTag>, found: Vec<Option<Stamped>>) {
        let mut free = Vec::new();
        let mut kept = None;
        for (tag, found) in tags.into_iter().zip(found) {
            match version(&tag, found.as_ref(), &self.ours, Some(&self.progress.digest)) {
                VersionVerdict::Free => free.push(tag),
                VersionVerdict::Kept(digest) if kept.as_ref().is_none_or(|kept| *kept == digest) => {
                    kept = Some(digest);
                    self.progress.published.push(tag);
                }
                VersionVerdict::Kept(_) => self.hold(&tag, "it is on another image of this commit".into()),
                VersionVerdict::Held(why) => self.hold(&tag, why),
                VersionVerdict::Taken(taken) => {
                    self.phase = Phase::Failed(taken);
                    return;
                }
            }
        }
        if let Some(kept) = kept {
            self.image = kept.clone();
            self.progress.digest = kept;
        }
        let mut first = if self.stages.is_empty() { Vec::new() } else { self.stages.remove(0) };
        first.extend(free);
        self.put(first);
    }

    fn put(&mut self, tags: Vec<PlannedTag>) {
        if tags.is_empty() {
            self.next_stage();
        } else {
            self.phase = Phase::Putting(tags);
        }
    }

    fn is_put(&mut self, tag: PlannedTag) {
        if tag.policy.moves == Moves::ByCommit && !self.moved.contains(&tag) {
            self.moved.push(tag.clone());
        }
        if tag.policy.moves == Moves::Upwards && !self.raised.contains(&tag) {
            self.raised.push(tag.clone());
        }
        if tag.policy.moves == Moves::Free && !self.evidence.contains(&tag) {
            self.evidence.push(tag.clone());
        }
        if !self.progress.published.contains(&tag) {
            self.progress.published.push(tag);
        }
    }

    /// The tag is not on our image: why.
    fn hold(&mut self, tag: &PlannedTag, reason: String) {
        self.progress.published.retain(|one| one.tag != tag.tag);
        self.progress.held_back.retain(|one| one.tag != tag.tag);
        self.progress.held_back.push(HeldBack { tag: tag.tag.clone(), reason });
    }

    fn next_stage(&mut self) {
        if self.stages.is_empty() {
            self.begin_look();
            return;
        }
        let stage = self.stages.remove(0);
        if self.ours.options.hold_back { self.phase = Phase::Reading(stage) } else { self.put(stage) }
    }

    /// Puts those tags of a stage that may move, as soon as that is known of all.
    fn decide(&mut self, tags: Vec<PlannedTag>, found: Vec<Option<Stamped>>) {
        let (mut moves, mut later) = (Vec::new(), None);
        let (mut there, mut kept, mut warned) = (Vec::new(), Vec::new(), Vec::new());
        for (tag, current) in tags.iter().zip(&found) {
            match decide(tag, current.as_ref(), &self.ours, &self.progress.digest, &self.known) {
                Verdict::There => there.push(tag.clone()),
                // Neither of the two is the later one: they would take it from each other.
                Verdict::Move if self.rounds > 0 && self.is_as_good(tag, current.as_ref()) => {
                    kept.push((tag.clone(), "another build of the same commit has it".into()));
                }
                Verdict::Move => moves.push(tag.clone()),
                // Who moved it since may have known more than this run does.
                Verdict::MoveWithWarning(_) if self.rounds > 0 => {
                    kept.push((tag.clone(), "another run has moved it since".into()));
                }
                Verdict::MoveWithWarning(why) => {
                    warned.push(format!("`{}` is moved, though {why}", tag.tag));
                    moves.push(tag.clone());
                }
                Verdict::Keep(why) => kept.push((tag.clone(), why)),
                Verdict::Yield(run) => {
                    kept.push((tag.clone(), of_later(run)));
                    let digest = current.as_ref().map(|current| current.digest.clone());
                    later = later.max(digest.map(|digest| (run, digest)));
                }
                Verdict::Ask(question) => {
                    self.phase = Phase::Deciding(tags, found, question);
                    return;
                }
            }
        }
        let later = later.filter(|(run, _)| self.yielded.is_none_or(|yielded| yielded < *run));
        if let Some((run, digest)) = later.filter(|_| !self.evidence.is_empty()) {
            self.phase = Phase::Yielding(run, digest, tags);
            return;
        }
        for tag in there {
            self.is_put(tag);
        }
        for (tag, why) in kept {
            self.moved.retain(|moved| moved.tag != tag.tag);
            self.raised.retain(|raised| raised.tag != tag.tag);
            self.hold(&tag, why);
        }
        for warning in warned {
            if !self.progress.warnings.contains(&warning) {
                self.progress.warnings.push(warning);
            }
        }
        if moves.is_empty() && self.stages.is_empty() && self.rounds > 0 {
            // Read again after the last move, and all is well.
            self.phase = Phase::Done;
            if mem::take(&mut self.rereading) || mem::take(&mut self.overtaken) {
                self.look_for_newer();
            }
        } else {
            self.put(moves);
        }
    }

    /// Whether the image that has the tag is another build of our commit, and nothing says which of the two is the later one.
    fn is_as_good(&self, tag: &PlannedTag, current: Option<&Stamped>) -> bool {
        let Some(Stamped { stamp: theirs, .. }) = current else { return false };
        let ours = &self.ours.stamp;
        let is_later = ours.run.zip(theirs.run).is_some_and(|(ours, theirs)| ours > theirs);
        let version = tag.version.as_ref().zip(theirs.version.as_deref());
        let is_higher = tag.policy.moves == Moves::Upwards
            && version.is_some_and(|(own, theirs)| own.compare(theirs) == Some(Ordering::Greater));
        theirs.commit.is_some() && theirs.commit == ours.commit && !is_later && !is_higher
    }

    /// After the last stage, and again after each move that came of it: what has no evidence is read once more, then the rest
    /// is looked after.
    fn begin_look(&mut self) {
        let mut again = self.raised.clone();
        if self.ours.commit_tags.is_none() {
            again.extend(self.moved.iter().cloned());
        }
        if again.is_empty() || !self.ours.options.hold_back || self.rounds >= ROUNDS {
            self.look_for_newer();
            return;
        }
        self.rounds += 1;
        self.rereading = true;
        self.phase = Phase::Reading(again);
    }

    /// Looks whether newer images have appeared, if there is anything that they should have.
    fn look_for_newer(&mut self) {
        let wanted = self.ours.options.hold_back && self.base.is_some() && !self.moved.is_empty();
        let wanted = wanted && self.ours.commit_tags.is_some();
        self.phase = match self.tag_of_base() {
            _ if !wanted || self.rounds >= ROUNDS => Phase::Done,
            Some(tag) if self.run.is_some() => Phase::Comparing(tag),
            _ => Phase::Looking,
        };
        self.rounds += 1;
    }

    /// The tag of the commit whose image has the moved tags.
    fn tag_of_base(&self) -> Option<Tag> {
        self.ours.commit_tags.as_ref()?.of(self.base.as_ref()?)
    }

    /// Looks whether another run of the same commit has put the commit's tag since.
    fn compare(&mut self, found: Option<Stamped>) {
        self.phase = Phase::Looking;
        let (Some(found), Some(run)) = (found, self.run) else { return };
        let reference = &self.ours.stamp.reference;
        let right = reference.is_none() || found.stamp.reference == *reference;
        let right = right && found.stamp.commit == self.base;
        let Some(theirs) = found.stamp.run.filter(|_| right) else { return };
        if found.digest == self.image {
            return;
        }
        let own = self.image == self.progress.digest && self.yielded.is_none() && !self.evidence.is_empty();
        match theirs.cmp(&run) {
            Ordering::Greater => {
                let commit = found.stamp.commit.or_else(|| self.base.clone());
                let moving = commit.map(|commit| Phase::MovingOn(commit, found.digest, Some(theirs)));
                self.phase = moving.unwrap_or(Phase::Looking);
            }
            Ordering::Less if own => self.phase = Phase::Reclaiming,
            Ordering::Less | Ordering::Equal => {}
        }
    }

    fn look(&mut self, history: Result<History, String>) {
        let Some(base) = self.base.clone() else { return };
        let history = match history {
            Ok(history) => history,
            Err(why) => {
                // What was moved after us may be older: then it is for us to move it again.
                self.known.learn(Question::History, Answer::History(Err(why)));
                if self.base == self.ours.stamp.commit {
                    self.phase = Phase::Reading(self.moved.clone());
                }
                return;
            }
        };
        let candidates = match self.newer(&base, &history) {
            Ok(candidates) => candidates,
            Err(question) => {
                self.phase = Phase::Placing(history, question);
                return;
            }
        };
        let scheme = self.ours.commit_tags.as_ref();
        let known = candidates.into_iter().take(CANDIDATES);
        let known = known.filter_map(|commit| Some((scheme?.of(&commit)?, commit)));
        let (tags, commits): (Vec<Tag>, Vec<CommitId>) = known.unzip();
        if !tags.is_empty() {
            self.phase = Phase::Candidates(commits, tags, history);
        }
    }

    /// The ref's commits that should have the moving tags rather than this one, newest first.
    fn newer(&self, base: &CommitId, history: &History) -> Result<Vec<CommitId>, Question> {
        if history.tip.as_ref() == Some(base) {
            return Ok(Vec::new());
        }
        if history.holds(base) {
            return Ok(history.descendants(base));
        }
        Ok(match self.known.on_ref(history, base)? {
            // It is older than all of them, or thrown away by a force push.
            Some(_) => history.commits.iter().map(|(commit, _)| commit.clone()).collect(),
            None => Vec::new(),
        })
    }

    fn newest(&mut self, commits: &[CommitId], found: &[Option<Stamped>], history: &History) {
        let ours = &self.ours.stamp;
        let genuine = commits.iter().zip(found).filter_map(|(commit, found)| {
            let found = found.as_ref()?;
            // A tag made by somebody else is no evidence.
            let right = found.stamp.commit.as_ref() == Some(commit)
                && (ours.reference.is_none() || found.stamp.reference == ours.reference);
            right.then_some((commit, found))
        });
        let genuine: Vec<(&CommitId, &Stamped)> = genuine.collect();
        let newest = genuine.iter().find(|(commit, _)| {
            let newer = history.descendants(commit);
            !genuine.iter().any(|(other, _)| newer.contains(other))
        });
        if let Some((commit, found)) = newest {
            self.phase = Phase::MovingOn((*commit).clone(), found.digest.clone(), found.stamp.run);
        }
    }
}

/// Why a tag is not on our image, when a later run has built the same commit.
fn of_later(run: RunNumber) -> String {
    format!("run {run} of the same commit has it")
}
