//! The summary as a person finds it in the page's source, and hostile names in each of its places.

use std::time::Duration;

use super::command::{Annotation, Level};
use super::summary::{Failure, Outcome, Phase, PlatformRow, StepRow, SummaryInput, VerifiedRow, render};
use crate::model::{Digest, Platform};

fn step(number: usize, name: &str, start: u64, time: u64) -> StepRow {
    let (start, time) = (Duration::from_millis(start), Duration::from_millis(time));
    StepRow { number, name: name.into(), start, time, cached: time.is_zero(), failed: false }
}

fn empty(outcome: Outcome) -> SummaryInput {
    SummaryInput {
        archive: None,
        environments: Vec::new(),
        outcome,
        repositories: Vec::new(),
        references: Vec::new(),
        tags: vec![],
        held_back: vec![],
        verified: vec![],
        platforms: vec![],
        phases: vec![],
        retries: vec![],
        cache: vec![],
        steps: vec![],
        findings: vec![],
        hidden_findings: 0,
        failure: None,
    }
}

fn pushed() -> SummaryInput {
    let digest = Digest::of(b"index");
    SummaryInput {
        repositories: vec!["ghcr.io/acme/shop/api".into()],
        references: vec![format!("ghcr.io/acme/shop/api@{digest}")],
        tags: vec![
            ("0a1b2c3-main".into(), "commit on branch `main`".into()),
            ("latest".into(), "`main` is latest_branch".into()),
        ],
        held_back: vec![("main".into(), "a newer commit has it".into())],
        platforms: vec![
            PlatformRow {
                platform: Platform::parse("linux/amd64").unwrap(),
                digest: Digest::of(b"a"),
                size: Some(12_345_678),
                tags: Vec::new(),
            },
            PlatformRow {
                platform: Platform::parse("linux/arm64").unwrap(),
                digest: Digest::of(b"b"),
                size: None,
                tags: Vec::new(),
            },
        ],
        phases: vec![
            Phase { name: "facts".into(), time: Duration::from_millis(420) },
            Phase { name: "build".into(), time: Duration::from_secs(65) },
        ],
        steps: vec![
            step(1, "[internal] load build definition from Dockerfile", 0, 20),
            step(2, "[linux/amd64 1/2] FROM docker.io/library/busybox", 100, 0),
            step(3, "[linux/amd64 2/2] RUN make a:b;c | tee `x`", 200, 3400),
            step(4, "[linux/arm64 2/2] RUN make", 210, 64_000),
            step(5, "exporting to image", 64_210, 790),
        ],
        findings: vec![Annotation {
            level: Level::Warning,
            message: "'as' and 'FROM' do not match\nmore".into(),
            title: Some("FromAsCasing".into()),
            file: Some("Dockerfile".into()),
            lines: Some((1, 1)),
        }],
        hidden_findings: 3,
        ..empty(Outcome::Pushed)
    }
}

#[test]
fn what_the_image_has_passed() {
    let row = |check: &str, well: bool| VerifiedRow {
        check: check.into(),
        platform: Platform::parse("linux/amd64").unwrap(),
        time: Duration::from_millis(1250),
        well,
    };
    let page = render(&SummaryInput {
        verified: vec![row("migrate validate", true), row("sh -c 'a|b`'", false)],
        ..empty(Outcome::Failed("x".into()))
    });
    let rows = "| Verified | Platform | |\n| --- | --- | --- |\n\
                | `migrate validate` | `linux/amd64` | passed in 1.3 s |\n";
    assert!(page.contains(rows) && page.contains("| `linux/amd64` | **failed** after 1.3 s |\n"), "{page}");
}

#[test]
fn tags_of_platforms_have_a_column_where_there_are_any() {
    let mut input = pushed();
    assert!(!render(&input).contains("| Tags |"));
    input.platforms[0].tags = vec!["1-amd64".into(), "latest-amd64".into()];
    let page = render(&input);
    let rows = [
        "| Platform | Digest | Size | Tags |\n| --- | --- | ---: | --- |\n".to_owned(),
        format!("| `linux/amd64` | `{}` | 12.3 MB | `1-amd64` `latest-amd64` |\n", Digest::of(b"a")),
        format!("| `linux/arm64` | `{}` |  |  |\n\n", Digest::of(b"b")),
    ];
    assert!(page.contains(&rows.concat()), "{page}");
}

