//! What else is made of the build's result, by BuildKit's exporters: one solve for each, in which everything is done already. So none
//! has a part in another's answer, and BuildKits that know one exporter at a time do it, too.

use std::path::PathBuf;

use super::archive::place;
use super::build::{BuildPlan, Export};
use super::error::PlanError;
use super::image::ImageWork;
use super::load::names;
use crate::inputs::config::{Config, ExporterInput};
use crate::metadata::PlannedTag;
use crate::model::{ExporterKind, Targets};
use crate::runner::context::Paths;

/// One thing that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputPlan {
    /// What.
    pub kind: ExporterKind,
    /// It is a directory, and not a file.
    pub directory: bool,
    /// Where it goes.
    pub path: PathBuf,
    /// For people: from the workspace, if it is there.
    pub place: String,
    /// How it is exported.
    pub export: Export,
    /// Attestations go with it: the image's own, and files only if somebody has asked for them.
    pub attested: bool,
}

impl OutputPlan {
    /// What the node carries out, which has carried out this.
    pub fn build(&self, solved: BuildPlan) -> BuildPlan {
        let mut build = BuildPlan { cache_to: Vec::new(), export: self.export.clone(), ..solved.again() };
        if !self.attested {
            build.attestations.clear();
        }
        // Without an index there is no place for what is the index's, and files have none at all.
        if self.kind != ExporterKind::Oci {
            build.annotations.clear();
        }
        build
    }

    /// What and where to, in a few words.
    pub(super) fn text(&self) -> String {
        format!("{} to {}", self.kind.name(), self.place)
    }
}

/// What a builder that makes no images cannot do.
pub(super) fn needs(config: &Config) -> impl Iterator<Item = String> {
    let images = config.outputs.iter().filter(|output| output.kind.is_image());
    images.map(|output| format!("export the image as `{}`", output.kind.name()))
}

/// Plans what the input asks for.
///
/// # Errors
/// Nobody has all of the result, or the exporter takes one platform only.
pub(super) fn plan_outputs(
    config: &Config,
    (targets, tags): (&Targets, &[PlannedTag]),
    image: &ImageWork,
    paths: &Paths,
) -> Result<Vec<OutputPlan>, PlanError> {
    let Some(work) = image.build().filter(|_| !config.outputs.is_empty()) else { return Ok(Vec::new()) };
    if work.builder.nodes.len() > 1 {
        return Err(PlanError::FilesOfParts { input: "outputs" });
    }
    let names: Vec<String> = names(targets, tags).iter().map(ToString::to_string).collect();
    let plan = |output: &ExporterInput| {
        if output.kind == ExporterKind::Docker && work.image.platforms.len() > 1 {
            return Err(PlanError::DockerOfSeveral);
        }
        let mut attrs = output.attrs.clone();
        if output.kind.is_image() && !names.is_empty() {
            attrs.entry("name".into()).or_insert_with(|| names.join(","));
        }
        Ok(OutputPlan {
            kind: output.kind,
            directory: output.directory,
            path: output.path.clone(),
            place: place(&output.path, paths),
            export: Export::Output { kind: output.kind, attrs },
            attested: match output.kind {
                ExporterKind::Oci => true,
                ExporterKind::Docker => false,
                ExporterKind::Local | ExporterKind::Tar => !config.build.attests.is_empty(),
            },
        })
    };
    config.outputs.iter().map(plan).collect()
}
