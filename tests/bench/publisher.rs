//! `bench publish REPOSITORY SOURCE TAG…`: all that the action does at a registry to put an image that is there under so
//! many tags, as a process of its own. The action itself takes its tags from the event, a handful.
//!
//! The look before (an upload begun and given up, the source looked up), the source's stamp, then the product's own
//! [`Steps`] with every tag but one a moving one, each read before its move, and the image read again at the end.
//! Not in it: the facts about the daemon, which a run gathers meanwhile, and GitHub's answers.

use docker_push_action::inputs::config::TagOptions;
use docker_push_action::metadata::{PlannedTag, Policy, TagSource};
use docker_push_action::model::{Dial, Digest, RegistryHost, Repository, Stamped, Tag};
use docker_push_action::plan::order::{Answer, Putting, Reply, Step, Steps};
use docker_push_action::plan::publish::{Ours, PublishPlan};
use docker_push_action::registry::{Manifest, RegistryClient, Timeouts};
use futures_util::{StreamExt as _, stream};

/// As the engine reads and puts them.
const IN_PARALLEL: usize = 8;

/// Puts them.
pub fn publish(arguments: &[String]) {
    let [repository, source, tags @ ..] = arguments else {
        panic!("REPOSITORY SOURCE TAG…: {arguments:?}")
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let repository = Repository::parse(repository).expect("a repository");
    let tags: Vec<Tag> = tags.iter().map(|tag| Tag::parse(tag).expect("a tag")).collect();
    runtime.block_on(put_all(&repository, &Tag::parse(source).expect("a tag"), &tags));
}

async fn put_all(repository: &Repository, source: &Tag, tags: &[Tag]) {
    let host: RegistryHost = repository.registry().clone();
    let client = &RegistryClient::new(host, None, Dial::Direct, Timeouts::default());
    let head = async |tag: &Tag| client.head_manifest(repository, tag).await.expect("an answer");
    let (upload, found) = tokio::join!(client.begin_upload(repository), head(source));
    let found = found.expect("it was pushed");
    let stamp = client.stamp(repository, &found.digest).await.expect("an answer");
    let planned = |tag: &Tag, source, policy| PlannedTag::new(tag.clone(), (source, policy), "");
    let stages = vec![
        vec![planned(&tags[0], TagSource::Commit, Policy::COMMIT)],
        tags[1..].iter().map(|tag| planned(tag, TagSource::Branch, Policy::MOVING)).collect(),
    ];
    let (forced, commit_tags, options) = (false, None, TagOptions::default());
    let manifest = client.get_manifest(repository, &found.digest).await.expect("it was pushed");
    let mut steps = Steps::new(PublishPlan {
        repository: repository.clone(),
        digest: found.digest,
        stages,
        ours: Ours { stamp, forced, commit_tags, options },
    });
    let stepping = async {
        loop {
            let reply = match steps.next() {
                Step::Read(tags) => {
                    let reading = stream::iter(&tags).map(|tag| read(client, repository, tag));
                    Reply::Read(reading.buffered(IN_PARALLEL).collect().await)
                }
                Step::Put(puts) => {
                    let putting = stream::iter(&puts).map(|(tag, _)| put(client, repository, tag, &manifest));
                    Reply::Put(putting.buffered(IN_PARALLEL).collect().await)
                }
                Step::Ask(_) => Reply::Answer(Answer::History(Err("there is no GitHub here".into()))),
                Step::Done => break,
                Step::Fail(taken) => panic!("{taken}"),
            };
            steps.answer(reply);
        }
    };
    let ((), metadata) = tokio::join!(stepping, client.metadata_of(repository, &manifest));
    let metadata = metadata.expect("it was pushed");
    assert_eq!((steps.progress().published.len(), metadata.platforms.len()), (tags.len(), 2));
    if let Ok(upload) = upload {
        client.end_upload(repository, upload).await;
    }
}

async fn read(client: &RegistryClient, repository: &Repository, tag: &Tag) -> Option<Stamped> {
    let digest: Digest = client.head_manifest(repository, tag).await.expect("an answer")?.digest;
    let stamp = client.stamp(repository, &digest).await.expect("an answer");
    Some(Stamped { digest, stamp })
}

async fn put(client: &RegistryClient, repository: &Repository, tag: &Tag, manifest: &Manifest) -> Putting {
    client.put_tag(repository, tag, manifest).await.expect("the registry takes it");
    Putting::Done
}
