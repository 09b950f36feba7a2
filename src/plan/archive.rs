//! The image in a file: under which names, and where its bytes come from.
//!
//! As for `load`: what was pushed is read back from its registry, by digest, so that the file holds the very image, with all that
//! hangs on it. What was not is exported by who has built it: its build is solved again, which finds everything done.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::build::Export;
use super::error::PlanError;
use super::facts::Facts;
use super::image::ImageWork;
use super::load::{Unpushed, names};
use super::push::PushPlan;
use crate::inputs::config::Config;
use crate::metadata::PlannedTag;
use crate::model::{ArchiveFormat, ImageName, Platform};
use crate::runner::context::Paths;

/// What a builder that makes no images cannot do.
pub(super) const NEEDS: &str = "write an archive of the image";

/// The file, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivePlan {
    /// Where it is.
    pub path: PathBuf,
    /// For people: from the workspace, if it is there.
    pub place: String,
    /// How it is packed.
    pub format: ArchiveFormat,
    /// The names in it: the image's tags in each repository. None where it has no tag.
    pub names: Vec<ImageName>,
    /// Of several platforms the one that readers get who know of no other: Docker's classic store, podman with several names.
    /// The same whoever builds, so that the file does not depend on it.
    pub preferred: Platform,
    /// What is done where it was not pushed; none where nothing was built, which is only done to be pushed.
    pub unpushed: Option<Unpushed>,
}

impl ArchivePlan {
    /// Where to and under how many names, in one line.
    pub(super) fn text(&self) -> String {
        let mut said = format!("to {}", self.place);
        match self.names.len() {
            0 => said.push_str(", under no name"),
            1 => said.push_str(", under 1 name"),
            count => {
                let _ = write!(said, ", under {count} names");
            }
        }
        said
    }
}

/// Plans the file; nothing if none is asked for.
///
/// # Errors
/// Nobody has all of the image.
pub(super) fn plan_archive(
    config: &Config,
    facts: &Facts,
    (image, push): (&ImageWork, &PushPlan),
    (tags, place): (&[PlannedTag], String),
    warnings: &mut Vec<String>,
) -> Result<Option<ArchivePlan>, PlanError> {
    let Some(file) = &config.archive else { return Ok(None) };
    let names = names(&facts.targets, tags);
    if names.is_empty() {
        warnings.push("`archive`: the image has no tag, and no name in the archive".into());
    }
    let unpushed = match image.build() {
        Some(work) if !push.pushes() || push.tolerates_refusal() => match work.builder.nodes.len() {
            0 | 1 => Some(Unpushed { node: 0, only: None, export: Export::Layout }),
            _ => return Err(PlanError::FilesOfParts { input: "archive" }),
        },
        _ => None,
    };
    let preferred = preferred(image.platforms());
    let (path, format) = (file.path.clone(), file.format);
    Ok(Some(ArchivePlan { path, place, format, names, preferred, unpushed }))
}

/// What people call a file that is written: its path from the workspace, if it is there.
pub(super) fn place(path: &Path, paths: &Paths) -> String {
    let inside = path.strip_prefix(&paths.workspace).ok().filter(|inside| *inside != Path::new(""));
    inside.unwrap_or(path).display().to_string()
}

/// The platform that stands for an image: what most machines run, if it is one of them.
fn preferred(platforms: &[Platform]) -> Platform {
    let usual = Platform::from_fields("linux", "amd64", "");
    if platforms.contains(&usual) { usual } else { platforms.first().cloned().unwrap_or(usual) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::config::{ArchiveFile, Mode, Push};
    use crate::metadata::fixture::{built, config, context, push};
    use crate::plan::check::violations;
    use crate::plan::export::ExportPlan;
    use crate::plan::facts::DaemonFacts;
    use crate::plan::tests::{daemon, facts};
    use crate::plan::{RunPlan, display, plan};

    fn asked(push: Push) -> Config {
        let file =
            ArchiveFile { path: "/github/workspace/dist/api.tar.zst".into(), format: ArchiveFormat::Zstd };
        Config { archive: Some(file), push, ..config() }
    }

    fn planned(config: &Config, store: bool) -> Result<RunPlan, PlanError> {
        let context = context(push(), "refs/heads/main");
        let daemon = DaemonFacts { containerd_image_store: store, ..daemon() };
        plan(config, &context, &facts(daemon, config, built(&context, config).unwrap()))
    }

    fn archive(plan: &RunPlan) -> &ArchivePlan {
        plan.exports.iter().find_map(ExportPlan::archive).unwrap()
    }

    #[test]
    fn where_its_bytes_come_from() {
        for (push, builder) in [(Push::Auto, false), (Push::No, true)] {
            let config = asked(push);
            let plan = planned(&config, true).unwrap();
            assert_eq!(violations(&plan, &config), Vec::<String>::new());
            let archive = archive(&plan);
            assert_eq!(archive.unpushed.is_some(), builder);
            assert_eq!(archive.names.len(), plan.tags.len());
            assert_eq!(archive.preferred.to_string(), "linux/amd64");
            assert!(plan.image.build().unwrap().builder.is_daemon());
        }
    }

    #[test]
    fn a_daemon_that_makes_no_images_makes_no_archive() {
        let mut config = asked(Push::No);
        config.platforms.truncate(1);
        let plan = planned(&config, false).unwrap();
        let builder = &plan.image.build().unwrap().builder;
        assert!(builder.own_container().is_some());
        assert!(builder.text().contains("cannot write an archive of the image"), "{}", builder.text());
        assert_eq!(archive(&plan).preferred.to_string(), "linux/arm64");
        config.archive = None;
        assert!(planned(&config, false).unwrap().image.build().unwrap().builder.is_daemon());
    }

    #[test]
    fn it_stands_in_the_plan() {
        let config = asked(Push::No);
        let plan = planned(&config, true).unwrap();
        let text = display::render(&plan);
        assert!(text.contains("archive     to dist/api.tar.zst, under 3 names\n"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&display::json(&plan)).unwrap();
        assert_eq!(json["archive"]["path"], "dist/api.tar.zst");
        assert_eq!(json["archive"]["names"][1], "ghcr.io/acme/shop/api:main");
    }

    #[test]
    fn what_is_staged_has_its_names_already() {
        let config = Config { mode: Mode::Stage, ..asked(Push::Auto) };
        let plan = planned(&config, true).unwrap();
        assert_eq!(archive(&plan).names.len(), 3);
    }
}
