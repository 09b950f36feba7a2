//! GitHub's REST API for `acme/shop` and `acme/bench` as far as the action asks for commits and refs: the answers are those of a real repository, which
//! `git` gives.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

/// One server for one repository. Its threads end with the test's process.
pub struct GithubApi {
    pub url: String,
}

impl GithubApi {
    /// Serves the repository at `origin`, on this address of the machine.
    pub fn start(host: &str, origin: &Path) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let origin = origin.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let origin = origin.clone();
                std::thread::spawn(move || drop(serve(&stream, &origin)));
            }
        });
        Self { url }
    }
}

fn serve(mut stream: &TcpStream, origin: &Path) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while reader.read_line(&mut line)? > 2 {}
        let found = answer(origin, &target);
        let (status, body) = match found {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", json!({"message": "Not Found"})),
        };
        let body = body.to_string();
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}

fn git(origin: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(origin).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn answer(origin: &Path, target: &str) -> Option<Value> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // Whatever it is called.
    let Some(rest) = path.strip_prefix("/repos/")?.splitn(3, '/').nth(2) else {
        return Some(json!({"default_branch": "main"}));
    };
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    if let Some(reference) = rest.strip_prefix("git/ref/") {
        let sha = git(origin, &["rev-parse", "--verify", &format!("refs/{reference}")])?;
        let kind = git(origin, &["cat-file", "-t", &sha])?;
        return Some(json!({"object": {"sha": sha, "type": kind}}));
    }
    if let Some(tag) = rest.strip_prefix("git/tags/") {
        let sha = git(origin, &["rev-parse", &format!("{tag}^{{}}")])?;
        return Some(json!({"object": {"sha": sha, "type": "commit"}}));
    }
    if let Some((base, head)) = rest.strip_prefix("compare/").and_then(|pair| pair.split_once("...")) {
        git(origin, &["cat-file", "-e", base])?;
        git(origin, &["cat-file", "-e", head])?;
        let before =
            |one: &str, other: &str| git(origin, &["merge-base", "--is-ancestor", one, other]).is_some();
        let status = match (before(base, head), before(head, base)) {
            (true, true) => "identical",
            (true, false) => "ahead",
            (false, true) => "behind",
            (false, false) => "diverged",
        };
        return Some(json!({"status": status, "commits": []}));
    }
    if let Some(commit) =
        rest.strip_prefix("commits/").and_then(|rest| rest.strip_suffix("/branches-where-head"))
    {
        let names =
            git(origin, &["for-each-ref", "--points-at", commit, "--format=%(refname:short)", "refs/heads"])?;
        return Some(names.lines().map(|name| json!({"name": name})).collect());
    }
    if let Some(commit) = rest.strip_prefix("git/commits/") {
        let line = git(origin, &["show", "-s", "--format=%cI %P", &format!("{commit}^{{commit}}")])?;
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let committer = json!({"date": words.next()});
        let parents: Vec<Value> = words.map(|parent| json!({"sha": parent})).collect();
        return Some(json!({"sha": commit, "committer": committer, "parents": parents}));
    }
    if rest == "branches" {
        let (page, size): (usize, usize) =
            (parameter("page")?.parse().ok()?, parameter("per_page")?.parse().ok()?);
        let names = git(origin, &["for-each-ref", "--format=%(refname:short)", "refs/heads"])?;
        let names = names.lines().skip((page - 1) * size).take(size);
        return Some(names.map(|name| json!({"name": name})).collect());
    }
    if rest == "commits" {
        let count = format!("-{}", parameter("per_page")?);
        let lines = git(origin, &["log", &count, "--format=%H %P", parameter("sha")?])?;
        let commit = |line: &str| {
            let mut words = line.split(' ').filter(|word| !word.is_empty());
            let sha = words.next().unwrap_or_default();
            json!({"sha": sha, "parents": words.map(|parent| json!({"sha": parent})).collect::<Vec<_>>()})
        };
        return Some(lines.lines().map(commit).collect());
    }
    None
}
