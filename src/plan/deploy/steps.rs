//! The steps of telling one environment which image it is to run, one after the other: what to do next, given what came of the
//! last.
//!
//! The base branch and the open proposal are read, `judge` decides, and what is written is written only if nobody has written
//! since. A proposal is a branch that stands one commit before its base. It is never moved by committing to it: the commit is
//! made on a scratch branch off the base, and the branch is moved onto it in one step that fails where the branch is not where
//! it was read. So a pull request's head is never its base, which would close it for good, and of two runs the second one
//! reads what the first has proposed. A direct commit is bound to the head that was read in the same way.
//!
//! A branch without an open pull request is left over from one that was closed, or another run is just about to open one (or
//! was killed before it did). Of a closed one GitHub tells the head: a branch that is somewhere else counts as a proposal
//! like any other, and who leaves it as it is opens its pull request. A pull request follows its branch with a delay. So it is
//! the branch that is believed, and it is asked again after a pull request was written.
//! Sans-IO: the engine asks [`DeploySteps`] what to do, does it, and tells what came of it; `races` drives several runs
//! through their interleavings.

use super::judge::{Decision, Given, Judge};
use super::standing::{DeployKnown, DeployQuestion};
use super::step::{
    Action, BaseRead, DeployOutcome, DeployReply, DeployStep, DeployTrouble, Opening, Proposal,
    PullRequestRef, Seen,
};
use super::text::{self, Links, Message, Told};
use super::{DeployPlace, DeployPlan, DeployWork, DeployedImage};
use crate::kustomize::{EditError, NewImage, SourceFile};
use crate::model::{CommitId, Digest};
use crate::runner::context::RunnerContext;

/// How often everything is read again because others have written meanwhile.
pub(super) const ROUNDS: usize = 6;

/// The steps of one environment.
#[derive(Clone, Debug)]
pub struct DeploySteps {
    work: DeployWork,
    place: DeployPlace,
    judge: Judge,
    commit: Option<CommitId>,
    links: Links,
    phase: Phase,
    known: DeployKnown,
    rounds: usize,
    base: Option<BaseRead>,
    /// Where the branch is.
    branch: BranchRead,
    /// The proposal and its files.
    proposal: Option<(Proposal, Vec<Option<SourceFile>>)>,
    /// Its text may be another image's: this run has written it when the branch had moved on.
    mistitled: bool,
}

/// Where the pull request's branch is.
#[derive(Clone, Debug)]
enum BranchRead {
    /// It is not there.
    Missing,
    /// Here, without an open pull request; of what was closed is not known yet.
    LeftOver(CommitId),
    /// Here.
    At(CommitId),
}

impl BranchRead {
    fn commit(&self) -> Option<CommitId> {
        match self {
            Self::At(commit) | Self::LeftOver(commit) => Some(commit.clone()),
            Self::Missing => None,
        }
    }
}

#[derive(Clone, Debug)]
enum Phase {
    Looking,
    Reading(Proposal),
    Judging,
    FindingClosed(CommitId),
    /// These are written next.
    NoAutoMerge(Given),
    Committing(Given, Option<CommitId>),
    Moving(Given, Option<CommitId>, CommitId),
    Opening(Given, CommitId),
    /// Somebody else has opened it.
    FindingOther(Given, CommitId),
    /// That of a newer image, of which nothing is known but its files.
    OpeningOther(Message, String),
    Updating(Given, CommitId, Proposal),
    /// Its text is written; is it this run's branch still?
    Verifying(Given, CommitId, Proposal, Action),
    Decorating(Given, CommitId, Proposal),
    AutoMerging(CommitId, Proposal),
    Retitling(DeployOutcome, Proposal, Message),
    Retitled(DeployOutcome, CommitId),
    Direct(Given),
    ClosingAfter(CommitId, Proposal),
    Closing(Proposal, String),
    Done(DeployOutcome),
    Failed(DeployTrouble),
}

