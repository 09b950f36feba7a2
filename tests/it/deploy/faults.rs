//! A GitHub in trouble, and others who write at the same time.

use std::process::Command;
use std::sync::mpsc::channel;

use super::world::{Deployment, SHOP, action, always, good};
use crate::github_server::Fault;
use crate::github_server::pull::Pull;
use crate::legs::world::Ended;

/// One pull request, and nothing left over.
fn is_whole(deployment: &Deployment, ended: &Ended) {
    let open: Vec<_> = deployment.infra.pulls().into_iter().filter(Pull::is_open).collect();
    assert_eq!(open.len(), 1, "{}", ended.log);
    assert!(!deployment.infra.branches().iter().any(|branch| branch.contains("scratch")), "{}", ended.log);
    assert_eq!(deployment.github.pending(), Vec::<String>::new(), "{}", ended.log);
}

#[tokio::test]
async fn every_call_may_be_cut_before_and_after_its_effect() {
    let calls = [
        "query Branches acme/infra",
        "POST /repos/acme/infra/git/refs",
        "createCommitOnBranch acme/infra",
        "updateRefs acme/infra",
        "POST /repos/acme/infra/pulls",
    ];
    let Some(deployment) = Deployment::start().await else { return };
    let mut minor = 0;
    for call in calls {
        for fault in [Fault::Cut, Fault::CutAfter, Fault::server_error(502), Fault::server_error(500).after()]
        {
            // Each on a pull request of its own.
            for pull in deployment.infra.pulls().iter().filter(|pull| pull.is_open()) {
                deployment.infra.close(pull.number);
            }
            minor += 1;
            let release = deployment.release(&format!("v1.{minor}.0")).await;
            deployment.github.fault(call, 1, fault.clone());
            let ended = good(deployment.run(&release, SHOP));
            is_whole(&deployment, &ended);
            let pull = deployment.infra.pulls().pop().unwrap();
            let tag = release.version.unwrap();
            assert_eq!(pull.title, format!("Deploy api {tag} to apps/shop"), "{call} {fault:?}");
            assert!(deployment.file(&pull.head).contains(&format!("newTag: {tag}\n")), "{call} {fault:?}");
        }
    }
}

#[tokio::test]
async fn limits_are_waited_for_as_long_as_they_say() {
    let Some(deployment) = Deployment::start().await else { return };
    deployment.github.fault("GET /repos/acme/infra/contents/*", 1, Fault::secondary_limit(403, Some(1)));
    deployment.github.fault("POST /repos/acme/infra/git/refs", 1, Fault::secondary_limit(429, Some(1)));
    deployment.github.fault("createCommitOnBranch acme/infra", 1, Fault::graphql_limit(1));
    deployment.github.fault("POST /repos/acme/infra/pulls", 1, Fault::primary_limit(1));
    let ended = good(deployment.run(&deployment.release("v1.1.0").await, SHOP));
    is_whole(&deployment, &ended);
    assert_eq!(ended.log.matches("trying again in ").count(), 4, "{}", ended.log);
    // Nobody waits an hour.
    deployment.github.fault("query Repository acme/infra", 1, Fault::graphql_limit(3000));
    let ended = deployment.run(&deployment.release("v1.2.0").await, SHOP);
    assert!(!ended.success, "{}", ended.log);
    assert!(ended.log.contains("GitHub takes requests again in "), "{}", ended.log);
}

#[tokio::test]
async fn an_event_that_may_have_arrived_is_not_sent_again() {
    let Some(deployment) = Deployment::start().await else { return };
    let deploy = "- { repository: acme/infra, kind: dispatch }";
    let release = deployment.release("v1.1.0").await;
    deployment.github.fault("POST /repos/acme/infra/dispatches", 1, Fault::CutAfter);
    assert!(!deployment.run(&release, deploy).success);
    assert_eq!(deployment.infra.dispatches().len(), 1);
    // One that was refused for a limit has not.
    deployment.github.fault("POST /repos/acme/infra/dispatches", 1, Fault::secondary_limit(429, Some(1)));
    good(deployment.run(&release, deploy));
    assert_eq!(deployment.infra.dispatches().len(), 2);
}

#[tokio::test]
async fn another_run_moves_the_branch_first() {
    let Some(deployment) = Deployment::start().await else { return };
    let (one, two) = (deployment.release("v1.1.0").await, deployment.release("v1.2.0").await);
    let three = deployment.release("v1.3.0").await;
    good(deployment.run(&one, SHOP));
    let head = deployment.infra.pull(1).head;
    // A newer one, between this run's look and its move: as the other run would, on a commit off the base.
    let (other, branch, text) =
        (deployment.infra.clone(), head.clone(), deployment.file(&head).replace("v1.1.0", "v1.3.0"));
    deployment.github.before("updateRefs acme/infra", 1, move || {
        let base = other.head("main").unwrap();
        other.reset(&branch, &base);
        other.push(&branch, "Another run", &[(super::FILE, &text)]);
    });
    let ended = good(deployment.run(&two, SHOP));
    // Such a reset has closed the pull request, as its head was its base for a moment: what is on the branch counts.
    assert_eq!(action(&ended), "held_back", "{}", ended.log);
    assert!(deployment.file(&head).contains("newTag: v1.3.0\n"), "{}", deployment.file(&head));
    is_whole(&deployment, &ended);
    let ended = good(deployment.run(&three, SHOP));
    assert!(deployment.file(&head).contains(three.digest.as_str()), "{}", ended.log);
}

