//! The image in the local daemon, for the steps that follow: pulled where it was pushed, else exported by who has built it.

use std::time::Duration;

use tokio::time::Instant;

use crate::docker::{DaemonClient, pull_under_names};
use crate::engine::obtain::{Image, Origin};
use crate::engine::pulls::said_pulls;
use crate::engine::retry::{pulling, retry};
use crate::engine::run::Run;
use crate::engine::solving::into_daemon;
use crate::error::RunError;
use crate::model::text;
use crate::plan::load::LoadPlan;
use crate::runner::units;

/// Whether it is where it can be pulled, before its tags are.
pub(super) fn is_there(image: &Image<'_>) -> bool {
    image.located.first().is_some_and(|located| located.copy_from.is_none())
}

/// Brings it there, unless the run is stopped.
///
/// # Errors
/// Why the daemon has it not.
pub(super) async fn load(run: &Run<'_>, plan: &LoadPlan, image: &Image<'_>) -> Result<(), RunError> {
    let began = Instant::now();
    let brought = run.until_stopped(async {
        let daemon = DaemonClient::connect(run.daemon.path()).await?;
        match image.located.first() {
            Some(located) => {
                pulled(run, plan, &daemon, &format!("{}@{}", located.repository, located.digest)).await
            }
            None => Box::pin(exported(run, plan, &daemon, image)).await,
        }
    });
    let brought = Box::pin(brought).await;
    run.process.reporter.phase("load", began.elapsed());
    if brought? {
        say(run, plan, began.elapsed());
    }
    Ok(())
}

async fn pulled(
    run: &Run<'_>,
    plan: &LoadPlan,
    daemon: &DaemonClient,
    reference: &str,
) -> Result<bool, RunError> {
    let heard = said_pulls(run.process, "load", reference);
    let load = async || {
        let logins = run.keyring.logins();
        pull_under_names(daemon, reference, &plan.platforms, &plan.names, &logins, &heard).await
    };
    let loaded = retry(run.process, pulling(run.asked.retries), load).await;
    loaded.map_err(|error| RunError::NotLoaded {
        image: reference.to_owned(),
        why: text::line(&error.to_string()),
    })?;
    Ok(true)
}

/// What was not pushed. Where nothing is there that could be exported, nothing was to be.
async fn exported(
    run: &Run<'_>,
    plan: &LoadPlan,
    daemon: &DaemonClient,
    image: &Image<'_>,
) -> Result<bool, RunError> {
    let (Origin::Built(workshop), Some(unpushed)) = (&image.origin, &plan.unpushed) else { return Ok(false) };
    let built = workshop.nodes().get(unpushed.node).zip(workshop.solved.get(unpushed.node));
    let (node, solved) =
        built.ok_or_else(|| RunError::Contradiction(vec!["what is to be loaded was not built".into()]))?;
    into_daemon(run, &node.connection, &unpushed.build(solved.clone()), daemon).await?;
    Ok(true)
}

fn say(run: &Run<'_>, plan: &LoadPlan, time: Duration) {
    let platforms: Vec<String> = plan.platforms.iter().map(ToString::to_string).collect();
    let platforms = platforms.join(", ");
    for name in &plan.names {
        run.process.reporter.info(&format!("loaded {name} ({platforms})"));
    }
    run.process.reporter.info(&format!("the local daemon has the image ({})", units::seconds(time)));
}
