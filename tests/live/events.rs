//! The table of events: which tags, and whether they are pushed. Dry runs of the binary; the plan is in an output.

use crate::job::{Job, parts};
use crate::runner::event::{Event, FORK, HEAD, MERGE, QUEUE};
use crate::runner::github_api::GithubApi;
use crate::runner::step::StepResult;
use serde_json::Value;

/// What a row of the table says.
enum Expected {
    /// These tags, pushed or not.
    Tags(&'static [&'static str], bool),
    /// Nothing to do, and a step that succeeds.
    Nothing,
}
use Expected::{Nothing, Tags};

const MAIN: &[&str] = &["{tip}-main", "main", "latest"];
const VERSION: &[&str] = &["{tip}-v1.2.3", "v1.2.3"];

/// The case, the ref that is checked out, what comes of it.
const TABLE: &[(&str, &str, Expected)] = &[
    ("push-branch", "refs/heads/main", Tags(MAIN, true)),
    ("push-tag", "refs/tags/v1.2.3", Tags(VERSION, true)),
    ("push-deleted", "refs/heads/main", Nothing),
    ("push-tag-deleted", "refs/heads/main", Nothing),
    ("pull_request", "refs/pull/42/merge", Tags(&["{head}-pr-42", "pr-42"], true)),
    ("pull_request-fork", "refs/pull/43/merge", Tags(&["{fork}-pr-43", "pr-43"], false)),
    ("pull_request-fork-gone", "refs/pull/43/merge", Tags(&["{fork}-pr-43", "pr-43"], false)),
    ("pull_request-dependabot", "refs/pull/42/merge", Tags(&["{head}-pr-44", "pr-44"], false)),
    ("pull_request-closed", "refs/heads/main", Nothing),
    ("pull_request-closed-unmerged", "refs/pull/42/merge", Nothing),
    ("pull_request_target", "refs/pull/42/merge", Tags(&["{head}-pr-42", "pr-42"], false)),
    ("pull_request_target-fork", "refs/pull/43/merge", Tags(&["{fork}-pr-43", "pr-43"], false)),
    // What is built by default has nothing of the pull request: no commit of it is named.
    ("pull_request_target", "refs/heads/main", Tags(&["pr-42"], false)),
    ("pull_request_target-fork", "refs/heads/main", Tags(&["pr-43"], false)),
    ("merge_group", "refs/heads/queue", Tags(&["{queue}-queue"], false)),
    ("release-published", "refs/tags/v1.2.3", Tags(VERSION, true)),
    ("release-released", "refs/tags/v1.2.3", Tags(VERSION, true)),
    ("release-prereleased", "refs/tags/v1.3.0-rc.1", Tags(&["{tip}-v1.3.0-rc.1", "v1.3.0-rc.1"], true)),
    ("release-created", "refs/tags/v1.2.3", Tags(VERSION, true)),
    ("release-edited", "refs/tags/v1.2.3", Nothing),
    ("release-deleted", "refs/tags/v1.2.3", Nothing),
    ("schedule", "refs/heads/main", Tags(MAIN, true)),
    ("schedule-with-repository", "refs/heads/main", Tags(MAIN, true)),
    ("workflow_dispatch", "refs/heads/main", Tags(MAIN, true)),
    ("workflow_dispatch-tag", "refs/tags/v1.2.3", Tags(VERSION, true)),
    ("repository_dispatch", "refs/heads/main", Tags(MAIN, true)),
    ("workflow_run-push", "refs/heads/main", Tags(&["{tip}-release-2.x", "release-2.x"], true)),
    ("workflow_run-pull_request", "refs/heads/feature/Bigger_Boxes", Tags(&["{head}-pr-42", "pr-42"], false)),
    ("delete-branch", "refs/heads/main", Nothing),
    ("delete-tag", "refs/heads/main", Nothing),
    ("create-tag", "refs/tags/v1.2.3", Tags(VERSION, false)),
    ("deployment", "refs/heads/main", Tags(MAIN, false)),
];

