//! What the steps of an environment want to know of images and commits: the registry says the one, the source repository the other.

use tokio::sync::Mutex;

use crate::engine::history::Historian;
use crate::engine::repository_view::RepositoryView;
use crate::engine::retry::{hurry, patience, retry};
use crate::engine::run::Run;
use crate::kustomize::WrittenImage;
use crate::model::{CommitId, Digest, Repository, Tag, chain};
use crate::plan::deploy::{DeployAnswer, DeployQuestion, DeployedImage};
use crate::plan::order::{Answer, Question};

/// The commit of an image, or how two commits stand.
pub(super) async fn answer(
    run: &Run<'_>,
    historian: &Mutex<Historian>,
    question: &DeployQuestion,
    image: &DeployedImage,
) -> DeployAnswer {
    match question {
        DeployQuestion::CommitOf(written) => DeployAnswer::Commit(commit_of(run, written, image).await),
        DeployQuestion::Relate(old, new) => {
            let question = Question::Relate(old.clone(), new.clone());
            let answer = historian.lock().await.answer(&question).await;
            match answer {
                Answer::Related(relation) => DeployAnswer::Related(relation),
                _ => DeployAnswer::Commit(Err("nobody answered".into())),
            }
        }
    }
}

/// What the registry says of an image in our repository.
async fn commit_of(
    run: &Run<'_>,
    written: &WrittenImage,
    image: &DeployedImage,
) -> Result<Option<CommitId>, String> {
    let repository = match written.repository.as_deref().map(Repository::of_image) {
        None => image.repository.clone(),
        Some(Ok(repository)) if repository == image.repository => repository,
        Some(_) => return Err("the image is in another repository".into()),
    };
    let host = repository.registry();
    let client = run.registries.client(host);
    let digest = written.digest.as_deref().and_then(|digest| Digest::parse(digest).ok());
    let tag = written.tag.as_deref().and_then(|tag| Tag::parse(tag).ok());
    let found = match (digest, tag) {
        (Some(digest), _) => {
            let read = async || client.stamp(&repository, &digest).await;
            retry(run.process, hurry(run.asked.retries), read).await.map(Some)
        }
        (None, Some(tag)) => {
            let view = RepositoryView::new(run.process, patience(run, host), &client, &repository);
            let found = view.read(&[tag]).await;
            found.map(|found| found.into_iter().next().flatten().map(|found| found.stamp))
        }
        (None, None) => return Err("that is not a tag".into()),
    };
    match found {
        Ok(stamp) => Ok(stamp.and_then(|stamp| stamp.commit)),
        Err(error) if error.is_absence() => Err("the registry does not have the image any more".into()),
        Err(error) => Err(format!("the registry does not tell: {}", chain(&error))),
    }
}
