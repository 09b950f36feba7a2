//! Who may see the login: the host of `repository`, else of `registry`, and nobody else.
//!
//! `action.yml` fills in `github.actor` and `github.token` where a workflow gives no login, so they arrive like
//! any other value. They are good for this GitHub server's own registry only and are sent to no other. That
//! default is known by the password: it equals `token`, or is an installation token (`ghs_`) by its prefix. An empty password
//! that a workflow gives stays empty: the runner fills in a default only where nothing is said.

use super::fault::{InputFault, Notice, shown};
use super::missing_login::MissingLogin;
use super::raw::RawInputs;
use crate::model::{Credentials, LoginSource, RegistryHost, Secret};
use crate::runner::context::RunnerContext;

/// What `username` and `password` come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GivenLogin {
    /// A login for the registry.
    Login(Credentials),
    /// One without its secret.
    Missing(MissingLogin),
    /// None, which may be worth telling.
    Nothing(Option<Notice>),
}

/// The login that `username` and `password` are for this registry. `pushes`: the image may be pushed there.
pub(super) fn login(
    inputs: &RawInputs,
    context: &RunnerContext,
    registry: &RegistryHost,
    pushes: bool,
) -> Result<GivenLogin, InputFault> {
    let (username, password) = (inputs.username.trim(), &inputs.password);
    if username.contains(|c: char| c == ':' || c.is_control()) {
        let message = "a `:` or a control character, which no registry's login can have";
        return Err(InputFault::new("username", message));
    }
    let own = own_registry(&context.server_url);
    let servers_token = is_servers_token(password, &inputs.token);
    let default_user = username.is_empty() || username == context.actor;
    let credentials = |username: &str, source| {
        let login = Credentials::new(registry.clone(), username, password.clone());
        Ok(GivenLogin::Login(login.given_by(source)))
    };
    let missing = |input, why: String| {
        let registry = registry.clone();
        Ok(GivenLogin::Missing(MissingLogin { registry, optional: false, input, entry: None, why }))
    };

    if servers_token {
        if own.as_ref() == Some(registry) {
            let username = if username.is_empty() { &context.actor } else { username };
            return credentials(username, LoginSource::JobToken);
        }
        if default_user {
            let message = format!("no login for `{registry}`: `github.token` is not sent there");
            return Ok(GivenLogin::Nothing(Some(Notice::debug(message))));
        }
        let why = format!(
            "missing for the user `{}`; the default, `github.token`, is not sent there",
            shown(username)
        );
        return missing("password", why);
    }
    match (username.is_empty(), password.is_empty()) {
        (false, false) => credentials(username, LoginSource::Inputs),
        (true, false) => missing("username", "missing, but `password` is given".into()),
        (false, true) if !default_user => missing("password", "missing, but `username` is given".into()),
        (_, true) => {
            // The runner fills in the default where the workflow gives none, so somebody gave an empty one. Where nobody has
            // to log in that is no trouble: the registry says.
            let is_given = !inputs.token.is_empty() && !registry.is_loopback();
            Ok(GivenLogin::Nothing(is_given.then(|| {
                let level = if pushes { Notice::warning } else { Notice::debug };
                level(format!(
                    "no login for `{registry}`: `password` is given and empty, as a secret is that does not exist or that \
                     this run does not get{}",
                    if own.as_ref() == Some(registry) { "; leave it out for the job's own token" } else { "" }
                ))
            })))
        }
    }
}

/// Whether this is a token of the GitHub server that runs the workflow.
pub(super) fn is_servers_token(password: &Secret, token: &Secret) -> bool {
    !password.is_empty() && (password == token || password.expose().starts_with("ghs_"))
}

/// The container registry that belongs to a GitHub server: `ghcr.io`, or `containers.<host>` for GitHub
/// Enterprise Server and for the tenants of ghe.com.
pub(super) fn own_registry(server_url: &str) -> Option<RegistryHost> {
    let host = server_url.split_once("://").map_or(server_url, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
    let registry = match host.as_str() {
        "" => return None,
        "github.com" => "ghcr.io".to_owned(),
        other => format!("containers.{other}"),
    };
    RegistryHost::parse(&registry).ok()
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
