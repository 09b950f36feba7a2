//! Who wins for a host, one line a case.

use super::*;
use crate::inputs::config_tests_support::context;
use crate::inputs::fault::Level;
use crate::model::Targets;

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const ROLE: &str = "arn:aws:iam::123456789012:role/push";

/// A repository at this registry.
fn at(registry: &str) -> Repository {
    Repository::new(RegistryHost::parse(registry).unwrap(), "acme/api").unwrap()
}

/// Repositories at these registries, of which the first has the login of `username` and `password`.
fn named(registries: &[&str]) -> NamedTargets {
    NamedTargets::of(Targets::of(registries.iter().map(|host| at(host))).unwrap())
}

/// What each host gets: `host source`, identities with a `*`, logins that are missing with a `?`; then notices with `~`, faults
/// with `!`. What only debugging shows, and lines of the log, are left out.
fn outcome(registry: &str, variables: &[(&str, &str)]) -> Vec<String> {
    outcome_of(&named(&[registry]), &context("push"), variables)
}

fn outcome_of(named: &NamedTargets, context: &RunnerContext, variables: &[(&str, &str)]) -> Vec<String> {
    let (given, findings) = read_all(named, context, variables);
    let mut found: Vec<String> = given
        .logins
        .iter()
        .map(|login: &Credentials| format!("{} {}", login.registry, login.source))
        .collect();
    found.extend(given.identities.iter().map(|one| format!("*{} {}", one.registry, one.source)));
    let optional = |missing: &MissingLogin| if missing.optional { " (optional)" } else { "" };
    found.extend(
        given.missing.iter().map(|one| format!("?{} {}{}", one.registry, one.reason(), optional(one))),
    );
    found.extend(given.create_repository.then(|| "creates".to_owned()));
    found.extend(
        findings
            .notices
            .iter()
            .filter(|notice| !matches!(notice.level, Level::Debug | Level::Info))
            .map(|notice| format!("~{}", notice.message)),
    );
    found.extend(findings.faults.iter().map(|fault| format!("!{}: {}", fault.input, fault.message)));
    found
}

fn read_all(
    named: &NamedTargets,
    context: &RunnerContext,
    variables: &[(&str, &str)],
) -> (GivenLogins, Findings) {
    let directory = tempfile::tempdir().unwrap();
    let mut context = context.clone();
    context.paths.temp = directory.path().to_owned();
    let mut variables: std::collections::BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    if let Some(config) = variables.remove("config.json") {
        std::fs::write(directory.path().join("config.json"), config).unwrap();
        variables.insert("DOCKER_CONFIG".into(), directory.path().display().to_string());
    }
    let inputs = RawInputs::read(&variables);
    let shared = Shared::new(&context.paths);
    let mut findings = Findings::default();
    let from = LoginInputs { inputs: &inputs, context: &context, named, pulled_from: None, shared: &shared };
    let given = read(&from, &mut findings);
    (given, findings)
}

#[test]
fn the_first_one_counts() {
    let auth = ("INPUT_REGISTRY_AUTH", "- {registry: ghcr.io, username: u, password: p}");
    let docker = (
        "config.json",
        r#"{"auths":{"ghcr.io":{"username":"d","password":"p"},"r.io":{"username":"d","password":"p"}}}"#,
    );
    let job = [("INPUT_USERNAME", "octocat"), ("INPUT_PASSWORD", "ghs_t"), ("INPUT_TOKEN", "ghs_t")];
    let given = [("INPUT_USERNAME", "acme"), ("INPUT_PASSWORD", "secret")];
    let all = |parts: &[&[(&'static str, &'static str)]]| parts.concat();
    for (variables, expected) in [
        (all(&[&job]), "ghcr.io the job's token, `github.token`"),
        (all(&[&job, &[docker]]), "ghcr.io Docker's `config.json` that the job shares"),
        (all(&[&job, &[docker, auth]]), "ghcr.io entry 1 of `registry_auth`"),
        (all(&[&given, &[docker, auth]]), "ghcr.io `username` and `password`"),
    ] {
        assert_eq!(outcome("ghcr.io", &variables)[0], expected, "{variables:?}");
    }
    // Other hosts keep theirs.
    let found = outcome("ghcr.io", &all(&[&given, &[docker, auth]]));
    assert_eq!(found[1], "r.io Docker's `config.json` that the job shares");
    assert!(found[2].starts_with("~`registry_auth` has an entry for `ghcr.io`"), "{found:?}");
}

