//! The rows of the default tag strategy.

use proptest::prelude::*;

use super::fixture::*;
use super::*;
use crate::inputs::config::{Push, VersionInput};
use crate::model::{GitRef, Tag};
use crate::runner::context::{Event, RunnerContext};
use crate::runner::stranger::Stranger;

#[allow(clippy::unnecessary_wraps, reason = "the input may be absent")]
fn version(text: &str) -> Option<VersionInput> {
    Some(VersionInput::Semver(semver::Version::parse(text).unwrap()))
}

/// `yes`, `yes?` (a refusal is tolerated), `no` or `asked`.
fn pushes(metadata: &Metadata) -> &'static str {
    match metadata.push_default {
        PushDecision::Push { tolerate_refusal: false } => "yes",
        PushDecision::Push { tolerate_refusal: true } => "yes?",
        PushDecision::NoPush(_) => "no",
        PushDecision::OnlyIfAsked(_) => "asked",
    }
}

/// GitHub says that the branch of the run before this one has its commit.
fn on_its_branch() -> GithubFacts {
    GithubFacts { on_branch: Ok(true), ..GithubFacts::default() }
}

fn release(action: &str, tag: &str) -> Event {
    Event::Release { action: action.into(), tag: tag.into(), target: "main".into() }
}

#[test]
fn rows_of_the_table() {
    use Event::*;
    let own = || pull_request("Acme/Shop");
    let fork = || pull_request("mallory/shop");
    let comment = |on_pull_request| IssueComment { number: 5, on_pull_request };
    let run = |event, branch, repository, number| workflow_run(event, branch, repository, number);
    for (event, git_ref, expected, push_default) in [
        (push(), "refs/heads/main", "1111111-main main latest", "yes"),
        (push(), "refs/heads/Feat/New_x", "1111111-feat-new_x feat-new_x", "yes"),
        (push(), "refs/heads/Main", "1111111-main main", "yes"),
        (push(), "refs/tags/v1.2.3", "1111111-v1.2.3 v1.2.3", "yes"),
        (push(), "refs/tags/nightly", "1111111-nightly nightly", "yes"),
        (push(), "refs/tags/main", "1111111-main", "yes"),
        (push(), "refs/tags/Main", "1111111-main", "yes"),
        (release("published", "1.0.0"), "refs/tags/1.0.0", "1111111-1.0.0 1.0.0", "yes"),
        (release("released", "v2.0.0"), "refs/tags/v2.0.0", "1111111-v2.0.0 v2.0.0", "yes"),
        (release("created", "v2.0.0"), "refs/tags/v2.0.0", "1111111-v2.0.0 v2.0.0", "yes"),
        (release("prereleased", "v2.0.0-rc.1"), "refs/tags/x", "1111111-v2.0.0-rc.1 v2.0.0-rc.1", "yes"),
        (Schedule, "refs/heads/main", "1111111-main main latest", "yes"),
        (WorkflowDispatch, "refs/heads/dev", "1111111-dev dev", "yes"),
        (WorkflowDispatch, "refs/tags/v1.0.0", "1111111-v1.0.0 v1.0.0", "yes"),
        (RepositoryDispatch, "refs/heads/main", "1111111-main main latest", "yes"),
        (run("push", "dev", "acme/shop", None), "refs/heads/main", "2222222-dev dev", "yes"),
        (run("push", "main", "acme/shop", None), "refs/heads/main", "2222222-main main latest", "yes"),
        (run("release", "v1.0.0", "acme/shop", None), "refs/heads/main", "2222222-v1.0.0 v1.0.0", "yes"),
        (run("push", "v1.0.0", "acme/shop", None), "refs/heads/main", "2222222-v1.0.0", "yes"),
        (run("push", "main", "mallory/shop", None), "refs/heads/main", "", "asked"),
        (run("pull_request", "dev", "acme/shop", Some(5)), "refs/heads/main", "2222222-pr-5 pr-5", "asked"),
        (run("pull_request", "main", "mallory/shop", None), "refs/heads/main", "", "asked"),
        (run("issue_comment", "main", "acme/shop", None), "refs/heads/main", "", "asked"),
        (
            run("merge_group", "gh-readonly-queue/main/x", "acme/shop", None),
            "refs/heads/main",
            "2222222-queue",
            "no",
        ),
        (
            run("check_suite", "main", "acme/shop", None),
            "refs/heads/main",
            "2222222-main main latest",
            "asked",
        ),
        (run("push", "", "acme/shop", None), "refs/heads/main", "2222222-detached", "asked"),
        (PullRequest(own()), "refs/pull/5/merge", "2222222-pr-5 pr-5", "yes?"),
        (PullRequest(fork()), "refs/pull/5/merge", "2222222-pr-5 pr-5", "no"),
        (PullRequest(pull_request("")), "refs/pull/5/merge", "2222222-pr-5 pr-5", "no"),
        (PullRequestTarget(own()), "refs/heads/main", "2222222-pr-5 pr-5", "asked"),
        (PullRequestTarget(fork()), "refs/heads/main", "2222222-pr-5 pr-5", "asked"),
        (comment(true), "refs/heads/main", "pr-5", "asked"),
        (comment(false), "refs/heads/main", "1111111-main main latest", "asked"),
        (MergeGroup, "refs/heads/gh-readonly-queue/main/pr-5-x", "1111111-queue", "no"),
        (Other("pull_request_review".into()), "refs/pull/5/merge", "pr-5", "asked"),
        (Other("watch".into()), "refs/heads/main", "1111111-main main latest", "asked"),
        (Other("watch".into()), "refs/notes/x", "1111111-refs-notes-x", "asked"),
    ] {
        let context = context(event, git_ref);
        let metadata = built(&context, &config()).unwrap();
        assert_eq!((tags(&metadata).as_str(), pushes(&metadata)), (expected, push_default), "{context:?}");
        let dependabot = RunnerContext { actor: "dependabot[bot]".into(), ..context };
        let metadata = built(&dependabot, &config()).unwrap();
        assert_eq!((tags(&metadata).as_str(), pushes(&metadata)), (expected, "no"), "{dependabot:?}");
    }
}

