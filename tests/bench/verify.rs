//! What `verify` costs: the same build, pushed, with one line and without, in turn. The image is there by its digest; the daemon
//! pulls it, runs the line and forgets it.

use crate::measure::{Bench, Build, Runs, SMALL};
use crate::table::Row;

/// A line that takes ten milliseconds.
pub fn of_ten_milliseconds(bench: &Bench) -> Vec<Row> {
    let build = Build::new("verified", "linux/amd64", true);
    std::fs::create_dir_all(bench.context(&build)).expect("a directory of ours");
    for (name, text) in [("Dockerfile", SMALL), ("greeting", "hello\n")] {
        std::fs::write(bench.context(&build).join(name), text).expect("a file of ours");
    }
    let verified = Build { inputs: vec![("verify", "usleep 10000".to_owned())], ..build.clone() };
    let by_hand = ["run", "--rm", "--quiet", &bench.parts.base, "usleep", "10000"].map(str::to_owned);
    let [mut with, mut without, mut run] = [const { Runs(Vec::new()) }; 3];
    for turn in 0..=bench.runs {
        let (pair, container) = ((bench.ours(&build), bench.ours(&verified)), bench.docker(&by_hand));
        if turn > 0 {
            without.0.push(pair.0);
            with.0.push(pair.1);
            run.0.push(container);
        }
    }
    let cost = with.seconds() - without.seconds();
    vec![Row::absolute(
        "`verify` of an image that runs for 10 ms, beside the same build without (`docker run` of one that is there)",
        format!(
            "{:.2} s beside {:.2} s: {cost:+.2} s ({:.2} s)",
            with.seconds(),
            without.seconds(),
            run.seconds()
        ),
        "≤ +0.6 s",
        cost <= 0.6,
    )]
}
