//! Every tag that a plan ever puts is one by the registries' grammar: by rules, by references and by the default strategy,
//! whatever the event, the refs and what is in the registry already.

use proptest::prelude::*;

use super::order::{Answer, Putting, Question, Reply, Step, Steps};
use super::plan;
use super::publish::{PublishPlan, plan_publish};
use super::tests::{daemon, facts};
use crate::inputs::config::{Config, MetadataEnv, Push, TagOptions, VersionInput};
use crate::metadata::fixture::{checkout, commit, config, context, events, refs};
use crate::metadata::rules::property_tests::{rules, text};
use crate::metadata::{Ancestry, CheckoutFacts, DescribeError, GithubFacts, Outcome, Rules, derive};
use crate::model::{Digest, History, Relation, Stamp, Stamped, Tag, Targets};
use crate::rules::parse;

/// The distribution specification's grammar of a tag, written down once more.
fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut characters = text.chars();
    characters.next().is_some_and(word)
        && characters.all(|c| word(c) || c == '.' || c == '-')
        && text.len() <= 128
}

/// All tags that are put when this is carried out, with something else under each tag that is read, by turns.
fn put_by(publish: PublishPlan, mut seed: u64) -> Vec<Tag> {
    let mut steps = Steps::new(publish);
    let mut put = Vec::new();
    for _ in 0..500 {
        let reply = match steps.next() {
            Step::Done | Step::Fail(_) => return put,
            Step::Read(tags) => Reply::Read(
                tags.into_iter()
                    .map(|tag| {
                        assert!(is_tag(tag.as_str()), "{tag}");
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let digit = ['1', '2', '3', '4'][usize::try_from(seed >> 62).unwrap()];
                        let version = (seed >> 40).is_multiple_of(2).then(|| "0.1.0".to_owned());
                        let stamp = Stamp { commit: Some(commit(digit)), version, ..Stamp::default() };
                        let digest = Digest::of(&seed.to_be_bytes());
                        (!(seed >> 50).is_multiple_of(3)).then_some(Stamped { digest, stamp })
                    })
                    .collect(),
            ),
            Step::Put(puts) => {
                let done = vec![Putting::Done; puts.len()];
                put.extend(puts.into_iter().map(|(tag, _)| tag));
                Reply::Put(done)
            }
            Step::Ask(Question::Relate(..)) => Reply::Answer(Answer::Related(Relation::Ahead)),
            Step::Ask(Question::History) => {
                let commits = vec![(commit('4'), vec![commit('1')]), (commit('1'), vec![])];
                Reply::Answer(Answer::History(Ok(History { tip: Some(commit('4')), commits })))
            }
            Step::Ask(_) => Reply::Answer(Answer::Fact(Some(false))),
        };
        steps.answer(reply);
    }
    panic!("it does not end: {:?}", steps.next());
}

fn versions() -> impl Strategy<Value = Option<VersionInput>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(VersionInput::Auto)),
        1 => "[0-9]\\.[0-9]{1,40}\\.[0-9](-[a-z0-9.]{0,130}[a-z])?(\\+[a-z0-9.]{0,130}[a-z])?"
            .prop_map(|text| semver::Version::parse(&text).ok().map(VersionInput::Semver)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn every_tag_that_is_put_is_one(
        (event, git_ref) in (events(), refs()),
        tags in prop::option::of(prop_oneof![4 => rules(), 1 => text()]),
        flavor in prop::sample::select(vec!["", "latest=true", "suffix=-x,onlatest=true", "prefix={{branch}},onlatest=true"]),
        version in versions(),
        (sha_length, short_sha_length, pr_head_sha) in (1_usize..=40, 1_usize..=60, any::<bool>()),
        described in prop::option::of("\\PC{0,150}"),
        head in prop::sample::select(vec!['1', '2', '3']),
        seed in any::<u64>(),
    ) {
        let context = context(event, &git_ref);
        let Ok(rules) = tags.map(|tags| parse(&tags, flavor)).transpose() else { return Ok(()) };
        let named = rules.iter().flat_map(|rules| rules.repositories()).cloned().collect::<Vec<_>>();
        let config = Config {
            push: Push::Yes,
            targets: Targets::of(named).unwrap_or(config().targets),
            tags: rules,
            version,
            sha_length,
            tag_options: TagOptions { sha_length, ..TagOptions::default() },
            metadata_env: MetadataEnv { pr_head_sha, short_sha_length },
            ..config()
        };
        let checkout = CheckoutFacts {
            describe: described.ok_or(DescribeError::NotAsked),
            ancestry: if head == '1' { Ancestry::Same } else { Ancestry::Unknown("shallow".into()) },
            compared_with: commit('1'),
            ..checkout(commit(head))
        };
        let github = GithubFacts { on_branch: Ok(true), ..GithubFacts::default() };
        let Ok(Outcome::Build(metadata)) = derive(&context, &checkout, Rules::from(&config), &github) else {
            return Ok(());
        };
        let Ok(plan) = plan(&config, &context, &facts(daemon(), &config, *metadata)) else { return Ok(()) };
        for target in plan.targets.iter() {
            let Some(publish) = plan_publish(&plan, target, Digest::of(b"ours")) else { continue };
            let planned: Vec<&str> = plan.tags.iter().map(|tag| tag.tag.as_str()).collect();
            for tag in put_by(publish, seed) {
                prop_assert!(is_tag(tag.as_str()), "{tag}");
                prop_assert!(planned.contains(&tag.as_str()), "{tag} is not planned");
            }
        }
    }
}

#[test]
fn the_grammar() {
    for text in ["a", "_", "A.b-c_9", &"a".repeat(128)] {
        assert!(is_tag(text) && Tag::parse(text).is_ok(), "{text}");
    }
    for text in ["", "-a", ".a", "a/b", "a:b", "é", "a ", &"a".repeat(129)] {
        assert!(!is_tag(text) && Tag::parse(text).is_err(), "{text}");
    }
}
