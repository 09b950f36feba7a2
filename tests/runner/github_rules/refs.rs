//! Repositories and refs: what is seen, made, moved, deleted, and refused.

use super::{ALL, Client, FILE, infra};
use crate::runner::github_server::{GithubServer, Level};
use crate::runner::machine::Machine;
use serde_json::json;

const REFS: &str = "/repos/acme/infra/git/refs";

#[test]
fn a_repository_is_seen_by_those_who_may() {
    let (server, hosted, _) = infra();
    let other = server.repository("acme/other");
    other.push("main", "First", &[("a", "b")]);
    let one = Client::new(&server, &server.token("octo", &["acme/infra"], "contents:read"));
    let body = one.get("/repos/Acme/Infra").json();
    assert_eq!((&body["full_name"], &body["default_branch"]), (&json!("acme/infra"), &json!("main")));
    assert_eq!((&body["archived"], &body["private"]), (&json!(false), &json!(true)));
    // The person's role, which the token does not have.
    assert_eq!(body["permissions"]["push"], true);
    assert_eq!(one.get("/repos/acme/other").told(), (404, "Not Found".into()));
    assert_eq!(one.get("/repos/acme/nothing").told(), (404, "Not Found".into()));
    assert_eq!(one.get("/nonsense").told(), (404, "Not Found".into()));
    let nobody = Client::new(&server, "");
    assert_eq!(nobody.get("/repos/acme/infra").told(), (404, "Not Found".into()));
    let wrong = Client::new(&server, "ghp_wrong").get("/repos/acme/infra");
    assert_eq!(wrong.told(), (401, "Bad credentials".into()));
    assert_eq!(wrong.json()["documentation_url"], "https://docs.github.com/rest");
    // An installation has no role, whatever it may do.
    let app = Client::new(&server, &server.installation_token("deployer", &["acme/infra"], ALL));
    assert_eq!(app.get("/repos/acme/infra").json()["permissions"]["push"], false);
    // Public: everybody reads, and is told why not when they write.
    hosted.set(|home| home.public = true);
    assert_eq!(nobody.get("/repos/acme/infra").json()["permissions"], json!(null));
    assert_eq!(nobody.post(REFS, &json!({})).told(), (401, "Requires authentication".into()));
    let stranger = Client::new(&server, &server.token("stranger", &["acme/other"], ALL));
    let told = stranger.post(REFS, &json!({})).told();
    assert_eq!(told, (403, "Resource not accessible by personal access token".into()));
}

#[test]
fn a_token_that_has_ended_is_bad() {
    let (server, _, client) = infra();
    let token = server.token("octo", &["acme/infra"], ALL);
    let basic = {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
        Client { authorization: format!("Basic {pair}"), ..client.clone() }
    };
    assert_eq!(basic.get("/repos/acme/infra").status, 200);
    server.revoke(&token);
    assert_eq!(basic.get("/repos/acme/infra").told(), (401, "Bad credentials".into()));
    assert_eq!(client.get("/repos/acme/infra").status, 200);
}

#[test]
fn a_missing_permission_is_told_by_kind_of_token() {
    let (server, hosted, _) = infra();
    let sha = hosted.head("main").unwrap();
    let body = json!({ "ref": "refs/heads/x", "sha": sha });
    for (token, words) in [
        (
            server.token("octo", &["acme/infra"], "contents:read"),
            "Resource not accessible by personal access token",
        ),
        (
            server.installation_token("deployer", &["acme/infra"], "pull_requests:write"),
            "Resource not accessible by integration",
        ),
    ] {
        let reply = Client::new(&server, &token).post(REFS, &body);
        assert_eq!(reply.told(), (403, words.into()));
        assert_eq!(reply.header("x-accepted-github-permissions"), Some("contents=write"));
        let page = "https://docs.github.com/rest/git/refs#create-a-reference";
        assert_eq!(reply.json()["documentation_url"], page);
        assert_eq!(reply.json()["status"], "403");
    }
    // Not even read.
    let blind = Client::new(&server, &server.installation_token("blind", &["acme/infra"], ""));
    let told = blind.get("/repos/acme/infra/git/ref/heads/main").told();
    assert_eq!(told, (403, "Resource not accessible by integration".into()));
    let comments = blind.post("/repos/acme/infra/issues/1/comments", &json!({}));
    let accepted = comments.header("x-accepted-github-permissions");
    assert_eq!(accepted, Some("issues=write; pull_requests=write"));
    // A classic token may what its person may; what it may not write is hidden.
    let classic = Client::new(&server, &server.classic_token("reader"));
    assert_eq!(classic.get("/repos/acme/infra").told(), (404, "Not Found".into()));
    hosted.person("reader", Level::Read);
    assert_eq!(classic.get("/repos/acme/infra").status, 200);
    assert_eq!(classic.post(REFS, &body).told(), (404, "Not Found".into()));
    // A person who only reads gives away no more.
    let fine = Client::new(&server, &server.token("reader", &["acme/infra"], ALL));
    let told = fine.post(REFS, &body).told();
    assert_eq!(told, (403, "Resource not accessible by personal access token".into()));
    assert_eq!(hosted.branches(), ["main"]);
}