/// Where an image is only read, the same logins are looked for; none that is missing matters.
#[test]
fn where_an_image_is_read() {
    let variables = [
        ("INPUT_USERNAME", "octocat"),
        ("INPUT_PASSWORD", "ghs_t"),
        ("INPUT_TOKEN", "ghs_t"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("INPUT_REPOSITORY", "r.io/a"),
        ("INPUT_REGISTRY_AUTH", "- {registry: s.io, username: u, password: ''}"),
    ];
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let inputs = RawInputs::read(&variables);
    let context = context("push");
    let named = NamedTargets::of(Repository::parse("r.io/a").unwrap().into());
    for (host, expected) in [("ghcr.io", (1, 0)), (ECR, (0, 1)), ("s.io", (0, 0))] {
        let host = RegistryHost::parse(host).unwrap();
        let from = |pulled_from| {
            let shared = Shared::new(&context.paths);
            let from = LoginInputs {
                inputs: &inputs,
                context: &context,
                named: &named,
                pulled_from,
                shared: &shared,
            };
            let mut findings = Findings::default();
            let given = read(&from, &mut findings);
            assert_eq!((findings.faults.len(), given.missing.len()), (0, 0));
            (given.logins.for_registry(&host).iter().count(), given.identities.len())
        };
        assert_eq!((from(None), from(Some(&host))), ((0, 0), expected), "{host}");
    }
}

#[test]
fn amazon_s_registries() {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let all = |parts: &[&[(&'static str, &'static str)]]| parts.concat();
    let environment = format!("*{ECR} the variables `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`");
    let role = [("INPUT_AWS_ROLE", ROLE)];
    let create = [("INPUT_CREATE_REPOSITORY", "true")];
    let key = [("INPUT_USERNAME", "AKIAIOSFODNN7EXAMPLE"), ("INPUT_PASSWORD", "secret")];
    let login = [("INPUT_USERNAME", "AWS"), ("INPUT_PASSWORD", "secret")];
    let helper = [("config.json", r#"{"credHelpers":{"public.ecr.aws":"ecr-login"}}"#)];
    for (registry, variables, expected) in [
        (ECR, all(&[&keys]), vec![environment.as_str()]),
        (ECR, all(&[&keys, &create]), vec![&environment, "creates"]),
        (ECR, all(&[&keys, &role]), vec![&format!("*{ECR} `aws_role`")]),
        (ECR, all(&[&key]), vec![&format!("*{ECR} `username` and `password`")]),
        (ECR, all(&[&login, &keys]), vec![&format!("{ECR} `username` and `password`")]),
        (ECR, all(&[&login, &role]), vec![&format!("*{ECR} `aws_role`"), "!aws_role: two logins"]),
        (
            ECR,
            all(&[&login, &create]),
            vec![&format!("{ECR} `username` and `password`"), "creates", "!create_repository: the login"],
        ),
        (ECR, vec![], vec![]),
        ("r.io", all(&[&keys]), vec![]),
        ("r.io", all(&[&role]), vec!["!aws_role: for Amazon ECR, which `r.io` is not"]),
        ("r.io", all(&[&create]), vec!["!create_repository: only Amazon ECR"]),
        ("r.io", all(&[&keys, &helper]), vec!["*public.ecr.aws the variables"]),
        ("r.io", all(&[&helper]), vec![]),
    ] {
        let found = outcome(registry, &variables);
        let same =
            found.len() == expected.len() && found.iter().zip(&expected).all(|(f, e)| f.starts_with(e));
        assert!(same, "{registry} {variables:?}: {found:?}, not {expected:?}");
    }
}

#[test]
fn docker_hub_s_connection_as_dockers_own_action_takes_it() {
    let id = "00000000-0000-4000-8000-000000000000";
    let variables = |user: &'static str, password: &'static str| {
        [
            ("DOCKERHUB_OIDC_CONNECTIONID", id),
            ("INPUT_USERNAME", user),
            ("INPUT_PASSWORD", password),
            ("INPUT_TOKEN", "ghs_t"),
        ]
    };
    let identity = vec!["*docker.io `username` and `password`".to_owned()];
    assert_eq!(outcome("docker.io", &variables("acme", "ghs_t")), identity);
    assert_eq!(outcome("docker.io", &variables("acme", "")), identity);
    assert_eq!(outcome("docker.io", &variables("acme", "secret")), ["docker.io `username` and `password`"]);
    assert_eq!(outcome("docker.io", &variables("octocat", "ghs_t")), Vec::<String>::new());
}

#[test]
fn what_docker_s_configuration_leaves_open_is_said_for_this_registry_only() {
    let store = [("config.json", r#"{"credsStore":"desktop","auths":{"r.io":{}}}"#)];
    let found = outcome("r.io", &store);
    assert!(found.len() == 1 && found[0].contains("docker-credential-desktop"), "{found:?}");
    assert_eq!(outcome("s.io", &store), Vec::<String>::new());
    let found = outcome("r.io", &[("DOCKER_CONFIG", "/home/runner/.docker")]);
    assert!(found.len() == 1 && found[0].contains("runner.temp"), "{found:?}");
    let given = [("DOCKER_CONFIG", "/home/runner/.docker"), ("INPUT_USERNAME", "u"), ("INPUT_PASSWORD", "p")];
    assert_eq!(outcome("r.io", &given), ["r.io `username` and `password`"]);
}

#[test]
fn a_fork_s_run_has_no_identity() {
    let mut context = context("push");
    context.actor = "dependabot[bot]".into();
    let (given, findings) = read_all(&named(&[ECR]), &context, &[("INPUT_AWS_ROLE", ROLE)]);
    assert_eq!(given.identities, []);
    let [notice] = findings.notices.as_slice() else { panic!("{:?}", findings.notices) };
    assert!(notice.message.contains("no OIDC token"), "{notice:?}");
    assert_eq!(notice.level, Level::Debug, "it pushes nothing");
}

#[test]
fn several_registries() {
    let job = [("INPUT_USERNAME", "octocat"), ("INPUT_PASSWORD", "ghs_t"), ("INPUT_TOKEN", "ghs_t")];
    let given = [("INPUT_USERNAME", "acme"), ("INPUT_PASSWORD", "secret"), ("INPUT_TOKEN", "ghs_t")];
    let auth = ("INPUT_REGISTRY_AUTH", "- {registry: docker.io, username: u, password: p}");
    let aws = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let creates = ("INPUT_CREATE_REPOSITORY", "true");
    let token = "ghcr.io the job's token, `github.token`";
    let entry = "docker.io entry 1 of `registry_auth`";
    for (hosts, variables, expected) in [
        // The token stays with its own registry, in whichever line that is.
        (&["ghcr.io", "docker.io"][..], [&job[..], &[auth]].concat(), &[entry, token][..]),
        (&["docker.io", "ghcr.io"], [&job[..], &[auth]].concat(), &[entry, token]),
        (&["docker.io", "r.io"], [&job[..], &[auth]].concat(), &[entry]),
        // A login belongs to the first one only.
        (&["r.io", "ghcr.io"], given.to_vec(), &["r.io `username` and `password`"]),
        (&["ghcr.io", "r.io"], given.to_vec(), &["ghcr.io `username` and `password`"]),
        (&["ghcr.io", ECR], [&job[..], &aws, &[creates]].concat(), &[token, "*ECR the variables", "creates"]),
        (
            &["ghcr.io", "r.io"],
            [&job[..], &[creates]].concat(),
            &[token, "!create_repository: only Amazon ECR needs that, which `ghcr.io` is not"],
        ),
    ] {
        let found = outcome_of(&named(hosts), &context("push"), &variables);
        let found: Vec<_> = found.iter().map(|line| line.replace(ECR, "ECR")).collect();
        assert_eq!(found.len(), expected.len(), "{hosts:?}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{hosts:?}: {found}, not {expected}");
        }
    }
}

const JOB: [(&str, &str); 3] =
    [("INPUT_USERNAME", "octocat"), ("INPUT_PASSWORD", "ghs_t"), ("INPUT_TOKEN", "ghs_t")];
const THREE: [&str; 3] = ["ghcr.io", "docker.io", "quay.io"];

/// The job's defaults, and this `registry_auth`.
fn auth(text: &str) -> Vec<(&str, &str)> {
    [&JOB[..], &[("INPUT_REGISTRY_AUTH", text)]].concat()
}

/// In a fork's own run: nothing that came out empty is a fault, and what is missing is known by its host.
#[test]
fn secrets_that_are_not_there() {
    let token = "ghcr.io the job's token, `github.token`";
    let hub = "?docker.io entry 1 of `registry_auth`: `password` is empty";
    let (ecr, bare) = (format!("- registry: {ECR}\n  aws_role:\n"), format!("- registry: {ECR}\n"));
    let in_environment = format!("*{ECR} entry 1 of `registry_auth`");
    let without_role = format!("?{ECR} entry 1 of `registry_auth`: `aws_role` is empty");
    let without_anything = format!(
        "?{ECR} entry 1 of `registry_auth`: no login: give `aws_role`, or set `AWS_ACCESS_KEY_ID` and \
         `AWS_SECRET_ACCESS_KEY` in `env:`"
    );
    for (hosts, variables, expected) in [
        (&THREE[..], auth("- {registry: docker.io, username: u, password: ''}"), vec![token, hub]),
        (
            &THREE,
            auth(
                "- {registry: docker.io, username: u, password: , optional: true}\n\
                 - {registry: quay.io, username: '', password: '', optional: 'true'}",
            ),
            vec![
                token,
                "?docker.io entry 1 of `registry_auth`: `password` is empty (optional)",
                "?quay.io entry 2 of `registry_auth`: `username` and `password` are empty (optional)",
            ],
        ),
        // The image does not go there: nothing is missing.
        (&["ghcr.io"], auth("- {registry: docker.io, username: u, password: ''}"), vec![token]),
        // Somebody else has a login for it.
        (&["ghcr.io"], auth("- {registry: ghcr.io, username: u, password: ''}"), vec![token]),
        (
            &["docker.io"],
            [
                &auth("- {registry: docker.io, username: u, password: ''}")[..],
                &[("config.json", r#"{"auths":{"docker.io":{"username":"d","password":"p"}}}"#)],
            ]
            .concat(),
            vec!["docker.io Docker's `config.json` that the job shares"],
        ),
        // `username` and `password`.
        (
            &["docker.io"],
            vec![("INPUT_USERNAME", "acme"), ("INPUT_PASSWORD", ""), ("INPUT_TOKEN", "ghs_t")],
            vec!["?docker.io `password`: missing, but `username` is given"],
        ),
        (
            &["docker.io"],
            vec![
                ("INPUT_USERNAME", "acme"),
                ("INPUT_TOKEN", "ghs_t"),
                ("INPUT_REGISTRY_AUTH", "- {registry: docker.io, username: u, password: '', optional: true}"),
            ],
            vec!["?docker.io entry 1 of `registry_auth`: `password` is empty (optional)"],
        ),
        // Identities.
        (&[ECR], vec![("INPUT_REGISTRY_AUTH", &ecr)], vec![&without_role]),
        (&["ghcr.io"], auth(&ecr), vec![token]),
        (
            &[ECR],
            vec![
                ("INPUT_REGISTRY_AUTH", &ecr),
                ("AWS_ACCESS_KEY_ID", "AKIA"),
                ("AWS_SECRET_ACCESS_KEY", "s"),
            ],
            vec![&in_environment],
        ),
        (&[ECR], vec![("INPUT_REGISTRY_AUTH", &bare), ("AWS_ACCESS_KEY_ID", "")], vec![&without_anything]),
    ] {
        let found = outcome_of(&named(hosts), &context("push"), &variables);
        assert_eq!(found, expected, "{hosts:?} {variables:?}");
    }
}

/// The login of the first line is nobody else's, whether or not that line counts.
#[test]
fn a_password_for_a_line_that_is_disabled_goes_nowhere_else() {
    let given = [("INPUT_USERNAME", "acme"), ("INPUT_PASSWORD", "secret"), ("INPUT_TOKEN", "ghs_t")];
    let docker = at("docker.io").registry().clone();
    for (login_at, expected) in
        [(Some(docker.clone()), vec!["docker.io `username` and `password`"]), (None, vec![])]
    {
        let named = NamedTargets { login_at, has_disabled: true, ..named(&["ghcr.io"]) };
        assert_eq!(outcome_of(&named, &context("push"), &given), expected);
        // The job's token is for its own registry, wherever that stands.
        assert_eq!(outcome_of(&named, &context("push"), &JOB), ["ghcr.io the job's token, `github.token`"]);
    }
    // What only a disabled line needs is no fault either.
    let disabled = NamedTargets { login_at: Some(docker), has_disabled: true, ..named(&["ghcr.io"]) };
    assert_eq!(outcome_of(&disabled, &context("push"), &[("INPUT_CREATE_REPOSITORY", "true")]), [""; 0]);
    let without = [("INPUT_USERNAME", "acme"), ("INPUT_PASSWORD", ""), ("INPUT_TOKEN", "ghs_t")];
    assert_eq!(outcome_of(&disabled, &context("push"), &without), [""; 0]);
}

#[test]
fn what_is_missing_where_nothing_is_pushed_is_seen_with_debugging_only() {
    let auth = "- {registry: docker.io, username: u, password: ''}\n- {registry: quay.io, username: '', password: ''}";
    let variables =
        [&JOB[..2], &[("INPUT_PASSWORD", ""), ("INPUT_TOKEN", "ghs_t"), ("INPUT_REGISTRY_AUTH", auth)]]
            .concat();
    let mut fork = context("push");
    fork.actor = "dependabot[bot]".into();
    let nowhere = NamedTargets { is_nowhere: true, ..named(&THREE) };
    let off = [&variables[..], &[("INPUT_PUSH", "false")]].concat();
    for (named, context, variables) in [
        (named(&["r.io"]), context("push"), &off),
        (named(&THREE), context("push"), &off),
        (named(&THREE), fork, &variables),
        (nowhere, context("push"), &variables),
    ] {
        let (_, findings) = read_all(&named, &context, variables);
        assert_eq!(findings.faults, []);
        let levels: Vec<_> = findings.notices.iter().map(|notice| notice.level).collect();
        assert!(
            levels.len() >= 3 && levels.iter().all(|level| *level == Level::Debug),
            "{:?}",
            findings.notices
        );
    }
}
