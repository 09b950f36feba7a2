//! The three inputs together.

use super::*;
use crate::model::Secret;
use crate::runner::context::Paths;

struct Given {
    secrets: &'static str,
    envs: &'static str,
    files: &'static str,
}

/// In a workspace with a few files; `TOKEN` is set to `hunter2`.
fn given(given: &Given) -> (Vec<BuildSecret>, Findings) {
    let root = tempfile::tempdir().unwrap();
    let (workspace, temp) = (root.path().join("workspace"), root.path().join("temp"));
    std::fs::create_dir(&workspace).unwrap();
    std::fs::create_dir(&temp).unwrap();
    std::fs::write(workspace.join("binary"), b"\x00\xff\n").unwrap();
    std::fs::write(temp.join("token"), "hunter2\n").unwrap();
    std::fs::write(root.path().join("outside"), "hunter2").unwrap();
    std::fs::write(workspace.join("empty"), "").unwrap();
    std::fs::write(workspace.join("huge"), vec![0; BuildSecret::MAX + 1]).unwrap();
    std::os::unix::fs::symlink("../outside", workspace.join("leaving")).unwrap();
    let paths = Paths {
        workspace,
        temp,
        host_temp: Some("/home/runner/work/_temp".into()),
        host_workspace: Some("/home/runner/work/shop/shop".into()),
        ..Paths::default()
    };
    let inputs = RawInputs {
        secrets: Secret::new(given.secrets),
        secret_envs: given.envs.into(),
        secret_files: given.files.into(),
        variables: [("TOKEN".into(), Secret::new("hunter2")), ("EMPTY".into(), Secret::default())].into(),
        ..RawInputs::default()
    };
    let mut findings = Findings::default();
    let secrets = read(&inputs, &Shared::new(&paths), &mut findings);
    (secrets, findings)
}

#[test]
fn three_ways() {
    let (secrets, findings) = given(&Given {
        secrets: "A=1\nEMPTY=\n",
        envs: "b=TOKEN,TOKEN\n# no\nEMPTY_TOO=EMPTY",
        files: "c=binary\nd=/home/runner/work/_temp/token\ne=/home/runner/work/shop/shop/binary",
    });
    assert_eq!(findings.faults, []);
    let expected: Vec<(&str, &[u8])> = vec![
        ("A", b"1"),
        ("EMPTY", b""),
        ("b", b"hunter2"),
        ("TOKEN", b"hunter2"),
        ("EMPTY_TOO", b""),
        ("c", b"\x00\xff\n"),
        ("d", b"hunter2\n"),
        ("e", b"\x00\xff\n"),
    ];
    let found: Vec<(&str, &[u8])> = secrets.iter().map(|s| (s.id.as_str(), s.value.as_slice())).collect();
    assert_eq!(found, expected);
    assert!(!format!("{secrets:?}").contains("hunter2"));
    let messages: Vec<&str> = findings.notices.iter().map(|notice| notice.message.as_str()).collect();
    let expected = |id| format!("the build secret `{id}` is empty: is it set, and does this run get it?");
    assert_eq!(messages, [expected("EMPTY"), expected("EMPTY_TOO")]);
}

#[test]
fn an_empty_secret_is_a_warning_whichever_input_it_is_in() {
    for (secrets, envs, files) in [
        ("a=", "", ""),
        ("", "a=", ""),
        ("", "a=EMPTY", ""),
        ("", "", "a="),
        ("", "", "a = "),
        ("", "", "a=empty"),
    ] {
        let (found, findings) = given(&Given { secrets, envs, files });
        assert_eq!(findings.faults, [], "{secrets}{envs}{files}");
        assert_eq!(found, [BuildSecret { id: "a".into(), value: Vec::new() }]);
        let [notice] = findings.notices.as_slice() else { panic!("{:?}", findings.notices) };
        assert_eq!(notice.level, crate::inputs::fault::Level::Warning);
        assert!(notice.message.contains("the build secret `a` is empty"), "{}", notice.message);
    }
}

#[test]
fn faults() {
    for (secrets, envs, files, input, part) in [
        ("A=1\nA=2", "", "", "secrets", "the id `A` is given twice"),
        ("A=1", "A=TOKEN", "", "secret_envs", "the id `A` is given twice"),
        ("TOKEN=1", "TOKEN", "", "secret_envs", "the id `TOKEN` is given twice"),
        ("", "a=TOKEN", "a=binary", "secret_files", "the id `a` is given twice"),
        ("hunter2", "", "", "secrets", "before the first `id=`"),
        ("", "a=MISSING", "", "secret_envs", "the variable `MISSING` for `a` is not set"),
        ("", "a=hunter2!", "", "secret_envs", "not a name of a variable"),
        ("", "a b=TOKEN", "", "secret_envs", "an id is up to 128"),
        ("", "", "a", "secret_files", "line 1 has no `=`"),
        ("", "", "a=nothing", "secret_files", "`nothing` does not exist"),
        ("", "", "a=~/.npmrc", "secret_files", "does not exist"),
        ("", "", "a=leaving", "secret_files", "leads out of the workspace"),
        ("", "", "a=../outside", "secret_files", "leads out"),
        ("", "", "a=/etc/passwd", "secret_files", "leads out"),
        ("", "", "a=.", "secret_files", "is a directory"),
        ("", "", "a=huge", "secret_files", "is larger than 500 KiB"),
    ] {
        let (_, findings) = given(&Given { secrets, envs, files });
        let [fault] = findings.faults.as_slice() else { panic!("{part}: {:?}", findings.faults) };
        assert_eq!(fault.input, input);
        assert!(fault.message.contains(part), "{fault}");
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
    }
}