impl DeploySteps {
    /// For one environment of a plan, once the image is there. Without its digest the steps lead up to the first change only
    /// for a look.
    pub fn new(
        plan: &DeployPlan,
        (work, image): (&DeployWork, &DeployedImage),
        digest: Option<Digest>,
        context: &RunnerContext,
    ) -> Self {
        let found = work.change();
        let phase = if found.is_some() { Phase::Looking } else { Phase::Failed(DeployTrouble::NoFiles) };
        let place = found.map(|(_, place)| place.clone());
        let place =
            place.unwrap_or(DeployPlace { base: String::new(), files: Vec::new(), branch: String::new() });
        let kind = found.map(|(change, _)| change.kind.clone());
        let direct = found.is_some_and(|(change, _)| change.pull_request.is_none());
        let judge = Judge {
            kind: kind.unwrap_or(crate::kustomize::FileKind::Manifest),
            new: image.at(digest),
            ours: image.clone(),
            hold_back: plan.hold_back,
            direct,
            base: place.base.clone(),
        };
        let links = Links { source: context.repository.html_url.clone(), run: context.run.url.clone() };
        Self {
            work: work.clone(),
            place,
            judge,
            commit: image.commit.clone(),
            links,
            phase,
            known: DeployKnown::default(),
            rounds: 0,
            base: None,
            branch: BranchRead::Missing,
            proposal: None,
            mistitled: false,
        }
    }

    /// What to do next.
    pub fn next(&self) -> DeployStep {
        match &self.phase {
            Phase::Looking => DeployStep::Look,
            Phase::FindingOther(..) => DeployStep::FindProposal,
            Phase::Reading(proposal) => DeployStep::ReadFiles(proposal.head.clone()),
            Phase::Judging => Self::question(self.decide().err()),
            Phase::Verifying(..) | Phase::Retitled(..) => DeployStep::ReadBranch,
            Phase::FindingClosed(head) => DeployStep::FindClosed(head.clone()),
            Phase::NoAutoMerge(_) => match &self.proposal {
                Some((proposal, _)) => DeployStep::AutoMerge { proposal: proposal.clone(), method: None },
                None => DeployStep::Look,
            },
            Phase::Committing(given, _) => DeployStep::Commit {
                base: given.base.clone(),
                files: given.files.clone(),
                message: self.told(given).commit(),
            },
            Phase::Moving(_, from, to) => DeployStep::Move { from: from.clone(), to: to.clone() },
            Phase::Opening(given, _) => {
                let draft = self.work.options().draft;
                DeployStep::Open(Opening { message: self.told(given).proposal(), draft })
            }
            Phase::OpeningOther(message, _) => {
                DeployStep::Open(Opening { message: message.clone(), draft: self.work.options().draft })
            }
            Phase::Updating(given, _, proposal) => {
                DeployStep::Update { number: proposal.number, message: self.told(given).proposal() }
            }
            Phase::Decorating(_, _, proposal) => DeployStep::Decorate(proposal.number),
            Phase::AutoMerging(_, proposal) => {
                DeployStep::AutoMerge { proposal: proposal.clone(), method: self.work.options().auto_merge }
            }
            Phase::Retitling(_, proposal, message) => {
                DeployStep::Update { number: proposal.number, message: message.clone() }
            }
            Phase::Direct(given) => DeployStep::CommitToBase {
                base: given.base.clone(),
                files: given.files.clone(),
                message: self.told(given).commit(),
            },
            Phase::ClosingAfter(_, proposal) | Phase::Closing(proposal, _) => DeployStep::Close {
                number: proposal.number,
                comment: text::overtaken(&self.place, &self.judge.held_by(self.base.as_ref())),
            },
            Phase::Done(outcome) => DeployStep::Done(outcome.clone()),
            Phase::Failed(trouble) => DeployStep::Fail(trouble.clone()),
        }
    }

