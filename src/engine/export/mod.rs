//! What else is made of an image that is out: it is put into the local daemon, its build cache is written, it is written to files.
//! Whatever happens here, the image stays as it is.
//!
//! Files may lie in the build context. What is on its way is never sent with it, and files get their names when nothing is left to
//! be solved: an image is made of what was there when the run began.

mod archive;
mod cache;
mod follow;
mod held;
mod load;
mod output;

use super::obtain::{Image, Origin};
use super::run::Run;
use crate::error::RunError;
use crate::files;
use crate::model::text;
use crate::plan::export::ExportPlan;

/// What is all there, under another name still.
enum Staged {
    Archive(archive::Staged),
    Output(output::Staged),
}

/// Removes what runs that were killed have left on its way to the files that the plan names: before the build, whose context they
/// may lie in.
pub(super) fn remove_left(run: &Run<'_>, plan: &[ExportPlan]) {
    for export in plan {
        let removed = match export {
            ExportPlan::Archive(plan) => files::remove_left(&plan.path, false),
            ExportPlan::Output(plan) => files::remove_left(&plan.path, plan.directory),
            ExportPlan::Load(_) | ExportPlan::Cache(_) => continue,
        };
        for name in removed {
            let said = format!("removed `{}`, which a run that was killed had left", text::name(&name));
            run.process.reporter.info(&said);
        }
    }
}

/// Puts the image into the local daemon where that can pull it already, while its tags are put.
pub(super) async fn beside_tags(
    run: &Run<'_>,
    plan: &[ExportPlan],
    image: &Image<'_>,
) -> Result<(), RunError> {
    for export in plan {
        if let ExportPlan::Load(plan) = export
            && load::is_there(image)
        {
            load::load(run, plan, image).await?;
        }
    }
    Ok(())
}

/// Makes each thing that the plan names, in its order, of an image that is out; but what [`beside_tags`] has done.
pub(super) async fn all(run: &Run<'_>, plan: &[ExportPlan], image: Image<'_>) -> Result<(), RunError> {
    let id = run.process.random_id();
    let mut staged = Vec::new();
    for export in plan {
        match (export, &image.origin) {
            (ExportPlan::Load(_), _) if load::is_there(&image) => {}
            (ExportPlan::Load(plan), _) => load::load(run, plan, &image).await?,
            (ExportPlan::Archive(plan), _) => {
                let made = Box::pin(archive::stage(run, plan, &image, &id)).await?;
                staged.extend(made.map(Staged::Archive));
            }
            (ExportPlan::Output(plan), _) => {
                let made = Box::pin(output::stage(run, plan, &image, &id)).await?;
                staged.extend(made.map(Staged::Output));
            }
            (ExportPlan::Cache(plan), Origin::Built(workshop)) => cache::write(run, plan, workshop).await?,
            (ExportPlan::Cache(_), Origin::Promoted | Origin::Merged(_) | Origin::Given) => {}
        }
    }
    staged.into_iter().try_for_each(|one| match one {
        Staged::Archive(file) => file.commit(run),
        Staged::Output(output) => output.commit(run),
    })
}