#[test]
fn refs_are_made_moved_and_deleted() {
    let (server, hosted, client) = infra();
    let first = hosted.head("main").unwrap();
    let second = hosted.push("main", "Second", &[("b", "2")]);
    let side = hosted.push("side", "Side", &[("c", "3")]);
    let make = |name: &str, sha: &str| client.post(REFS, &json!({ "ref": name, "sha": sha }));
    let reply = make("refs/heads/deploy/shop", &first);
    assert_eq!(reply.status, 201);
    assert_eq!(reply.json()["object"]["sha"], first.as_str());
    assert_eq!(hosted.head("deploy/shop").as_deref(), Some(first.as_str()));
    let nobody = "0123456789012345678901234567890123456789";
    for (name, sha, words) in [
        ("refs/heads/deploy/shop", first.as_str(), "Reference already exists"),
        ("refs/heads/main", &second, "Reference already exists"),
        ("refs/heads/new", nobody, "Object does not exist"),
        (
            "refs/heads/new",
            "abc1234",
            "Invalid request.\n\nAt least 40 characters are required; only 7 were supplied.",
        ),
        ("heads/new", &first, "Reference name must contain at least three slash-separated components."),
        ("refs/heads/a..b", &first, "refs/heads/a..b is not a valid ref name."),
        ("refs/heads/deploy/shop/more", &first, "Reference update failed"),
        ("refs/heads/deploy", &first, "Reference update failed"),
    ] {
        assert_eq!(make(name, sha).told(), (422, words.into()), "{name}");
    }
    let words = "Invalid request.\n\n\"sha\" wasn't supplied.".to_owned();
    assert_eq!(client.post(REFS, &json!({ "ref": "refs/heads/x" })).told(), (422, words));

    let shop = format!("{REFS}/heads/deploy/shop");
    let moved = client.patch(&shop, &json!({ "sha": second }));
    assert_eq!((moved.status, &moved.json()["object"]["sha"]), (200, &json!(second)));
    // Slashes may be escaped.
    let escaped = format!("{REFS}/heads/deploy%2Fshop");
    let told = client.patch(&escaped, &json!({ "sha": first })).told();
    assert_eq!(told, (422, "Update is not a fast forward".into()));
    assert_eq!(client.patch(&escaped, &json!({ "sha": side, "force": true })).status, 200);
    assert_eq!(hosted.head("deploy/shop"), Some(side));
    let gone = format!("{REFS}/heads/gone");
    let absent = (422, "Reference does not exist".to_owned());
    assert_eq!(client.patch(&gone, &json!({ "sha": first, "force": true })).told(), absent);
    assert_eq!(client.send("DELETE", &gone, None).told(), absent);
    let deleted = client.send("DELETE", &shop, None);
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    assert_eq!(hosted.head("deploy/shop"), None);
    assert_eq!(client.send("DELETE", &format!("{REFS}/heads/main"), None).status, 422);

    let read = client.get("/repos/acme/infra/git/ref/heads/main").json();
    assert_eq!((&read["ref"], &read["object"]["sha"]), (&json!("refs/heads/main"), &json!(second)));
    assert_eq!(read["object"]["type"], "commit");
    assert_eq!(client.get("/repos/acme/infra/git/ref/heads/ma").told(), (404, "Not Found".into()));
    server.repository("acme/empty");
    let empty = Client::new(&server, &server.token("octo", &["acme/empty"], ALL));
    let told = (409, "Git Repository is empty.".to_owned());
    assert_eq!(empty.get("/repos/acme/empty/git/ref/heads/main").told(), told);
    assert_eq!(
        empty.post("/repos/acme/empty/git/refs", &json!({ "ref": "refs/heads/a", "sha": first })).told(),
        told
    );
}

#[test]
fn archived_and_protected_refuse_writes() {
    let (_server, hosted, client) = infra();
    let sha = hosted.head("main").unwrap();
    hosted.protect("main");
    let told = client.patch(&format!("{REFS}/heads/main"), &json!({ "sha": sha })).told();
    let rule = "Repository rule violations found\n\nChanges must be made through a pull request.\n\n";
    assert_eq!(told, (422, rule.into()));
    hosted.archive();
    let told = client.post(REFS, &json!({ "ref": "refs/heads/x", "sha": sha })).told();
    assert_eq!(told, (403, "Repository was archived so is read-only.".into()));
    let body = client.get("/repos/acme/infra").json();
    assert_eq!(body["archived"], true);
    assert_eq!(client.get(&format!("/repos/acme/infra/contents/{FILE}")).status, 200);
}