    /// What would be done next, once that would change something; or that nothing would be.
    pub fn fate(&self) -> Option<String> {
        let written = |given: &Given| {
            let open = self.proposal.as_ref().filter(|(proposal, _)| proposal.is_open);
            let what = match open {
                Some((proposal, _)) => format!("pull request {} would be moved on", proposal.number),
                None => "a pull request would be opened".to_owned(),
            };
            match &given.undecided {
                Some(why) => {
                    format!("{what}, {}, though whether it is newer is not known: {why}", given.reason)
                }
                None => format!("{what}, {}", given.reason),
            }
        };
        match &self.phase {
            Phase::Committing(given, _) | Phase::NoAutoMerge(given) => Some(written(given)),
            Phase::Direct(given) => Some(format!("it would be committed, {}", given.reason)),
            Phase::Closing(proposal, why) => {
                Some(format!("pull request {} would be closed: {why}", proposal.number))
            }
            Phase::OpeningOther(_, why) => Some(format!("it would be held back: {why}")),
            Phase::Done(DeployOutcome { action: Action::HeldBack, reason, .. }) => {
                Some(format!("it would be held back: {reason}"))
            }
            Phase::Done(outcome) => Some(format!("nothing would be done: {}", outcome.reason)),
            Phase::Failed(trouble) => Some(format!("it would fail: {trouble}")),
            _ => None,
        }
    }

    /// Tells what came of the step.
    pub fn answer(&mut self, reply: DeployReply) {
        let phase = std::mem::replace(&mut self.phase, Phase::Looking);
        self.phase = self.after(phase, reply);
        self.settle();
    }

    fn after(&mut self, phase: Phase, reply: DeployReply) -> Phase {
        match phase {
            Phase::Looking | Phase::Reading(_) | Phase::Judging | Phase::FindingClosed(_) => {
                self.after_reading(phase, reply)
            }
            Phase::Done(_) | Phase::Failed(_) => phase,
            _ => self.after_writing(phase, reply),
        }
    }

    fn after_reading(&mut self, phase: Phase, reply: DeployReply) -> Phase {
        use DeployReply as Reply;
        match (phase, reply) {
            (Phase::Looking, Reply::Seen(seen)) => self.seen(seen),
            (Phase::Reading(proposal), Reply::Files(files)) => {
                self.proposal = Some((proposal, files));
                Phase::Judging
            }
            (Phase::Judging, Reply::Answer(answer)) => {
                if let Err(question) = self.decide() {
                    self.known.learn(question, answer);
                }
                Phase::Judging
            }
            (Phase::FindingClosed(head), Reply::Closed(true)) => {
                self.branch = BranchRead::At(head);
                Phase::Judging
            }
            (Phase::FindingClosed(head), Reply::Closed(false)) => {
                self.branch = BranchRead::At(head.clone());
                Phase::Reading(Proposal {
                    number: 0,
                    url: String::new(),
                    node_id: String::new(),
                    head,
                    is_open: false,
                    auto_merge: false,
                })
            }
            // What was there is gone.
            (_, _) => self.again(),
        }
    }

    /// A pull request's head is where its branch is, whatever the pull request says.
    fn seen(&mut self, seen: Seen) -> Phase {
        self.base = Some(seen.base);
        self.proposal = None;
        match (seen.branch, seen.proposal) {
            (Some(head), Some(proposal)) => {
                self.branch = BranchRead::At(head.clone());
                Phase::Reading(Proposal { head, ..proposal })
            }
            (Some(head), None) => {
                self.branch = if seen.closed { BranchRead::At(head) } else { BranchRead::LeftOver(head) };
                Phase::Judging
            }
            (None, _) => {
                self.branch = BranchRead::Missing;
                Phase::Judging
            }
        }
    }

