//! Runs that race, driven through their interleavings: a registry as a map, a small history, a ref that is pushed to.
//!
//! One action is one request: a tag read, a tag put, the ref's history asked for. Pushes are actions too; each starts
//! its run. What is proved: whenever all runs have ended, moving tags are on the commit that the ref is on; and where
//! runs were killed, the next commit's run brings them there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::shapes::{Graph, SHAPES, Shape, commit_of, history, id, relation, tag};
use super::{Answer, Progress, Putting, Question, Reply, Step, Steps};
use crate::inputs::config::TagOptions;
use crate::metadata::{CommitTags, PlannedTag, Policy, TagSource};
use crate::model::stamp::RunNumber;
use crate::model::{Digest, Repository, Stamp, Stamped, Tag};
use crate::plan::publish::{Ours, PublishPlan};

/// The world that runs share.
#[derive(Clone)]
pub(super) struct World {
    pub(super) graph: Graph,
    pub(super) tip: u8,
    pub(super) registry: BTreeMap<Tag, Stamped>,
    /// Commits that the history tells.
    pub(super) longest: usize,
    /// The moving tags.
    pub(super) tags: &'static [(&'static str, TagSource)],
    /// Requests to the registry so far.
    pub(super) requests: usize,
}

const BOTH: &[(&str, TagSource)] = &[("main", TagSource::Branch), ("latest", TagSource::Latest)];
const MAIN: &[(&str, TagSource)] = &[("main", TagSource::Branch)];

fn image(commit: u8, build: usize) -> Stamped {
    let stamp =
        Stamp { commit: Some(id(commit)), reference: Some("refs/heads/main".into()), ..Stamp::default() };
    Stamped { digest: Digest::of(format!("{commit} {build}").as_bytes()), stamp }
}

fn planned(name: &str, source: TagSource, policy: Policy) -> PlannedTag {
    PlannedTag::new(tag(name), (source, policy), "")
}

/// The same by a run that the image names.
fn by_run(commit: u8, id: u64) -> Stamped {
    let run = Some(RunNumber { id, attempt: 1 });
    let there = image(commit, usize::try_from(id).unwrap());
    Stamped { stamp: Stamp { run, ..there.stamp }, ..there }
}

/// The same for another ref.
fn on(reference: &str, there: Stamped) -> Stamped {
    Stamped { stamp: Stamp { reference: Some(reference.into()), ..there.stamp }, ..there }
}

impl World {
    fn of(shape: &Shape, longest: usize, tags: &'static [(&'static str, TagSource)]) -> Self {
        let before = image(0, 99);
        let commit_tag = Tag::parse(&format!("{}-main", id(0))).unwrap();
        let registry = [tag("main"), tag("latest"), commit_tag].map(|tag| (tag, before.clone()));
        Self { graph: shape.graph, tip: 0, registry: registry.into(), longest, tags, requests: 0 }
    }

    /// Where the moving tags are.
    pub(super) fn moving(&self) -> Vec<u8> {
        let on =
            |(name, _): &(&str, TagSource)| self.registry[&tag(name)].stamp.commit.as_ref().map(commit_of);
        self.tags.iter().map(|tag| on(tag).unwrap()).collect()
    }
}

/// One run: its steps, and the answers to a part of the present one.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) steps: Steps,
    images: BTreeMap<Digest, Stamped>,
    read: Vec<Option<Stamped>>,
    put: Vec<Putting>,
    /// Where its ref is, if that is not the one that is pushed to.
    tip: Option<u8>,
    /// Which tags it has read and put, each with the number of the request.
    pub(super) reads: Vec<(Tag, usize)>,
    pub(super) puts: Vec<(Tag, usize)>,
}

impl Run {
    fn of(commit: u8, build: usize, tags: &[(&str, TagSource)]) -> Self {
        Self::to_publish(image(commit, build), "main", tags)
    }

    /// Of this image: the commit's tag on a branch, then moving ones.
    fn to_publish(own: Stamped, branch: &str, moving: &[(&str, TagSource)]) -> Self {
        let commit = own.stamp.commit.clone().unwrap();
        let commit_tag = planned(&format!("{commit}-{branch}"), TagSource::Commit, Policy::COMMIT);
        let moving = moving.iter().map(|(name, source)| {
            let policy = if *source == TagSource::Latest { Policy::LATEST } else { Policy::MOVING };
            planned(name, *source, policy)
        });
        Self::with(own, branch, &std::iter::once(commit_tag).chain(moving).collect::<Vec<_>>())
    }

