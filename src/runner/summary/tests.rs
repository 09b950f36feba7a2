//! The summary as a person finds it in the page's source, and hostile names in each of its places.

use std::time::Duration;

use super::*;
use crate::model::{Digest, Platform};

const PACKAGE: &str = "https://github.com/acme/shop/pkgs/container/shop%2Fapi";

fn step(number: usize, name: &str, start: u64, time: u64) -> StepRow {
    let (start, time) = (Duration::from_millis(start), Duration::from_millis(time));
    StepRow { number, name: name.into(), start, time, cached: time.is_zero(), failed: false }
}

fn empty(outcome: Outcome) -> SummaryInput {
    SummaryInput {
        archive: None,
        environments: Vec::new(),
        dockerfile: None,
        checks: Vec::new(),
        outcome,
        time: Duration::from_millis(4120),
        commit: None,
        repositories: Vec::new(),
        references: Vec::new(),
        tags: vec![],
        held_back: vec![],
        verified: vec![],
        platforms: vec![],
        since: None,
        phases: vec![],
        retries: vec![],
        cache: CacheSummary::default(),
        steps: vec![],
        findings: vec![],
        hidden_findings: 0,
        output: vec![],
    }
}

fn pushed() -> SummaryInput {
    let digest = Digest::of(b"index");
    SummaryInput {
        repositories: vec![("ghcr.io/acme/shop/api".into(), Some(PACKAGE.into()))],
        references: vec!["ghcr.io/acme/shop/api:main".into(), format!("ghcr.io/acme/shop/api@{digest}")],
        commit: Some(("86fa74d".into(), "https://github.com/acme/shop/commit/86fa74d".into())),
        tags: vec![tag("0a1b2c3-main", "commit on branch `main`"), tag("latest", "`main` is latest_branch")],
        held_back: vec![("main".into(), "a newer commit has it".into())],
        platforms: vec![
            PlatformRow {
                platform: Platform::parse("linux/amd64").unwrap(),
                digest: Digest::of(b"a"),
                size: Some(12_345_678),
                before: None,
                tags: Vec::new(),
                layers: Vec::new(),
            },
            PlatformRow {
                platform: Platform::parse("linux/arm64").unwrap(),
                digest: Digest::of(b"b"),
                size: None,
                before: None,
                tags: Vec::new(),
                layers: Vec::new(),
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

fn tag(name: &str, reason: &str) -> TagRow {
    TagRow { name: name.into(), was: Was::Unknown, reason: reason.into() }
}

#[test]
fn tags_say_what_they_were_on() {
    let page = "https://github.com/acme/shop/compare/0a1b2c3...0a1b2c4".to_owned();
    let row = |name: &str, was: Was| TagRow { was, ..tag(name, "why") };
    let tags = vec![
        row("new", Was::New),
        row("same", Was::Same),
        row("main", Was::Commit("0a1b2c3".into(), Some(page))),
        row("evil", Was::Commit("0a1b2c3".into(), Some("https://x/) [y](z".into()))),
        row("other", Was::Other(Digest::of(b"other"))),
        row("sha", Was::Unknown),
    ];
    let page = render(&SummaryInput { tags, ..empty(Outcome::Pushed) });
    let rows = "| Tag | Was on | Why |\n| --- | --- | --- |\n\
                | `new` | nothing | why |\n\
                | `same` | the same | why |\n\
                | `main` | [`0a1b2c3`](https://github.com/acme/shop/compare/0a1b2c3...0a1b2c4) | why |\n\
                | `evil` | `0a1b2c3` | why |\n\
                | `other` | `sha256:d9298a10d1b0…` | why |\n\
                | `sha` | | why |\n";
    assert!(page.contains(rows), "{page}");
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
        ..empty(Outcome::Failed("x".into(), Vec::new()))
    });
    let rows = "| Verified | Platform | |\n| --- | --- | --- |\n\
                | `migrate validate` | `linux/amd64` | passed in 1.3 s |\n";
    assert!(page.contains(rows) && page.contains("| `linux/amd64` | **failed** after 1.3 s |\n"), "{page}");
}

#[test]
fn what_a_check_has_found() {
    let row = |place: Option<&str>, rule: &str, url: &str| CheckRow {
        place: place.map(Into::into),
        rule: rule.into(),
        text: "'as' and | casing".into(),
        description: "The 'as' keyword".into(),
        url: url.into(),
    };
    let docs = "https://docs.docker.com/go/dockerfile/rule/from-as-casing/";
    let input = SummaryInput {
        dockerfile: Some("build/Dockerfile".into()),
        repositories: vec![("ghcr.io/acme/shop".into(), None)],
        checks: vec![
            row(Some("build/Dockerfile:3"), "FromAsCasing", docs),
            row(None, "Mine", "https://evil.example/"),
            row(None, "Mine", "https://docs.docker.com/)![x](https://evil.example"),
        ],
        ..empty(Outcome::Checked { findings: 3, failure: None })
    };
    let page = render(&input);
    let rows = format!(
        "### ⚠️ Checked `build/Dockerfile`: 3 findings\n\n4.1 s\n\n\
         | Line | Rule | Finding |\n| --- | --- | --- |\n\
         | `build/Dockerfile:3` | [`FromAsCasing`]({docs}) | 'as' and \\| casing<br>The 'as' keyword |\n\
         | | `Mine` | 'as' and \\| casing<br>The 'as' keyword |\n"
    );
    assert!(page.starts_with(&rows), "{page}");
    assert!(!page.contains("evil"), "{page}");
    let failed = Outcome::Checked { findings: 0, failure: Some("line 3: unknown\n```".into()) };
    let page = render(&SummaryInput { dockerfile: Some("D".into()), ..empty(failed) });
    assert_eq!(page, "### ⚠️ Checked `D`: no findings\n\n4.1 s\n\n````text\nline 3: unknown\n```\n````\n\n");
}

#[test]
fn tags_of_platforms_have_a_column_where_there_are_any() {
    let mut input = pushed();
    assert!(!render(&input).contains("| Tags |"));
    input.platforms[0].tags = vec!["1-amd64".into(), "latest-amd64".into()];
    let page = render(&input);
    let rows = [
        "| Platform | Size | Digest | Tags |\n| --- | ---: | --- | --- |\n".to_owned(),
        format!("| `linux/amd64` | 12.3 MB | `{}` | `1-amd64` `latest-amd64` |\n", Digest::of(b"a")),
        format!("| `linux/arm64` | | `{}` | |\n\n", Digest::of(b"b")),
    ];
    assert!(page.contains(&rows.concat()), "{page}");
}

#[test]
fn a_push() {
    let expected = "\
### ✅ Pushed [`ghcr.io/acme/shop/api`](https://github.com/acme/shop/pkgs/container/shop%2Fapi)

4.1 s · commit [`86fa74d`](https://github.com/acme/shop/commit/86fa74d)

```sh
docker pull ghcr.io/acme/shop/api:main
docker pull ghcr.io/acme/shop/api@sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6
```

| Tag | Why |
| --- | --- |
| `0a1b2c3-main` | commit on branch \\`main\\` |
| `latest` | \\`main\\` is latest\\_branch |

| Held back | Why |
| --- | --- |
| `main` | a newer commit has it |

| Platform | Size | Digest |
| --- | ---: | --- |
| `linux/amd64` | 12.3 MB | `sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb` |
| `linux/arm64` | | `sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d` |

**Findings**

- warning: `Dockerfile:1` FromAsCasing: 'as' and 'FROM' do not match
- 3 of all findings are not shown as annotations: GitHub takes ten of a level

```mermaid
%%{init: {\"gantt\": {\"leftPadding\": 110}}}%%
gantt
  dateFormat x
  axisFormat %s s
  title The 3 longest of 5 steps
  section all
    1 m 05 s :active, all, 0, 65000ms
  section linux/amd64
    3 RUN make a b c tee x :s3, 200, 3400ms
  section linux/arm64
    4 RUN make :s4, 210, 64000ms
  section build
    5 exporting to image :s5, 64210, 790ms
```

<details>
<summary>Time, cache and 5 steps</summary>

**Time** facts 0.4 s · build 1 m 05 s

| # | Step | Time |
| ---: | --- | ---: |
| 1 | `[internal] load build definition from Dockerfile` | 20 ms |
| 2 | `[linux/amd64 1/2] FROM docker.io/library/busybox` | cached |
| 3 | <code>&#91;linux&#47;amd64 2&#47;2&#93; RUN make a&#58;b&#59;c &#124; tee &#96;x&#96;</code> | 3.4 s |
| 4 | `[linux/arm64 2/2] RUN make` | 1 m 04 s |
| 5 | `exporting to image` | 0.8 s |

</details>

";
    let page = render(&pushed());
    assert_eq!(page, expected, "{page}");
}

#[test]
fn several_repositories() {
    let input = SummaryInput {
        repositories: vec![("ghcr.io/acme/shop/api".into(), None), ("docker.io/acme/api".into(), None)],
        references: vec!["ghcr.io/acme/shop/api@sha256:0".into(), "docker.io/acme/api@sha256:0".into()],
        tags: vec![
            tag("ghcr.io/acme/shop/api:main", "branch `main`"),
            tag("docker.io/acme/api:0a1b2c3-main", "commit on branch `main`"),
        ],
        held_back: vec![("docker.io/acme/api:main".into(), "it is on the newer commit 0a1b2c4".into())],
        ..empty(Outcome::Pushed)
    };
    let page = render(&input);
    let expected = "\
### ✅ Pushed `ghcr.io/acme/shop/api`, `docker.io/acme/api`

4.1 s

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
    let named =
        |outcome| SummaryInput { repositories: vec![("r.example/api".into(), None)], ..empty(outcome) };
    for (outcome, expected) in [
        (Outcome::Tagged, "### ✅ Tagged `r.example/api`\n\n4.1 s\n\n"),
        (Outcome::Promoted, "### ✅ Promoted `r.example/api`: nothing was built\n\n4.1 s\n\n"),
        (Outcome::DryRun, "### Dry run for `r.example/api`: nothing was changed\n\n4.1 s\n\n"),
        (
            Outcome::Leg(Platform::parse("linux/arm64").unwrap()),
            "### ✅ Pushed one leg of `r.example/api`: `linux/arm64`\n\n4.1 s\n\nIt has no tag: the job with `mode: merge` joins the legs.\n\n",
        ),
        (
            Outcome::Built("a pull request from a fork".into()),
            "### ✅ Built `r.example/api`, not pushed\n\n4.1 s\n\na pull request from a fork\n\n",
        ),
        (
            Outcome::Nothing("the branch was deleted".into()),
            "### Nothing to do for `r.example/api`\n\n4.1 s\n\nthe branch was deleted\n\n",
        ),
        (Outcome::Cancelled("a".into()), "### ❌ Cancelled: `r.example/api`\n\n4.1 s\n\n```text\na\n```\n\n"),
        (
            Outcome::Failed("a\nb".into(), Vec::new()),
            "### ❌ Failed: `r.example/api`\n\n4.1 s\n\n```text\na\nb\n```\n\n",
        ),
    ] {
        assert_eq!(render(&named(outcome)), expected);
    }
    assert_eq!(render(&empty(Outcome::DryRun)), "### Dry run for image: nothing was changed\n\n4.1 s\n\n");
}

#[test]
fn a_failure_shows_the_step_and_cannot_leave_its_block() {
    let input = SummaryInput {
        output: vec!["```".into(), "# not a heading".into(), "\u{1b}[31mred".into()],
        ..empty(Outcome::Failed("the build failed".into(), Vec::new()))
    };
    let page = render(&input);
    let expected = "Its output ends:\n\n````text\n```\n# not a heading\nred\n````\n";
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
        input.tags = vec![TagRow {
            name: name.into(),
            was: Was::Commit(name.into(), Some(name.into())),
            reason: name.into(),
        }];
        input.held_back = vec![(name.into(), name.into())];
        input.phases[0].name = name.into();
        input.steps = vec![step(1, name, 0, 100), step(2, &format!("[linux/{name}] {name}"), 5, 100)];
        input.findings[0] = Annotation {
            message: name.into(),
            title: Some(name.into()),
            file: Some(name.into()),
            ..input.findings[0].clone()
        };
        input.repositories = vec![(name.into(), Some(name.into()))];
        input.commit = Some((name.into(), name.into()));
        input.platforms[0].layers =
            vec![LayerRow { made_by: Some(name.into()), size: 1, change: Change::New }];
        input.platforms[0].before = Some(1);
        input.since = Some(Since { tag: name.into(), commit: Some((name.into(), Some(name.into()))) });
        input.cache = CacheSummary {
            steps: Some((1, 2)),
            parts: vec![name.into()],
            miss: Some((name.into(), name.into())),
        };
        input.output = vec![name.into()];
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

fn compared() -> SummaryInput {
    let layer = |made_by: &str, size, change| LayerRow { made_by: Some(made_by.into()), size, change };
    let mut input = pushed();
    let first = &mut input.platforms[0];
    first.before = Some(12_333_333);
    first.layers = vec![
        layer("ADD rootfs.tar /", 8_000_000, Change::Same),
        layer("COPY dist|x /app", 4_012_345, Change::Other(4_000_000)),
        layer("RUN a", 300, Change::New),
        layer("RUN b", 400, Change::Gone),
    ];
    input.platforms[1].size = Some(1_000_000);
    input.platforms[1].before = Some(1_000_000);
    let page = "https://github.com/acme/shop/compare/86fa74c...86fa74d";
    input.since = Some(Since { tag: "main".into(), commit: Some(("86fa74c".into(), Some(page.into()))) });
    input.cache = CacheSummary {
        steps: Some((8, 12)),
        parts: vec!["index read in 0.3 s".into()],
        miss: Some(("[build 3/6] COPY . .".into(), "its files differ".into())),
    };
    input
}

#[test]
fn sizes_beside_those_of_before() {
    let input = compared();
    let page = render(&input);
    for part in [
        "4.1 s · 13.3 MB for 2 platforms (+12.3 kB since [`86fa74c`](https://github.com/acme/shop/compare/86fa74c...86fa74d)) \
         · 8 of 12 steps cached · commit [`86fa74d`](",
        "| Platform | Size | Change | Digest |\n| --- | ---: | ---: | --- |\n| `linux/amd64` | 12.3 MB | +12.3 kB | `sha256:",
        "| `linux/arm64` | 1.0 MB | ±0 B | `sha256:",
        "<summary>Layers: 1 of 3 as before</summary>\n\n`linux/amd64`\n\n| Layer | Size | Change |\n| --- | ---: | ---: |\n\
         | `ADD rootfs.tar /` | 8.0 MB | same |\n",
        "</code> | 4.0 MB | +12.3 kB |\n| `RUN a` | 300 B | new |\n| `RUN b` | 400 B | gone |\n\n</details>\n\n",
        "**First step that was not cached** `[build 3/6] COPY . .`: its files differ\n\n",
        "**Cache** 8 of 12 steps from the cache · index read in 0.3 s\n\n",
    ] {
        assert!(page.contains(part), "{part}\n--\n{page}");
    }
    let since = input.since.as_ref();
    assert_eq!(size(&input.platforms, since).unwrap(), "13.3 MB for 2 platforms (+12.3 kB since 86fa74c)");
    let tag = Since { tag: "main".into(), commit: None };
    assert_eq!(size(&input.platforms[..1], Some(&tag)).unwrap(), "12.3 MB (+12.3 kB since the last `main`)");
    assert_eq!(size(&input.platforms[..1], None).unwrap(), "12.3 MB");
    assert_eq!(size(&[], None), None);
}

#[test]
fn a_short_build_has_its_chart_folded() {
    let mut input = pushed();
    input.steps[3].time = Duration::from_secs(3);
    input.steps[4].start = Duration::from_secs(4);
    let page = render(&input);
    assert!(page.find("<details>") < page.find("```mermaid") && page.contains("```mermaid"), "{page}");
}

#[test]
fn what_was_tried_again() {
    let retries = (1..=22).map(|n| format!("attempt {n} of `x` | [a](b)")).collect();
    let page = render(&SummaryInput { retries, ..empty(Outcome::DryRun) });
    let (_, list) = page.split_once("**Tried again**\n\n").unwrap();
    assert!(list.starts_with("- 2 times before, in the log\n- attempt 3 of \\`x\\` \\| \\[a\\]"), "{list}");
    assert!(list.ends_with("\n\n") && list.contains("attempt 22 of"), "{list}");
}

#[test]
fn one_step_is_no_steps() {
    assert_eq!([of_steps(0, 1), of_steps(1, 2)], ["0 of 1 step", "1 of 2 steps"]);
}
