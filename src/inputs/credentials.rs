//! Who may see the login: the host of `repository`, else of `registry`, and nobody else.
//!
//! `action.yml` fills in `github.actor` and `github.token` where a workflow gives no login, so they arrive like
//! any other value. They are good for this GitHub server's own registry only and are sent to no other. That
//! default is known by the password: it equals `token`, or is an installation token (`ghs_`) by its prefix.

use super::fault::{InputFault, Notice, shown};
use super::raw::RawInputs;
use crate::model::{Credentials, LoginSource, RegistryHost, Secret};
use crate::runner::context::RunnerContext;

/// The login that `username` and `password` are for this registry, if there is one to send, and what is to be said about it.
pub(super) fn login(
    inputs: &RawInputs,
    context: &RunnerContext,
    registry: &RegistryHost,
) -> Result<(Option<Credentials>, Option<Notice>), InputFault> {
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
        Ok((Some(login.given_by(source)), None))
    };
    let nothing = |notice: Option<Notice>| Ok((None, notice));

    if servers_token {
        if own.as_ref() == Some(registry) {
            let username = if username.is_empty() { &context.actor } else { username };
            return credentials(username, LoginSource::JobToken);
        }
        if default_user {
            let message = format!("no login for `{registry}`: `github.token` is not sent there");
            return nothing(Some(Notice::debug(message)));
        }
        let message = format!(
            "missing for the user `{}` of `{registry}`; the default, `github.token`, is not sent there",
            shown(username)
        );
        return Err(InputFault::new("password", message));
    }
    match (username.is_empty(), password.is_empty()) {
        (false, false) => credentials(username, LoginSource::Inputs),
        (true, false) => Err(InputFault::new("username", "missing, but `password` is given")),
        (_, true) if default_user => nothing(None),
        (_, true) if context.secrets_withheld() => nothing(Some(Notice::warning(format!(
            "no login for `{registry}`: `password` is empty, as GitHub gives this run no secrets"
        )))),
        (_, true) => Err(InputFault::new("password", "missing, but `username` is given")
            .hint("a secret that does not exist is empty: is it set, and does this workflow get it?")),
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
