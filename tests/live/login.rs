//! Logins of all kinds at real registries, and what of them is seen afterwards: nothing.

use crate::job::{Job, parts};
use crate::runner::clouds::{Clouds, KEY, REQUEST_TOKEN, ROLE};
use crate::runner::log::Level;
use crate::runner::step::StepResult;
use base64::Engine as _;
use std::process::Command;

/// The registry with a password, by the name that a workflow uses.
fn closed() -> String {
    format!("localhost:{}", parts().auth_registry.rsplit_once(':').unwrap().1)
}

/// An entry of `registry_auth`.
fn entry(registry: &str, username: &str, password: &str) -> String {
    format!("- registry: {registry}\n  username: {username}\n  password: '{password}'\n")
}

/// The user name and password as a header and `config.json` have them.
fn basic(username: &str, password: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"))
}

/// No line of the process holds a secret, but for those that ask the runner to hide it; those come before anything else
/// that names it.
fn keeps(result: &StepResult, secrets: &[&str]) {
    for secret in secrets {
        for line in &result.raw_lines {
            let masks = line.starts_with("::add-mask::");
            assert!(masks || !line.contains(secret), "a secret in the log: {line}");
        }
        assert!(result.masks.iter().any(|mask| mask == secret), "`{secret}` is not masked");
        assert!(!result.summary.contains(secret), "a secret in the summary");
        assert!(result.outputs.values().all(|value| !value.contains(secret)), "a secret in an output");
    }
}

#[test]
fn an_entry_of_registry_auth_logs_in() {
    let parts = parts();
    let (user, password) = (parts.auth_username.as_str(), parts.auth_password.as_str());
    let other = entry("registry.example", "somebody", "others-password-1");
    let job = Job::usual("auth-entry")
        .input("registry", &closed())
        .input("registry_auth", &(other + &entry(&closed(), user, password)));
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert_eq!(parts.closed_registry().tags(&job.repository()).len(), 3);
    let secrets =
        [password, "others-password-1", &basic(user, password), &basic("somebody", "others-password-1")];
    keeps(&result, &secrets);
    assert!(!result.log().contains(&job.machine.token));
}

