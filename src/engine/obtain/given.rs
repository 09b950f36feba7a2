//! The image that the input names is there already: nothing is made, and it is copied where it is missing.
//!
//! It was read before the plan, which has its digest. What is left to know before anything moves is whether a version's tag
//! is taken, in any of the repositories.

use std::collections::BTreeMap;

use super::existing::{Kept, kept};
use super::{Image, Located, Origin};
use crate::engine::gather::Open;
use crate::engine::login;
use crate::engine::run::Run;
use crate::error::RunError;
use crate::plan::given::GivenWork;
use crate::plan::{PushPlan, RunPlan};

/// The image, once nothing stands in the way of its tags.
pub(super) async fn image<'a>(
    run: &Run<'a>,
    plan: &RunPlan,
    work: &GivenWork,
    open: Open,
) -> Result<Option<Image<'a>>, RunError> {
    if let PushPlan::Keep { why } = &plan.push {
        run.report.nothing(format!("there is nothing to tag, as nothing is pushed: {why}"));
        return Ok(None);
    }
    let (mut access, nothing) = (open.access, BTreeMap::new());
    let known = match &mut access {
        Some(access) => access.settle(run, plan).await?,
        None => &nothing,
    };
    let there = kept(run, plan, known, Some(&work.digest)).await?;
    login::create_repositories(run, plan, &open.sessions).await?;
    if let Some(kept) = there.filter(|kept| !kept.is(&work.digest)) {
        let Kept { tag, digest, .. } = &kept;
        run.process.reporter.notice(&format!(
            "`{tag}` exists for this commit: {digest} is the result, and not the image that `from` names"
        ));
        return Ok(Some(kept.image(plan, Origin::Given)));
    }
    let here = work.from.repository();
    let located = plan.targets.iter().map(|target| Located {
        repository: target.clone(),
        digest: work.digest.clone(),
        copy_from: Some(here).filter(|here| *here != target).cloned(),
    });
    let (located, digest) = (located.collect(), Some(work.digest.clone()));
    Ok(Some(Image { origin: Origin::Given, digest, located, failed: Vec::new() }))
}