#[test]
fn nothing_to_do() {
    let closed = crate::runner::context::PullRequest { closed: true, ..pull_request("acme/shop") };
    for event in [
        Event::Push { deleted: true },
        Event::Delete,
        Event::PullRequest(closed.clone()),
        Event::PullRequestTarget(closed),
        release("edited", "v1.0.0"),
        release("deleted", "v1.0.0"),
        release("unpublished", "v1.0.0"),
    ] {
        let context = context(event, "refs/heads/main");
        let checkout = checkout(commit('1'));
        let outcome = derive(&context, &checkout, Rules::from(&config()), &on_its_branch()).unwrap();
        assert!(matches!(outcome, Outcome::NothingToDo(_)), "{context:?}");
    }
}

#[test]
fn versions() {
    let pull = || Event::PullRequest(pull_request("acme/shop"));
    let (main, merge) = ("refs/heads/main", "refs/pull/5/merge");
    let auto = || Some(VersionInput::Auto);
    for (input, event, git_ref, expected, said, warnings) in [
        (version("1.2.3"), push(), main, "1111111-main v1.2.3 main latest", "1.2.3", 0),
        (
            version("1.2.3-rc.1+b.5"),
            push(),
            main,
            "1111111-main v1.2.3-rc.1-b.5 main latest",
            "1.2.3-rc.1+b.5",
            0,
        ),
        // The Git tag and the input agree: one tag. They do not: both, and a warning.
        (version("1.2.3"), push(), "refs/tags/v1.2.3", "1111111-v1.2.3 v1.2.3", "1.2.3", 0),
        (version("1.2.3"), push(), "refs/tags/1.2.3", "1111111-1.2.3 v1.2.3 1.2.3", "1.2.3", 0),
        (version("1.2.3"), push(), "refs/tags/v1.2.4", "1111111-v1.2.4 v1.2.3 v1.2.4", "1.2.3", 1),
        // A Git tag's own spelling, beside its slug where they differ.
        (
            None,
            push(),
            "refs/tags/v1.0.0-RC.1+x",
            "1111111-v1.0.0-rc.1-x v1.0.0-RC.1-x v1.0.0-rc.1-x",
            "1.0.0-RC.1+x",
            0,
        ),
        (None, push(), "refs/tags/v1.2", "1111111-v1.2 v1.2", "", 0),
        (None, push(), "refs/tags/pr-5", "1111111-pr-5 pr-5", "", 0),
        // Reported, not tagged.
        (version("1.2.3"), pull(), merge, "2222222-pr-5 pr-5", "1.2.3", 0),
        (version("1.2.3"), Event::MergeGroup, main, "1111111-queue", "1.2.3", 0),
        // `auto` on a Git tag's run is that tag.
        (auto(), push(), "refs/tags/v1.2.3", "1111111-v1.2.3 v1.2.3", "1.2.3", 0),
        (auto(), push(), "refs/tags/Nightly", "1111111-nightly nightly", "Nightly", 0),
    ] {
        let config = crate::inputs::config::Config { version: input, ..config() };
        let metadata = built(&context(event, git_ref), &config).unwrap();
        let got = (tags(&metadata), metadata.version.unwrap_or_default(), metadata.warnings.len());
        assert_eq!(got, (expected.to_owned(), said.to_owned(), warnings), "{git_ref}");
    }
    let named = |metadata: &Metadata| most_specific(&metadata.tags).map(|tag| tag.tag.to_string());
    let with = crate::inputs::config::Config { version: version("1.0.0"), ..config() };
    let main = built(&context(push(), main), &with).unwrap();
    assert_eq!(named(&main).unwrap(), "v1.0.0");
    assert_eq!(named(&built(&context(pull(), merge), &with).unwrap()).unwrap(), "2222222-pr-5");
    let of_tag = built(&context(push(), "refs/tags/v1.2.3"), &config()).unwrap();
    assert_eq!(
        of_tag.tags.iter().map(|tag| (tag.source, tag.policy)).collect::<Vec<_>>(),
        [(TagSource::Commit, Policy::COMMIT), (TagSource::GitTag, Policy::VERSION)]
    );
}

