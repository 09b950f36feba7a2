//! A registry that is gone for a while, really: its process is killed and started again, on the same port.

use crate::job::Job;
use crate::runner::registry::Registry;
use crate::runner::wait;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// What the step says before it goes on for a while. The Dockerfile does not spell it.
const WORD: &str = "said-42";

/// A registry of its own, as Debian has it.
struct Mortal {
    directory: tempfile::TempDir,
    /// None before it has chosen one.
    port: u16,
    child: Option<Child>,
}

impl Mortal {
    fn start() -> Self {
        let mut registry = Self { directory: tempfile::tempdir().unwrap(), port: 0, child: None };
        registry.begin();
        registry
    }

    /// Starts it, on the port that it had.
    fn begin(&mut self) {
        let (directory, log) = (self.directory.path(), self.directory.path().join("log"));
        let config = format!(
            "version: 0.1\nlog: {{ level: info, accesslog: {{ disabled: true }} }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: \"127.0.0.1:{}\", secret: mortal }}\n",
            directory.join("data").display(),
            self.port
        );
        std::fs::write(directory.join("config.yml"), config).unwrap();
        let output = std::fs::File::create(&log).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(directory.join("config.yml")).env("OTEL_TRACES_EXPORTER", "none");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).spawn().unwrap();
        self.child = Some(child);
        let mut said = String::new();
        let listens = wait::until(|| {
            said = std::fs::read_to_string(&log).unwrap_or_default();
            let port = said.split_once("listening on 127.0.0.1:").map(|(_, rest)| rest);
            let digits = port.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
            self.port = digits.and_then(|digits| digits.parse().ok()).unwrap_or(self.port);
            self.port != 0 && TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        assert!(listens, "{said}");
    }

    /// Kills it: what it was in the middle of is lost.
    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// It was reached before the build: a name that nobody knows is given up after four seconds, this is not.
#[test]
fn a_registry_that_is_killed_during_the_build_is_waited_for() {
    let mut registry = Mortal::start();
    let dockerfile =
        "ARG BASE\nFROM ${BASE}\nRUN echo said-$((40 + 2)) && sleep 3 && head -c 256 /dev/urandom >/random\n";
    let job = Job::new("outage", &[("Dockerfile", dockerfile)])
        .input("registry", &registry.host())
        .input("platform", "linux/amd64")
        .input("cache", "off");
    let running = job.native().start();
    assert!(running.wait_for_line(|line| line.ends_with(WORD)));
    registry.kill();
    // The fourth attempt is announced when three have failed, which takes longer than those four seconds.
    assert!(running.wait_for_line(|line| line.contains("attempt 4 in ")));
    registry.begin();
    let result = running.wait();
    assert!(result.success, "{}", result.log());
    let ran = result.log_lines.iter().filter(|line| line.ends_with(WORD)).count();
    assert_eq!(ran, 1, "{}", result.log());
    let there = Registry::open(&format!("127.0.0.1:{}", registry.port)).manifest(&job.repository(), "main");
    assert_eq!(there.unwrap().digest, result.outputs["digest"]);
}