    fn after_writing(&mut self, phase: Phase, reply: DeployReply) -> Phase {
        use DeployReply as Reply;
        match (phase, reply) {
            (Phase::NoAutoMerge(given), Reply::Done) => {
                let head = self.proposal.as_ref().map(|(proposal, _)| proposal.head.clone());
                Phase::Committing(given, head)
            }
            (Phase::Committing(given, from), Reply::Committed(to)) => Phase::Moving(given, from, to),
            (Phase::Moving(given, _, to), Reply::Done) => match &self.proposal {
                Some((proposal, _)) if proposal.is_open => Phase::Updating(given, to, proposal.clone()),
                _ => Phase::Opening(given, to),
            },
            (Phase::Opening(given, to), Reply::Proposal(Some(proposal))) => {
                self.written(given, to, proposal, Action::Opened)
            }
            (Phase::Opening(given, to), Reply::Exists) => Phase::FindingOther(given, to),
            (Phase::FindingOther(given, to), Reply::Proposal(Some(proposal))) => {
                Phase::Updating(given, to, proposal)
            }
            (Phase::OpeningOther(_, why), reply) => {
                let opened = match reply {
                    Reply::Proposal(opened) => opened,
                    _ => None,
                };
                Phase::Done(Self::outcome(Action::HeldBack, opened.as_ref(), None, why))
            }
            (Phase::Updating(given, to, _), Reply::Proposal(Some(now))) => {
                self.written(given, to, now, Action::Updated)
            }
            (Phase::Verifying(given, to, proposal, action), Reply::Branch(Some(at))) if at == to => {
                self.settled(given, to, proposal, action)
            }
            (Phase::Verifying(..), Reply::Branch(_)) => {
                self.mistitled = true;
                self.again()
            }
            (Phase::Decorating(given, to, proposal), Reply::Done) => {
                self.merged_by_itself(given, to, proposal)
            }
            (Phase::AutoMerging(to, proposal), Reply::Done) => {
                let reason = "it is merged by itself when the branch's rules are met".to_owned();
                Phase::Done(Self::outcome(Action::Opened, Some(&proposal), Some(to), reason))
            }
            (Phase::Retitling(outcome, proposal, _), Reply::Proposal(Some(now))) => {
                if now.is_open {
                    Phase::Retitled(outcome, proposal.head)
                } else {
                    Phase::Done(outcome)
                }
            }
            (Phase::Retitled(outcome, head), Reply::Branch(Some(at))) if at == head => Phase::Done(outcome),
            (Phase::Direct(given), Reply::Committed(commit)) => match self.proposal.clone() {
                Some((proposal, _)) if proposal.is_open => Phase::ClosingAfter(commit, proposal),
                _ => Phase::Done(Self::outcome(Action::Committed, None, Some(commit), given.reason)),
            },
            (Phase::ClosingAfter(commit, proposal), Reply::Done) => {
                let reason = "the pull request that was open is closed".to_owned();
                Phase::Done(Self::outcome(Action::Committed, Some(&proposal), Some(commit), reason))
            }
            (Phase::Closing(proposal, why), Reply::Done) => {
                Phase::Done(Self::outcome(Action::Closed, Some(&proposal), None, why))
            }
            // Others have written, or what was there is gone.
            (_, _) => self.again(),
        }
    }

    /// A pull request was opened or renewed: for this run's image, if the branch is still where this run has moved it.
    fn written(&mut self, given: Given, to: CommitId, now: Proposal, action: Action) -> Phase {
        match (now.is_open, action == Action::Opened && now.head == to) {
            // One that is new has just read its branch.
            (true, true) => self.settled(given, to, now, action),
            (true, false) => Phase::Verifying(given, to, now, action),
            // Merged or closed meanwhile.
            (false, _) => self.again(),
        }
    }

    fn settled(&self, given: Given, to: CommitId, proposal: Proposal, action: Action) -> Phase {
        if action == Action::Opened {
            return self.decorated(given, to, proposal);
        }
        let reason = given.undecided.unwrap_or(given.reason);
        Phase::Done(Self::outcome(action, Some(&proposal), Some(to), reason))
    }

    /// The new pull request gets what it is to have.
    fn decorated(&self, given: Given, to: CommitId, proposal: Proposal) -> Phase {
        let options = self.work.options();
        let bare =
            options.labels.is_empty() && options.reviewers.is_empty() && options.team_reviewers.is_empty();
        if bare { self.merged_by_itself(given, to, proposal) } else { Phase::Decorating(given, to, proposal) }
    }

    fn merged_by_itself(&self, given: Given, to: CommitId, proposal: Proposal) -> Phase {
        if self.work.options().auto_merge.is_some() && given.undecided.is_none() {
            return Phase::AutoMerging(to, proposal);
        }
        let reason = given.undecided.unwrap_or(given.reason);
        Phase::Done(Self::outcome(Action::Opened, Some(&proposal), Some(to), reason))
    }

    /// Goes on as far as nothing has to be asked.
    fn settle(&mut self) {
        if let (Phase::Judging, Ok(decided)) = (&self.phase, self.decide()) {
            self.phase = self.carried_out(decided);
        }
    }