/// Everything that the fixtures name, in one repository.
struct World {
    job: Job,
    head: String,
    fork: String,
    merge: String,
    queue: String,
}

fn world(name: &str) -> World {
    let mut job = Job::usual(name).input("dry_run", "true");
    job.machine.api_url = GithubApi::start("127.0.0.1", job.origin.path()).url;
    let origin = &job.origin;
    // Where the run before a workflow_run was.
    origin.git(&["branch", "release/2.x"]);
    origin.tag("v1.2.3", Some("Two sizes"));
    origin.tag("v1.3.0-rc.1", None);
    let mut made = Vec::new();
    for (branch, number) in [("feature/Bigger_Boxes", 42), ("theirs", 43)] {
        origin.branch(branch);
        origin.write("greeting", branch);
        made.push(origin.commit(branch));
        origin.branch("main");
        made.push(origin.pull_request(number, branch));
    }
    origin.branch("queue");
    let queue = origin.merge("feature/Bigger_Boxes");
    origin.branch("main");
    World { head: made[0].clone(), merge: made[1].clone(), fork: made[2].clone(), queue, job }
}

impl World {
    fn run(&mut self, case: &str, reference: &str) -> StepResult {
        self.job.event = self.event(case);
        self.job.check_out(reference, 1);
        self.job.native().run()
    }

    fn event(&self, case: &str) -> Event {
        let merge = if case.contains("fork") {
            self.job.origin.rev("refs/pull/43/merge")
        } else {
            self.merge.clone()
        };
        self.job
            .event_of(case)
            .replace(HEAD, &self.head)
            .replace(FORK, &self.fork)
            .replace(MERGE, &merge)
            .replace(QUEUE, &self.queue)
    }

    fn fill(&self, tag: &str) -> String {
        let tip = self.job.origin.rev("main");
        [("{tip}", &tip), ("{head}", &self.head), ("{fork}", &self.fork), ("{queue}", &self.queue)]
            .into_iter()
            .fold(tag.to_owned(), |tag, (name, sha)| tag.replace(name, sha))
    }
}

/// The plan's tags, sorted, and whether they would be pushed.
fn planned(result: &StepResult) -> Option<(Vec<String>, bool)> {
    let plan: Value = serde_json::from_str(result.outputs.get("plan")?).expect("the plan is JSON");
    let tags = plan["tags"].as_array().expect("a list of tags");
    let mut tags: Vec<String> =
        tags.iter().map(|tag| tag["tag"].as_str().expect("a tag").to_owned()).collect();
    tags.sort();
    Some((tags, plan["push"].as_bool().expect("push or not")))
}

