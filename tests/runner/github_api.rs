//! GitHub's REST API for `acme/shop` and `acme/bench` as far as the action asks for commits and refs: the answers are those of a real repository, which
//! `git` gives.

use super::form::pairs;
use super::github_server::history;
use super::github_server::store::Store;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

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

fn answer(origin: &Path, target: &str) -> Option<Value> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // Whatever it is called.
    let Some(rest) = path.strip_prefix("/repos/")?.splitn(3, '/').nth(2) else {
        return Some(json!({"default_branch": "main"}));
    };
    history::answer(&Store::open(origin), rest, &pairs(query))
}
