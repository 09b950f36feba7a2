//! A login that was exchanged for and ends before the tags are put. Amazon's registry is a name, which an HTTPS proxy of the
//! test leads to a real registry behind TLS.

use crate::job::{Job, parts};
use crate::retry;
use crate::runner::clouds::{Clouds, KEY};
use crate::runner::fault_proxy::{Act, FaultProxy, Kind};
use rustls::pki_types::PrivateKeyDer;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// A proxy for HTTPS that knows one host, and is that host; its own address, and whom to believe, in PEM.
fn proxy_to(upstream: String) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([ECR.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key);
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (config, upstream) = (Arc::clone(&config), upstream.clone());
            std::thread::spawn(move || drop(carry(client, config, &upstream)));
        }
    });
    (url, made.cert.pem())
}

/// One connection: each request is whole before its answer, so that one thread carries both.
fn carry(mut client: TcpStream, config: Arc<rustls::ServerConfig>, upstream: &str) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    assert!(head.starts_with(format!("CONNECT {ECR}:443 ").as_bytes()), "{}", String::from_utf8_lossy(&head));
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let far = TcpStream::connect(upstream)?;
    let mut tls = rustls::ServerConnection::new(config).map_err(std::io::Error::other)?;
    // Small turns, as one TLS connection cannot be read and written by two threads.
    let turn = Some(std::time::Duration::from_millis(2));
    let (mut near, mut far) = (client, far);
    near.set_read_timeout(turn)?;
    far.set_read_timeout(turn)?;
    let mut buffer = [0; 16 * 1024];
    let waits = |fault: &std::io::Error| {
        matches!(fault.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
    };
    loop {
        let mut stream = rustls::Stream::new(&mut tls, &mut near);
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => far.write_all(&buffer[..count])?,
            Err(fault) if waits(&fault) => {}
            Err(fault) => return Err(fault),
        }
        match far.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => rustls::Stream::new(&mut tls, &mut near).write_all(&buffer[..count])?,
            Err(fault) if waits(&fault) => {}
            Err(fault) => return Err(fault),
        }
    }
    far.shutdown(Shutdown::Both)
}

#[test]
fn an_exchanged_login_that_ends_is_had_again() {
    let clouds = Clouds::start("127.0.0.1");
    let ends = |request: &crate::runner::fault_proxy::Request| match request.kind {
        Kind::PutTag if request.nth == 1 => Act::Expire,
        _ => Act::Pass,
    };
    let registry = FaultProxy::with_logins(&parts().registry, ends);
    let (proxy, authority) = proxy_to(registry.host());
    let name = "login-ends";
    // The commit's image, by the registry's usual way.
    let mut job = Job::usual(name).input("registry", &parts().registry).input("platform", "linux/amd64");
    let built = job.native().run();
    assert!(built.success, "{}", built.log());
    // A release of it, at Amazon's.
    job.event = job.event_of("push-tag");
    let mut job = job.without("registry").without("image_name");
    job = job.input("repository", &format!("{ECR}/acme/shop/{name}")).input("promote", "only");
    let file = job.machine.temp().join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    for (variable, value) in [
        ("AWS_ENDPOINT_URL", clouds.url()),
        ("AWS_ACCESS_KEY_ID", KEY.0.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", KEY.1.to_owned()),
        ("HTTPS_PROXY", proxy),
        ("SSL_CERT_FILE", file.display().to_string()),
    ] {
        job.env.insert(variable.to_owned(), value);
    }
    let result = job.native().run();
    assert!(result.success, "{}", result.log());
    assert_eq!(result.outputs["digest"], built.outputs["digest"]);
    for tag in result.outputs["tag_names"].lines() {
        let found = parts().open_registry().manifest(&format!("acme/shop/{name}"), tag).unwrap();
        assert_eq!(found.digest, built.outputs["digest"], "{tag}");
    }
    let logins = clouds.lines().iter().filter(|line| line.contains("GetAuthorizationToken 200")).count();
    assert_eq!((logins, registry.spoiled()), (2, 1), "{:?}\n{}", clouds.lines(), result.log());
    for secret in clouds.secrets() {
        let shown = |line: &&String| line.contains(&secret) && !line.starts_with("::add-mask::");
        assert_eq!(result.raw_lines.iter().find(shown), None, "`{secret}` in the log");
    }

    // One that ends for good is an error, not a loop.
    registry.script(|request| if request.kind == Kind::PutTag { Act::Expire } else { Act::Pass });
    job.event = job.event_of("push-tag").replace("v1.2.3", "v1.2.4");
    let result = job.native().run();
    assert!(!result.success && result.errors().contains(ECR), "{}", result.log());
    let logins = clouds.lines().iter().filter(|line| line.contains("GetAuthorizationToken 200")).count();
    assert_eq!(logins, 4, "{:?}", clouds.lines());
    assert_eq!(retry::times_run(&result), 0);
}
