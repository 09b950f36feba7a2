//! Deployments: the program itself, beside a GitHub on the wire that keeps real Git repositories and a real registry.

mod faults;
mod kinds;
mod refusals;
mod world;

use std::process::Command;

use crate::github_server::pull::PullState;
use world::{Deployment, FILE, SHOP, action, always, good, kustomization, kustomize, outcomes};

#[tokio::test]
async fn a_release_opens_a_pull_request_that_kustomize_builds() {
    let Some(deployment) = Deployment::start().await else { return };
    let release = deployment.release("v1.1.0").await;
    deployment.github.calls();
    let ended = good(deployment.run(&release, SHOP));
    assert_eq!(action(&ended), "opened", "{}", ended.log);
    let calls = deployment.calls_to("acme/infra");
    assert_eq!(calls.len(), 7, "{calls:#?}");
    // What is proposed: the entry's lines, and nothing else.
    let pull = deployment.infra.pull(1);
    assert_eq!(pull.title, "Deploy api v1.1.0 to apps/shop");
    let expected = kustomization(&deployment.host(), "v1.1.0") + &format!("    digest: {}\n", release.digest);
    assert_eq!(deployment.file(&pull.head), expected);
    assert_eq!(deployment.infra.branches(), [pull.head.clone(), "main".into()], "no scratch branch is left");
    let parent = deployment.infra.git(&["rev-parse", &format!("{}~1", pull.head)]);
    assert_eq!(parent, deployment.infra.head("main"), "one commit before its base");
    let body = pull.body.unwrap();
    assert!(body.contains("| From | `v1.0.0` |") && body.contains(release.digest.as_str()), "{body}");
    assert!(body.contains("/actions/runs/4711/attempts/1)"), "{body}");
    // Where people look.
    let outcome = &outcomes(&ended)[0];
    assert_eq!(
        (outcome["number"].as_u64(), outcome["tag"].as_str(), outcome["branch"].as_str()),
        (Some(1), Some("v1.1.0"), Some(pull.head.as_str()))
    );
    assert!(ended.summary.contains("| `acme/infra apps/shop (api)` | [page]("), "{}", ended.summary);
    assert!(ended.log.contains("acme/infra apps/shop (api)"), "{}", ended.log);
    // Its clone, built.
    let Some(program) = kustomize() else { return };
    let place = tempfile::tempdir().unwrap();
    let clone = place.path().join("clone");
    deployment.infra.clone_to(&pull.head, &clone);
    let built = Command::new(program).arg("build").arg(clone.join("apps/shop")).output().unwrap();
    let text = String::from_utf8_lossy(&built.stdout);
    let image = format!("image: {}/acme/shop/api:v1.1.0@{}", deployment.host(), release.digest);
    assert!(text.contains(&image), "{text}{}", String::from_utf8_lossy(&built.stderr));
}

#[tokio::test]
async fn again_newer_older_and_merged() {
    let Some(deployment) = Deployment::start().await else { return };
    let (one, two) = (deployment.release("v1.1.0").await, deployment.release("v1.2.0").await);
    assert_eq!(action(&good(deployment.run(&one, SHOP))), "opened");
    let proposed = deployment.infra.head(&deployment.infra.pull(1).head);
    deployment.github.calls();
    let again = good(deployment.run(&one, SHOP));
    assert_eq!(action(&again), "unchanged", "{}", again.log);
    assert_eq!(deployment.github.writes(), Vec::<String>::new());
    assert_eq!(deployment.infra.head(&deployment.infra.pull(1).head), proposed);
    // A newer one moves the same pull request, and an older one afterwards nothing.
    assert_eq!(action(&good(deployment.run(&two, SHOP))), "updated");
    let pull = deployment.infra.pull(1);
    assert_eq!((pull.title.as_str(), pull.is_open()), ("Deploy api v1.2.0 to apps/shop", true));
    assert!(deployment.file(&pull.head).contains("newTag: v1.2.0\n"));
    let older = good(deployment.run(&one, SHOP));
    assert_eq!(action(&older), "held_back", "{}", older.log);
    assert!(older.log.contains("::notice"), "{}", older.log);
    assert!(deployment.file(&pull.head).contains("newTag: v1.2.0\n"));
    // Merged: nothing is left to do, and the next one is another pull request.
    deployment.infra.merge(1);
    assert_eq!(action(&good(deployment.run(&two, SHOP))), "unchanged");
    assert_eq!(action(&good(deployment.run(&one, SHOP))), "held_back");
    let three = deployment.release("v1.3.0").await;
    deployment.github.calls();
    let ended = good(deployment.run(&three, SHOP));
    assert_eq!(action(&ended), "opened", "from the branch that is left over: {}", ended.log);
    let calls = deployment.calls_to("acme/infra");
    assert_eq!(calls.len(), 7, "which takes no more calls: {calls:#?}");
    let states: Vec<_> = deployment.infra.pulls().iter().map(|pull| pull.state).collect();
    assert_eq!(states, [PullState::Merged, PullState::Open]);
}

