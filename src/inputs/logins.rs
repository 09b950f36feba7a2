//! All logins of a run, by who gave them: `username` and `password` (or `aws_role`), `registry_auth`, the identity in
//! the job's environment, Docker's own configuration, at last the job's token for this GitHub server's own registry.
//!
//! The first of these that has something for a host is the only one for that host. An identity stands for a login that
//! is still to be had: the room `login` exchanges it. A login whose secret is empty is none, and is remembered where the image
//! goes to its registry and nothing else has one; no run fails here for it.

use std::collections::BTreeSet;

use super::credentials::{self, GivenLogin};
use super::docker_config::{self, DockerConfig};
use super::fault::{Findings, InputFault, Notice};
use super::image::NamedTargets;
use super::missing_login::MissingLogin;
use super::push::{self, Push};
use super::raw::RawInputs;
use super::registry_auth::{self, Around};
use super::shared::Shared;
use super::{identity, parse};
use crate::model::{
    AwsIdentity, AwsKeys, Credentials, Ecr, Identity, IdentityKind, LoginSource, Logins, RegistryHost,
    Repository, Secret,
};
use crate::runner::context::RunnerContext;

/// The logins of a run, and what else came with them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct GivenLogins {
    pub logins: Logins,
    pub identities: Vec<Identity>,
    /// Logins at the image's registries that are asked for and not there: at most one for each, and no other login is.
    pub missing: Vec<MissingLogin>,
    /// The input `create_repository`, where it can be done.
    pub create_repository: bool,
    /// The proxies of Docker's configuration, as build arguments.
    pub proxies: Vec<(String, Secret)>,
}

/// What logins are read from.
pub(super) struct LoginInputs<'a> {
    pub inputs: &'a RawInputs,
    pub context: &'a RunnerContext,
    /// Where the image goes, and whose login `username` and `password` are.
    pub named: &'a NamedTargets,
    /// Where an image is only read.
    pub pulled_from: Option<&'a RegistryHost>,
    pub shared: &'a Shared<'a>,
}

/// Logins as they are found: a host goes to the first that is told of it.
#[derive(Default)]
struct Taken {
    given: GivenLogins,
    hosts: BTreeSet<RegistryHost>,
}

impl Taken {
    /// Takes an identity for its host, unless the host is taken.
    fn identity(&mut self, identity: Identity) {
        if self.hosts.insert(identity.registry.clone()) {
            self.given.identities.push(identity);
        }
    }

    /// Takes a login for its host, unless the host is taken.
    fn login(&mut self, login: Credentials) {
        if self.hosts.insert(login.registry.clone()) {
            self.given.logins.add(login);
        }
    }
}

/// Reads every login; what is wrong is among the findings.
pub(super) fn read(from: &LoginInputs<'_>, findings: &mut Findings) -> GivenLogins {
    let LoginInputs { inputs, context, named, pulled_from, shared } = *from;
    let hosts = named.targets.registries();
    let mut used = hosts.clone();
    used.extend(pulled_from);
    let aws = identity::aws_keys(&inputs.variables);
    let own = credentials::own_registry(&context.server_url);
    let (mut taken, mut missing) = (Taken::default(), Vec::new());
    let mut last = named.login_at.as_ref().and_then(|registry| {
        let pushes = hosts.contains(registry) && may_push(inputs, context, named);
        of_inputs(from, registry, pushes, &mut taken, &mut missing, findings)
    });
    // The job's token is good for its own registry, wherever that stands among them.
    let second = own.as_ref().filter(|own| Some(*own) != named.login_at.as_ref() && used.contains(own));
    if let Some(own) = second.filter(|_| credentials::is_servers_token(&inputs.password, &inputs.token)) {
        let login = Credentials::new(own.clone(), &context.actor, inputs.password.clone());
        last = Some(login.given_by(LoginSource::JobToken));
    }

    let around = Around { token: &inputs.token, own: own.as_ref(), aws: aws.as_ref() };
    let entries = registry_auth::read(inputs.registry_auth.expose(), &around, findings);
    for host in entries
        .logins
        .iter()
        .map(|login| &login.registry)
        .chain(entries.identities.iter().map(|i| &i.registry))
    {
        if taken.hosts.contains(host) {
            findings.notices.push(Notice::plain(format!(
                "`registry_auth` has an entry for `{host}`, whose login is given by other inputs: those count"
            )));
        }
    }
    entries.logins.into_iter().for_each(|login| taken.login(login));
    entries.identities.into_iter().for_each(|identity| taken.identity(identity));
    // Of two that are missing at one host, the entry says more.
    let missing: Vec<_> = entries.missing.into_iter().chain(missing).collect();

    for identity in used.iter().filter_map(|host| of_environment(host, aws.as_ref())) {
        taken.identity(identity);
    }
    let mut docker = docker_config::read(&inputs.variables, shared);
    let proxies = std::mem::take(&mut docker.proxies);
    let trouble = docker.trouble.clone();
    of_docker(docker, &used, aws.as_ref(), &mut taken);
    if let Some(login) = last {
        taken.login(login);
    }
    if let Some(trouble) = trouble {
        let all = used.iter().all(|host| taken.hosts.contains(*host));
        let level = if all { Notice::debug } else { Notice::warning };
        findings.notices.push(level(trouble));
    }
    for host in used.iter().copied().filter(|host| !taken.hosts.contains(*host)) {
        let helper = taken.given.logins.helper_for(host);
        findings.notices.extend(helper.map(|name| Notice::warning(without_helper(host, name))));
    }
    let missing = missing_at(&hosts, missing, &taken.hosts, findings);
    let mut given = GivenLogins { missing, proxies, ..taken.given };
    given.identities.retain(|identity| !withheld(identity, context, findings));
    given.create_repository = create_repository(inputs, named, &given, findings);
    given
}

