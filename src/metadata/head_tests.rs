//! `metadata_context: git`: each event with each checkout.

use super::super::fixture::{checkout, commit, config, context, pull_request, push, tags, workflow_run};
use super::super::{
    DescribeError, FetchedPull, GithubFacts, Metadata, Outcome, PushDecision, RefsAtHead, Rules,
    StrategyError, derive,
};
use super::*;
use crate::inputs::config::{MetadataEnv, Push, VersionInput};
use crate::rules::TagRules;
use crate::runner::context::Event;

/// HEAD is 444…, whose parents are 888… and 999…; the run is about another commit.
fn head(head_refs: Result<HeadRefs, NoHead>) -> CheckoutFacts {
    CheckoutFacts {
        head: Some(commit('4')),
        parents: vec![commit('8'), commit('9')],
        ancestry: Ancestry::NotAncestor,
        head_refs,
        ..checkout(commit('1'))
    }
}

/// HEAD is on this ref.
fn on(name: &str) -> CheckoutFacts {
    head(Ok(HeadRefs::On(GitRef::parse(name))))
}

/// HEAD is detached: `tag:v1`, `pull:5/merge`, `branch:main`, `history:main`.
fn at(names: &str) -> CheckoutFacts {
    let mut at = RefsAtHead::default();
    for name in names.split_whitespace() {
        match name.split_once(':').unwrap() {
            ("tag", name) => at.tags.push(name.into()),
            ("branch", name) => at.branches.push(name.into()),
            ("history", name) => at.in_history_of = Some(name.into()),
            ("pull", name) => {
                let (number, kind) = name.split_once('/').unwrap();
                at.pull_requests
                    .push(FetchedPull { number: number.parse().unwrap(), merge: kind == "merge" });
            }
            other => panic!("{other:?}"),
        }
    }
    head(Ok(HeadRefs::Detached(at)))
}

fn git() -> Config {
    Config { metadata_context: MetadataContext::Git, ..config() }
}

fn tag_rules(text: &str) -> TagRules {
    crate::rules::parse(text, "").unwrap()
}

fn told(confirmed: Result<bool, String>) -> GithubFacts {
    GithubFacts { checked_out: confirmed, ..GithubFacts::default() }
}

fn nobody() -> GithubFacts {
    told(Err("no\nanswer".into()))
}

fn derived(
    context: &RunnerContext,
    checkout: &CheckoutFacts,
    config: &Config,
    github: &GithubFacts,
) -> Result<Metadata, StrategyError> {
    match derive(context, checkout, Rules::from(config), github)? {
        Outcome::Build(metadata) => Ok(*metadata),
        Outcome::NothingToDo(why) => panic!("nothing to do: {why}"),
    }
}

fn release(tag: &str) -> Event {
    Event::Release { action: "published".into(), tag: tag.into(), target: "main".into() }
}

const MAIN: &str = "refs/heads/main";
const MERGE: &str = "refs/pull/5/merge";