#[tokio::test]
async fn commits_of_a_branch_by_their_ancestry() {
    let Some(deployment) = Deployment::start().await else { return };
    let (one, two) = (deployment.build("one").await, deployment.build("two").await);
    let shop = always(SHOP);
    let first = good(deployment.run(&two, &shop));
    assert_eq!(action(&first), "opened", "{}", first.log);
    // The base says `v1.0.0`, which this registry does not have.
    let pull = deployment.infra.pull(1);
    assert!(pull.body.as_deref().unwrap().contains("**Look before you merge:**"), "{:?}", pull.body);
    let older = good(deployment.run(&one, &shop));
    assert_eq!(action(&older), "held_back", "{}", older.log);
    let three = deployment.build("three").await;
    let newer = good(deployment.run(&three, &shop));
    assert_eq!(action(&newer), "updated", "{}", newer.log);
    assert!(
        deployment.file(&deployment.infra.pull(1).head).contains(&format!("newTag: {}-main\n", three.commit))
    );
    deployment.infra.merge(1);
    let four = deployment.build("four").await;
    let ended = good(deployment.run(&four, &shop));
    assert_eq!(action(&ended), "opened", "{}", ended.log);
    let body = deployment.infra.pull(2).body.unwrap();
    assert!(!body.contains("Look before"), "{body}");
    assert!(body.contains(&format!("/compare/{}...{}", three.commit, four.commit)), "{body}");
}

#[tokio::test]
async fn other_files_on_the_base_and_what_is_set_by_hand() {
    let Some(deployment) = Deployment::start().await else { return };
    let release = deployment.release("v1.1.0").await;
    good(deployment.run(&release, SHOP));
    let head = deployment.infra.pull(1).head;
    // Another file: the pull request stays as it is.
    deployment.infra.push("main", "Else", &[("other", "1")]);
    assert_eq!(action(&good(deployment.run(&release, SHOP))), "unchanged");
    // The same file: it is made anew from what it is now.
    let file = kustomization(&deployment.host(), "v1.0.0") + "namespace: shop\n";
    deployment.infra.push("main", "By hand", &[(FILE, &file)]);
    assert_eq!(action(&good(deployment.run(&release, SHOP))), "updated");
    assert!(deployment.file(&head).ends_with("namespace: shop\n"), "{}", deployment.file(&head));
    // The same image by hand: the pull request is closed with a word.
    let file = deployment.file(&head);
    deployment.infra.push("main", "By hand", &[(FILE, &file)]);
    let closed = good(deployment.run(&release, SHOP));
    assert_eq!(action(&closed), "closed", "{}", closed.log);
    let pull = deployment.infra.pull(1);
    assert_eq!(pull.state, PullState::Closed);
    assert_eq!(pull.comments[0].1, "Closed: `main` has `v1.1.0` already.");
}

#[tokio::test]
async fn two_environments_each_by_itself() {
    let Some(deployment) = Deployment::start().await else { return };
    let other = deployment.github.repository("acme/other");
    let file = kustomization(&deployment.host(), "v0.1.0");
    other.push("main", "Begin", &[("kustomization.yaml", &file)]);
    let token =
        deployment.github.token("both", &["acme/infra", "acme/other"], "contents:write, pull_requests:write");
    let deploy = format!("{SHOP}- {{ repository: acme/other, path: ., image: api }}\n");
    let release = deployment.release("v1.1.0").await;
    // One is archived while the image is made.
    let archived = deployment.infra.clone();
    deployment.github.before("query Branches acme/infra", 1, move || archived.archive());
    let ended = deployment.run_with(&release, &deploy, &[("deploy_token", &token)]);
    assert!(!ended.success, "{}", ended.log);
    let actions: Vec<_> =
        outcomes(&ended).iter().map(|one| one["action"].as_str().unwrap().to_owned()).collect();
    assert!(actions.contains(&"failed".to_owned()) && actions.contains(&"opened".to_owned()), "{actions:?}");
    assert!(
        ended.log.contains("1 of 2 environments cannot be deployed to; the image is published"),
        "{}",
        ended.log
    );
    assert!(ended.log.contains("was archived so is read-only"), "{}", ended.log);
    assert_eq!(ended.outputs["pushed"], "true");
    assert_eq!(other.pull(1).title, "Deploy api v1.1.0");
    assert!(other.read(&other.pull(1).head, "kustomization.yaml").unwrap().contains("newTag: v1.1.0\n"));
}

