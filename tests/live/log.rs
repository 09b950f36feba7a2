//! The log as a person reads it, from its first line to its last: what each line is, what is folded, what stands twice.

use crate::job::{DOCKERFILE, Job, published};
use crate::runner::log::Level;
use crate::runner::step::StepResult;
use std::collections::BTreeSet;

/// The lines between the marks of the runner's own, each with whether it is folded.
fn lines(result: &StepResult) -> Vec<(String, bool)> {
    let mut folded = false;
    let mut read = Vec::new();
    for line in &result.log_lines {
        if let Some(title) = line.strip_prefix("##[group]") {
            assert!(!folded, "a group in a group: {}", result.log());
            folded = true;
            read.push((title.to_owned(), false));
        } else if line.starts_with("##[endgroup]") {
            assert!(folded, "the end of no group: {}", result.log());
            folded = false;
        } else {
            read.push((line.clone(), folded));
        }
    }
    assert!(!folded, "{}", result.log());
    read
}

/// What stands open.
fn open(result: &StepResult) -> Vec<String> {
    lines(result).into_iter().filter(|(_, folded)| !folded).map(|(line, _)| line).collect()
}

/// The lines about steps: mark, and what stands behind it.
fn steps(lines: &[String]) -> Vec<(char, String)> {
    let of_step = |line: &String| {
        // The time takes eight columns, of characters that each are one byte.
        let (time, rest) = line.split_at_checked(8)?;
        let timed = time.ends_with([' ', 's', 'm', 'd']) && !time.starts_with(|c: char| c.is_alphabetic());
        let mut rest = rest.strip_prefix(' ')?.chars();
        let mark = rest.next().filter(|mark| timed && "✓✗-…│".contains(*mark))?;
        Some((mark, rest.as_str().trim().to_owned()))
    };
    lines.iter().filter_map(of_step).collect()
}

