//! HTTP/1.1 as the proxy needs it: heads, bodies by length or in chunks, and what kind of request it is.

use super::{Act, Answer};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// More than any client's head.
const MAX_HEAD: usize = 64 * 1024;

/// What a request asks a registry for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `/v2/`.
    Ping,
    /// The token server.
    Token,
    HeadBlob,
    GetBlob,
    StartUpload,
    SendUpload,
    EndUpload,
    HeadManifest,
    GetManifest,
    /// A manifest under its own digest.
    PutManifest,
    /// A manifest under a tag.
    PutTag,
    Other,
}

/// A request's head, and its place among the others.
#[derive(Debug, Clone)]
pub struct Request {
    pub kind: Kind,
    pub method: String,
    /// Without the query.
    pub path: String,
    /// `docker-push-action/…`, `buildkit/…`.
    pub agent: String,
    /// Among all, from 0.
    pub number: usize,
    /// Among those of its kind, from 0.
    pub nth: usize,
}

impl Request {
    pub(super) fn parse(head: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(head).ok()?;
        let mut words = text.lines().next()?.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let path = target.split('?').next()?.to_owned();
        let kind = kind(&method, &path);
        let agent = header(head, "user-agent").unwrap_or_default();
        Some(Self { kind, method, path, agent, number: 0, nth: 0 })
    }

    /// The last part of the path: a tag or a digest.
    pub fn reference(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it is the action's own, and not the daemon's.
    pub fn is_ours(&self) -> bool {
        self.agent.starts_with("docker-push-action/")
    }

    /// The repository in the path.
    pub fn repository(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("/v2/")?;
        let end = ["/blobs/", "/manifests/", "/tags/"].iter().filter_map(|part| rest.find(part)).min()?;
        Some(&rest[..end])
    }
}

fn kind(method: &str, path: &str) -> Kind {
    let reference = path.rsplit('/').next().unwrap_or_default();
    match method {
        _ if path == "/v2/" || path == "/v2" => Kind::Ping,
        _ if path == "/token" => Kind::Token,
        "POST" if path.contains("/blobs/uploads") => Kind::StartUpload,
        "PATCH" if path.contains("/blobs/uploads/") => Kind::SendUpload,
        "PUT" if path.contains("/blobs/uploads/") => Kind::EndUpload,
        "HEAD" if path.contains("/blobs/") => Kind::HeadBlob,
        "GET" if path.contains("/blobs/") => Kind::GetBlob,
        "HEAD" if path.contains("/manifests/") => Kind::HeadManifest,
        "GET" if path.contains("/manifests/") => Kind::GetManifest,
        "PUT" if path.contains("/manifests/") && reference.contains(':') => Kind::PutManifest,
        "PUT" if path.contains("/manifests/") => Kind::PutTag,
        _ => Kind::Other,
    }
}

/// The value of a header, by its lower-cased name.
pub fn header(head: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines().skip(1).filter_map(|line| line.split_once(':'));
    let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim().to_owned())
}

