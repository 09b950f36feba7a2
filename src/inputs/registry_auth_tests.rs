//! Entries, one line a case, and what is said of those that cannot be used.

use super::*;
use crate::inputs::config_tests_support::context;

/// `host user:password`, `host identity`, then `!message` of each fault.
fn outcome(text: &str) -> Vec<String> {
    let (context, token) = (context("push"), Secret::new("ghs_jobs"));
    let own = RegistryHost::parse("ghcr.io").unwrap();
    let around = Around { context: &context, token: &token, own: Some(&own), aws: None };
    let mut findings = Findings::default();
    let entries = read(text, &around, &mut findings);
    let mut found: Vec<String> = Vec::new();
    for login in &entries.logins {
        assert!(matches!(login.source, LoginSource::RegistryAuth(_)));
        found.push(format!("{} {}:{}", login.registry, login.username, login.password.expose()));
    }
    found.extend(entries.identities.iter().map(|identity| format!("{} identity", identity.registry)));
    for fault in &findings.faults {
        assert_eq!(fault.input, "registry_auth");
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
        found.push(format!("!{}", fault.message));
    }
    found
}

const ROLE: &str = "arn:aws:iam::123456789012:role/push";

#[test]
fn logins_and_identities() {
    let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let text = format!(
        "- registry: https://index.docker.io/v1/\n  username: hub\n  password: 'a: b#c'\n\
         - {{registry: quay.io, username: acme+robot, password: hunter2}}\n\
         - registry: ghcr.io\n  username: octo\n  password: ghs_jobs\n\
         - registry: {ecr}\n  aws_role: {ROLE}\n\
         - registry: 210987654321.dkr.ecr.eu-west-1.amazonaws.com\n  username: AKIAIOSFODNN7EXAMPLE\n  password: hunter2\n"
    );
    assert_eq!(
        outcome(&text),
        [
            "docker.io hub:a: b#c",
            "quay.io acme+robot:hunter2",
            "ghcr.io octo:ghs_jobs",
            &format!("{ecr} identity"),
            "210987654321.dkr.ecr.eu-west-1.amazonaws.com identity",
        ]
    );
    for nothing in ["", " \n", "[]", "~", "# none yet\n"] {
        assert_eq!(outcome(nothing), Vec::<String>::new(), "{nothing}");
    }
}

#[test]
fn every_fault_names_its_entry() {
    for (text, expected) in [
        ("registry: ghcr.io", "!not a list"),
        ("hunter2", "!not a list"),
        ("- registry: ghcr.io\n  password: @hunter2", "!cannot be read as YAML (line 2, column 13)"),
        ("- *hunter2", "!cannot be read as YAML"),
        ("- ghcr.io", "!entry 1: not `key: value` lines"),
        ("- username: u\n  password: hunter2", "!entry 1: `registry` is missing"),
        (
            "- registry: https://r.io/x\n  username: u\n  password: hunter2",
            "!entry 1 (`https://r.io/x`): `https://r.io/x` is no registry host",
        ),
        (
            "- registry: https://u:hunter2@r.io\n  username: u\n  password: hunter2",
            "!entry 1: `registry` has a login in it",
        ),
        ("- registry: r.io\n  user: u\n  password: hunter2", "!entry 1 (`r.io`): no key `user`"),
        ("- registry: r.io\n  username: u\n  password: 1234", "!entry 1 (`r.io`): `password` is no text"),
        (
            "- registry: r.io\n  username: u\n  password: [hunter2]",
            "!entry 1 (`r.io`): `password` is no text",
        ),
        ("- registry: r.io\n  username: u\n  password: ''", "!entry 1 (`r.io`): `password` is empty"),
        ("- registry: r.io\n  username: u", "!entry 1 (`r.io`): `password` is missing"),
        ("- registry: r.io\n  password: hunter2", "!entry 1 (`r.io`): `username` is missing"),
        ("- registry: r.io", "!entry 1 (`r.io`): no login"),
        (
            "- registry: r.io\n  username: 'u:v'\n  password: hunter2",
            "!entry 1 (`r.io`): `username` has a `:`",
        ),
        (
            "- registry: r.io\n  username: u\n  password: ghs_jobs",
            "!entry 1 (`r.io`): `password` is the job's `github.token`",
        ),
        (
            "- registry: r.io\n  username: u\n  password: hunter2\n  aws_role: x",
            "!entry 1 (`r.io`): `username` and `aws_role` are two ways",
        ),
    ] {
        let found = outcome(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(expected), "{text}: {found:?}");
    }
    // All in one run; what is good is still read.
    let found = outcome(
        "- registry: a.io\n- registry: b.io\n  username: u\n  password: hunter2\n- registry: b.io\n  username: v\n  \
         password: hunter2\n- 7\n",
    );
    let faults: Vec<&str> = found.iter().filter_map(|text| text.strip_prefix('!')).collect();
    assert_eq!(faults.len(), 3, "{found:?}");
    assert!(faults[1].starts_with("entry 3 (`b.io`): its registry has an entry above"), "{found:?}");
}

#[test]
fn a_run_without_secrets_goes_on_without_the_login() {
    let mut context = context("push");
    context.actor = "dependabot[bot]".into();
    let around = Around { context: &context, token: &Secret::default(), own: None, aws: None };
    let mut findings = Findings::default();
    let entries = read("- registry: r.io\n  username: u\n  password:\n", &around, &mut findings);
    assert_eq!((entries, findings.faults.len()), (Entries::default(), 0));
    assert!(findings.notices[0].message.contains("entry 1 (`r.io`)"), "{:?}", findings.notices);
}

#[test]
fn passwords_are_found_for_masking_in_any_text() {
    let of = |text: &str| secrets(text);
    let pair = |user: &str, password: &str| (user.to_owned(), password.to_owned());
    assert_eq!(
        of("- {registry: a.io, username: u, password: hunter2}\n- registry: b.io\n  password: 12345\n"),
        [pair("u", "hunter2"), pair("", "12345")]
    );
    // What is no YAML is printed nowhere, but must be masked all the same.
    for broken in [
        "- registry: a.io\n  password: @hunter2\n",
        "- registry: a.io\n\tpassword: '@hunter2'\n",
        "registry: a.io\npassword: @hunter2",
        "- {registry: a.io, password: @hunter2}",
        "- registry: a.io\n  - password: @hunter2\n",
    ] {
        assert!(of(broken).contains(&pair("", "@hunter2")), "{broken}: {:?}", of(broken));
    }
}
