//! Entries, one line a case, and what is said of those that cannot be used.

use super::*;

/// `host user:password`, `host identity`, `?host what` of a login that is missing, then `!message` of each fault.
fn outcome(text: &str) -> Vec<String> {
    let token = Secret::new("ghs_jobs");
    let own = RegistryHost::parse("ghcr.io").unwrap();
    let around = Around { token: &token, own: Some(&own), aws: None };
    let mut findings = Findings::default();
    let entries = read(text, &around, &mut findings);
    let mut found: Vec<String> = Vec::new();
    for login in &entries.logins {
        assert!(matches!(login.source, LoginSource::RegistryAuth(_)));
        found.push(format!("{} {}:{}", login.registry, login.username, login.password.expose()));
    }
    found.extend(entries.identities.iter().map(|identity| format!("{} identity", identity.registry)));
    for missing in &entries.missing {
        assert_eq!(missing.input, "registry_auth");
        let optional = if missing.optional { " (optional)" } else { "" };
        found.push(format!("?{} {}{optional}", missing.registry, missing.why));
    }
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
            "!entry 1 (`https://r.io/x`): `https://r.io/x` is not a registry host",
        ),
        (
            "- registry: https://u:hunter2@r.io\n  username: u\n  password: hunter2",
            "!entry 1: `registry` has a login in it",
        ),
        ("- registry: r.io\n  user: u\n  password: hunter2", "!entry 1 (`r.io`): no key `user`"),
        ("- registry: r.io\n  username: u\n  password: 1234", "!entry 1 (`r.io`): `password` is not text"),
        (
            "- registry: r.io\n  username: u\n  password: [hunter2]",
            "!entry 1 (`r.io`): `password` is not text",
        ),
        ("- registry: r.io\n  username: u", "!entry 1 (`r.io`): `password` is missing"),
        ("- registry: r.io\n  password: hunter2", "!entry 1 (`r.io`): `username` is missing"),
        ("- registry: r.io", "!entry 1 (`r.io`): no login"),
        ("- registry: r.io\n  optional: true", "!entry 1 (`r.io`): no login"),
        (
            "- registry: r.io\n  username: u\n  password: hunter2\n  optional: maybe",
            "!entry 1 (`r.io`): `optional` is not a boolean",
        ),
        (
            "- registry: r.io\n  username: u\n  password: ''\n  optional: 1",
            "!entry 1 (`r.io`): `optional` is not a boolean",
        ),
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
fn what_came_out_empty_is_missing() {
    for (text, expected) in [
        ("- {registry: r.io, username: u, password: ''}", "?r.io `password` is empty"),
        ("- registry: r.io\n  username: u\n  password:\n", "?r.io `password` is empty"),
        ("- {registry: r.io, username: u, password: ' '}", "?r.io `password` is empty"),
        ("- {registry: r.io, username: '', password: hunter2}", "?r.io `username` is empty"),
        ("- {registry: r.io, username: , password: }", "?r.io `username` and `password` are empty"),
        (
            "- {registry: r.io, username: '', password: '', optional: true}",
            "?r.io `username` and `password` are empty (optional)",
        ),
        (
            "- {registry: r.io, username: u, password: '', optional: TRUE}",
            "?r.io `password` is empty (optional)",
        ),
        (
            "- {registry: r.io, username: u, password: '', optional: 'True'}",
            "?r.io `password` is empty (optional)",
        ),
        ("- {registry: r.io, username: u, password: '', optional: 'false'}", "?r.io `password` is empty"),
        ("- {registry: r.io, username: u, password: '', optional: }", "?r.io `password` is empty"),
        ("- {registry: docker.io, username: u, connection_id: ''}", "?docker.io `connection_id` is empty"),
        // Nothing is missing of an optional one.
        ("- {registry: r.io, username: u, password: p, optional: true}", "r.io u:p"),
    ] {
        assert_eq!(outcome(text), [expected], "{text}");
    }
    // One host is there once, with a secret or without.
    let twice = outcome(
        "- {registry: r.io, username: u, password: ''}\n- {registry: r.io, username: v, password: p}",
    );
    assert!(
        twice.last().unwrap().starts_with("!entry 2 (`r.io`): its registry has an entry above"),
        "{twice:?}"
    );
}

#[test]
fn an_entry_of_which_nothing_is_left_is_nothing() {
    for text in [
        "- ",
        "-\n\n- ~\n- ''\n- ' '",
        "- {}",
        "- {registry: , username: , password: }",
        "- {registry: '', username: '', password: '', optional: true}",
    ] {
        assert_eq!(outcome(text), [""; 0], "{text}");
    }
    assert_eq!(outcome("-\n\n  \n- {registry: r.io, username: u, password: p}\n\n-\n"), ["r.io u:p"]);
    assert_eq!(
        outcome("- {registry: '', username: u, password: hunter2}"),
        ["!entry 1: `registry` is missing"]
    );
}

#[test]
fn passwords_are_found_for_masking_in_any_text() {
    let of = |text: &str| secrets(text);
    let pair = |user: &str, password: &str| (user.to_owned(), password.to_owned());
    assert_eq!(
        of("- {registry: a.io, username: u, password: hunter2}\n- registry: b.io\n  password: 12345\n"),
        [pair("u", "hunter2"), pair("", "12345")]
    );
    // One that is empty beside one of several lines.
    assert_eq!(
        of(
            "- {registry: a.io, username: u, password: }\n- registry: b.io\n  password: |\n    hunter2\n    hunter3\n"
        ),
        [pair("", "hunter2\nhunter3\n")]
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