/// Takes the login that `username`, `password` and `aws_role` are at this registry, and gives back the job's token, which counts
/// after all others.
fn of_inputs(
    from: &LoginInputs<'_>,
    registry: &RegistryHost,
    pushes: bool,
    taken: &mut Taken,
    missing: &mut Vec<MissingLogin>,
    findings: &mut Findings,
) -> Option<Credentials> {
    let LoginInputs { inputs, context, .. } = *from;
    let mut last = None;
    let identity = |kind, source| Identity { registry: registry.clone(), kind, source };
    if let Some(kind) = dockers_connection(inputs, context, registry) {
        let kind = kind.map_err(|why| InputFault::new("DOCKERHUB_OIDC_CONNECTIONID", why));
        if let Some(kind) = findings.take(kind) {
            taken.identity(identity(kind, LoginSource::Inputs));
        }
    } else {
        match findings.take(credentials::login(inputs, context, registry, pushes)) {
            Some(GivenLogin::Login(login)) if login.source == LoginSource::JobToken => last = Some(login),
            Some(GivenLogin::Login(login)) if !inputs.aws_role.is_empty() => {
                let message = format!("two logins for `{}`: `password` is given too", login.registry);
                findings.faults.push(InputFault::new("aws_role", message).hint("give one of them"));
            }
            Some(GivenLogin::Login(login)) => {
                match identity::access_key(registry, &login.username, &login.password) {
                    Some(kind) => taken.identity(identity(kind, LoginSource::Inputs)),
                    None => taken.login(login),
                }
            }
            Some(GivenLogin::Missing(login)) => missing.push(login),
            Some(GivenLogin::Nothing(notice)) => findings.notices.extend(notice),
            None => {}
        }
    }
    if !inputs.aws_role.is_empty() {
        let kind = identity::aws_role(registry, &inputs.aws_role);
        let kind = kind.map_err(|why| InputFault::new("aws_role", why.trim_start_matches("`aws_role` is ")));
        if let Some(kind) = findings.take(kind) {
            taken.identity(identity(kind, LoginSource::AwsRole));
        }
    }
    last
}

/// Whether this run may push, as far as the inputs and GitHub's rules for secrets say.
fn may_push(inputs: &RawInputs, context: &RunnerContext, named: &NamedTargets) -> bool {
    !named.is_nowhere && !context.secrets_withheld() && push::parse(&inputs.push) != Ok(Push::No)
}

/// Those of the missing logins that matter where the image goes: nobody else has given one for the registry. What is said of
/// the others, and of these as long as nobody knows whether they matter, asks for nothing.
fn missing_at(
    hosts: &BTreeSet<&RegistryHost>,
    missing: Vec<MissingLogin>,
    taken: &BTreeSet<RegistryHost>,
    findings: &mut Findings,
) -> Vec<MissingLogin> {
    let mut found: Vec<MissingLogin> = Vec::new();
    for login in missing {
        let (registry, reason) = (&login.registry, login.reason());
        if taken.contains(registry) {
            let said = format!("another login for `{registry}` is used: {reason}");
            findings.notices.push(Notice::info(said));
            continue;
        }
        findings.notices.push(Notice::debug(format!("no login for `{registry}`: {reason}")));
        if hosts.contains(registry) && found.iter().all(|known| known.registry != *registry) {
            found.push(login);
        }
    }
    found
}

/// What is said of a login that a program would have to tell.
pub fn without_helper(registry: &RegistryHost, name: &str) -> String {
    format!(
        "no login for `{registry}`: Docker's configuration leaves it to `docker-credential-{name}`, which cannot run in \
         this container; give `username` and `password`, or `registry_auth`"
    )
}

