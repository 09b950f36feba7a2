//! Edits of kustomizations beside the real kustomize: what it builds from our file is what it builds from its own edit.
//!
//! The files are generated, with what people write around the images: comments, quotes, brackets, lists indented or not, CRLF,
//! a mark of byte order, other fields that look like images. The part is Debian's package.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use docker_push_action::kustomize::{Edited, Kustomization, NewImage, SourceFile, edit};
use docker_push_action::model::{Digest, Repository, Tag};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// How many files are compared.
const CASES: u32 = 320;

/// The program; `None`, and says so, where the part was not fetched. With `REQUIRE_PARTS`, as in `make test`, that is a failure.
#[allow(clippy::disallowed_methods, reason = "said by whoever runs the tests")]
fn kustomize() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/parts");
    let path =
        std::env::var_os("PARTS").map_or(here, PathBuf::from).join("debian/kustomize/usr/bin/kustomize");
    if path.exists() {
        return Some(path);
    }
    let why = "no part `kustomize`: `tests/parts/fetch kustomize` brings it";
    assert!(std::env::var_os("REQUIRE_PARTS").is_none(), "{why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Past the capture of the test harness.
    let _ = writeln!(std::io::stderr(), "not run: {test}: {why}");
    None
}

fn run(program: &Path, directory: &Path, arguments: &[&str]) -> Output {
    let command = &mut Command::new(program);
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).output().unwrap()
}

fn built(program: &Path, directory: &Path) -> Result<String, String> {
    let output = run(program, directory, &["build", "."]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Images of the resource; the first one is what is set.
const NAMES: [&str; 6] = ["m-app", "api", "nginx", "registry.example/acme/zoo", "b", "x.y/a_b"];

fn resource() -> String {
    let mut text = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: shop\nspec:\n  template:\n    spec:\n      containers:\n"
        .to_owned();
    let containers = NAMES.iter().enumerate();
    text.extend(
        containers.map(|(index, name)| format!("      - name: c{index}\n        image: {name}:old\n")),
    );
    text
}

/// A line of a file, and whether the edit may change it.
type Line = (String, bool);

/// A file in its lines.
#[derive(Clone, Debug)]
struct Generated {
    lines: Vec<Line>,
    feed: &'static str,
    /// Whether the last line has a line end.
    closed: bool,
    mark: bool,
    tag: String,
    repository: &'static str,
}

impl Generated {
    fn text(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|(line, _)| line.as_str()).collect();
        let (mark, end) = (if self.mark { "\u{feff}" } else { "" }, if self.closed { self.feed } else { "" });
        format!("{mark}{}{end}", lines.join(self.feed))
    }
}

fn comment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "", " # why: [x]", "   # 'c'"])
}

fn quoted(text: impl Into<String>, quote: &'static str) -> String {
    format!("{quote}{}{quote}", text.into())
}

fn quote() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "'", "\""])
}

/// The keys of an entry beside its name, in any order, by lines that have no indentation yet.
fn keys() -> impl Strategy<Value = Vec<(String, String, &'static str)>> {
    let key = |key: &'static str, values: Vec<&'static str>| {
        let values = prop::sample::select(values);
        prop::option::of((values, quote(), comment())).prop_map(move |found| {
            found.map(|(value, quote, comment)| (key.to_owned(), quoted(value, quote), comment))
        })
    };
    let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let all = (
        key("newName", vec!["ghcr.io/acme/old", "r.example:5000/x"]),
        key("newTag", vec!["v1", "1.2.3", "main"]),
        key("digest", vec![digest]),
        key("tagSuffix", vec!["-alpine"]),
    );
    all.prop_map(|(a, b, c, d)| [a, b, c, d].into_iter().flatten().collect::<Vec<_>>())
}

