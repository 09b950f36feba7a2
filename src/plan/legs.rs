//! Legs and their merge: an image whose platforms are built by jobs of their own.
//!
//! A leg is one platform, pushed under no tag; its stamp and the annotations of the index are the merge's to write. The
//! merge builds nothing: it says which index the legs make, and puts tags on it as any run does. What it publishes is to
//! be the same to later runs as one build of all platforms, so its stamp has the same hash of the inputs.

use std::collections::BTreeMap;

use super::build::{BuildPlan, Export};
use super::builder::BuilderPlan;
use super::cache::CacheWrites;
use super::emulation::Emulation;
use super::promote::Promotion;
use super::run::{PlanError, PushPlan, RunPlan, push_plan, stamp};
use super::{image, inputs_hash};
use crate::inputs::config::Config;
use crate::metadata::{
    Metadata, PlannedTag, TagKind,
    labels::{CREATED, labels},
};
use crate::model::{Annotation, AnnotationLevel, Digest, Platform, Stamp, stamp::INPUTS};
use crate::runner::context::{Run, RunnerContext};

/// Which part of an image a run makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// One platform.
    Leg(LegPlan),
    /// The index of what other jobs have built.
    Merge(MergePlan),
}

/// One platform of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegPlan {
    /// `GITHUB_RUN_ID`.
    pub run: u64,
    /// Which attempt of the run.
    pub attempt: u64,
    /// The platform.
    pub platform: Platform,
    /// The hash of what it is built from, but for the platform.
    pub common: Option<Digest>,
    /// The versions' tags that the merge will put: looked at before anything is built.
    pub versions: Vec<PlannedTag>,
}

/// The index of a run's legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergePlan {
    /// `GITHUB_RUN_ID`.
    pub run: u64,
    /// Which attempt of the run.
    pub attempt: u64,
}

impl Part {
    /// As the output `plan` says it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Whole => "build",
            Self::Leg(_) => "leg",
            Self::Merge(_) => "merge",
        }
    }
}

impl RunPlan {
    /// The versions' tags of the image, in order.
    pub fn versions(&self) -> Vec<&PlannedTag> {
        match &self.part {
            Part::Leg(leg) => leg.versions.iter().collect(),
            Part::Whole | Part::Merge(_) => versions(&self.tags).collect(),
        }
    }
}

fn versions(tags: &[PlannedTag]) -> impl Iterator<Item = &PlannedTag> {
    tags.iter().filter(|tag| tag.kind == TagKind::Version)
}

/// The leg for this platform; `common` is the hash of what all of them are built from.
pub(super) fn leg(run: &Run, platform: &Platform, common: Option<Digest>, metadata: &Metadata) -> LegPlan {
    LegPlan {
        run: run.id,
        attempt: run.attempt,
        platform: platform.clone(),
        common,
        versions: versions(&metadata.tags).cloned().collect(),
    }
}

/// The annotations of a leg: those of its own manifest. The merge writes all others.
pub(super) fn annotations(
    build: &BuildPlan,
    asked: &[Annotation],
    platform: &Platform,
) -> Result<Vec<Annotation>, PlanError> {
    let own = |one: &&Annotation| {
        one.level == AnnotationLevel::Manifest && one.platform.as_ref().is_none_or(|other| other == platform)
    };
    let asked: Vec<Annotation> = asked.iter().filter(own).cloned().collect();
    let mut annotations = image::annotations(build, &Stamp::default(), &asked, &mut Vec::new())?;
    annotations.retain(|annotation| annotation.level == AnnotationLevel::Manifest);
    Ok(annotations)
}

