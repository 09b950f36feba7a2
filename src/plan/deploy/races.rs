//! Runs that race for one environment, driven through their interleavings: a repository as a map of branches, its pull
//! requests, and people who merge and commit in between.
//!
//! One action is one request. What is proved: when all runs have ended, what is proposed or on the base is the newest image of
//! theirs, there is one pull request, its head is never its base, and its text is that of its image.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::standing::commit_in;
use super::tests::{digest, image, place, plan_of, run_context, work};
use super::*;
use crate::kustomize::SourceFile;
use crate::model::Relation;

const FILE: &str = "apps/shop/kustomization.yaml";

/// The content of the one file.
fn file(tag: &str) -> String {
    let mut text = String::from("# shop\nimages:\n- name: api\n  newName: ghcr.io/acme/shop/api\n");
    let _ = writeln!(text, "  newTag: {tag}");
    if let Some(digest) = digest_of(tag) {
        let _ = writeln!(text, "  digest: {digest}");
    }
    text
}

fn digest_of(tag: &str) -> Option<Digest> {
    (tag != "latest").then(|| digest(tag))
}

/// A repository on GitHub.
#[derive(Clone)]
struct World {
    /// Commits by number: the file there, and the parent.
    commits: Vec<(String, Option<usize>)>,
    branches: BTreeMap<String, usize>,
    pulls: Vec<Pull>,
    requests: usize,
    /// So many requests later a pull request follows its branch.
    delay: usize,
    /// Where the branch was, and since which request.
    moves: Vec<(usize, usize)>,
}

#[derive(Clone, Debug)]
struct Pull {
    is_open: bool,
    merged: bool,
    title: String,
    auto_merge: bool,
    /// Where its branch was when it was closed.
    closed_at: Option<usize>,
}

fn id(number: usize) -> CommitId {
    CommitId::parse(&format!("{:040x}", number + 1)).unwrap()
}

fn number(id: &CommitId) -> usize {
    usize::from_str_radix(id.as_str(), 16).unwrap() - 1
}

impl World {
    fn new(tag: &str) -> Self {
        let branches = [("main".to_owned(), 0)].into();
        Self {
            commits: vec![(file(tag), None)],
            branches,
            pulls: Vec::new(),
            requests: 0,
            delay: 0,
            moves: Vec::new(),
        }
    }

    fn commit(&mut self, text: String, parent: usize) -> usize {
        self.commits.push((text, Some(parent)));
        self.commits.len() - 1
    }

    fn on(&self, branch: &str) -> Option<usize> {
        self.branches.get(branch).copied()
    }

    fn tag_at(&self, commit: usize) -> String {
        let text = &self.commits[commit].0;
        let line = text.lines().find_map(|line| line.trim().strip_prefix("newTag: "));
        line.unwrap().to_owned()
    }

    fn is_in(&self, commit: usize, of: usize) -> bool {
        let mut at = Some(of);
        while let Some(here) = at {
            if here == commit {
                return true;
            }
            at = self.commits[here].1;
        }
        false
    }

    /// GitHub closes a pull request for good whose head is in its base.
    fn settle(&mut self) {
        let (head, base) = (self.on(&place().branch), self.on("main").unwrap());
        if let Some(open) = self.pulls.iter().position(|pull| pull.is_open)
            && head.is_none_or(|head| self.is_in(head, base))
        {
            self.close(open);
        }
    }

    fn close(&mut self, pull: usize) {
        let at = self.on(&place().branch);
        let pull = &mut self.pulls[pull];
        (pull.is_open, pull.closed_at) = (false, at);
    }

    fn was_closed_at(&self, commit: usize) -> bool {
        self.pulls.iter().any(|pull| pull.closed_at == Some(commit))
    }

    fn open(&self) -> Option<usize> {
        self.pulls.iter().position(|pull| pull.is_open)
    }

    fn proposal(&self, pull: usize) -> Proposal {
        Proposal {
            number: pull as u64 + 1,
            url: String::new(),
            node_id: String::new(),
            head: id(self.shown()),
            is_open: self.pulls[pull].is_open,
            auto_merge: self.pulls[pull].auto_merge,
        }
    }

