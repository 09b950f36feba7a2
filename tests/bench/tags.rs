//! Publishing: fifty tags on one index, an image that is promoted, and what the look at the registry costs before the
//! build.

use crate::measure::{Bench, Build, Run, Runs, SMALL, image};
use crate::runner::event::Event;
use crate::table::Row;
use std::time::Duration;

/// Tags on one image.
const TAGS: usize = 50;

fn written(bench: &Bench, build: Build) -> Build {
    std::fs::create_dir_all(bench.context(&build)).expect("a directory of ours");
    for (name, text) in [("Dockerfile", SMALL), ("greeting", "hello\n")] {
        std::fs::write(bench.context(&build).join(name), text).expect("a file of ours");
    }
    build
}

/// Our publishing beside what people use for it. Each run's tags are new. The action has no way to fifty tags yet: its
/// whole publishing of an image that is there is a process of its own (see `publisher`), and a whole build is the action
/// with its three tags and then that process, one after the other.
pub fn fifty_tags(bench: &Bench) -> Vec<Row> {
    let build = written(bench, Build::new("tagged", "linux/arm64,linux/amd64", true));
    let (ours_in, theirs_in) = (
        format!("{}/acme/bench/tagged", bench.parts.registry),
        format!("{}/buildx/tagged", bench.parts.registry),
    );
    // Pushes the indexes that they put tags on.
    bench.ours(&build);
    bench.buildx(&build);
    let names = |turn: usize, who: &str| (0..TAGS).map(|n| format!("{who}-{turn}-{n}")).collect::<Vec<_>>();
    let options = |tags: &[String]| -> Vec<String> {
        tags.iter().flat_map(|tag| ["--tag".to_owned(), format!("{theirs_in}:{tag}")]).collect()
    };
    let [mut ours, mut imagetools, mut again, mut pushed] = [const { Runs(Vec::new()) }; 4];
    for turn in 0..=bench.runs {
        let first = bench.publish(&ours_in, "main", &names(turn, "ours"));
        let mut create = vec!["buildx".to_owned(), "imagetools".to_owned(), "create".to_owned()];
        create.extend(options(&names(turn, "imagetools")));
        create.push(format!("{theirs_in}:main"));
        let created = bench.docker(&create);
        let whole = bench.ours(&build).and(bench.publish(&ours_in, "main", &names(turn, "again")));
        let all = bench.buildx_with(&build, &options(&names(turn, "push")));
        if turn > 0 {
            ours.0.push(first);
            imagetools.0.push(created);
            again.0.push(whole);
            pushed.0.push(all);
        }
    }
    vec![
        Row::compared(
            "50 tags on an index that is there: a process each, beside `imagetools create`",
            ours,
            imagetools,
            Some(0.2),
            None,
        ),
        Row::compared(
            "the whole cached build, then 50 more tags by another process, beside one `build --push` with 50 `-t`",
            again,
            pushed,
            Some(0.3),
            None,
        ),
    ]
}

/// A Git tag on a commit whose image is there; each run's tag is new.
pub fn promotion(bench: &Bench) -> Vec<Row> {
    let build = written(bench, Build::new("promoted", "linux/arm64,linux/amd64", true));
    bench.whole_action(&build);
    let [mut contained, mut alone, mut nothing] = [const { Runs(Vec::new()) }; 3];
    let idle = ["run", "--rm", "docker-push-action:test", "--version"].map(str::to_owned);
    for turn in 0..=bench.runs {
        let at = |tag: String| {
            let event = Event::fixture("push-tag").replace("v1.2.3", &tag);
            Build { event: Some(event), ..build.clone() }
        };
        let (whole, process) =
            (bench.result(&at(format!("v1.2.{turn}")), image()), bench.native(&at(format!("v1.3.{turn}"))));
        let empty = bench.docker(&idle);
        if turn > 0 {
            nothing.0.push(empty);
        }
        for (result, runs) in [(whole, &mut contained), (process, &mut alone)] {
            assert_eq!(result.outputs["promoted"], "true", "{}", result.log());
            if turn > 0 {
                runs.0.push(Run { wall: result.duration, peak_kib: 0 });
            }
        }
    }
    vec![Row::absolute(
        "an image of two platforms promoted to a Git tag, as the runner starts it (a container that does nothing; our \
         process alone)",
        format!("{:.2} s ({:.2} s; {:.3} s)", contained.seconds(), nothing.seconds(), alone.seconds()),
        "≤ 1 s",
        contained.seconds() <= 1.0,
    )]
}

/// What the run waits for it, after all other facts are there.
pub fn preflight(bench: &Bench) -> Vec<Row> {
    let build = written(bench, Build::new("small", "linux/amd64", true));
    let build = Build { env: vec![("RUNNER_DEBUG", "1".to_owned())], ..build };
    let mut waits = Vec::new();
    for turn in 0..=bench.runs {
        let result = bench.native(&build);
        let waited = result.raw_lines.iter().find_map(|line| {
            line.split_once("waited ")?.1.strip_suffix(" ms for the registry")?.parse::<u64>().ok()
        });
        let waited = waited.unwrap_or_else(|| panic!("{}", result.raw_lines.join("\n")));
        if turn > 0 {
            waits.push(Run { wall: Duration::from_millis(waited), peak_kib: 0 });
        }
    }
    let waits = Runs(waits);
    let longest = waits.range().1;
    vec![Row::absolute(
        "how long a whole run waits for the look at the registry (the longest)",
        format!("{:.0} ms ({:.0} ms)", waits.seconds() * 1000.0, longest * 1000.0),
        "≤ 50 ms",
        waits.seconds() <= 0.05,
    )]
}
