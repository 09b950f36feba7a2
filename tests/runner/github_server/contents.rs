//! Files and directories at a commit, as the contents API shows them.
//!
//! Source: REST page "Repository contents". A file above 1 MB has no content in JSON, only as raw bytes; one above
//! 100 MB has neither. A link to a file is shown as that file. A directory's submodules are called files.

use super::http::Answer;
use super::refusal::Refusal;
use super::routes::{Ask, Reply};
use super::store::Entry;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const IN_JSON: usize = 1024 * 1024;
const AT_ALL: usize = 100 * IN_JSON;
/// Entries of a directory that are shown.
const LISTED: usize = 1000;

/// `GET …/contents/PATH?ref=NAME`.
pub fn get(ask: &mut Ask<'_>) -> Reply {
    let home = ask.home();
    if home.is_empty() {
        return Err(Refusal::new(404, "This repository is empty."));
    }
    let path = ask.captured[0].trim_matches('/').to_owned();
    let wanted = ask.request.parameter("ref");
    let name = if wanted.is_empty() { home.default_branch.as_str() } else { wanted };
    let missing = || Refusal::new(404, format!("No commit found for the ref {name}"));
    let commit = home.store.resolve(name).ok_or_else(missing)?;
    let entry = home.store.entry(&commit, &path).ok_or_else(Refusal::not_found)?;
    let accepted = ask.request.header("accept");
    let raw = [".raw", ".raw+json"].iter().any(|kind| accepted.contains(kind));
    if entry.kind == "tree" {
        let (prefix, tree) =
            if path.is_empty() { (String::new(), commit) } else { (format!("{path}/"), entry.sha) };
        let entries = home.store.entries(&tree);
        let one = |entry: &Entry| about(ask, name, &format!("{prefix}{}", entry.name), entry, true);
        return Ok(Answer::json(200, &entries.iter().take(LISTED).map(one).collect()));
    }
    let (entry, blob) = followed(ask, &commit, &path, entry);
    let mut body = about(ask, name, &path, &entry, false);
    match entry.mode.as_str() {
        "160000" => body["submodule_git_url"] = Value::Null,
        "120000" => body["target"] = String::from_utf8_lossy(&blob).into(),
        _ if entry.size > AT_ALL => {
            let error = json!({ "resource": "Blob", "field": "data", "code": "too_large" });
            let words = "This API returns blobs up to 100 MB in size. The requested blob is too large.";
            return Err(Refusal { errors: vec![error], ..Refusal::new(403, words) });
        }
        _ if raw => {
            let kind = "application/vnd.github.raw+json; charset=utf-8".to_owned();
            return Ok(Answer { status: 200, headers: vec![("content-type".into(), kind)], body: blob });
        }
        _ if entry.size > IN_JSON => {
            body["content"] = "".into();
            body["encoding"] = "none".into();
        }
        _ => {
            body["content"] = wrapped(&blob).into();
            body["encoding"] = "base64".into();
        }
    }
    Ok(Answer::json(200, &body))
}

/// What a link points to, where that is a file beside it; and the bytes.
fn followed(ask: &Ask<'_>, commit: &str, path: &str, entry: Entry) -> (Entry, Vec<u8>) {
    let store = &ask.home().store;
    let bytes = store.blob(&entry.sha).unwrap_or_default();
    if entry.mode != "120000" {
        return (entry, bytes);
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    let target = String::from_utf8_lossy(&bytes).into_owned();
    for part in target.split('/') {
        match part {
            "." | "" => (),
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let found = store.entry(commit, &parts.join("/")).filter(|_| !target.starts_with('/'));
    match found.filter(|found| found.mode.starts_with("100")) {
        Some(found) => {
            let bytes = store.blob(&found.sha).unwrap_or_default();
            (Entry { name: entry.name, ..found }, bytes)
        }
        None => (entry, bytes),
    }
}

fn about(ask: &Ask<'_>, name: &str, path: &str, entry: &Entry, listed: bool) -> Value {
    let kind = match entry.mode.as_str() {
        "040000" => "dir",
        "120000" => "symlink",
        "160000" if !listed => "submodule",
        _ => "file",
    };
    let (api, web, full) = (ask.state.api(), ask.state.web(), ask.home().full_name());
    let url = format!("{api}/repos/{full}/contents/{path}?ref={name}");
    json!({
        "name": entry.name,
        "path": path,
        "sha": entry.sha,
        "size": entry.size,
        "type": kind,
        "url": url,
        "html_url": format!("{web}/{full}/blob/{name}/{path}"),
        "git_url": format!("{api}/repos/{full}/git/blobs/{}", entry.sha),
        "download_url": (kind == "file").then(|| format!("{web}/{full}/raw/{name}/{path}")),
    })
}

/// Base64 with a line break after each 60 characters, as GitHub writes it.
fn wrapped(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines = text.as_bytes().chunks(60).map(String::from_utf8_lossy);
    lines.fold(String::new(), |all, line| all + &line + "\n")
}