#[test]
fn the_ref_that_is_checked_out_names_the_tags() {
    let own = || Event::PullRequest(pull_request("acme/shop"));
    for (event, git_ref, checkout, expected, named) in [
        // A branch.
        (push(), MAIN, on("refs/heads/dev"), "4444444-dev dev", '4'),
        (push(), MAIN, on(MAIN), "4444444-main main latest", '4'),
        (push(), "refs/tags/v1.2.3", on(MAIN), "4444444-main main latest", '4'),
        (Event::Schedule, MAIN, on("refs/heads/release/1.x"), "4444444-release-1.x release-1.x", '4'),
        (release("v1.2.3"), "refs/tags/v1.2.3", on("refs/heads/dev"), "4444444-dev dev", '4'),
        (own(), MERGE, on("refs/heads/dev"), "4444444-dev dev", '4'),
        (push(), MAIN, on("refs/notes/x"), "4444444-refs-notes-x", '4'),
        // A Git tag, alone and among others.
        (Event::WorkflowDispatch, MAIN, at("tag:v1.2.3"), "4444444-v1.2.3 v1.2.3", '4'),
        (Event::Schedule, MAIN, at("tag:nightly"), "4444444-nightly nightly", '4'),
        (push(), MAIN, at("tag:v1 tag:v1.2 tag:v1.2.3 tag:v1.2.3-rc.1 tag:z"), "4444444-v1.2.3 v1.2.3", '4'),
        (push(), MAIN, at("tag:1.10.0 tag:1.9.0"), "4444444-1.10.0 1.10.0", '4'),
        (push(), MAIN, at("tag:a tag:b"), "4444444-b b", '4'),
        (push(), MAIN, at("tag:v2.0.0 pull:5/merge branch:main"), "4444444-v2.0.0 v2.0.0", '4'),
        // The run's own.
        (push(), "refs/tags/v1", at("tag:v1 tag:v1.2.3"), "4444444-v1 v1", '4'),
        (release("api-1"), "refs/tags/api-1", at("tag:api-1 tag:web-2.0.0"), "4444444-api-1 api-1", '4'),
        // A pull request: its merge goes by the request's head, which is its second parent.
        (Event::WorkflowDispatch, MAIN, at("pull:7/merge"), "9999999-pr-7 pr-7", '9'),
        (Event::WorkflowDispatch, MAIN, at("pull:7/head"), "4444444-pr-7 pr-7", '4'),
        (own(), MERGE, at("pull:3/head pull:5/merge"), "9999999-pr-5 pr-5", '9'),
        (push(), MAIN, at("pull:7/head branch:dev"), "4444444-pr-7 pr-7", '4'),
        // A branch that is at the commit, or has it.
        (push(), MAIN, at("branch:dev"), "4444444-dev dev", '4'),
        (push(), MAIN, at("branch:dev branch:main"), "4444444-main main latest", '4'),
        (push(), "refs/heads/dev", at("branch:dev branch:main"), "4444444-dev dev", '4'),
        (push(), "refs/tags/x", at("branch:dev branch:main"), "4444444-main main latest", '4'),
        (push(), "refs/tags/x", at("branch:b branch:c"), "4444444-b b", '4'),
        (Event::WorkflowDispatch, MAIN, at("history:dev"), "4444444-dev dev", '4'),
        // A run after another one in this repository builds what is checked out, whatever that one was on.
        (workflow_run("push", "dev", "acme/shop", None), MAIN, on(MAIN), "4444444-main main latest", '4'),
        // A merge queue's group, whether its branch or another one is checked out.
        (
            Event::MergeGroup,
            "refs/heads/gh-readonly-queue/x",
            on("refs/heads/gh-readonly-queue/x"),
            "4444444-queue",
            '4',
        ),
        (Event::MergeGroup, "refs/heads/gh-readonly-queue/x", on("refs/heads/dev"), "4444444-dev dev", '4'),
    ] {
        let context = context(event, git_ref);
        let metadata = derived(&context, &checkout, &git(), &GithubFacts::default()).unwrap();
        let case = format!("{context:?} {:?}", checkout.head_refs);
        assert_eq!((tags(&metadata).as_str(), metadata.named), (expected, Some(commit(named))), "{case}");
        assert_eq!((metadata.revision, metadata.built), (commit('4'), Some(commit('4'))), "{case}");
        assert_eq!(metadata.warnings, Vec::<String>::new(), "{case}");
        assert_eq!(head_to_confirm(&context, &checkout, &git()), None, "{case}");
    }
}