    /// Of this image, with these tags in the order of publishing.
    fn with(own: Stamped, branch: &str, tags: &[PlannedTag]) -> Self {
        let commit = own.stamp.commit.clone().unwrap();
        let plan = PublishPlan {
            repository: Repository::parse("r.io/a").unwrap(),
            digest: own.digest.clone(),
            ours: Ours {
                stamp: own.stamp.clone(),
                forced: false,
                commit_tags: CommitTags::around(&tag(&format!("{commit}-{branch}")), &commit),
                options: TagOptions::default(),
            },
            stages: tags.chunk_by(|a, b| a.policy.stage == b.policy.stage).map(<[_]>::to_vec).collect(),
        };
        Self::carrying_out(plan, own)
    }

    /// Of this image, as it is planned.
    pub(super) fn carrying_out(plan: PublishPlan, own: Stamped) -> Self {
        let images = [(own.digest.clone(), own)].into();
        let (read, put, reads, puts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { steps: Steps::new(plan), images, read, put, tip: None, reads, puts }
    }

    /// Of a ref that stays where it is.
    pub(super) fn with_ref_at(self, tip: Option<u8>) -> Self {
        Self { tip, ..self }
    }

    fn ended(&self) -> bool {
        matches!(self.steps.next(), Step::Done | Step::Fail(_))
    }

    /// One request and what costs none.
    fn act(&mut self, world: &mut World) {
        match self.steps.next() {
            Step::Read(tags) => {
                let tag = tags[self.read.len()].clone();
                let found = world.registry.get(&tag).cloned();
                world.requests += 1;
                self.reads.push((tag, world.requests));
                // What was read can be put again.
                self.images.extend(found.iter().map(|found| (found.digest.clone(), found.clone())));
                self.read.push(found);
                if self.read.len() == tags.len() {
                    self.steps.answer(Reply::Read(std::mem::take(&mut self.read)));
                }
            }
            Step::Put(puts) => {
                let (tag, digest) = puts[self.put.len()].clone();
                world.requests += 1;
                self.puts.push((tag.clone(), world.requests));
                world.registry.insert(tag, self.images[&digest].clone());
                self.put.push(Putting::Done);
                if self.put.len() == puts.len() {
                    self.steps.answer(Reply::Put(std::mem::take(&mut self.put)));
                }
            }
            Step::Ask(Question::History) => {
                let history = history(world.graph, self.tip.unwrap_or(world.tip), world.longest);
                self.steps.answer(Reply::Answer(Answer::History(Ok(history))));
            }
            Step::Ask(_) | Step::Done | Step::Fail(_) => {}
        }
        // What never changes.
        while let Step::Ask(question) = self.steps.next() {
            let answer = match question {
                Question::History => break,
                Question::Relate(old, new) => {
                    Answer::Related(relation(world.graph, commit_of(&old), commit_of(&new)))
                }
                Question::Exists(_) | Question::HasBranch(_) | Question::Pushed(_) => {
                    Answer::Fact(Some(true))
                }
            };
            self.steps.answer(Reply::Answer(answer));
        }
    }

    pub(super) fn finish(&mut self, world: &mut World) -> Progress {
        for _ in 0..1000 {
            if self.ended() {
                return self.steps.progress().clone();
            }
            self.act(world);
        }
        panic!("a run that does not end: {:?}", self.steps.next());
    }
}

/// The run of a commit, given the number of runs before it and the moving tags.
pub(super) type Start = fn(u8, usize, &[(&str, TagSource)]) -> Run;

/// A moment of a race.
#[derive(Clone)]
pub(super) struct Race<'a> {
    shape: &'a Shape,
    pub(super) world: World,
    start: Start,
    pushed: usize,
    runs: Vec<Run>,
    killed: bool,
    trace: Vec<String>,
}

