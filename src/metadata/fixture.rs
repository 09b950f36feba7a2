//! Contexts, checkouts and inputs for tests.

use proptest::prelude::*;

use super::{
    Ancestry, CheckoutFacts, ContextCommit, DescribeError, GithubFacts, Metadata, NoHead, Outcome, Rules,
    StrategyError, derive, ref_to_look_up,
};
use crate::inputs::config::{
    BuildOptions, BuilderOptions, CacheMode, CacheOptions, CheckLevel, Config, Dockerfile, MetadataContext,
    MetadataEnv, Mode, Push, TagOptions, VerifyOptions,
};
use crate::model::{CommitId, ContextSource, GitRef, Platform, Repository};
use crate::runner::cache_service::CacheService;
use crate::runner::context::{Event, Paths, PullRequest, RepositoryFacts, Run, Runner, RunnerContext};

pub(crate) fn commit(digit: char) -> CommitId {
    CommitId::parse(&digit.to_string().repeat(40)).unwrap()
}

/// `GITHUB_SHA` is 111…
pub(crate) fn context(event: Event, git_ref: &str) -> RunnerContext {
    RunnerContext {
        event,
        git_ref: GitRef::parse(git_ref),
        sha: commit('1'),
        forced: false,
        base_ref: None,
        repository: RepositoryFacts {
            full_name: "acme/shop".into(),
            owner: "acme".into(),
            name: "shop".into(),
            html_url: "https://github.com/acme/shop".into(),
            description: "Sells things".into(),
            license: "MIT".into(),
            default_branch: Some("main".into()),
        },
        actor: "octocat".into(),
        run: Run { id: 7, attempt: 1, number: 3, job: "publish".into(), url: String::new() },
        runner: Runner { name: "runner-1".into(), hosted_by_github: false },
        server_url: "https://github.com".into(),
        api_url: "https://api.github.com".into(),
        commit_times: Vec::new(),
        paths: Paths { workspace: "/github/workspace".into(), ..Paths::default() },
        cache: CacheService::default(),
        debug: false,
    }
}

pub(crate) fn push() -> Event {
    Event::Push { deleted: false }
}

/// Pull request 5, whose head is 222…
pub(crate) fn pull_request(head_repository: &str) -> PullRequest {
    PullRequest {
        number: 5,
        head_sha: commit('2'),
        head_repository: (!head_repository.is_empty()).then(|| head_repository.into()),
        closed: false,
    }
}

/// A run after another one whose head is 222… on `head_branch`.
pub(crate) fn workflow_run(
    event: &str,
    head_branch: &str,
    head_repository: &str,
    number: Option<u64>,
) -> Event {
    Event::WorkflowRun {
        head_branch: (!head_branch.is_empty()).then(|| head_branch.into()),
        head_sha: commit('2'),
        event: event.into(),
        head_repository: Some(head_repository.into()),
        pull_request: number,
    }
}

/// HEAD is the commit that the run is about; of a pull request the merge of its head.
pub(crate) fn checkout(head: CommitId) -> CheckoutFacts {
    CheckoutFacts {
        head: Some(head.clone()),
        parents: vec![commit('2')],
        head_time: Some(1_763_717_445),
        compared_with: head,
        ancestry: Ancestry::Same,
        describe: Err(DescribeError::NotAsked),
        tagged: false,
        head_refs: Err(NoHead::NotAsked),
        warning: None,
    }
}