/// What that action makes of the same checkout. The head of a pull request is named on its event only, and only where the
/// event is what a run goes by.
#[test]
fn rules_name_what_is_checked_out() {
    let own = || Event::PullRequest(pull_request("acme/shop"));
    let rules = "type=ref,event=branch\ntype=ref,event=tag\ntype=ref,event=pr\ntype=semver,pattern={{version}}\ntype=sha";
    for (event, git_ref, checkout, expected) in [
        (push(), MAIN, on("refs/heads/dev"), "dev sha-4444444"),
        (push(), MAIN, at("tag:v1.2.3"), "v1.2.3 1.2.3 sha-4444444 latest"),
        (push(), MAIN, at("branch:main"), "main sha-4444444"),
        (Event::WorkflowDispatch, MAIN, at("pull:7/merge"), "pr-7 sha-4444444"),
        (own(), MERGE, at("pull:5/merge"), "pr-5 sha-4444444"),
        (own(), MERGE, at("pull:5/head"), "pr-5 sha-4444444"),
        (own(), MERGE, on("refs/heads/dev"), "dev sha-4444444"),
    ] {
        let context = context(event, git_ref);
        for pr_head_sha in [false, true] {
            let asked = Config {
                tags: Some(tag_rules(rules)),
                metadata_env: MetadataEnv { pr_head_sha, ..MetadataEnv::default() },
                ..git()
            };
            let metadata = derived(&context, &checkout, &asked, &GithubFacts::default()).unwrap();
            let mut found: Vec<&str> = metadata.tags.iter().map(|tag| tag.tag.as_str()).collect();
            let mut expected: Vec<&str> = expected.split(' ').collect();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{context:?} {:?}", checkout.head_refs);
        }
    }
    let merge = CheckoutFacts {
        head: Some(commit('1')),
        parents: vec![commit('8'), commit('2')],
        ..at("pull:5/merge")
    };
    for (metadata_context, expected) in
        [(MetadataContext::Git, "sha-1111111"), (MetadataContext::Workflow, "sha-2222222")]
    {
        let metadata_env = MetadataEnv { pr_head_sha: true, ..MetadataEnv::default() };
        let asked = Config { tags: Some(tag_rules("type=sha")), metadata_env, metadata_context, ..config() };
        let metadata = derived(&context(own(), MERGE), &merge, &asked, &GithubFacts::default()).unwrap();
        assert_eq!(tags(&metadata), expected);
    }
}

#[test]
fn a_commit_without_a_name_is_the_events_if_it_is_that() {
    let pull = || Event::PullRequest(pull_request("acme/shop"));
    let target = || Event::PullRequestTarget(pull_request("mallory/shop"));
    let comment = || Event::IssueComment { number: 5, on_pull_request: true };
    let on_branch = || GithubFacts { on_branch: Ok(true), ..GithubFacts::default() };
    let request_head = || GithubFacts { pull_request_head: Some(commit('2')), ..GithubFacts::default() };
    for (event, git_ref, head, parents, github, expected) in [
        // `ref: ${{ github.sha }}`
        (push(), MAIN, '1', "", GithubFacts::default(), "1111111-main main latest"),
        (push(), "refs/tags/v1.2.3", '1', "", GithubFacts::default(), "1111111-v1.2.3 v1.2.3"),
        (
            Event::MergeGroup,
            "refs/heads/gh-readonly-queue/x",
            '1',
            "",
            GithubFacts::default(),
            "1111111-queue",
        ),
        (pull(), MERGE, '1', "82", GithubFacts::default(), "2222222-pr-5 pr-5"),
        // `ref: ${{ github.event.pull_request.head.sha }}`, and a merge that the workflow made of it.
        (pull(), MERGE, '2', "", GithubFacts::default(), "2222222-pr-5 pr-5"),
        (target(), MAIN, '2', "", GithubFacts::default(), "2222222-pr-5 pr-5"),
        (target(), MAIN, '4', "12", GithubFacts::default(), "2222222-pr-5 pr-5"),
        (comment(), MAIN, '2', "", request_head(), "2222222-pr-5 pr-5"),
        // The default branch, which `GITHUB_SHA` is of there.
        (target(), MAIN, '1', "", GithubFacts::default(), "1111111-main main latest"),
        (comment(), MAIN, '1', "", request_head(), "1111111-main main latest"),
        // `ref: ${{ github.event.workflow_run.head_sha }}`
        (workflow_run("push", "dev", "acme/shop", None), MAIN, '2', "", on_branch(), "2222222-dev dev"),
        (
            workflow_run("pull_request", "x", "mallory/shop", Some(5)),
            MAIN,
            '2',
            "",
            on_branch(),
            "2222222-pr-5 pr-5",
        ),
    ] {
        let context = context(event, git_ref);
        let about = triggering_commit(&context).clone();
        let checkout = CheckoutFacts {
            head: Some(commit(head)),
            parents: parents.chars().map(commit).collect(),
            ancestry: if about == commit(head) { Ancestry::Same } else { Ancestry::NotAncestor },
            compared_with: about,
            ..at("history:other")
        };
        let asked = Config { push: Push::Yes, ..git() };
        let metadata = derived(&context, &checkout, &asked, &github).unwrap();
        assert_eq!(tags(&metadata), expected, "{head} {context:?}");
        assert_eq!(metadata.warnings, Vec::<String>::new(), "{head} {context:?}");
        assert_eq!(metadata.revision, commit(head), "{context:?}");
    }
}

