//! The image in the local daemon, under its tags: which of its platforms, and how they get there.
//!
//! What was pushed the daemon pulls by digest, so that it has the very image of the registry. What was not is exported by who has
//! built it: its build is solved again, which finds everything done.

use std::fmt::Write as _;

use super::build::{BuildPlan, Export};
use super::builder::NodeAddress;
use super::error::PlanError;
use super::facts::{Facts, MachineFacts};
use super::image::{BuildWork, ImageWork};
use super::push::PushPlan;
use super::verify::native;
use crate::inputs::config::Config;
use crate::metadata::PlannedTag;
use crate::model::{ImageName, Platform, Targets};

/// What the daemon gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadPlan {
    /// The names that it has there, at least one: its tags in each repository.
    pub names: Vec<ImageName>,
    /// The platforms that are there then, in order, at least one.
    pub platforms: Vec<Platform>,
    /// Why not all of them, if not.
    pub why: Option<String>,
    /// What is done where it was not pushed; none where nothing was built, which is only done to be pushed.
    pub unpushed: Option<Unpushed>,
}

/// How an image that was not pushed gets into the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpushed {
    /// The number of the node that has built it.
    pub node: usize,
    /// The only platform, where it is not all that the node has built.
    pub only: Option<Platform>,
    /// How it gets there.
    pub export: Export,
}

impl Unpushed {
    /// What the node carries out, which has carried out this.
    pub fn build(&self, solved: BuildPlan) -> BuildPlan {
        match &self.only {
            Some(platform) => solved.for_one(platform, self.export.clone()),
            None => BuildPlan { cache_to: Vec::new(), export: self.export.clone(), ..solved.again() },
        }
    }
}

impl LoadPlan {
    /// Which platforms, under how many names, in one line.
    pub(super) fn text(&self) -> String {
        let platforms: Vec<String> = self.platforms.iter().map(ToString::to_string).collect();
        let mut said = format!("into the local daemon: {}", platforms.join(", "));
        if let Some(why) = &self.why {
            let _ = write!(said, " ({why})");
        }
        let count = self.names.len();
        let _ = write!(said, ", under {count} {}", if count == 1 { "name" } else { "names" });
        said
    }
}

/// Plans what the daemon gets; nothing if that is not asked for, or there is no tag.
///
/// # Errors
/// Nobody has looked at the daemon.
pub(super) fn plan_load(
    config: &Config,
    facts: &Facts,
    (image, push): (&ImageWork, &PushPlan),
    tags: &[PlannedTag],
    warnings: &mut Vec<String>,
) -> Result<Option<LoadPlan>, PlanError> {
    if !config.load {
        return Ok(None);
    }
    let machine = facts.machine.as_ref().ok_or(PlanError::NoMachine)?;
    let names = names(&facts.targets, tags);
    if names.is_empty() {
        warnings.push("`load`: the image has no tag that it could be loaded under".into());
        return Ok(None);
    }
    let exported = image.build().filter(|_| !push.pushes() || push.tolerates_refusal());
    let (platforms, why) = platforms(image, exported, machine);
    let unpushed = exported.and_then(|work| unpushed(work, &platforms, &names));
    Ok(Some(LoadPlan { names, platforms, why, unpushed }))
}

/// All references of the image.
pub(super) fn names(targets: &Targets, tags: &[PlannedTag]) -> Vec<ImageName> {
    let each = targets.iter().flat_map(|target| {
        tags.iter().filter(|tag| tag.is_for(target)).map(move |tag| format!("{target}:{}", tag.tag))
    });
    each.filter_map(|name| ImageName::parse_whole(&name).ok()).collect()
}

/// What the daemon can hold, of what one node or a registry has; why not all of it.
fn platforms(
    image: &ImageWork,
    exported: Option<&BuildWork>,
    machine: &MachineFacts,
) -> (Vec<Platform>, Option<String>) {
    let all = image.platforms();
    let nodes = exported.map_or(1, |work| work.builder.nodes.len());
    let why = if all.len() < 2 {
        None
    } else if !machine.containerd_image_store {
        Some("it holds one platform of an image, without the containerd image store")
    } else if nodes > 1 {
        Some("each node of the builder has built another, and no registry has all of them")
    } else {
        None
    };
    match why {
        None if !all.is_empty() => (all.to_vec(), None),
        why => (vec![native(all, machine).0], why.map(str::to_owned)),
    }
}

/// How what was built gets there.
fn unpushed(work: &BuildWork, platforms: &[Platform], names: &[ImageName]) -> Option<Unpushed> {
    let first = platforms.first()?;
    let node = work.solves.iter().position(|solve| solve.platforms.contains(first))?;
    let all = work.solves[node].platforms.as_slice() == platforms;
    let names = names.iter().map(ToString::to_string).collect();
    let export = match work.builder.nodes.get(node)?.address {
        NodeAddress::Docker => Export::Store(names),
        NodeAddress::OwnContainer(_) | NodeAddress::Container(_) | NodeAddress::Given(_) => {
            Export::Archive(names)
        }
    };
    // Docker's own archive holds one image and nothing that hangs on an index.
    let only = (!all || platforms.len() == 1).then(|| first.clone());
    Some(Unpushed { node, only, export })
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
