//! One run as a value: what becomes of the image, where it goes, under which tags and why.

use std::collections::BTreeMap;

use super::deploy::DeployPlan;
use super::export::ExportPlan;
use super::image::ImageWork;
use super::platform_tags::PlatformTag;
use super::promote::Candidates;
use super::push::PushPlan;
use super::stage::StagePlan;
use super::verify::VerifyPlan;
use crate::inputs::config::TagOptions;
use crate::metadata::rules::Nothing;
use crate::metadata::{PlannedTag, Subject};
use crate::model::{Annotation, CommitId, Platform, RegistryHost, RegistryProtocol, Stamp, Targets};

/// One run: where the image comes from, whether and where it goes, under which tags and why, and what else is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPlan {
    /// Where the image comes from.
    pub image: ImageWork,
    /// Where it goes, or would go.
    pub targets: Targets,
    /// Those of its registries that are not only spoken to by HTTPS with a certificate that is believed.
    pub protocols: BTreeMap<RegistryHost, RegistryProtocol>,
    /// It gets no tag yet: what it is recorded as.
    pub stage: Option<StagePlan>,
    /// Its tags in the order in which people are told, whether or not they are pushed.
    pub tags: Vec<PlannedTag>,
    /// Further tags, on the images of single platforms.
    pub platform_tags: Vec<PlatformTag>,
    /// Lines of `tags` that make no tag of their own, and why.
    pub no_tag: Vec<Nothing>,
    /// Whether it is pushed, and why.
    pub push: PushPlan,
    /// What the run is about.
    pub subject: Subject,
    /// What started it, for people.
    pub occasion: String,
    /// The version, if there is one.
    pub version: Option<String>,
    /// The commit that is built; of an image that is there already see [`RunPlan::commit`].
    pub revision: CommitId,
    /// What was asked about tags that exist already.
    pub tag_options: TagOptions,
    /// What the image says of itself, for the runs after this one.
    pub stamp: Stamp,
    /// The run's event is a push that threw commits away.
    pub forced: bool,
    /// What it must pass before it gets a tag, if anything.
    pub verify: Option<VerifyPlan>,
    /// What else is made of the image when it is published, in order.
    pub exports: Vec<ExportPlan>,
    /// Who is told of it, when it is published.
    pub deploy: DeployPlan,
    /// What a person may want to know and need not act on, one sentence each.
    pub notices: Vec<String>,
    /// What a person should know, one sentence each.
    pub warnings: Vec<String>,
}

impl RunPlan {
    /// The platforms of the image, in order.
    pub fn platforms(&self) -> &[Platform] {
        self.image.platforms()
    }

    /// The commit that the image is of: what is built, or what one that is there says, if it does.
    pub fn commit(&self) -> Option<&CommitId> {
        match self.image.given() {
            Some(given) => given.stamp.commit.as_ref(),
            None => Some(&self.revision),
        }
    }

    /// Whether a line of `tags` has made a tag.
    pub fn is_by_rules(&self) -> bool {
        self.tags.iter().any(|tag| tag.source.line().is_some())
    }

    /// The labels of the image's config.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        self.image.labels()
    }

    /// The annotations of the image.
    pub fn annotations(&self) -> &[Annotation] {
        self.image.annotations()
    }

    /// The versions' tags of the image, in order; also those that another job will put: of a leg its merge, of a staged image
    /// the job that tags it.
    pub fn versions(&self) -> Vec<&PlannedTag> {
        match (self.image.leg(), &self.stage) {
            (Some(leg), _) => leg.versions.iter().collect(),
            (None, Some(stage)) => versions(&stage.later).collect(),
            (None, None) => versions(&self.tags).collect(),
        }
    }

    /// As the output `plan` names what the run does.
    pub fn mode(&self) -> &'static str {
        if self.stage.is_some() { "stage" } else { self.image.name() }
    }

    /// Whether tags have to be read before anything is built: a version's decides, a commit's may do.
    pub fn looks_first(&self) -> bool {
        let promotes = self.image.promotion().is_some_and(|promotion| {
            promotion.required || matches!(promotion.from, Candidates { hindrance: None, .. })
        });
        let builds = self.image.build().is_some();
        promotes || builds && self.push.pushes() && !self.versions().is_empty()
    }
}

/// Those that are versions.
pub(super) fn versions(tags: &[PlannedTag]) -> impl Iterator<Item = &PlannedTag> {
    tags.iter().filter(|tag| tag.policy.is_fixed())
}