#[test]
fn version_from_git() {
    let config = crate::inputs::config::Config { version: Some(VersionInput::Auto), ..config() };
    let described = |said: Result<&str, DescribeError>, event, git_ref| {
        let context = context(event, git_ref);
        let describe = said.map(str::to_owned);
        let checkout = CheckoutFacts { describe, ..checkout(commit('1')) };
        derive(&context, &checkout, Rules::from(&config), &on_its_branch()).map(|outcome| match outcome {
            Outcome::Build(metadata) => (tags(&metadata), metadata.version.unwrap(), metadata.warnings.len()),
            Outcome::NothingToDo(why) => panic!("{why}"),
        })
    };
    for (said, expected, warnings) in [
        ("v1.2.3-4-gabcdef0", "1111111-main v1.2.3-4-gabcdef0 main latest", 0),
        ("Release/1.0+x", "1111111-main Release-1.0-x main latest", 0),
        ("abcdef0", "1111111-main abcdef0 main latest", 0),
        ("main", "1111111-main main latest", 0),
        ("latest", "1111111-main main latest", 1),
        ("pr-7", "1111111-main main latest", 1),
        ("-.", "1111111-main main latest", 1),
    ] {
        let got = described(Ok(said), push(), "refs/heads/main").unwrap();
        assert_eq!(got, (expected.to_owned(), said.to_owned(), warnings));
    }
    let pull = Event::PullRequest(pull_request("acme/shop"));
    let got = described(Ok("v1.0.0-2-gabc"), pull.clone(), "refs/pull/5/merge").unwrap();
    assert_eq!(got, ("2222222-pr-5 pr-5".into(), "v1.0.0-2-gabc".into(), 0));
    for event in [push(), pull] {
        let error = described(Err(DescribeError::Shallow), event, "refs/heads/main").unwrap_err();
        assert!(error.to_string().contains("`fetch-depth: 0`"), "{error}");
    }
}

#[test]
fn what_git_describes_takes_nobodys_tag() {
    let config = crate::inputs::config::Config { version: Some(VersionInput::Auto), ..config() };
    let (version, described) = (Some(Policy::VERSION), Some(Policy::DESCRIPTION));
    let untagged = "v1.2.3-4-gabcdef0";
    for (said, tagged, branch, expected, policy, label) in [
        // The commit of a release: the tag is the release's.
        ("v1.2.3", true, "main", "1111111-main v1.2.3 main latest", version, "1.2.3"),
        ("1.2.3+b", true, "dev", "1111111-dev 1.2.3-b dev", version, "1.2.3+b"),
        // It looks like one, and is none.
        (untagged, false, "dev", "1111111-dev v1.2.3-4-gabcdef0 dev", described, untagged),
        ("stable", true, "main", "1111111-main stable main latest", described, "stable"),
        // The branch's own.
        ("main", true, "main", "1111111-main main latest", None, "main"),
        ("dev", true, "dev", "1111111-dev dev", None, "dev"),
        ("1111111-dev", true, "dev", "1111111-dev dev", None, "1111111-dev"),
        // `latest_branch`'s.
        ("main", true, "dev", "1111111-dev dev", None, "main"),
    ] {
        let context = context(push(), &format!("refs/heads/{branch}"));
        let checkout = CheckoutFacts { describe: Ok(said.into()), tagged, ..checkout(commit('1')) };
        let outcome = derive(&context, &checkout, Rules::from(&config), &GithubFacts::default()).unwrap();
        let Outcome::Build(metadata) = outcome else { panic!("nothing to do") };
        assert_eq!(tags(&metadata), expected, "{said}");
        let described = metadata.tags.iter().find(|tag| tag.source == TagSource::Describe);
        assert_eq!(described.map(|tag| tag.policy), policy, "{said}");
        let own = metadata.tags.iter().find(|tag| tag.tag.as_str() == branch).unwrap();
        assert_eq!((own.source, own.policy), (TagSource::Branch, Policy::MOVING), "{said}");
        assert_eq!(metadata.version.as_deref(), Some(label));
    }
}

