//! Registries behind TLS: whose certificate is believed, and what is never sent without it.
//!
//! Roots come from the system, which `SSL_CERT_FILE` replaces: so the tests that need a root of their own
//! run in a child process.

use std::process::Command;

use docker_push_action::model::{Dial, RegistryHost, RegistryProtocol, Repository};
use docker_push_action::net::Network;
use docker_push_action::registry::{Kind, RegistryClient, Timeouts};
use rustls::pki_types::PrivateKeyDer;

use super::fake::{Answer, Fake, Request, answer, octo};
use super::{INDEX, manifest, tag};

/// A certificate for `registry.test` and `localhost`, signed by itself; in PEM too.
fn certificate() -> (rustls::ServerConfig, String) {
    let made =
        rcgen::generate_simple_self_signed(["registry.test".to_owned(), "localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (config, made.cert.pem())
}

/// A client of a registry by this name, dialled to the fake.
fn client(host: &str, fake: &Fake) -> (RegistryClient, Repository) {
    let host = RegistryHost::parse(host).unwrap();
    let dial = Dial::Address(fake.address);
    let client = RegistryClient::new(host.clone(), Some(&octo(host.clone())), dial, Timeouts::default());
    (client, Repository::new(host, "acme/api").unwrap())
}

#[tokio::test]
async fn an_unknown_authority_is_not_believed() {
    let fake = Fake::start_tls(certificate().0, |_| answer(200, &[], "")).await;
    for host in ["registry.test", "localhost:5000"] {
        let error = client(host, &fake).0.ping().await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Tls(_)), "{error:?}");
        assert!(fake.asked().is_empty());
    }
}

#[test]
fn a_known_authority_is_believed() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["registry::tls::with_a_root_of_our_own", "--exact", "--ignored", "--nocapture"])
        .env("SSL_CERT_FILE", directory.path().join("root.pem"))
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let log =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && log.contains("1 passed"), "{log}");
}

#[tokio::test]
#[ignore = "run by the test above, with a system root of its own"]
async fn with_a_root_of_our_own() {
    let (config, pem) = certificate();
    #[allow(clippy::disallowed_methods, reason = "set by the test above for rustls-native-certs")]
    let roots = std::env::var("SSL_CERT_FILE").unwrap();
    std::fs::write(roots, pem).unwrap();
    let fake = Fake::start_tls(config, |request| match request.header("authorization") {
        // The token server is the registry's own, over HTTPS.
        Some(basic) if request.is("GET", "/token") && basic.starts_with("Basic ") => {
            answer(200, &[], r#"{"access_token":"t"}"#)
        }
        Some("Bearer t") => answer(201, &[], ""),
        _ => {
            let host = request.header("host").unwrap();
            answer(401, &[&format!(r#"WWW-Authenticate: Bearer realm="https://{host}/token""#)], "")
        }
    })
    .await;
    // On loopback plain HTTP is tried first; nothing that is secret is said before TLS is on.
    for host in ["registry.test", "localhost:5000"] {
        let (client, repository) = client(host, &fake);
        client.put_tag(&repository, &tag("v1"), &manifest("{}", INDEX)).await.unwrap();
    }
    let puts = fake.asked().into_iter().filter(|request| request.method == "PUT");
    assert_eq!(puts.filter(|put| put.header("authorization") == Some("Bearer t")).count(), 2);
    // The right root, the wrong name.
    let error = client("other.test", &fake).0.ping().await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Tls(_)), "{error:?}");
    assert!(error.to_string().contains("not valid for name"), "{error}");
}

/// A client of `registry.test:5000`, dialled to the fake, that logs in and speaks as it is told.
fn speaking(protocol: RegistryProtocol, fake: &Fake) -> (RegistryClient, Repository) {
    let host = RegistryHost::parse("registry.test:5000").unwrap();
    let (login, dial) = (octo(host.clone()), Dial::Address(fake.address));
    let (network, timeouts) = (Network::default(), Timeouts::default());
    let client = RegistryClient::speaking(protocol, &network, host.clone(), Some(&login), dial, timeouts);
    (client, Repository::new(host, "acme/api").unwrap())
}

fn by_password(request: &Request) -> Answer {
    match request.header("authorization") {
        Some(basic) if basic.starts_with("Basic ") => answer(201, &[], ""),
        // What Go's server answers to a TLS hello.
        _ if request.method.contains('\u{16}') => Answer::Cut(b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec()),
        _ => answer(401, &["WWW-Authenticate: Basic realm=theirs"], ""),
    }
}

#[tokio::test]
async fn a_registry_is_spoken_to_as_its_builder_is_allowed_to() {
    use RegistryProtocol::{Https, Plain, Unverified, UnverifiedOrPlain};
    let index = manifest("{}", INDEX);
    for (tls, protocol, taken) in [
        (false, Https, false),
        (false, Unverified, false),
        (false, Plain, true),
        (false, UnverifiedOrPlain, true),
        (true, Https, false),
        (true, Unverified, true),
        (true, Plain, false),
        (true, UnverifiedOrPlain, true),
    ] {
        let fake = if tls {
            Fake::start_tls(certificate().0, by_password).await
        } else {
            Fake::start(by_password).await
        };
        let (client, repository) = speaking(protocol, &fake);
        let put = client.put_tag(&repository, &tag("v1"), &index).await;
        assert_eq!(put.is_ok(), taken, "{tls} {protocol:?}: {put:?}");
        let shown = fake.asked().iter().filter(|request| request.header("authorization").is_some()).count();
        assert_eq!(
            shown,
            usize::from(taken),
            "{tls} {protocol:?}: a login goes where it was allowed to only"
        );
    }
}

#[tokio::test]
async fn only_the_host_that_was_named_is_believed_without_a_certificate() {
    let elsewhere = Fake::start_tls(certificate().0, |_| answer(200, &[], r#"{"token":"t"}"#)).await;
    let realm = format!(r#"WWW-Authenticate: Bearer realm="https://{}/token""#, elsewhere.address);
    let fake = Fake::start_tls(certificate().0, move |_| answer(401, &[&realm], "")).await;
    let (client, repository) = speaking(RegistryProtocol::Unverified, &fake);
    let error = client.head_manifest(&repository, &tag("v1")).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::TokenServer { .. }) && error.is_untrusted(), "{error:?}");
    assert!(elsewhere.asked().is_empty());
}
