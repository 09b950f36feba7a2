//! The context and its sender against the real fsutil, built from its Go module: what we announce is what fsutil would announce,
//! and what its receiver makes of our stream is the tree that we read. Needs Go and, because the receiver sets owners, root.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use docker_push_action::buildkit::diffcopy::{Transfer, TransferError, TransferProgress, send};
use docker_push_action::context::Filter;
use docker_push_action::context::root::Root;
use docker_push_action::context::walk::{Selection, WalkError, walk};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr, mknodat};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// The receiver, built once. A machine without Go cannot run these tests, and says so.
fn receiver() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fsutil-receiver");
        let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fsutil-receiver");
        let built = Command::new("go")
            .args(["build", "-buildvcs=false", "-o"])
            .arg(&binary)
            .arg(".")
            .current_dir(source)
            .status()
            .expect("`go` is a prerequisite of this project's tests");
        assert!(built.success(), "building tests/fixtures/fsutil-receiver failed");
        binary
    })
}

fn start(mode: &str, dir: &Path) -> Child {
    let command = &mut Command::new(receiver());
    command.arg(mode).arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("starting the receiver")
}

fn filter(include: &[&str], exclude: &[&str], follow: &[&str]) -> Filter {
    let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Filter { include: own(include), exclude: own(exclude), follow: own(follow) }
}