#[test]
fn a_push() {
    let expected = "\
### Pushed `ghcr.io/acme/shop/api`

```sh
docker pull ghcr.io/acme/shop/api@sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6
```

| Tag | Why |
| --- | --- |
| `0a1b2c3-main` | commit on branch \\`main\\` |
| `latest` | \\`main\\` is latest\\_branch |

| Held back | Why |
| --- | --- |
| `main` | a newer commit has it |

| Platform | Digest | Size |
| --- | --- | ---: |
| `linux/amd64` | `sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb` | 12.3 MB |
| `linux/arm64` | `sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d` |  |

**Time** facts 0.4 s · build 1 m 05 s

```mermaid
%%{init: {\"gantt\": {\"leftPadding\": 110}}}%%
gantt
  dateFormat x
  axisFormat %s s
  section linux/amd64
    3 RUN make a b c tee x :s3, 200, 3400ms
  section linux/arm64
    4 RUN make :s4, 210, 64000ms
  section build
    5 exporting to image :s5, 64210, 790ms
```

<details>
<summary>All 5 steps</summary>

| # | Step | Time |
| ---: | --- | ---: |
| 1 | `[internal] load build definition from Dockerfile` | 20 ms |
| 2 | `[linux/amd64 1/2] FROM docker.io/library/busybox` | cached |
| 3 | <code>&#91;linux&#47;amd64 2&#47;2&#93; RUN make a&#58;b&#59;c &#124; tee &#96;x&#96;</code> | 3.4 s |
| 4 | `[linux/arm64 2/2] RUN make` | 1 m 04 s |
| 5 | `exporting to image` | 0.8 s |

</details>

**Findings**

- warning: `Dockerfile:1` FromAsCasing: 'as' and 'FROM' do not match
- 3 of all findings are not shown as annotations: GitHub takes ten of a level

";
    let page = render(&pushed());
    assert_eq!(page, expected, "{page}");
}

#[test]
fn several_repositories() {
    let input = SummaryInput {
        repositories: vec!["ghcr.io/acme/shop/api".into(), "docker.io/acme/api".into()],
        references: vec!["ghcr.io/acme/shop/api@sha256:0".into(), "docker.io/acme/api@sha256:0".into()],
        tags: vec![
            ("ghcr.io/acme/shop/api:main".into(), "branch `main`".into()),
            ("docker.io/acme/api:0a1b2c3-main".into(), "commit on branch `main`".into()),
        ],
        held_back: vec![("docker.io/acme/api:main".into(), "it is on the newer commit 0a1b2c4".into())],
        ..empty(Outcome::Pushed)
    };
    let page = render(&input);
    let expected = "\
### Pushed `ghcr.io/acme/shop/api`, `docker.io/acme/api`

```sh
docker pull ghcr.io/acme/shop/api@sha256:0
docker pull docker.io/acme/api@sha256:0
```

| Tag | Why |
| --- | --- |
| `ghcr.io/acme/shop/api:main` | branch \\`main\\` |
| `docker.io/acme/api:0a1b2c3-main` | commit on branch \\`main\\` |

| Held back | Why |
| --- | --- |
| `docker.io/acme/api:main` | it is on the newer commit 0a1b2c4 |

";
    assert_eq!(page, expected, "{page}");
}

#[test]
fn other_ends() {
    let named = |outcome| SummaryInput { repositories: vec!["r.example/api".into()], ..empty(outcome) };
    for (outcome, expected) in [
        (Outcome::Tagged, "### Tagged `r.example/api`\n\n"),
        (Outcome::Promoted, "### Promoted `r.example/api`: nothing was built\n\n"),
        (Outcome::DryRun, "### Dry run for `r.example/api`: nothing was changed\n\n"),
        (
            Outcome::Leg(Platform::parse("linux/arm64").unwrap()),
            "### Pushed one leg of `r.example/api`: `linux/arm64`\n\nIt has no tag: the job with `mode: merge` joins the legs.\n\n",
        ),
        (
            Outcome::Built("a pull request from a fork".into()),
            "### Built `r.example/api`, not pushed\n\na pull request from a fork\n\n",
        ),
        (
            Outcome::Nothing("the branch was deleted".into()),
            "### Nothing to do for `r.example/api`\n\nthe branch was deleted\n\n",
        ),
        (Outcome::Cancelled("a".into()), "### Cancelled: `r.example/api`\n\n```text\na\n```\n\n"),
        (Outcome::Failed("a\nb".into()), "### Failed: `r.example/api`\n\n```text\na\nb\n```\n\n"),
    ] {
        assert_eq!(render(&named(outcome)), expected);
    }
    assert_eq!(render(&empty(Outcome::DryRun)), "### Dry run for image: nothing was changed\n\n");
}