    /// Where the branch is, as pull requests tell it.
    fn shown(&self) -> usize {
        let known = self.moves.iter().rev().find(|(since, _)| since + self.delay <= self.requests);
        known.or(self.moves.first()).map_or(0, |(_, at)| *at)
    }

    /// A person merges what is open: the base's next commit has the proposal's file and is its descendant.
    fn merge(&mut self) {
        let (Some(open), Some(head)) = (self.open(), self.on(&place().branch)) else { return };
        let text = self.commits[head].0.clone();
        let merged = self.commit(text, head);
        self.branches.insert("main".into(), merged);
        self.pulls[open].merged = true;
        self.close(open);
    }

    /// A person changes something else in the file.
    fn edit_base(&mut self) {
        let base = self.on("main").unwrap();
        let text = format!("# by hand {}\n{}", self.commits.len(), self.commits[base].0);
        let next = self.commit(text, base);
        self.branches.insert("main".into(), next);
    }
}

/// One run of the action.
#[derive(Clone)]
struct Run {
    steps: DeploySteps,
    ended: bool,
    did: Vec<String>,
}

impl Run {
    fn of(tag: &str, direct: bool) -> Self {
        let work = work(direct);
        let plan = plan_of(&work);
        let steps = DeploySteps::new(&plan, (&work, &image(tag)), digest_of(tag), &run_context());
        Self { steps, ended: false, did: Vec::new() }
    }

    /// One request.
    fn act(&mut self, world: &mut World) {
        let branch = place().branch;
        let step = self.steps.next();
        let reply = match &step {
            DeployStep::Look => {
                let head = world.on("main").unwrap();
                let file = SourceFile::new(FILE, world.commits[head].0.as_bytes()).unwrap();
                DeployReply::Seen(Seen {
                    base: BaseRead { head: id(head), files: vec![file] },
                    branch: world.on(&branch).map(id),
                    proposal: world.open().map(|pull| world.proposal(pull)),
                    closed: world.on(&branch).is_some_and(|at| world.was_closed_at(at)),
                })
            }
            DeployStep::FindProposal => DeployReply::Proposal(world.open().map(|pull| world.proposal(pull))),
            DeployStep::ReadFiles(at) => {
                let text = &world.commits[number(at)].0;
                DeployReply::Files(vec![SourceFile::new(FILE, text.as_bytes()).ok()])
            }
            DeployStep::FindClosed(head) => {
                let at = number(head);
                DeployReply::Closed(world.was_closed_at(at))
            }
            DeployStep::ReadBranch => DeployReply::Branch(world.on(&branch).map(id)),
            DeployStep::Ask(question) => DeployReply::Answer(match question {
                DeployQuestion::CommitOf(_) => DeployAnswer::Commit(Ok(None)),
                // Commits are numbered as they descend.
                DeployQuestion::Relate(old, new) => {
                    DeployAnswer::Related(if old < new { Relation::Ahead } else { Relation::Behind })
                }
            }),
            DeployStep::Commit { base, files, .. } => {
                let made = world.commit(files[0].text.clone(), number(base));
                DeployReply::Committed(id(made))
            }
            DeployStep::Move { from, to } => {
                if world.on(&branch) == from.as_ref().map(number) {
                    world.branches.insert(branch, number(to));
                    world.moves.push((world.requests, number(to)));
                    self.did.push("move".into());
                    DeployReply::Done
                } else {
                    DeployReply::Stale
                }
            }
            DeployStep::Open(opening) => {
                if world.open().is_some() {
                    DeployReply::Exists
                } else {
                    let title = opening.message.title.clone();
                    world.pulls.push(Pull {
                        is_open: true,
                        merged: false,
                        title,
                        auto_merge: false,
                        closed_at: None,
                    });
                    world.settle();
                    self.did.push("open".into());
                    let opened = world.proposal(world.pulls.len() - 1);
                    let head = id(world.on(&branch).unwrap());
                    DeployReply::Proposal(Some(Proposal { head, ..opened }))
                }
            }
            DeployStep::Update { number, message } => {
                let pull = usize::try_from(*number).unwrap() - 1;
                world.pulls[pull].title.clone_from(&message.title);
                DeployReply::Proposal(Some(world.proposal(pull)))
            }
            DeployStep::AutoMerge { proposal, method } => {
                let pull = usize::try_from(proposal.number).unwrap() - 1;
                world.pulls[pull].auto_merge = method.is_some();
                DeployReply::Done
            }
            DeployStep::Decorate(_) => DeployReply::Done,
            DeployStep::Close { number, .. } => {
                world.close(usize::try_from(*number).unwrap() - 1);
                self.did.push("close".into());
                DeployReply::Done
            }
            DeployStep::CommitToBase { base, files, .. } => {
                let head = world.on("main").unwrap();
                if number(base) == head {
                    let made = world.commit(files[0].text.clone(), head);
                    world.branches.insert("main".into(), made);
                    self.did.push("commit".into());
                    DeployReply::Committed(id(made))
                } else {
                    DeployReply::Stale
                }
            }
            DeployStep::Done(_) => {
                self.ended = true;
                return;
            }
            DeployStep::Fail(trouble) => panic!("{trouble}"),
        };
        world.requests += 1;
        world.settle();
        self.steps.answer(reply);
        self.ended = matches!(self.steps.next(), DeployStep::Done(_));
    }

