//! Registries that are slow, broken, verbose or something else entirely.

use std::time::Duration;

use docker_push_action::model::{Dial, RegistryHost, Repository};
use docker_push_action::registry::{Kind, RegistryClient, RegistryError, Timeouts};

use super::fake::{Answer, Fake, answer, octo};
use super::{Case, INDEX, api, manifest, tag};

const SHORT: Timeouts = Timeouts { connect: Duration::from_millis(200), request: Duration::from_millis(200) };

async fn read_from(reply: fn() -> Answer, timeouts: Timeouts) -> RegistryError {
    let fake = Fake::start(move |request| api(request, reply)).await;
    let client = RegistryClient::new(fake.host(), None, Dial::Direct, timeouts);
    client.get_manifest(&fake.repository(), &tag("v1")).await.unwrap_err()
}

#[tokio::test]
async fn answers_that_never_end_or_begin() {
    let stalls: [fn() -> Answer; 4] = [
        || Answer::Stall(Vec::new()),
        || Answer::Stall(b"HTTP/1.1 200 OK\r\nX: ".to_vec()),
        || Answer::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec()),
        || Answer::Stall(b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\n{".to_vec()),
    ];
    for stall in stalls {
        let error = read_from(stall, SHORT).await;
        assert_eq!(error.kind(), &Kind::Timeout { what: "answer", limit: SHORT.request }, "{error}");
    }
    // Not by time, but by size.
    let error = read_from(
        || Answer::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-More: and more of it\r\n".to_vec()),
        Timeouts::default(),
    )
    .await;
    assert!(matches!(error.kind(), Kind::Protocol(_)), "{error:?}");
    let error = read_from(
        || {
            Answer::Endless(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
                [b"8000\r\n".as_slice(), &vec![b'x'; 0x8000], b"\r\n"].concat(),
            )
        },
        Timeouts::default(),
    )
    .await;
    assert_eq!(error.kind(), &Kind::TooLarge { what: "manifest", limit: 4 * 1024 * 1024 });
}

#[tokio::test]
async fn answers_that_break_off() {
    let breaks: [fn() -> Answer; 3] = [
        || Answer::Cut(Vec::new()),
        || Answer::Cut(b"HTTP/1.1 200 OK\r\nConte".to_vec()),
        || Answer::Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec()),
    ];
    for cut in breaks {
        let error = read_from(cut, Timeouts::default()).await;
        assert!(matches!(error.kind(), Kind::Broken(_)), "{error:?}");
    }
}

#[tokio::test]
async fn error_answers_in_every_shape() {
    let cases: [Case; 6] = [
        (
            || {
                answer(
                    403,
                    &[],
                    r#"{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}"#,
                )
            },
            "it answered 403 DENIED: permission_denied: write_package",
        ),
        (
            || answer(502, &[], "<html><head><title>502 Bad Gateway</title>"),
            "it answered 502: 502 Bad Gateway",
        ),
        (|| answer(500, &[], ""), "it answered 500"),
        (|| answer(400, &[], "\u{1b}[31mred\r\n::error::x"), "it answered 400: [31mred ::error::x"),
        (
            || {
                answer(
                    404,
                    &[],
                    r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#,
                )
            },
            "404 NAME_UNKNOWN",
        ),
        (
            || Answer::Cut(b"HTTP/1.1 503 X\r\nContent-Length: 99\r\n\r\nbusy".to_vec()),
            "it answered 503: busy",
        ),
    ];
    for (reply, expected) in cases {
        let error = read_from(reply, Timeouts::default()).await;
        let text = error.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(text.starts_with("cannot read the manifest `v1` of `acme/api` at `127.0.0.1:"), "{text}");
        assert!(!text.contains(['\u{1b}', '\n', '\r']), "{text:?}");
    }
    // A megabyte of it: the start is enough, and the connection is left.
    let error = read_from(|| answer(500, &[], "long ".repeat(200_000)), Timeouts::default()).await;
    assert!(error.to_string().len() < 600);
}

#[tokio::test]
async fn too_many_requests() {
    let error =
        read_from(|| answer(429, &["Retry-After: 17"], "toomanyrequests: slow down"), Timeouts::default())
            .await;
    let Kind::ErrorResponse(answered) = error.kind() else { panic!("{error:?}") };
    assert_eq!((answered.status, answered.retry_after), (429, Some(Duration::from_secs(17))));
}

#[tokio::test]
async fn nobody_listens() {
    // Bound, so that nobody else is given it, and not listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = socket.local_addr().unwrap();
    let host = RegistryHost::parse(&format!("localhost:{}", free.port())).unwrap();
    let client = RegistryClient::new(host, None, Dial::Direct, Timeouts::default());
    let error = client.ping().await.unwrap_err();
    assert_eq!(error.kind(), &Kind::Refused(free.to_string()));
    assert_eq!(
        error.to_string(),
        format!(
            "cannot reach the registry at `localhost:{0}`: connection refused (127.0.0.1:{0})",
            free.port()
        )
    );
    let host = RegistryHost::parse("registry.invalid").unwrap();
    let error = RegistryClient::new(host, None, Dial::Direct, Timeouts::default()).ping().await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Name(_)), "{error:?}");
    let gone = Dial::Socket("/nowhere/registry.sock".into());
    let host = RegistryHost::parse("localhost:5000").unwrap();
    let error = RegistryClient::new(host, None, gone, Timeouts::default()).ping().await.unwrap_err();
    assert!(error.to_string().contains("the relay"), "{error}");
}

/// Not loopback by name, so that HTTPS is a must, but dialled to the fake.
fn elsewhere(fake: &Fake, timeouts: Timeouts) -> (RegistryClient, Repository) {
    let host = RegistryHost::parse("registry.test").unwrap();
    let client =
        RegistryClient::new(host.clone(), Some(&octo(host.clone())), Dial::Address(fake.address), timeouts);
    (client, Repository::new(host, "acme/api").unwrap())
}

#[tokio::test]
async fn plain_http_is_for_loopback_only() {
    let fake = Fake::start(|_| Answer::Cut(b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec())).await;
    let (client, repository) = elsewhere(&fake, Timeouts::default());
    let error = client.put_tag(&repository, &tag("v1"), &manifest("{}", INDEX)).await.unwrap_err();
    assert_eq!(error.kind(), &Kind::PlainHttp);
    assert!(error.hint().unwrap().contains("only registries on `localhost`"));
    assert!(
        fake.asked().iter().all(|request| request.headers.is_empty()),
        "nothing but a TLS hello was sent"
    );
}

#[tokio::test]
async fn a_server_that_is_silent_to_a_tls_hello() {
    let fake = Fake::start(|_| Answer::Stall(Vec::new())).await;
    let error = elsewhere(&fake, SHORT).0.ping().await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn something_else_listens_on_loopback() {
    let cases: [Case; 4] = [
        (|| Answer::Cut(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), "what it answers is not HTTP"),
        (|| answer(404, &[], "404 page not found"), "it answered 404: 404 page not found"),
        (|| answer(401, &["WWW-Authenticate: Negotiate"], ""), "none that is known here"),
        (|| answer(200, &[], "x".repeat(5 << 20)), "larger than"),
    ];
    for (reply, expected) in cases {
        let fake = Fake::start(move |_| reply()).await;
        let error = fake.client().ping().await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
