//! An image that is in one repository already is copied to another, before it is tagged or recorded there.

use crate::engine::retry::{patience, retry};
use crate::engine::run::Run;
use crate::error::RunError;
use crate::model::{Digest, Repository};
use crate::registry::{Copied, Copying};
use crate::runner::units;

/// Copies the image from one repository to another.
pub(super) async fn copy(
    run: &Run<'_>,
    from: &Repository,
    to: &Repository,
    digest: &Digest,
) -> Result<(), RunError> {
    let began = tokio::time::Instant::now();
    let client = |repository: &Repository| run.registries.client(repository.registry());
    let (source, target) = (client(from), client(to));
    let copying = Copying { from: (&source, from), to: (&target, to) };
    let patience = patience(run, to.registry());
    let copied = retry(run.process, patience, async || copying.image(digest).await).await?;
    let Copied { mounted, passed, bytes } = copied;
    let (time, bytes) = (units::seconds(began.elapsed()), units::bytes(bytes));
    run.process.reporter.info(&format!(
        "copied {from}@{digest} to {to} in {time} ({mounted} blobs within the registry, {passed} through here, {bytes})"
    ));
    Ok(())
}