#[test]
fn every_event_has_its_tags() {
    let mut world = world("events");
    let mut faults = Vec::new();
    for (case, reference, expected) in TABLE {
        let result = world.run(case, reference);
        let seen = planned(&result);
        let expected = match expected {
            Nothing => None,
            Tags(tags, push) => {
                let mut tags: Vec<String> = tags.iter().map(|tag| world.fill(tag)).collect();
                tags.sort();
                Some((tags, *push))
            }
        };
        if !result.success || seen != expected {
            faults.push(format!("{case}: {seen:?} instead of {expected:?}\n{}", result.log()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn the_default_branch_is_never_a_pull_requests_tag() {
    let mut world = world("privileged");
    for case in ["pull_request_target", "pull_request_target-fork", "issue_comment", "workflow_run-fork"] {
        for push in ["auto", "true"] {
            world.job.inputs.insert("push".to_owned(), push.to_owned());
            let result = world.run(case, "refs/heads/main");
            for forbidden in ["main", "latest"] {
                let names = result.outputs.get("tag_names").map_or("", String::as_str);
                assert!(names.lines().all(|tag| tag != forbidden), "{case}: {names}");
            }
            if push == "auto" {
                assert_ne!(planned(&result).map(|plan| plan.1), Some(true), "{case}");
            }
        }
    }
}

#[test]
fn a_git_tag_that_is_called_as_a_branch_does_not_move_the_branchs_tags() {
    let mut world = world("namesake");
    let run = |world: &mut World| planned(&world.run("workflow_run-push", "refs/heads/at"));
    let tip = world.job.origin.rev("main");
    world.job.origin.git(&["branch", "-f", "at", &tip]);
    let both = vec![format!("{tip}-release-2.x"), "release-2.x".to_owned()];
    assert_eq!(run(&mut world), Some((both, true)));
    // The commit is on no branch of that name, or there is no such branch.
    let only = Some((vec![format!("{tip}-release-2.x")], true));
    world.job.origin.git(&["branch", "-f", "release/2.x", "main~1"]);
    assert_eq!(run(&mut world), only);
    world.job.origin.git(&["branch", "-D", "release/2.x"]);
    world.job.origin.git(&["tag", "release/2.x", "main"]);
    assert_eq!(run(&mut world), only);
    // Nobody can say so.
    world.job.machine.api_url = "http://127.0.0.1:1".into();
    assert_eq!(run(&mut world), only);
    // And by its own push.
    world.job.event = world.event("push-tag").replace("v1.2.3", "main");
    world.job.check_out("refs/heads/at", 1);
    let result = world.job.native().run();
    assert_eq!(planned(&result), Some((vec![format!("{tip}-main")], true)), "{}", result.log());
}

#[test]
fn names_that_belong_to_others_are_not_taken() {
    let mut world = world("names");
    for branch in ["latest", "Latest", "v1.2.3", "pr-7", "1.2.3"] {
        world.job.origin.branch(branch);
        world.job.origin.branch("main");
        world.job.event =
            world.event("push-branch").replace("refs/heads/main", &format!("refs/heads/{branch}"));
        world.job.check_out(&format!("refs/heads/{branch}"), 1);
        let result = world.job.native().run();
        let tip = world.job.origin.rev("main");
        let only = format!("{tip}-{}", branch.to_lowercase());
        assert_eq!(planned(&result), Some((vec![only], true)), "{branch}: {}", result.log());
        assert!(!result.annotations.is_empty(), "{branch}: a warning says so");
    }
}

#[test]
fn a_checkout_of_something_else_gets_its_commit_tag_only() {
    let mut world = world("elsewhere");
    // A workflow that checks an older commit out than the one that was pushed.
    world.job.event = world.event("push-branch");
    let older = world.job.origin.rev("main~1");
    world.job.origin.git(&["branch", "older", &older]);
    world.job.check_out("refs/heads/older", 1);
    // The usual Dockerfile came later.
    world.job.machine.workspace();
    std::fs::write(world.job.machine.workspace().join("Dockerfile"), crate::job::DOCKERFILE).unwrap();
    let result = world.job.native().run();
    assert_eq!(planned(&result), Some((vec![format!("{older}-main")], true)), "{}", result.log());
    assert!(!result.annotations.is_empty(), "a warning says so");
}

#[test]
fn a_pull_request_is_really_pushed_under_its_own_names() {
    let parts = parts();
    let (job, head, merge) = Job::usual("pull").pull_request("pull_request", 42, "feature/Bigger_Boxes");
    let job = job.input("version", "v9.9.9").input("platform", "linux/amd64");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let mut tags = vec![format!("{head}-pr-42"), "pr-42".to_owned()];
    tags.sort();
    assert_eq!(job.tags(), tags, "the version is reported, not tagged");
    assert_eq!(result.outputs["version"], "9.9.9");
    let platforms = parts.open_registry().platforms(&job.repository(), "pr-42");
    let labels = &platforms["linux/amd64"].config["config"]["Labels"];
    assert_eq!(
        labels["org.opencontainers.image.revision"],
        merge.as_str(),
        "what was built: the merge commit"
    );
}

#[test]
fn a_fork_is_built_and_not_pushed() {
    let (job, ..) = Job::usual("fork").pull_request("pull_request-fork", 43, "theirs");
    let job = job.input("platform", "linux/amd64");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert_eq!(job.tags(), Vec::<String>::new());
    assert_eq!(result.outputs["pushed"], "false");
    assert!(result.log().contains("COPY greeting"), "it was built: {}", result.log());
}
