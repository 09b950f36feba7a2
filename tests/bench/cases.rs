//! The cases of the table: what is built, how often, and what is aimed at.

use crate::measure::{Bench, Build, Runs, With, forget, forget_builds, forget_in_containers, touch_memory};
use crate::table::Row;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

const BOTH: &str = "linux/arm64,linux/amd64";

type Case = fn(&Bench) -> Vec<Row>;

/// Measures the cases that `wanted` names, or all; the rows come in the table's order. Says when each case is done, as
/// the table comes last.
pub fn measure(bench: &Bench, wanted: &[String]) -> Vec<Row> {
    let cases: [(&str, Case); 19] = [
        ("small", small),
        ("files", many_files),
        ("large", large_file),
        ("container", container),
        ("container-large", large_to_container),
        ("prepare", prepared),
        ("surface", surface),
        ("plan", |_| vec![crate::plan::of_500_lines()]),
        ("tags", crate::tags::fifty_tags),
        ("promotion", crate::tags::promotion),
        ("preflight", crate::tags::preflight),
        ("action", whole_action),
        ("verify", crate::verify::of_ten_milliseconds),
        ("archive", crate::shipping::archive),
        ("load", crate::shipping::load),
        ("edit", crate::kustomize::long_edit),
        ("deploy", crate::deploy::two_environments),
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
    let build = Build::new("small", BOTH, true);
    small_context(bench, &build);
    let (ours, buildx) = interleaved(bench, bench.runs, || build.clone());
    vec![Row::compared(
        "small build, everything cached, two platforms, pushed",
        ours,
        buildx,
        Some(0.45),
        Some(8.0),
    )]
}

fn small_context(bench: &Bench, build: &Build) {
    let context = bench.context(build);
    write(&context.join("Dockerfile"), crate::measure::SMALL);
    write(&context.join("greeting"), "hello\n");
}

/// 20,000 files, first always new to the daemon, then always known to it.
fn many_files(bench: &Bench) -> Vec<Row> {
    let mut fresh = Fresh::new(bench, "files", With::Engine);
    files(&fresh.directory(), 20_000, 1024..8193);
    write(&fresh.directory().join("Dockerfile"), "FROM scratch\nCOPY tree /tree\n");
    let (ours, buildx) = interleaved(bench, bench.runs.min(7), || fresh.next());
    let transferred = Row::compared(
        "20,000 files of 1-8 KiB, fresh transfer, COPY cached",
        ours,
        buildx,
        Some(0.8),
        Some(9.0),
    );
    let build = fresh.build();
    let (ours, buildx) = interleaved(bench, bench.runs, || build.clone());
    let unchanged = Row::compared("the same unchanged, stable shared key", ours, buildx, Some(0.5), None);
    fresh.remove();
    vec![transferred, unchanged]
}

fn large_file(bench: &Bench) -> Vec<Row> {
    let (ours, buildx) = large(bench, "large", With::Engine);
    vec![Row::compared("one 1 GiB file, fresh transfer", ours, buildx, Some(0.6), Some(24.0))]
}

fn large(bench: &Bench, name: &'static str, with: With) -> (Runs, Runs) {
    let mut fresh = Fresh::new(bench, name, with);
    let directory = fresh.directory();
    write(&directory.join("Dockerfile"), "FROM scratch\nCOPY large /\n");
    let mut file = std::fs::File::create(directory.join("large")).expect("a file of ours");
    // Bytes that compress, so that the one COPY before the measured runs is quick; not a hole in the file.
    let block: Vec<u8> = (0..1_u32 << 20).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for _ in 0..1024 {
        file.write_all(&block).expect("a GiB of disk");
    }
    drop(file);
    let (ours, buildx) = interleaved_each_after(bench, bench.runs.min(7), touch_memory, || fresh.next());
    fresh.remove();
    // Each run has left its GiB, which may be one of memory.
    match with {
        With::Engine => forget_builds(),
        With::Container | With::FreshContainer => forget_in_containers(),
    }
    (ours, buildx)
}

/// The same clients with a builder container each, on the host's network.
fn container(bench: &Bench) -> Vec<Row> {
    bench.make_container();
    let build = Build::new("small", BOTH, true).with(With::Container);
    small_context(bench, &build);
    let (ours, buildx) = interleaved(bench, bench.runs, || build.clone());
    let running = Row::compared(
        "small cached build by a running docker-container builder, two platforms, pushed",
        ours,
        buildx,
        Some(0.3),
        Some(12.0),
    );
    let build = build.with(With::FreshContainer);
    let (ours, buildx) = interleaved(bench, bench.runs.min(7), || build.clone());
    let made = Row::compared(
        "from no builder to a pushed image, and none again; the builder's image is there",
        ours,
        buildx,
        Some(0.5),
        None,
    );
    vec![running, made]
}

fn large_to_container(bench: &Bench) -> Vec<Row> {
    bench.make_container();
    let (ours, buildx) = large(bench, "large-container", With::Container);
    vec![Row::compared("one 1 GiB file to a docker-container builder", ours, buildx, Some(0.5), Some(24.0))]
}

/// The whole action with a builder that was made ahead, beside one that has been running; neither has built anything.
fn prepared(bench: &Bench) -> Vec<Row> {
    let build = Build::new("small", BOTH, true);
    small_context(bench, &build);
    let (running, made) = (build.clone().with(With::Container), build.with(With::FreshContainer));
    let (mut beside, mut ahead) = (Runs::default(), Runs::default());
    for turn in 0..=bench.runs.min(7) {
        bench.prepare(&made);
        let first = bench.whole_action(&made);
        forget();
        let pair = (first, bench.whole_action(&running));
        if turn > 0 {
            ahead.0.push(pair.0);
            beside.0.push(pair.1);
        }
    }
    let ratio = ahead.seconds() / beside.seconds();
    vec![Row::absolute(
        "the whole action after `prepare`, beside a builder that was running",
        format!("{:.2} s beside {:.2} s: {ratio:.2}", ahead.seconds(), beside.seconds()),
        "≤ 1.2",
        ratio <= 1.2,
    )]
}

/// What a build may bring along is no cost: the same Dockerfile with and without it, in turn.
fn surface(bench: &Bench) -> Vec<Row> {
    let (secrets, contexts) = (50, 20);
    let build = Build::new("surface", "linux/amd64", true);
    let directory = bench.context(&build);
    let mut dockerfile = "ARG BASE=busybox\nFROM ${BASE} AS base\n".to_owned();
    for number in 0..contexts {
        let _ = writeln!(dockerfile, "FROM scratch AS c{number}\nCOPY greeting /");
        write(&directory.join(format!("c{number}/greeting")), "hello\n");
    }
    dockerfile.push_str("FROM base\n");
    let mounts: String = (0..secrets).fold(String::new(), |mut all, number| {
        let _ = write!(all, "--mount=type=secret,id=s{number} ");
        all
    });
    let _ = writeln!(dockerfile, "RUN {mounts}true");
    for number in 0..contexts {
        let _ = writeln!(dockerfile, "COPY --from=c{number} /greeting /g{number}");
    }
    write(&directory.join("Dockerfile"), &dockerfile);
    write(&directory.join("greeting"), "hello\n");
    let lines = |line: fn(u32) -> String, count| (0..count).map(line).collect::<Vec<_>>().join("\n");
    let secrets = vec![("secrets", lines(|number| format!("s{number}=value {number}"), secrets))];
    let named = vec![("build_contexts", lines(|number| format!("c{number}=surface/c{number}"), contexts))];
    let options: Vec<String> = (0..contexts)
        .flat_map(|number| {
            let path = directory.join(format!("c{number}"));
            ["--build-context".to_owned(), format!("c{number}={}", path.display())]
        })
        .collect();
    bench.make_container();
    let container = build.clone().with(With::Container);
    vec![
        brings(bench, "50 build secrets, beside the same build without", &build, secrets, None),
        brings(
            bench,
            "20 named contexts, beside the same build without",
            &build,
            named.clone(),
            Some(&options),
        ),
        brings(
            bench,
            "20 named contexts by a docker-container builder, beside the same build without",
            &container,
            named,
            Some(&options),
        ),
    ]
}

/// What more inputs cost: the same build with and without them, in turn; and what the same costs buildx, where it is
/// asked: BuildKit has its own price for them.
fn brings(
    bench: &Bench,
    what: &'static str,
    build: &Build,
    inputs: Vec<(&'static str, String)>,
    options: Option<&[String]>,
) -> Row {
    let more = Build { inputs, ..build.clone() };
    let mut runs: [Runs; 4] = Default::default();
    for turn in 0..=bench.runs {
        let mut found = vec![bench.ours(build), bench.ours(&more)];
        if let Some(options) = options {
            found.extend([bench.buildx(build), bench.buildx_with(build, options)]);
        }
        if turn > 0 {
            runs.iter_mut().zip(found).for_each(|(runs, run)| runs.0.push(run));
        }
    }
    let [without, with, buildx, buildx_with] = runs.map(|runs| runs.seconds());
    let cost = with - without;
    let mut value = format!("{with:.3} s beside {without:.3} s: {:+.0} ms", cost * 1000.0);
    if options.is_some() {
        let _ = write!(value, " (buildx: {:+.0} ms)", (buildx_with - buildx) * 1000.0);
    }
    Row::absolute(what, value, "≤ +20 ms", cost <= 0.02)
}

/// To a registry that the action's container reaches by itself, as one in the internet; and to one on the host's loopback, to
/// which a helper of ours must be started.
fn whole_action(bench: &Bench) -> Vec<Row> {
    let loopback = Build::new("small", BOTH, true);
    let registry = ("registry", format!("localhost:{}", bench.parts.gateway_port));
    let in_reach = Build { inputs: vec![registry], ..loopback.clone() };
    let mut runs: [Runs; 3] = Default::default();
    for turn in 0..=bench.runs {
        let found =
            [bench.idle_action(&loopback), bench.whole_action(&in_reach), bench.whole_action(&loopback)];
        if turn > 0 {
            runs.iter_mut().zip(found).for_each(|(runs, run)| runs.0.push(run));
        }
    }
    let [idle, in_reach, loopback] = runs.map(|runs| runs.seconds());
    let row = |what, whole: f64| {
        let over = whole - idle;
        Row::absolute(what, format!("{whole:.2} s beside {idle:.2} s: {over:.2} s"), "≤ 0.15 s", over <= 0.15)
    };
    vec![
        row("the whole action as the runner starts it, first case, over an empty run of its image", in_reach),
        row("the same with a registry on the host's loopback, by way of a helper container", loopback),
    ]
}

fn memory_at_200_000_files(bench: &Bench) -> Vec<Row> {
    let mut fresh = Fresh::new(bench, "crowd", With::Engine);
    files(&fresh.directory(), 200_000, 16..129);
    // Everything is sent; nothing is copied, which would be the daemon's work for minutes.
    let dockerfile = "ARG BASE=busybox\nFROM ${BASE}\nRUN --mount=type=bind,target=/context true\n";
    write(&fresh.directory().join("Dockerfile"), dockerfile);
    let peak = Runs(vec![bench.ours(&fresh.next())]).mebibytes();
    fresh.remove();
    vec![Row::absolute(
        "client memory at 200,000 files, fresh transfer",
        format!("{peak:.1} MiB"),
        "flat: ≤ 9 MiB",
        peak <= 9.0,
    )]
}

fn image_size(bench: &Bench) -> Vec<Row> {
    let registry = bench.parts.open_registry();
    let mut largest = 0;
    if registry.manifest("action/docker-push-action", "latest").is_none() {
        return vec![Row::absolute(
            "the action's image, compressed",
            "not in the registry".into(),
            "≤ 4 MB",
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
        "≤ 4 MB",
        megabytes <= 4.0,
    )]
}

/// Runs both clients in turn, after one run of each that is not counted; who begins changes every time.
fn interleaved(bench: &Bench, count: usize, next: impl FnMut() -> Build) -> (Runs, Runs) {
    interleaved_each_after(bench, count, || (), next)
}

/// The same, with something done before each run that takes no part in it.
fn interleaved_each_after(
    bench: &Bench,
    count: usize,
    before: fn(),
    mut next: impl FnMut() -> Build,
) -> (Runs, Runs) {
    let (mut ours, mut buildx) = (Runs::default(), Runs::default());
    for turn in 0..=count {
        let first = next();
        before();
        // An older binary of ours names a context to the daemon as this one does: it would have nothing to send any more.
        let mut second = || {
            let build = if bench.peer_is_ours() { next() } else { first.clone() };
            before();
            build
        };
        let pair = if turn % 2 == 0 {
            let ours = bench.ours(&first);
            (ours, bench.peer(&second()))
        } else {
            let peer = bench.peer(&first);
            (bench.ours(&second()), peer)
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
    with: With,
    name: &'static str,
    count: usize,
}

impl<'a> Fresh<'a> {
    fn new(bench: &'a Bench, name: &'static str, with: With) -> Self {
        let fresh = Self { bench, with, name, count: 0 };
        std::fs::create_dir_all(fresh.directory()).expect("a directory of ours");
        fresh
    }

    fn build(&self) -> Build {
        let build = Build::new(self.name, "linux/amd64", false).with(self.with);
        Build { context: format!("{}-{}", self.name, self.count), ..build }
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
