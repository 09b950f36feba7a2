//! Credentials: never in an image, in a log, or at a host that is not theirs.

use crate::job::{Job, parts};
use crate::leftovers::command_lines;
use crate::runner::log::Level;
use crate::runner::parts::try_docker;
use crate::runner::step::StepResult;
use base64::Engine as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// No line of the process holds a secret, but for those that ask the runner to hide it.
fn keeps(result: &StepResult, secrets: &[&str]) {
    for secret in secrets {
        for line in &result.raw_lines {
            assert!(
                !line.contains(secret) || line.starts_with("::add-mask::"),
                "a secret in the log: {line}"
            );
        }
        for (name, value) in &result.outputs {
            assert!(!value.contains(secret), "a secret in the output `{name}`");
        }
        assert!(!result.summary.contains(secret), "a secret in the summary");
    }
}

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn credentials_of_a_checkout_stay_out_of_the_image() {
    let parts = parts();
    let job = Job::new("git-config", &[("Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY . /src\n")])
        .input("platform", "linux/amd64");
    let config = job.machine.workspace().join(".git/config");
    let with_password = std::fs::read_to_string(&config)
        .unwrap()
        .replace("https://github.com/acme", "https://someone:url-password-123@github.com/acme");
    std::fs::write(&config, &with_password).unwrap();
    let header = base64(&format!("x-access-token:{}", job.machine.token));
    assert!(with_password.contains(&header) && with_password.contains("url-password-123"));
    job.machine.own();

    let result = job.run();
    assert!(result.success, "{}", result.log());
    let image = format!("{}/{}@{}", parts.registry, job.repository(), result.outputs["digest"]);
    let output = try_docker(&["run", "--rm", "--quiet", &image, "cat", "/src/.git/config"]);
    let inside = String::from_utf8_lossy(&output.stdout);
    for secret in [header.as_str(), "url-password-123", job.machine.token.as_str()] {
        assert!(!inside.contains(secret), "a credential in the image: {inside}");
    }
    assert_eq!(inside.len(), with_password.len(), "blanked, not cut: {inside:?}");
    assert!(inside.contains("[core]"), "the rest is there: {inside}");
    assert_eq!(std::fs::read_to_string(&config).unwrap(), with_password, "the workspace's own file stays");
    let warned = result.annotations.iter().any(|note| note.message.contains(".dockerignore"));
    assert!(warned, "a warning names the remedy: {:?}", result.annotations);
    keeps(&result, &[&header, "url-password-123", &job.machine.token]);
}

#[test]
fn a_registry_with_a_password() {
    let parts = parts();
    let registry = format!("localhost:{}", parts.auth_registry.rsplit_once(':').unwrap().1);
    let job = Job::usual("auth")
        .input("registry", &registry)
        .input("username", &parts.auth_username)
        .input("password", &parts.auth_password);
    let running = job.step().start();
    let watch = Watch::for_arguments_with(&parts.auth_password);
    let result = running.wait();
    assert_eq!(watch.found(), Vec::<String>::new(), "a secret in an argument list");
    assert!(result.success, "{}", result.log());
    assert_eq!(parts.closed_registry().tags(&job.repository()).len(), 3);
    let basic = base64(&format!("{}:{}", parts.auth_username, parts.auth_password));
    keeps(&result, &[&parts.auth_password, &basic, &job.machine.token]);
    assert!(result.masks.contains(&parts.auth_password), "masked before it could be printed");
    assert!(result.raw_lines[0].starts_with("::add-mask::"), "masks come first: {}", result.raw_lines[0]);
    // No credential is left for the job's later containers.
    let left = std::process::Command::new("grep")
        .args(["-rl", &parts.auth_password])
        .arg(job.machine.temp())
        .output();
    assert_eq!(String::from_utf8_lossy(&left.unwrap().stdout), "");
}

/// Looks at the arguments of every process until it is told to stop.
struct Watch {
    stop: Arc<AtomicBool>,
    looker: std::thread::JoinHandle<Vec<String>>,
}

