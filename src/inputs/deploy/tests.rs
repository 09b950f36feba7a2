//! Entries as people write them, and every fault that they can have.

use super::*;
use crate::kustomize::FileKind;

fn read_all(text: &str) -> (Vec<Environment>, Vec<String>) {
    let mut findings = Findings::default();
    let environments = environments(text, &mut findings);
    (environments, findings.faults.iter().map(ToString::to_string).collect())
}

fn files(environment: &Environment) -> &FileChange {
    match &environment.means {
        Means::Files(change) => change,
        Means::Dispatch { .. } => panic!("an event"),
    }
}

#[test]
fn the_example_of_the_readme() {
    let (environments, faults) = read_all(
        "- repository: acme/infra-acceptance
  path: apps/shop/kustomization.yaml
  image: laravel-app-nginx
  when: [branch, version]
- repository: acme/infra-production
  path: [apps/shop, apps/jobs/]
  image: laravel-app-nginx
  branch: main
  title: 'Deploy {{tag}}'
  labels: deploy, shop
  reviewers: [octocat]
  auto_merge: squash
",
    );
    assert_eq!(faults, Vec::<String>::new());
    let [acceptance, production] = environments.as_slice() else { panic!("{environments:?}") };
    assert_eq!(
        acceptance.to_string(),
        "acme/infra-acceptance apps/shop/kustomization.yaml (laravel-app-nginx)"
    );
    assert_eq!(acceptance.when, [DeployWhen::Branch, DeployWhen::Version]);
    assert_eq!(files(acceptance).pull_request, Some(PullRequestOptions::default()));
    let change = files(production);
    assert_eq!(
        (change.paths.as_slice(), change.branch.as_deref()),
        (["apps/shop".into(), "apps/jobs".into()].as_slice(), Some("main"))
    );
    assert_eq!(change.kind, FileKind::Kustomization { image: "laravel-app-nginx".into() });
    assert_eq!(production.when, [DeployWhen::Version]);
    let expected = PullRequestOptions {
        labels: vec!["deploy".into(), "shop".into()],
        reviewers: vec!["octocat".into()],
        auto_merge: Some(MergeMethod::Squash),
        ..PullRequestOptions::default()
    };
    assert_eq!(change.pull_request.as_ref(), Some(&expected));
}

#[test]
fn every_kind_of_entry() {
    let (environments, faults) = read_all(
        "- { repository: a/b, path: deploy.yaml, kind: manifest, direct_commit: true }
- { repository: a/b, path: values.yaml, kind: values }
- { repository: a/b, path: values.yaml, kind: values, keys: { tag: web.tag, digest: web.digest } }
- { repository: a/c, kind: dispatch }
- { repository: a/c, kind: dispatch, event_type: new image, when: always }
-
- ''
",
    );
    assert_eq!(faults, Vec::<String>::new());
    let names: Vec<String> = environments.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "a/b deploy.yaml",
            "a/b values.yaml (image.tag)",
            "a/b values.yaml (web.tag)",
            "a/c event deploy",
            "a/c event new image"
        ]
    );
    assert_eq!(files(&environments[0]).pull_request, None);
    assert_eq!(read_all("").0, []);
    assert_eq!(read_all("# nothing\n").0, []);
}