impl<'a> Race<'a> {
    fn of(shape: &'a Shape, longest: usize, tags: &'static [(&'static str, TagSource)]) -> Self {
        Self::between(Run::of, World::of(shape, longest, tags), shape)
    }

    /// Between runs of this kind.
    pub(super) fn between(start: Start, world: World, shape: &'a Shape) -> Self {
        Self { shape, world, start, pushed: 0, runs: Vec::new(), killed: false, trace: Vec::new() }
    }

    /// Who can do something: a number of a run, or the one after them all for the next push.
    fn ready(&self) -> Vec<usize> {
        let push = (self.pushed < self.shape.pushes.len()).then_some(usize::MAX);
        let runs = self.runs.iter().enumerate().filter(|(_, run)| !run.ended()).map(|(number, _)| number);
        runs.chain(push).collect()
    }

    fn act(&mut self, who: usize) {
        if who == usize::MAX {
            let commit = self.shape.pushes[self.pushed];
            self.world.tip = commit;
            self.trace.push(format!("push {commit}"));
            self.pushed += 1;
            self.runs.push((self.start)(commit, self.runs.len(), self.world.tags));
            for (after, commit) in self.shape.reruns {
                if *after == self.pushed {
                    self.runs.push((self.start)(*commit, self.runs.len(), self.world.tags));
                }
            }
            return;
        }
        self.trace.push(format!("run {who}: {:?}", self.runs[who].steps.next()));
        self.runs[who].act(&mut self.world);
    }

    /// All runs have ended.
    fn check(&self) {
        let tip = self.world.tip;
        if !self.killed {
            assert_eq!(
                self.world.moving(),
                vec![tip; self.world.tags.len()],
                "{}\n{}",
                self.shape.name,
                self.trace.join("\n")
            );
            return;
        }
        // The next commit's run repairs.
        let mut world = self.world.clone();
        world.tip = 9;
        let progress = (self.start)(9, 98, world.tags).finish(&mut world);
        assert_eq!(
            world.moving(),
            vec![9; world.tags.len()],
            "{}\n{}",
            self.shape.name,
            self.trace.join("\n")
        );
        assert_eq!(progress.held_back, [], "{}", self.trace.join("\n"));
    }

    /// Every interleaving from here, with at most one run killed, wherever that can be; how many there were.
    pub(super) fn all(self, kills: bool) -> usize {
        let ready = self.ready();
        if ready.is_empty() {
            self.check();
            return 1;
        }
        let mut count = 0;
        for who in ready {
            let mut next = self.clone();
            next.act(who);
            count += next.all(kills);
            if kills && !self.killed && who != usize::MAX {
                let mut next = self.clone();
                next.trace.push(format!("run {who} is killed"));
                next.runs.remove(who);
                next.killed = true;
                count += next.all(kills);
            }
        }
        count
    }

    /// One interleaving by chance.
    pub(super) fn any(mut self, chance: &mut Chance, kills: bool) {
        loop {
            let ready = self.ready();
            if ready.is_empty() {
                break;
            }
            let who = ready[chance.below(ready.len())];
            if kills && who != usize::MAX && chance.below(12) == 0 {
                self.runs.remove(who);
                self.killed = true;
                self.trace.push(format!("run {who} is killed"));
            } else {
                self.act(who);
            }
        }
        self.check();
    }
}

/// xorshift64*, from a fixed seed.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit
    }
}

pub(super) fn of_two_runs() -> impl Iterator<Item = &'static Shape> {
    SHAPES.iter().filter(|shape| shape.pushes.len() + shape.reruns.len() == 2)
}

#[test]
fn two_runs_in_every_interleaving() {
    let mut count = 0;
    for shape in of_two_runs() {
        let of_this = Race::of(shape, 50, MAIN).all(false);
        assert!(of_this > 50, "{}: {of_this}", shape.name);
        count += of_this;
    }
    println!("two runs: {count} interleavings");
    assert!(count > 1000, "{count}");
}

#[test]
fn one_of_two_runs_killed_at_every_step() {
    let mut count = 0;
    for shape in of_two_runs() {
        count += Race::of(shape, 50, MAIN).all(true);
    }
    println!("one of two killed: {count} interleavings");
    assert!(count > 10_000, "{count}");
}

