//! What else is made of an image that is out: today its build cache. Whatever happens here, the image stays as it is.

mod cache;
mod follow;
mod held;

use super::obtain::{Image, Origin};
use super::run::Run;
use crate::error::RunError;
use crate::plan::export::ExportPlan;

/// Makes each thing that the plan names, in its order, of an image that was built by this run.
pub(super) async fn all(run: &Run<'_>, plan: &[ExportPlan], image: Image<'_>) -> Result<(), RunError> {
    let Origin::Built(workshop) = image.origin else { return Ok(()) };
    for export in plan {
        match export {
            ExportPlan::Cache(plan) => cache::write(run, plan, &workshop).await?,
        }
    }
    Ok(())
}
