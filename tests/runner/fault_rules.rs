//! The fault proxy's own rules: what it passes on, what it spoils, what it counts.

use crate::runner::fault_proxy::chance::Chance;
use crate::runner::fault_proxy::{Act, Answer, FaultProxy, Kind, Request};
use crate::runner::wait::PATIENCE;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Answers every connection with this, and tells what it was sent up to `ENOUGH`.
fn upstream(answer: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut all, mut buffer) = (String::new(), [0; 4096]);
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                all.push_str(&String::from_utf8_lossy(&buffer[..count]));
                if all.ends_with("ENOUGH") || all.ends_with("\r\n0\r\n\r\n") {
                    let _ = stream.write_all(answer.as_bytes());
                    let _ = sender.send(std::mem::take(&mut all));
                }
            }
            if !all.is_empty() {
                let _ = sender.send(all);
            }
        }
    });
    (host, receiver)
}

fn ask(proxy: &FaultProxy, request: &str) -> String {
    let mut stream = TcpStream::connect(proxy.host()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    // A connection that breaks has said what it has said.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

const PUT: &str =
    "PUT /v2/a/b/manifests/v1 HTTP/1.1\r\nhost: x\r\nX-ODD:  y \r\ncontent-length: 10\r\n\r\n{..}ENOUGH";
const CREATED: &str = "HTTP/1.1 201 Created\r\nX-odd:z\r\nContent-Length: 4\r\n\r\ndone";
const CHUNKS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\n0\r\n\r\n";

#[test]
fn bytes_pass_as_they_are() {
    let (host, sent) = upstream(CREATED);
    let proxy = FaultProxy::new(&host, |_| Act::Pass);
    let chunked =
        "PATCH /v2/a/blobs/uploads/1?x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for request in [PUT, chunked] {
        assert_eq!(ask(&proxy, request), CREATED);
        assert_eq!(sent.recv_timeout(PATIENCE).unwrap(), request);
    }
    let (host, _sent) = upstream(CHUNKS);
    assert_eq!(ask(&FaultProxy::new(&host, |_| Act::Pass), PUT), CHUNKS);
    assert_eq!(proxy.put(Kind::PutTag), ["v1"]);
    assert_eq!((proxy.count(Kind::SendUpload), proxy.spoiled()), (1, 0));
    assert!(proxy.wait(PATIENCE, |seen| seen.len() == 2));
    assert!(ask(&proxy, "\u{16}\u{3}\u{1}").starts_with("HTTP/1.0 400 "), "a TLS hello");
}

#[test]
fn each_fault_is_what_it_says() {
    let (host, sent) = upstream(CREATED);
    let proxy = FaultProxy::new(&host, |_| Act::Pass);
    let spoil = |act: fn() -> Act| {
        proxy.script(move |_| act());
        ask(&proxy, PUT)
    };
    // The next request that the registry heard of: those before it never came there.
    let passed = || sent.recv_timeout(PATIENCE).unwrap();
    let answer = spoil(|| Answer::status(429).retry_after(7).into());
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("Retry-After: 7\r\n"), "{answer}");
    let answer = spoil(|| Answer::status(502).long(1 << 20).into());
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len(), 1 << 20);
    assert_eq!(spoil(|| Act::Reset), "");
    assert_eq!(spoil(|| Act::Stall(Duration::from_millis(10))), "");
    assert_eq!(spoil(|| Act::ResetAt(3)), "");
    assert_eq!(passed().split_once("\r\n\r\n").unwrap().1, "{..");
    assert_eq!(spoil(|| Act::LoseAnswer), "");
    assert_eq!(passed(), PUT);
    assert_eq!(spoil(|| Act::Truncate(2)), CREATED.trim_end_matches("ne"));
    assert_eq!(passed(), PUT);
    assert_eq!(proxy.spoiled(), proxy.count(Kind::PutTag));
    assert_eq!(proxy.put(Kind::PutTag).len(), 2, "the registry took those whose answer was lost or cut");
}

#[test]
fn tokens_end_when_the_script_says_so() {
    let (host, sent) = upstream(CREATED);
    let proxy = FaultProxy::with_tokens(&host, |_| Act::Pass);
    let refused = ask(&proxy, PUT);
    assert!(
        refused.starts_with("HTTP/1.1 401 ") && refused.contains("scope=\"repository:a/b:pull,push\""),
        "{refused}"
    );
    let given = ask(&proxy, "GET /token?service=test HTTP/1.1\r\n\r\n");
    assert!(given.ends_with(r#"{"token":"token-1","expires_in":3600}"#), "{given}");
    let with = PUT.replace("host: x\r\n", "Authorization: Bearer token-1\r\n");
    assert_eq!(ask(&proxy, &with), CREATED);
    let passed = sent.recv_timeout(PATIENCE).unwrap();
    assert_eq!(passed, PUT.replace("host: x\r\n", ""), "the token stays here");
    proxy.script(|request| if request.nth == 2 { Act::Expire } else { Act::Pass });
    let ended = ask(&proxy, &with);
    assert!(ended.starts_with("HTTP/1.1 401 ") && ended.contains("invalid_token"), "{ended}");
}

#[test]
fn the_same_seed_spoils_the_same() {
    let request = |number| Request {
        kind: Kind::EndUpload,
        method: "PUT".into(),
        path: "/v2/a/blobs/uploads/1".into(),
        agent: String::new(),
        number,
        nth: number,
    };
    let run = |seed| {
        let mut chance = Chance::new(seed, 20);
        (0..1000).map(|n| matches!(chance.act(&request(n)), Act::Pass)).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    for seed in 0..20 {
        let spoiled = run(seed).iter().filter(|passed| !**passed).count();
        assert!((120..280).contains(&spoiled), "seed {seed}: {spoiled} of 1000");
    }
}
