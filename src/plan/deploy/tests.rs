//! Which runs deploy where, and what is said of it.

use super::standing::commit_in;
use super::text::{Links, Told};
use super::*;
use crate::inputs::config::{DeployInputs, MergeMethod, Push, Template, VersionInput};
use crate::kustomize::{FileKind, WrittenImage};
use crate::metadata::fixture::{built, config, context, pull_request, push, workflow_run};
use crate::model::GithubRepository;
use crate::plan::tests::{daemon, facts};
use crate::plan::{display, plan};
use crate::runner::context::Event;

pub(super) fn digest(tag: &str) -> Digest {
    Digest::of(tag.as_bytes())
}

pub(super) fn image(tag: &str) -> DeployedImage {
    DeployedImage {
        repository: Repository::parse("ghcr.io/acme/shop/api").unwrap(),
        tag: Tag::parse(tag).unwrap(),
        commit: commit_in(tag),
    }
}

pub(super) fn place() -> DeployPlace {
    DeployPlace {
        base: "main".into(),
        files: vec!["apps/shop/kustomization.yaml".into()],
        branch: "docker-push-action/api-apps-shop".into(),
    }
}

fn environment(number: usize, when: &[DeployWhen], direct: bool) -> Environment {
    let options =
        PullRequestOptions { auto_merge: Some(MergeMethod::Squash), ..PullRequestOptions::default() };
    Environment {
        number,
        repository: GithubRepository::parse("acme/infra").unwrap(),
        when: when.to_vec(),
        means: Means::Files(Box::new(FileChange {
            kind: FileKind::Kustomization { image: "api".into() },
            paths: vec!["apps/shop".into()],
            branch: None,
            title: None,
            body: None,
            pull_request: (!direct).then_some(options),
        })),
    }
}

pub(super) fn work(direct: bool) -> DeployWork {
    DeployWork { environment: environment(1, &[DeployWhen::Version], direct), place: Some(place()) }
}

pub(super) fn plan_of(work: &DeployWork) -> DeployPlan {
    let (image, work) = (Some(image("v1.1.0")), vec![work.clone()]);
    DeployPlan { image, work, skipped: Vec::new(), hold_back: true }
}

pub(super) fn run_context() -> RunnerContext {
    let mut context = context(push(), "refs/heads/main");
    context.run.url = "https://github.com/acme/shop/actions/runs/7/attempts/1".into();
    context
}

/// Two environments: one for versions, one for the branch; and one for all.
fn three() -> DeployInputs {
    let environments = [DeployWhen::Version, DeployWhen::Branch, DeployWhen::Always];
    let environments = environments.iter().zip(1..).map(|(when, number)| {
        let mut one = environment(number, &[*when], false);
        if let Means::Files(change) = &mut one.means {
            change.paths = vec![format!("apps/{}", when.name())];
        }
        one
    });
    DeployInputs { environments: environments.collect(), app_without_key: false }
}

/// The environments that a run deploys to, and the tag; else why not.
fn deployed(event: Event, git_ref: &str, change: impl Fn(&mut Config)) -> String {
    let mut config = Config { deploy: three(), sha_length: 7, ..config() };
    change(&mut config);
    let context = context(event, git_ref);
    let metadata = built(&context, &config).unwrap();
    let (due, skipped) = due(&config, &context, &metadata, &config.targets);
    let names: Vec<&str> = due.iter().map(|one| one.when[0].name()).collect();
    match tag(&metadata, &config.targets) {
        Some(tag) if !due.is_empty() => format!("{} {}", names.join(","), tag.tag),
        _ => skipped[0].reason.clone(),
    }
}

#[test]
fn which_runs_deploy_where() {
    let nothing = |_: &mut Config| {};
    let version = |config: &mut Config| {
        config.version = Some(VersionInput::Semver(semver::Version::new(1, 2, 3)));
    };
    let own = || Event::PullRequest(pull_request("acme/shop"));
    let release =
        || Event::Release { action: "published".into(), tag: "v2.0.0".into(), target: String::new() };
    assert_eq!(deployed(push(), "refs/heads/main", nothing), "branch,always 1111111-main");
    assert_eq!(deployed(push(), "refs/heads/feature", nothing), "always 1111111-feature");
    assert_eq!(deployed(push(), "refs/tags/v1.0.0", nothing), "version,always v1.0.0");
    assert_eq!(deployed(push(), "refs/tags/nightly", nothing), "version,always 1111111-nightly");
    assert_eq!(deployed(release(), "refs/tags/v2.0.0", nothing), "version,always v2.0.0");
    assert_eq!(deployed(push(), "refs/heads/main", version), "version,branch,always v1.2.3");
    assert_eq!(deployed(Event::Schedule, "refs/heads/main", nothing), "branch,always 1111111-main");
    assert_eq!(deployed(own(), "refs/pull/5/merge", nothing), "an image of a pull request is never deployed");
    let target = Event::PullRequestTarget(pull_request("acme/shop"));
    let pushes = |config: &mut Config| config.push = Push::Yes;
    assert_eq!(deployed(target, "refs/heads/main", pushes), "an image of a pull request is never deployed");
    let after = || workflow_run("pull_request", "x", "acme/shop", None);
    let why = "an image of a pull request is never deployed";
    assert_eq!(deployed(after(), "refs/heads/main", pushes), why);
    let quiet = |config: &mut Config| config.push = Push::No;
    assert_eq!(deployed(push(), "refs/heads/main", quiet), "nothing is pushed: `push` is false");
    let leg = |config: &mut Config| config.mode = Mode::Leg;
    assert!(deployed(push(), "refs/heads/main", leg).starts_with("this is one leg"));
    let mut dependabot = context(push(), "refs/heads/main");
    dependabot.actor = "dependabot[bot]".into();
    let config = Config { deploy: three(), ..config() };
    let metadata = built(&dependabot, &config).unwrap();
    let (due, skipped) = due(&config, &dependabot, &metadata, &config.targets);
    assert_eq!((due.len(), skipped[0].reason.as_str()), (0, "a run of Dependabot never deploys"));
}

