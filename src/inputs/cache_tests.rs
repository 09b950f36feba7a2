//! The grammar of caches, one line a rule.

use super::*;
use crate::runner::context::Paths;

fn with<T>(run: impl FnOnce(&Shared<'_>, &str) -> T) -> T {
    let root = tempfile::tempdir().unwrap();
    let base = std::fs::canonicalize(root.path()).unwrap();
    let (workspace, temp) = (base.join("workspace"), base.join("temp"));
    std::fs::create_dir(&workspace).unwrap();
    std::fs::create_dir(&temp).unwrap();
    std::fs::write(workspace.join("file"), "x").unwrap();
    std::os::unix::fs::symlink("..", workspace.join("leaving")).unwrap();
    let paths =
        Paths { workspace, temp, host_temp: Some("/home/runner/work/_temp".into()), ..Paths::default() };
    run(&Shared::new(&paths), base.to_str().unwrap())
}

#[test]
fn entries_as_buildx_reads_them() {
    with(|shared, base| {
        for (text, used, expected) in [
            ("acme/api:cache", Use::Read, "type=registry,ref=acme/api:cache".to_owned()),
            (
                "type=registry,REF=ghcr.io/acme/api:cache,mode=max",
                Use::Write,
                "type=registry,mode=max,ref=ghcr.io/acme/api:cache".into(),
            ),
            ("type=gha,scope=x", Use::Read, "type=gha,scope=x".into()),
            ("type=inline", Use::Write, "type=inline".into()),
            ("type=inline", Use::Both, "type=inline".into()),
            ("type=local,src=.cache", Use::Read, format!("type=local,src={base}/workspace/.cache")),
            (
                "type=local,dest=/home/runner/work/_temp/a/b",
                Use::Write,
                format!("type=local,dest={base}/temp/a/b"),
            ),
            (
                "type=local,dest=c,mode=max",
                Use::Both,
                format!("type=local,dest={base}/workspace/c,mode=max,src={base}/workspace/c"),
            ),
            (
                "type=local,src=c,dest=d",
                Use::Both,
                format!("type=local,dest={base}/workspace/d,src={base}/workspace/c"),
            ),
            (
                "type=s3,bucket=b,secret_access_key=hunter2",
                Use::Write,
                "type=s3,bucket=b,secret_access_key=***".into(),
            ),
            ("type=azblob,name=n,\"token=a,b\"", Use::Write, "type=azblob,name=n,token=***".into()),
        ] {
            let found =
                entry("cache_to", text, used, shared).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(format!("{found:?}"), expected);
        }
    });
}

#[test]
fn wrong_entries() {
    with(|shared, _| {
        for (text, used, part) in [
            ("ref=a", Use::Read, "an entry has no `type`"),
            ("type=ftp", Use::Read, "`type=ftp` is not a kind of cache"),
            ("type=registry", Use::Read, "`type=registry` has no `ref`"),
            ("type=registry,ref=a b", Use::Read, "not a reference to an image"),
            ("type=gha,mode=most", Use::Write, "`mode=most` is not a mode"),
            ("type=inline", Use::Read, "can only be written"),
            ("type=local,dest=x", Use::Read, "`type=local` has no `src`"),
            ("type=local", Use::Both, "`type=local` has no `src`"),
            ("type=local,dest=/var/cache", Use::Write, "leads out"),
            ("type=local,dest=leaving/x", Use::Write, "leads out"),
            ("type=local,dest=../x", Use::Write, "leads out"),
            ("type=local,dest=file", Use::Write, "is not a directory"),
            ("type=local,dest=file/x", Use::Write, "is not a directory"),
            ("type=s3,token=a,hunter2", Use::Write, "field 3 has no `=`"),
            ("type=s3,token=hunter2,token=hunter2", Use::Write, "`token` is given twice"),
        ] {
            let fault = entry("cache_to", text, used, shared).unwrap_err();
            assert!(fault.message.contains(part), "{text}: {fault}");
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
    });
}

#[test]
fn modes() {
    with(|shared, _| {
        for (text, expected) in [
            ("", CacheMode::Auto),
            ("auto", CacheMode::Auto),
            ("true", CacheMode::Auto),
            ("off", CacheMode::Off),
            ("False", CacheMode::Off),
            ("type=gha", CacheMode::Entry(CacheEntry { kind: "gha".into(), attrs: Attrs::new() })),
        ] {
            assert_eq!(mode(text, shared), Ok(expected), "{text}");
        }
        assert!(mode("yes", shared).unwrap_err().message.contains("neither `auto`"));
        assert!(mode("type=gha\ntype=inline", shared).unwrap_err().message.contains("more than one line"));
    });
}

#[test]
fn lists_of_entries() {
    with(|shared, _| {
        let mut findings = Findings::default();
        let found =
            entries("cache_from", "a/b, c/d:e\n# x\ntype=gha\n\ntype=x", Use::Read, shared, &mut findings);
        let kinds: Vec<&str> = found.iter().map(|entry| entry.kind.as_str()).collect();
        assert_eq!((kinds, findings.faults.len()), (vec!["registry", "registry", "gha"], 1));
    });
}

#[test]
fn timeouts() {
    let default = Duration::from_mins(3);
    for (text, seconds) in
        [("", 180), ("3m", 180), ("90s", 90), ("1h30m", 5400), ("45", 45), (" 1h0m5s ", 3605), ("24h", 86400)]
    {
        assert_eq!(timeout(text, default), Ok(Duration::from_secs(seconds)), "{text}");
    }
    for (text, part) in [
        ("0", "no time to write"),
        ("0s", "no time to write"),
        ("3", ""),
        ("25h", "longer than a day"),
        ("4294967295h", "longer than a day"),
        ("3x", "not a time"),
        ("m", "not a time"),
        ("1.5m", "not a time"),
        ("-1s", "not a time"),
        ("+5", "not a time"),
        ("1s1m", "not a time"),
        ("1m1m", "not a time"),
        ("5m3", "not a time"),
        ("99999999999s", "not a time"),
        ("5ß", "not a time"),
    ] {
        match timeout(text, default) {
            Err(fault) => assert!(!part.is_empty() && fault.message.contains(part), "{text}: {fault}"),
            Ok(_) => assert!(part.is_empty(), "{text}"),
        }
    }
    assert_eq!(timeout("0", default).unwrap_err().hint.unwrap(), "`cache: off` writes none");
}