#[test]
fn a_base_image_has_its_own_registrys_login() {
    let parts = parts();
    let (user, password) = (parts.auth_username.as_str(), parts.auth_password.as_str());
    let base = format!("{}/private/base:1", closed());
    let config = tempfile::tempdir().unwrap();
    let crane = |args: &[&str]| {
        let output = Command::new("crane").env("DOCKER_CONFIG", config.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    crane(&["auth", "login", &closed(), "-u", user, "-p", password]);
    crane(&["copy", "--insecure", &parts.base, &base]);
    // A base of its own, so that the builder has nothing of it yet, is not needed: a manifest is always asked for.
    let job = Job::usual("private-base").input("build_args", &format!("BASE={base}"));
    let result = job.run();
    assert!(!result.success, "nobody logs in:\n{}", result.log());
    let job = job.input("registry_auth", &entry(&closed(), user, password));
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert_eq!(job.tags().len(), 3, "it went to the registry without a password");
    keeps(&result, &[password, &basic(user, password)]);
}

#[test]
fn a_login_that_docker_has_left_is_used() {
    let parts = parts();
    let (user, password) = (parts.auth_username.as_str(), parts.auth_password.as_str());
    let job = Job::usual("docker-config").input("registry", &closed());
    // As an earlier step with `DOCKER_CONFIG: ${{ runner.temp }}/docker` does it.
    let directory = job.machine.temp().join("docker");
    let output = Command::new("docker")
        .env("DOCKER_CONFIG", &directory)
        .args(["login", &closed(), "-u", user, "-p", password])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result = job.run();
    assert!(!result.success, "without the variable nobody knows of it:\n{}", result.log());
    let mut job = job;
    job.env.insert("DOCKER_CONFIG".to_owned(), directory.display().to_string());
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert_eq!(parts.closed_registry().tags(&job.repository()).len(), 3);
    keeps(&result, &[password, &basic(user, password)]);

    // A helper is a program that is not in our container.
    let file = serde_json::json!({ "auths": { closed(): {} }, "credsStore": "desktop" });
    std::fs::write(directory.join("config.json"), file.to_string()).unwrap();
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    let warned = result
        .of(Level::Warning)
        .iter()
        .any(|note| note.message.contains("docker-credential-desktop") && note.message.contains(&closed()));
    assert!(warned, "{:?}", result.annotations);
}

#[test]
fn a_wrong_password_names_its_entry() {
    let parts = parts();
    let text = entry("registry.example", "somebody", "others-password-1")
        + &entry(&closed(), &parts.auth_username, "wrong-password-2");
    let job = Job::usual("auth-entry-wrong")
        .input("registry", &closed())
        .input("registry_auth", &text)
        .input("platform", "linux/amd64");
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    let errors = result.errors();
    assert!(errors.contains("entry 2 of `registry_auth`") && errors.contains(&closed()), "{errors}");
    keeps(&result, &["wrong-password-2", "others-password-1"]);
    assert_eq!(parts.closed_registry().tags(&job.repository()), Vec::<String>::new());
}

#[test]
fn entries_that_cannot_be_used_are_all_named_and_never_shown() {
    let text = "- registry: ghcr.io\n  user: octo\n  password: first-password-1\n- username: bob\n  password: second-password-2\n";
    let job = Job::usual("auth-entry-bad").input("registry_auth", text);
    let result = job.native().run();
    let errors = result.errors();
    assert!(!result.success && errors.contains("entry 1 (`ghcr.io`): no key `user`"), "{errors}");
    assert!(errors.contains("entry 2: `registry` is missing"), "{errors}");
    keeps(&result, &["first-password-1", "second-password-2"]);
    // No YAML at all.
    let job = job.input("registry_auth", "- registry: ghcr.io\n  password: @third-password-3\n");
    let result = job.native().run();
    assert!(
        result.errors().contains("`registry_auth`: cannot be read as YAML (line 2"),
        "{}",
        result.errors()
    );
    keeps(&result, &["@third-password-3"]);
}

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// A job that pushes to Amazon's registry, with the servers on this machine in the place of Amazon's and GitHub's.
fn job_at_amazon(name: &str, clouds: &Clouds) -> Job {
    let mut job = Job::usual(name).without("registry").without("image_name");
    job = job.input("repository", &format!("{ECR}/acme/{name}")).input("platform", "linux/amd64");
    for (variable, value) in [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", clouds.oidc_url()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN.to_owned()),
        ("AWS_ENDPOINT_URL", clouds.url()),
    ] {
        job.env.insert(variable.to_owned(), value);
    }
    job
}

/// What was given away in this run; the last one is used only.
fn keeps_all(result: &StepResult, clouds: &Clouds) {
    let log = result.raw_lines.iter().filter(|line| !line.starts_with("::add-mask::"));
    let log = log.cloned().collect::<Vec<_>>().join("\n");
    for secret in clouds.secrets() {
        assert!(!log.contains(&secret), "`{secret}` in the log:\n{log}");
    }
}

#[test]
fn a_dry_run_logs_in_at_amazon_and_changes_nothing() {
    let clouds = Clouds::start("127.0.0.1");
    let public = format!("- registry: public.ecr.aws\n  aws_role: {ROLE}\n");
    let job = job_at_amazon("dry-at-amazon", &clouds)
        .input("aws_role", ROLE)
        .input("registry_auth", &public)
        .input("create_repository", "true")
        .input("dry_run", "true");
    let result = job.native().run();
    assert!(result.success, "{}", result.log());
    for line in
        [format!("login: {ECR} by `aws_role`"), "login: public.ecr.aws by entry 1 of `registry_auth`".into()]
    {
        assert!(result.log().contains(&line), "{line}:\n{}", result.log());
    }
    let mut asked = clouds.lines();
    asked.sort();
    assert_eq!(
        asked,
        [
            "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken 200",
            "AssumeRoleWithWebIdentity 200",
            "AssumeRoleWithWebIdentity 200",
            "GET /idtoken/1/2 200",
            "GET /idtoken/1/2 200",
            "SpencerFrontendService.GetAuthorizationToken 200",
        ]
    );
    keeps_all(&result, &clouds);

    // A server that is busy for a moment.
    clouds.fail(1);
    let result = job.native().run();
    assert!(result.success && result.log().contains("trying again"), "{}", result.log());

    // Nobody gives the job a token.
    let mut job = job;
    job.env.remove("ACTIONS_ID_TOKEN_REQUEST_URL");
    let result = job.native().run();
    assert!(
        !result.success && result.errors().contains("permissions: id-token: write"),
        "{}",
        result.errors()
    );
}

#[test]
fn a_repository_is_made_before_the_build() {
    let parts = parts();
    let clouds = Clouds::start(&parts.gateway);
    let mut job = job_at_amazon("made", &clouds).input("create_repository", "true");
    job.env.insert("AWS_ACCESS_KEY_ID".to_owned(), KEY.0.to_owned());
    job.env.insert("AWS_SECRET_ACCESS_KEY".to_owned(), KEY.1.to_owned());
    // Amazon itself is not to be had here: the push fails, what comes before it does not.
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    assert_eq!(clouds.repositories(), ["acme/made"], "{}", result.log());
    assert!(result.log().contains(&format!("made the repository {ECR}/acme/made")), "{}", result.log());
    keeps_all(&result, &clouds);
    let again = job.run();
    assert!(!again.log().contains("made the repository"), "{}", again.log());
}