#[test]
fn names_that_belong_to_others() {
    for (git_ref, expected, owner) in [
        ("refs/heads/latest", "1111111-latest", "`latest_branch`"),
        ("refs/heads/Latest", "1111111-latest", "`latest_branch`"),
        ("refs/tags/LATEST", "1111111-latest", "`latest_branch`"),
        ("refs/heads/v1.2.3", "1111111-v1.2.3", "a version"),
        ("refs/heads/1.2.3-rc.1", "1111111-1.2.3-rc.1", "a version"),
        ("refs/heads/PR-12", "1111111-pr-12", "a pull request"),
    ] {
        let metadata = built(&context(push(), git_ref), &config()).unwrap();
        assert_eq!(tags(&metadata), expected, "{git_ref}");
        assert!(metadata.warnings[0].ends_with(owner), "{:?}", metadata.warnings);
    }
    for git_ref in
        ["refs/heads/pr-x", "refs/heads/pr-", "refs/heads/1.2", "refs/heads/v1", "refs/heads/latest-x"]
    {
        let metadata = built(&context(push(), git_ref), &config()).unwrap();
        assert_eq!((metadata.tags.len(), metadata.warnings.len()), (2, 0), "{git_ref}");
    }
    let error = built(&context(push(), "refs/heads/🚀🎉"), &config()).unwrap_err();
    assert!(error.to_string().contains("branch `🚀🎉`"), "{error}");
}

#[test]
fn what_was_built_names_the_tags() {
    let behind = |head: Option<char>, ancestry: Ancestry, event: Event, git_ref: &str| {
        let context = context(event, git_ref);
        let checkout = CheckoutFacts {
            head: head.map(commit),
            compared_with: triggering_commit(&context).clone(),
            ancestry,
            ..checkout(commit('1'))
        };
        match derive(&context, &checkout, Rules::from(&config()), &on_its_branch()).unwrap() {
            Outcome::Build(metadata) => {
                (tags(&metadata), metadata.revision.cut(1).to_owned(), metadata.warnings)
            }
            Outcome::NothingToDo(why) => panic!("{why}"),
        }
    };
    let main = "refs/heads/main";
    let unknown = || Ancestry::Unknown("the checkout is shallow".into());
    let (tags, revision, warnings) = behind(Some('3'), Ancestry::Ancestor, push(), main);
    assert_eq!((tags.as_str(), revision.as_str(), warnings.len()), ("3333333-main main latest", "3", 0));
    for ancestry in [Ancestry::NotAncestor, unknown()] {
        let (tags, revision, warnings) = behind(Some('3'), ancestry, push(), main);
        assert_eq!((tags.as_str(), revision.as_str(), warnings.len()), ("3333333-main", "3", 1));
    }
    // Without a checkout there is nothing to doubt.
    let (tags, revision, warnings) = behind(None, unknown(), push(), main);
    assert_eq!((tags.as_str(), revision.as_str(), warnings.len()), ("1111111-main main latest", "1", 0));
    // A run after another one is about that one's commit, whatever was checked out by default.
    let after = || workflow_run("push", "dev", "acme/shop", None);
    let (tags, revision, warnings) = behind(Some('1'), Ancestry::NotAncestor, after(), main);
    assert_eq!((tags.as_str(), revision.as_str(), warnings.len()), ("1111111-dev", "1", 1));
    // A pull request's tags name its head, its label what was merged and built.
    let pull = Event::PullRequest(pull_request("acme/shop"));
    let (tags, revision, warnings) = behind(Some('1'), Ancestry::Same, pull, "refs/pull/5/merge");
    assert_eq!((tags.as_str(), revision.as_str(), warnings.len()), ("2222222-pr-5 pr-5", "1", 0));
    // The default branch, checked out for a pull request, holds nothing of it.
    let target = Event::PullRequestTarget(pull_request("mallory/shop"));
    let (_, _, warnings) = behind(Some('1'), Ancestry::Same, target.clone(), main);
    assert!(warnings[0].contains("holds nothing") || warnings[0].contains("hold nothing"), "{warnings:?}");
    assert_eq!(behind(Some('2'), Ancestry::NotAncestor, target, main).2.len(), 0);
}

