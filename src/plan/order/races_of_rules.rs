//! Runs with rules that race: what `tags` is planned as, driven through interleavings as in `races`.
//!
//! What is proved: a commit's tag by a rule (`type=sha`, a reference with the whole id) is evidence as the default
//! strategy's is; and how far rules go that have none, and tags that go with the latest version. Those end on the older
//! image only where the newer run's move and its second look both fall between the older run's look and its move. Then the
//! newer run again, or the next newer one, brings them back.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Mutex;

use super::races::{Chance, Race, Run, Start, World, drawn, interleave, of_two_runs};
use super::shapes::{Graph, SHAPES, Shape, id, tag};
use crate::inputs::config::Config;
use crate::metadata::TagSource;
use crate::metadata::fixture::{built, config, context, push};
use crate::model::{Digest, Stamp, Stamped, Targets};
use crate::plan::publish::plan_publish;
use crate::plan::tests::{daemon, facts};
use crate::rules::parse;
use crate::runner::context::RunnerContext;

/// `GITHUB_SHA` in rules that a workflow's expression makes of it.
const COMMIT: &str = "${{ github.sha }}";
const MAIN: &str = "refs/heads/main";

/// What a workflow with these rules does for a commit of a ref, in each repository that they name. Each is planned once.
fn in_each_repository(rules: &str, reference: &str, commit: u8, build: usize) -> Vec<Run> {
    type Known = BTreeMap<(String, u8, usize), Vec<Run>>;
    static KNOWN: Mutex<Known> = Mutex::new(Known::new());
    let key = (format!("{reference} {rules}"), commit, build);
    let mut known = KNOWN.lock().unwrap();
    known.entry(key).or_insert_with(|| planned(rules, reference, commit, build)).clone()
}

fn planned(rules: &str, reference: &str, commit: u8, build: usize) -> Vec<Run> {
    let rules = parse(&rules.replace(COMMIT, id(commit).as_str()), "").unwrap();
    let named: Vec<_> = rules.repositories().into_iter().cloned().collect();
    let targets = Targets::of(named).unwrap_or(config().targets);
    let config = Config { tags: Some(rules), targets, ..config() };
    let context = RunnerContext { sha: id(commit), ..context(push(), reference) };
    let metadata = built(&context, &config).unwrap();
    let plan = crate::plan::plan(&config, &context, &facts(daemon(), &config, metadata)).unwrap();
    let digest = Digest::of(format!("{commit} {build} {reference}").as_bytes());
    let own = Stamped { digest: digest.clone(), stamp: plan.stamp.clone() };
    let publish = plan.targets.iter().map(|repository| plan_publish(&plan, repository, digest.clone()));
    let runs = publish.map(|publish| Run::carrying_out(publish.unwrap(), own.clone()));
    // A Git tag stays where it was put.
    let tip = reference.starts_with("refs/tags/").then_some(commit);
    runs.map(|run| run.with_ref_at(tip)).collect()
}

fn run_of(rules: &str, reference: &str, commit: u8, build: usize) -> Run {
    in_each_repository(rules, reference, commit, build).remove(0)
}

/// These tags are on an image of commit 0 before the runs, which has no other tag.
fn world(graph: Graph, tip: u8, tags: &'static [(&'static str, TagSource)]) -> World {
    let stamp = Stamp { commit: Some(id(0)), reference: Some(MAIN.into()), ..Stamp::default() };
    let before = Stamped { digest: Digest::of(b"before"), stamp };
    let registry = tags.iter().map(|(name, _)| (tag(name), before.clone())).collect();
    World { graph, tip, registry, longest: 50, tags, requests: 0 }
}

