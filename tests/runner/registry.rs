//! A registry as somebody else would look at it: catalog, tags, manifests and blobs over plain HTTP/1.1.
//!
//! Deliberately not the project's own client: what a test reads back must not pass through the code under test.

use base64::Engine as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// A registry at `host:port`, with credentials if it asks for them.
#[derive(Debug, Clone)]
pub struct Registry {
    pub host: String,
    pub basic: Option<(String, String)>,
}

/// A manifest or an index with the digest of its bytes.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub digest: String,
    pub media_type: String,
    pub size: usize,
    pub json: Value,
}

/// One platform of a tag.
#[derive(Debug, Clone)]
pub struct Platform {
    pub digest: String,
    pub manifest: Value,
    pub config: Value,
}

/// An HTTP answer: status, headers by lower-cased name, body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Registry {
    /// A registry without credentials.
    pub fn open(host: &str) -> Self {
        Self { host: host.to_owned(), basic: None }
    }

    /// Every repository with its tags, sorted: two of them compared show what was pushed.
    pub fn catalog(&self) -> BTreeMap<String, Vec<String>> {
        let list = self.json("/v2/_catalog?n=10000");
        let names = list["repositories"].as_array().cloned().unwrap_or_default();
        names.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), self.tags(name))).collect()
    }

    /// The tags of a repository, sorted; empty when there is none.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let answer = self.get(&format!("/v2/{repository}/tags/list?n=10000"), "application/json");
        if answer.status == 404 {
            return Vec::new();
        }
        let list: Value = serde_json::from_slice(&answer.body).expect("a list of tags");
        let mut tags: Vec<String> = list["tags"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tag| tag.as_str().map(str::to_owned))
            .collect();
        tags.sort();
        tags
    }

    /// The manifest that a tag or a digest names; None when there is none.
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<Manifest> {
        let answer = self.get(&format!("/v2/{repository}/manifests/{reference}"), MANIFESTS);
        if answer.status == 404 {
            return None;
        }
        assert_eq!(answer.status, 200, "{repository}:{reference}: {}", String::from_utf8_lossy(&answer.body));
        Some(Manifest {
            digest: format!("sha256:{}", sha256(&answer.body)),
            media_type: answer.headers.get("content-type").cloned().unwrap_or_default(),
            size: answer.body.len(),
            json: serde_json::from_slice(&answer.body).expect("a manifest is JSON"),
        })
    }

    /// A JSON blob, such as an image's config.
    pub fn blob(&self, repository: &str, digest: &str) -> Value {
        self.json(&format!("/v2/{repository}/blobs/{digest}"))
    }

    /// The platforms of a tag by name (`linux/arm64`); attestations are left out.
    pub fn platforms(&self, repository: &str, reference: &str) -> BTreeMap<String, Platform> {
        let top = self
            .manifest(repository, reference)
            .unwrap_or_else(|| panic!("`{repository}:{reference}` is not there"));
        let children: Vec<String> = match top.json["manifests"].as_array() {
            Some(list) => list
                .iter()
                .filter(|entry| entry["annotations"]["vnd.docker.reference.type"].is_null())
                .filter_map(|entry| entry["digest"].as_str().map(str::to_owned))
                .collect(),
            None => vec![top.digest],
        };
        let mut found = BTreeMap::new();
        for digest in children {
            let manifest = self.manifest(repository, &digest).expect("a platform's manifest").json;
            let config = self.blob(repository, manifest["config"]["digest"].as_str().expect("a config"));
            let part = |key: &str| config[key].as_str().unwrap_or_default().to_owned();
            found.insert(
                format!("{}/{}", part("os"), part("architecture")),
                Platform { digest, manifest, config },
            );
        }
        found
    }

    fn json(&self, path: &str) -> Value {
        let answer = self.get(path, "application/json");
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap_or_else(|fault| panic!("{path}: {fault}"))
    }

    /// One GET.
    pub fn get(&self, path: &str, accept: &str) -> Answer {
        self.try_get(path, accept).unwrap_or_else(|fault| panic!("GET http://{}{path}: {fault}", self.host))
    }

    fn try_get(&self, path: &str, accept: &str) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(&self.host)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: {accept}\r\nConnection: close\r\n",
            self.host
        );
        if let Some((user, password)) = &self.basic {
            let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            let _ = write!(request, "Authorization: Basic {basic}\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        parse(&bytes).ok_or_else(|| std::io::Error::other("an answer that is not HTTP"))
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let body = &bytes[end + 4..];
    let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
    let body = if chunked { unchunk(body)? } else { body.to_vec() };
    Some(Answer { status, headers, body })
}

fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..end]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(out);
        }
        let chunk = bytes.get(end + 2..end + 2 + size)?;
        out.extend_from_slice(chunk);
        bytes = bytes.get(end + 2 + size + 2..)?;
    }
}

/// The lower-case hexadecimal SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
