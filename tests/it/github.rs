//! The GitHub façade against a server on the wire.

use docker_push_action::github::{GitHub, GitHubError};
use docker_push_action::model::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers one request and returns what was asked.
async fn serve(listener: TcpListener, status: &str, body: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the client hung up");
        request.extend_from_slice(&buffer[..read]);
    }
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

async fn ask(
    status: &str,
    body: &str,
) -> (Result<docker_push_action::github::PullRequestHead, GitHubError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // The path of an Enterprise Server must survive.
    let api_url = format!("http://{}/api/v3", listener.local_addr().unwrap());
    let github = GitHub::new(&api_url, Some(&Secret::new("t0ken"))).unwrap();
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