    fn finish(mut self, world: &mut World) -> (Action, Vec<String>) {
        while !self.ended {
            self.act(world);
        }
        let DeployStep::Done(outcome) = self.steps.next() else { panic!("it has ended") };
        (outcome.action, self.did)
    }
}

/// What is on the base, and what is proposed with which title.
fn state(world: &World) -> (String, Option<(String, String)>) {
    let proposed = world.open().map(|open| {
        let head = world.on(&place().branch).unwrap();
        (world.tag_at(head), world.pulls[open].title.clone())
    });
    (world.tag_at(world.on("main").unwrap()), proposed)
}

fn proposed(tag: &str) -> (String, String) {
    (tag.to_owned(), format!("Deploy api {tag} to apps/shop"))
}

#[test]
fn the_life_of_a_proposal() {
    let mut world = World::new("v1.0.0");
    let run = |world: &mut World, tag: &str| Run::of(tag, false).finish(world).0;
    assert_eq!(run(&mut world, "v1.1.0"), Action::Opened);
    assert_eq!(state(&world), ("v1.0.0".into(), Some(proposed("v1.1.0"))));
    assert_eq!(run(&mut world, "v1.1.0"), Action::Unchanged, "again");
    assert_eq!(run(&mut world, "v1.2.0"), Action::Updated, "newer");
    assert_eq!(run(&mut world, "v1.1.0"), Action::HeldBack, "older than what is proposed");
    assert_eq!(run(&mut world, "v0.9.0"), Action::HeldBack, "older than the base");
    assert_eq!(state(&world), ("v1.0.0".into(), Some(proposed("v1.2.0"))));
    world.edit_base();
    assert_eq!(run(&mut world, "v1.2.0"), Action::Updated, "on the file as it is now");
    assert_eq!(run(&mut world, "v1.2.0"), Action::Unchanged);
    world.merge();
    assert_eq!(state(&world), ("v1.2.0".into(), None));
    assert_eq!(run(&mut world, "v1.2.0"), Action::Unchanged, "merged");
    assert_eq!(run(&mut world, "v1.3.0"), Action::Opened, "from the branch that is left over");
    // Somebody sets a newer one by hand.
    let base = world.on("main").unwrap();
    let by_hand = world.commit(file("v1.4.0"), base);
    world.branches.insert("main".into(), by_hand);
    assert_eq!(run(&mut world, "v1.3.0"), Action::Closed, "overtaken");
    assert_eq!(state(&world), ("v1.4.0".into(), None));
    assert_eq!(world.pulls.len(), 2);
}

