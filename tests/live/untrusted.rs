//! Registries that are not on loopback and speak no TLS, or show a certificate that nobody believes: what the builder may
//! do with them, the step does as well, and what it may not is said before anything is built. The steps run on the host, so
//! that nothing stands between them and the registry.

use crate::builder::{Builder, engine_builds, not_here};
use crate::job::{Job, parts, published};
use crate::runner::step::StepResult;
use crate::runner::wait::until;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Needs no base, which the builder's container could not reach.
const FILES: &[(&str, &str)] =
    &[("Dockerfile", "FROM scratch\nCOPY greeting /greeting\n"), ("greeting", "hello\n")];

/// A job that pushes to this registry.
fn job(name: &str, registry: &str, builder: Builder) -> Job {
    let job = Job::alone(name, FILES).input("registry", registry).input("platform", "linux/amd64");
    job.without("build_args").without("builder").built_by(builder)
}

/// The registry that listens on the gateway's address.
fn gateway_registry() -> String {
    format!("{}:{}", parts().gateway, parts().gateway_port)
}

fn allowed(registry: &str, keys: &str) -> String {
    format!("[registry.\"{registry}\"]\n{keys}\n")
}

fn refused(result: &StepResult, why: &str) {
    assert!(!result.success, "{}", result.log());
    assert!(result.errors().contains(why), "{}", result.errors());
    assert!(!result.log().contains("COPY greeting"), "it was built: {}", result.log());
}

/// Carries connections to the gateway's address on to a registry on loopback.
fn front(upstream: &str) -> String {
    let listener = TcpListener::bind((parts().gateway.as_str(), 0)).unwrap();
    let (address, upstream) = (listener.local_addr().unwrap(), upstream.to_owned());
    std::thread::spawn(move || {
        for here in listener.incoming().flatten() {
            let there = TcpStream::connect(&upstream).unwrap();
            for (mut from, mut to) in [(here.try_clone().unwrap(), there.try_clone().unwrap()), (there, here)]
            {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    address.to_string()
}

#[test]
fn a_registry_without_tls_is_spoken_to_as_the_builder_may() {
    let registry = gateway_registry();
    for (name, keys) in [("no-tls", "http = true"), ("no-tls-insecure", "http = true\ninsecure = true")] {
        let job = job(name, &registry, Builder::Container);
        refused(&job.native().run(), "it answers plain HTTP");
        let job = job.input("buildkitd_config", &allowed(&registry, keys));
        let result = job.native().run();
        published(&result);
        let store = crate::runner::registry::Registry::open(&registry);
        assert_eq!(store.tags(&job.repository()).len(), 3, "{}", result.log());
    }
}

#[test]
fn a_login_goes_without_tls_where_that_is_allowed() {
    let parts = parts();
    let registry = front(&parts.auth_registry);
    let job = job("no-tls-login", &registry, Builder::Container)
        .input("username", &parts.auth_username)
        .input("password", &parts.auth_password);
    refused(&job.native().run(), "it answers plain HTTP");
    let job = job.input("buildkitd_config", &allowed(&registry, "http = true"));
    published(&job.native().run());
    assert_eq!(parts.closed_registry().tags(&job.repository()).len(), 3);
}

/// A registry with a certificate that it has signed itself.
struct SelfSigned {
    child: Child,
    directory: tempfile::TempDir,
}

impl Drop for SelfSigned {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl SelfSigned {
    fn start() -> (Self, String) {
        let gateway = &parts().gateway;
        let made = rcgen::generate_simple_self_signed([gateway.clone()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        std::fs::write(place("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(place("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let config = format!(
            "version: 0.1\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: \"{gateway}:0\", tls: {{ certificate: {}, key: {} }} }}\n",
            place("store").display(),
            place("cert.pem").display(),
            place("key.pem").display(),
        );
        std::fs::write(place("config.yml"), config).unwrap();
        let log = std::fs::File::create(place("log")).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(place("config.yml")).env("OTEL_TRACES_EXPORTER", "none");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let registry = Self { child, directory };
        let mut address = None;
        assert!(
            until(|| {
                address = registry.address();
                address.is_some()
            }),
            "{}",
            registry.log()
        );
        (registry, address.unwrap())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn address(&self) -> Option<String> {
        let log = self.log();
        let (_, rest) = log.split_once("listening on ")?;
        let address: String = rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        Some(address)
    }

    fn tags(&self, repository: &str) -> usize {
        let tags = format!("store/docker/registry/v2/repositories/{repository}/_manifests/tags");
        std::fs::read_dir(self.directory.path().join(tags)).map_or(0, Iterator::count)
    }
}

#[test]
fn a_certificate_that_nobody_believes_is_taken_where_that_is_allowed() {
    let (running, registry) = SelfSigned::start();
    let job = job("any-certificate", &registry, Builder::Container);
    refused(&job.native().run(), "TLS: invalid peer certificate");
    let job = job.input("buildkitd_config", &allowed(&registry, "http = true"));
    let result = job.native().run();
    assert!(!result.success, "{}", result.log());
    let job = job.input("buildkitd_config", &allowed(&registry, "insecure = true"));
    published(&job.native().run());
    assert_eq!(running.tags(&job.repository()), 3);
}

/// The engine with these insecure registries, as long as this lives.
struct Insecure(String);

impl Insecure {
    fn set(registries: &str) -> Self {
        let file = parts().run.join("daemon.json");
        let before = std::fs::read_to_string(&file).unwrap();
        let rest = before.trim_start().strip_prefix('{').unwrap();
        let after = format!("{{ \"insecure-registries\": [\"{registries}\"], {rest}");
        Self::reload(&file, &after);
        let known = || crate::runner::parts::docker(&["info", "--format", "json"]).contains(registries);
        assert!(until(known), "{}", std::fs::read_to_string(&parts().daemon_log).unwrap_or_default());
        Self(before)
    }

    fn reload(file: &Path, text: &str) {
        std::fs::File::create(file).unwrap().write_all(text.as_bytes()).unwrap();
        let pid = std::fs::read_to_string(parts().run.join("docker.pid")).unwrap();
        assert!(Command::new("kill").args(["-HUP", pid.trim()]).status().unwrap().success());
    }
}

impl Drop for Insecure {
    fn drop(&mut self) {
        Self::reload(&parts().run.join("daemon.json"), &self.0);
    }
}

#[test]
fn the_daemons_insecure_registries_hold_where_the_daemon_builds() {
    if !engine_builds() {
        return not_here("the engine does not build");
    }
    if !parts().run.join("docker.pid").exists() {
        return not_here("the engine is somebody else's");
    }
    let registry = gateway_registry();
    let job = job("insecure-registries", &registry, Builder::Auto);
    refused(&job.native().run(), "it answers plain HTTP");
    let foretold = |job: &Job| {
        let mut dry = job.native();
        dry.inputs.insert("dry_run".into(), "true".into());
        let result = dry.run();
        assert!(result.success, "{}", result.log());
        result.log().contains("it answers plain HTTP")
    };
    assert!(foretold(&job), "a dry run cannot know what the registry has");
    let _named = Insecure::set(&registry);
    assert!(!foretold(&job), "a dry run looks as the daemon would");
    published(&job.native().run());
    let store = crate::runner::registry::Registry::open(&registry);
    assert_eq!(store.tags(&job.repository()).len(), 3);
    // A container knows nothing of it.
    refused(&job.built_by(Builder::Container).native().run(), "it answers plain HTTP");
}
