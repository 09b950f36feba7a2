//! The builder's container, begun as soon as it is certain what will build, which is at once where the input says so: its
//! image is pulled and it starts while the other facts are gathered and the plan is made.
//!
//! Decided by the same code as the action `prepare` decides, on all that is known then. What the plan does not want in
//! the end is removed again.

use std::cell::OnceCell;
use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;

use tokio::sync::oneshot;

use crate::buildkit::Connection;
use crate::docker::builder::BuilderContainer;
use crate::error::RunError;
use crate::inputs::config::Config;
use crate::inputs::prepare::Preparation;
use crate::model::ImageName;
use crate::plan::builder::ContainerPlan;
use crate::plan::facts::BuilderFacts;
use crate::plan::prepare::{certain, plan_ahead};
use crate::plan::promote::may_need_no_build;
use crate::runner::context::RunnerContext;

use super::Process;
use super::builder::own_container;

/// Whether the image's registry wants a login that is exchanged for: the run has it a moment later, and then makes the
/// container itself. All others wait for no login.
fn comes_by_exchange(config: &Config, image: &str) -> bool {
    let registry = ImageName::parse(image).map(|image| image.repository().registry().clone());
    registry.is_ok_and(|registry| config.identities.iter().any(|identity| identity.registry == registry))
}

/// A container in the making. Dropped, it is given up and removed, unless it is one that outlives its step.
pub struct Early<'a> {
    /// The one that is meant, from the moment on at which it is begun.
    meant: Rc<OnceCell<ContainerPlan>>,
    making: Pin<Box<dyn Future<Output = Made> + 'a>>,
    made: Option<Made>,
}

/// `None`: none is wanted, or nobody can tell yet.
type Made = Option<Result<(BuilderContainer, Connection), RunError>>;

impl<'a> Early<'a> {
    /// Will make the container that this run is going to want, by the daemon behind `socket`, when `found` tells what
    /// can build. Does nothing until it is driven.
    pub fn new(
        process: &'a Process,
        config: &'a Config,
        context: &'a RunnerContext,
        socket: &'a Path,
        found: oneshot::Receiver<BuilderFacts>,
    ) -> Self {
        let meant = Rc::new(OnceCell::new());
        let tell = Rc::clone(&meant);
        let making = Box::pin(async move {
            if config.dry_run || may_need_no_build(config, context) {
                return None;
            }
            let asked = Preparation::from(config);
            let plan = if let Some(certain) = certain(&asked, context) {
                certain
            } else {
                let facts = found.await.ok()?;
                // What is wrong here is wrong in the run's own plan, which says it.
                plan_ahead(&asked, context, &facts).ok()??.container?
            };
            if comes_by_exchange(config, &plan.image) {
                return None;
            }
            // Nobody has told before.
            let _ = tell.set(plan.clone());
            Some(own_container(process, config, context, socket, &plan).await)
        });
        Self { meant, making, made: None }
    }

    /// Goes on with it, beside something else that ends.
    pub async fn drive(&mut self) -> Infallible {
        if self.made.is_none() {
            self.made = Some((&mut self.making).await);
        }
        std::future::pending().await
    }

    /// The container, if it is the one that the plan wants.
    pub async fn take(self, wanted: &ContainerPlan) -> Made {
        if self.meant.get() != Some(wanted) {
            return None;
        }
        match self.made {
            Some(made) => made,
            None => self.making.await,
        }
    }
}
