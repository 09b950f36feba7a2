//! What is planned for certain calls, and what is written down of each.

use super::{ALL, Client, FILE, infra};
use crate::runner::github_server::Fault;
use serde_json::json;

const PULLS: &str = "/repos/acme/infra/pulls";
const MAIN: &str = "GET /repos/acme/infra/git/ref/heads/main";

#[test]
fn somebody_else_comes_before_a_call() {
    let (server, hosted, client) = infra();
    let head = hosted.head("main").unwrap();
    let other = hosted.clone();
    server.before("createCommitOnBranch acme/infra", 2, move || {
        other.push("main", "Somebody else", &[("other", "1")]);
    });
    let body = client.commit("acme/infra", "main", &head, FILE, "1");
    let first = body["data"]["createCommitOnBranch"]["commit"]["oid"].as_str().unwrap().to_owned();
    assert_eq!(server.pending(), ["createCommitOnBranch acme/infra"]);
    let body = client.commit("acme/infra", "main", &first, FILE, "2");
    assert_eq!(body["errors"][0]["type"], "STALE_DATA");
    assert_eq!((server.pending().len(), hosted.read("main", "other").as_deref()), (0, Some("1")));
    // A hook may ask the server itself.
    let again = client.clone();
    server.before(MAIN, 1, move || assert_eq!(again.get("/repos/acme/infra").status, 200));
    assert_eq!(client.get("/repos/acme/infra/git/ref/heads/main").status, 200);
}

#[test]
fn limits_are_told_by_headers() {
    let (server, _, client) = infra();
    let get = || client.get("/repos/acme/infra/git/ref/heads/main");
    let header = |reply: &super::Reply, name: &str| reply.header(name).map(str::to_owned);
    let usual = get();
    assert_eq!(header(&usual, "x-ratelimit-limit").as_deref(), Some("5000"));
    assert_ne!(header(&usual, "x-ratelimit-remaining").as_deref(), Some("0"));
    server.fault(MAIN, 2, Fault::primary_limit(30));
    assert_eq!(get().status, 200);
    let limited = get();
    assert_eq!((limited.status, header(&limited, "x-ratelimit-remaining").as_deref()), (403, Some("0")));
    let reset: u64 = header(&limited, "x-ratelimit-reset").unwrap().parse().unwrap();
    let earlier: u64 = header(&usual, "x-ratelimit-reset").unwrap().parse().unwrap();
    assert!(reset < earlier, "{reset} {earlier}");
    assert!(limited.told().1.starts_with("API rate limit exceeded"));
    for (status, wait) in [(403, Some(5)), (429, Some(7)), (403, None)] {
        server.fault(MAIN, 1, Fault::secondary_limit(status, wait));
        let limited = get();
        assert_eq!(
            (limited.status, header(&limited, "retry-after")),
            (status, wait.map(|wait| wait.to_string()))
        );
        assert!(limited.told().1.starts_with("You have exceeded a secondary rate limit"));
        assert_ne!(header(&limited, "x-ratelimit-remaining").as_deref(), Some("0"));
    }
    server.fault("createCommitOnBranch *", 1, Fault::graphql_limit(3));
    let body = client.commit("acme/infra", "main", "x", FILE, "1");
    assert_eq!((&body["errors"][0]["type"], body.get("data")), (&json!("RATE_LIMIT"), None));
    assert_eq!(get().status, 200);
}

#[test]
fn a_fault_stands_before_or_after_the_effect() {
    let (server, hosted, client) = infra();
    let sha = hosted.head("main").unwrap();
    let make = |name: &str| {
        let body = json!({ "ref": format!("refs/heads/{name}"), "sha": sha });
        let url = format!("{}/repos/acme/infra/git/refs", client.root);
        client.try_send("POST", &url, Some(&body), "accept: */*").map(|reply| reply.status)
    };
    let pattern = "POST /repos/*/git/refs";
    for (name, fault, status, there) in [
        ("a", Fault::server_error(500), Some(500), false),
        ("b", Fault::server_error(502), Some(502), false),
        ("c", Fault::server_error(502).after(), Some(502), true),
        ("d", Fault::Cut, None, false),
        ("e", Fault::CutAfter, None, true),
        ("f", Fault::refused(409, "Conflict"), Some(409), false),
    ] {
        server.fault(pattern, 1, fault);
        assert_eq!((make(name), hosted.head(name).is_some()), (status, there), "{name}");
    }
    assert_eq!(make("z"), Some(201));
    server.fault(pattern, 1, Fault::answer(418, &[("retry-after", "1")], "tea"));
    let body = json!({});
    let tea = client.post("/repos/acme/infra/git/refs", &body);
    assert_eq!(
        (tea.status, tea.header("retry-after"), tea.body.as_slice()),
        (418, Some("1"), b"tea".as_slice())
    );
    server.fault(
        "createCommitOnBranch *",
        1,
        Fault::graphql("createCommitOnBranch", "NOT_FOUND", "Branch not found"),
    );
    let body = client.commit("acme/infra", "main", &sha, FILE, "1");
    assert_eq!((&body["errors"][0]["type"], hosted.head("main")), (&json!("NOT_FOUND"), Some(sha.clone())));
    server.always(pattern, Fault::server_error(503));
    server.fault(pattern, 2, Fault::Cut);
    assert_eq!([make("x"), make("x"), make("x")], [Some(503), Some(503), Some(503)]);
}