#[test]
fn a_strangers_checkout_takes_nobodys_tag() {
    let fork = || pull_request("mallory/shop");
    let target = || Event::PullRequestTarget(fork());
    let comment = || Event::IssueComment { number: 5, on_pull_request: true };
    let after = || workflow_run("pull_request", "main", "mallory/shop", Some(5));
    let asked = Config { push: Push::Yes, ..git() };
    for (event, checkout, expected, confirmed) in [
        // A fork's branches and tags have any name.
        (target(), on(MAIN), "pr-5", "4444444-main main latest"),
        (target(), on("refs/heads/v1.2.3"), "pr-5", "4444444-v1.2.3"),
        (target(), at("tag:v1.2.3"), "pr-5", "4444444-v1.2.3 v1.2.3"),
        (target(), at("branch:main"), "pr-5", "4444444-main main latest"),
        (target(), at("history:main"), "pr-5", "4444444-main main latest"),
        (target(), at("pull:7/merge"), "pr-5", "9999999-pr-7 pr-7"),
        (comment(), on(MAIN), "pr-5", "4444444-main main latest"),
        (after(), on(MAIN), "pr-5", "4444444-main main latest"),
        (Event::PullRequest(fork()), on(MAIN), "pr-5", "4444444-main main latest"),
    ] {
        let git_ref = if matches!(event, Event::PullRequest(_)) { MERGE } else { MAIN };
        let context = context(event, git_ref);
        let case = format!("{context:?} {:?}", checkout.head_refs);
        let out = head_to_confirm(&context, &checkout, &asked).unwrap_or_else(|| panic!("{case}"));
        assert!(out.commit == commit('4') || out.git_ref == GitRef::Pull(7), "{case}: {out:?}");
        let with_head = |github: GithubFacts| GithubFacts { pull_request_head: Some(commit('2')), ..github };
        for (github, said) in
            [(told(Ok(false)), "does not have commit"), (nobody(), "is not known: no answer")]
        {
            let metadata = derived(&context, &checkout, &asked, &with_head(github)).unwrap();
            assert_eq!(tags(&metadata), expected, "{case}");
            assert_eq!(metadata.subject, Subject::PullRequest(Some(5)), "{case}");
            let warned = metadata.warnings.iter().any(|warning| {
                warning.contains(said) && warning.contains(&out.name()) && !warning.contains(char::is_control)
            });
            assert!(warned, "{case}: {:?}", metadata.warnings);
        }
        let metadata = derived(&context, &checkout, &asked, &with_head(told(Ok(true)))).unwrap();
        assert_eq!(tags(&metadata), confirmed, "{case}");
    }
    // Without a number there is no tag to put.
    let nameless = context(workflow_run("pull_request", "main", "mallory/shop", None), MAIN);
    assert_eq!(tags(&derived(&nameless, &on(MAIN), &asked, &nobody()).unwrap()), "");
}