/// Entries: name, its quotes, its keys in order (the name among them), whether comments and blank lines are around.
type Entry = (usize, Vec<(String, String, &'static str)>, bool);

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let names = prop::sample::subsequence((0..NAMES.len()).collect::<Vec<_>>(), 0..=4).prop_shuffle();
    let details =
        prop::collection::vec((keys(), quote(), any::<prop::sample::Index>(), comment(), any::<bool>()), 4);
    (names, details).prop_map(|(names, details)| {
        let entry = |(name, (mut keys, quote, at, comment, spaced)): (
            usize,
            (Vec<_>, _, prop::sample::Index, _, bool),
        )| {
            let at = at.index(keys.len() + 1);
            keys.insert(at, ("name".to_owned(), quoted(NAMES[name], quote), comment));
            (name, keys, spaced)
        };
        names.into_iter().zip(details).map(entry).collect()
    })
}

/// The field `images`, or none.
fn images() -> impl Strategy<Value = Vec<Line>> {
    let layout = (0..8, prop::sample::select(vec![0, 2, 4]), 1..4_usize, comment());
    (entries(), layout).prop_map(|(entries, (kind, indent, blanks, comment))| {
        let flow = |(_, keys, _): &Entry| {
            let pairs: Vec<String> = keys.iter().map(|(key, value, _)| format!("{key}: {value}")).collect();
            format!("{{{}}}", pairs.join(", "))
        };
        match kind {
            0 => Vec::new(),
            1 if entries.is_empty() => vec![(format!("images:{comment}"), true)],
            2 => {
                let entries: Vec<String> = entries.iter().map(flow).collect();
                vec![(format!("images: [{}]{comment}", entries.join(" , ")), true)]
            }
            _ if entries.is_empty() => vec![(format!("images: []{comment}"), true)],
            _ => {
                let mut lines = vec![(format!("images:{comment}"), false)];
                for entry in &entries {
                    let (name, keys, spaced) = entry;
                    if *spaced {
                        lines.push((String::new(), false));
                        lines.push((format!("{}# of {}", " ".repeat(indent), NAMES[*name]), false));
                    }
                    let dash = format!("{}-{}", " ".repeat(indent), " ".repeat(blanks));
                    if kind == 3 {
                        lines.push((format!("{dash}{}", flow(entry)), *name == 0));
                        continue;
                    }
                    for (index, (key, value, comment)) in keys.iter().enumerate() {
                        let begin = if index == 0 { dash.clone() } else { " ".repeat(dash.len()) };
                        lines.push((format!("{begin}{key}: {value}{comment}"), *name == 0));
                    }
                }
                lines
            }
        }
    })
}

fn other_fields() -> impl Strategy<Value = Vec<Vec<Line>>> {
    let all = vec![
        "namePrefix: \"p-\" # images:",
        "namespace: shop",
        "commonAnnotations:\n  note: \"two\n    lines: - name: m-app\"\n  other: 'images: []'",
        "patches:\n- patch: |-\n    - op: add\n      path: /metadata/annotations\n      value: {images: m-app}\n  target:\n    kind: Deployment",
        "labels:\n  - pairs: {app: shop,\n      tier: 'web'}",
        "configMapGenerator:\n- name: c\n  literals:\n  - images=m-app\n  - a=1\n\n# - b=2",
        "replicas:\n  # one\n  - name: shop\n    count: 2",
        "buildMetadata: [originAnnotations]",
    ];
    let lines = |text: &str| text.split('\n').map(|line| (line.to_owned(), false)).collect::<Vec<Line>>();
    prop::sample::subsequence(all, 0..=4).prop_map(move |fields| fields.into_iter().map(lines).collect())
}

fn resources() -> impl Strategy<Value = Vec<Line>> {
    prop::sample::select(vec![
        "resources:\n- deployment.yaml",
        "resources:\n  - deployment.yaml # it",
        "resources: [ deployment.yaml ]",
        "# what\nresources:\n# here\n- \"deployment.yaml\"\n",
        "\"resources\":\n  - 'deployment.yaml'",
    ])
    .prop_map(|text| text.split('\n').map(|line| (line.to_owned(), false)).collect())
}

fn generated() -> impl Strategy<Value = Generated> {
    let head = prop::sample::select(vec![
        "",
        "# made by hand\n",
        "---\n",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
        "kind: \"Kustomization\"\n\n",
    ]);
    let fields = (resources(), images(), other_fields())
        .prop_map(|(resources, images, others)| [vec![resources, images], others].concat())
        .prop_shuffle();
    let tags =
        vec!["v2", "1.10", "1e3", "0123", "null", "on", "2024-01-01", "0x1", "1_0", "main", "1.2.3-rc.1"];
    let tail = prop::sample::select(vec!["", "# end\n", "\n\n"]);
    let image =
        (prop::sample::select(tags), prop::sample::select(vec!["ghcr.io/acme/app", "r.example:5000/a/b"]));
    let form = (prop::sample::select(vec!["\n", "\n", "\r\n"]), any::<bool>(), 0..6);
    (head, fields, tail, image, form).prop_map(
        |(head, fields, tail, (tag, repository), (feed, closed, mark))| {
            let apart = |text: &str| {
                text.split_terminator('\n').map(|line| (line.to_owned(), false)).collect::<Vec<Line>>()
            };
            let lines = [apart(head), fields.concat(), apart(tail)].concat();
            Generated { lines, feed, closed, mark: mark == 0, tag: tag.to_owned(), repository }
        },
    )
}

/// What is in neither line of the entry is there as it was, in its order; what was added are lines of an entry.
fn kept_all_else(case: &Generated, after: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(after.starts_with('\u{feff}'), case.mark);
    let text = after.trim_start_matches('\u{feff}');
    // Where the file has one line that does not end, nothing says how others do.
    let feed = if case.text().contains(case.feed) { case.feed } else { "\n" };
    prop_assert!(feed == "\n" || !text.replace("\r\n", "").contains('\n'), "{}", after);
    prop_assert_eq!(text.ends_with(feed), case.text().ends_with(feed), "{:?}", after);
    let mut others =
        case.lines.iter().filter(|(_, may_change)| !may_change).map(|(line, _)| line.as_str()).peekable();
    for line in text.split(feed) {
        if others.peek() == Some(&line) {
            others.next();
            continue;
        }
        let plain = line.trim_start_matches([' ', '-']);
        let own = ["name:", "newName:", "newTag:", "digest:", "images:", "{"]
            .iter()
            .any(|key| plain.starts_with(key));
        prop_assert!(own || line.is_empty(), "{:?} in {:?}", line, after);
    }
    prop_assert_eq!(others.next(), None, "{:?}", after);
    // Comments of its own lines, too, unless the line had to go.
    for (line, _) in case.lines.iter().filter(|(line, _)| !line.contains("tagSuffix") || line.contains('{')) {
        let comment = line.find(" #").map_or("", |at| &line[at..]);
        prop_assert!(text.contains(comment), "{:?} in {:?}", comment, after);
    }
    Ok(())
}

#[test]
fn an_edit_builds_what_the_real_edit_builds() {
    let Some(program) = kustomize() else { return };
    let compared = AtomicUsize::new(0);
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let result = runner.run(&generated(), |case| {
        let directory = tempfile::tempdir().unwrap();
        let (ours, theirs) = (directory.path().join("ours"), directory.path().join("theirs"));
        let before = case.text();
        for directory in [&ours, &theirs] {
            std::fs::create_dir(directory).unwrap();
            std::fs::write(directory.join("deployment.yaml"), resource()).unwrap();
            std::fs::write(directory.join("kustomization.yaml"), &before).unwrap();
        }
        let digest = Digest::of(case.tag.as_bytes());
        let image = NewImage {
            repository: Repository::parse(case.repository).unwrap(),
            tag: Tag::parse(&case.tag).unwrap(),
            digest: Some(digest.clone()),
        };
        let file = SourceFile::new("kustomization.yaml", before.as_bytes()).unwrap();
        let edited = edit(&file, NAMES[0], &image).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        let Edited::Changed(after) = edited else { return Err(TestCaseError::fail("unchanged")) };
        kept_all_else(&case, &after)?;
        std::fs::write(ours.join("kustomization.yaml"), &after).unwrap();
        let asked = format!("{}={}:{}@{digest}", NAMES[0], case.repository, case.tag);
        let set = run(&program, &theirs, &["edit", "set", "image", &asked]);
        prop_assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
        let expected = built(&program, &theirs).map_err(TestCaseError::fail)?;
        let reference = format!("image: {}:{}@{digest}\n", case.repository, case.tag);
        prop_assert!(expected.contains(&reference), "{}", expected);
        prop_assert_eq!(built(&program, &ours).map_err(TestCaseError::fail)?, expected, "{}", after);
        compared.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    if let Err(fault) = result {
        panic!("{fault}");
    }
    assert!(compared.into_inner() >= 300);
}

/// What it writes in quotes, we do.
#[test]
fn quotes_stand_where_kustomize_writes_them() {
    let Some(program) = kustomize() else { return };
    let tags = [
        "1",
        "1.10",
        "1.2.3",
        "v1",
        "1e3",
        "1E3",
        "12e",
        "e12",
        "0x1",
        "0xg",
        "0b1",
        "0o17",
        "0o8",
        "017",
        "08",
        "1_000",
        "_1",
        "1.",
        "1._",
        "null",
        "Null",
        "NULL",
        "nil",
        "true",
        "True",
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "n",
        "Y",
        "N",
        "2024-01-01",
        "2024-1-1",
        "2024-01-01-x",
        "20240101",
        "1-1",
        "inf",
        "nan",
        "12345678",
        "1234567e",
        "1234e56",
        "1.e1",
        "1.0e-3",
        "latest",
    ];
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(theirs.path().join("kustomization.yaml"), "").unwrap();
    let asked: Vec<String> =
        tags.iter().enumerate().map(|(n, tag)| format!("n{n:03}=r.io/a:{tag}")).collect();
    let arguments: Vec<&str> =
        ["edit", "set", "image"].into_iter().chain(asked.iter().map(String::as_str)).collect();
    let set = run(&program, theirs.path(), &arguments);
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    let written = std::fs::read_to_string(theirs.path().join("kustomization.yaml")).unwrap();
    let lines: Vec<&str> = written.lines().filter_map(|line| line.trim().strip_prefix("newTag: ")).collect();
    assert_eq!(lines.len(), tags.len(), "{written}");
    let mut text = String::new();
    for (n, (tag, line)) in tags.iter().zip(&lines).enumerate() {
        let image = NewImage {
            repository: Repository::parse("r.io/a").unwrap(),
            tag: Tag::parse(tag).unwrap(),
            digest: None,
        };
        let file = SourceFile::new("kustomization.yaml", text.as_bytes()).unwrap();
        let Edited::Changed(after) = edit(&file, &format!("n{n:03}"), &image).unwrap() else {
            panic!("{tag}")
        };
        let own = after.lines().filter_map(|line| line.trim().strip_prefix("newTag: ")).next_back().unwrap();
        assert!(own == *line || own.starts_with('"'), "kustomize writes {line}, we write {own}");
        text = after;
    }
    // And it reads each of ours as the text that it is.
    std::fs::write(ours.path().join("kustomization.yaml"), &text).unwrap();
    let read = run(&program, ours.path(), &["edit", "set", "namespace", "x"]);
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let again = std::fs::read_to_string(ours.path().join("kustomization.yaml")).unwrap();
    let read: Vec<&str> = again.lines().filter_map(|line| line.trim().strip_prefix("newTag: ")).collect();
    assert_eq!(read, lines);
    let file = SourceFile::new("kustomization.yaml", again.as_bytes()).unwrap();
    let entries = Kustomization::read(&file).unwrap();
    let names: Vec<_> = entries.images().iter().map(|entry| entry.new_tag.clone().unwrap()).collect();
    assert_eq!(names, tags);
}

/// Entries whose names and new names are one another's.
type Chain = Vec<(usize, Option<usize>, Option<&'static str>, Option<&'static str>)>;

const LINKS: [&str; 5] = ["m-app", "api", "r.example/a", "r.example/b", "r.example:5000/c"];

fn chain() -> impl Strategy<Value = (Chain, usize)> {
    let names = prop::sample::subsequence((0..LINKS.len()).collect::<Vec<_>>(), 1..=4).prop_shuffle();
    let tags = prop::option::of(prop::sample::select(vec!["v1", "v2"]));
    let suffixes = prop::option::weighted(0.2, Just("-x"));
    let details = prop::collection::vec((prop::option::of(0..LINKS.len()), tags, suffixes), 4);
    let entries = (names, details).prop_map(|(names, details)| {
        let entry = |(name, (renamed, tag, suffix))| (name, renamed, tag, suffix);
        names.into_iter().zip(details).map(entry).collect()
    });
    (entries, 2..LINKS.len())
}

fn chained(entries: &Chain, set: Option<&str>) -> String {
    let mut text = "resources: [deployment.yaml]\nimages:\n".to_owned();
    for (name, renamed, tag, suffix) in entries {
        let _ = writeln!(text, "- name: {}", LINKS[*name]);
        if let (0, Some(set)) = (*name, set) {
            text += set;
            continue;
        }
        let keys = [("newName", renamed.map(|at| LINKS[at])), ("newTag", *tag), ("tagSuffix", *suffix)];
        text.extend(keys.iter().filter_map(|(key, value)| Some(format!("  {key}: {}\n", (*value)?))));
    }
    text
}

/// Each entry is applied to what those before it have made: our image is what comes out in the end, or the edit is refused.
#[test]
fn an_edit_that_another_entry_would_take_back_is_refused() {
    let Some(program) = kustomize() else { return };
    let (set, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let result = runner.run(&chain(), |(entries, at)| {
        let directory = tempfile::tempdir().unwrap();
        let container = "      - name: c\n        image: m-app:old\n";
        let resource = resource();
        let head = resource.split_inclusive('\n').take(8).collect::<String>();
        std::fs::write(directory.path().join("deployment.yaml"), head + container).unwrap();
        let image = NewImage {
            repository: Repository::parse(LINKS[at]).unwrap(),
            tag: Tag::parse("v9").unwrap(),
            digest: Some(Digest::of(b"")),
        };
        let reference = format!("image: {}:v9@{}\n", LINKS[at], Digest::of(b""));
        let comes_out = |text: &str| {
            std::fs::write(directory.path().join("kustomization.yaml"), text).unwrap();
            built(&program, directory.path()).map(|built| built.contains(&reference))
        };
        let file = SourceFile::new("kustomization.yaml", chained(&entries, None).as_bytes()).unwrap();
        match edit(&file, LINKS[0], &image) {
            Ok(Edited::Changed(after)) => {
                set.fetch_add(1, Ordering::Relaxed);
                prop_assert!(comes_out(&after).map_err(TestCaseError::fail)?, "{}", after);
            }
            Ok(Edited::Unchanged) => return Err(TestCaseError::fail("unchanged")),
            Err(fault) => {
                refused.fetch_add(1, Ordering::Relaxed);
                prop_assert!(fault.to_string().contains("applies to what `m-app` becomes"), "{}", fault);
                // With the entry set all the same, the image would be another one.
                if entries.iter().any(|(name, ..)| *name == 0) {
                    let fields =
                        format!("  newName: {}\n  newTag: v9\n  digest: {}\n", LINKS[at], Digest::of(b""));
                    let lost = chained(&entries, Some(&fields));
                    prop_assert!(!comes_out(&lost).map_err(TestCaseError::fail)?, "{}", lost);
                }
            }
        }
        Ok(())
    });
    if let Err(fault) = result {
        panic!("{fault}");
    }
    let (set, refused) = (set.into_inner(), refused.into_inner());
    assert!(set >= 50 && refused >= 20, "{set} set, {refused} refused");
}
