//! What happens to a ref: small histories, pushes, and the runs that come of them; and what GitHub says of such commits.

use crate::model::{CommitId, History, Relation, Tag};

/// Child and parents; 0 is in the registry before the first push.
pub(super) type Graph = &'static [(u8, &'static [u8])];

/// What happens to a ref, and which runs come of it.
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) graph: Graph,
    /// The ref goes there, one after the other; each starts a run.
    pub(super) pushes: &'static [u8],
    /// Further runs of commits that were pushed before, by the number of the push after which they start.
    pub(super) reruns: &'static [(usize, u8)],
}

pub(super) const SHAPES: &[Shape] = &[
    Shape { name: "in line", graph: &[(1, &[0]), (2, &[1]), (9, &[2])], pushes: &[1, 2], reruns: &[] },
    Shape { name: "force push", graph: &[(1, &[0]), (2, &[0]), (9, &[2])], pushes: &[1, 2], reruns: &[] },
    Shape { name: "back", graph: &[(1, &[0]), (9, &[0])], pushes: &[1, 0], reruns: &[] },
    Shape { name: "no relation", graph: &[(1, &[]), (2, &[]), (9, &[2])], pushes: &[1, 2], reruns: &[] },
    Shape {
        name: "a rerun of the older one",
        graph: &[(1, &[0]), (2, &[1]), (9, &[2])],
        pushes: &[1, 2],
        reruns: &[(2, 1)],
    },
    Shape {
        name: "three in line",
        graph: &[(1, &[0]), (2, &[1]), (3, &[2]), (9, &[3])],
        pushes: &[1, 2, 3],
        reruns: &[],
    },
    Shape {
        name: "a merge",
        graph: &[(1, &[0]), (5, &[0]), (2, &[1, 5]), (3, &[2]), (9, &[3])],
        pushes: &[1, 2, 3],
        reruns: &[],
    },
    Shape {
        name: "force push, and on",
        graph: &[(1, &[0]), (2, &[0]), (3, &[2]), (9, &[3])],
        pushes: &[1, 2, 3],
        reruns: &[],
    },
    Shape {
        name: "force push in between",
        graph: &[(1, &[0]), (2, &[1]), (3, &[1]), (9, &[3])],
        pushes: &[1, 2, 3],
        reruns: &[],
    },
    Shape {
        name: "thrown away and taken back",
        graph: &[(1, &[0]), (2, &[1]), (9, &[2])],
        pushes: &[1, 2, 1, 2],
        reruns: &[],
    },
];

/// Different in its first characters, as short ids are.
pub(super) fn id(commit: u8) -> CommitId {
    CommitId::parse(&format!("{commit:02x}{:038x}", 1)).unwrap()
}

pub(super) fn commit_of(id: &CommitId) -> u8 {
    u8::from_str_radix(id.cut(2), 16).unwrap()
}

pub(super) fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

/// Every commit that this one descends from, itself too.
fn ancestors(graph: Graph, commit: u8) -> Vec<u8> {
    let mut found = vec![commit];
    let mut at = 0;
    while let Some(commit) = found.get(at).copied() {
        let parents =
            graph.iter().find(|(child, _)| *child == commit).map_or(&[][..], |(_, parents)| parents);
        found.extend(parents.iter().filter(|parent| !found.contains(parent)).copied().collect::<Vec<_>>());
        at += 1;
    }
    found
}

pub(super) fn relation(graph: Graph, old: u8, new: u8) -> Relation {
    match (ancestors(graph, new).contains(&old), ancestors(graph, old).contains(&new)) {
        (true, true) => Relation::Same,
        (true, false) => Relation::Ahead,
        (false, true) => Relation::Behind,
        (false, false) => Relation::Diverged,
    }
}

pub(super) fn history(graph: Graph, tip: u8, longest: usize) -> History {
    let mut commits = ancestors(graph, tip);
    // Newest first: a commit stands before its ancestors.
    commits.sort_by_key(|commit| std::cmp::Reverse(ancestors(graph, *commit).len()));
    let parents =
        |commit: u8| graph.iter().find(|(child, _)| *child == commit).map_or(&[][..], |(_, parents)| parents);
    let commits = commits.into_iter().take(longest);
    let commits =
        commits.map(|commit| (id(commit), parents(commit).iter().map(|parent| id(*parent)).collect()));
    History { tip: Some(id(tip)), commits: commits.collect() }
}