#[test]
fn a_failure_shows_the_step_and_cannot_leave_its_block() {
    let input = SummaryInput {
        failure: Some(Failure {
            step: "[2/3] RUN make".into(),
            place: Some("Dockerfile:7".into()),
            lines: vec!["```".into(), "# not a heading".into(), "\u{1b}[31mred".into()],
        }),
        ..empty(Outcome::Failed("the build failed".into()))
    };
    let page = render(&input);
    let expected =
        "**Failed step** `[2/3] RUN make` (`Dockerfile:7`)\n\n````text\n```\n# not a heading\nred\n````\n";
    assert!(page.contains(expected), "{page}");
}

/// A page without what may differ: contents of blocks and of code, escaped characters, words.
fn skeleton(page: &str) -> Vec<String> {
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for line in page.lines() {
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => continue,
            None if line.starts_with("```") => fence = Some(line.trim_end_matches(|c: char| c != '`')),
            None => {}
        }
        let line = line.replace("@<!-- -->", "").replace("<code>", "`").replace("</code>", "`");
        // In pieces between backticks, every second one is code.
        let text: String = line.replace("\\`", "").split('`').step_by(2).collect();
        let mut marks = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => drop(chars.next()),
                '|' | '<' | '>' | '!' | '[' | ']' | '(' | ')' | '*' | '_' | '~' | '@' | '#' | '&' => {
                    marks.push(c);
                }
                _ => {}
            }
        }
        lines.push(marks);
    }
    lines
}

/// Whatever a name is, the page keeps its structure.
#[test]
fn hostile_names_change_no_structure() {
    let page = |name: &str| {
        let mut input = pushed();
        input.outcome = Outcome::Built(name.into());
        input.tags = vec![(name.into(), name.into())];
        input.held_back = vec![(name.into(), name.into())];
        input.phases[0].name = name.into();
        input.steps = vec![step(1, name, 0, 100), step(2, &format!("[linux/{name}] {name}"), 5, 100)];
        input.findings[0] = Annotation {
            message: name.into(),
            title: Some(name.into()),
            file: Some(name.into()),
            ..input.findings[0].clone()
        };
        input.failure =
            Some(Failure { step: name.into(), place: Some(name.into()), lines: vec![name.into()] });
        render(&input)
    };
    let tame = skeleton(&page("tame"));
    for name in [
        "a|b|c",
        "x\n\n# head\n| a | b |",
        "`` ` ```",
        "\\` \\| \\",
        "<b onclick=x></details><!--",
        "![i](http://x/y.png) [l](javascript:x)",
        "@octocat #1 &lt;",
        "click s1 call alert()",
        "a:b;c#d%%{init:{}}%%",
        "]] x [[",
        "\u{202e}evil\u{1b}[2J",
        "*a* _b_ ~c~",
    ] {
        let page = page(name);
        assert_eq!(skeleton(&page), tame, "{name:?}\n{page}");
    }
}

#[test]
fn what_was_tried_again() {
    let retries = (1..=22).map(|n| format!("attempt {n} of `x` | [a](b)")).collect();
    let page = render(&SummaryInput { retries, ..empty(Outcome::DryRun) });
    let (_, list) = page.split_once("**Tried again**\n\n").unwrap();
    assert!(list.starts_with("- 2 times before, in the log\n- attempt 3 of \\`x\\` \\| \\[a\\]"), "{list}");
    assert!(list.ends_with("\n\n") && list.contains("attempt 22 of"), "{list}");
}