/// One side of a connection, with what was read of it and not yet used.
pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub fn new(stream: TcpStream, silence: Duration) -> Option<Self> {
        stream.set_read_timeout(Some(silence)).ok()?;
        stream.set_write_timeout(Some(silence)).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self { stream, read: Vec::new() })
    }

    /// Reads more; false at the end.
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(count @ 1..) => {
                self.read.extend_from_slice(&buffer[..count]);
                true
            }
            _ => false,
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next head with its empty line, or the first bytes of a TLS hello.
    pub fn head(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.read.first() == Some(&0x16) {
                return Some(std::mem::take(&mut self.read));
            }
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                return Some(self.read.drain(..end + 4).collect());
            }
            if self.read.len() > MAX_HEAD || !self.fill() {
                return None;
            }
        }
    }

    /// A line of a chunked body, with its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.read.windows(2).position(|window| window == b"\r\n") {
                return Some(self.read.drain(..end + 2).collect());
            }
            if self.read.len() > MAX_HEAD || !self.fill() {
                return None;
            }
        }
    }

    /// Hands `count` bytes of a body to `to`; false when either side ends.
    fn bytes(&mut self, mut count: u64, to: &mut impl FnMut(&[u8]) -> bool) -> bool {
        while count > 0 {
            if self.read.is_empty() && !self.fill() {
                return false;
            }
            let part = usize::try_from(count).unwrap_or(usize::MAX).min(self.read.len());
            if !to(&self.read[..part]) {
                return false;
            }
            self.read.drain(..part);
            count -= part as u64;
        }
        true
    }

    /// Hands a whole body to `to`, as it stands on the wire.
    fn body(&mut self, length: Length, to: &mut impl FnMut(&[u8]) -> bool) -> bool {
        match length {
            Length::Bytes(count) => self.bytes(count, to),
            Length::Chunks => loop {
                let Some(line) = self.line() else { return false };
                let text = String::from_utf8_lossy(&line).into_owned();
                let size = text.trim().split(';').next().map(|size| u64::from_str_radix(size, 16));
                let Some(Ok(size)) = size else { return false };
                if !to(&line) {
                    return false;
                }
                if size == 0 {
                    // Trailers, to the empty line.
                    while let Some(line) = self.line() {
                        if !to(&line) {
                            return false;
                        }
                        if line == b"\r\n" {
                            return true;
                        }
                    }
                    return false;
                }
                if !self.bytes(size + 2, to) {
                    return false;
                }
            },
            Length::UntilTheEnd => loop {
                if self.read.is_empty() && !self.fill() {
                    return true;
                }
                if !to(&self.read) {
                    return false;
                }
                self.read.clear();
            },
        }
    }

    /// Reads a request's body and forgets it.
    pub fn drain(&mut self, head: &[u8]) {
        self.body(length_of_request(head), &mut |_| true);
    }

    /// Sends an answer of the proxy's own.
    pub fn answer(&mut self, answer: &Answer, bodiless: bool) -> bool {
        let mut head = format!("HTTP/1.1 {} Test\r\nContent-Type: application/json\r\n", answer.status);
        for line in &answer.headers {
            head.push_str(line);
            head.push_str("\r\n");
        }
        let _ = write!(head, "Content-Length: {}\r\n\r\n", answer.body.len());
        self.write(head.as_bytes()) && (bodiless || self.write(&answer.body))
    }
}

/// How long a body is.
#[derive(Debug, Clone, Copy)]
enum Length {
    Bytes(u64),
    Chunks,
    UntilTheEnd,
}

fn length_of_request(head: &[u8]) -> Length {
    if header(head, "transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        return Length::Chunks;
    }
    Length::Bytes(header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0))
}

fn length_of_answer(head: &[u8], status: u16, to_head: bool) -> Length {
    if to_head || status < 200 || status == 204 || status == 304 {
        return Length::Bytes(0);
    }
    let known = header(head, "content-length").is_some() || header(head, "transfer-encoding").is_some();
    if known { length_of_request(head) } else { Length::UntilTheEnd }
}

/// Passes a request and its answer on, as far as `act` lets them; the status and whether the connection goes on.
pub fn exchange(
    address: &str,
    client: &mut Wire,
    kept: &mut Option<Wire>,
    head: &[u8],
    act: Act,
    silence: Duration,
) -> Option<(u16, bool)> {
    if kept.is_none() {
        *kept = Wire::new(TcpStream::connect(address).ok()?, silence);
    }
    let upstream = kept.as_mut()?;
    if !upstream.write(head) {
        return None;
    }
    let mut left = match act {
        Act::ResetAt(bytes) => bytes,
        _ => u64::MAX,
    };
    let whole = client.body(length_of_request(head), &mut |part| {
        let passed = usize::try_from(left).unwrap_or(usize::MAX).min(part.len());
        left -= passed as u64;
        // A registry that has refused may have closed; its answer is read all the same.
        let _ = upstream.write(&part[..passed]);
        left > 0
    });
    if !whole || matches!(act, Act::ResetAt(_)) {
        return None;
    }
    let (answer, status) = loop {
        let answer = upstream.head()?;
        let status: u16 = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
        if status >= 200 {
            break (answer, status);
        }
        client.write(&answer);
    };
    let mut left = u64::MAX;
    let truncated = matches!(act, Act::Truncate(_));
    match act {
        Act::LoseAnswer => return Some((status, false)),
        Act::Truncate(bytes) => left = bytes,
        Act::Then(happens) => happens(),
        _ => {}
    }
    let length = length_of_answer(&answer, status, head.starts_with(b"HEAD "));
    let mut goes_on = client.write(&answer);
    goes_on &= upstream.body(length, &mut |part| {
        let passed = usize::try_from(left).unwrap_or(usize::MAX).min(part.len());
        left -= passed as u64;
        client.write(&part[..passed]) && left > 0
    });
    let closes =
        |head: &[u8]| header(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let ends = matches!(length, Length::UntilTheEnd) || closes(&answer) || closes(head);
    Some((status, goes_on && !ends && !truncated))
}
