//! The cases of the table: what is built, how often, and what is aimed at.

use crate::measure::{Bench, Build, Runs};
use crate::table::Row;
use std::io::Write as _;
use std::path::Path;

const BOTH: &str = "linux/arm64,linux/amd64";

type Case = fn(&Bench) -> Vec<Row>;

/// Measures the cases that `wanted` names, or all; the rows come in the table's order. Says when each case is done, as
/// the table comes last.
pub fn measure(bench: &Bench, wanted: &[String]) -> Vec<Row> {
    let cases: [(&str, Case); 6] = [
        ("small", small),
        ("files", many_files),
        ("large", large_file),
        ("action", whole_action),
        ("memory", memory_at_200_000_files),
        ("image", image_size),
    ];
    let mut rows = Vec::new();
    for (name, case) in cases {
        if !wanted.is_empty() && !wanted.iter().any(|known| known == name) {
            continue;
        }
        let measured = case(bench);
        for row in &measured {
            println!("measured: {}", row.case());
        }
        rows.extend(measured);
    }
    rows
}

fn small(bench: &Bench) -> Vec<Row> {
    let build = Build { name: "small".into(), context: "small".into(), platforms: BOTH, pushed: true };
    let context = bench.context(&build);
    write(&context.join("Dockerfile"), crate::measure::SMALL);
    write(&context.join("greeting"), "hello\n");
    let (ours, buildx) = interleaved(bench, bench.runs, || build.clone());
    vec![Row::compared(
        "small build, everything cached, two platforms, pushed",
        ours,
        buildx,
        Some(0.45),
        Some(12.0),
    )]
}

/// 20,000 files, first always new to the daemon, then always known to it.
fn many_files(bench: &Bench) -> Vec<Row> {
    let mut fresh = Fresh::new(bench, "files");
    files(&fresh.directory(), 20_000, 1024..8193);
    write(&fresh.directory().join("Dockerfile"), "FROM scratch\nCOPY tree /tree\n");
    let (ours, buildx) = interleaved(bench, bench.runs.min(7), || fresh.next());
    let transferred = Row::compared(
        "20,000 files of 1-8 KiB, fresh transfer, COPY cached",
        ours,
        buildx,
        Some(0.8),
        Some(16.0),
    );
    let build = fresh.build();
    let (ours, buildx) = interleaved(bench, bench.runs.min(7), || build.clone());
    let unchanged = Row::compared("the same unchanged, stable shared key", ours, buildx, Some(0.5), None);
    fresh.remove();
    vec![transferred, unchanged]
}

fn large_file(bench: &Bench) -> Vec<Row> {
    let mut fresh = Fresh::new(bench, "large");
    let directory = fresh.directory();
    write(&directory.join("Dockerfile"), "FROM scratch\nCOPY large /\n");
    let mut file = std::fs::File::create(directory.join("large")).expect("a file of ours");
    // Bytes that compress, so that the one COPY before the measured runs is quick; not a hole in the file.
    let block: Vec<u8> = (0..1_u32 << 20).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for _ in 0..1024 {
        file.write_all(&block).expect("a GiB of disk");
    }
    drop(file);
    let (ours, buildx) = interleaved(bench, bench.runs.min(5), || fresh.next());
    fresh.remove();
    vec![Row::compared("one 1 GiB file, fresh transfer", ours, buildx, Some(0.6), Some(24.0))]
}

fn whole_action(bench: &Bench) -> Vec<Row> {
    let build = Build { name: "small".into(), context: "small".into(), platforms: BOTH, pushed: true };
    bench.whole_action(&build);
    let runs = Runs((0..bench.runs).map(|_| bench.whole_action(&build)).collect());
    vec![Row::absolute(
        "the whole action as the runner starts it, first case",
        format!("{:.2} s", runs.seconds()),
        "≤ 0.8 s",
        runs.seconds() <= 0.8,
    )]
}