#[test]
fn three_and_more_runs_by_chance() {
    let (mut chance, mut count) = (Chance(0x5eed), 0);
    for shape in SHAPES {
        for round in 0..1500 {
            // Also where the history that is told ends early.
            Race::of(shape, if round % 4 == 0 { 1 } else { 50 }, BOTH).any(&mut chance, false);
            count += 1;
        }
    }
    println!("all ended: {count} interleavings drawn");
    assert!(count > 10_000, "{count}");
}

#[test]
fn any_of_them_killed_by_chance() {
    let mut chance = Chance(7);
    for shape in SHAPES {
        for _ in 0..1000 {
            Race::of(shape, 50, BOTH).any(&mut chance, true);
        }
    }
}

/// Nothing but one commit before the runs; the ref is at its newest commit.
fn world(graph: Graph, tip: u8) -> World {
    let before = image(0, 99);
    let registry = [tag("main"), tag(&format!("{}-main", id(0)))].map(|tag| (tag, before.clone()));
    World { graph, tip, registry: registry.into(), longest: 50, tags: MAIN, requests: 0 }
}

/// Every interleaving of these runs, which have begun; `always` holds after each request, `end` when all have ended.
pub(super) fn interleave(
    world: &World,
    runs: &[Run],
    always: &dyn Fn(&World),
    end: &dyn Fn(&World, &[Run]),
) -> usize {
    let mut count = 0;
    for who in (0..runs.len()).filter(|who| !runs[*who].ended()) {
        let (mut world, mut runs) = (world.clone(), runs.to_vec());
        runs[who].act(&mut world);
        always(&world);
        count += interleave(&world, &runs, always, end);
    }
    if count == 0 {
        end(world, runs);
        return 1;
    }
    count
}

/// One interleaving by chance, and what happened in it.
pub(super) fn drawn(mut world: World, mut runs: Vec<Run>, chance: &mut Chance) -> (World, Vec<Run>, String) {
    let mut trace = String::new();
    loop {
        let ready: Vec<usize> = (0..runs.len()).filter(|who| !runs[*who].ended()).collect();
        if ready.is_empty() {
            return (world, runs, trace);
        }
        let who = ready[chance.below(ready.len())];
        let _ = writeln!(trace, "run {who}: {:?}", runs[who].steps.next());
        runs[who].act(&mut world);
    }
}

#[test]
fn of_two_runs_of_one_commit_the_later_one_has_all_tags_in_every_interleaving() {
    let graph: Graph = &[(1, &[0])];
    let (older, newer) = (by_run(1, 7), by_run(1, 8));
    let commit_tag = tag(&format!("{}-main", id(1)));
    let runs = [older, newer.clone()].map(|own| Run::to_publish(own, "main", MAIN));
    let count = interleave(&world(graph, 1), &runs, &|_| (), &|world, runs| {
        for tag in [&tag("main"), &commit_tag] {
            assert_eq!(world.registry[tag].digest, newer.digest, "{tag}");
        }
        assert_eq!(runs[1].steps.progress().held_back, []);
    });
    println!("two runs of one commit: {count} interleavings");
    assert!(count > 1000, "{count}");
}

#[test]
fn two_runs_of_one_commit_keep_its_tags_beside_runs_of_an_older_one() {
    let graph: Graph = &[(1, &[0]), (2, &[1])];
    let mut chance = Chance(16);
    for _ in 0..8000 {
        let mut world = World { tags: BOTH, ..world(graph, 2) };
        world.registry.insert(tag("latest"), image(0, 99));
        let images = [by_run(1, 5), by_run(2, 7), by_run(2, 8), by_run(1, 9)];
        let runs = images.map(|own| Run::to_publish(own, "main", BOTH)).to_vec();
        let (world, _, trace) = drawn(world, runs, &mut chance);
        for name in ["main", "latest"] {
            // Which of the two it is, one of the others can undo by a move that it had decided on before.
            assert_eq!(world.registry[&tag(name)].stamp.commit, Some(id(2)), "{name}\n{trace}");
        }
    }
}