#[test]
fn a_git_tag_in_the_place_of_a_workflow_runs_branch_moves_no_branchs_tag() {
    let derived = |event: &str, branch: &str, on_branch: Result<bool, String>| {
        let context = context(workflow_run(event, branch, "acme/shop", None), "refs/heads/main");
        let told = GithubFacts { on_branch, ..GithubFacts::default() };
        match derive(&context, &checkout(commit('2')), Rules::from(&config()), &told).unwrap() {
            Outcome::Build(metadata) => metadata,
            Outcome::NothingToDo(why) => panic!("{why}"),
        }
    };
    for (event, on_branch, expected, said) in [
        ("push", Ok(true), "2222222-main main latest", ""),
        ("push", Ok(false), "2222222-main", "is not on a branch `main`"),
        ("push", Err("no\nanswer".into()), "2222222-main", "is not known: no answer"),
        ("workflow_dispatch", Ok(false), "2222222-main", "is not on a branch `main`"),
        ("create", Err("no answer".into()), "2222222-main", "is not known"),
        // These are never on a Git tag.
        ("schedule", Err("GitHub was not asked".into()), "2222222-main main latest", ""),
        ("repository_dispatch", Err("GitHub was not asked".into()), "2222222-main main latest", ""),
    ] {
        let metadata = derived(event, "main", on_branch);
        assert_eq!(tags(&metadata), expected, "{event}");
        assert_eq!(metadata.warnings.len(), usize::from(!said.is_empty()), "{:?}", metadata.warnings);
        assert!(metadata.warnings.iter().all(|warning| warning.contains(said)), "{:?}", metadata.warnings);
    }
    let metadata = derived("push", "main", Ok(false));
    // It is no evidence of what the branch has, either.
    assert_eq!(metadata.subject, Subject::Ref("main".into()));
    assert_eq!(pushes(&metadata), "yes");
    let asked = |event: Event| branch_to_look_up(&context(event, "refs/heads/main"));
    assert_eq!(asked(workflow_run("push", "dev", "acme/shop", None)).as_deref(), Some("dev"));
    for event in [
        workflow_run("push", "dev", "mallory/shop", None),
        workflow_run("release", "v1", "acme/shop", None),
        workflow_run("schedule", "main", "acme/shop", None),
        workflow_run("pull_request", "dev", "acme/shop", Some(5)),
        push(),
    ] {
        assert_eq!(asked(event.clone()), None, "{event:?}");
    }
}

#[test]
fn a_pull_requests_commit_tag_names_only_a_head_that_was_built() {
    let request = || pull_request("acme/shop");
    let comment = || Event::IssueComment { number: 5, on_pull_request: true };
    let told = GithubFacts { pull_request_head: Some(commit('2')), ..GithubFacts::default() };
    let asked = crate::inputs::config::Config { push: Push::Yes, ..config() };
    let (merge, main) = ("refs/pull/5/merge", "refs/heads/main");
    for (event, git_ref, head, parents, expected, named) in [
        (Event::PullRequest(request()), merge, Some('2'), "", "2222222-pr-5 pr-5", '2'),
        (Event::PullRequest(request()), merge, Some('1'), "82", "2222222-pr-5 pr-5", '2'),
        (Event::PullRequest(request()), merge, None, "", "2222222-pr-5 pr-5", '2'),
        // Pushed between the checkout and this step.
        (Event::PullRequest(request()), merge, Some('4'), "83", "pr-5", '4'),
        (Event::PullRequestTarget(request()), main, Some('4'), "83", "pr-5", '4'),
        (comment(), main, Some('2'), "", "2222222-pr-5 pr-5", '2'),
        (comment(), main, Some('3'), "8", "pr-5", '3'),
        (comment(), main, Some('1'), "8", "pr-5", '1'),
        (workflow_run("pull_request", "dev", "acme/shop", Some(5)), main, Some('1'), "8", "pr-5", '1'),
    ] {
        let context = context(event, git_ref);
        let checkout = CheckoutFacts {
            head: head.map(commit),
            parents: parents.chars().map(commit).collect(),
            ..checkout(commit('1'))
        };
        let outcome = derive(&context, &checkout, Rules::from(&asked), &told).unwrap();
        let Outcome::Build(metadata) = outcome else { panic!("nothing to do") };
        assert_eq!(tags(&metadata), expected, "{head:?} {parents} {context:?}");
        assert_eq!(metadata.named, Some(commit(named)), "{head:?} {parents}");
        let warned = metadata.warnings.iter().any(|one| one.contains("pull request #5"));
        assert_eq!(warned, expected == "pr-5", "{:?}", metadata.warnings);
    }
}