/// The other run's move of this tag, and all its looks at it, fall between a look of this run and its move.
fn slipped_in_between(name: &str, late: &Run, early: &Run) -> bool {
    let times = |of: &[(_, usize)]| {
        of.iter().filter(|(one, _)| *one == tag(name)).map(|(_, time)| *time).collect::<Vec<_>>()
    };
    let (Some(moved), Some(last_look)) = (times(&early.puts).pop(), times(&early.reads).pop()) else {
        return false;
    };
    times(&late.puts).into_iter().any(|put| {
        let look = times(&late.reads).into_iter().filter(|read| *read < put).max();
        look.is_some_and(|look| look < moved && last_look > moved && last_look < put)
    })
}

const ONE: &[(&str, TagSource)] = &[("main", TagSource::Rule(1))];
const THREE: &[(&str, TagSource)] =
    &[("main", TagSource::Rule(1)), ("edge", TagSource::Rule(2)), ("latest", TagSource::Rule(3))];

fn with_short_id(commit: u8, build: usize, _: &[(&str, TagSource)]) -> Run {
    run_of("type=ref,event=branch\ntype=sha", MAIN, commit, build)
}

fn with_long_id(commit: u8, build: usize, _: &[(&str, TagSource)]) -> Run {
    run_of("type=ref,event=branch\ntype=sha,format=long,prefix={{branch}}-,suffix=-x", MAIN, commit, build)
}

fn with_reference(commit: u8, build: usize, _: &[(&str, TagSource)]) -> Run {
    let rules = "ghcr.io/acme/shop:main,ghcr.io/acme/shop:c-${{ github.sha }}";
    run_of(rules, MAIN, commit, build)
}

fn of_three_tags(commit: u8, build: usize, _: &[(&str, TagSource)]) -> Run {
    run_of("type=ref,event=branch\ntype=edge\ntype=raw,value=latest\ntype=sha", MAIN, commit, build)
}

#[test]
fn rules_with_a_tag_of_the_commit_end_right_in_every_interleaving() {
    let starts: [(Start, usize); 3] = [(with_short_id, 9), (with_long_id, 1), (with_reference, 1)];
    for (start, shapes) in starts {
        let mut count = 0;
        for shape in of_two_runs().take(shapes) {
            count += Race::between(start, world(shape.graph, 0, ONE), shape).all(false);
        }
        println!("rules with a commit's tag: {count} interleavings");
        assert!(count > 1_000, "{count}");
    }
}

#[test]
fn more_runs_of_rules_with_a_tag_of_the_commit_by_chance() {
    let mut chance = Chance(0x11e5);
    for shape in SHAPES {
        for round in 0..120 {
            let world =
                World { longest: if round % 4 == 0 { 1 } else { 50 }, ..world(shape.graph, 0, THREE) };
            Race::between(of_three_tags, world, shape).any(&mut chance, round % 2 == 0);
        }
    }
}

/// A tag that is called after a commit only is any ref's: what another ref's run puts there is no evidence of this one's,
/// and the evidence that it took the place of is gone. One with the branch in it has no such gap.
#[test]
fn the_commits_tag_of_another_refs_run_is_no_evidence() {
    let graph: Graph = &[(1, &[0]), (2, &[1]), (9, &[2])];
    for (prefix, is_safe) in [("sha-", false), ("{{branch}}-", true)] {
        let rules = format!("type=ref,event=branch\ntype=sha,prefix={prefix}");
        let dev = run_of(&format!("type=sha,prefix={prefix}"), "refs/heads/dev", 2, 9);
        let runs = [run_of(&rules, MAIN, 1, 1), run_of(&rules, MAIN, 2, 2), dev];
        let (mut chance, mut wrong, count) = (Chance(0x0dd), 0, 6_000);
        for _ in 0..count {
            let (world, runs, trace) = drawn(world(graph, 2, ONE), runs.to_vec(), &mut chance);
            if world.moving() == [2] {
                continue;
            }
            wrong += 1;
            let [older, newer, other] = runs.as_slice() else { panic!() };
            let moves = |run: &Run| run.puts.iter().find(|(name, _)| *name == tag("main")).unwrap().1;
            assert!(moves(newer) < moves(older), "the older one moved it last\n{trace}");
            assert!(older.reads[0].1 < moves(newer), "and had looked at it before\n{trace}");
            assert!(newer.puts[0].1 < other.puts[0].1, "the newer one's evidence is gone\n{trace}");
            let mut world = World { tip: 9, ..world };
            run_of(&rules, MAIN, 9, 3).finish(&mut world);
            assert_eq!(world.moving(), [9], "the next run repairs it\n{trace}");
        }
        println!("{prefix}: {wrong} of {count} interleavings");
        assert_eq!(wrong == 0, is_safe, "{prefix}");
        assert!(wrong * 4 < count, "{prefix}: {wrong} of {count}");
    }
}

