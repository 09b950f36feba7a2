//! Manifests, values, events and direct commits; Apps, the job's own token, Enterprise Servers; dry runs.

use serde_json::json;

use super::world::{Build, Deployment, FILE, SHOP, action, good, kustomization, outcomes};
use crate::github_server::{AppKey, GithubServer};

#[tokio::test]
async fn manifests_and_values() {
    let Some(deployment) = Deployment::start().await else { return };
    let image = format!("{}/acme/shop/api", deployment.host());
    let manifest = format!("a: 1 # x\n---\nspec:\n- image: {image}:v1.0.0\n- image: 'nginx:1'\n");
    let values = "# chart\nimage: { tag: v1.0.0, digest: '' }\n";
    deployment.infra.push("main", "More", &[("m.yaml", &manifest), ("values.yaml", values)]);
    let deploy = "- { repository: acme/infra, path: m.yaml, kind: manifest }
- { repository: acme/infra, path: values.yaml, kind: values, keys: { tag: image.tag, digest: image.digest } }
";
    let release = deployment.release("v1.1.0").await;
    let ended = good(deployment.run(&release, deploy));
    let branch = |number: usize| outcomes(&ended)[number]["branch"].as_str().unwrap().to_owned();
    let branches = [branch(0), branch(1)];
    let read = |file: &str| {
        branches.iter().find_map(|branch| {
            let text = deployment.infra.read(branch, file)?;
            text.contains("v1.1.0").then_some(text)
        })
    };
    let digest = &release.digest;
    let expected = manifest.replace(":v1.0.0", &format!(":v1.1.0@{digest}"));
    assert_eq!(read("m.yaml"), Some(expected));
    assert_eq!(read("values.yaml"), Some(format!("# chart\nimage: {{ tag: v1.1.0, digest: '{digest}' }}\n")));
    assert_eq!(deployment.infra.pulls().len(), 2);
}

#[tokio::test]
async fn direct_commits() {
    let Some(deployment) = Deployment::start().await else { return };
    let deploy = format!("{SHOP}  direct_commit: true\n");
    let (one, two) = (deployment.release("v1.1.0").await, deployment.release("v1.2.0").await);
    // Somebody else commits in between: it is read again.
    let other = deployment.infra.clone();
    deployment.github.before("createCommitOnBranch acme/infra", 1, move || {
        other.push("main", "Somebody else", &[("other", "1")]);
    });
    let ended = good(deployment.run(&two, &deploy));
    assert_eq!(action(&ended), "committed", "{}", ended.log);
    assert_eq!(deployment.github.pending(), Vec::<String>::new());
    assert!(deployment.file("main").contains("newTag: v1.2.0\n"));
    assert_eq!(deployment.infra.read("main", "other").as_deref(), Some("1"));
    assert_eq!(outcomes(&ended)[0]["commit"].as_str(), deployment.infra.head("main").as_deref());
    let log = deployment.infra.git(&["log", "-1", "--format=%s%n%b", "main"]).unwrap();
    assert!(log.starts_with("Deploy api v1.2.0 to apps/shop\nImage: "), "{log}");
    assert_eq!(action(&good(deployment.run(&two, &deploy))), "unchanged");
    assert_eq!(action(&good(deployment.run(&one, &deploy))), "held_back");
    assert_eq!(deployment.infra.pulls().len(), 0);
    assert_eq!(deployment.infra.branches(), ["main"]);
    // Nobody can tell which is newer: a person looks.
    let file = kustomization(&deployment.host(), "stable");
    deployment.infra.push("main", "By hand", &[(FILE, &file)]);
    let ended = good(deployment.run(&two, &deploy));
    assert_eq!(action(&ended), "opened", "{}", ended.log);
    assert!(deployment.file("main").contains("newTag: stable\n"));
    // A branch that takes none.
    deployment.infra.push("main", "By hand", &[(FILE, &kustomization(&deployment.host(), "v1.0.0"))]);
    deployment.infra.protect("main");
    let ended = deployment.run(&two, &deploy);
    assert!(!ended.success && ended.log.contains("leave `direct_commit` out"), "{}", ended.log);
}

#[tokio::test]
async fn an_event_has_all_that_a_workflow_needs() {
    let Some(deployment) = Deployment::start().await else { return };
    let deploy = "- { repository: acme/infra, kind: dispatch, event_type: new image }";
    let release = deployment.release("v1.1.0").await;
    let ended = good(deployment.run(&release, deploy));
    assert_eq!(action(&ended), "dispatched", "{}", ended.log);
    let image = format!("{}/acme/shop/api", deployment.host());
    let run = format!("{}/acme/shop/actions/runs/4711/attempts/1", deployment.github.server_url());
    let payload = json!({
        "image": image, "tag": "v1.1.0", "digest": release.digest, "commit": release.commit,
        "reference": format!("{image}:v1.1.0@{}", release.digest), "repository": "acme/shop", "run_url": run,
    });
    assert_eq!(deployment.infra.dispatches(), [("new image".to_owned(), payload)]);
}