#[test]
fn the_plan_shows_and_holds_it() {
    let config = Config { deploy: three(), sha_length: 40, ..config() };
    let context = context(push(), "refs/heads/main");
    let found = |number: usize, name: &str| EnvironmentFacts {
        number,
        base: "main".into(),
        files: vec![format!("apps/{name}/kustomization.yaml")],
        warnings: vec![format!("a word on {name}")],
    };
    let mut facts = facts(daemon(), &config, built(&context, &config).unwrap());
    facts.deploy = vec![found(2, "branch"), found(3, "always")];
    let plan = plan(&config, &context, &facts).unwrap();
    let text = display::render(&plan);
    let expected = "deploy:
  acme/infra apps/branch (api)   `1111111111111111111111111111111111111111-main`: apps/branch/kustomization.yaml on main, by a pull request from docker-push-action/api-apps-branch-";
    assert!(text.contains(expected), "{text}");
    assert!(
        text.contains(
            "  acme/infra apps/version (api)  not now: it waits for a Git tag, a release or a `version`\n"
        ),
        "{text}"
    );
    assert!(text.contains("warning: a word on branch\n"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&display::json(&plan)).unwrap();
    assert_eq!(json["deploy"][0]["files"], serde_json::json!(["apps/branch/kustomization.yaml"]));
    assert_eq!(json["not_deployed"][0]["environment"], "acme/infra apps/version (api)");
    let foretold = display::foretell(&plan, None, &["a pull request would be opened".into()]);
    assert!(foretold.contains("; a pull request would be opened\n"), "{foretold}");
    // Who was not looked at is neither deployed to nor left out.
    facts.deploy.pop();
    assert!(plan_err(&config, &context, &facts).contains("neither deployed to nor left out"));
}

fn plan_err(config: &Config, context: &RunnerContext, facts: &crate::plan::facts::Facts) -> String {
    plan(config, context, facts).unwrap_err().to_string()
}

fn told<'a>(
    work: &'a DeployWork,
    image: &'a NewImage,
    from: Option<&'a WrittenImage>,
    links: &'a Links,
    commit: Option<&'a CommitId>,
) -> Told<'a> {
    Told { work, image, commit, from, from_commit: None, links, undecided: None }
}

#[test]
fn what_a_pull_request_says() {
    let (work, new) = (work(false), image("v1.2.4").at(Some(Digest::of(b""))));
    let from = WrittenImage { repository: None, tag: Some("v1.2.3".into()), digest: None };
    let links = Links { source: "https://github.com/acme/shop".into(), run: "https://github.com/run".into() };
    let [old, commit] = ["1", "2"].map(|digit| CommitId::parse(&digit.repeat(40)).unwrap());
    let told = Told { from_commit: Some(&old), ..told(&work, &new, Some(&from), &links, Some(&commit)) };
    let Message { title, body } = told.proposal();
    assert_eq!(title, "Deploy api v1.2.4 to apps/shop");
    assert_eq!(
        body,
        format!(
            "Sets the image `api` in `apps/shop/kustomization.yaml`.

| | |
| --- | --- |
| From | `v1.2.3` |
| To | `v1.2.4` |
| Image | `ghcr.io/acme/shop/api:v1.2.4@{}` |
| Commits | [`111111111111...222222222222`](https://github.com/acme/shop/compare/{old}...{commit}) |
| Run | [published by this run](https://github.com/run) |

The branch is made anew for each newer image: what others commit to it is lost then.
",
            Digest::of(b"")
        )
    );
    let Message { title, body } = told.commit();
    assert_eq!(title, "Deploy api v1.2.4 to apps/shop");
    assert!(body.contains(&format!("Source: https://github.com/acme/shop/commit/{commit}\n")), "{body}");
    let undecided = Told { undecided: Some("@octocat says <b>"), ..told };
    let body = undecided.proposal().body;
    assert!(
        body.contains("**Look before you merge:**") && !body.contains("@octocat") && !body.contains("<b>"),
        "{body}"
    );
}

#[test]
fn templates_and_hostile_files() {
    let hostile = "v1 |\n::error::x ![x](y) @octocat `\u{202e}";
    let from = WrittenImage { repository: None, tag: Some(hostile.into()), digest: None };
    let links = Links { source: "https://github.com/acme/shop".into(), run: "https://github.com/run".into() };
    let (mut work, new) = (work(false), image("v1.2.4").at(None));
    let plain = told(&work, &new, Some(&from), &links, None).proposal();
    assert!(!plain.body.contains("\n::error") && !plain.body.contains("@octocat"), "{}", plain.body);
    assert!(!plain.body.contains('\u{202e}'));
    if let Means::Files(change) = &mut work.environment.means {
        change.title = template("{{image}}: {{from}} → {{tag}}");
        change.body = template("Hello @team\n\n{{default}}\n{{repository}} {{digest}} {{commit}} {{run}}");
    }
    let Message { title, body } = told(&work, &new, Some(&from), &links, None).proposal();
    assert_eq!(title, "api: nothing → v1.2.4", "what is not a tag is not taken into a title");
    assert!(body.starts_with("Hello @team\n\nSets the image `api`"), "{body}");
    assert!(body.ends_with("\nghcr.io/acme/shop/api   https://github.com/run"), "{body}");
}

fn template(text: &str) -> Option<Template> {
    Template::parse(text).ok()
}
