//! What a pull request and its commit say: from which tag to which, the image by digest, the commits between, the run.
//!
//! What files and people have written is hostile: it goes into Markdown as code, and what a template inserts is of grammars that
//! hold no mark.

use std::fmt::Write as _;

use super::standing::shown;
use super::{DeployPlace, DeployWork};
use crate::inputs::config::{FileChange, Placeholder, Template};
use crate::kustomize::{FileKind, NewImage, WrittenImage};
use crate::model::{CommitId, Tag, text};
use crate::runner::markdown::{code, escape};

/// The most characters of a text that GitHub takes.
const LONGEST: usize = 60_000;
/// Characters of a commit that people are shown.
const SHOWN: usize = 12;

/// The title and the text of a pull request, or of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
}

/// Where links lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Links {
    /// The page of the source repository.
    pub source: String,
    /// The page of the run.
    pub run: String,
}

/// What a message tells.
pub(super) struct Told<'a> {
    pub work: &'a DeployWork,
    pub image: &'a NewImage,
    /// Its commit, if that is known.
    pub commit: Option<&'a CommitId>,
    /// What was there before, if anything, and its commit, if that is known.
    pub from: Option<&'a WrittenImage>,
    pub from_commit: Option<&'a CommitId>,
    pub links: &'a Links,
    /// Nobody can tell whether it is newer: why.
    pub undecided: Option<&'a str>,
}

impl Told<'_> {
    /// Of a pull request.
    pub(super) fn proposal(&self) -> Message {
        let Some((change, place)) = self.work.change() else {
            return Message { title: String::new(), body: String::new() };
        };
        let title = self.filled(change.title.as_ref(), || self.title(change, place));
        let body = self.filled(change.body.as_ref(), || self.body(change, place));
        Message { title: text::line(&title), body: bounded(&body) }
    }

    /// Of a commit: the same title, and plain lines.
    pub(super) fn commit(&self) -> Message {
        let Message { title, .. } = self.proposal();
        let mut body = String::new();
        let _ = writeln!(body, "Image: {}", reference(self.image));
        if let Some(commit) = self.commit {
            let _ = writeln!(body, "Source: {}/commit/{commit}", self.links.source);
        }
        let _ = writeln!(body, "Run: {}", self.links.run);
        let custom = self.work.change().and_then(|(change, _)| change.body.as_ref());
        let body = match custom {
            Some(template) => self.filled(Some(template), || body.clone()),
            None => body,
        };
        Message { title, body: bounded(&body) }
    }

    fn filled(&self, template: Option<&Template>, default: impl Fn() -> String) -> String {
        let Some(template) = template else { return default() };
        template.render(|placeholder| match placeholder {
            Placeholder::Image => self.name(),
            Placeholder::Repository => self.image.repository.to_string(),
            Placeholder::Tag => self.image.tag.to_string(),
            Placeholder::From => {
                // A file may say anything in its place.
                let tag = self.from.and_then(|from| from.tag.as_deref()).and_then(|tag| Tag::parse(tag).ok());
                tag.map_or_else(|| "nothing".to_owned(), |tag| tag.to_string())
            }
            Placeholder::Digest => self.image.digest.as_ref().map(ToString::to_string).unwrap_or_default(),
            Placeholder::Commit => self.commit.map(ToString::to_string).unwrap_or_default(),
            Placeholder::Run => self.links.run.clone(),
            Placeholder::Default => default(),
        })
    }

    /// The image as the environment names it.
    fn name(&self) -> String {
        match self.work.change().map(|(change, _)| &change.kind) {
            Some(FileKind::Kustomization { image }) => image.clone(),
            _ => self.image.repository.path().to_owned(),
        }
    }

    fn title(&self, _: &FileChange, place: &DeployPlace) -> String {
        let name = self.name();
        let name = name.rsplit('/').next().unwrap_or_default();
        let directory =
            place.files.first().and_then(|file| file.rsplit_once('/')).map(|(directory, _)| directory);
        // A mention or a reference to an issue would be one here.
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        let place = directory.filter(|directory| directory.chars().all(plain));
        let place = place.map(|directory| format!(" to {directory}")).unwrap_or_default();
        format!("Deploy {name} {}{place}", self.image.tag)
    }

    fn body(&self, _: &FileChange, place: &DeployPlace) -> String {
        let files: Vec<String> = place.files.iter().map(|file| code(file)).collect();
        let mut body = format!(
            "Sets the image {} in {}.\n\n| | |\n| --- | --- |\n",
            code(&self.name()),
            files.join(", ")
        );
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(body, "| {name} | {value} |");
        };
        let from = match self.from {
            Some(from) if from.tag.is_some() || from.digest.is_some() => {
                let text = shown(from);
                code(text.trim_matches('`'))
            }
            _ => "no image".to_owned(),
        };
        row("From", &from);
        row("To", &code(self.image.tag.as_str()));
        row("Image", &code(&reference(self.image)));
        let source = &self.links.source;
        match (self.from_commit, self.commit) {
            (Some(old), Some(new)) if old != new => {
                let names = format!("{}...{}", old.cut(SHOWN), new.cut(SHOWN));
                row("Commits", &format!("[`{names}`]({source}/compare/{old}...{new})"));
            }
            (_, Some(new)) => row("Commit", &format!("[`{}`]({source}/commit/{new})", new.cut(SHOWN))),
            (_, None) => {}
        }
        if !self.links.run.is_empty() {
            row("Run", &format!("[published by this run]({})", self.links.run));
        }
        if let Some(why) = self.undecided {
            let _ = write!(
                body,
                "\n**Look before you merge:** whether this image is newer is not known, as {}. It is not merged by itself.\n",
                escape(why)
            );
        }
        body.push_str(
            "\nThe branch is made anew for each newer image: what others commit to it is lost then.\n",
        );
        body
    }
}

/// What is said when a proposal is closed.
pub(super) fn overtaken(place: &DeployPlace, image: &str) -> String {
    format!("Closed: {} has {} already.", code(&place.base), code(image))
}

/// The whole reference.
fn reference(image: &NewImage) -> String {
    let digest = image.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
    format!("{}:{}{digest}", image.repository, image.tag)
}

/// At most what GitHub takes, without what steers a reader's terminal.
fn bounded(body: &str) -> String {
    let plain = |c: &char| matches!(c, '\n' | '\t') || !(c.is_control() || text::is_invisible(*c));
    body.chars().filter(plain).take(LONGEST).collect()
}