#[tokio::test]
async fn an_app_gets_a_token_for_this_repository_only() {
    let Some(deployment) = Deployment::start().await else { return };
    let key = AppKey::shared();
    deployment.github.app(42, "deployer-app", key);
    deployment.github.repository("acme/secret");
    deployment.github.install(
        42,
        &["acme/infra", "acme/secret"],
        "contents:write, pull_requests:write, issues:write",
    );
    let login = [("deploy_app_id", "42"), ("deploy_app_key", key.pkcs1.as_str())];
    let release = deployment.release("v1.1.0").await;
    deployment.github.calls();
    let ended = good(deployment.run_with(&release, SHOP, &login));
    assert_eq!(action(&ended), "opened", "{}", ended.log);
    let calls = deployment.github.calls();
    let issued = calls.iter().find(|call| call.what.ends_with("/access_tokens")).expect("a token");
    assert_eq!((issued.status, issued.who.as_str()), (201, "app"));
    let app: Vec<_> = calls.iter().filter(|call| call.who == "deployer-app[bot]").collect();
    assert!(!app.is_empty() && app.iter().all(|call| call.what.contains("acme/infra")), "{app:?}");
    for secret in deployment.github.secrets() {
        let shown = ended.log.lines().filter(|line| !line.starts_with("::add-mask::"));
        assert!(!shown.into_iter().any(|line| line.contains(&secret)), "{}", ended.log);
    }
    // The App is not installed there.
    let other = deployment.github.repository("other/infra");
    other.push("main", "Begin", &[("kustomization.yaml", "images: []\n")]);
    let deploy = "- { repository: other/infra, path: ., image: api }";
    let ended = deployment.run_with(&release, deploy, &login);
    assert!(!ended.success && ended.log.contains("the App is installed for `other/infra`"), "{}", ended.log);
}

#[tokio::test]
async fn the_jobs_own_token_writes_to_its_own_repository() {
    let Some(deployment) = Deployment::start().await else { return };
    let file = kustomization(&deployment.host(), "v1.0.0");
    deployment.source.push("main", "An environment", &[("deploy/kustomization.yaml", &file)]);
    let job = deployment.github.installation_token(
        "github-actions",
        &["acme/shop"],
        "contents:write, pull_requests:write",
    );
    let deploy = "- { repository: acme/shop, path: deploy, image: api }";
    let release = deployment.release("v1.1.0").await;
    let ended = good(deployment.run_with(&release, deploy, &[("token", &job)]));
    assert_eq!(action(&ended), "opened", "{}", ended.log);
    assert_eq!(deployment.source.pull(1).author, "github-actions[bot]");
    // And to no other.
    let ended = deployment.run_with(&release, SHOP, &[("token", &job)]);
    assert!(!ended.success, "{}", ended.log);
    assert!(
        ended.log.contains("there is no login for `acme/infra`: neither `deploy_token` nor"),
        "{}",
        ended.log
    );
}

#[tokio::test]
async fn an_enterprise_server() {
    let Some(deployment) = Deployment::on(GithubServer::enterprise("127.0.0.1")).await else { return };
    let ended = good(deployment.run(&deployment.release("v1.1.0").await, SHOP));
    assert_eq!(action(&ended), "opened", "{}", ended.log);
    let url = outcomes(&ended)[0]["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&deployment.github.server_url()), "{url}");
    assert_eq!(action(&good(deployment.run(&deployment.release("v1.2.0").await, SHOP))), "updated");
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_writes_nothing() {
    let Some(deployment) = Deployment::start().await else { return };
    let (one, two) = (deployment.release("v1.1.0").await, deployment.release("v1.2.0").await);
    let token = deployment.token.clone();
    let look = |build: &Build| {
        deployment.github.calls();
        let ended = good(deployment.run_with(build, SHOP, &[("dry_run", "true"), ("deploy_token", &token)]));
        assert_eq!(deployment.github.writes(), Vec::<String>::new());
        ended.log
    };
    let log = look(&two);
    assert!(log.contains("a pull request would be opened, from `v1.0.0` to `v1.2.0`"), "{log}");
    good(deployment.run(&two, SHOP));
    let log = look(&two);
    assert!(log.contains("nothing would be done: pull request 1 proposes it already"), "{log}");
    let log = look(&one);
    assert!(
        log.contains("it would be held back: the pull request proposes version v1.2.0, which is newer"),
        "{log}"
    );
    let log = look(&deployment.release("v1.3.0").await);
    assert!(log.contains("pull request 1 would be moved on, from `v1.0.0` to `v1.3.0`"), "{log}");
}
