//! Where redirects lead, and what may see a secret.

use super::*;

#[test]
fn redirects() {
    for (from, location, expected) in [
        ("https://r.io/v2/a", "https://cdn.io/x?y", Ok("https://cdn.io/x?y")),
        ("https://r.io/v2/a", "/v2/b#f", Ok("https://r.io/v2/b")),
        ("https://r.io/v2/a", "//cdn.io/x", Ok("https://cdn.io/x")),
        ("http://localhost:5000/v2/a", "http://localhost:5000/b", Ok("http://localhost:5000/b")),
        ("http://localhost:5000/v2/a", "https://cdn.io/b", Ok("https://cdn.io/b")),
        ("https://r.io/v2/a", "http://r.io/x", Err("down from HTTPS")),
        ("https://r.io/v2/a", "https://u:p@cdn.io/x", Err("not followed")),
        ("https://r.io/v2/a", "file:///etc/passwd", Err("which is no")),
        ("https://r.io/v2/a", "b", Err("not followed")),
        ("https://r.io/v2/a", "", Err("which is not a URL")),
    ] {
        match (redirect(&from.parse().unwrap(), location.as_bytes()), expected) {
            (Ok(next), Ok(expected)) => assert_eq!(next.to_string(), expected),
            (Err(Kind::Protocol(text)), Err(expected)) => assert!(text.contains(expected), "{text}"),
            (found, expected) => panic!("{location}: {found:?}, not {expected:?}"),
        }
    }
}

#[test]
fn origins() {
    let same = |one: &str, other: &str| same_origin(&one.parse().unwrap(), &other.parse().unwrap());
    assert!(same("https://r.io/a", "https://R.io:443/b"));
    assert!(!same("https://r.io/a", "https://r.io:444/a"));
    assert!(!same("https://r.io/a", "http://r.io/a"));
    assert!(!same("https://r.io/a", "https://s.io/a"));
}
