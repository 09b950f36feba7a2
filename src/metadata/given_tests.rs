//! The rows of the default strategy, and rules, for an image that is there already.

use super::*;
use crate::inputs::config::{Config, VersionInput};
use crate::metadata::fixture::*;
use crate::metadata::{GithubFacts, Metadata, Outcome, Rules, StrategyError, derive};
use crate::runner::context::Event;

fn image(digit: Option<char>) -> GivenImage {
    GivenImage { commit: digit.map(commit), other_source: None, on_branch: Ok(false) }
}

fn derived(
    context: &RunnerContext,
    config: &Config,
    given: &GivenImage,
    checkout: &CheckoutFacts,
) -> Result<Metadata, StrategyError> {
    let rules = Rules { given: Some(given), ..config.into() };
    let github = GithubFacts { on_branch: Ok(true), ..GithubFacts::default() };
    match derive(context, checkout, rules, &github)? {
        Outcome::Build(metadata) => Ok(*metadata),
        Outcome::NothingToDo(why) => panic!("{why}"),
    }
}

/// Without a checkout.
fn of(context: &RunnerContext, config: &Config, given: &GivenImage) -> Metadata {
    let checkout = CheckoutFacts::none(triggering_commit(context).clone(), None);
    derived(context, config, given, &checkout).unwrap()
}

#[test]
fn rows_of_the_strategy() {
    let pull = || Event::PullRequest(pull_request("acme/shop"));
    let [main, tag, merge] = ["refs/heads/main", "refs/tags/v1.2.3", "refs/pull/5/merge"];
    let on_branch = |digit: char| GivenImage { on_branch: Ok(true), ..image(Some(digit)) };
    let unknown = GivenImage { on_branch: Err("it said\nno".into()), ..image(Some('3')) };
    let foreign = GivenImage { other_source: Some("https://example.com/x\u{1b}".into()), ..image(Some('1')) };
    let unsaid = "there is no commit tag: the image does not say its commit";
    for (event, git_ref, given, version, expected, warning) in [
        // Another job of this run has made it.
        (push(), main, image(Some('1')), "", "1111111-main main latest", ""),
        (push(), main, image(Some('1')), "1.2.3", "1111111-main v1.2.3 main latest", ""),
        (push(), tag, image(Some('1')), "", "1111111-v1.2.3 v1.2.3", ""),
        (pull(), merge, image(Some('2')), "", "2222222-pr-5 pr-5", ""),
        // By its label, which names the merge.
        (pull(), merge, image(Some('1')), "", "2222222-pr-5 pr-5", ""),
        (workflow_run("push", "dev", "acme/shop", None), main, image(Some('2')), "", "2222222-dev dev", ""),
        // Another one of the branch: the order of images decides.
        (Event::WorkflowDispatch, main, on_branch('3'), "", "3333333-main main latest", ""),
        (Event::WorkflowDispatch, main, on_branch('3'), "1.2.3", "3333333-main v1.2.3 main latest", ""),
        // None of it.
        (
            Event::WorkflowDispatch,
            main,
            image(Some('3')),
            "",
            "3333333-main",
            "only the commit tag is written: the image is of commit 333",
        ),
        (
            Event::WorkflowDispatch,
            main,
            image(Some('3')),
            "1.2.3",
            "3333333-main v1.2.3",
            "nothing is called after branch `main`: the image is of commit 333",
        ),
        (push(), main, unknown, "", "3333333-main", "of this run is not known: it said no"),
        (push(), tag, on_branch('3'), "", "3333333-v1.2.3", "and the Git tag of this run is at 111"),
        (
            pull(),
            merge,
            image(Some('3')),
            "",
            "pr-5",
            "the image is of commit 3333333333333333333333333333333333333333, which is neither the head 222",
        ),
        // The default branch's, where a pull request is meant.
        (
            Event::PullRequestTarget(pull_request("acme/shop")),
            main,
            image(Some('1')),
            "",
            "pr-5",
            "which is neither the head 222",
        ),
        // It does not say.
        (push(), main, image(None), "", "main latest", unsaid),
        (push(), tag, image(None), "", "v1.2.3", unsaid),
        (pull(), merge, image(None), "", "pr-5", unsaid),
        (push(), main, foreign, "", "main latest", "the image was built from `https://example.com/x\\u{1b}`"),
    ] {
        let version = semver::Version::parse(version).ok().map(VersionInput::Semver);
        let metadata = of(&context(event, git_ref), &Config { version, ..config() }, &given);
        let case = format!("{git_ref} {given:?}: {:?}", metadata.warnings);
        assert_eq!(tags(&metadata), expected, "{case}");
        match warning {
            "" => assert_eq!(metadata.warnings, Vec::<String>::new(), "{case}"),
            part => {
                assert_eq!(metadata.warnings.len(), 1, "{case}");
                assert!(metadata.warnings[0].contains(part), "{case}");
            }
        }
        let head = matches!(metadata.subject, Subject::PullRequest(_)) && expected.starts_with('2');
        let named = if head { Some(commit('2')) } else { given.own_commit().cloned() };
        assert_eq!(metadata.named, named, "{case}");
    }
}