#[tokio::test]
async fn two_runs_at_the_same_time() {
    let Some(deployment) = Deployment::start().await else { return };
    let deployment = std::sync::Arc::new(deployment);
    let shop = always(SHOP);
    let mut runs = Vec::new();
    for number in 1..=4 {
        runs.push(deployment.release(&format!("v1.{number}.0")).await);
    }
    let threads: Vec<_> = runs
        .into_iter()
        .map(|build| {
            let (deployment, shop) = (std::sync::Arc::clone(&deployment), shop.clone());
            std::thread::spawn(move || deployment.run_apart(&build, &shop))
        })
        .collect();
    for thread in threads {
        let ended = thread.join().unwrap();
        assert!(ended.success, "{}", ended.log);
    }
    let open: Vec<_> = deployment.infra.pulls().into_iter().filter(Pull::is_open).collect();
    assert_eq!(open.len(), 1);
    assert!(
        deployment.file(&open[0].head).contains("newTag: v1.4.0\n"),
        "{}",
        deployment.file(&open[0].head)
    );
    assert_eq!(open[0].title, "Deploy api v1.4.0 to apps/shop");
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_leaves_no_scratch_branch() {
    let Some(deployment) = Deployment::start().await else { return };
    let release = deployment.release("v1.1.0").await;
    let (tell, pid) = channel::<u32>();
    // Once the scratch branch has its commit.
    deployment.github.before("updateRefs acme/infra", 1, move || {
        let pid = pid.recv().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    });
    deployment.github.always("updateRefs acme/infra", Fault::server_error(502));
    let login = [("deploy_token", deployment.token.as_str())];
    let child = deployment.start_in(&deployment.world, &release, SHOP, &login);
    tell.send(child.id()).unwrap();
    let ended = deployment.world.end(child);
    assert!(!ended.success && ended.log.contains("cancelled by SIGTERM"), "{}", ended.log);
    assert_eq!(deployment.infra.branches(), ["main"], "{}", ended.log);
    assert_eq!(ended.outputs["pushed"], "true", "the image is out, and that is said");
    assert_eq!(deployment.infra.pulls().len(), 0);
}

#[tokio::test]
async fn what_a_killed_run_left_is_removed_once_nobody_works_on_it() {
    let Some(deployment) = Deployment::start().await else { return };
    let release = deployment.release("v1.1.0").await;
    let (tell, pid) = channel::<u32>();
    deployment.github.before("updateRefs acme/infra", 1, move || {
        let pid = pid.recv().unwrap().to_string();
        assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    });
    deployment.github.fault("updateRefs acme/infra", 1, Fault::Cut);
    let login = [("deploy_token", deployment.token.as_str())];
    let child = deployment.start_in(&deployment.world, &release, SHOP, &login);
    tell.send(child.id()).unwrap();
    assert!(!deployment.world.end(child).success);
    let left = deployment.infra.branches();
    assert!(left.len() == 2 && left[0].starts_with("docker-push-action/scratch/"), "{left:?}");
    // Another run's of an hour ago, one of last week, and one that somebody has made.
    let ago = |seconds: i64| jiff::Timestamp::now().as_second() - seconds;
    let scratch = |name: &str| format!("docker-push-action/scratch/{name}");
    let (live, old) =
        (scratch(&format!("{}-9-1-ab", ago(3600))), scratch(&format!("{}-8-1-cd", ago(604_800))));
    let hand = scratch("by-hand");
    for branch in [&live, &old, &hand] {
        deployment.infra.push(branch, "Work", &[("work", branch)]);
    }
    deployment.github.calls();
    // The same attempt again has no reason to think that the first one is gone.
    let ended = good(deployment.run(&release, SHOP));
    let mut expected =
        vec![left[0].clone(), live.clone(), hand.clone(), deployment.infra.pull(1).head, "main".into()];
    expected.sort();
    assert_eq!(deployment.infra.branches(), expected, "{}", ended.log);
    let calls = deployment.calls_to("acme/infra");
    assert_eq!(calls.len(), 8, "its end, and nothing else, is one more: {calls:#?}");
    // Another attempt of the run knows it, also where it has nothing to write.
    let child = deployment.start_attempt(2, &deployment.world, &release, SHOP, &login);
    let ended = good(deployment.world.end(child));
    assert_eq!(action(&ended), "unchanged", "{}", ended.log);
    expected.retain(|branch| *branch != left[0]);
    assert_eq!(deployment.infra.branches(), expected, "{}", ended.log);
}

#[tokio::test]
async fn a_branch_whose_pull_request_was_never_opened_counts() {
    let Some(deployment) = Deployment::start().await else { return };
    let (one, two) = (deployment.release("v1.1.0").await, deployment.release("v1.2.0").await);
    // This run is refused right before it opens the pull request.
    deployment.github.fault("POST /repos/acme/infra/pulls", 1, Fault::refused(403, "No"));
    assert!(!deployment.run(&two, SHOP).success);
    assert_eq!(deployment.infra.pulls().len(), 0);
    // An older one opens it for it, and leaves the branch as it is.
    let ended = good(deployment.run(&one, SHOP));
    assert_eq!(action(&ended), "held_back", "{}", ended.log);
    is_whole(&deployment, &ended);
    let pull = deployment.infra.pull(1);
    assert_eq!(pull.title, "Deploy api v1.2.0 to apps/shop");
    assert!(deployment.file(&pull.head).contains("newTag: v1.2.0\n"));
}