#[test]
fn what_the_event_says_too_needs_no_answer_of_github() {
    let target = || Event::PullRequestTarget(pull_request("mallory/shop"));
    let head_is = |digit, checkout: CheckoutFacts| CheckoutFacts { head: Some(commit(digit)), ..checkout };
    let merge = CheckoutFacts { parents: vec![commit('1'), commit('2')], ..at("pull:5/merge") };
    for (checkout, expected) in [
        // The default checkout of these events: the default branch's tip.
        (head_is('1', on(MAIN)), "1111111-main main latest"),
        (merge, "2222222-pr-5 pr-5"),
        (head_is('2', at("pull:5/head")), "2222222-pr-5 pr-5"),
    ] {
        let context = context(target(), MAIN);
        assert_eq!(head_to_confirm(&context, &checkout, &git()), None, "{expected}");
        let metadata = derived(&context, &checkout, &git(), &nobody()).unwrap();
        assert_eq!((tags(&metadata).as_str(), metadata.warnings.len()), (expected, 0));
    }
    // Another commit of the same names.
    for checkout in [on(MAIN), at("pull:5/head"), at("pull:5/merge")] {
        assert!(head_to_confirm(&context(target(), MAIN), &checkout, &git()).is_some());
    }
}

/// Who pushes is asked of the event, not of what it has checked out.
#[test]
fn the_event_says_who_pushes() {
    let word = |event: Event, git_ref: &str, checkout: &CheckoutFacts| {
        let context = context(event, git_ref);
        let metadata = derived(&context, checkout, &git(), &told(Ok(true))).unwrap();
        match metadata.push_default {
            PushDecision::Push { tolerate_refusal: false } => "yes",
            PushDecision::Push { tolerate_refusal: true } => "yes?",
            PushDecision::NoPush(_) => "no",
            PushDecision::OnlyIfAsked(_) => "asked",
        }
    };
    for checkout in [on(MAIN), at("tag:v1.2.3"), at("pull:5/merge"), on("refs/heads/dev")] {
        for (event, git_ref, expected) in [
            (push(), MAIN, "yes"),
            (Event::Schedule, MAIN, "yes"),
            (release("v9"), "refs/tags/v9", "yes"),
            (Event::PullRequest(pull_request("acme/shop")), MERGE, "yes?"),
            (Event::PullRequest(pull_request("mallory/shop")), MERGE, "no"),
            (Event::PullRequestTarget(pull_request("mallory/shop")), MAIN, "asked"),
            (Event::IssueComment { number: 5, on_pull_request: true }, MAIN, "asked"),
            (workflow_run("pull_request", "x", "mallory/shop", None), MAIN, "asked"),
            (workflow_run("push", "main", "acme/shop", None), MAIN, "yes"),
            (Event::MergeGroup, MAIN, "no"),
            (Event::Other("watch".into()), MAIN, "asked"),
        ] {
            assert_eq!(
                word(event.clone(), git_ref, &checkout),
                expected,
                "{event:?} {:?}",
                checkout.head_refs
            );
        }
    }
    let deleted = context(Event::Push { deleted: true }, MAIN);
    let outcome = derive(&deleted, &on(MAIN), Rules::from(&git()), &nobody()).unwrap();
    assert!(matches!(outcome, Outcome::NothingToDo(_)), "{outcome:?}");
}

#[test]
fn what_is_said_when_nobody_knows_what_is_checked_out() {
    for (checkout, message, hint) in [
        (CheckoutFacts::none(commit('1'), None), "nothing is checked out", "check the code out first"),
        (head(Err(NoHead::NoCommit)), "has no commit yet", "check the code out first"),
        (
            head(Err(NoHead::Unreadable("it is a pipe".into()))),
            "cannot be read: it is a pipe",
            "check the code out",
        ),
        (
            at(""),
            "commit 4444444444444444444444444444444444444444 is checked out by its id",
            "`fetch-depth: 0`",
        ),
    ] {
        let context = context(push(), "refs/heads/dev");
        let error = derived(&context, &checkout, &git(), &nobody()).unwrap_err();
        assert!(
            error.to_string().starts_with("`metadata_context: git` takes tags and labels from"),
            "{error}"
        );
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{error}");
        assert_eq!(head_to_confirm(&context, &checkout, &git()), None);
        // Nobody asked for it.
        assert!(derived(&context, &checkout, &config(), &nobody()).is_ok());
    }
}