#[test]
fn without_a_tag_of_the_commit_only_what_slips_in_between_ends_wrong() {
    const LATEST: &[(&str, TagSource)] = &[("latest", TagSource::Rule(1))];
    let rule = "type=raw,value=latest";
    let mut all = (0, 0);
    for shape in of_two_runs() {
        let [first, second] = *shape.pushes else { panic!("{}", shape.name) };
        let runs = [run_of(rule, MAIN, first, 1), run_of(rule, MAIN, second, 2)];
        let wrong = Cell::new(0);
        let count = interleave(&world(shape.graph, second, LATEST), &runs, &|_| (), &|world, runs| {
            if world.moving() == [second] {
                return;
            }
            wrong.set(wrong.get() + 1);
            assert!(slipped_in_between("latest", &runs[0], &runs[1]), "{}", shape.name);
            for (commit, tip) in [(second, second), (9, 9)] {
                let mut world = World { tip, ..world.clone() };
                run_of(rule, MAIN, commit, 3).finish(&mut world);
                assert_eq!(world.moving(), [commit], "{}: repaired", shape.name);
            }
        });
        all = (all.0 + wrong.get(), all.1 + count);
    }
    println!("without a commit's tag: {} of {} interleavings end wrong", all.0, all.1);
    // There are such, and few.
    assert!(all.0 > 0 && all.0 * 10 < all.1, "{all:?}");
}

#[test]
fn two_builds_of_one_commit_do_not_take_a_tag_from_each_other() {
    const LATEST: &[(&str, TagSource)] = &[("latest", TagSource::Rule(1))];
    let graph: Graph = &[(1, &[0])];
    let runs = [1, 2].map(|build| run_of("latest", MAIN, 1, build));
    let count = interleave(&world(graph, 1, LATEST), &runs, &|_| (), &|world, runs| {
        assert_eq!(world.moving(), [1]);
        assert!(runs.iter().all(|run| run.puts.len() == 1));
        let held: usize = runs.iter().map(|run| run.steps.progress().held_back.len()).sum();
        assert!(held <= 1, "one of the two has it");
    });
    assert!(count > 10, "{count}");
}

/// Two versions that are released at the same time, and the tags that both want.
struct Releases {
    name: &'static str,
    graph: Graph,
    /// The lower version and its commit, then the higher one.
    lower: (&'static str, u8),
    higher: (&'static str, u8),
    /// Tags for which both run.
    shared: &'static [&'static str],
    /// Where the others end.
    others: &'static [(&'static str, u8)],
}

const RELEASES: &[Releases] = &[
    Releases {
        name: "a patch of an old major version, on a branch of its own",
        graph: &[(1, &[0]), (2, &[0])],
        lower: ("v1.2.9", 1),
        higher: ("v2.0.0", 2),
        shared: &["latest"],
        others: &[("1.2.9", 1), ("1.2", 1), ("1", 1), ("2.0.0", 2), ("2.0", 2), ("2", 2)],
    },
    Releases {
        name: "a patch that descends from the higher version",
        graph: &[(1, &[2]), (2, &[0])],
        lower: ("v1.2.9", 1),
        higher: ("v2.0.0", 2),
        shared: &["latest"],
        others: &[("1.2.9", 1), ("1.2", 1), ("1", 1), ("2.0.0", 2), ("2.0", 2), ("2", 2)],
    },
    Releases {
        name: "two minor versions",
        graph: &[(1, &[0]), (2, &[1])],
        lower: ("v1.2.9", 1),
        higher: ("v1.3.0", 2),
        shared: &["1", "latest"],
        others: &[("1.2.9", 1), ("1.2", 1), ("1.3.0", 2), ("1.3", 2)],
    },
    Releases {
        name: "two patches",
        graph: &[(1, &[0]), (2, &[1])],
        lower: ("v1.2.9", 1),
        higher: ("v1.2.10", 2),
        shared: &["1.2", "1", "latest"],
        others: &[("1.2.9", 1), ("1.2.10", 2)],
    },
];

