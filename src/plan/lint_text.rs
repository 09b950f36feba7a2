//! The plan of a check as a person reads it, and as JSON for the output `plan`. As `display` is for a plan that makes an image.

use std::fmt::Write as _;

use serde::Serialize;

use super::build_text::{self, BuildFields};
use super::builder::BuilderPlan;
use super::display::{section, tame};
use super::lint::LintPlan;
use crate::inputs::config::CheckLevel;
use crate::model::{CommitId, Platform};

impl LintPlan {
    /// The Dockerfile as people know it.
    pub fn dockerfile(&self) -> &str {
        self.build.dockerfile_place.as_ref().unwrap_or(&self.build.dockerfile.in_workspace)
    }

    /// What the run does, in a few words.
    pub fn title(&self) -> String {
        format!("Check {}", self.dockerfile())
    }

    /// The plan for the log: lines that end with a line feed.
    pub fn render(&self) -> String {
        let fails = match self.level {
            CheckLevel::Error => "if the Dockerfile could not be built",
            CheckLevel::Warning => "if anything is found",
            CheckLevel::None => "whatever is found: never",
        };
        let mut rows = vec![("started by", self.occasion.clone()), ("commit", self.revision.to_string())];
        rows.extend(build_text::rows(&self.build));
        let instead = |other: &BuilderPlan| format!(" (where that has no build checks: {})", other.name);
        let otherwise = self.otherwise.as_ref().map(instead).unwrap_or_default();
        rows.push(("builder", self.builder.text() + &otherwise));
        rows.push(("fails", fails.to_owned()));
        let mut text = String::new();
        for (name, value) in rows {
            let _ = writeln!(text, "{name:<11} {}", tame(&value));
        }
        let contexts = build_text::contexts(&self.build);
        if !contexts.is_empty() {
            section(&mut text, "build contexts", &contexts);
        }
        text.push_str("nothing is built or pushed\n");
        for notice in &self.notices {
            let _ = writeln!(text, "notice: {}", tame(notice));
        }
        text
    }

    /// The plan as one line of JSON.
    pub fn json(&self) -> String {
        let document = Document {
            mode: "check",
            started_by: &self.occasion,
            revision: &self.revision,
            dockerfile: &self.build.dockerfile.in_workspace,
            target: self.build.target.as_deref(),
            platforms: &self.build.platforms,
            build_args: self.build.build_args.iter().map(|(name, _)| name.as_str()).collect(),
            asked: BuildFields::from(&self.build),
            builder: &self.builder.name,
            builder_otherwise: self.otherwise.as_ref().map(|otherwise| otherwise.name.as_str()),
            check_level: self.level.name(),
            push: false,
            notices: &self.notices,
        };
        serde_json::to_string(&document).unwrap_or_default()
    }
}

/// The output `plan`. Fields are added, never renamed, and are called as those of a plan that makes an image.
#[derive(Serialize)]
struct Document<'a> {
    mode: &'static str,
    started_by: &'a str,
    revision: &'a CommitId,
    dockerfile: &'a str,
    target: Option<&'a str>,
    platforms: &'a [Platform],
    build_args: Vec<&'a str>,
    #[serde(flatten)]
    asked: BuildFields<'a>,
    builder: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    builder_otherwise: Option<&'a str>,
    check_level: &'static str,
    push: bool,
    notices: &'a [String],
}
