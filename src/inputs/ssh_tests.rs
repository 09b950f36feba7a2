//! Agents and keys that can be reached, and those that cannot.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;
use crate::model::Secret;
use crate::runner::context::Paths;

#[test]
fn agents_and_keys() {
    let root = tempfile::tempdir().unwrap();
    let base = fs::canonicalize(root.path()).unwrap();
    let (workspace, temp) = (base.join("workspace"), base.join("temp"));
    fs::create_dir(&workspace).unwrap();
    fs::create_dir(&temp).unwrap();
    let _agent = UnixListener::bind(temp.join("agent.sock")).unwrap();
    let _outside = UnixListener::bind(base.join("outside.sock")).unwrap();
    for key in ["deploy", "other"] {
        fs::write(workspace.join(key), "key").unwrap();
    }
    fs::write(base.join("key"), "key").unwrap();
    symlink("../outside.sock", workspace.join("leaving.sock")).unwrap();
    let paths = Paths {
        workspace: workspace.clone(),
        temp: temp.clone(),
        host_temp: Some("/home/runner/work/_temp".into()),
        ..Paths::default()
    };
    let shared = Shared::new(&paths);
    let inputs = |ssh: &str, socket: Option<&str>| RawInputs {
        ssh: ssh.into(),
        variables: socket.map(|socket| (AGENT.to_owned(), Secret::new(socket))).into_iter().collect(),
        ..RawInputs::default()
    };
    let socket = temp.join("agent.sock");
    let own = socket.to_str().unwrap();
    let agent = || SshKeys::Agent(socket.clone());
    let outside = base.join("outside.sock");
    let files = |names: &[&str]| SshKeys::Files(names.iter().map(|name| workspace.join(name)).collect());
    for (text, variable, expected) in [
        ("default", Some(own), vec![("default", agent())]),
        ("default=/home/runner/work/_temp/agent.sock", None, vec![("default", agent())]),
        ("default=deploy", None, vec![("default", files(&["deploy"]))]),
        ("a=deploy, other\nb", Some(own), vec![("a", files(&["deploy", "other"])), ("b", agent())]),
        // Whoever names it whole means it.
        ("default", outside.to_str(), vec![("default", SshKeys::Agent(outside.clone()))]),
    ] {
        let mut findings = Findings::default();
        let found = read(&inputs(text, variable), &shared, &mut findings);
        assert_eq!(findings.faults, [], "{text}");
        let expected: Vec<SshSource> =
            expected.into_iter().map(|(id, keys)| SshSource { id: id.into(), keys }).collect();
        assert_eq!(found, expected, "{text}");
    }
    let elsewhere = "/tmp/ssh-nobody/agent.1";
    let key = base.join("key").display().to_string();
    for (text, variable, part, hinted) in [
        ("default", None, "`default` names no key and `SSH_AUTH_SOCK` is not set", true),
        ("default", Some(elsewhere), "no agent's socket at `/tmp/ssh-nobody/agent.1` in the container", true),
        ("default=nothing", None, "`nothing` does not exist", false),
        (&format!("default={key}"), None, "there is no socket or key at", true),
        ("default=../key", None, "leads out", false),
        ("default=leaving.sock", None, "leads out", false),
        ("default=.", None, "is a directory", false),
        ("default=deploy\ndefault=other", None, "given twice", false),
        ("=deploy", None, "is not an id", false),
        ("a b=deploy", None, "is not an id", false),
    ] {
        let mut findings = Findings::default();
        read(&inputs(text, variable), &shared, &mut findings);
        let [fault] = findings.faults.as_slice() else { panic!("{text}: {:?}", findings.faults) };
        assert!(fault.message.contains(part), "{text}: {fault}");
        assert_eq!(fault.hint.as_deref() == Some(HINT), hinted, "{fault}");
    }
}