const VERSION: &str = "type=semver,pattern={{version}}";
const MAJOR: &str = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}";
const ALL_PARTS: &str =
    "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}\ntype=semver,pattern={{major}}";

impl Releases {
    fn runs(&self, rules: &str) -> [Run; 2] {
        [self.lower, self.higher]
            .map(|(version, commit)| run_of(rules, &format!("refs/tags/{version}"), commit, commit.into()))
    }

    /// Where all tags of these rules are when both runs have ended; whether one that both wanted is on the lower version.
    fn check(&self, world: &World, runs: &[Run], rules: &str) -> bool {
        let on = |world: &World, name: &str| {
            world.registry.get(&tag(name)).map(|there| there.stamp.commit.clone())
        };
        for (name, commit) in self.others {
            let found = on(world, name);
            assert!(found.is_none_or(|found| found == Some(id(*commit))), "{}: {name}", self.name);
        }
        let wrong: Vec<&str> = self
            .shared
            .iter()
            .copied()
            .filter(|name| on(world, name).is_some_and(|found| found != Some(id(self.higher.1))))
            .collect();
        for name in &wrong {
            assert!(slipped_in_between(name, &runs[0], &runs[1]), "{}: {name}", self.name);
        }
        if !wrong.is_empty() {
            // By the same release once more, and by the next one.
            for version in [self.higher.0, "v2.0.1"] {
                let mut world = world.clone();
                let commit = if version == self.higher.0 { self.higher.1 } else { 9 };
                run_of(rules, &format!("refs/tags/{version}"), commit, 7).finish(&mut world);
                assert_eq!(on(&world, "latest"), Some(Some(id(commit))), "{}: {version}", self.name);
            }
        }
        !wrong.is_empty()
    }
}

#[test]
fn the_lower_of_two_versions_keeps_a_tag_only_where_it_slips_in_between() {
    for releases in RELEASES {
        for rules in [VERSION, MAJOR] {
            let wrong = Cell::new(0);
            let runs = releases.runs(rules);
            let count = interleave(&world(releases.graph, 0, &[]), &runs, &|_| (), &|world, runs| {
                wrong.set(wrong.get() + usize::from(releases.check(world, runs, rules)));
            });
            println!("{}: {} of {count} interleavings end wrong", releases.name, wrong.get());
            assert!(
                wrong.get() > 0 && wrong.get() * 10 < count,
                "{}: {} of {count}",
                releases.name,
                wrong.get()
            );
        }
    }
}

#[test]
fn all_parts_of_two_versions_by_chance() {
    let mut chance = Chance(0x5e3e);
    for releases in RELEASES {
        for rules in [ALL_PARTS, &format!("{ALL_PARTS}\ntype=sha\ntype=ref,event=tag,suffix=-x")] {
            let (runs, mut wrong) = (releases.runs(rules), 0);
            for _ in 0..1_500 {
                let (world, runs, _) = drawn(world(releases.graph, 0, &[]), runs.to_vec(), &mut chance);
                wrong += usize::from(releases.check(&world, &runs, rules));
            }
            assert!(wrong < 150, "{}: {wrong}", releases.name);
        }
    }
}