#[test]
fn how_many_requests_it_takes() {
    let mut world = World::new("v1.0.0");
    // One of each is a question to the registry; a commit takes two requests.
    for (tag, expected) in [("v1.1.0", 6), ("v1.1.0", 2), ("v1.2.0", 7), ("v1.0.1", 2), ("v0.1.0", 2)] {
        let before = world.requests;
        Run::of(tag, false).finish(&mut world);
        assert_eq!(world.requests - before, expected, "{tag}");
    }
}

#[test]
fn what_is_on_the_base_by_hand_closes_the_same_proposal() {
    let mut world = World::new("v1.0.0");
    Run::of("v1.1.0", false).finish(&mut world);
    let base = world.on("main").unwrap();
    let by_hand = world.commit(file("v1.1.0"), base);
    world.branches.insert("main".into(), by_hand);
    assert_eq!(Run::of("v1.1.0", false).finish(&mut world), (Action::Closed, vec!["close".to_owned()]));
}

#[test]
fn who_cannot_tell_asks_a_person() {
    let mut world = World::new("latest");
    assert_eq!(Run::of("v1.1.0", true).finish(&mut world).0, Action::Opened, "in the place of a commit");
    assert!(!world.pulls[0].auto_merge);
    // What was to be merged by itself is not any more.
    let mut world = World::new("v1.0.0");
    Run::of("v1.1.0", false).finish(&mut world);
    assert!(world.pulls[0].auto_merge);
    let base = world.on("main").unwrap();
    let by_hand = world.commit(file("latest"), base);
    world.branches.insert("main".into(), by_hand);
    assert_eq!(Run::of("v1.2.0", false).finish(&mut world).0, Action::Updated);
    assert!(!world.pulls[0].auto_merge);
}

#[test]
fn direct_commits() {
    let mut world = World::new("v1.0.0");
    let run = |world: &mut World, tag: &str| Run::of(tag, true).finish(world).0;
    assert_eq!(run(&mut world, "v1.1.0"), Action::Committed);
    assert_eq!(run(&mut world, "v1.1.0"), Action::Unchanged);
    assert_eq!(run(&mut world, "v1.0.5"), Action::HeldBack);
    assert_eq!(state(&world), ("v1.1.0".into(), None));
    // The branch and its pull request of an entry that was one before.
    Run::of("v1.2.0", false).finish(&mut world);
    assert_eq!(run(&mut world, "v1.2.0"), Action::Committed);
    assert_eq!(state(&world), ("v1.2.0".into(), None), "and the proposal is closed");
}

#[test]
fn who_asks_for_it_goes_back() {
    let mut world = World::new("v1.5.0");
    let work = work(false);
    let plan = DeployPlan { hold_back: false, ..plan_of(&work) };
    let steps = DeploySteps::new(&plan, (&work, &image("v1.1.0")), digest_of("v1.1.0"), &run_context());
    let back = Run { steps, ended: false, did: Vec::new() };
    assert_eq!(back.finish(&mut world).0, Action::Opened);
    assert_eq!(state(&world), ("v1.5.0".into(), Some(proposed("v1.1.0"))));
}

/// What a person does in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Person {
    Nothing,
    Merges,
    Edits,
}

/// Lets runs act in this order, then each to its end, and looks at what is left.
fn race(world: &World, tags: &[&str], order: &[(usize, Person)], direct: bool) -> World {
    let mut world = world.clone();
    let mut runs: Vec<Run> = tags.iter().map(|tag| Run::of(tag, direct)).collect();
    for (who, person) in order {
        match person {
            Person::Nothing => {}
            Person::Merges => world.merge(),
            Person::Edits => world.edit_base(),
        }
        let who = who % runs.len();
        if !runs[who].ended {
            runs[who].act(&mut world);
        }
    }
    for run in &mut runs {
        while !run.ended {
            run.act(&mut world);
        }
    }
    world
}

fn newest<'t>(tags: &[&'t str]) -> &'t str {
    tags.iter().max_by_key(|tag| semver::Version::parse(&tag[1..]).unwrap()).unwrap()
}

