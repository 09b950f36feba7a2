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

/// `user:password`, `-` for none, `?input` for one that is missing, `!input` for a fault.
fn outcome(inputs: &RawInputs, context: &RunnerContext, registry: &str) -> String {
    let registry = RegistryHost::parse(registry).unwrap();
    match login(inputs, context, &registry, true) {
        Ok(GivenLogin::Login(credentials)) => {
            assert_eq!(credentials.registry, registry);
            format!("{}:{}", credentials.username, credentials.password.expose())
        }
        Ok(GivenLogin::Missing(missing)) => {
            assert_eq!((&missing.registry, missing.optional), (&registry, false));
            format!("?{}", missing.input)
        }
        Ok(GivenLogin::Nothing(_)) => "-".into(),
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
        // A secret that is not there.
        ("acme", "ghs_t", "ghs_t", "docker.io", "?password"),
        ("acme", "", "ghs_t", "docker.io", "?password"),
        ("acme", "", "ghs_t", "ghcr.io", "?password"),
        ("", "secret", "ghs_t", "docker.io", "?username"),
        ("", "", "ghs_t", "docker.io", "-"),
        ("octocat", "", "ghs_t", "docker.io", "-"),
        ("octocat", "", "ghs_t", "ghcr.io", "-"),
        // Wrong.
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
fn an_empty_password_is_told_where_it_may_be_a_secret_that_is_not_there() {
    use crate::inputs::fault::Level::{Debug, Warning};
    let context = context("push");
    for (username, token, registry, pushes, expected) in [
        ("", "ghs_t", "docker.io", true, Some(Warning)),
        ("octocat", "ghs_t", "docker.io", true, Some(Warning)),
        ("octocat", "ghs_t", "ghcr.io", true, Some(Warning)),
        ("octocat", "ghs_t", "docker.io", false, Some(Debug)),
        // Nobody may have to log in.
        ("octocat", "ghs_t", "localhost:5000", true, None),
        // No token at all, as under act: there is no default.
        ("octocat", "", "docker.io", true, None),
    ] {
        let host = RegistryHost::parse(registry).unwrap();
        let given = login(&inputs(username, "", token), &context, &host, pushes).unwrap();
        let GivenLogin::Nothing(notice) = given else { panic!("{given:?}") };
        assert_eq!(notice.as_ref().map(|notice| notice.level), expected, "{username} {registry}");
        let advised = notice.is_some_and(|notice| notice.message.contains("leave it out"));
        assert_eq!(advised, registry == "ghcr.io", "{registry}");
    }
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
fn what_is_said_holds_no_secret() {
    let registry = RegistryHost::parse("docker.io").unwrap();
    for inputs in [inputs("", "hunter2", ""), inputs("acme", "ghs_hunter2", ""), inputs("a:b", "hunter2", "")]
    {
        let said = match login(&inputs, &context("push"), &registry, true) {
            Ok(GivenLogin::Missing(missing)) => {
                format!("{missing:?} {} {}", missing.reason(), missing.fault())
            }
            Ok(other) => panic!("{other:?}"),
            Err(fault) => format!("{fault} {fault:?}"),
        };
        assert!(!said.contains("hunter2"), "{said}");
    }
}