#[test]
fn commits_stand_to_each_other() {
    let (_server, hosted, client) = infra();
    let first = hosted.head("main").unwrap();
    let second = hosted.push("main", "Second", &[("b", "2")]);
    hosted.push("side", "Side", &[("c", "3")]);
    let third = hosted.push("main", "Third", &[("b", "3")]);
    let table = [
        (first.as_str(), second.as_str(), "ahead", 1, 0),
        (&second, &first, "behind", 0, 1),
        (&first, &first, "identical", 0, 0),
        (&third, "side", "diverged", 1, 1),
    ];
    for (base, head, status, ahead, behind) in table {
        let body = client.get(&format!("/repos/acme/infra/compare/{base}...{head}")).json();
        assert_eq!(body["status"], status);
        assert_eq!((&body["ahead_by"], &body["behind_by"]), (&json!(ahead), &json!(behind)), "{status}");
    }
    let unknown = "0123456789012345678901234567890123456789";
    assert_eq!(client.get(&format!("/repos/acme/infra/compare/{first}...{unknown}")).status, 404);
    let body = client.get(&format!("/repos/acme/infra/git/commits/{second}")).json();
    assert_eq!((&body["parents"][0]["sha"], &body["message"]), (&json!(first), &json!("Second")));
    let heads = client.get(&format!("/repos/acme/infra/commits/{third}/branches-where-head")).json();
    assert_eq!(heads, json!([{ "name": "main" }]));
}

#[test]
fn what_is_no_api_call_is_refused() {
    let (server, _, client) = infra();
    let url = format!("{}/repos/acme/infra", server.api_url());
    let version = |version: &str| {
        let header = format!("x-github-api-version: {version}");
        client.try_send("GET", &url, None, &header).unwrap().status
    };
    assert_eq!((version("2022-11-28"), version("2021-01-01")), (200, 400));
    let nameless = client.try_send("GET", &url, None, "user-agent:").unwrap();
    assert_eq!(nameless.status, 403);
    let broken = client.try_send("POST", &format!("{url}/pulls"), Some(&json!("no object")), "x: y").unwrap();
    assert_eq!(broken.told(), (400, "Body should be a JSON object".into()));
}

#[test]
fn an_enterprise_server_is_below_its_paths() {
    let server = GithubServer::enterprise("127.0.0.1");
    let hosted = server.repository("acme/infra");
    let head = hosted.push("main", "First", &[(FILE, "a")]);
    let client = Client::new(&server, &server.token("octo", &["acme/infra"], ALL));
    assert!(server.api_url().ends_with("/api/v3") && server.graphql_url().ends_with("/api/graphql"));
    // A job is told the same.
    for server in [&server, &GithubServer::start("127.0.0.1")] {
        let mut machine = Machine::new("acme/shop");
        machine.api_url = server.api_url();
        assert_eq!(machine.graphql_url(), server.graphql_url());
    }
    assert_eq!(client.get("/repos/acme/infra").status, 200);
    let body = client.commit("acme/infra", "main", &head, FILE, "b");
    assert_eq!(body["data"]["createCommitOnBranch"]["commit"]["oid"], json!(hosted.head("main")));
    let reply = client.get("/repos/acme/infra/git/ref/heads/none");
    let page = "https://docs.github.com/enterprise-server@3.17/rest/git/refs#get-a-reference";
    assert_eq!(reply.json()["documentation_url"], page);
    let outside = Client { root: server.server_url(), ..client.clone() };
    assert_eq!(outside.get("/repos/acme/infra").status, 404);
    let there = client.try_send("POST", &format!("{}/graphql", server.api_url()), Some(&json!({})), "x: y");
    assert_eq!(there.unwrap().status, 404);
    let lines = server.lines();
    assert_eq!(lines[0], "GET /repos/acme/infra 200");
    assert_eq!(lines[1], "POST createCommitOnBranch acme/infra 200");
}

#[test]
fn a_repository_that_was_renamed_is_pointed_to() {
    let (server, hosted, client) = infra();
    let head = hosted.head("main").unwrap();
    hosted.rename("acme/platform");
    let old = client.get("/repos/acme/infra/contents/README.md?ref=main");
    let location = format!("{}/repositories/1000/contents/README.md?ref=main", server.api_url());
    assert_eq!((old.status, old.header("location")), (301, Some(location.as_str())));
    assert_eq!(old.json()["message"], "Moved Permanently");
    let there = client.try_send("GET", &location, None, "x: y").unwrap();
    assert_eq!((there.status, &there.json()["name"]), (200, &json!("README.md")));
    let body = json!({ "ref": "refs/heads/x", "sha": head });
    assert_eq!(client.post(REFS, &body).status, 307);
    assert_eq!(client.post("/repositories/1000/git/refs", &body).status, 201);
    assert_eq!(client.get("/repos/acme/platform").json()["full_name"], "acme/platform");
    let stranger = Client::new(&server, &server.installation_token("x", &[], ALL));
    assert_eq!(stranger.get("/repos/acme/infra").status, 404);
}
