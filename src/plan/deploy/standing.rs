//! How our image stands to one that an environment has: never go back to an older one.
//!
//! Of two versions the later one is newer; else of two commits the descendant. What neither tells stays undecided. The commit of
//! an image is in its tag, or its registry knows it; how two commits stand, the source repository says.

use crate::kustomize::WrittenImage;
use crate::model::{CommitId, Relation, Repository, text};

use super::DeployedImage;

/// Characters of a commit that people are shown.
const SHOWN: usize = 12;

/// How our image stands to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no other one.
    First,
    /// It is the same, or another build of the same version or commit.
    Same,
    /// It is newer.
    Newer,
    /// It is older: than what, for people.
    Older(String),
    /// Nobody can tell: why.
    Undecided(String),
}

/// What has to be found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeployQuestion {
    /// The commit of an image.
    CommitOf(WrittenImage),
    /// How the second commit stands to the first.
    Relate(CommitId, CommitId),
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeployAnswer {
    /// The commit, if the image says it; else why that is not known.
    Commit(Result<Option<CommitId>, String>),
    /// How they stand.
    Related(Relation),
}

/// Answers so far. They do not change.
#[derive(Clone, Debug, Default)]
pub struct DeployKnown(Vec<(DeployQuestion, DeployAnswer)>);

impl DeployKnown {
    /// Keeps an answer.
    pub fn learn(&mut self, question: DeployQuestion, answer: DeployAnswer) {
        self.0.push((question, answer));
    }

    fn answer(&self, question: DeployQuestion) -> Result<&DeployAnswer, DeployQuestion> {
        self.0.iter().find(|(asked, _)| *asked == question).map(|(_, answer)| answer).ok_or(question)
    }

    /// The commit of an image, if that can be told.
    ///
    /// # Errors
    /// What has to be found out first.
    pub(super) fn commit(&self, image: &WrittenImage) -> Result<Result<CommitId, String>, DeployQuestion> {
        if let Some(commit) = image.tag.as_deref().and_then(commit_in) {
            return Ok(Ok(commit));
        }
        Ok(match self.answer(DeployQuestion::CommitOf(image.clone()))? {
            DeployAnswer::Commit(Ok(Some(commit))) => Ok(commit.clone()),
            DeployAnswer::Commit(Err(why)) => Err(why.clone()),
            _ => Err("the image does not say it".into()),
        })
    }
}

/// How our image stands to this one.
///
/// # Errors
/// What has to be found out first.
pub fn standing(
    ours: &DeployedImage,
    theirs: &WrittenImage,
    known: &DeployKnown,
) -> Result<Standing, DeployQuestion> {
    if theirs.tag.is_none() && theirs.digest.is_none() {
        return Ok(Standing::First);
    }
    let there = theirs.tag.as_deref().unwrap_or_default();
    if there == ours.tag.as_str() && elsewhere(ours, theirs).is_none() {
        return Ok(Standing::Same);
    }
    if let (Some(our), Some(their)) = (version(ours.tag.as_str()), version(there)) {
        return Ok(match our.cmp_precedence(&their) {
            std::cmp::Ordering::Less => Standing::Older(format!("version {}", text::name(there))),
            std::cmp::Ordering::Equal => Standing::Same,
            std::cmp::Ordering::Greater => Standing::Newer,
        });
    }
    let Some(our) = &ours.commit else {
        return Ok(Standing::Undecided("the image does not say its commit".into()));
    };
    let their = match known.commit(theirs)? {
        Ok(commit) => commit,
        Err(why) => {
            return Ok(Standing::Undecided(format!("the commit of {} is not known: {why}", shown(theirs))));
        }
    };
    if their == *our {
        return Ok(Standing::Same);
    }
    let answer = known.answer(DeployQuestion::Relate(their.clone(), our.clone()))?;
    let DeployAnswer::Related(relation) = answer else {
        return Ok(Standing::Undecided("nobody knows how the commits stand".into()));
    };
    let name = their.cut(SHOWN);
    Ok(match relation {
        Relation::Same => Standing::Same,
        Relation::Ahead => Standing::Newer,
        Relation::Behind => Standing::Older(format!("commit {name}")),
        Relation::Diverged => {
            Standing::Undecided(format!("neither descends from the other: commit {name} is there"))
        }
        Relation::NotAhead => Standing::Undecided(format!("this commit does not descend from {name}")),
        Relation::Unknown(why) => {
            Standing::Undecided(format!("how commit {name} stands is not known: {}", text::line(why)))
        }
    })
}

/// Our image as the file names it stands for another repository: which.
fn elsewhere(ours: &DeployedImage, theirs: &WrittenImage) -> Option<Repository> {
    let there = Repository::of_image(theirs.repository.as_deref()?).ok()?;
    (there != ours.repository).then_some(there)
}

/// An image as a file says it, for people.
pub(super) fn shown(image: &WrittenImage) -> String {
    let text = |text: &Option<String>| text.as_deref().map(text::name);
    let tag = text(&image.tag).or_else(|| text(&image.digest)).unwrap_or_default();
    format!("`{tag}`")
}