/// What fsutil announces for each filter, or its error.
fn announced_by_fsutil(dir: &Path, filters: &[Filter]) -> Vec<Result<Vec<Value>, String>> {
    let mut child = start("walk", dir);
    let mut stdin = child.stdin.take().unwrap();
    let questions: Vec<String> = filters
        .iter()
        .map(|filter| {
            json!({"include": filter.include, "exclude": filter.exclude, "follow": filter.follow}).to_string()
        })
        .collect();
    let asking = std::thread::spawn(move || stdin.write_all(questions.join("\n").as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    asking.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    let answers = lines.map(|line| match serde_json::from_str(line).unwrap() {
        Value::Array(stats) => Ok(stats),
        fault => Err(fault.to_string()),
    });
    answers.collect()
}

/// What we announce, in fsutil's JSON.
fn announced_by_us(dir: &Path, filter: &Filter) -> Result<Vec<Value>, WalkError> {
    use base64::Engine;
    let root = Root::open(dir).unwrap();
    let mut found = Vec::new();
    walk(&root, &Selection::new(&root, filter)?, &mut |entry| {
        let xattrs: BTreeMap<_, _> = entry
            .xattrs
            .iter()
            .map(|(name, value)| (name, base64::prelude::BASE64_STANDARD.encode(value)))
            .collect();
        let mut stat = json!({
            "path": String::from_utf8_lossy(entry.path), "mode": entry.mode, "size": entry.size, "modTime": entry.mtime,
            "linkname": String::from_utf8_lossy(entry.link),
            "devmajor": entry.device_major, "devminor": entry.device_minor, "xattrs": xattrs,
        });
        stat.as_object_mut()
            .unwrap()
            .retain(|_, value| *value != json!(0) && *value != json!("") && *value != json!({}));
        found.push(stat);
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Sends `from` to a receiver that writes into `to`; our result and the receiver's.
fn transfer(from: &Path, to: &Path, filter: Filter) -> (Result<Transfer, TransferError>, Value) {
    let mut child = start("receive", to);
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (requests, incoming) = mpsc::unbounded_channel();
    let (outgoing, mut chunks) = mpsc::channel::<Bytes>(16);
    let reading = std::thread::spawn(move || {
        let mut head = [0; 5];
        while stdout.read_exact(&mut head).is_ok() {
            let mut payload = vec![0; u32::from_be_bytes(head[1..].try_into().unwrap()) as usize];
            stdout.read_exact(&mut payload).unwrap();
            let _ended = requests.send(payload.into());
        }
    });
    let writing = std::thread::spawn(move || {
        while let Some(chunk) = chunks.blocking_recv() {
            if stdin.write_all(&chunk).is_err() {
                break;
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let progress = Arc::new(TransferProgress::default());
    let sent = runtime.block_on(send(from.to_owned(), filter, incoming, outgoing, progress));
    writing.join().unwrap();
    let output = child.wait_with_output().unwrap();
    reading.join().unwrap();
    (sent, serde_json::from_slice(&output.stderr).expect("the receiver's report"))
}

fn write(dir: &Path, name: &str, content: &[u8]) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// One of everything that a context can hold.
fn zoo() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (name, content) in [
        ("Dockerfile", "FROM scratch"),
        ("a.txt", "a"),
        ("a/b", "below"),
        ("a-b", "between a and a/ in another order"),
        ("empty", ""),
        ("größe/日本語 ☺", "utf-8"),
        ("new\nline", "n"),
        ("src/main.rs", "fn main"),
        ("src/main.rs.bak", ""),
        ("src/deep/er/x.log", "log"),
        ("src/deep/er/keep.log", "kept"),
        ("src/deep/y.txt", "y"),
        ("node_modules/m/index.js", "js"),
        ("docs/README.md", "read"),
        ("docs/other.md", "other"),
        ("real/sub/f", "f"),
        ("real/sub/g", "g"),
        ("[odd]/*star", "star"),
        ("back\\slash", "b"),
        ("big", &"0123456789".repeat(70_000)),
    ] {
        write(dir.path(), name, content.as_bytes());
    }
    fs::hard_link(at("a.txt"), at("src/hard")).unwrap();
    fs::hard_link(at("a.txt"), at("z-hard")).unwrap();
    for (target, name) in [
        ("a.txt", "link"),
        ("/a.txt", "absolute"),
        ("nowhere", "dangling"),
        ("../../../etc/passwd", "src/escape"),
        ("real", "ln"),
        ("../docs", "src/docs"),
        ("loop", "loop"),
        ("/real/sub/f", "[odd]/lf"),
    ] {
        symlink(target, at(name)).unwrap();
    }
    for (name, mode) in
        [("a.txt", 0o4755), ("src/main.rs", 0o2755), ("empty", 0o400), ("docs", 0o1777), ("src", 0o2700)]
    {
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for name in ["a.txt", "src"] {
        lsetxattr(at(name), "user.test", b"value \xff", XattrFlags::empty()).unwrap();
    }
    lsetxattr(at("a.txt"), "user.long", &[7; 3000], XattrFlags::empty()).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
    fs::File::open(at("a-b")).unwrap().set_modified(time).unwrap();
    fs::File::open(at("docs")).unwrap().set_modified(time).unwrap();
    dir
}

#[test]
fn we_announce_what_fsutil_announces() {
    let dir = zoo();
    let mut filters = vec![
        filter(&[], &[], &[]),
        filter(&[], &["**/*.log", "!**/keep.log"], &[]),
        filter(&[], &["*", "!src"], &[]),
        filter(&[], &["*", "!src/deep/er/keep.log"], &[]),
        filter(&[], &["**", "!docs/*.md", "docs/o*"], &[]),
        filter(&[], &["src/*", "!src/deep/"], &[]),
        filter(&[], &["a.txt"], &[]),
        filter(&[], &["a.txt", "src"], &[]),
        filter(&[], &["**/node_modules", "**/[a-c]*"], &[]),
        filter(&[], &["\\[odd\\]", "back\\\\slash"], &[]),
        filter(&[], &[".", "!docs"], &[]),
        filter(&[], &["größe", "new?line", "fifo"], &[]),
        filter(&["src/deep"], &[], &[]),
        filter(&["src/deep/**", "docs"], &["**/*.txt"], &[]),
        filter(&["**/*.md"], &[], &[]),
        filter(&["src/*/er"], &["src/deep/er/x*"], &[]),
        filter(&["src", "!src/deep"], &[], &[]),
        filter(&[], &[], &["link"]),
        filter(&[], &[], &["ln/sub/f"]),
        filter(&[], &[], &["l*", "a*"]),
        filter(&[], &[], &["src/docs/README.md", "absolute"]),
        filter(&[], &[], &["loop", "dangling", "src/escape"]),
        filter(&[], &[], &["[[]odd]/l*"]),
        filter(&[], &[], &["."]),
        filter(&[], &[], &["none", "no/ne"]),
        filter(&["docs"], &["*.md"], &["ln/sub"]),
        filter(&[], &["src", "!src/docs"], &["src/docs", "a/b"]),
        filter(&[], &["Dockerfile"], &["Dockerfile", "Dockerfile.dockerignore"]),
        filter(&[], &["[", "a"], &[]),
        filter(&[], &["!"], &[]),
        filter(&[], &["x*[b-a]"], &[]),
    ];
    filters.extend((0..400).map(generated));
    let theirs = announced_by_fsutil(dir.path(), &filters);
    assert_eq!(theirs.len(), filters.len());
    let mut refused = 0;
    for (filter, theirs) in filters.iter().zip(theirs) {
        match (announced_by_us(dir.path(), filter), theirs) {
            // fsutil forgets the second of two sources below one link; we send both.
            (Ok(ours), Ok(theirs)) if filter.follow.len() > 1 => {
                assert!(
                    theirs.iter().all(|stat| ours.contains(stat)),
                    "{filter:?}: {ours:?} lacks some of {theirs:?}"
                );
            }
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{filter:?}"),
            (Err(_), Err(_)) => refused += 1,
            (ours, theirs) => panic!("{filter:?}: {ours:?} but fsutil {theirs:?}"),
        }
    }
    assert!(refused < filters.len() / 4, "{refused} filters were refused: they test little");
}

/// What generated filters are made of.
#[rustfmt::skip]
const PARTS: [&str; 24] = [
    "src", "deep", "er", "x.log", "keep.log", "docs", "README.md", "*.md", "*", "**", "a", "a*",
    "ln", "real", "sub", "f", "?", "*.log", "link", "[a-d]*", "[!a]*", "node_modules", "l*", "größe",
];

/// A filter made of parts that mean something in the zoo, always the same for a seed.
fn generated(seed: u64) -> Filter {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut pick = |count: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % 1_000_003).unwrap() % count
    };
    let mut path = |length: usize| {
        let parts: Vec<&str> = (0..=pick(length)).map(|_| PARTS[pick(PARTS.len())]).collect();
        (parts.join("/"), pick(4))
    };
    let mut filter = Filter::default();
    for _ in 0..seed % 4 {
        let (pattern, kind) = path(3);
        filter.exclude.push(format!("{}{pattern}", if kind == 0 { "!" } else { "" }));
    }
    if seed % 3 == 1 {
        let (pattern, kind) = path(3);
        filter.include.push(pattern);
        if kind == 0 {
            filter.include.push(format!("!{}", path(2).0));
        }
    }
    if seed % 5 > 2 {
        filter.follow.extend((0..seed % 3).map(|_| path(3).0));
    }
    filter
}

/// Everything about a tree: our own stats (which the test above holds against fsutil's) and contents.
fn manifest(dir: &Path) -> Vec<(Value, Option<Vec<u8>>)> {
    let stats = announced_by_us(dir, &Filter::default()).unwrap();
    let content = |stat: &Value| {
        let path = dir.join(stat["path"].as_str().unwrap());
        let regular = fs::symlink_metadata(&path).unwrap().is_file();
        regular.then(|| fs::read(path).unwrap())
    };
    stats.into_iter().map(|stat| (stat.clone(), content(&stat))).collect()
}

#[test]
fn the_receiver_gets_the_tree() {
    let (from, to) = (zoo(), tempfile::tempdir().unwrap());
    let (sent, report) = transfer(from.path(), to.path(), Filter::default());
    assert_eq!(report["error"], "");
    let sent = sent.unwrap();
    let mut expected = manifest(from.path());
    for (stat, content) in &mut expected {
        if stat["path"] == "socket" {
            *content = Some(Vec::new());
        }
    }
    let received = manifest(to.path());
    assert_eq!(received, expected);
    assert_eq!(sent.entries, expected.len() as u64);
    assert_eq!(sent.files_sent, report["requested"].as_u64().unwrap());
    assert_eq!(sent.large, None);
    assert_eq!(sent.blanked, []);

    // The same again: the receiver compares and wants nothing but what it cannot compare.
    let (again, report) = transfer(from.path(), to.path(), Filter::default());
    assert_eq!(report, json!({"error": "", "requested": 0}));
    assert_eq!(again.unwrap().bytes_sent, 0);
}

#[test]
fn a_filtered_tree_keeps_its_links() {
    let (from, to) = (zoo(), tempfile::tempdir().unwrap());
    let rules = filter(&[], &["a.txt", "big", "**/*.log", "!**/keep.log"], &[]);
    let (sent, report) = transfer(from.path(), to.path(), rules);
    assert_eq!(report["error"], "");
    sent.unwrap();
    assert!(!to.path().join("a.txt").exists() && !to.path().join("src/deep/er/x.log").exists());
    assert_eq!(fs::read(to.path().join("src/deep/er/keep.log")).unwrap(), b"kept");
    // The first name of the hard links was left out; the next ones are still one file.
    let inode = |name: &str| fs::metadata(to.path().join(name)).unwrap().ino();
    assert_eq!(inode("src/hard"), inode("z-hard"));
    assert_eq!(fs::read(to.path().join("z-hard")).unwrap(), b"a");
}

/// A directory in memory where there is enough of it: forty thousand files are a minute's work for a busy disk.
fn roomy() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let enough = rustix::fs::statvfs(memory).is_ok_and(|shm| shm.f_bavail * shm.f_frsize > 1 << 30);
    if enough { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

#[test]
fn twenty_thousand_files() {
    let (from, to) = (roomy(), roomy());
    for directory in 0..200_usize {
        let path = from.path().join(format!("d{}/e{directory}", directory % 7));
        fs::create_dir_all(&path).unwrap();
        for file in 0..100_usize {
            let length = (directory * 131 + file * 977) % 8192;
            fs::write(path.join(format!("f{file}")), vec![b'x'; length]).unwrap();
        }
    }
    let (sent, report) = transfer(from.path(), to.path(), Filter::default());
    assert_eq!(report, json!({"error": "", "requested": 20_000}));
    assert_eq!(sent.unwrap().files_sent, 20_000);
    assert!(manifest(from.path()) == manifest(to.path()), "the trees differ");
}

#[test]
fn credentials_stay_here() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = "[core]\n\tbare = false\n[http \"https://github.com/\"]\n\textraheader = AUTHORIZATION: basic U0VDUkVU\n";
    let remote = "[remote \"origin\"]\n\turl = https://x-access-token:SECRET@github.com/a/b\n";
    write(from.path(), ".git/config", config.as_bytes());
    write(from.path(), "vendor/lib/.git/modules/sub/config", remote.as_bytes());
    write(from.path(), "bare/config", remote.as_bytes());
    for name in ["bare/HEAD", "bare/objects/x", "bare/refs/x"] {
        write(from.path(), name, b"");
    }
    write(from.path(), "config", remote.as_bytes());
    let (sent, report) = transfer(from.path(), to.path(), Filter::default());
    assert_eq!(report["error"], "");
    let blanked: Vec<_> = sent.unwrap().blanked.into_iter().map(|file| (file.path, file.lines)).collect();
    let expected = [(".git/config", 4), ("bare/config", 2), ("vendor/lib/.git/modules/sub/config", 2)];
    assert_eq!(blanked, expected.map(|(path, line)| (path.to_owned(), vec![line])));
    for (name, _) in expected {
        let received = fs::read_to_string(to.path().join(name)).unwrap();
        assert!(!received.contains("SECRET") && !received.contains("U0VD"), "{received}");
        assert_eq!(received.len() as u64, fs::metadata(from.path().join(name)).unwrap().len());
    }
    assert_eq!(fs::read_to_string(to.path().join("config")).unwrap(), remote, "a file of the user's own");
}

/// As fsutil has it: names are bytes.
#[test]
fn names_that_are_no_utf8_arrive_as_they_are() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let odd = |path: &Path, name: &[u8]| path.join(std::ffi::OsStr::from_bytes(name));
    fs::create_dir_all(odd(from.path(), b"d\xff/inner")).unwrap();
    fs::write(odd(from.path(), b"d\xff/inner/plain"), "in").unwrap();
    fs::write(odd(from.path(), b"caf\xe9"), "coffee").unwrap();
    fs::hard_link(odd(from.path(), b"caf\xe9"), odd(from.path(), b"caf\xe9\xe9")).unwrap();
    fs::write(from.path().join("plain"), "text").unwrap();
    symlink(std::ffi::OsStr::from_bytes(b"caf\xe9"), odd(from.path(), b"l\xe9")).unwrap();
    let (sent, report) = transfer(from.path(), to.path(), Filter::default());
    assert_eq!(report["error"], "");
    assert_eq!(sent.unwrap().files_sent, 3);
    assert_eq!(fs::read(odd(to.path(), b"caf\xe9")).unwrap(), b"coffee");
    assert_eq!(fs::read(odd(to.path(), b"caf\xe9\xe9")).unwrap(), b"coffee");
    assert_eq!(fs::read(odd(to.path(), b"d\xff/inner/plain")).unwrap(), b"in");
    assert_eq!(fs::read_link(odd(to.path(), b"l\xe9")).unwrap().as_os_str().as_bytes(), b"caf\xe9");

    let to = tempfile::tempdir().unwrap();
    let (sent, _) = transfer(from.path(), to.path(), filter(&[], &["caf?", "d*/inner", "l*"], &[]));
    assert_eq!(sent.unwrap().entries, 3, "`caf??`, `d?` and `plain`");
    assert!(!odd(to.path(), b"caf\xe9").exists() && odd(to.path(), b"caf\xe9\xe9").exists());
}

#[test]
fn faults_reach_the_receiver() {
    let to = tempfile::tempdir().unwrap();
    // A file that not even root may open for reading.
    let (sent, report) =
        transfer(Path::new("/proc/sys/vm"), to.path(), filter(&[], &[], &["compact_memory"]));
    let fault = sent.unwrap_err().to_string();
    assert!(
        fault.starts_with("cannot read `compact_memory` of the build context: Permission denied"),
        "{fault}"
    );
    assert!(report["error"].as_str().unwrap().ends_with(&fault), "{report}");
}

/// Root may read everything, so root runs this test again as nobody.
#[test]
fn what_is_unreadable_is_named() {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        let again = Command::new("/proc/self/exe")
            .args(["--exact", "diffcopy::what_is_unreadable_is_named"])
            .uid(65534)
            .gid(65534)
            .current_dir("/")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    write(dir.path(), "open/file", b"");
    write(dir.path(), "open/shut/file", b"");
    let shut = dir.path().join("open/shut");
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o000)).unwrap();
    let ours = |exclude: &[&str]| announced_by_us(dir.path(), &filter(&[], exclude, &[]));
    let fault = ours(&[]).unwrap_err();
    let excluded = ours(&["open/shut"]).map(|stats| stats.len());
    // It has to be entered because of the second pattern, and nobody needs what is there.
    let entered = ours(&["open/shut", "!**/f"]).map(|stats| stats.len());
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(
        fault.to_string(),
        "cannot read `open/shut` of the build context: Permission denied (os error 13): \
         make it readable or list it in .dockerignore"
    );
    assert_eq!(excluded, Ok(2));
    assert_eq!(entered, Ok(2));
}
