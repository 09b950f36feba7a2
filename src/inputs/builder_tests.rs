//! Addresses, nodes and what several of them say together.

use std::os::unix::net::UnixListener;

use super::*;
use crate::model::{Secret, Tls};
use crate::runner::context::Paths;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n";

struct Job {
    _root: tempfile::TempDir,
    _socket: UnixListener,
    paths: Paths,
}

/// A workspace with certificates, and a socket in `RUNNER_TEMP`.
fn job() -> Job {
    let root = tempfile::tempdir().unwrap();
    let base = std::fs::canonicalize(root.path()).unwrap();
    let (workspace, temp) = (base.join("workspace"), base.join("temp"));
    std::fs::create_dir(&workspace).unwrap();
    std::fs::create_dir(&temp).unwrap();
    std::fs::write(workspace.join("ca.pem"), PEM).unwrap();
    std::fs::write(workspace.join("no.pem"), "hunter2").unwrap();
    std::fs::write(workspace.join("buildkitd.toml"), "debug = true\n").unwrap();
    let socket = UnixListener::bind(temp.join("buildkitd.sock")).unwrap();
    let _outside = UnixListener::bind(base.join("outside.sock")).unwrap();
    std::os::unix::fs::symlink("../outside.sock", workspace.join("leaving.sock")).unwrap();
    let paths =
        Paths { workspace, temp, host_temp: Some("/home/runner/work/_temp".into()), ..Paths::default() };
    Job { _root: root, _socket: socket, paths }
}

fn choose(job: &Job, builder: &str, variables: &[(&str, &str)]) -> (BuilderChoice, Vec<InputFault>) {
    let inputs = RawInputs {
        builder: builder.into(),
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect(),
        ..RawInputs::default()
    };
    let platforms = ["linux/amd64", "linux/arm64"].map(|name| Platform::parse(name).unwrap());
    let mut findings = Findings::default();
    let choice = choice(&inputs, &platforms, &Shared::new(&job.paths), &mut findings);
    (choice, findings.faults)
}

fn nodes(job: &Job, builder: &str, variables: &[(&str, &str)]) -> Vec<BuilderNode> {
    match choose(job, builder, variables) {
        (BuilderChoice::Nodes(nodes), faults) if faults.is_empty() => nodes,
        other => panic!("{builder}: {other:?}"),
    }
}

#[test]
fn addresses() {
    let job = job();
    for text in ["", "auto", "# none\n"] {
        assert_eq!(choose(&job, text, &[]), (BuilderChoice::Auto, vec![]));
    }
    let tcp = |host: &str, port| BuilderAddress::Tcp { host: host.into(), port, tls: None };
    let with_tls = |tls| BuilderAddress::Tcp { host: "b".into(), port: 1234, tls: Some(tls) };
    let ca = || Some(PEM.to_owned());
    for (text, expected) in [
        ("docker", BuilderAddress::Docker),
        ("docker-container", BuilderAddress::OwnContainer),
        ("docker-container://ci_1", BuilderAddress::Container("ci_1".into())),
        (
            "unix:///home/runner/work/_temp/buildkitd.sock",
            BuilderAddress::Unix(job.paths.temp.join("buildkitd.sock")),
        ),
        ("tcp://Builder.internal:1234", tcp("builder.internal", 1234)),
        ("tcp://[::1]:1234/", tcp("::1", 1234)),
        (
            "tcp://b:1234,cacert=ca.pem,servername=x",
            with_tls(Tls { ca: ca(), server_name: Some("x".into()), ..Tls::default() }),
        ),
        (
            "tcp://b:1234,cert=ca.pem,key=ca.pem",
            with_tls(Tls { certificate: ca(), key: Some(Secret::new(PEM)), ..Tls::default() }),
        ),
    ] {
        assert_eq!(nodes(&job, text, &[]), [BuilderNode { address: expected, platforms: vec![] }], "{text}");
    }
}

#[test]
fn tls_from_variables() {
    let job = job();
    let variables = [
        ("BUILDER_NODE_1_AUTH_TLS_CACERT", PEM),
        ("BUILDER_NODE_1_AUTH_TLS_CERT", PEM),
        ("BUILDER_NODE_1_AUTH_TLS_KEY", PEM),
    ];
    let nodes = nodes(&job, "linux/amd64=tcp://a:1\nlinux/arm64,linux/arm=tcp://b:1", &variables);
    assert!(matches!(&nodes[0].address, BuilderAddress::Tcp { tls: None, .. }));
    let BuilderAddress::Tcp { tls: Some(tls), .. } = &nodes[1].address else { panic!("{nodes:?}") };
    assert_eq!(tls.key.as_ref().unwrap().expose(), PEM);
    assert_eq!(
        nodes[1].platforms.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["linux/arm64", "linux/arm/v7"]
    );
    let (_, faults) = choose(&job, "tcp://a:1", &[("BUILDER_NODE_0_AUTH_TLS_KEY", "hunter2")]);
    assert_eq!(faults[0].message, "`BUILDER_NODE_0_AUTH_TLS_KEY` is not PEM");
}