#[test]
fn one_platform_then_the_same_from_the_cache() {
    let dockerfile = "ARG BASE\nFROM ${BASE} AS build\nRUN <<END\nset -e\necho one heredoc\necho two\nEND\nRUN --network=none seq 1 40 && echo   done  \\\n    && true\nFROM ${BASE}\nCOPY --from=build /bin/busybox /copied\n";
    let job = Job::alone("log-one", &[("Dockerfile", dockerfile)]).input("platform", "linux/amd64");
    let first = job.run();
    published(&first);
    let read = lines(&first);
    let shown = open(&first);
    // What was printed is folded below the line of the step that printed it, which is there once.
    for (step, words) in [("build 3/3", "RUN seq 1 40 && echo done && true"), ("build 2/3", "RUN set -e…")]
    {
        let titles: Vec<_> = shown.iter().filter(|line| line.contains(words)).collect();
        assert_eq!(titles.len(), 1, "{words}: {}", first.log());
        assert!(titles[0].contains(step) && !titles[0].contains("linux/amd64"), "{titles:?}");
    }
    assert!(read.iter().any(|(line, folded)| *folded && line.ends_with("s │ 40")), "{}", first.log());
    assert!(!shown.iter().any(|line| line.contains("│")), "{shown:?}");
    assert!(!shown.iter().any(|line| line.contains("[internal]") || line.contains("docker.io/library/")));
    for line in shown.iter().filter(|line| !steps(std::slice::from_ref(line)).is_empty()) {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(shown.last().unwrap().starts_with("✓ pushed log-one:main in "), "{shown:?}");

    let again = job.run();
    published(&again);
    let cached = open(&again).iter().filter(|line| line.starts_with("  cached ✓ ")).count();
    let on_own_builder = crate::builder::goes_with_its_step();
    assert!(cached >= 3 || on_own_builder, "{}", again.log());
    // That all is as it was is no reason to say less.
    let tags = |result: &StepResult| -> BTreeSet<String> {
        let tags: BTreeSet<String> = result.outputs["tags"].lines().map(str::to_owned).collect();
        for reference in &tags {
            let tag = reference.rsplit(':').next().unwrap_or_default();
            let line = format!("✓ {reference}");
            let said = open(result)
                .iter()
                .any(|said| *said == line || *said == format!("{line} (was there already)"));
            assert!(said, "{reference}: {}", result.log());
            assert!(result.summary.contains(&format!("`{tag}`")), "{tag}: {}", result.summary);
        }
        tags
    };
    assert_eq!(tags(&first).len(), 3, "{:?}", first.outputs);
    assert_eq!(tags(&first), tags(&again));
    for output in ["tag_names", "tag", "pushed", "held_back", "image"] {
        assert_eq!(first.outputs.get(output), again.outputs.get(output), "{output}");
    }
}

#[test]
fn two_platforms_say_which() {
    let job = Job::alone("log-two", &[("Dockerfile", DOCKERFILE), ("greeting", "hello\n")])
        .input("no_cache", "true");
    let result = job.run();
    published(&result);
    let told = steps(&open(&result));
    for platform in ["amd64 2/3", "arm64 2/3"] {
        let of_it: Vec<_> = told.iter().filter(|(_, line)| line.starts_with(platform)).collect();
        assert_eq!(of_it.len(), 1, "{platform}: {}", result.log());
        assert!(
            of_it[0].1.contains("RUN echo built for $TARGETARCH")
                || of_it[0].1.contains("RUN echo built for")
        );
    }
    // In columns: the commands of all steps of the Dockerfile begin at the same one.
    let columns: BTreeSet<usize> = open(&result)
        .iter()
        .filter(|line| line.contains("64 "))
        .filter_map(|line| {
            line.find("  RUN ").or_else(|| line.find("  COPY ")).or_else(|| line.find("  FROM "))
        })
        .collect();
    assert_eq!(columns.len(), 1, "{}", result.log());
}

#[test]
fn what_failed_is_open() {
    let dockerfile =
        "ARG BASE\nFROM ${BASE}\nRUN echo fine\nRUN seq 1 30; sleep 1; echo the cause >&2; exit 3\n";
    let job = Job::new("log-failed", &[("Dockerfile", dockerfile)])
        .input("platform", "linux/amd64")
        .input("no_cache", "true");
    let result = job.run();
    assert!(!result.success);
    // Columns are as wide as another build's name of a step that the two share.
    let squeezed = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: Vec<String> = open(&result).iter().map(squeezed).collect();
    let at = |wanted: &dyn Fn(&str) -> bool| shown.iter().position(|line| wanted(line));
    let first = at(&|line| line.ends_with(" │ 3/3 1")).unwrap_or_else(|| panic!("{}", result.log()));
    let cause = at(&|line| line.ends_with(" │ 3/3 the cause")).unwrap_or_else(|| panic!("{}", result.log()));
    let end = at(&|line| line.contains(" ✗ 3/3 RUN seq 1 30;") && line.ends_with(": exit code 3"));
    let error = at(&|line| line.starts_with("##[error]"));
    assert!(first < cause && Some(cause) < end && end < error, "{}", result.log());
}

/// Three stages at once, two of which go on for longer than output waits.
#[test]
fn stages_that_run_at_once_are_told_apart() {
    let slow = |name: &str| {
        format!(
            "FROM ${{BASE}} AS {name}\nRUN for i in $(seq 1 14); do echo {name} $i; sleep 1; done; touch /{name}\n"
        )
    };
    let dockerfile = format!(
        "ARG BASE\n{}{}FROM ${{BASE}} AS short\nRUN echo short words; touch /short\nFROM ${{BASE}}\nCOPY --from=one /one /\nCOPY --from=two /two /\nCOPY --from=short /short /\n",
        slow("one"),
        slow("two")
    );
    let job = Job::new("log-stages", &[("Dockerfile", &dockerfile)])
        .input("platform", "linux/amd64")
        .input("no_cache", "true");
    let result = job.run();
    published(&result);
    let shown = open(&result);
    for stage in ["one", "two"] {
        for number in 1..=14 {
            let line = format!("{stage} {number}");
            let said: Vec<_> = shown.iter().filter(|it| it.contains('│') && it.ends_with(&line)).collect();
            assert_eq!(said.len(), 1, "{line}: {}", result.log());
            assert!(said[0].contains(&format!("│ {stage} ")), "{said:?}");
        }
        // Once when it begins to be shown, once when it ends.
        let told = shown
            .iter()
            .filter(|it| it.contains("RUN for i in") && it.contains(&format!(" {stage} ")))
            .count();
        assert_eq!(told, 2, "{}", result.log());
    }
    let short: Vec<_> = result.groups.iter().filter(|group| group.name.contains("RUN echo short")).collect();
    assert_eq!(short.len(), 1, "{:?}", result.groups);
    let titles: BTreeSet<_> = result.groups.iter().map(|group| &group.name).collect();
    assert_eq!(titles.len(), result.groups.len(), "{:?}", result.groups);
}

#[test]
fn a_context_that_nobody_wants_is_told_with_what_leaves_it_out() {
    let dockerfile = "ARG BASE=busybox\nFROM ${BASE}\nCOPY . /src\n";
    let job =
        Job::alone("log-large", &[("Dockerfile", dockerfile), (".dockerignore", ".git\n"), ("web/a", "a")])
            .input("platform", "linux/amd64")
            .input("push", "false");
    let workspace = job.machine.workspace();
    for (path, size) in
        [("node_modules/a/big", 61_000_000), ("web/node_modules/b", 41_000_000), ("web/c", 2_000_000)]
    {
        let path = workspace.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create(&path).unwrap().set_len(size).unwrap();
    }
    job.machine.own();
    let result = job.run();
    assert!(result.success, "{}", result.log());
    lines(&result);
    let warnings = result.of(Level::Warning);
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}\n{}", result.log()) };
    let said = &warning.message;
    assert!(said.starts_with("the build context is large: 104.0 MB in "), "{said}");
    assert!(
        said.contains("most is in `**/node_modules` (102.0 MB in 2 files), `web` (2.0 MB in 2 files)"),
        "{said}"
    );
    assert!(said.ends_with("this line in `.dockerignore` leaves them out: `**/node_modules`"), "{said}");

    // With that line there is nothing to say; nor of what the builder has already, or no step copies.
    std::fs::write(workspace.join(".dockerignore"), ".git\n**/node_modules\n").unwrap();
    let result = job.run();
    assert!(result.success && result.of(Level::Warning).is_empty(), "{}", result.log());
}
