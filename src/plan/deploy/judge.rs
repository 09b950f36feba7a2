//! What is done about one environment, by what its base branch has and what is proposed for it.
//!
//! | base | open proposal | then |
//! |---|---|---|
//! | ours is newer, or nobody can tell | none | one is opened |
//! | | an older one, or nobody can tell | it is moved on |
//! | | ours, on the files as they are now | nothing |
//! | | ours, on other files | it is made anew |
//! | | a newer one | nothing |
//! | has ours already | ours, or an older one | it is closed |
//! | | none, or a newer one | nothing |
//! | has a newer one | ours, or an older one | it is closed |
//! | | none, or a newer one | nothing |
//!
//! Where nobody can tell, a person looks: there is a pull request also in the place of a direct commit, and it is not merged by
//! itself.

use super::DeployedImage;
use super::standing::{DeployKnown, DeployQuestion, Standing, shown, standing};
use super::step::{BaseRead, ChangedFile, Proposal};
use crate::kustomize::{EditError, Edited, FileKind, NewImage, SourceFile, WrittenImage};
use crate::model::{CommitId, Digest, Repository, Tag};

/// What judges.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    pub kind: FileKind,
    /// As it is to be written.
    pub new: NewImage,
    /// As it is compared.
    pub ours: DeployedImage,
    /// Never an older one.
    pub hold_back: bool,
    /// The commit goes onto the base itself.
    pub direct: bool,
    /// The base branch, for people.
    pub base: String,
}

/// What is done.
#[derive(Clone, Debug)]
pub(super) enum Decision {
    /// Nothing: why.
    Unchanged(String),
    /// Nothing, as the base has something newer: what.
    HeldBack(String),
    /// Nothing, as something newer is proposed: what.
    Overtaken(String),
    /// The open proposal is closed: why.
    Close(String),
    /// This is proposed.
    Propose(Given),
    /// This is committed to the base.
    Direct(Given),
}

/// What is written.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// On top of this commit.
    pub base: CommitId,
    /// The files that change.
    pub files: Vec<ChangedFile>,
    /// What was there before.
    pub from: Option<WrittenImage>,
    /// Its commit, if that is known.
    pub from_commit: Option<CommitId>,
    /// Nobody can tell whether ours is newer: why.
    pub undecided: Option<String>,
    /// What is done, for people.
    pub reason: String,
}

impl Judge {
    /// Decides.
    ///
    /// # Errors
    /// Outside: what has to be found out first. Inside: a file that cannot be edited.
    pub(super) fn decide(
        &self,
        base: &BaseRead,
        proposal: Option<&(Proposal, Vec<Option<SourceFile>>)>,
        known: &DeployKnown,
    ) -> Result<Result<Decision, EditError>, DeployQuestion> {
        let edited: Result<Vec<_>, _> =
            base.files.iter().map(|file| self.kind.edit(file, &self.new)).collect();
        let edited = match edited {
            Ok(edited) => edited,
            Err(error) => return Ok(Err(error)),
        };
        let there = match self.images(base) {
            Ok(there) => there,
            Err(error) => return Ok(Err(error)),
        };
        let has_ours = edited.iter().all(|one| *one == Edited::Unchanged) || self.is_tagged(&there);
        let at_base = if has_ours { Standing::Same } else { self.standing(&there, known)? };
        let proposed = match proposal {
            None => None,
            Some((_, files)) if self.carries(files) => Some(Standing::Same),
            Some((_, files)) => Some(self.of_files(files, known)?),
        };
        let carries = proposal.is_some_and(|(_, files)| self.carries(files));
        let number = proposal.map_or(0, |(proposal, _)| proposal.number);
        let overtaken =
            carries || matches!(proposed, Some(Standing::Newer | Standing::Same | Standing::First));
        let newer = |what: &str, why: &str| format!("{what} {why}, which is newer");
        if has_ours {
            let has = format!("{} has it already", self.base);
            return Ok(Ok(match proposed {
                Some(_) if overtaken => Decision::Close(has),
                Some(Standing::Older(why)) => {
                    Decision::Unchanged(newer(&format!("{has}, and pull request {number} proposes"), &why))
                }
                _ => Decision::Unchanged(has),
            }));
        }
        if let Standing::Older(why) = &at_base {
            let why = newer(&format!("{} has", self.base), why);
            return Ok(Ok(if overtaken { Decision::Close(why) } else { Decision::HeldBack(why) }));
        }
        let mut undecided = match at_base {
            Standing::Undecided(why) => Some(why),
            _ => None,
        };
        match proposed {
            Some(Standing::Older(why)) => {
                return Ok(Ok(Decision::Overtaken(newer("the pull request proposes", &why))));
            }
            Some(Standing::Undecided(why)) => undecided = undecided.or(Some(why)),
            _ => {}
        }
        let direct = self.direct && undecided.is_none();
        let open = proposal.filter(|(proposal, _)| proposal.is_open);
        if !direct && carries && open.is_some_and(|(_, files)| up_to_date(base, &edited, files)) {
            return Ok(Ok(Decision::Unchanged(format!("pull request {number} proposes it already"))));
        }
        let from = there.into_iter().next();
        let from_commit = match &from {
            Some(from) if self.is_ours(from) => known.commit(from)?.ok(),
            _ => None,
        };
        let reason = match &from {
            Some(from) if from.tag.is_some() || from.digest.is_some() => {
                format!("from {} to `{}`", shown(from), self.new.tag)
            }
            _ => format!("to `{}`", self.new.tag),
        };
        let changed = base.files.iter().zip(edited).filter_map(|(file, edited)| match edited {
            Edited::Changed(text) => Some(ChangedFile { path: file.path().to_owned(), text }),
            Edited::Unchanged => None,
        });
        let (base, files) = (base.head.clone(), changed.collect());
        let given = Given { base, files, from, from_commit, undecided, reason };
        Ok(Ok(if direct { Decision::Direct(given) } else { Decision::Propose(given) }))
    }