/// What must hold when all have ended.
fn judged(world: &World, tags: &[&str], merged: bool) -> Result<(), TestCaseError> {
    let (base, proposal) = state(world);
    let (tag, title) = match &proposal {
        Some((tag, title)) => (tag.clone(), title.clone()),
        None => (base.clone(), format!("Deploy api {base} to apps/shop")),
    };
    if !merged {
        prop_assert_eq!(&tag, newest(tags), "base {}, {} pulls", base, world.pulls.len());
    }
    prop_assert_eq!(title, format!("Deploy api {tag} to apps/shop"));
    prop_assert!(world.pulls.iter().filter(|pull| pull.is_open).count() <= 1);
    Ok(())
}

/// All orders of two runs in which they take turns at most so often.
fn orders(switches: usize, longest: usize) -> Vec<Vec<(usize, Person)>> {
    let mut all = vec![(Vec::new(), 0)];
    for _ in 0..=switches {
        let mut next = Vec::new();
        for (order, who) in &all {
            for steps in 1..=longest {
                let mut order: Vec<(usize, Person)> = order.clone();
                order.extend(std::iter::repeat_n((*who, Person::Nothing), steps));
                next.push((order, 1 - who));
            }
        }
        all = next;
    }
    all.into_iter().map(|(order, _)| order).collect()
}

#[test]
fn of_two_runs_the_newer_is_proposed_however_they_take_turns() {
    let fresh = World::new("v1.0.0");
    let mut open = fresh.clone();
    Run::of("v1.0.1", false).finish(&mut open);
    let mut left_over = open.clone();
    left_over.merge();
    for (world, switches) in [(fresh, 2), (open, 1), (left_over, 1)] {
        for order in orders(switches, 8) {
            for tags in [["v1.1.0", "v1.2.0"], ["v1.2.0", "v1.1.0"]] {
                let end = race(&world, &tags, &order, false);
                judged(&end, &tags, false).unwrap_or_else(|fault| panic!("{tags:?} {order:?}: {fault}"));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn of_three_runs_the_newest_is_proposed(
        order in prop::collection::vec(0_usize..3, 0..40),
        tags in Just(["v1.1.0", "v1.2.0", "v1.3.0"]).prop_shuffle(),
        direct in any::<bool>(),
        first in any::<bool>(),
        delay in prop::sample::select(vec![0_usize, 0, 1, 3, 8]),
    ) {
        let mut world = World { delay, ..World::new("v1.0.0") };
        if first {
            Run::of("v1.0.1", false).finish(&mut world);
        }
        let order: Vec<_> = order.into_iter().map(|who| (who, Person::Nothing)).collect();
        let end = race(&world, &tags, &order, direct);
        judged(&end, &tags, false)?;
    }

    #[test]
    fn people_who_merge_and_edit_in_between_spoil_nothing(
        order in prop::collection::vec((0_usize..2, prop::sample::select(vec![Person::Nothing, Person::Nothing, Person::Nothing, Person::Merges, Person::Edits])), 0..30),
        tags in Just(["v1.1.0", "v1.2.0"]).prop_shuffle(),
    ) {
        let merged = order.iter().any(|(_, person)| *person == Person::Merges);
        let end = race(&World::new("v1.0.0"), &tags, &order, false);
        judged(&end, &tags, merged)?;
        // What is on the base never went back.
        let mut at = end.on("main");
        let mut later = None::<semver::Version>;
        while let Some(here) = at {
            let version = semver::Version::parse(&end.tag_at(here)[1..]).unwrap();
            prop_assert!(later.is_none_or(|later| later >= version));
            later = Some(version);
            at = end.commits[here].1;
        }
    }
}

#[test]
fn commits_of_a_branch_race_as_versions_do() {
    let tag = |number: usize| format!("{}-main", id(number));
    assert!(commit_in(&tag(7)).is_some());
    let tags = [tag(7), tag(8)];
    let tags: [&str; 2] = [&tags[0], &tags[1]];
    let world = World::new(&tag(3));
    for order in orders(1, 8) {
        let end = race(&world, &tags, &order, false);
        assert_eq!(state(&end).1.unwrap().0, tags[1], "{order:?}");
    }
}
