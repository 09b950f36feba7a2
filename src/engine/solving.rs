//! What every solve of a run has beside its plan: the session's secrets and logins, and a log.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::run::Run;
use crate::buildkit::Provisions;
use crate::inputs::without_helper;
use crate::model::{BuildSecret, RegistryHost};
use crate::plan::build::BuildPlan;
use crate::progress::display::Display;
use crate::progress::plain::PlainOptions;

/// A log of this build, with nothing in it.
pub(super) fn log(run: &Run<'_>, build: &BuildPlan) -> Display {
    let name = &build.dockerfile.file_name;
    let options = PlainOptions {
        fence: run.process.random_id(),
        quiet_warnings: run.asked.build.quiet_checks,
        dockerfile: build.dockerfile_place.clone().map(|place| (name.clone(), place)),
    };
    Display::new(options, run.process.reporter.is_live())
}

/// What the session gives: secrets, and to each registry its own login, as it is when it is asked for. The token is a
/// secret under the ids that the plan says.
pub(super) fn provisions(run: &Run<'_>, build: &BuildPlan) -> Provisions {
    let (keyring, reporter) = (run.keyring.clone(), run.process.reporter.clone());
    let told = Mutex::new(BTreeSet::new());
    let credentials = Arc::new(move |host: &str| {
        let host = RegistryHost::parse(host).ok()?;
        if let Some(name) = keyring.helper_for(&host)
            && told.lock().is_ok_and(|mut told| told.insert(host.clone()))
        {
            reporter.warn(&without_helper(&host, &name));
        }
        // An identity token goes without a user: that is how BuildKit knows it.
        keyring.login(&host).map(|login| (login.username, login.password))
    });
    let token = run.keyring.token().map(|token| token.expose().as_bytes().to_vec()).unwrap_or_default();
    let tokens = build.token_secrets.iter();
    let tokens = tokens.map(|id| BuildSecret { id: id.clone(), value: token.clone() });
    let proxies = run.keyring.proxies().iter().filter(|(name, _)| build.proxies.contains(name));
    Provisions {
        credentials,
        build_args: proxies.cloned().collect(),
        secrets: run.keyring.secrets().iter().cloned().chain(tokens).collect(),
        ssh: run.asked.build.ssh.clone(),
        github_cache: run.process.github_cache(),
        archive: None,
    }
}
