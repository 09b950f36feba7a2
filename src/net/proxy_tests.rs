use super::*;

fn proxies(variables: &[(&str, &str)]) -> Proxies {
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Proxies::from_variables(&owned.collect())
}

fn chosen(proxies: &Proxies, url: &str) -> String {
    match proxies.for_url(&url.parse().unwrap()) {
        Ok(None) => "direct".into(),
        Ok(Some(proxy)) => {
            format!("{}{}:{}", if proxy.tls { "tls " } else { "" }, proxy.host, proxy.port)
        }
        Err(why) => why.to_owned(),
    }
}

#[test]
fn proxies_by_scheme() {
    for (variables, url, expected) in [
        (&[][..], "https://r.io/", "direct"),
        (&[("HTTPS_PROXY", "http://p:3128")][..], "https://r.io/", "p:3128"),
        (&[("HTTPS_PROXY", "http://p:3128")], "http://r.io/", "direct"),
        (&[("HTTP_PROXY", "p")], "http://r.io/", "p:80"),
        (&[("HTTPS_PROXY", "p:8080")], "https://r.io/", "p:8080"),
        (&[("HTTPS_PROXY", "https://p/")], "https://r.io/", "tls p:443"),
        (&[("HTTPS_PROXY", "http://[::2]:3128")], "https://r.io/", "::2:3128"),
        // As Go: the lower-case name counts.
        (&[("HTTPS_PROXY", "upper:1"), ("https_proxy", "lower:2")], "https://r.io/", "lower:2"),
        (&[("HTTPS_PROXY", "upper:1"), ("https_proxy", "")], "https://r.io/", "upper:1"),
        (
            &[("HTTPS_PROXY", "socks5://p:1080")],
            "https://r.io/",
            "`HTTPS_PROXY` names a SOCKS proxy: only `http://` and `https://` are spoken",
        ),
        (
            &[("HTTPS_PROXY", "http://p q/")],
            "https://r.io/",
            "`HTTPS_PROXY` names no proxy (for example `http://proxy.example.com:3128`)",
        ),
        // Nobody has to use what is wrong where it does not count.
        (&[("HTTPS_PROXY", "socks5://p:1080")], "https://localhost:5000/", "direct"),
        (&[("HTTPS_PROXY", "p:1")], "https://localhost/", "direct"),
        (&[("HTTPS_PROXY", "p:1")], "https://r.localhost/", "direct"),
        (&[("HTTPS_PROXY", "p:1")], "https://127.0.0.2/", "direct"),
        (&[("HTTPS_PROXY", "p:1")], "https://[::1]:5000/", "direct"),
    ] {
        assert_eq!(chosen(&proxies(variables), url), expected, "{variables:?} {url}");
    }
}

#[test]
fn hosts_without_a_proxy() {
    for (list, url, direct) in [
        ("", "https://r.io/", false),
        ("*", "https://r.io/", true),
        ("x.io, *", "https://r.io/", true),
        ("r.io", "https://r.io/", true),
        ("R.IO", "https://r.io:8443/", true),
        ("r.io", "https://a.r.io/", true),
        ("r.io", "https://bar.io/", false),
        (".r.io", "https://r.io/", false),
        (".r.io", "https://a.r.io/", true),
        ("*.r.io", "https://a.r.io/", true),
        ("*.r.io", "https://r.io/", false),
        ("r.io:5000", "https://r.io:5000/", true),
        ("r.io:5000", "https://r.io/", false),
        ("r.io:443", "https://r.io/", true),
        ("10.0.0.0/8", "https://10.2.3.4/", true),
        ("10.0.0.0/8", "https://11.2.3.4/", false),
        ("0.0.0.0/0", "https://11.2.3.4/", true),
        ("fd00::/8", "https://[fd12::1]/", true),
        ("10.0.0.0/8", "https://[fd12::1]/", false),
        ("10.0.0.1", "https://10.0.0.1:5000/", true),
        ("10.0.0.1:5000", "https://10.0.0.1:5000/", true),
        ("10.0.0.1:5000", "https://10.0.0.1/", false),
        ("[fd12::1]:443", "https://[fd12::1]/", true),
        ("fd12::1", "https://[fd12::1]/", true),
        ("10.0.0.0/33,:80,r.io:x,,", "https://r.io/", false),
    ] {
        let proxies = proxies(&[("https_proxy", "p:1"), ("NO_PROXY", list)]);
        assert_eq!(chosen(&proxies, url) == "direct", direct, "{list} {url}");
    }
}

#[test]
fn a_login_is_decoded_and_not_printed() {
    let proxies = proxies(&[("https_proxy", "http://octo:p%40ss%zz@p:1")]);
    let url = "https://r.io/".parse().unwrap();
    let proxy = proxies.for_url(&url).unwrap().unwrap();
    let basic = base64::engine::general_purpose::STANDARD.encode("octo:p@ss%zz");
    assert_eq!(proxy.login, Some(Secret::new(format!("Basic {basic}"))));
    assert!(!format!("{proxies:?}").contains("p@ss"), "{proxies:?}");
}

#[tokio::test]
async fn a_tunnel_ends_where_the_answer_does() {
    let proxy = Proxy::parse("octo:pw@p:1").unwrap();
    for (answer, expected) in [
        ("HTTP/1.1 200 Connection established\r\n\r\nHELLO", Ok("HELLO")),
        ("HTTP/1.0 200\r\nVia: x\r\n\r\nHELLO", Ok("HELLO")),
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", Err("it answered 407 to CONNECT")),
        ("SSH-2.0-OpenSSH\r\n\r\n", Err("what it answered to CONNECT is not HTTP")),
        ("HTTP/1.1 200", Err("the connection broke")),
    ] {
        let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
        theirs.write_all(answer.as_bytes()).await.unwrap();
        let asked = async {
            let mut request = vec![0; 200];
            let length = theirs.read(&mut request).await.unwrap();
            theirs.shutdown().await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        };
        let (made, request) = tokio::join!(proxy.tunnel(&mut ours, "fd12::1", 5000), asked);
        assert!(request.starts_with("CONNECT [fd12::1]:5000 HTTP/1.1\r\nHost: [fd12::1]:5000\r\n"));
        assert!(request.ends_with("Proxy-Authorization: Basic b2N0bzpwdw==\r\n\r\n"), "{request}");
        match (made, expected) {
            (Ok(()), Ok(rest)) => {
                let mut after = String::new();
                ours.read_to_string(&mut after).await.unwrap();
                assert_eq!(after, rest);
            }
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (made, expected) => panic!("{answer}: {made:?}, not {expected:?}"),
        }
    }
}