fn memory_at_200_000_files(bench: &Bench) -> Vec<Row> {
    let mut fresh = Fresh::new(bench, "crowd");
    files(&fresh.directory(), 200_000, 16..129);
    // Everything is sent; nothing is copied, which would be the daemon's work for minutes.
    let dockerfile = "ARG BASE=busybox\nFROM ${BASE}\nRUN --mount=type=bind,target=/context true\n";
    write(&fresh.directory().join("Dockerfile"), dockerfile);
    let peak = Runs(vec![bench.ours(&fresh.next())]).mebibytes();
    fresh.remove();
    vec![Row::absolute(
        "client memory at 200,000 files, fresh transfer",
        format!("{peak:.1} MiB"),
        "flat: ≤ 16 MiB",
        peak <= 16.0,
    )]
}

fn image_size(bench: &Bench) -> Vec<Row> {
    let registry = bench.parts.open_registry();
    let mut largest = 0;
    if registry.manifest("action/docker-push-action", "latest").is_none() {
        return vec![Row::absolute(
            "the action's image, compressed",
            "not in the registry".into(),
            "≤ 6 MB",
            false,
        )];
    }
    for platform in registry.platforms("action/docker-push-action", "latest").values() {
        let layers = platform.manifest["layers"].as_array().cloned().unwrap_or_default();
        largest = largest.max(layers.iter().filter_map(|layer| layer["size"].as_u64()).sum());
    }
    let megabytes = f64::from(u32::try_from(largest).unwrap_or(u32::MAX)) / 1e6;
    vec![Row::absolute(
        "the action's image, compressed",
        format!("{megabytes:.2} MB"),
        "≤ 6 MB",
        megabytes <= 6.0,
    )]
}

/// Runs both clients in turn, after one run of each that is not counted; who begins changes every time.
fn interleaved(bench: &Bench, count: usize, mut next: impl FnMut() -> Build) -> (Runs, Runs) {
    let (mut ours, mut buildx) = (Runs::default(), Runs::default());
    for turn in 0..=count {
        let build = next();
        let pair = if turn % 2 == 0 {
            let first = bench.ours(&build);
            (first, bench.buildx(&build))
        } else {
            let first = bench.buildx(&build);
            (bench.ours(&build), first)
        };
        if turn > 0 {
            ours.0.push(pair.0);
            buildx.0.push(pair.1);
        }
    }
    (ours, buildx)
}

/// A context whose directory gets another name for each pair of runs: both clients name a context to the daemon by
/// it, so that the daemon has nothing to compare with and takes everything again.
struct Fresh<'a> {
    bench: &'a Bench,
    name: &'static str,
    count: usize,
}

impl<'a> Fresh<'a> {
    fn new(bench: &'a Bench, name: &'static str) -> Self {
        let fresh = Self { bench, name, count: 0 };
        std::fs::create_dir_all(fresh.directory()).expect("a directory of ours");
        fresh
    }

    fn build(&self) -> Build {
        Build {
            name: self.name.into(),
            context: format!("{}-{}", self.name, self.count),
            platforms: "linux/amd64",
            pushed: false,
        }
    }

    fn directory(&self) -> std::path::PathBuf {
        self.bench.context(&self.build())
    }

    fn next(&mut self) -> Build {
        let before = self.directory();
        self.count += 1;
        std::fs::rename(before, self.directory()).expect("a directory of ours");
        self.build()
    }

    fn remove(&self) {
        std::fs::remove_dir_all(self.directory()).expect("a directory of ours");
    }
}

/// `count` files of these lengths in directories of 200.
fn files(directory: &Path, count: u32, lengths: std::ops::Range<u32>) {
    let mut state = 1_u32;
    for number in 0..count {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        let length = lengths.start + next() % (lengths.end - lengths.start);
        let bytes: Vec<u8> = (0..length).map(|_| next().to_be_bytes()[3]).collect();
        let parent = directory.join(format!("tree/{:04}", number / 200));
        if number % 200 == 0 {
            std::fs::create_dir_all(&parent).expect("a directory of ours");
        }
        std::fs::write(parent.join(format!("file-{number:06}.txt")), bytes).expect("a file of ours");
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a file in a directory")).expect("a directory of ours");
    std::fs::write(path, text).expect("a file of ours");
}