/// The identity of a workflow that asks as docker/login-action does for Docker Hub's OIDC, with no password and the connection in
/// a variable, or what is wrong with it; nothing when the workflow does not ask so.
fn dockers_connection(
    inputs: &RawInputs,
    context: &RunnerContext,
    registry: &RegistryHost,
) -> Option<Result<IdentityKind, String>> {
    let connection = inputs.variables.get("DOCKERHUB_OIDC_CONNECTIONID")?.expose().trim();
    let username = inputs.username.trim();
    let no_password =
        inputs.password.is_empty() || credentials::is_servers_token(&inputs.password, &inputs.token);
    let asked = identity::is_dockers(registry)
        && no_password
        && !connection.is_empty()
        && !username.is_empty()
        && username != context.actor;
    asked.then(|| identity::docker_hub(registry, username, connection))
}

/// The identity for a registry of Amazon's, where the environment has AWS's keys.
fn of_environment(registry: &RegistryHost, aws: Option<&AwsKeys>) -> Option<Identity> {
    let (ecr, keys) = (Ecr::of(registry)?, aws?.clone());
    let kind = IdentityKind::Ecr { ecr, by: AwsIdentity::Keys(keys) };
    Some(Identity { registry: registry.clone(), kind, source: LoginSource::AwsEnvironment })
}

/// Takes what Docker's own configuration says: logins, hosts for which AWS is to be asked, and hosts of other helpers.
fn of_docker(
    docker: DockerConfig,
    hosts: &BTreeSet<&RegistryHost>,
    aws: Option<&AwsKeys>,
    taken: &mut Taken,
) {
    docker.logins.into_iter().for_each(|login| taken.login(login));
    let everywhere = hosts.iter().filter(|host| docker.ecr_everywhere && Ecr::of(host).is_some());
    let everywhere = everywhere.map(|host| (*host).clone());
    for host in docker.ecr.into_iter().chain(everywhere) {
        match of_environment(&host, aws) {
            Some(identity) => taken.identity(identity),
            None => taken.given.logins.add_helper(host, "ecr-login".into()),
        }
    }
    for (host, name) in docker.helpers {
        if !taken.hosts.contains(&host) {
            taken.given.logins.add_helper(host, name);
        }
    }
}

/// Whether GitHub withholds the OIDC token that an identity needs: a run that gets no secrets gets no token either. It pushes
/// nothing and builds without this login, as without those whose secrets are withheld.
fn withheld(identity: &Identity, context: &RunnerContext, findings: &mut Findings) -> bool {
    let withheld = context.secrets_withheld() && identity.kind.needs_oidc();
    if withheld {
        findings.notices.push(Notice::debug(format!(
            "no login for `{}`: GitHub gives this run no OIDC token for {}",
            identity.registry, identity.source
        )));
    }
    withheld
}

/// Reads `create_repository`: whether a missing repository is made, which only Amazon ECR needs and only an identity can.
fn create_repository(
    inputs: &RawInputs,
    named: &NamedTargets,
    given: &GivenLogins,
    findings: &mut Findings,
) -> bool {
    let asked = findings.take(parse::boolean("create_repository", &inputs.create_repository, false));
    if asked != Some(true) {
        return false;
    }
    let of_amazon = |repository: &&Repository| Ecr::of(repository.registry()).is_some();
    let amazons: BTreeSet<_> = named.targets.iter().filter(of_amazon).map(Repository::registry).collect();
    if amazons.is_empty() {
        // It may be the one that is disabled.
        if !named.has_disabled {
            let registry = named.targets.first().registry();
            let message = format!("only Amazon ECR needs that, which `{registry}` is not");
            findings.faults.push(InputFault::new("create_repository", message).hint("leave it out"));
        }
        return false;
    }
    for host in amazons.into_iter().filter(|host| given.logins.for_registry(host).is_some()) {
        let message = format!("the login of `{host}` cannot make a repository");
        let hint = "give `aws_role`, or an access key instead of the user `AWS`";
        findings.faults.push(InputFault::new("create_repository", message).hint(hint));
    }
    true
}

/// The secrets among logins and identities, each with the user name that it belongs to, or none.
pub(super) fn secrets<'a>(
    logins: &'a Logins,
    identities: &'a [Identity],
) -> impl Iterator<Item = (&'a str, &'a Secret)> {
    let of_logins = logins.iter().map(|login| (login.username.as_str(), &login.password));
    let of_keys = identities.iter().flat_map(|identity| match &identity.kind {
        IdentityKind::Ecr { by: AwsIdentity::Keys(keys), .. } => {
            vec![Some(("", &keys.secret)), keys.session.as_ref().map(|session| ("", session))]
        }
        _ => Vec::new(),
    });
    of_logins.chain(of_keys.flatten())
}

#[cfg(test)]
#[path = "logins_tests.rs"]
mod tests;
