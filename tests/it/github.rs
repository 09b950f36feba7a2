//! The GitHub façade against a server on the wire.

use crate::github_server::{Fault, GithubServer};
use docker_push_action::github::{CommitDetails, GitHub, GitHubError, RefName};
use docker_push_action::model::{CommitId, History, Relation, Secret};
use docker_push_action::net::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Reads a request.
async fn received(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the client hung up");
        request.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8(request).unwrap()
}

/// Answers it, and says that nothing more comes.
async fn respond(stream: &mut TcpStream, status: &str, body: &str) {
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Answers one request and returns what was asked.
async fn serve(listener: TcpListener, status: &str, body: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let request = received(&mut stream).await;
    respond(&mut stream, status, body).await;
    request
}

async fn ask(
    status: &str,
    body: &str,
) -> (Result<docker_push_action::github::PullRequestHead, GitHubError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // The path of an Enterprise Server must survive.
    let api_url = format!("http://{}/api/v3", listener.local_addr().unwrap());
    let github = GitHub::new(&api_url, Some(&Secret::new("t0ken")), &Network::default()).unwrap();
    let both =
        async { tokio::join!(github.pull_request_head("acme/shop", 7), serve(listener, status, body)) };
    // A client that never connects would leave the server waiting.
    tokio::time::timeout(std::time::Duration::from_secs(20), both).await.expect("an answer")
}

#[tokio::test]
async fn reads_the_head_of_a_pull_request() {
    let sha = "a".repeat(40);
    let body = format!(r#"{{"number":7,"head":{{"sha":"{sha}","repo":{{"full_name":"fork/shop"}}}}}}"#);
    let (head, request) = ask("200 OK", &body).await;
    let head = head.unwrap();
    assert_eq!(head.sha.as_str(), sha);
    assert_eq!(head.repository.as_deref(), Some("fork/shop"));
    assert!(request.starts_with("GET /api/v3/repos/acme/shop/pulls/7 HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer t0ken"), "{request}");
}

#[tokio::test]
async fn a_deleted_fork_has_no_repository() {
    let body = format!(r#"{{"head":{{"sha":"{}","repo":null}}}}"#, "b".repeat(40));
    assert_eq!(ask("200 OK", &body).await.0.unwrap().repository, None);
}

/// Answers requests by their paths, one after another, and returns the paths.
async fn serve_all(listener: TcpListener, answers: Vec<(&str, &str, String)>) -> Vec<String> {
    let mut paths = Vec::new();
    for (path, status, body) in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = received(&mut stream).await;
        paths.push(request.split(' ').nth(1).unwrap_or_default().to_owned());
        let (status, body) = if paths.last().is_some_and(|asked| asked == path) {
            (status, body)
        } else {
            ("500", "{}".to_owned())
        };
        respond(&mut stream, status, &body).await;
    }
    paths
}

#[tokio::test]
async fn a_refs_commit_and_what_that_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let github =
        GitHub::new(&format!("http://{}", listener.local_addr().unwrap()), None, &Network::default())
            .unwrap();
    let (tag, commit, parent) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
    let object = |sha: &str, kind: &str| format!(r#"{{"object":{{"sha":"{sha}","type":"{kind}"}}}}"#);
    let details = format!(
        r#"{{"sha":"{commit}","committer":{{"date":"2025-11-21T10:17:25Z"}},"parents":[{{"sha":"{parent}"}}]}}"#
    );
    let repository = r#"{"default_branch":"trunk"}"#.to_owned();
    let commit_path = format!("/repos/acme/shop/git/commits/{commit}");
    let tag_path = format!("/repos/acme/shop/git/tags/{tag}");
    let answers = vec![
        ("/repos/acme/shop", "200 OK", repository.clone()),
        ("/repos/acme/shop/git/ref/heads/feature/a", "200 OK", object(&commit, "commit")),
        // An annotated tag.
        ("/repos/acme/shop/git/ref/tags/v1", "200 OK", object(&tag, "tag")),
        (tag_path.as_str(), "200 OK", object(&commit, "commit")),
        ("/repos/acme/shop/git/ref/pull/7/merge", "404 Not Found", r#"{"message":"Not Found"}"#.into()),
        ("/repos/acme/shop", "200 OK", repository),
        (commit_path.as_str(), "200 OK", details),
    ];
    let asked: Vec<String> = answers.iter().map(|(path, ..)| (*path).to_owned()).collect();
    let id = |text: &str| CommitId::parse(text).unwrap();
    let asking = async {
        assert_eq!(github.default_branch("acme/shop").await.unwrap(), "trunk");
        for (name, expected) in
            [("heads/feature/a", Some(id(&commit))), ("tags/v1", Some(id(&commit))), ("pull/7/merge", None)]
        {
            assert_eq!(github.commit_of("acme/shop", name).await.unwrap(), expected, "{name}");
        }
        let said = github.commit("acme/shop", &id(&commit)).await.unwrap();
        assert_eq!(said, CommitDetails { parents: vec![id(&parent)], time: Some(1_763_720_245) });
    };
    let both = async { tokio::join!(asking, serve_all(listener, answers)) };
    let ((), paths) = tokio::time::timeout(std::time::Duration::from_secs(20), both).await.expect("answers");
    assert_eq!(paths, asked);
}

#[tokio::test]
async fn says_what_github_said() {
    let body = r#"{"message":"Not Found","documentation_url":"https://docs.github.com"}"#;
    let error = ask("404 Not Found", body).await.0.unwrap_err().to_string();
    assert!(error.contains("pull request 7 of acme/shop") && error.contains("404 Not Found"), "{error}");
    assert!(!error.contains("t0ken"), "{error}");
}

#[tokio::test]
async fn an_answer_of_another_shape_is_an_error() {
    let error = ask("200 OK", r#"{"head":{"sha":"x"}}"#).await.0.unwrap_err();
    assert!(matches!(error, GitHubError::Transport { .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_said() {
    let github = GitHub::new("http://127.0.0.1:1/api/v3", None, &Network::default()).unwrap();
    let error = github.pull_request_head("acme/shop", 7).await.unwrap_err();
    assert_eq!(
        docker_push_action::model::chain(&error),
        "asking http://127.0.0.1:1/api/v3 for pull request 7 of acme/shop: connection refused (127.0.0.1:1)"
    );
}

#[tokio::test]
async fn a_proxy_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let network = Network::from_variables(&[("HTTP_PROXY".to_owned(), proxy)].into());
    let github = GitHub::new("http://github.example/api/v3", Some(&Secret::new("t0ken")), &network).unwrap();
    let tunnel = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        let mut buffer = [0; 4096];
        while !asked.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "the client hung up");
            asked.extend_from_slice(&buffer[..read]);
            if asked.starts_with(b"CONNECT") && asked.ends_with(b"\r\n\r\n") {
                let asked = String::from_utf8(std::mem::take(&mut asked)).unwrap();
                assert!(asked.starts_with("CONNECT github.example:80 HTTP/1.1\r\n"), "{asked}");
                // The token is for GitHub, not for who stands between.
                assert!(!asked.contains("t0ken"), "{asked}");
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            }
        }
        let body = format!(r#"{{"head":{{"sha":"{}","repo":null}}}}"#, "c".repeat(40));
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all([head, body].concat().as_bytes()).await.unwrap();
        String::from_utf8(asked).unwrap()
    };
    let both = async { tokio::join!(github.pull_request_head("acme/shop", 7), tunnel) };
    let (head, asked) =
        tokio::time::timeout(std::time::Duration::from_secs(20), both).await.expect("an answer");
    assert_eq!(head.unwrap().sha.as_str(), "c".repeat(40));
    let asked = asked.to_lowercase();
    assert!(asked.starts_with("get /api/v3/repos/acme/shop/pulls/7 http/1.1\r\n"), "{asked}");
    for line in
        ["host: github.example\r\n", "user-agent: docker-push-action/", "authorization: bearer t0ken\r\n"]
    {
        assert!(asked.contains(line), "{line}: {asked}");
    }
}

#[tokio::test]
async fn a_cache_service_is_asked_before_buildkit_waits_for_it() {
    use docker_push_action::github::cache_trouble;
    use docker_push_action::model::CacheTrouble;
    let (token, network) = (Secret::new("jwt"), Network::default());
    for (status, body, trouble) in [
        ("200 OK", r#"{"ok":false}"#, None),
        ("429 Too Many Requests", "{}", Some("GitHub's cache says that there are too many requests (429)")),
        ("503 Service Unavailable", "<html>", Some("GitHub's cache answers with 503")),
        ("403 Forbidden", "{}", Some("GitHub's cache does not take the job's token (403)")),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (said, request) =
            tokio::join!(cache_trouble(&url, &token, &network), serve(listener, status, body));
        assert_eq!(
            said.map(|said| (said.why, said.lasting)),
            trouble.map(|why| (why.to_owned(), status.starts_with("429")))
        );
        let path = "/twirp/github.actions.results.api.v1.CacheService/GetCacheEntryDownloadURL";
        assert!(request.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{request}");
        assert!(request.to_lowercase().contains("authorization: bearer jwt"), "{request}");
    }

    // It takes the connection and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let silence = |why: &str| Some(CacheTrouble { why: why.into(), lasting: true });
    assert_eq!(
        cache_trouble(&url, &token, &network).await,
        silence("GitHub's cache gave no answer within 5 s")
    );

    // It hangs up.
    let hanging_up = async {
        let (stream, _) = listener.accept().await.unwrap();
        drop(stream);
        let (stream, _) = listener.accept().await.unwrap();
        drop(stream);
    };
    let (said, ()) = tokio::join!(cache_trouble(&url, &token, &network), hanging_up);
    assert_eq!(said, silence("GitHub's cache breaks the connection off"));

    // Nobody is there for us; BuildKit may know another way, or finds out at once.
    assert_eq!(cache_trouble("http://127.0.0.1:1/", &token, &network).await, None);
    assert_eq!(cache_trouble("nonsense", &token, &network).await, None);
}

/// Answers requests by their path, each on a connection of its own, and writes down what was asked.
async fn serving(
    listener: TcpListener,
    answers: &[(&str, &str, String)],
    asked: &std::sync::Mutex<Vec<String>>,
) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = received(&mut stream).await;
        let target = request.split(' ').nth(1).unwrap().to_owned();
        let found = answers.iter().find(|(path, ..)| target == *path);
        let (status, body) =
            found.map_or(("404 Not Found", r#"{"message":"Not Found"}"#), |(_, status, body)| (status, body));
        asked.lock().unwrap().push(target);
        respond(&mut stream, status, body).await;
    }
}

/// What is asked of a server with these answers, and the paths that it was asked for.
async fn with_answers<T>(
    answers: &[(&str, &str, String)],
    ask: impl AsyncFnOnce(GitHub) -> T,
) -> (T, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let github = GitHub::new(&url, Some(&Secret::new("t0ken")), &Network::default()).unwrap();
    let asked = std::sync::Mutex::new(Vec::new());
    let answer = tokio::select! {
        () = serving(listener, answers, &asked) => panic!("it serves for ever"),
        answer = ask(github) => answer,
        () = tokio::time::sleep(std::time::Duration::from_secs(20)) => panic!("no answer"),
    };
    (answer, asked.into_inner().unwrap())
}

fn commit(digit: char) -> CommitId {
    CommitId::parse(&digit.to_string().repeat(40)).unwrap()
}

#[tokio::test]
async fn how_commits_stand() {
    let route = format!("/repos/acme/shop/compare/{}...{}?per_page=1&page=2", commit('1'), commit('2'));
    for (status, expected) in [
        ("identical", Relation::Same),
        ("ahead", Relation::Ahead),
        ("behind", Relation::Behind),
        ("diverged", Relation::Diverged),
        ("odd", Relation::Unknown("GitHub says `odd`".into())),
    ] {
        let answers =
            [(route.as_str(), "200 OK", format!(r#"{{"status":"{status}","commits":[],"ahead_by":3}}"#))];
        let ask = async |github: GitHub| github.relation("acme/shop", &commit('1'), &commit('2')).await;
        assert_eq!(with_answers(&answers, ask).await.0.unwrap(), expected);
    }
    let ask = async |github: GitHub| github.relation("acme/shop", &commit('1'), &commit('2')).await;
    assert!(with_answers(&[], ask).await.0.unwrap_err().is_unknown());
    let limited = [(route.as_str(), "403 Forbidden", r#"{"message":"API rate limit exceeded"}"#.to_owned())];
    let ask = async |github: GitHub| github.relation("acme/shop", &commit('1'), &commit('2')).await;
    let error = with_answers(&limited, ask).await.0.unwrap_err();
    assert!(!error.is_unknown() && error.to_string().contains("rate limit"), "{error}");
}

#[tokio::test]
async fn a_ref_and_its_newest_commits() {
    let (one, two, tag) = (commit('1'), commit('2'), commit('a'));
    let object =
        |sha: &CommitId, kind: &str| format!(r#"{{"ref":"x","object":{{"sha":"{sha}","type":"{kind}"}}}}"#);
    let list = format!(
        r#"[{{"sha":"{two}","commit":{{}},"parents":[{{"sha":"{one}","url":"x"}}]}},{{"sha":"{one}","parents":[]}}]"#
    );
    let (tag_route, commits) = (
        format!("/repos/acme/shop/git/tags/{tag}"),
        format!("/repos/acme/shop/commits?sha={two}&per_page=50"),
    );
    let answers = [
        ("/repos/acme/shop/git/ref/heads/fix/a%20b%231", "200 OK", object(&two, "commit")),
        ("/repos/acme/shop/git/ref/tags/v1", "200 OK", object(&tag, "tag")),
        (tag_route.as_str(), "200 OK", object(&two, "commit")),
        (commits.as_str(), "200 OK", list),
        ("/repos/acme/shop/pulls/7", "200 OK", format!(r#"{{"head":{{"sha":"{two}","repo":null}}}}"#)),
        ("/repos/acme/shop/git/ref/tags/tree", "200 OK", object(&tag, "tree")),
        ("/repos/acme/shop", "200 OK", "{}".to_owned()),
    ];
    let commits = vec![(two.clone(), vec![one.clone()]), (one.clone(), vec![])];
    let expected = History { tip: Some(two.clone()), commits };
    for (reference, found, requests) in [
        (RefName::Branch("fix/a b#1".into()), expected.clone(), 2),
        (RefName::Tag("v1".into()), expected.clone(), 3),
        (RefName::Pull(7), expected.clone(), 2),
        // Gone, and not hidden: the repository is there.
        (RefName::Branch("gone".into()), History::default(), 2),
        (RefName::Pull(8), History::default(), 2),
        (RefName::Tag("tree".into()), History::default(), 1),
    ] {
        let ask = async |github: GitHub| github.history("acme/shop", &reference, Some(&one), 50).await;
        let (history, asked) = with_answers(&answers, ask).await;
        assert_eq!(history.unwrap(), found, "{reference:?}");
        assert_eq!(asked.len(), requests, "{asked:?}");
    }
    // Nothing is newer than the commit that is known already.
    let reference = RefName::Pull(7);
    let ask = async |github: GitHub| github.history("acme/shop", &reference, Some(&two), 50).await;
    let (history, asked) = with_answers(&answers, ask).await;
    assert_eq!(history.unwrap(), History { tip: Some(two.clone()), commits: vec![(two.clone(), vec![])] });
    assert_eq!(asked.len(), 1, "{asked:?}");
    let heads = format!("/repos/acme/shop/commits/{two}/branches-where-head");
    let answers =
        [(heads.as_str(), "200 OK", r#"[{"name":"main","protected":true},{"name":"dev"}]"#.to_owned())];
    let ask = async |github: GitHub| github.branches_at("acme/shop", &two).await;
    assert_eq!(with_answers(&answers, ask).await.0.unwrap(), ["main", "dev"]);
}

#[tokio::test]
async fn a_token_that_does_not_see_the_repository_is_not_told_that_its_refs_are_gone() {
    for reference in [RefName::Branch("main".into()), RefName::Pull(7)] {
        let ask = async |github: GitHub| github.history("acme/shop", &reference, None, 50).await;
        let error = with_answers(&[], ask).await.0.unwrap_err();
        assert!(error.is_unknown(), "{error}");
    }
    let ask = async |github: GitHub| github.has_commit("acme/shop", &commit('1')).await;
    assert!(with_answers(&[], ask).await.0.unwrap_err().is_unknown());
}

#[tokio::test]
async fn whether_a_commit_is_there() {
    let route = format!("/repos/acme/shop/git/commits/{}", commit('1'));
    let answers =
        [(route.as_str(), "200 OK", "{}".to_owned()), ("/repos/acme/shop", "200 OK", "{}".to_owned())];
    for (digit, there) in [('1', true), ('2', false)] {
        let ask = async |github: GitHub| github.has_commit("acme/shop", &commit(digit)).await;
        assert_eq!(with_answers(&answers, ask).await.0.unwrap(), there);
    }
}

#[tokio::test]
async fn branches_page_by_page() {
    let page = |from: usize, count: usize| {
        let names: Vec<String> = (from..from + count).map(|n| format!(r#"{{"name":"b{n}"}}"#)).collect();
        format!("[{}]", names.join(","))
    };
    let route = |page: usize| format!("/repos/acme/shop/branches?per_page=100&page={page}");
    let ask = async |github: GitHub| github.branches("acme/shop").await;
    let (first, second) = (route(1), route(2));
    let answers = [(first.as_str(), "200 OK", page(0, 100)), (second.as_str(), "200 OK", page(100, 3))];
    let listed = with_answers(&answers, ask).await.0.unwrap();
    assert_eq!((listed.names.len(), listed.names[102].as_str(), listed.all), (103, "b102", true));
    // There is an end to it.
    let routes: Vec<String> = (1..20).map(route).collect();
    let answers: Vec<_> = routes.iter().map(|route| (route.as_str(), "200 OK", page(0, 100))).collect();
    let (listed, asked) = with_answers(&answers, ask).await;
    assert_eq!((listed.unwrap().all, asked.len()), (false, 10));
}

#[tokio::test]
async fn whether_a_branch_has_a_commit() {
    let object = |sha: &CommitId| format!(r#"{{"object":{{"sha":"{sha}","type":"commit"}}}}"#);
    let compare =
        |old: char| format!("/repos/acme/shop/compare/{}...{}?per_page=1&page=2", commit(old), commit('2'));
    let (one, three) = (compare('1'), compare('3'));
    let answers = [
        ("/repos/acme/shop/git/ref/heads/main", "200 OK", object(&commit('2'))),
        ("/repos/acme/shop", "200 OK", "{}".to_owned()),
        (one.as_str(), "200 OK", r#"{"status":"ahead"}"#.to_owned()),
        (three.as_str(), "200 OK", r#"{"status":"diverged"}"#.to_owned()),
    ];
    for (branch, digit, expected, requests) in
        [("main", '2', true, 1), ("main", '1', true, 2), ("main", '3', false, 2), ("v1", '2', false, 2)]
    {
        let ask = async |github: GitHub| github.is_on_branch("acme/shop", branch, &commit(digit)).await;
        let (told, asked) = with_answers(&answers, ask).await;
        assert_eq!((told.unwrap(), asked.len()), (expected, requests), "{branch} {digit}");
    }
    let ask = async |github: GitHub| github.is_on_branch("acme/shop", "main", &commit('4')).await;
    assert!(with_answers(&answers, ask).await.0.unwrap_err().is_unknown(), "a commit that nobody knows");
}

#[tokio::test]
async fn the_server_that_keeps_repositories_is_read_as_github_is() {
    for server in [GithubServer::start("127.0.0.1"), GithubServer::enterprise("127.0.0.1")] {
        let hosted = server.repository("acme/shop");
        let id = |sha: &str| CommitId::parse(sha).unwrap();
        let first = id(&hosted.push("main", "First", &[("a", "1")]));
        let second = id(&hosted.push("main", "Second", &[("a", "2")]));
        let token = server.installation_token("github-actions", &["acme/shop"], "contents:read");
        let client = |token: &str| {
            GitHub::new(&server.api_url(), Some(&Secret::new(token)), &Network::default()).unwrap()
        };
        let github = client(&token);
        assert_eq!(github.default_branch("acme/shop").await.unwrap(), "main");
        assert_eq!(github.commit_of("acme/shop", "heads/main").await.unwrap(), Some(second.clone()));
        assert_eq!(github.commit_of("acme/shop", "heads/none").await.unwrap(), None);
        assert_eq!(github.relation("acme/shop", &first, &second).await.unwrap(), Relation::Ahead);
        assert_eq!(github.commit("acme/shop", &second).await.unwrap().parents, [first]);
        assert_eq!(github.branches_at("acme/shop", &second).await.unwrap(), ["main"]);
        server.fault("GET /repos/acme/shop", 1, Fault::primary_limit(60));
        let limited = github.default_branch("acme/shop").await.unwrap_err().to_string();
        assert!(limited.contains("403") && limited.contains("API rate limit exceeded"), "{limited}");
        let wrong = client("wrong").default_branch("acme/shop").await.unwrap_err().to_string();
        assert!(wrong.contains("401 Bad credentials"), "{wrong}");
        let hidden = github.default_branch("acme/other").await.unwrap_err();
        assert!(hidden.is_unknown(), "{hidden}");
        let forbidden = github.pull_request_head("acme/shop", 1).await.unwrap_err().to_string();
        assert!(forbidden.contains("403 Resource not accessible by integration"), "{forbidden}");
    }
}