#[test]
fn every_call_is_written_down() {
    let (server, hosted, client) = infra();
    hosted.push("work", "Work", &[("w", "1")]);
    server.calls();
    client.get(&format!("{PULLS}?state=open&head=acme:work&base=main"));
    client.post(PULLS, &json!({ "title": "t", "head": "work", "base": "main" }));
    server.fault(MAIN, 1, Fault::Cut);
    let url = format!("{}/repos/acme/infra/git/ref/heads/main", client.root);
    assert!(client.try_send("GET", &url, None, "accept: */*").is_none());
    Client::new(&server, "ghp_wrong").get("/repos/acme/infra");
    Client::new(&server, "").get("/repos/acme/infra");
    let calls = server.calls();
    let seen: Vec<(&str, u16, &str)> =
        calls.iter().map(|call| (call.what.as_str(), call.status, call.who.as_str())).collect();
    let expected = [
        (PULLS, 200, "octo"),
        (PULLS, 201, "octo"),
        ("/repos/acme/infra/git/ref/heads/main", 0, "octo"),
        ("/repos/acme/infra", 401, "?"),
        ("/repos/acme/infra", 404, ""),
    ];
    assert_eq!(seen, expected);
    assert_eq!((calls[0].method.as_str(), calls[1].method.as_str()), ("GET", "POST"));
    assert!(calls[0].query.contains("head=acme:work"), "{}", calls[0].query);
    assert_eq!(calls[3].authorization, "Bearer ghp_wrong");
    assert!(server.calls().is_empty());
}

#[test]
fn a_repository_on_disk_is_served_as_it_is() {
    let (server, ..) = infra();
    let origin = crate::runner::repository::Repository::new();
    origin.write("a", "1");
    let first = origin.commit("First");
    let hosted = server.serve("acme/shop", origin.path());
    let client = Client::new(&server, &server.installation_token("github-actions", &["acme/shop"], ALL));
    let second = origin.commit("Second");
    let compare = client.get(&format!("/repos/acme/shop/compare/{first}...{second}?per_page=1&page=2"));
    assert_eq!(compare.json()["status"], "ahead");
    assert_eq!(client.get("/repos/acme/shop").json()["default_branch"], "main");
    let body = client.commit("acme/shop", "main", &second, "a", "2");
    assert_eq!(body["data"]["createCommitOnBranch"]["commit"]["oid"], json!(hosted.head("main")));
    assert_eq!(origin.rev("main"), hosted.head("main").unwrap());
}

#[test]
fn the_api_that_asks_nobody_answers_the_same() {
    use crate::runner::github_api::GithubApi;
    let origin = crate::runner::repository::Repository::new();
    let first = origin.commit("First");
    origin.tag("v1", Some("One"));
    let second = origin.commit("Second");
    let api = GithubApi::start("127.0.0.1", origin.path());
    let client = Client { root: api.url.clone(), graphql: String::new(), authorization: String::new() };
    let get = |path: &str| client.get(&format!("/repos/any/name{path}"));
    assert_eq!(get("").json()["default_branch"], "main");
    assert_eq!(get("/git/ref/heads/main").json()["object"], json!({ "sha": second, "type": "commit" }));
    let tag = get("/git/ref/tags/v1").json()["object"].clone();
    assert_eq!(tag["type"], "tag");
    let tagged = get(&format!("/git/tags/{}", tag["sha"].as_str().unwrap())).json();
    assert_eq!(tagged["object"]["sha"], json!(first));
    let compare = get(&format!("/compare/{second}...{first}?per_page=1&page=2")).json();
    assert_eq!((&compare["status"], &compare["commits"]), (&json!("behind"), &json!([])));
    assert_eq!(get("/branches?per_page=100&page=1").json(), json!([{ "name": "main" }]));
    let commits = get(&format!("/commits?sha={second}&per_page=50")).json();
    let expected = json!([{ "sha": second, "parents": [{ "sha": first }] }, { "sha": first, "parents": [] }]);
    assert_eq!(commits, expected);
    let details = get(&format!("/git/commits/{second}")).json();
    assert_eq!(details["parents"], json!([{ "sha": first }]));
    let date = details["committer"]["date"].as_str().unwrap();
    assert_eq!(date.parse::<jiff::Timestamp>().unwrap().to_string(), origin.created());
    assert_eq!(get("/git/ref/heads/none").status, 404);
}

#[test]
fn connections_are_kept() {
    use std::io::{BufRead as _, Read as _, Write as _};
    let (server, ..) = infra();
    let token = server.token("octo", &["acme/infra"], ALL);
    let host = server.api_url().trim_start_matches("http://").to_owned();
    let stream = std::net::TcpStream::connect(&host).unwrap();
    let mut reader = std::io::BufReader::new(stream);
    for _ in 0..3 {
        let head = format!("GET /repos/acme/infra HTTP/1.1\r\nhost: {host}\r\nuser-agent: x\r\n");
        let request = format!("{head}authorization: token {token}\r\n\r\n");
        reader.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 200 OK\r\n");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            length =
                line.strip_prefix("content-length: ").map_or(length, |text| text.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
    }
}

#[test]
fn silence_lasts_until_the_client_has_had_enough() {
    use std::io::{ErrorKind, Read as _, Write as _};
    let (server, ..) = infra();
    server.fault("GET /repos/acme/infra", 1, Fault::Silence);
    let host = server.api_url().trim_start_matches("http://").to_owned();
    let mut stream = std::net::TcpStream::connect(&host).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
    let request = format!("GET /repos/acme/infra HTTP/1.1\r\nhost: {host}\r\nuser-agent: x\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let waited = stream.read(&mut [0]).unwrap_err().kind();
    assert!(matches!(waited, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{waited:?}");
    drop(stream);
    assert!(crate::runner::wait::until(|| server.pending().is_empty()));
}