/// What GitHub says of a context's ref.
fn found(digit: char, parents: &str, ancestry: Ancestry) -> ContextCommit {
    let parents = parents.chars().map(commit).collect();
    ContextCommit { commit: commit(digit), on_branch: true, parents, time: Some(7), ancestry }
}

/// What comes of a run whose context is fetched, while the workspace has commit 4.
fn fetched(
    url: &str,
    event: Event,
    git_ref: &str,
    told: Option<Result<ContextCommit, String>>,
) -> (RunnerContext, Metadata) {
    let context = context(event, git_ref);
    let config = crate::inputs::config::Config {
        context: crate::model::ContextSource::Remote(url.into()),
        ..config()
    };
    let told = GithubFacts { context: told, ..on_its_branch() };
    let outcome = derive(&context, &checkout(commit('4')), Rules::from(&config), &told).unwrap();
    let Outcome::Build(metadata) = outcome else { panic!("nothing to do") };
    (context, *metadata)
}

#[test]
fn what_is_fetched_does_not_carry_the_workspaces_commit() {
    let three = "3".repeat(40);
    let pull = || Event::PullRequest(pull_request("acme/shop"));
    let (main, merge) = ("refs/heads/main", "refs/pull/5/merge");
    let own = |name: &str| format!("https://github.com/acme/shop.git{name}");
    let other = |name: &str| format!("https://github.com/acme/other.git{name}");
    let is = |digit, parents, ancestry| Some(Ok(found(digit, parents, ancestry)));
    let nobody = || Some(Err("404".to_owned()));
    for (url, event, git_ref, told, expected, label, named, warnings) in [
        // A ref of this repository, as GitHub says.
        (own("#main"), push(), main, is('1', "8", Ancestry::Same), "1111111-main main latest", '1', '1', 0),
        (
            own("#main"),
            push(),
            main,
            is('5', "1", Ancestry::Ancestor),
            "5555555-main main latest",
            '5',
            '5',
            0,
        ),
        (own("#v1"), push(), main, is('5', "8", Ancestry::NotAncestor), "5555555-main", '5', '5', 1),
        (own("#main"), push(), main, nobody(), "main latest", ' ', ' ', 1),
        (own("#main"), push(), main, None, "main latest", ' ', ' ', 1),
        // A pull request: the merge, the head, and a merge that somebody has pushed to meanwhile.
        (
            own("#refs/pull/5/merge"),
            pull(),
            merge,
            is('1', "82", Ancestry::Same),
            "2222222-pr-5 pr-5",
            '1',
            '2',
            0,
        ),
        (
            own("#refs/pull/5/head"),
            pull(),
            merge,
            is('2', "8", Ancestry::NotAncestor),
            "2222222-pr-5 pr-5",
            '2',
            '2',
            0,
        ),
        (own("#refs/pull/5/merge"), pull(), merge, is('6', "89", Ancestry::NotAncestor), "pr-5", '6', '6', 1),
        (own("#refs/pull/5/merge"), pull(), merge, nobody(), "pr-5", ' ', ' ', 1),
        // The URL names the commit.
        (own(&format!("#{three}")), push(), main, None, "3333333-main", '3', '3', 1),
        // Another repository, and an archive.
        (other("#main"), push(), main, is('5', "8", Ancestry::Same), "main latest", '5', ' ', 0),
        (other("#main"), push(), main, nobody(), "main latest", ' ', ' ', 1),
        (other(&format!("#{three}:api")), push(), main, None, "main latest", '3', ' ', 0),
        ("https://gitlab.example/a/b.git#main".into(), push(), main, None, "main latest", ' ', ' ', 0),
        ("https://example.com/shop.tar.gz".into(), pull(), merge, None, "pr-5", ' ', ' ', 0),
        (other(""), Event::MergeGroup, main, is('5', "8", Ancestry::Same), "", '5', ' ', 0),
    ] {
        let (context, metadata) = fetched(&url, event, git_ref, told.clone());
        assert_eq!(tags(&metadata), expected, "{url} {told:?}");
        let known = |digit: char| (digit != ' ').then(|| commit(digit));
        assert_eq!(metadata.named, known(named), "{url} {told:?}");
        assert_eq!(metadata.warnings.len(), warnings, "{url} {told:?}: {:?}", metadata.warnings);
        assert!(!metadata.as_checked_out, "{url}");
        let labels = labels::labels(&context, &metadata, &[]);
        let label = known(label).map(|commit| commit.to_string());
        assert_eq!(labels.get(labels::REVISION), label.as_ref(), "{url}");
        let time = told.and_then(Result::ok).map(|_| "1970-01-01T00:00:07Z");
        assert_eq!(labels.get(labels::CREATED).map(String::as_str), time, "{url}");
    }
}