#[test]
fn a_force_push_is_the_events_own_commits() {
    let forced = RunnerContext { forced: true, ..context(push(), "refs/heads/main") };
    for (digit, expected) in [(Some('1'), true), (Some('3'), false), (None, false)] {
        let given = GivenImage { on_branch: Ok(true), ..image(digit) };
        assert_eq!(of(&forced, &config(), &given).forced, expected, "{digit:?}");
    }
}

#[test]
fn rules_name_the_images_commit() {
    let text = "type=sha\ntype=ref,event=branch\ntype=raw,value=x-{{sha}}\ntype=semver,pattern={{version}},value=1.2.3\n\
                ghcr.io/acme/shop/api:edge";
    let config = Config { tags: Some(crate::rules::parse(text, "latest=false").unwrap()), ..config() };
    let main = context(Event::WorkflowDispatch, "refs/heads/main");
    for (given, expected, nothing) in [
        (image(Some('1')), "1.2.3 main x-1111111 sha-1111111 edge", None),
        (image(Some('3')), "1.2.3 x-3333333 sha-3333333 edge", Some((2, "which is not on the branch"))),
        (image(None), "1.2.3 main x- edge", Some((1, "the image does not say its commit"))),
    ] {
        let metadata = of(&main, &config, &given);
        assert_eq!(tags(&metadata), expected, "{given:?}");
        let found = metadata.no_tag.first().map(|one| (one.place.line, one.why.as_str()));
        match nothing {
            None => assert_eq!(found, None),
            Some((line, why)) => {
                assert!(found.is_some_and(|one| one.0 == line && one.1.contains(why)), "{found:?}");
            }
        }
    }
}

#[test]
fn a_description_is_that_of_the_images_commit() {
    let config = Config { version: Some(VersionInput::Auto), ..config() };
    let main = context(push(), "refs/heads/main");
    let here = CheckoutFacts { describe: Ok("v1.0.0-3-gabc".into()), ..checkout(commit('3')) };
    let given = |digit| GivenImage { on_branch: Ok(true), ..image(Some(digit)) };
    let metadata = derived(&main, &config, &given('3'), &here).unwrap();
    assert_eq!(tags(&metadata), "3333333-main v1.0.0-3-gabc main latest");
    for (given, checkout, expected) in [
        (given('1'), here, DescribeError::OfImage),
        (given('1'), CheckoutFacts::none(commit('1'), None), DescribeError::NoRepository),
    ] {
        assert_eq!(derived(&main, &config, &given, &checkout), Err(StrategyError::Describe(expected)));
    }
}

#[test]
fn what_is_looked_up() {
    let main = context(push(), "refs/heads/main");
    let source =
        |url: &str| Stamp { source: Some(url.into()), commit: Some(commit('3')), ..Stamp::default() };
    for (url, own) in [
        ("https://github.com/acme/shop", true),
        ("https://github.com/Acme/Shop.git", true),
        ("https://github.com/acme/shop/", true),
        ("https://github.com/acme/other", false),
        ("git@github.com:acme/shop.git", false),
    ] {
        let given = GivenImage::of(&source(url), &main);
        assert_eq!(given.own_commit().is_some(), own, "{url}");
        let asked = given.to_look_up(&main).map(|(branch, commit)| (branch, commit.clone()));
        assert_eq!(asked, own.then(|| ("main".to_owned(), commit('3'))), "{url}");
    }
    let mut nowhere = main.clone();
    nowhere.repository.html_url.clear();
    assert!(GivenImage::of(&source("https://x/y"), &nowhere).own_commit().is_some(), "nobody can tell");
    assert_eq!(image(Some('1')).to_look_up(&main), None, "it is the event's");
    assert_eq!(image(None).to_look_up(&main), None);
    assert_eq!(image(Some('3')).to_look_up(&context(push(), "refs/tags/v1")), None);
}
