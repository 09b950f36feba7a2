//! A Git server over smart HTTP, for BuildKit to fetch contexts from: Git's own `http-backend` behind a listener.
//!
//! It may demand a token, as GitHub does for what is private: HTTP basic authentication as `x-access-token`.

use base64::Engine as _;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// Path and `Authorization` of a request.
type Request = (String, Option<String>);

/// One server with repositories under its root. Its threads end with the test's process.
pub struct GitServer {
    pub address: String,
    /// All so far.
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl GitServer {
    /// Serves the bare repositories under `root`; with a token, to those only who send it.
    pub fn start(root: &Path, token: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let expected = token.map(|token| {
            let basic = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
            format!("basic {basic}")
        });
        let (root, seen) = (root.to_owned(), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, seen, expected) = (root.clone(), seen.clone(), expected.clone());
                // A client that goes away ends its own thread only.
                std::thread::spawn(move || drop(answer(stream, &root, &seen, expected.as_deref())));
            }
        });
        Self { address, requests }
    }

    /// The URL of a repository under the root.
    pub fn url(&self, repository: &str) -> String {
        format!("http://{}/{repository}", self.address)
    }
}

fn answer(
    stream: TcpStream,
    root: &PathBuf,
    seen: &Mutex<Vec<(String, Option<String>)>>,
    expected: Option<&str>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) =
        (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let mut stream = reader.into_inner();
    let authorization = headers.get("authorization").cloned();
    seen.lock().unwrap().push((target.clone(), authorization.clone()));
    if expected.is_some_and(|expected| authorization.as_deref() != Some(expected)) {
        return stream.write_all(
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut backend = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &method)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    backend.stdin.take().unwrap().write_all(&body)?;
    let output = backend.wait_with_output()?.stdout;
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(0);
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let length = output.len().saturating_sub(end + 4);
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{head}\r\n\r\n")?;
    stream.write_all(&output[(end + 4).min(output.len())..])
}