/// A semantic version as image tags have it: with or without `v`, with `-` where the version has `+`.
fn version(tag: &str) -> Option<semver::Version> {
    semver::Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// The whole commit id in a tag, if there is one.
pub(super) fn commit_in(tag: &str) -> Option<CommitId> {
    let runs = tag.split(|c: char| !c.is_ascii_hexdigit());
    let mut whole = runs.filter(|run| matches!(run.len(), 40 | 64));
    whole.next().and_then(|run| CommitId::parse(run).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tag;

    fn id(digit: u8) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn ours(tag: &str, commit: u8) -> DeployedImage {
        DeployedImage {
            repository: Repository::parse("ghcr.io/acme/api").unwrap(),
            tag: Tag::parse(tag).unwrap(),
            commit: (commit > 0).then(|| id(commit)),
        }
    }

    fn theirs(tag: &str) -> WrittenImage {
        let tag = (!tag.is_empty()).then(|| tag.to_owned());
        WrittenImage { repository: Some("ghcr.io/acme/api".into()), tag, digest: None }
    }

    /// By one who knows the commit of `latest`, and how commits stand.
    fn told(ours: &DeployedImage, theirs: &WrittenImage, relation: &Relation) -> Standing {
        let mut known = DeployKnown::default();
        loop {
            let question = match standing(ours, theirs, &known) {
                Ok(standing) => return standing,
                Err(question) => question,
            };
            let answer = match &question {
                DeployQuestion::CommitOf(image) => DeployAnswer::Commit(match image.tag.as_deref() {
                    Some("latest" | "v1.0.0") => Ok(Some(id(1))),
                    Some("bare") => Ok(None),
                    _ => Err("the registry is gone".into()),
                }),
                DeployQuestion::Relate(..) => DeployAnswer::Related(relation.clone()),
            };
            known.learn(question, answer);
        }
    }

    #[test]
    fn which_image_is_newer() {
        let main = |digit: u8| format!("{}-main", id(digit));
        let undecided = |why: &str| Standing::Undecided(why.to_owned());
        for (tag, commit, there, relation, expected) in [
            ("v1.2.3", 2, "", Relation::Behind, Standing::First),
            ("v1.2.3", 2, "v1.2.3", Relation::Behind, Standing::Same),
            ("v1.2.3", 2, "1.2.2", Relation::Behind, Standing::Newer),
            ("v1.10.0", 2, "v1.9.0", Relation::Behind, Standing::Newer),
            ("v1.2.3", 2, "v1.3.0", Relation::Ahead, Standing::Older("version v1.3.0".into())),
            ("v2.0.0-rc.1", 2, "v2.0.0", Relation::Ahead, Standing::Older("version v2.0.0".into())),
            (&main(2), 2, &main(1), Relation::Ahead, Standing::Newer),
            (&main(2), 2, &main(1), Relation::Behind, Standing::Older("commit 111111111111".into())),
            (&main(1), 1, &format!("{}-other", id(1)), Relation::Behind, Standing::Same),
            ("v1.2.3", 2, &main(1), Relation::Ahead, Standing::Newer),
            (&main(2), 2, "v1.0.0", Relation::Behind, Standing::Older("commit 111111111111".into())),
            (&main(2), 2, "latest", Relation::Ahead, Standing::Newer),
            (
                &main(2),
                2,
                "bare",
                Relation::Ahead,
                undecided("the commit of `bare` is not known: the image does not say it"),
            ),
            (
                &main(2),
                2,
                "x\ny",
                Relation::Ahead,
                undecided("the commit of `x\\ny` is not known: the registry is gone"),
            ),
            ("v1.2.3", 0, "latest", Relation::Ahead, undecided("the image does not say its commit")),
            (
                &main(2),
                2,
                &main(1),
                Relation::Diverged,
                undecided("neither descends from the other: commit 111111111111 is there"),
            ),
        ] {
            assert_eq!(told(&ours(tag, commit), &theirs(there), &relation), expected, "{tag} and {there}");
        }
    }

    #[test]
    fn the_same_tag_of_another_repository_is_another_image() {
        let moved = WrittenImage { repository: Some("docker.io/acme/api".into()), ..theirs("latest") };
        assert_eq!(told(&ours("latest", 2), &moved, &Relation::Ahead), Standing::Newer);
        let short = WrittenImage { repository: None, ..theirs("latest") };
        assert_eq!(told(&ours("latest", 2), &short, &Relation::Behind), Standing::Same);
        // An image by its digest alone is somebody's all the same.
        let digest = WrittenImage { digest: Some("sha256:00".into()), ..theirs("") };
        assert!(matches!(told(&ours("v1.0.0", 2), &digest, &Relation::Ahead), Standing::Undecided(_)));
    }

    #[test]
    fn commits_in_tags() {
        let id = id(7);
        for (tag, found) in [
            (format!("{id}-main"), true),
            (format!("sha-{id}"), true),
            (id.to_string(), true),
            (id.cut(39).to_owned(), false),
            (format!("{id}0"), false),
            ("main".into(), false),
        ] {
            assert_eq!(commit_in(&tag).is_some(), found, "{tag}");
        }
    }
}
