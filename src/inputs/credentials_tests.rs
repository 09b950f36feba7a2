//! Who gets which login, one line a case.

use super::*;
use crate::inputs::config_tests_support::context;

fn inputs(username: &str, password: &str, token: &str) -> RawInputs {
    RawInputs {
        username: username.into(),
        password: Secret::new(password),
        token: Secret::new(token),
        ..RawInputs::default()
    }
}

/// `user:password`, `-` for none, `!input` for a fault.
fn outcome(inputs: &RawInputs, context: &RunnerContext, registry: &str) -> String {
    let registry = RegistryHost::parse(registry).unwrap();
    match login(inputs, context, &registry) {
        Ok((Some(credentials), _)) => {
            assert_eq!(credentials.registry, registry);
            format!("{}:{}", credentials.username, credentials.password.expose())
        }
        Ok((None, _)) => "-".into(),
        Err(fault) => format!("!{}", fault.input),
    }
}

#[test]
fn a_login_goes_to_its_own_host() {
    let context = context("push");
    for (username, password, token, registry, expected) in [
        // What the runner fills in.
        ("octocat", "ghs_t", "ghs_t", "ghcr.io", "octocat:ghs_t"),
        ("octocat", "opaque", "opaque", "ghcr.io", "octocat:opaque"),
        ("", "ghs_t", "ghs_t", "ghcr.io", "octocat:ghs_t"),
        ("octocat", "ghs_t", "ghs_t", "docker.io", "-"),
        ("octocat", "opaque", "opaque", "localhost:5000", "-"),
        ("octocat", "ghs_t", "ghs_t", "ghcr.io.evil.example", "-"),
        ("octocat", "ghs_t", "ghs_t", "ghcr.io:444", "-"),
        // `token` was given, `password` is still the default.
        ("octocat", "ghs_t", "github_pat_x", "docker.io", "-"),
        ("octocat", "ghs_t", "", "docker.io", "-"),
        // Given.
        ("acme", "secret", "ghs_t", "docker.io", "acme:secret"),
        ("octocat", "secret", "ghs_t", "docker.io", "octocat:secret"),
        ("acme", "ghs_t", "ghs_t", "ghcr.io", "acme:ghs_t"),
        ("acme", "ghs_t", "ghs_t", "docker.io", "!password"),
        ("acme", "", "ghs_t", "docker.io", "!password"),
        ("", "secret", "ghs_t", "docker.io", "!username"),
        ("a:b", "secret", "ghs_t", "docker.io", "!username"),
        ("a\nb", "secret", "ghs_t", "docker.io", "!username"),
        ("", "", "", "docker.io", "-"),
        // No token at all, as under act.
        ("octocat", "", "", "localhost:5000", "-"),
    ] {
        let found = outcome(&inputs(username, password, token), &context, registry);
        assert_eq!(found, expected, "{username} {password} {token} {registry}");
    }
}

#[test]
fn a_run_without_secrets_goes_on_without_a_login() {
    let mut context = context("push");
    context.actor = "dependabot[bot]".into();
    let withheld = inputs("acme", "", "ghs_t");
    assert_eq!(outcome(&withheld, &context, "docker.io"), "-");
    let registry = RegistryHost::parse("docker.io").unwrap();
    let (_, notice) = login(&withheld, &context, &registry).unwrap();
    assert!(notice.unwrap().message.contains("gives this run no secrets"));
}

#[test]
fn each_server_has_its_own_registry() {
    for (server, registry) in [
        ("https://github.com", Some("ghcr.io")),
        ("https://GitHub.com/", Some("ghcr.io")),
        ("https://github.acme.example", Some("containers.github.acme.example")),
        ("https://acme.ghe.com", Some("containers.acme.ghe.com")),
        ("http://127.0.0.1:8080", Some("containers.127.0.0.1")),
        ("", None),
    ] {
        let found = own_registry(server);
        assert_eq!(found.as_ref().map(RegistryHost::as_str), registry, "{server}");
    }
    // A token of an Enterprise Server is nothing for github.com's registry.
    let mut context = context("push");
    context.server_url = "https://github.acme.example".into();
    assert_eq!(outcome(&inputs("octocat", "ghs_t", "ghs_t"), &context, "ghcr.io"), "-");
}

#[test]
fn faults_hold_no_secret() {
    let registry = RegistryHost::parse("docker.io").unwrap();
    for inputs in [inputs("", "hunter2", ""), inputs("acme", "ghs_hunter2", ""), inputs("a:b", "hunter2", "")]
    {
        let fault = login(&inputs, &context("push"), &registry).unwrap_err();
        assert!(!format!("{fault} {fault:?}").contains("hunter2"));
    }
}