#[test]
fn a_commit_beside_the_branch_never_has_the_branchs_tag() {
    // It descends from the branch's tip: that was enough to move the tag.
    let graph: Graph = &[(1, &[0]), (7, &[1])];
    let runs = [Run::of(1, 1, MAIN), Run::of(7, 2, MAIN)];
    let never = |world: &World| assert_ne!(world.registry[&tag("main")].stamp.commit, Some(id(7)));
    let count = interleave(&world(graph, 1), &runs, &never, &|world, runs| {
        assert_eq!(world.moving(), [1]);
        let held = &runs[1].steps.progress().held_back;
        assert_eq!(held.iter().map(|one| one.tag.as_str()).collect::<Vec<_>>(), ["main"]);
    });
    assert!(count > 50, "{count}");
}

#[test]
fn a_git_tag_called_as_a_branch_never_takes_its_unstamped_tag() {
    let graph: Graph = &[(1, &[0]), (2, &[1])];
    let dev: &[(&str, TagSource)] = &[("dev", TagSource::Branch)];
    for stamp in [Stamp::default(), Stamp { commit: Some(id(0)), ..Stamp::default() }] {
        let mut world = World { tags: dev, ..world(graph, 1) };
        world.registry.insert(tag("dev"), Stamped { digest: Digest::of(b"another tool's"), stamp });
        let branch = Run::to_publish(on("refs/heads/dev", image(1, 1)), "dev", dev);
        let mut git_tag =
            Run::to_publish(on("refs/tags/dev", image(2, 2)), "dev", &[("dev", TagSource::GitTag)]);
        git_tag.tip = Some(2);
        let never = |world: &World| {
            let reference = world.registry[&tag("dev")].stamp.reference.as_deref();
            assert_ne!(reference, Some("refs/tags/dev"));
        };
        let count = interleave(&world, &[branch, git_tag], &never, &|world, runs| {
            assert_eq!(world.moving(), [1]);
            assert_eq!(runs[0].steps.progress().held_back, []);
        });
        assert!(count > 10, "{count}");
    }
}

#[test]
fn what_git_describes_never_replaces_a_released_version() {
    let graph: Graph = &[(1, &[0]), (2, &[1])];
    let released = on("refs/tags/v1.0.0", image(1, 50));
    let mut world = world(graph, 2);
    world.registry.insert(tag("v1.0.0"), released.clone());
    let of_branch = |own: Stamped, described: Policy| {
        let commit = own.stamp.commit.clone().unwrap();
        let tags = [
            planned(&format!("{commit}-main"), TagSource::Commit, Policy::COMMIT),
            planned("v1.0.0", TagSource::Describe, described),
            planned("main", TagSource::Branch, Policy::MOVING),
        ];
        Run::with(own, "main", &tags)
    };
    // The version's own commit, and another one that is described by the same text.
    let runs = [of_branch(image(1, 1), Policy::VERSION), of_branch(image(2, 2), Policy::DESCRIPTION)];
    let unchanged = |world: &World| assert_eq!(world.registry[&tag("v1.0.0")].digest, released.digest);
    let count = interleave(&world, &runs, &unchanged, &|world, runs| {
        assert_eq!(world.moving(), [2]);
        assert_eq!(runs[0].steps.progress().digest, released.digest, "the run's result");
        let held = &runs[1].steps.progress().held_back;
        assert_eq!(held.iter().map(|one| one.tag.as_str()).collect::<Vec<_>>(), ["v1.0.0"]);
    });
    assert!(count > 1000, "{count}");
}

#[test]
fn a_pull_request_built_from_an_older_head_does_not_stay_on_it() {
    // Its head is 2; one run has checked 1 out, and so has no tag of its commit: it says what it has built.
    let graph: Graph = &[(1, &[0]), (2, &[1])];
    let pull: &[(&str, TagSource)] = &[("pr-5", TagSource::PullRequest)];
    let of_pull = |commit, build| on("refs/pull/5", image(commit, build));
    let older = Run::with(of_pull(1, 1), "pr-5", &[planned("pr-5", TagSource::PullRequest, Policy::MOVING)]);
    let newer = Run::to_publish(of_pull(2, 2), "pr-5", pull);
    let world = World { tags: pull, ..world(graph, 2) };
    let count = interleave(&world, &[older, newer], &|_| (), &|world, _| assert_eq!(world.moving(), [2]));
    assert!(count > 100, "{count}");
}
