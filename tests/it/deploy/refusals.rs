//! What is wrong with an environment is found before anything is tagged, and all of it is told at once.

use std::fmt::Write as _;

use super::world::{Deployment, FILE, SHOP, action, good};
use crate::legs::world::Ended;

/// Nothing was done: no tag, and nothing but reads.
async fn is_refused(deployment: &Deployment, ended: &Ended, tag: &str, said: &[&str]) {
    assert!(!ended.success, "{}", ended.log);
    for text in said {
        assert!(ended.log.contains(text), "{text}\n{}", ended.log);
    }
    assert_eq!(deployment.world.under(tag).await, None, "{}", ended.log);
    assert_eq!(deployment.github.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_not_there() {
    let Some(deployment) = Deployment::start().await else { return };
    let release = deployment.release("v1.1.0").await;
    deployment.infra.push(
        "main",
        "More",
        &[("docs/README.md", "x"), ("broken/kustomization.yaml", "images: [")],
    );
    deployment.github.calls();
    let deploy = "- { repository: acme/nothing, path: x, image: api }
- { repository: acme/infra, path: apps/web, image: api }
- { repository: acme/infra, path: docs, image: api }
- { repository: acme/infra, path: broken, image: api }
- { repository: acme/infra, path: apps/shop, image: api, branch: staging }
- { repository: acme/infra, path: apps/shop, kind: manifest }
- { repository: acme/infra, path: apps/shop/deployment.yaml, kind: manifest }
- { repository: acme/infra, path: apps/shop/deployment.yaml, kind: values }
";
    let ended = deployment.run(&release, deploy);
    let said = [
        "8 of 8 environments cannot be deployed to, so that nothing is built",
        "acme/nothing x (api): asking ",
        "Could not resolve to a Repository with the name 'acme/nothing'",
        "the token has access to `acme/nothing`",
        "`apps/web` in `acme/infra` on branch `main` cannot be read: it is not there",
        "the directory `docs` has no kustomization",
        "`broken/kustomization.yaml`",
        "`acme/infra` has no branch `staging`",
        "it is a directory, which only a kustomization can be",
        "no `image:` of the repository",
        "`image.tag` is not in the file",
    ];
    is_refused(&deployment, &ended, "v1.1.0", &said).await;
}

#[tokio::test]
async fn repositories_that_are_called_otherwise_or_empty() {
    let Some(deployment) = Deployment::start().await else { return };
    let release = deployment.release("v1.1.0").await;
    deployment.infra.rename("acme/clusters");
    deployment.github.repository("acme/empty");
    let token = deployment.github.token("deployer", &["acme/clusters", "acme/empty"], "contents:write");
    deployment.github.calls();
    let deploy = format!("{SHOP}- {{ repository: acme/empty, path: x, image: api }}\n");
    let ended = deployment.run_with(&release, &deploy, &[("deploy_token", &token)]);
    let said = [
        "the repository `acme/infra` is called `acme/clusters` now",
        "write its new name in `deploy`",
        "the repository `acme/empty` is empty",
    ];
    is_refused(&deployment, &ended, "v1.1.0", &said).await;
}

#[tokio::test]
async fn files_that_cannot_be_edited() {
    let Some(deployment) = Deployment::start().await else { return };
    let release = deployment.release("v1.1.0").await;
    let files = [
        ("tab", "images:\n\t- name: api\n", "line 2: the file is not YAML"),
        (
            "twice",
            "images:\n- name: api\n  newTag: v1\n  newTag: v2\n",
            "line 4: the key `newTag` appears twice",
        ),
        ("documents", "images: []\n---\nimages: []\n", "line 3: the file has to be one document"),
        ("anchor", "x: &a\n  name: api\nimages:\n- *a\n", "line 4: the entry of `api` comes from an anchor"),
        (
            "shared",
            "images:\n- name: api\n  newTag: &t v1\nx: *t\n",
            "the edit would change more than the image",
        ),
        ("entries", "images:\n- name: api\n- name: api\n", "line 3: the image `api` appears twice"),
        (
            "chain",
            "images:\n- name: api\n- name: '.*'\n  newTag: v0\n",
            "line 3: the entry `.*` applies to what `api`",
        ),
    ];
    let mut deploy = String::new();
    for (name, text, _) in files {
        let path = format!("{name}/kustomization.yaml");
        deployment.infra.push("main", name, &[(&path, text)]);
        let _ = writeln!(deploy, "- {{ repository: acme/infra, path: {name}, image: api }}");
    }
    deployment.github.calls();
    let ended = deployment.run(&release, &deploy);
    let lines = files.map(|(name, _, said)| (format!("`{name}/kustomization.yaml`"), said));
    for (file, said) in &lines {
        let line = ended.log.lines().find(|line| line.contains(file.as_str()) && line.contains(said));
        assert!(line.is_some(), "{file} {said}\n{}", ended.log);
    }
    is_refused(&deployment, &ended, "v1.1.0", &["7 of 7 environments cannot be deployed to"]).await;
}

#[tokio::test]
async fn who_may_not() {
    let Some(deployment) = Deployment::start().await else { return };
    let release = deployment.release("v1.1.0").await;
    deployment.github.calls();
    let wrong = [("deploy_token", "github_pat_wrong")];
    let ended = deployment.run_with(&release, SHOP, &wrong);
    is_refused(&deployment, &ended, "v1.1.0", &["401 Bad credentials", "is wrong, or has ended"]).await;
    let ended = deployment.run_with(&release, SHOP, &[]);
    let said = ["there is no login for `acme/infra`: neither", "give `deploy_token`"];
    is_refused(&deployment, &ended, "v1.1.0", &said).await;
    let ended = deployment.run_with(&release, SHOP, &[("deploy_app_id", "42")]);
    is_refused(
        &deployment,
        &ended,
        "v1.1.0",
        &["there is no login for `acme/infra`: `deploy_app_key` is empty"],
    )
    .await;
    deployment.infra.archive();
    let ended = deployment.run(&release, SHOP);
    is_refused(&deployment, &ended, "v1.1.0", &["the repository `acme/infra` is archived"]).await;
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let Some(deployment) = Deployment::start().await else { return };
    let release = deployment.release("v1.1.0").await;
    for (granted, needs) in [
        ("contents:read, pull_requests:write", "contents: write"),
        ("contents:write, pull_requests:read", "pull_requests: write"),
        ("contents:write", "pull_requests: write"),
    ] {
        let token = deployment.github.token("reader", &["acme/infra"], granted);
        let ended = deployment.run_with(&release, SHOP, &[("deploy_token", &token)]);
        assert!(!ended.success, "{}", ended.log);
        let said = format!("lacks a permission in `acme/infra`: {needs}");
        assert!(ended.log.contains(&said), "{said}\n{}", ended.log);
        // The image is out.
        assert_eq!(ended.outputs["pushed"], "true");
        assert!(!deployment.infra.branches().iter().any(|branch| branch.contains("scratch")));
    }
}

#[tokio::test]
async fn faults_of_the_input_come_first() {
    let Some(deployment) = Deployment::start().await else { return };
    let release = deployment.release("v1.1.0").await;
    deployment.github.calls();
    let deploy = "- repository: acme/infra\n  pth: apps/shop\n  image: api\n  when: sometimes\n";
    let ended = deployment.run(&release, deploy);
    let said =
        ["line 2: entry 1 (`acme/infra`): no key `pth`", "`when` has `sometimes`", "did you mean `path`?"];
    is_refused(&deployment, &ended, "v1.1.0", &said).await;
    assert_eq!(deployment.github.calls(), []);
}

#[tokio::test]
async fn runs_that_do_not_deploy_ask_nothing() {
    let Some(deployment) = Deployment::start().await else { return };
    let build = deployment.build("a commit").await;
    deployment.github.calls();
    // An environment that waits for versions, and a job without the secret.
    let ended = good(deployment.run_with(&build, SHOP, &[]));
    assert!(ended.log.contains("not now: it waits for a Git tag, a release or a `version`"), "{}", ended.log);
    assert_eq!(ended.outputs["pull_requests"], "[]");
    assert_eq!(deployment.calls_to("acme/infra"), Vec::<String>::new());
}

#[tokio::test]
async fn an_image_that_a_kustomization_does_not_have_is_added_with_a_warning() {
    let Some(deployment) = Deployment::start().await else { return };
    let deploy = "- { repository: acme/infra, path: apps/shop, image: web }";
    let ended = good(deployment.run(&deployment.release("v1.1.0").await, deploy));
    let said = "has no image `web`, and gets one (there are `api`)";
    assert!(ended.log.contains(said), "{}", ended.log);
    let head = deployment.infra.pull(1).head;
    let text = deployment.infra.read(&head, FILE).unwrap();
    assert!(text.contains("- name: web\n"), "{text}");
}

#[tokio::test]
async fn hostile_files_say_nothing_to_the_runner_and_mention_nobody() {
    let Some(deployment) = Deployment::start().await else { return };
    let tag = r#""v1\n::error::pwned ##[error]pwned @octocat [x](https://evil.example) \u202e""#;
    let file = format!("images:\n- name: api\n  newTag: {tag}\n");
    deployment.infra.push("main", "Hostile", &[(FILE, &file)]);
    let ended = good(deployment.run(&deployment.release("v1.1.0").await, SHOP));
    assert_eq!(action(&ended), "opened", "{}", ended.log);
    for line in ended.log.lines() {
        assert!(!line.trim_start().starts_with("::error") && !line.contains("##[error]"), "{line}");
    }
    let pull = deployment.infra.pull(1);
    let body = pull.body.unwrap();
    let row = body.lines().find(|line| line.starts_with("| From |")).unwrap();
    assert!(row.starts_with("| From | `v1\\n::error::pwned") && row.ends_with("` |"), "{row}");
    assert_eq!(body.matches("@octocat").count(), 1, "in code, and parted where it is not: {body}");
    assert!(!body.contains('\u{202e}'), "{body}");
}

#[tokio::test]
async fn a_title_is_a_title_whatever_is_in_it() {
    let Some(deployment) = Deployment::start().await else { return };
    let release = deployment.release("v1.1.0").await;
    deployment.github.calls();
    let title = "::error::pwned **Ship** [x](https://e.example) `{{tag}}` ##[error]pwned @octocat";
    let acts = |ended: &Ended| {
        let mut lines = ended.log.lines().chain(ended.summary.lines());
        lines.any(|line| line.trim_start().starts_with("::error::pwned") || line.contains("##[error]"))
    };
    let lines = format!("{SHOP}  title: \"{title}\\n::error::pwned\"\n");
    let ended = deployment.run(&release, &lines);
    is_refused(&deployment, &ended, "v1.1.0", &["`title` has more than one line"]).await;
    assert!(!acts(&ended), "{}", ended.log);
    let ended = good(deployment.run(&release, &format!("{SHOP}  title: \"{title}\"\n")));
    let pull = deployment.infra.pull(1);
    assert_eq!(pull.title, title.replace("{{tag}}", "v1.1.0"));
    assert!(!acts(&ended), "{}", ended.log);
    let subject = deployment.infra.git(&["log", "-1", "--format=%s", &pull.head]).unwrap();
    assert_eq!(subject, pull.title);
}

#[tokio::test]
async fn each_token_goes_to_its_own_repositories() {
    let Some(deployment) = Deployment::start().await else { return };
    let (one, two) = (deployment.build("one").await, deployment.build("two").await);
    let shop = super::world::always(SHOP);
    deployment.github.calls();
    good(deployment.run(&one, &shop));
    good(deployment.run(&two, &shop));
    let calls = deployment.github.calls();
    for call in &calls {
        let home = match call.who.as_str() {
            "deployer" => "acme/infra",
            "github-actions[bot]" => "acme/shop",
            other => panic!("{other} asks for {}", call.what),
        };
        assert!(call.what.contains(home), "{} {}", call.who, call.what);
    }
    assert!(calls.iter().any(|call| call.what.contains("/compare/")), "the source repository was asked");
}