#[test]
fn a_context_that_is_fetched_is_what_is_spoken_of() {
    let url = "https://github.com/acme/shop.git#5555555555555555555555555555555555555555";
    let fetched = Config { context: ContextSource::Remote(url.into()), ..git() };
    let context = context(push(), MAIN);
    for checkout in [on("refs/heads/dev"), CheckoutFacts::none(commit('1'), None)] {
        let metadata = derived(&context, &checkout, &fetched, &nobody()).unwrap();
        assert_eq!((tags(&metadata).as_str(), metadata.revision), ("5555555-main", commit('5')));
        assert!(
            metadata.warnings[0].starts_with("`metadata_context: git` has no effect"),
            "{:?}",
            metadata.warnings
        );
    }
    assert_eq!(refs_to_read(&context, &fetched), None);
    assert_eq!(refs_to_read(&context, &config()), None);
    let branches =
        |event, git_ref| refs_to_read(&super::super::fixture::context(event, git_ref), &git()).unwrap();
    assert_eq!(branches(push(), MAIN), ["main"]);
    assert_eq!(branches(push(), "refs/heads/dev"), ["dev", "main"]);
    assert_eq!(branches(push(), "refs/tags/v1"), ["main"]);
    assert_eq!(branches(workflow_run("push", "dev", "acme/shop", None), MAIN), ["dev", "main"]);
}

#[test]
fn the_rest_goes_by_it_too() {
    let describe =
        |checkout: CheckoutFacts, said: &str| CheckoutFacts { describe: Ok(said.into()), ..checkout };
    let auto = Config { version: Some(VersionInput::Auto), ..git() };
    let context = context(push(), MAIN);
    for (config, checkout, expected, version, occasion) in [
        (
            git(),
            at("tag:v1.2.3"),
            "4444444-v1.2.3 v1.2.3",
            Some("1.2.3"),
            "; checked out is Git tag `v1.2.3`",
        ),
        (git(), on(MAIN), "4444444-main main latest", None, ""),
        (git(), at("pull:7/head"), "4444444-pr-7 pr-7", None, "; checked out is pull request #7"),
        (
            auto.clone(),
            describe(at("tag:v1.2.3"), "other"),
            "4444444-v1.2.3 v1.2.3",
            Some("1.2.3"),
            "; checked out is Git tag `v1.2.3`",
        ),
        (
            auto,
            describe(on("refs/heads/dev"), "v1.2.3-4-gabcdef0"),
            "4444444-dev v1.2.3-4-gabcdef0 dev",
            Some("v1.2.3-4-gabcdef0"),
            "; checked out is branch `dev`",
        ),
    ] {
        let metadata = derived(&context, &checkout, &config, &nobody()).unwrap();
        assert_eq!((tags(&metadata).as_str(), metadata.version.as_deref()), (expected, version));
        assert_eq!(metadata.occasion, format!("push to branch `main`{occasion}"));
        assert_eq!(metadata.created, Some(1_763_717_445));
    }
    let untagged = CheckoutFacts { describe: Err(DescribeError::Shallow), ..on(MAIN) };
    let auto = Config { version: Some(VersionInput::Auto), ..git() };
    let error = derived(&context, &untagged, &auto, &nobody()).unwrap_err();
    assert_eq!(error, StrategyError::Describe(DescribeError::Shallow));
}

/// What was thrown away was another ref's.
#[test]
fn a_force_push_is_the_events() {
    let context = RunnerContext { forced: true, ..context(push(), MAIN) };
    let forced = |checkout: &CheckoutFacts, config: &Config| {
        derived(&context, checkout, config, &nobody()).unwrap().forced
    };
    let own = CheckoutFacts { head: Some(commit('1')), ..on(MAIN) };
    assert!(forced(&own, &config()) && forced(&own, &git()));
    for other in [on(MAIN), on("refs/heads/dev"), at("tag:v1.2.3")] {
        assert!(forced(&other, &config()) && !forced(&other, &git()), "{:?}", other.head_refs);
    }
}