/// A branch that is not the default one, a file and a directory in one pull request, line ends and a mark of byte order.
#[tokio::test]
async fn several_files_of_another_branch_byte_for_byte() {
    let Some(deployment) = Deployment::start().await else { return };
    let text = |digest: &str| {
        format!(
            "\u{feff}# two\r\nimages:\r\n- name: api # ours\r\n  newName: '{}/acme/shop/api'\r\n{digest}",
            deployment.host()
        )
    };
    let before = text("  newTag: v1.0.0\r\nlabels: []\r\n");
    let (one, two) = ("a/Kustomization", "b/kustomization.yml");
    deployment.infra.push("production", "Begin", &[(one, &before), (two, &before)]);
    let deploy = "- { repository: acme/infra, path: [a, b/kustomization.yml], image: api, branch: production, draft: true }";
    let release = deployment.release("v1.1.0").await;
    let ended = good(deployment.run(&release, deploy));
    assert_eq!(action(&ended), "opened", "{}", ended.log);
    let pull = deployment.infra.pull(1);
    assert_eq!((pull.base.as_str(), pull.draft), ("production", true));
    let after = text(&format!("  newTag: v1.1.0\r\n  digest: {}\r\nlabels: []\r\n", release.digest));
    for file in [one, two] {
        assert_eq!(deployment.infra.read(&pull.head, file).as_deref(), Some(after.as_str()), "{file}");
    }
}

#[tokio::test]
async fn what_a_new_pull_request_gets() {
    let Some(deployment) = Deployment::start().await else { return };
    deployment.infra.set(|home| home.auto_merge = true);
    deployment.infra.require_checks("main");
    deployment.infra.person("octocat", crate::github_server::Level::Write);
    deployment.infra.team("ops");
    let deploy = format!(
        "{SHOP}  title: 'Ship {{{{image}}}} {{{{from}}}} to {{{{tag}}}}'\n  body: 'Hello'\n  labels: deploy, shop\n  reviewers: octocat\n  team_reviewers: [ops]\n  auto_merge: squash\n"
    );
    let release = deployment.release("v1.1.0").await;
    deployment.github.calls();
    let ended = good(deployment.run(&release, &deploy));
    assert!(!ended.log.contains("::warning"), "{}", ended.log);
    // With everything that it can have; an App's token is two more.
    let calls = deployment.calls_to("acme/infra");
    assert_eq!(calls.len(), 10, "{calls:#?}");
    let pull = deployment.infra.pull(1);
    assert_eq!((pull.title.as_str(), pull.body.as_deref()), ("Ship api v1.0.0 to v1.1.0", Some("Hello")));
    assert_eq!(
        (pull.labels, pull.reviewers, pull.team_reviewers),
        (vec!["deploy".to_owned(), "shop".into()], vec!["octocat".to_owned()], vec!["ops".to_owned()])
    );
    assert_eq!(pull.auto_merge.as_deref(), Some("SQUASH"));
    deployment.infra.checks_pass(1);
    assert_eq!(deployment.infra.pull(1).state, PullState::Merged);
    // What cannot be given is a warning: the pull request is there.
    let deploy = format!("{SHOP}  reviewers: stranger\n  auto_merge: true\n  draft: false\n");
    deployment.infra.set(|home| home.auto_merge = false);
    let ended = good(deployment.run(&deployment.release("v1.2.0").await, &deploy));
    assert_eq!(ended.log.matches("pull request 2 is there, but").count(), 2, "{}", ended.log);
    assert!(ended.log.contains("Auto merge is not allowed"), "{}", ended.log);
}
