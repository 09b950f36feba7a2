//! `mode: stage`: images that are pushed without a tag, tested or scanned by the workflow, and tagged by `mode: tag` when they
//! are good. Registries and builders are real.

use crate::job::{Job, parts};
use crate::order::good;
use crate::runner::log::Level;
use crate::runner::parts::docker;
use crate::runner::step::StepResult;
use serde_json::Value;

/// A job that stages an image.
fn staging(name: &str) -> Job {
    Job::usual(name).without("tags").input("platform", "linux/arm64,linux/amd64").input("mode", "stage")
}

/// The job after it, which tags what that has staged.
fn tagging(job: Job, staged: &StepResult) -> Job {
    let from = &staged.outputs["reference"];
    job.without("platform").input("mode", "tag").input("from", from)
}

fn record_of(staged: &StepResult) -> String {
    format!("stage-image-{}", &staged.outputs["digest"]["sha256:".len()..][..12])
}

fn digest(job: &Job, tag: &str) -> Option<String> {
    parts().open_registry().manifest(&job.repository(), tag).map(|found| found.digest)
}

#[test]
fn nothing_bad_gets_a_tag_and_what_is_good_gets_all() {
    let job = staging("staging-scan");
    let sha = job.origin.rev("main");
    // What people pull, of an earlier run.
    let usual = Job::usual("staging-scan").input("platform", "linux/amd64").input("tags", "main\nlatest");
    let before = good(usual.native().run());
    let untouched = || {
        for tag in ["main", "latest"] {
            assert_eq!(digest(&job, tag).as_ref(), Some(&before.outputs["digest"]), "{tag}");
        }
    };
    // In its container, from which the registry on the host's loopback is another way.
    let staged = good(job.run());
    assert_eq!(staged.of(Level::Warning).len(), 0, "{}", staged.log());
    let of = |name: &str| staged.outputs[name].as_str();
    assert_eq!((of("tags"), of("tag_names"), of("tag"), of("pushed")), ("", "", "", "true"));
    assert_eq!(of("reference"), format!("{}/{}@{}", parts().localhost(), job.repository(), of("digest")));
    assert!(staged.log().contains(&format!("staged {} (linux/arm64 ", of("reference"))), "{}", staged.log());
    assert!(staged.summary.starts_with("### ✅ Staged"), "{}", staged.summary);
    untouched();
    // The workflow's own test, of the very bytes that will be tagged, which fails; and one that does not.
    let run = |command: &[&str]| {
        let staged = staged.outputs["reference"].as_str();
        docker(&[&["run", "--rm", "--entrypoint", "/bin/busybox", staged], command].concat())
    };
    assert!(std::panic::catch_unwind(|| run(&["false"])).is_err());
    untouched();
    run(&["true"]);
    let records = [record_of(&staged), format!("stage-commit-{sha}-")];
    let recorded = |job: &Job| {
        let tags = job.tags();
        records.iter().map(|name| tags.iter().filter(|tag| tag.starts_with(name)).count()).collect::<Vec<_>>()
    };
    assert_eq!(recorded(&job), [1, 1], "{:?}", job.tags());

    let job = tagging(job, &staged);
    let tagged = good(job.native().run());
    for tag in [&format!("{sha}-main"), "main", "latest"] {
        assert_eq!(digest(&job, tag).as_ref(), Some(&staged.outputs["digest"]), "{tag}");
    }
    assert_eq!(recorded(&job), [0, 0], "{:?}\n{}", job.tags(), tagged.log());
    // Once more, and nothing is said of what was staged.
    good(job.native().run());
}

/// Two variants in one run, each with tags of its own; one of them is no good.
#[test]
fn variants_of_a_matrix() {
    let variant = |suffix: &str| {
        let tags = format!("type=ref,event=branch,suffix=-{suffix}");
        staging("staging-variants").input("platform", "linux/amd64").input("tags", &tags)
    };
    let (alpine, debian) = (variant("alpine"), variant("debian").input("labels", "variant=debian"));
    let (first, second) = (good(alpine.native().run()), good(debian.native().run()));
    assert_ne!(first.outputs["digest"], second.outputs["digest"]);
    let tagged = tagging(alpine, &first);
    good(tagged.native().run());
    let mut tags = tagged.tags();
    tags.retain(|tag| !tag.starts_with("stage-commit-"));
    assert_eq!(tags, ["main-alpine".to_owned(), record_of(&second)]);
}

#[test]
fn what_was_never_tagged_is_named_by_the_next_run_of_the_commit() {
    let mut job = staging("staging-left").input("platform", "linux/amd64");
    let first = good(job.native().run());
    let named = |result: &StepResult| {
        let of = |note: &&&crate::runner::log::Annotation| note.message.contains("it never got its tags");
        result.of(Level::Notice).iter().find(of).map(|note| note.message.clone())
    };
    assert_eq!(named(&first), None);
    // The same image is no other. A builder that is gone with its step has no cache to make the same of.
    let again = good(job.native().run());
    let same = again.outputs["digest"] == first.outputs["digest"];
    assert_eq!(named(&again).is_none(), same, "{}", again.log());
    let first = again;
    job.machine.run += 1;
    let job = job.input("labels", "fixed=yes");
    let next = good(job.native().run());
    let said = named(&next).unwrap_or_else(|| panic!("{}", next.log()));
    assert!(said.contains(&first.outputs["reference"]) && said.contains(&record_of(&first)), "{said}");
    // Both are there; what is tagged is not named again.
    let mut job = tagging(job, &next);
    good(job.native().run());
    job.machine.run += 1;
    let last =
        job.without("from").input("mode", "stage").input("platform", "linux/amd64").input("labels", "b=2");
    assert_eq!(named(&good(last.native().run())), None);
}

/// What cannot get its version's tag is not even built.
#[test]
fn a_version_of_another_commit_ends_it_before_the_build() {
    let mut job = staging("staging-version").input("platform", "linux/amd64").input("version", "1.2.3");
    let released = good(job.native().run());
    let tagged = tagging(job, &released);
    good(tagged.native().run());
    job = tagged.without("from").input("mode", "stage").input("platform", "linux/amd64");
    // Of the same commit it is the result.
    let kept = good(job.native().run());
    assert_eq!(
        (&kept.outputs["digest"], kept.outputs["promoted"].as_str()),
        (&released.outputs["digest"], "true")
    );
    assert!(!job.tags().contains(&record_of(&kept)), "a tag keeps it: {:?}", job.tags());
    job.origin.write("greeting", "two sizes\n");
    let newer = job.origin.commit("Sell them in two");
    job.check_out("refs/heads/main", 1);
    job.event =
        crate::runner::event::Event::fixture("push-branch").replace(crate::runner::event::TIP, &newer);
    let taken = job.native().run();
    assert!(taken.errors().contains("the version's tag `v1.2.3` exists already"), "{}", taken.errors());
    assert!(!taken.summary.contains("load build definition"), "{}", taken.log());
}

/// In a run that pushes nothing there is nothing to stage, and nothing to tag.
#[test]
fn a_fork_stages_nothing() {
    let mut job = staging("staging-fork").input("platform", "linux/amd64");
    job.event = job.event_of("pull_request-fork");
    let kept = good(job.native().run());
    assert_eq!((kept.outputs["reference"].as_str(), kept.outputs["pushed"].as_str()), ("", "false"));
    assert_eq!(job.tags(), Vec::<String>::new());
    let plan: Value = serde_json::from_str(&kept.outputs["plan"]).unwrap();
    assert_eq!((&plan["mode"], &plan["push"]), (&"stage".into(), &false.into()));
    good(tagging(job, &kept).native().run());
}