/// Plans the merge of a run's legs. Pure.
///
/// # Errors
/// When no tag can be made for a push that was asked for, or an annotation is for a platform that is not merged.
pub fn plan_merge(
    config: &Config,
    context: &RunnerContext,
    metadata: &Metadata,
) -> Result<RunPlan, PlanError> {
    let mut warnings = metadata.warnings.clone();
    let push = push_plan(config.push, metadata, &mut warnings)?;
    let export = match push {
        PushPlan::Push { .. } => Export::PushByDigest(config.targets().cloned().collect()),
        PushPlan::Keep { .. } => Export::Nothing,
    };
    let mut build = BuildPlan {
        labels: labels(context, metadata, &config.labels),
        source_date_epoch: metadata.created,
        joined: true,
        export,
        ..BuildPlan::new(config.context.clone(), config.dockerfile.clone(), config.platforms.clone())
    };
    let stamp = stamp(context, metadata, None);
    if build.export != Export::Nothing {
        build.annotations = image::annotations(&build, &stamp, &config.build.annotations, &mut warnings)?;
    }
    Ok(RunPlan {
        part: Part::Merge(MergePlan { run: context.run.id, attempt: context.run.attempt }),
        build,
        repository: config.repository.clone(),
        also: config.also.clone(),
        tags: metadata.tags.clone(),
        push,
        subject: metadata.subject.clone(),
        occasion: metadata.occasion.clone(),
        version: metadata.version.clone(),
        revision: metadata.revision.clone(),
        tag_rules: config.tag_rules,
        promotion: Promotion::No,
        looks_first: false,
        stamp,
        forced: context.forced,
        builder: BuilderPlan { nodes: Vec::new(), name: String::new(), why: None, skipped: Vec::new() },
        emulation: Emulation::default(),
        cache: CacheWrites::default(),
        warnings,
    })
}

/// The same plan of a merge, once it is known what each leg was built from: where that was the same, the image says it.
/// An index around one platform says nothing: a build of that platform alone makes none.
#[must_use]
pub fn with_inputs(mut plan: RunPlan, legs: &[Option<Digest>]) -> RunPlan {
    let (Some(Some(first)), true) = (legs.first(), plan.build.platforms.len() > 1) else { return plan };
    if legs.iter().any(|leg| leg.as_ref() != Some(first)) {
        return plan;
    }
    let inputs = inputs_hash::inputs_hash(first, &plan.build.platforms);
    let ours = Annotation {
        level: AnnotationLevel::Index,
        platform: None,
        key: INPUTS.to_owned(),
        value: inputs.to_string(),
    };
    plan.stamp.inputs = Some(inputs);
    let annotations = &mut plan.build.annotations;
    // What the user says wins.
    if annotations.iter().all(|known| image::place(known) != image::place(&ours)) {
        annotations.push(ours);
        annotations.sort_by(|a, b| image::place(a).cmp(&image::place(b)));
    }
    plan
}

/// An index that is under the commit's tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its images.
    pub images: Vec<(Option<Platform>, Digest)>,
}

/// The tag under which an earlier attempt of the run has left the image, if there was one.
pub fn left_by_an_earlier_attempt(plan: &RunPlan) -> Option<&PlannedTag> {
    let Part::Merge(merge) = &plan.part else { return None };
    let own = plan.tags.iter().find(|tag| matches!(tag.kind, TagKind::Commit | TagKind::Queue));
    own.filter(|_| merge.attempt > 1)
}

/// Whether this is the index that the merge would make: of its platforms, with what it says of itself, and with the
/// images of the legs that are still recorded.
pub fn is_merged(plan: &RunPlan, found: &Published, recorded: &[Digest]) -> bool {
    let platforms: Option<Vec<&Platform>> =
        found.images.iter().map(|(platform, _)| platform.as_ref()).collect();
    // Without a checkout the commit's time is the payload's, which can be another.
    let said = |one: &&Annotation| one.level == AnnotationLevel::Index && one.key != CREATED;
    let mut said = plan.build.annotations.iter().filter(said);
    platforms.is_some_and(|platforms| platforms.into_iter().eq(&plan.build.platforms))
        && said.all(|one| found.annotations.get(&one.key) == Some(&one.value))
        && recorded.iter().all(|leg| found.images.iter().any(|(_, image)| image == leg))
}

#[cfg(test)]
#[path = "legs_tests.rs"]
mod tests;