#[test]
fn wrong_builders() {
    let job = job();
    let leaving = format!("unix://{}/leaving.sock", job.paths.workspace.display());
    for (text, part) in [
        ("kube-pod://x", "`kube-pod://x` is not an address of a builder"),
        ("my-builder", "`my-builder` is not an address"),
        ("auto\ndocker", "`auto` cannot be one of several"),
        ("docker-container://-x", "not a name of a container"),
        ("docker-container://", "not a name of a container"),
        ("unix://run/x.sock", "has no absolute path"),
        ("unix:///run/nothing.sock", "there is no socket at `/run/nothing.sock`"),
        (&leaving, "leads out"),
        ("unix:///etc/passwd", "there is no socket at"),
        ("tcp://b", "`tcp://b` has no host and port"),
        ("tcp://:1234", "has no host and port"),
        ("tcp://b:0", "has no host and port"),
        ("tcp://b:99999", "has no host and port"),
        ("tcp://u:p@b:1", "has no host and port"),
        ("tcp://[x]:1", "has no host and port"),
        ("tcp://b:1,cert=ca.pem", "`cert` is given without its `key`"),
        ("tcp://b:1,key=ca.pem", "`key` is given without its `cert`"),
        ("tcp://b:1,cacert=nothing.pem", "`nothing.pem` does not exist"),
        ("tcp://b:1,cacert=no.pem", "`cacert=no.pem` is not PEM"),
        ("tcp://b:1,cacert=/etc/passwd", "leads out"),
        ("tcp://b:1,password=hunter2", "`password` is not an attribute"),
        ("tcp://b:1,hunter2", "field 2 has no `=`"),
        ("amd64=docker", "not a known platform"),
        ("linux/amd64=", "is not an address"),
        (
            "linux/amd64=docker\nlinux/amd64,linux/arm64=docker-container",
            "two nodes are to build `linux/amd64`",
        ),
        ("linux/amd64=docker", "no node is to build `linux/arm64`"),
        ("tcp://b:1\ntcp://b:1,cacert=ca.pem", "the node in entry 2 is there already"),
    ] {
        let (_, faults) = choose(&job, text, &[]);
        let [fault] = faults.as_slice() else { panic!("{text}: {faults:?}") };
        assert!(fault.message.contains(part), "{text}: {fault}");
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
    }
    // A line without platforms takes what is left.
    assert_eq!(nodes(&job, "linux/amd64=docker\ntcp://b:1", &[]).len(), 2);
}

#[test]
fn registries_are_spoken_to_as_the_container_is_told_unless_the_daemon_builds() {
    let job = job();
    for (builder, expected) in [
        ("", 1),
        ("docker-container", 1),
        ("docker", 0),
        ("tcp://b:1", 1),
        ("linux/amd64=docker\nlinux/arm64=tcp://b:1", 1),
    ] {
        let inputs = RawInputs {
            builder: builder.into(),
            buildkitd_config: "registry.\"r.io\".http = true".into(),
            ..RawInputs::default()
        };
        let platforms = ["linux/amd64", "linux/arm64"].map(|name| Platform::parse(name).unwrap());
        let mut findings = Findings::default();
        let read = read(&inputs, &platforms, false, &Shared::new(&job.paths), &mut findings);
        assert_eq!(read.protocols.len(), expected, "{builder}");
        let said = findings.notices.iter().any(|notice| notice.message.contains("has no effect"));
        assert_eq!(said, builder == "docker", "{builder}");
    }
}

#[test]
fn the_rest() {
    let job = job();
    let shared = Shared::new(&job.paths);
    for (text, expected) in [
        ("", None),
        ("debug = true", Some("debug = true")),
        ("[worker.oci]\n  gc = true", Some("[worker.oci]\n  gc = true")),
        ("[worker]", Some("[worker]")),
        ("buildkitd.toml", Some("debug = true\n")),
    ] {
        assert_eq!(config(text, &shared), Ok(expected.map(str::to_owned)), "{text}");
    }
    assert!(config("nothing.toml", &shared).unwrap_err().message.contains("does not exist"));
    for (text, expected) in [("", true), ("auto", true), ("true", true), ("off", false), ("FALSE", false)] {
        assert_eq!(emulation(text), Ok(expected));
    }
    assert_eq!(emulation("no").unwrap_err().hint.unwrap(), "write `auto` or `off`");
}
