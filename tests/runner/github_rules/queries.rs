//! What queries show of a repository, and what they do not.

use super::{ALL, Client, FILE, infra};
use serde_json::{Value, json};

const WHOLE: &str = "query Whole($owner: String!, $name: String!, $branch: String!, $tree: String!) {
  repository(owner: $owner, name: $name) {
    id nameWithOwner archived: isArchived
    defaultBranchRef { name target { oid } }
    branch: ref(qualifiedName: $branch) {
      name target { oid }
      open: associatedPullRequests(states: [OPEN, MERGED], baseRefName: \"main\", first: 5) {
        nodes { id number url state headRefOid autoMergeRequest { mergeMethod } }
      }
      closed: associatedPullRequests(states: CLOSED, first: 1, orderBy: { field: CREATED_AT, direction: DESC }) {
        nodes { number }
      }
    }
    refs(refPrefix: \"refs/heads/\", query: \"work\", first: 2) { nodes { name } }
    tree: object(expression: $tree) { ... on Tree { entries { name } } ... on Blob { byteSize } }
  }
}";

fn ask(client: &Client, query: &str, variables: &Value) -> Value {
    let body = json!({ "query": query, "variables": variables });
    client.try_send("POST", &client.graphql, Some(&body), "accept: */*").unwrap().json()
}

fn whole(client: &Client, name: &str, branch: &str, tree: &str) -> Value {
    let branch = format!("refs/heads/{branch}");
    ask(client, WHOLE, &json!({ "owner": "acme", "name": name, "branch": branch, "tree": tree }))
}

#[test]
fn a_repository_its_branches_and_trees() {
    let (server, hosted, client) = infra();
    let head = hosted.head("main").unwrap();
    for branch in ["work/1", "work/2", "work/3"] {
        hosted.push(branch, "Work", &[("work", branch)]);
    }
    let work = hosted.head("work/1").unwrap();
    client.post("/repos/acme/infra/pulls", &json!({ "title": "t", "head": "work/1", "base": "main" }));
    let body = whole(&client, "infra", "work/1", "HEAD:apps/shop");
    let pull = client.get("/repos/acme/infra/pulls/1").json();
    assert_eq!(
        body,
        json!({ "data": { "repository": {
            "id": client.get("/repos/acme/infra").json()["node_id"], "nameWithOwner": "acme/infra", "archived": false,
            "defaultBranchRef": { "name": "main", "target": { "oid": head } },
            "branch": { "name": "work/1", "target": { "oid": work }, "closed": { "nodes": [] }, "open": { "nodes": [{
                "id": pull["node_id"], "number": 1, "url": pull["html_url"], "state": "OPEN", "headRefOid": work,
                "autoMergeRequest": null,
            }] } },
            "refs": { "nodes": [{ "name": "work/1" }, { "name": "work/2" }] },
            "tree": { "entries": [{ "name": "kustomization.yaml" }] },
        } } })
    );
    // What there is not is nothing; of another kind is only what was asked of that.
    let repository = |body: &Value| body["data"]["repository"].clone();
    let file = repository(&whole(&client, "infra", "none", &format!("refs/heads/main:{FILE}")));
    assert_eq!((&file["branch"], &file["tree"]), (&Value::Null, &json!({ "byteSize": 11 })));
    let root = repository(&whole(&client, "infra", "main", "HEAD:"));
    assert_eq!(root["tree"], json!({ "entries": [{ "name": "README.md" }, { "name": "apps" }] }));
    assert_eq!(repository(&whole(&client, "infra", "main", "HEAD:none"))["tree"], Value::Null);
    assert_eq!(server.lines().last().unwrap(), "POST query Whole acme/infra 200");
    // Closed without being merged; merged.
    hosted.close(1);
    let none = repository(&whole(&client, "infra", "work/1", "HEAD:"));
    assert_eq!(none["branch"]["open"]["nodes"], json!([]));
    assert_eq!(none["branch"]["closed"]["nodes"], json!([{ "number": 1 }]));
    // By the name that it had before.
    hosted.rename("acme/clusters");
    assert_eq!(repository(&whole(&client, "infra", "main", "HEAD:"))["nameWithOwner"], "acme/clusters");
    hosted.archive();
    assert_eq!(repository(&whole(&client, "clusters", "main", "HEAD:"))["archived"], true);
    // Empty.
    server.repository("acme/empty");
    let client = Client::new(&server, &server.token("octo", &["acme/empty"], ALL));
    let empty = repository(&whole(&client, "empty", "main", "HEAD:"));
    assert_eq!((&empty["defaultBranchRef"], &empty["tree"]), (&Value::Null, &Value::Null));
}

#[test]
fn what_a_token_may_not_read_is_told_with_its_path() {
    let (server, hosted, client) = infra();
    let refused = |body: &Value| {
        let error = &body["errors"][0];
        (
            error["type"].as_str().unwrap().to_owned(),
            error["path"].to_string(),
            error["message"].as_str().unwrap().to_owned(),
        )
    };
    let hidden = whole(&client, "other", "main", "HEAD:");
    assert_eq!(hidden["data"], json!({ "repository": null }));
    let words = "Could not resolve to a Repository with the name 'acme/other'.";
    assert_eq!(refused(&hidden), ("NOT_FOUND".into(), r#"["repository"]"#.into(), words.into()));
    let reader = Client::new(&server, &server.token("reader", &["acme/infra"], "contents:read"));
    let body = whole(&reader, "infra", "main", "HEAD:");
    assert_eq!(body["data"]["repository"]["branch"]["target"]["oid"], json!(hosted.head("main")));
    let words = "Resource not accessible by personal access token";
    let path = r#"["repository","branch","open"]"#;
    assert_eq!(refused(&body), ("FORBIDDEN".into(), path.into(), words.into()));
}

#[test]
fn queries_are_checked_as_a_whole() {
    let (_server, _hosted, client) = infra();
    let variables = json!({ "owner": "acme", "name": "infra" });
    let declared = "query($owner: String!, $name: String!)";
    for (query, part) in [
        (
            format!("{declared} {{ repository(owner: $owner, name: $name) {{ sha }} }}"),
            "Field 'sha' doesn't exist on type 'Repository'",
        ),
        (
            format!("{declared} {{ repository(owner: $owner, name: \"infra\") {{ id }} }}"),
            "Variable $name is declared by anonymous query but not used",
        ),
        (
            "query { repository(owner: $owner, name: \"infra\") { id } }".into(),
            "used by anonymous query but not declared",
        ),
        (
            format!(
                "{declared} {{ repository(owner: $owner, name: $name) {{ ref(qualifiedName: \"refs/heads/main\") {{ target }} }} }}"
            ),
            "Field must have selections",
        ),
        (
            format!(
                "{declared} {{ repository(owner: $owner, name: $name) {{ refs(refPrefix: \"refs/heads/\") {{ nodes {{ name }} }} }} }}"
            ),
            "You must provide a `first`",
        ),
    ] {
        let body = ask(&client, &query, &variables);
        let words = body["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(words.contains(part) && body.get("data").is_none(), "{query}: {body}");
    }
}
