use super::*;
use crate::inputs::config::{Config, Mode, PlatformTagName, Push, VersionInput};
use crate::metadata::fixture::*;
use crate::metadata::{CheckoutFacts, GithubFacts, GivenImage, Metadata, Outcome, Rules, derive};
use crate::plan::check::violations;
use crate::plan::facts::{BuilderFacts, DockerfileText, Facts};
use crate::plan::publish::plan_publish;
use crate::plan::{PlanError, RunPlan, display, plan};

fn platform(text: &str) -> Platform {
    Platform::parse(text).unwrap()
}

fn from() -> ImageName {
    ImageName::parse_whole("ghcr.io/acme/shop/api:staged").unwrap()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn work(commit_source: Option<CommitSource>) -> GivenWork {
    let label = ("org.opencontainers.image.revision", "1".repeat(40));
    GivenWork {
        from: from(),
        named: Digest::of(b"index"),
        digest: Digest::of(b"index"),
        platform: None,
        platforms: vec![platform("linux/arm64"), platform("linux/amd64")],
        stamp: Stamp {
            commit: commit_source.map(|_| commit('1')),
            reference: Some("refs/heads/other".into()),
            ..Stamp::default()
        },
        commit_source,
        labels: map(&[(label.0, label.1.as_str())]),
        annotations: annotations(Some(&map(&[("a", "1")])), &[]),
        leaves_attestations: false,
    }
}

fn planned(config: &Config, work: Option<GivenWork>) -> Result<RunPlan, PlanError> {
    let context = context(push(), "refs/heads/main");
    let commit = work.as_ref().and_then(|work| work.stamp.commit.clone());
    let given = GivenImage { commit, other_source: None, on_branch: Ok(true) };
    let rules = Rules { given: Some(&given), ..config.into() };
    let checkout = CheckoutFacts::none(context.sha.clone(), None);
    let metadata = match derive(&context, &checkout, rules, &GithubFacts::default()).unwrap() {
        Outcome::Build(metadata) => *metadata,
        Outcome::NothingToDo(why) => panic!("{why}"),
    };
    plan(config, &context, &facts(config, metadata, work))
}

fn facts(config: &Config, metadata: Metadata, work: Option<GivenWork>) -> Facts {
    Facts {
        metadata,
        targets: config.targets.clone(),
        builders: BuilderFacts::default(),
        dockerfile: DockerfileText::Unknown("nothing is built".into()),
        context: None,
        cache_trouble: None,
        given: work.map(Box::new),
        deploy: Vec::new(),
        machine: None,
    }
}

fn asked() -> Config {
    Config { mode: Mode::Tag, from: Some(from()), platforms: Vec::new(), ..config() }
}

#[test]
fn as_a_person_reads_it() {
    let version = Some(VersionInput::Semver(semver::Version::new(1, 2, 3)));
    let plan = planned(&Config { version, ..asked() }, Some(work(Some(CommitSource::Stamp)))).unwrap();
    assert_eq!(display::title(&plan), "Tag ghcr.io/acme/shop/api");
    let digest = Digest::of(b"index");
    assert_eq!(
        display::render(&plan),
        format!(
            "\
repository  ghcr.io/acme/shop/api
started by  push to branch `main`
commit      1111111111111111111111111111111111111111, by the stamp of this action
version     1.2.3
from        ghcr.io/acme/shop/api:staged ({digest})
platforms   linux/arm64, linux/amd64
annotations 1 on the index
builder     none: the image is there already
push        yes: push to branch `main`
tags:
  1111111-main  this commit on branch `main`
  v1.2.3        `version` is 1.2.3
  main          branch `main`
  latest        branch `main` is `latest_branch`
labels:
  org.opencontainers.image.revision  1111111111111111111111111111111111111111
"
        )
    );
    let json: serde_json::Value = serde_json::from_str(&display::json(&plan)).unwrap();
    assert_eq!((&json["mode"], &json["revision"]), (&"tag".into(), &"1".repeat(40).into()));
    let expected = serde_json::json!({
        "reference": "ghcr.io/acme/shop/api:staged", "repository": "ghcr.io/acme/shop/api",
        "named": digest.as_str(), "digest": digest.as_str(), "commit_source": "stamp",
    });
    assert_eq!(json["from"], expected);
    assert!(!plan.looks_first(), "nothing is built");
    let publish = plan_publish(&plan, plan.targets.first(), digest).unwrap();
    assert_eq!(publish.stages.len(), 3);
    // The image's own word, for the run's ref.
    assert_eq!(publish.ours.stamp.commit, Some(commit('1')));
    assert_eq!(publish.ours.stamp.reference.as_deref(), Some("refs/heads/main"));
}

#[test]
fn one_platform_of_it() {
    let arm = platform("linux/arm64");
    let part = GivenWork {
        digest: Digest::of(b"arm64"),
        platform: Some(arm.clone()),
        platforms: vec![arm.clone()],
        leaves_attestations: true,
        ..work(Some(CommitSource::Label))
    };
    let plan = planned(&Config { platforms: vec![arm], ..asked() }, Some(part.clone())).unwrap();
    let text = display::render(&plan);
    let [index, one] = [Digest::of(b"index"), Digest::of(b"arm64")];
    let row = format!("from        ghcr.io/acme/shop/api:staged ({index}), of it linux/arm64 ({one})\n");
    assert!(text.contains(&row), "{text}");
    assert!(text.contains("by its label org.opencontainers.image.revision\n"), "{text}");
    assert!(text.contains("notice: the attestations of linux/arm64 are in the index"), "{text}");
    let broken = planned(&asked(), Some(part)).unwrap_err().to_string();
    assert!(broken.contains("a part is tagged that nobody asked for"), "{broken}");
}

#[test]
fn an_image_that_does_not_say_its_commit() {
    let plan = planned(&asked(), Some(work(None))).unwrap();
    let text = display::render(&plan);
    assert!(text.contains("commit      not known: the image does not say it\n"), "{text}");
    assert!(text.contains("tags:\n  main    branch `main`\n"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&display::json(&plan)).unwrap();
    assert_eq!((&json["revision"], &json["from"]["commit_source"]), (&().into(), &().into()));
}

#[test]
fn an_image_that_does_not_say_its_platforms() {
    let config = Config { platform_tags: vec![PlatformTagName::of("{{tag}}-{{arch}}")], ..asked() };
    let plan = planned(&config, Some(GivenWork { platforms: Vec::new(), ..work(None) })).unwrap();
    let text = display::render(&plan);
    assert!(text.contains("warning: `platform_tags` makes no tag: the image names no platform"), "{text}");
    assert!(!display::render(&planned(&config, Some(work(None))).unwrap()).contains("makes no tag"));
}

#[test]
fn what_the_checker_sees() {
    let good = planned(&asked(), Some(work(Some(CommitSource::Stamp)))).unwrap();
    assert_eq!(violations(&good, &asked()), Vec::<String>::new());
    let other = Config { from: ImageName::parse_whole("r.io/a:1").ok(), ..asked() };
    assert_eq!(violations(&good, &other), ["another image is tagged than the one that was asked for"]);
    let mut drifted = good;
    drifted.stamp.commit = Some(commit('2'));
    assert_eq!(violations(&drifted, &asked()), ["the order of images goes by another commit"]);
    assert_eq!(planned(&asked(), None), Err(PlanError::NoImage));
    let kept = planned(&Config { push: Push::No, ..asked() }, Some(work(None))).unwrap();
    assert!(!kept.push.pushes());
}

#[test]
fn which_image_is_meant() {
    let one = |name: &str, digest: &[u8]| (Platform::parse(name).ok(), Digest::of(digest));
    let images = [
        one("linux/amd64", b"1"),
        one("linux/arm64/v8", b"2"),
        one("windows/amd64", b"3"),
        one("windows/amd64", b"4"),
        (Some(Platform::from_fields("li\u{1b}nux", "x", "")), Digest::of(b"5")),
        one("", b"6"),
    ];
    for (wanted, expected) in [
        (None, Ok(None)),
        (Some("linux/amd64"), Ok(Some(0))),
        (Some("linux/arm64"), Ok(Some(1))),
        (
            Some("linux/arm/v7"),
            Err("it has no image for `linux/arm/v7`, but linux/amd64, linux/arm64, windows/amd64, windows/amd64, \
                 li\\u{1b}nux/x, one that does not say its platform"
                .to_owned()),
        ),
        (
            Some("windows/amd64"),
            Err(format!(
                "several of its images are for `windows/amd64`: {}, {}",
                Digest::of(b"3"),
                Digest::of(b"4")
            )),
        ),
    ] {
        let wanted = wanted.map(platform);
        assert_eq!(pick(&images, wanted.as_ref()).map_err(|why| why.to_string()), expected);
    }
}

#[test]
fn annotations_as_they_are_written() {
    let (index, one, two) = (map(&[("i", "1")]), map(&[("m", "1"), ("n", "2")]), map(&[("m", "2")]));
    let (arm, amd) = (Some(platform("linux/arm64")), Some(platform("linux/amd64")));
    let told = |index, manifests: &[_]| -> Vec<String> {
        let line = |one: &Annotation| {
            let platform = one.platform.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{:?} {platform} {}={}", one.level, one.key, one.value)
        };
        annotations(index, manifests).iter().map(line).collect()
    };
    assert_eq!(
        told(Some(&index), &[(arm.clone(), &one), (amd.clone(), &one)]),
        ["Index  i=1", "Manifest  m=1", "Manifest  n=2"]
    );
    assert_eq!(
        told(None, &[(arm, &one), (amd, &two)]),
        ["Manifest linux/arm64 m=1", "Manifest linux/arm64 n=2", "Manifest linux/amd64 m=2"]
    );
    assert_eq!(told(None, &[]), Vec::<String>::new());
}

#[test]
fn a_label_is_one_line() {
    let hostile = map(&[("a", "x\n::error::y\r"), ("b\n", "1"), ("c", "ok \u{1f680}")]);
    let expected = map(&[("a", "x\\n::error::y\\r"), ("b\\n", "1"), ("c", "ok \u{1f680}")]);
    assert_eq!(printable(&hostile), expected);
    assert_eq!(annotations(Some(&hostile), &[]).len(), 3);
    assert!(annotations(Some(&hostile), &[]).iter().all(|one| !one.value.contains('\n')));
}

#[test]
fn what_says_the_commit() {
    let id = "1".repeat(40);
    let stamp = Stamp { commit: Some(commit('1')), ..Stamp::default() };
    let (ours, theirs) = (map(&[(stamp::COMMIT, &id)]), map(&[(stamp::REVISION, &id)]));
    for (annotations, expected) in [
        (vec![&ours, &theirs], Some(CommitSource::Stamp)),
        (vec![&theirs], Some(CommitSource::Annotation)),
        (vec![], Some(CommitSource::Label)),
    ] {
        assert_eq!(CommitSource::of(&stamp, annotations), expected);
    }
    assert_eq!(CommitSource::of(&Stamp::default(), [&ours]), None);
}