pub(crate) fn config() -> Config {
    Config {
        targets: Repository::parse("ghcr.io/acme/shop/api").unwrap().into(),
        missing_logins: Vec::new(),
        context: ContextSource::Directory("/github/workspace/api".into()),
        dockerfile: Dockerfile {
            directory: Some("/github/workspace/api".into()),
            file_name: "Dockerfile".into(),
            in_workspace: "api/Dockerfile".into(),
        },
        platforms: ["linux/arm64", "linux/amd64"].map(|text| Platform::parse(text).unwrap()).to_vec(),
        version: None,
        cache_scope: "acme-shop-api".into(),
        create_repository: false,
        has_token: false,
        tags: None,
        platform_tags: Vec::new(),
        metadata_context: MetadataContext::Workflow,
        sha_length: 7,
        latest_branch: "main".into(),
        tags_key: crate::model::Digest::of(b"tags"),
        tag_options: TagOptions { sha_length: 7, ..TagOptions::default() },
        metadata_env: MetadataEnv::default(),
        labels: Vec::new(),
        build_args: Vec::new(),
        build_args_of_env: std::collections::BTreeSet::default(),
        target: None,
        no_cache: false,
        pull: false,
        push: Push::Auto,
        mode: Mode::Build,
        check_level: CheckLevel::Error,
        from: None,
        deploy: crate::inputs::config::DeployInputs::default(),
        dry_run: false,
        summary: true,
        retries: crate::model::Retries::Auto,
        build: BuildOptions::default(),
        cache: CacheOptions { mode: CacheMode::Off, ..CacheOptions::default() },
        builder: BuilderOptions::default(),
        verify: VerifyOptions::default(),
        load: false,
        archive: None,
        outputs: Vec::new(),
    }
}

/// The metadata of a run whose checkout is what the event is about, and so is a ref of its Git context.
pub(crate) fn built(context: &RunnerContext, config: &Config) -> Result<Metadata, StrategyError> {
    let commit = super::triggering_commit(context);
    let checkout = checkout(commit.clone());
    let found = |_| ContextCommit {
        commit: commit.clone(),
        on_branch: true,
        parents: Vec::new(),
        time: None,
        ancestry: Ancestry::Same,
    };
    let found = ref_to_look_up(context, &config.context).map(|asked| asked.map(found));
    let github = GithubFacts { on_branch: Ok(true), context: found, ..GithubFacts::default() };
    match derive(context, &checkout, Rules::from(config), &github)? {
        Outcome::Build(metadata) => Ok(*metadata),
        Outcome::NothingToDo(why) => panic!("nothing to do: {why}"),
    }
}

/// Tags in order, one string.
pub(crate) fn tags(metadata: &Metadata) -> String {
    metadata.tags.iter().map(|tag| tag.tag.as_str()).collect::<Vec<_>>().join(" ")
}

/// Any event, likely and unlikely.
pub(crate) fn events() -> impl Strategy<Value = Event> {
    let text = || prop_oneof![Just("push".to_owned()), Just("pull_request".to_owned()), "\\PC{0,20}"];
    let heads = || proptest::option::of(prop_oneof![Just("acme/shop".to_owned()), Just("x/y".to_owned())]);
    let number = || proptest::option::of(1u64..);
    let pull = (any::<bool>(), heads()).prop_map(|(closed, head_repository)| PullRequest {
        head_repository,
        closed,
        ..pull_request("")
    });
    prop_oneof![
        any::<bool>().prop_map(|deleted| Event::Push { deleted }),
        (text(), names()).prop_map(|(action, tag)| Event::Release { action, tag, target: String::new() }),
        names().prop_map(|tag| Event::Release { action: "published".into(), tag, target: String::new() }),
        Just(Event::Schedule),
        Just(Event::WorkflowDispatch),
        Just(Event::MergeGroup),
        Just(Event::Delete),
        text().prop_map(Event::Other),
        (proptest::option::of(names()), text(), heads(), number()).prop_map(
            |(head_branch, event, head_repository, pull_request)| Event::WorkflowRun {
                head_branch,
                head_sha: commit('2'),
                event,
                head_repository,
                pull_request
            }
        ),
        pull.clone().prop_map(Event::PullRequest),
        pull.prop_map(Event::PullRequestTarget),
        (1u64.., any::<bool>())
            .prop_map(|(number, on_pull_request)| Event::IssueComment { number, on_pull_request }),
    ]
}

fn names() -> impl Strategy<Value = String> {
    let known = ["main", "latest", "v1.2.3", "pr-5", "Main", "1.0.0-rc.1", "a/b", "🚀"].map(String::from);
    prop_oneof![proptest::sample::select(known.to_vec()), "\\PC{0,80}", "[a-zA-Z0-9./_+-]{1,90}"]
}

/// Any `GITHUB_REF`.
pub(crate) fn refs() -> impl Strategy<Value = String> {
    let prefix = proptest::sample::select(vec!["refs/heads/", "refs/tags/", "refs/pull/5/", "refs/x/", ""]);
    (prefix, names()).prop_map(|(prefix, name)| format!("{prefix}{name}"))
}
