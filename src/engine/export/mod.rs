//! What else is made of an image that is out: it is put into the local daemon, and its build cache is written. Whatever happens
//! here, the image stays as it is.

mod cache;
mod follow;
mod held;
mod load;

use super::obtain::{Image, Origin};
use super::run::Run;
use crate::error::RunError;
use crate::plan::export::ExportPlan;

/// Makes each thing that the plan names, in its order, of an image that is out.
pub(super) async fn all(run: &Run<'_>, plan: &[ExportPlan], image: Image<'_>) -> Result<(), RunError> {
    for export in plan {
        match (export, &image.origin) {
            (ExportPlan::Load(plan), _) => load::load(run, plan, &image).await?,
            (ExportPlan::Cache(plan), Origin::Built(workshop)) => cache::write(run, plan, workshop).await?,
            (ExportPlan::Cache(_), Origin::Promoted | Origin::Merged(_) | Origin::Given) => {}
        }
    }
    Ok(())
}
