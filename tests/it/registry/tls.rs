//! Registries behind TLS: whose certificate is believed, and what is never sent without it.
//!
//! Roots come from the system, which `SSL_CERT_FILE` replaces: so the tests that need a root of their own
//! run in a child process.

use std::process::Command;

use docker_push_action::model::{Dial, RegistryHost, Repository};
use docker_push_action::registry::{Kind, RegistryClient, Timeouts};
use rustls::pki_types::PrivateKeyDer;

use super::fake::{Fake, answer, octo};
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