/// A version that is there already: nothing is in between any more.
#[test]
fn a_version_that_was_published_before_is_never_taken_back() {
    for releases in RELEASES {
        let [lower, higher] = releases.runs(ALL_PARTS);
        for order in [[&lower, &higher], [&higher, &lower]] {
            let mut world = world(releases.graph, 0, &[]);
            let runs = order.map(|run| {
                let mut run = run.clone();
                run.finish(&mut world);
                run
            });
            assert!(!releases.check(&world, &runs, ALL_PARTS), "{}", releases.name);
            let held: Vec<&str> =
                runs[1].steps.progress().held_back.iter().map(|held| held.tag.as_str()).collect();
            let lower_is_last = runs[1].steps.progress().digest == lower.steps.progress().digest;
            assert_eq!(held, if lower_is_last { releases.shared } else { &[] }, "{}", releases.name);
        }
    }
}

/// One repository has a tag with the commit's id, the other has none; each by itself.
#[test]
fn whole_references_in_two_repositories() {
    const RULES: &str = "ghcr.io/acme/shop:latest,docker.io/acme/shop:latest\nghcr.io/acme/shop:${{ github.sha }}\ndocker.io/acme/shop:edge";
    const WITH: &[(&str, TagSource)] = &[("latest", TagSource::Reference(1))];
    const WITHOUT: &[(&str, TagSource)] =
        &[("latest", TagSource::Reference(1)), ("edge", TagSource::Reference(3))];
    let two = |shape: &Shape, repository: usize| {
        let [first, second] = *shape.pushes else { panic!("{}", shape.name) };
        [(first, 1), (second, 2)]
            .map(|(commit, build)| in_each_repository(RULES, MAIN, commit, build).swap_remove(repository))
    };
    let mut wrong_without = 0;
    for shape in of_two_runs() {
        let tip = shape.pushes[1];
        let count = interleave(&world(shape.graph, tip, WITH), &two(shape, 0), &|_| (), &|world, _| {
            assert_eq!(world.moving(), [tip], "{}", shape.name);
            let only =
                |(tag, _): (&crate::model::Tag, _)| tag.as_str() == "latest" || tag.as_str().len() == 40;
            assert!(world.registry.iter().all(only), "a tag of the other repository");
        });
        assert!(count > 20, "{}: {count}", shape.name);
        let wrong = Cell::new(0);
        interleave(&world(shape.graph, tip, WITHOUT), &two(shape, 1), &|_| (), &|world, runs| {
            for ((name, _), commit) in WITHOUT.iter().zip(world.moving()) {
                if commit != tip {
                    assert!(slipped_in_between(name, &runs[0], &runs[1]), "{}: {name}", shape.name);
                    wrong.set(wrong.get() + 1);
                }
            }
            assert_eq!(world.registry.len(), 2, "a tag of the other repository");
        });
        wrong_without += wrong.get();
    }
    assert!(wrong_without > 0);
}

/// Three runs; what both repositories are told of the branch is the same.
#[test]
fn three_runs_in_two_repositories_by_chance() {
    const RULES: &str = "ghcr.io/acme/shop:{{branch}},docker.io/acme/shop:stable\ntype=sha\nlatest";
    const HERE: &[(&str, TagSource)] = &[("main", TagSource::Reference(1)), ("latest", TagSource::Rule(3))];
    const THERE: &[(&str, TagSource)] =
        &[("stable", TagSource::Reference(1)), ("latest", TagSource::Rule(3))];
    let graph: Graph = &[(1, &[0]), (2, &[1]), (3, &[2])];
    let runs = [3, 1, 2].map(|commit| in_each_repository(RULES, MAIN, commit, commit.into()));
    let mut chance = Chance(0x2e90);
    for (repository, tags) in [HERE, THERE].into_iter().enumerate() {
        let runs: Vec<Run> = runs.iter().map(|run| run[repository].clone()).collect();
        for _ in 0..2_000 {
            let (world, _, trace) = drawn(world(graph, 3, tags), runs.clone(), &mut chance);
            assert_eq!(world.moving(), [3, 3], "{trace}");
        }
    }
}