#[test]
fn what_is_fetched_from_elsewhere_is_not_described_as_this_repository() {
    let labels = |url: &str| {
        let (context, metadata) = fetched(url, push(), "refs/heads/main", None);
        let labels =
            labels::labels(&context, &metadata, &[("org.opencontainers.image.vendor".into(), "me".into())]);
        labels
            .into_iter()
            .map(|(key, text)| format!("{}={text}", &key[labels::OCI.len()..]))
            .collect::<Vec<_>>()
    };
    let (title, url) = ("title=shop", "url=https://github.com/acme/shop");
    assert_eq!(
        labels("https://gitlab.example/a/b.git#main"),
        ["source=https://gitlab.example/a/b", title, url, "vendor=me"]
    );
    assert_eq!(labels("https://example.com/shop.tar.gz"), [title, url, "vendor=me"]);
    let own = labels("https://github.com/acme/shop.git#main");
    assert!(own.contains(&"description=Sells things".to_owned()), "{own:?}");
    assert!(own.contains(&"source=https://github.com/acme/shop".to_owned()), "{own:?}");
}

#[test]
fn the_workspaces_description_is_not_that_of_another_commit() {
    let context = context(push(), "refs/heads/main");
    let config = |url: &str| crate::inputs::config::Config {
        context: crate::model::ContextSource::Remote(url.into()),
        version: Some(VersionInput::Auto),
        ..config()
    };
    let checkout = CheckoutFacts { describe: Ok("v1.0-3-g4444444".into()), ..checkout(commit('1')) };
    let derive = |url: &str, digit| {
        let told = Some(Ok(found(digit, "8", Ancestry::Ancestor)));
        let told = GithubFacts { context: told, ..on_its_branch() };
        derive(&context, &checkout, Rules::from(&config(url)), &told)
    };
    let own = "https://github.com/acme/shop.git#main";
    let Outcome::Build(metadata) = derive(own, '1').unwrap() else { panic!("nothing to do") };
    assert_eq!(tags(&metadata), "1111111-main v1.0-3-g4444444 main latest");
    assert!(metadata.as_checked_out);
    for (url, digit) in [(own, '5'), ("https://gitlab.example/a/b.git", '5')] {
        let error = derive(url, digit).unwrap_err();
        assert_eq!(error, StrategyError::Describe(DescribeError::Elsewhere), "{url}");
    }
}

#[test]
fn head_of_a_commented_pull_request() {
    let context = context(Event::IssueComment { number: 5, on_pull_request: true }, "refs/heads/main");
    assert_eq!(pull_request_to_look_up(&context), Some(5));
    let checkout = checkout(commit('2'));
    let asked = crate::inputs::config::Config { push: Push::Yes, ..config() };
    let error = derive(&context, &checkout, Rules::from(&asked), &GithubFacts::default()).unwrap_err();
    assert_eq!(error, StrategyError::HeadUnknown(5));
    let head = commit('2');
    let told = GithubFacts { pull_request_head: Some(head), ..GithubFacts::default() };
    let Outcome::Build(metadata) = derive(&context, &checkout, Rules::from(&asked), &told).unwrap() else {
        panic!("nothing to do")
    };
    assert_eq!(tags(&metadata), "2222222-pr-5 pr-5");
}