    /// How ours stands to what files of a proposal say.
    ///
    /// # Errors
    /// What has to be found out first.
    pub(super) fn of_files(
        &self,
        files: &[Option<SourceFile>],
        known: &DeployKnown,
    ) -> Result<Standing, DeployQuestion> {
        let mut found = Vec::new();
        for file in files {
            match file.as_ref().map(|file| self.kind.images(file, &self.new)) {
                Some(Ok(images)) => found.extend(images),
                _ => return Ok(Standing::Undecided("the open pull request's files cannot be read".into())),
            }
        }
        self.standing(&found, known)
    }

    /// Whether all these have our tag, where our digest is not known yet.
    fn is_tagged(&self, images: &[WrittenImage]) -> bool {
        let tag = Some(self.new.tag.as_str());
        self.new.digest.is_none() && !images.is_empty() && images.iter().all(|one| one.tag.as_deref() == tag)
    }

    /// The image that files of a proposal say, where it is one that can be.
    pub(super) fn image_in(&self, files: &[Option<SourceFile>]) -> Option<NewImage> {
        let file = files.iter().flatten().next()?;
        let found = self.kind.images(file, &self.new).ok()?.into_iter().next()?;
        let repository = found.repository.as_deref().and_then(|name| Repository::of_image(name).ok());
        let repository = repository.unwrap_or_else(|| self.new.repository.clone());
        let digest = found.digest.as_deref().and_then(|digest| Digest::parse(digest).ok());
        Some(NewImage { repository, tag: Tag::parse(found.tag.as_deref()?).ok()?, digest })
    }

    /// The first image that the base says.
    pub(super) fn first_image(&self, base: &BaseRead) -> Option<WrittenImage> {
        self.images(base).ok()?.into_iter().next()
    }

    /// What the base has, for a word on a proposal that is closed.
    pub(super) fn held_by(&self, base: Option<&BaseRead>) -> String {
        let found = base.filter(|_| !self.direct).and_then(|base| self.first_image(base));
        found.and_then(|found| found.tag).unwrap_or_else(|| self.new.tag.to_string())
    }

    fn images(&self, base: &BaseRead) -> Result<Vec<WrittenImage>, EditError> {
        let mut found = Vec::new();
        for file in &base.files {
            found.extend(self.kind.images(file, &self.new)?);
        }
        Ok(found)
    }

    /// How ours stands to all of these: older, if it is older than one.
    fn standing(&self, images: &[WrittenImage], known: &DeployKnown) -> Result<Standing, DeployQuestion> {
        let mut all = Standing::First;
        for image in images {
            let one = match standing(&self.ours, image, known)? {
                Standing::Older(_) if !self.hold_back => Standing::Newer,
                one => one,
            };
            all = match (all, one) {
                (older @ Standing::Older(_), _) | (_, older @ Standing::Older(_)) => older,
                (undecided @ Standing::Undecided(_), _) | (_, undecided @ Standing::Undecided(_)) => {
                    undecided
                }
                (Standing::Newer, _) | (_, Standing::Newer) => Standing::Newer,
                (Standing::Same, _) | (_, Standing::Same) => Standing::Same,
                (Standing::First, Standing::First) => Standing::First,
            };
        }
        Ok(all)
    }

    /// Whether all these files say our image.
    fn carries(&self, files: &[Option<SourceFile>]) -> bool {
        let says = |file: &SourceFile| self.kind.edit(file, &self.new) == Ok(Edited::Unchanged);
        !files.is_empty() && files.iter().all(|file| file.as_ref().is_some_and(says))
    }

    /// Whether the image is in our repository, as far as the file says.
    fn is_ours(&self, image: &WrittenImage) -> bool {
        let named = image.repository.as_deref().map(Repository::of_image);
        (image.tag.is_some() || image.digest.is_some())
            && named.is_none_or(|named| named.is_ok_and(|named| named == self.ours.repository))
    }
}

/// Whether a proposal's files are what would be made of the base's now.
fn up_to_date(base: &BaseRead, edited: &[Edited], files: &[Option<SourceFile>]) -> bool {
    let wanted = base.files.iter().zip(edited).map(|(file, edited)| match edited {
        Edited::Changed(text) => text.as_str(),
        Edited::Unchanged => file.text(),
    });
    files.len() == base.files.len()
        && wanted.zip(files).all(|(wanted, file)| file.as_ref().is_some_and(|file| file.text() == wanted))
}