    fn decide(&self) -> Result<Result<Decision, EditError>, DeployQuestion> {
        let Some(base) = &self.base else { return Ok(Ok(Decision::Unchanged(String::new()))) };
        self.judge.decide(base, self.proposal.as_ref(), &self.known)
    }

    fn carried_out(&self, decided: Result<Decision, EditError>) -> Phase {
        let proposal = self.proposal.as_ref().map(|(proposal, _)| proposal);
        let decision = match decided {
            Ok(decision) => decision,
            Err(error) => return Phase::Failed(DeployTrouble::Edit(error)),
        };
        match (decision, proposal) {
            (Decision::Direct(given), _) => Phase::Direct(given),
            (Decision::Propose(given), None) => match &self.branch {
                BranchRead::LeftOver(head) => Phase::FindingClosed(head.clone()),
                branch => Phase::Committing(given, branch.commit()),
            },
            (Decision::Propose(given), Some(proposal))
                if given.undecided.is_some() && proposal.auto_merge =>
            {
                Phase::NoAutoMerge(given)
            }
            (Decision::Propose(given), Some(proposal)) => {
                Phase::Committing(given, Some(proposal.head.clone()))
            }
            (Decision::Close(why), Some(proposal)) if proposal.is_open => {
                Phase::Closing(proposal.clone(), why)
            }
            (Decision::Unchanged(why) | Decision::Close(why), proposal) => {
                self.left(Action::Unchanged, proposal, why)
            }
            (Decision::Overtaken(why), Some(proposal)) if !proposal.is_open => {
                let message = self.proposal.as_ref().and_then(|(_, files)| self.message_of(files));
                match message {
                    Some(message) => Phase::OpeningOther(message, why),
                    None => self.left(Action::HeldBack, None, why),
                }
            }
            (Decision::HeldBack(why) | Decision::Overtaken(why), proposal) => {
                self.left(Action::HeldBack, proposal, why)
            }
        }
    }

    /// Nothing is written, but for a text that this run has spoilt.
    fn left(&self, action: Action, proposal: Option<&Proposal>, why: String) -> Phase {
        let proposal = proposal.filter(|proposal| proposal.is_open);
        let outcome = Self::outcome(action, proposal, None, why);
        let spoilt = self.proposal.as_ref().filter(|_| self.mistitled);
        let message = spoilt.and_then(|(_, files)| self.message_of(files));
        match (proposal, message) {
            (Some(proposal), Some(message)) => Phase::Retitling(outcome, proposal.clone(), message),
            _ => Phase::Done(outcome),
        }
    }

    /// What a proposal with these files says.
    fn message_of(&self, files: &[Option<SourceFile>]) -> Option<Message> {
        let image: NewImage = self.judge.image_in(files)?;
        let from = self.base.as_ref().and_then(|base| self.judge.first_image(base));
        let told = Told {
            work: &self.work,
            image: &image,
            commit: None,
            from: from.as_ref(),
            from_commit: None,
            links: &Links { source: self.links.source.clone(), run: String::new() },
            undecided: None,
        };
        Some(told.proposal())
    }

    /// Reads everything again.
    fn again(&mut self) -> Phase {
        self.rounds += 1;
        if self.rounds >= ROUNDS { Phase::Failed(DeployTrouble::Contended) } else { Phase::Looking }
    }

    fn question(asked: Option<DeployQuestion>) -> DeployStep {
        // Settled phases have none.
        asked.map_or(DeployStep::Look, DeployStep::Ask)
    }

    fn told<'a>(&'a self, given: &'a Given) -> Told<'a> {
        Told {
            work: &self.work,
            image: &self.judge.new,
            commit: self.commit.as_ref(),
            from: given.from.as_ref(),
            from_commit: given.from_commit.as_ref(),
            links: &self.links,
            undecided: given.undecided.as_deref(),
        }
    }

    fn outcome(
        action: Action,
        proposal: Option<&Proposal>,
        commit: Option<CommitId>,
        reason: String,
    ) -> DeployOutcome {
        let pull_request =
            proposal.map(|proposal| PullRequestRef { number: proposal.number, url: proposal.url.clone() });
        DeployOutcome { action, pull_request, commit, reason }
    }
}