#[test]
fn faults_name_line_and_entry_and_all_are_told() {
    for (text, expected) in [
        ("a: b", "input `deploy`: not a list (write a list"),
        ("- a: [", "input `deploy`: cannot be read as YAML: "),
        ("- word", "input `deploy`: line 1: entry 1: not `key: value` lines"),
        ("- path: x\n  image: y", "input `deploy`: line 1: entry 1: `repository` is missing (for example"),
        (
            "- repository: https://github.com/a/b\n  path: x\n  image: y",
            "input `deploy`: line 1: entry 1: `https://github.com/a/b` is not a repository on GitHub (for example `acme/infra`) (write `owner/name`",
        ),
        (
            "- repository: a/b\n  path: x\n  imagee: y\n  image: y",
            "input `deploy`: line 3: entry 1 (`a/b`): no key `imagee` (did you mean `image`?)",
        ),
        (
            "- repository: a/b\n  path: x\n  base: y\n  image: y",
            "line 3: entry 1 (`a/b`): no key `base` (did you mean `branch`?)",
        ),
        (
            "- repository: a/b\n  path: x\n  image: y\n  zzzzzz: y",
            "no key `zzzzzz` (the keys are repository, when, kind",
        ),
        ("- repository: a/b\n  image: y", "line 1: entry 1 (`a/b`): `path` is missing"),
        ("- repository: a/b\n  path: x", "`image` is missing (the `name:`"),
        (
            "- repository: a/b\n  path: ../x\n  image: y",
            "line 2: entry 1 (`a/b`): `../x` is not a path in the repository",
        ),
        ("- repository: a/b\n  path: /x\n  image: y", "`/x` is not a path in the repository"),
        ("- repository: a/b\n  path: x\n  image: 'a b'", "`a b` is not a name of an image"),
        (
            "- repository: a/b\n  path: x\n  image: y\n  when: tag",
            "line 4: entry 1 (`a/b`): `when` has `tag`",
        ),
        (
            "- repository: a/b\n  path: x\n  kind: helm",
            "`kind` is `helm` (write one of `kustomize`, `manifest`, `values`, `dispatch`)",
        ),
        (
            "- repository: a/b\n  path: x\n  kind: manifest\n  image: y",
            "line 4: entry 1 (`a/b`): `image` is for `kind: kustomize`, and this is `manifest`",
        ),
        (
            "- repository: a/b\n  kind: dispatch\n  path: y",
            "`path` is for files, and `kind: dispatch` changes none",
        ),
        (
            "- repository: a/b\n  path: x\n  image: y\n  title: '{{tga}}'",
            "`title` has `{{tga}}` (it can have `{{image}}`",
        ),
        ("- repository: a/b\n  path: x\n  image: y\n  title: \"a\\nb\"", "`title` has more than one line"),
        ("- repository: a/b\n  path: x\n  image: y\n  branch: refs/heads/main", "is a whole ref"),
        ("- repository: a/b\n  path: x\n  image: y\n  branch: 'a b'", "`a b` is not a name of a branch"),
        ("- repository: a/b\n  path: x\n  image: y\n  draft: maybe", "`draft` is not a boolean"),
        (
            "- repository: a/b\n  path: x\n  image: y\n  draft: true\n  auto_merge: true",
            "a draft is not merged by itself",
        ),
        (
            "- repository: a/b\n  path: x\n  image: y\n  auto_merge: now",
            "`auto_merge` is `now` (write one of `merge`, `squash`, `rebase`)",
        ),
        (
            "- repository: a/b\n  path: x\n  image: y\n  direct_commit: true\n  labels: [x]",
            "line 5: entry 1 (`a/b`): `labels` is for a pull request",
        ),
        (
            "- repository: a/b\n  path: x\n  image: y\n  reviewers: '@octocat'",
            "`@octocat` in `reviewers` is not a name on GitHub",
        ),
        ("- repository: a/b\n  path: x\n  kind: values\n  keys: { name: x }", "`keys` has `name`"),
        (
            "- repository: a/b\n  path: x\n  kind: values\n  keys: { tag: 'x..y' }",
            "`x..y` is not a path of keys",
        ),
        ("- repository: a/b\n  path: x\n  image: 7", "`image` is not text (put its value in quotes)"),
        (
            "- repository: a/b\n  path: x\n  image: y\n- repository: A/B\n  path: x\n  image: y",
            "line 5: entry 2 (`A/B`): it says where the image is set as entry 1 does",
        ),
    ] {
        let (_, faults) = read_all(text);
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{text}\n{faults:#?}");
    }
    let (environments, faults) =
        read_all("- repository: a\n  path: /\n  imag: x\n- repository: c/d\n  path: x\n  image: y");
    assert_eq!((environments.len(), faults.len()), (1, 4), "{faults:#?}");
}

#[test]
fn hostile_text_is_shown_and_bounded() {
    let long = "x".repeat(100_000);
    for text in [
        format!("- repository: \"a\\u001b[2J\\n::error::{long}\"\n  path: x\n  image: y"),
        format!("- \"::error::\\u202e{long}\": 1\n"),
    ] {
        let (_, faults) = read_all(&text);
        assert!(!faults.is_empty());
        for fault in faults {
            assert!(
                !fault.contains(char::is_control) && !fault.contains('\u{202e}') && fault.len() < 2000,
                "{fault}"
            );
        }
    }
}
