//! The rules of the GitHub on the wire, asked over its own sockets by a client that knows nothing of it.

mod apps;
mod contents;
mod graphql;
mod pulls;
mod queries;
mod races;
mod refs;

use crate::runner::github_server::{GithubServer, Hosted};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

/// An answer: status, headers by lower-cased name, body.
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The status with GitHub's message, and the first of its errors.
    fn told(&self) -> (u16, String) {
        let body = self.json();
        let error = &body["errors"][0];
        let detail = error["message"].as_str().map_or_else(
            || format!("{}:{}", error["field"].as_str().unwrap_or(""), error["code"].as_str().unwrap_or("")),
            str::to_owned,
        );
        let message = body["message"].as_str().unwrap_or_default();
        (self.status, if error.is_null() { message.to_owned() } else { format!("{message}: {detail}") })
    }
}

/// Somebody with a token.
#[derive(Clone)]
struct Client {
    root: String,
    graphql: String,
    authorization: String,
}

impl Client {
    fn new(server: &GithubServer, token: &str) -> Self {
        let authorization = if token.is_empty() { String::new() } else { format!("Bearer {token}") };
        Self { root: server.api_url(), graphql: server.graphql_url(), authorization }
    }

    fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None)
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, Some(body))
    }

    fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send("PATCH", path, Some(body))
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let reply = self.try_send(method, &format!("{}{path}", self.root), body, "accept: */*");
        reply.unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    /// None when the connection breaks.
    fn try_send(&self, method: &str, url: &str, body: Option<&Value>, header: &str) -> Option<Reply> {
        let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request =
            format!("{method} /{path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: rules\r\n{header}\r\n");
        if !self.authorization.is_empty() {
            request += &["authorization: ", &self.authorization, "\r\n"].concat();
        }
        let _ = write!(request, "content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(crate::runner::wait::PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let (mut reader, mut head) = (BufReader::new(stream), String::new());
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap() == 0 {
                return None;
            }
        }
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut reply = Reply { status, head, body: Vec::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        reply.body.resize(length, 0);
        reader.read_exact(&mut reply.body).unwrap();
        Some(reply)
    }

    /// A mutation: the whole answer's JSON.
    fn mutate(&self, name: &str, kind: &str, input: &Value, shown: &str) -> Value {
        let query = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ {shown} }} }}");
        let body = json!({ "query": query, "variables": { "input": input } });
        self.try_send("POST", &self.graphql, Some(&body), "accept: */*").unwrap().json()
    }

    /// `createCommitOnBranch` with one file.
    fn commit(&self, repository: &str, branch: &str, head: &str, path: &str, text: &str) -> Value {
        let input = commit_input(repository, branch, head, path, text);
        self.mutate("createCommitOnBranch", "CreateCommitOnBranchInput", &input, "commit { oid url }")
    }
}

fn commit_input(repository: &str, branch: &str, head: &str, path: &str, text: &str) -> Value {
    use base64::Engine as _;
    let contents = base64::engine::general_purpose::STANDARD.encode(text);
    json!({
        "branch": { "repositoryNameWithOwner": repository, "branchName": branch },
        "expectedHeadOid": head,
        "message": { "headline": "Set the image", "body": "By a test." },
        "fileChanges": { "additions": [{ "path": path, "contents": contents }] },
    })
}

const FILE: &str = "apps/shop/kustomization.yaml";
const ALL: &str = "contents:write, pull_requests:write";

/// A server with `acme/infra`, one commit in it, and somebody who may do everything there.
fn infra() -> (GithubServer, Hosted, Client) {
    let server = GithubServer::start("127.0.0.1");
    let hosted = server.repository("acme/infra");
    hosted.push("main", "First", &[(FILE, "images: []\n"), ("README.md", "Infra\n")]);
    let client = Client::new(&server, &server.token("octo", &["acme/infra"], ALL));
    (server, hosted, client)
}