impl Watch {
    fn for_arguments_with(secret: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (until, secret) = (Arc::clone(&stop), secret.to_owned());
        let looker = std::thread::spawn(move || {
            let mut found = Vec::new();
            while !until.load(Ordering::Relaxed) {
                found.extend(command_lines().into_iter().filter(|line| line.contains(&secret)));
            }
            found
        });
        Self { stop, looker }
    }

    fn found(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.looker.join().unwrap()
    }
}

#[test]
fn a_wrong_password_is_an_error_with_advice() {
    let parts = parts();
    let registry = format!("localhost:{}", parts.auth_registry.rsplit_once(':').unwrap().1);
    for (username, password) in [(parts.auth_username.as_str(), "wrong-password-1"), ("", "")] {
        let job = Job::usual("auth-wrong")
            .input("registry", &registry)
            .input("username", username)
            .input("password", password);
        let result = job.run();
        assert!(!result.success, "{}", result.log());
        assert!(result.errors().contains(&registry), "{}", result.errors());
        for advice in [if username.is_empty() { "username" } else { username }, "password"] {
            assert!(result.errors().contains(advice), "what to change: {}", result.errors());
        }
        keeps(&result, &["wrong-password-1", &job.machine.token]);
        assert_eq!(parts.closed_registry().tags(&job.repository()), Vec::<String>::new());
    }
}

#[test]
fn a_registry_that_is_down_is_named() {
    // No test is ever given this port.
    let registry = "localhost:1";
    let job = Job::usual("down").input("registry", registry).input("platform", "linux/amd64");
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    assert!(result.errors().contains(registry), "{}", result.errors());
}

/// A registry without TLS that asks everybody for a password and remembers what it was told.
fn listener() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let heard = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let log = Arc::clone(&log);
            std::thread::spawn(move || answer(stream, &log));
        }
    });
    (host, heard)
}

fn answer(mut stream: std::net::TcpStream, log: &Mutex<String>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        request.extend_from_slice(&buffer[..count]);
        // A client that tries TLS first must see that there is none.
        let reply: &[u8] = if request[0] == 0x16 {
            b"HTTP/1.0 400 Bad Request\r\n\r\n"
        } else if request.ends_with(b"\r\n\r\n") {
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"theirs\"\r\nContent-Length: 2\r\n\r\n{}"
        } else {
            continue;
        };
        let _ = stream.write_all(reply);
        log.lock().unwrap().push_str(&String::from_utf8_lossy(&request));
        if request[0] == 0x16 {
            return;
        }
        request.clear();
    }
}

#[test]
fn the_jobs_token_goes_to_no_other_registry() {
    let (host, heard) = listener();
    let job = Job::usual("elsewhere-token").input("registry", &host).input("platform", "linux/amd64");
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains("/v2/"), "somebody asked: {heard}\n{}", result.log());
    let basic = base64(&format!("octocat:{}", job.machine.token));
    for secret in [job.machine.token.as_str(), basic.as_str(), "uthorization:"] {
        assert!(!heard.contains(secret), "a credential went to a host that is not its own: {heard}");
    }
}

#[test]
fn a_pull_request_without_access_is_built_and_succeeds() {
    let parts = parts();
    let registry = format!("localhost:{}", parts.auth_registry.rsplit_once(':').unwrap().1);
    let (job, ..) = Job::usual("pull-refused").pull_request("pull_request", 42, "feature/Bigger_Boxes");
    let job = job.input("registry", &registry).input("platform", "linux/amd64").without("username");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert_eq!(result.outputs["pushed"], "false");
    assert!(result.log().contains("COPY greeting"), "it was built: {}", result.log());
    let warned = result.of(Level::Warning).iter().any(|note| note.message.contains(&registry));
    assert!(warned, "{:?}", result.annotations);
    assert_eq!(parts.closed_registry().tags(&job.repository()), Vec::<String>::new());
}
