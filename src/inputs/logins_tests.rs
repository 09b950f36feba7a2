//! Who wins for a host, one line a case.

use super::*;
use crate::inputs::config_tests_support::context;
use crate::model::Repository;

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const ROLE: &str = "arn:aws:iam::123456789012:role/push";

/// What each host gets: `host source`, identities with a `*`; then notices with `~`, faults with `!`.
fn outcome(registry: &str, variables: &[(&str, &str)]) -> Vec<String> {
    outcome_of(registry, &[], variables)
}

/// The same where the image goes to other registries, too.
/// A repository at this registry.
fn at(registry: &str) -> Repository {
    Repository::new(RegistryHost::parse(registry).unwrap(), "acme/api").unwrap()
}

fn outcome_of(registry: &str, others: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut context = context("push");
    context.paths.temp = directory.path().to_owned();
    let mut variables: std::collections::BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    if let Some(config) = variables.remove("config.json") {
        std::fs::write(directory.path().join("config.json"), config).unwrap();
        variables.insert("DOCKER_CONFIG".into(), directory.path().display().to_string());
    }
    let inputs = RawInputs::read(&variables);
    let shared = Shared::new(&context.paths);
    let targets = Targets::new(at(registry), others.iter().map(|host| at(host)));
    let from = LoginInputs { inputs: &inputs, context: &context, targets: &targets, shared: &shared };
    let mut findings = Findings::default();
    let given = read(&from, &mut findings);
    let mut found: Vec<String> = given
        .logins
        .iter()
        .map(|login: &Credentials| format!("{} {}", login.registry, login.source))
        .collect();
    found.extend(given.identities.iter().map(|one| format!("*{} {}", one.registry, one.source)));
    found.extend(given.create_repository.then(|| "creates".to_owned()));
    found.extend(
        findings
            .notices
            .iter()
            .filter(|n| n.level != crate::inputs::fault::Level::Debug)
            .map(|n| format!("~{}", n.message)),
    );
    found.extend(findings.faults.iter().map(|fault| format!("!{}: {}", fault.input, fault.message)));
    found
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
    let variables = [("INPUT_AWS_ROLE".to_owned(), ROLE.to_owned())].into();
    let (inputs, targets) = (RawInputs::read(&variables), at(ECR).into());
    let shared = Shared::new(&context.paths);
    let from = LoginInputs { inputs: &inputs, context: &context, targets: &targets, shared: &shared };
    let mut findings = Findings::default();
    assert_eq!(read(&from, &mut findings).identities, []);
    assert!(findings.notices[0].message.contains("no OIDC token"), "{:?}", findings.notices);
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
        let found = outcome_of(hosts[0], &hosts[1..], &variables);
        let found: Vec<_> = found.iter().map(|line| line.replace(ECR, "ECR")).collect();
        assert_eq!(found.len(), expected.len(), "{hosts:?}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{hosts:?}: {found}, not {expected}");
        }
    }
}
