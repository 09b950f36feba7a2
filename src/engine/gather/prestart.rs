//! The builder's container, begun as soon as it is certain what will build, which is at once where the input says so: its
//! image is pulled and it starts while the other facts are gathered and the plan is made.
//!
//! Decided by the same code as the action `prepare` decides, on all that is known then. What the plan does not want in
//! the end is removed again.

use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use crate::buildkit::Connection;
use crate::docker::builder::BuilderContainer;
use crate::engine::background::Background;
use crate::engine::container::{ContainerMaker, own_container};
use crate::engine::run::Run;
use crate::error::RunError;
use crate::inputs::prepare::Preparation;
use crate::model::{ImageName, Keyring};
use crate::plan::builder::ContainerPlan;
use crate::plan::facts::BuilderFacts;
use crate::plan::prepare::{certain, plan_ahead};
use crate::plan::promote::may_need_no_build;

/// Whether the image's registry wants a login that is exchanged for: the run has it a moment later, and then makes the
/// container itself. All others wait for no login.
fn comes_by_exchange(keyring: &Keyring, image: &str) -> bool {
    let registry = ImageName::parse(image).map(|image| image.repository().registry().clone());
    registry.is_ok_and(|registry| keyring.identity(&registry).is_some())
}

/// A container in the making. Dropped, it is given up and removed, unless it is one that outlives its step.
pub(in crate::engine) struct Prestart {
    /// The one that is meant, from the moment on at which it is begun.
    meant: Arc<OnceLock<ContainerPlan>>,
    making: Background<Made>,
}

/// `None`: none is wanted, or nobody can tell yet.
type Made = Option<Result<(BuilderContainer, Connection), RunError>>;

impl Prestart {
    /// Nothing is begun.
    pub(super) fn none() -> Self {
        Self { meant: Arc::default(), making: Background::none() }
    }

    /// Makes the container that this run is going to want, when `found` tells what can build.
    pub(super) fn begin(run: &Run<'_>, found: oneshot::Receiver<BuilderFacts>) -> Self {
        if run.asked.dry_run || may_need_no_build(run.asked, run.context) {
            return Self::none();
        }
        let meant = Arc::new(OnceLock::new());
        let tell = Arc::clone(&meant);
        let (asked, context) = (Preparation::from(run.asked), run.context.clone());
        let (keyring, maker) = (run.keyring.clone(), ContainerMaker::of(run));
        let making = Background::begin(async move {
            let plan = if let Some(certain) = certain(&asked, &context) {
                certain
            } else {
                let facts = found.await.ok()?;
                // What is wrong here is wrong in the run's own plan, which says it.
                plan_ahead(&asked, &context, &facts).ok()??.container?
            };
            if comes_by_exchange(&keyring, &plan.image) {
                return None;
            }
            // Nobody has told before.
            let _ = tell.set(plan.clone());
            Some(own_container(&maker, &plan).await)
        });
        Self { meant, making }
    }

    /// The container, if it is the one that the plan wants.
    pub(in crate::engine) async fn take(mut self, wanted: &ContainerPlan) -> Made {
        if self.meant.get() != Some(wanted) {
            return None;
        }
        self.making.take().await?
    }
}
