//! What deployments would do now, for a dry run: the same steps, up to the first that would change something.

use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::{carry_out, paired};
use crate::engine::environment::OpenEnvironment;
use crate::engine::history::Historian;
use crate::engine::run::Run;
use crate::error::DeployError;
use crate::inputs::config::Means;
use crate::model::chain;
use crate::plan::RunPlan;
use crate::plan::deploy::{DeploySteps, DeployWork, DeployedImage};

/// A sentence for each environment, in the plan's order.
pub(in crate::engine) async fn foretell(
    run: &Run<'_>,
    plan: &RunPlan,
    open: Vec<OpenEnvironment>,
) -> Vec<String> {
    let Some(image) = &plan.deploy.image else { return Vec::new() };
    let historian = Mutex::new(Historian::new(run, plan));
    let looking = paired(plan, open).into_iter().map(async |(work, open)| {
        let found = one(run, plan, (work, image), open, &historian).await;
        found.unwrap_or_else(|error| format!("what would be done is not known: {}", chain(&error)))
    });
    join_all(looking).await
}

async fn one(
    run: &Run<'_>,
    plan: &RunPlan,
    (work, image): (&DeployWork, &DeployedImage),
    open: OpenEnvironment,
    historian: &Mutex<Historian>,
) -> Result<String, DeployError> {
    if let Means::Dispatch { .. } = work.environment.means {
        return Ok("it would be sent".into());
    }
    let Some((_, place)) = work.change() else { return Ok(String::new()) };
    let OpenEnvironment { account, node_id, mut base, .. } = open;
    let scratches = carry_out::Scratches::default();
    let hand = carry_out::Hand {
        run,
        plan,
        work,
        account: &account,
        node_id: &node_id,
        historian,
        scratches: &scratches,
    };
    // That of an image that is there already is known; of one that is not, its tag is compared.
    let digest = plan.image.given().map(|given| given.digest.clone());
    let mut steps = DeploySteps::new(&plan.deploy, (work, image), digest, run.context);
    loop {
        if let Some(fate) = steps.fate() {
            return Ok(fate);
        }
        let reply = hand.read_or_write(steps.next(), place, image, &mut base).await?;
        steps.answer(reply);
    }
}