#[test]
fn lengths() {
    let mut long = context(push(), &format!("refs/heads/{}", "a".repeat(200)));
    long.sha = CommitId::parse(&"1".repeat(64)).unwrap();
    let config = crate::inputs::config::Config { sha_length: 64, ..config() };
    let metadata = built(&long, &config).unwrap();
    assert_eq!(metadata.tags[0].tag.as_str().len(), 128);
    let version = version(&format!("1.2.3-{}", "a".repeat(130)));
    let config = crate::inputs::config::Config { version, ..config };
    let error = built(&long, &config).unwrap_err();
    assert!(matches!(error, StrategyError::TooLong { what: "`version`", .. }), "{error}");
}

#[test]
fn created_is_the_commits_time() {
    let mut context = context(push(), "refs/heads/main");
    context.commit_times = vec![(commit('3'), 1), (commit('1'), 99)];
    let created = |context: &RunnerContext, head: Option<char>, head_time| {
        let checkout = CheckoutFacts { head: head.map(commit), head_time, ..checkout(commit('1')) };
        match derive(context, &checkout, Rules::from(&config()), &on_its_branch()).unwrap() {
            Outcome::Build(metadata) => metadata.created,
            Outcome::NothingToDo(why) => panic!("{why}"),
        }
    };
    assert_eq!(created(&context, Some('1'), Some(5)), Some(5));
    assert_eq!(created(&context, None, None), Some(99));
    assert_eq!(created(&context, Some('4'), None), None);
    assert_eq!(created(&context, Some('1'), Some(-5)), None);
    assert_eq!(created(&context, Some('1'), Some(i64::MAX)), None);
}

#[test]
fn reasons_hold_no_control_characters() {
    let metadata =
        built(&context(push(), "refs/heads/a\u{1b}[31m\r\n::error::x\u{202e}"), &config()).unwrap();
    let reason = &metadata.tags[1].reason;
    assert_eq!(reason, "branch `a\\u{1b}[31m\\r\\n::error::x\\u{202e}`");
    assert!(!metadata.occasion.chars().any(char::is_control));
}

proptest! {
    #[test]
    fn every_event_on_every_ref(
        event in events(),
        git_ref in refs(),
        ancestor in any::<bool>(),
        input in 0..3,
        said in "\\PC{0,40}",
    ) {
        let context = context(event, &git_ref);
        let ancestry = if ancestor { Ancestry::Ancestor } else { Ancestry::NotAncestor };
        let compared_with = triggering_commit(&context).clone();
        let head = CheckoutFacts { ancestry, compared_with, describe: Ok(said), ..checkout(commit('3')) };
        let version = [None, version("1.2.3"), Some(VersionInput::Auto)][usize::try_from(input).unwrap()].clone();
        let config = crate::inputs::config::Config { version, ..config() };
        let Ok(Outcome::Build(metadata)) = derive(&context, &head, Rules::from(&config), &on_its_branch()) else {
            return Ok(());
        };
        // What a run after another one builds is told by that one's event, too.
        if context.stranger().is_some_and(|stranger| stranger != Stranger::After) {
            prop_assert!(!matches!(metadata.push_default, PushDecision::Push { .. }), "{context:?}");
        }
        let mut names: Vec<&str> = metadata.tags.iter().map(|tag| tag.tag.as_str()).collect();
        let stages: Vec<Stage> = metadata.tags.iter().map(|tag| tag.policy.stage).collect();
        prop_assert!(stages.is_sorted(), "{metadata:?}");
        for tag in &metadata.tags {
            prop_assert!(Tag::parse(tag.tag.as_str()).is_ok());
            prop_assert!(!tag.reason.chars().any(char::is_control), "{:?}", tag.reason);
        }
        if names.contains(&"latest") {
            prop_assert_eq!(&metadata.subject, &Subject::Branch("main".into()));
            prop_assert!(ancestor);
        }
        if let Subject::PullRequest(_) = metadata.subject {
            prop_assert!(names.iter().all(|name| name.contains("pr-")), "{names:?}");
            prop_assert_ne!(pushes(&metadata), "yes");
        }
        if context.git_ref == GitRef::Branch("main".into()) && matches!(context.event, Event::WorkflowRun { .. }) {
            prop_assert_eq!(&metadata.revision, &commit('3'));
        }
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), metadata.tags.len());
    }
}
