//! `WWW-Authenticate`, read: what a registry asks for before it answers.
//!
//! Sans-IO, after RFC 9110 section 11.6.1 and distribution's token specification. Only `Bearer` and
//! `Basic` mean something here; other schemes are skipped, whatever their parameters. Text that does not
//! follow the grammar ends the reading: what was complete before it counts, nothing is guessed.

use http::{HeaderMap, HeaderValue, header};

/// One demand that can be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A token from `realm`.
    Bearer {
        /// URL of the token server.
        realm: String,
        /// Its name for this registry, empty if not given.
        service: String,
        /// What the refused request needed, empty if not given.
        scope: String,
        /// `error`, such as `insufficient_scope` or `invalid_token`, empty if not given.
        error: String,
    },
    /// User name and password with each request.
    Basic,
}

/// Longest header that is read; a longer one is cut.
const MAX: usize = 8 * 1024;

/// The demand of an answer that is to be met, if it makes one that can be.
pub fn offered(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(header::WWW_AUTHENTICATE);
    choose(parse(values.iter().map(HeaderValue::as_bytes)))
}

/// Reads the values of all `WWW-Authenticate` headers of one answer, in order.
pub fn parse<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Vec<Challenge> {
    headers.into_iter().flat_map(|value| parse_one(&value[..value.len().min(MAX)])).collect()
}

/// The demand to meet: a token before a password, as the token is the narrower thing to show.
pub fn choose(challenges: Vec<Challenge>) -> Option<Challenge> {
    let bearer = challenges.iter().position(|c| matches!(c, Challenge::Bearer { .. }));
    challenges.into_iter().nth(bearer.unwrap_or(0))
}

fn parse_one(value: &[u8]) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut reader = Reader { rest: value };
    reader.skip_commas();
    while let Some(scheme) = reader.token() {
        let (parameters, whole) = reader.parameters();
        found.extend(meaning(&scheme, &parameters));
        if !whole {
            break;
        }
    }
    found
}

fn meaning(scheme: &str, parameters: &[(String, String)]) -> Option<Challenge> {
    // The first of two equal names wins: a later one cannot replace what a proxy in between has checked.
    let get = |name: &str| {
        parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    Some(Challenge::Bearer {
        realm: get("realm").filter(|realm| !realm.is_empty())?,
        service: get("service").unwrap_or_default(),
        scope: get("scope").unwrap_or_default(),
        error: get("error").unwrap_or_default(),
    })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn skip(&mut self, skip: impl Fn(u8) -> bool) {
        let length = self.rest.iter().take_while(|b| skip(**b)).count();
        self.rest = &self.rest[length..];
    }

    fn skip_commas(&mut self) {
        self.skip(|b| matches!(b, b' ' | b'\t' | b','));
    }

    fn token(&mut self) -> Option<String> {
        let length = self.rest.iter().take_while(|b| is_token(**b)).count();
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        // Token characters are ASCII.
        (length > 0).then(|| String::from_utf8_lossy(token).into_owned())
    }

    /// The parameters of the scheme just read, and whether the text kept to the grammar so far.
    fn parameters(&mut self) -> (Vec<(String, String)>, bool) {
        let mut parameters = Vec::new();
        self.skip(|b| matches!(b, b' ' | b'\t'));
        self.skip_token68();
        loop {
            self.skip_commas();
            if self.rest.is_empty() {
                return (parameters, true);
            }
            let before = self.rest;
            let Some(name) = self.token() else { return (parameters, false) };
            self.skip(|b| matches!(b, b' ' | b'\t'));
            if self.rest.first() != Some(&b'=') {
                // No parameter: the next scheme begins here.
                self.rest = before;
                return (parameters, true);
            }
            self.rest = &self.rest[1..];
            self.skip(|b| matches!(b, b' ' | b'\t'));
            let value = if self.rest.first() == Some(&b'"') { self.quoted() } else { self.token() };
            let Some(value) = value else { return (parameters, false) };
            parameters.push((name, value));
        }
    }

    /// `Negotiate YII=…`: base64 in place of parameters, followed by a comma or the end.
    fn skip_token68(&mut self) {
        let body = self.rest.iter().take_while(|b| is_token(**b) || **b == b'/').count();
        let padding = self.rest[body..].iter().take_while(|b| **b == b'=').count();
        let after = self.rest[body + padding..].iter().find(|b| !matches!(b, b' ' | b'\t'));
        if body > 0 && padding > 0 && matches!(after, None | Some(b',')) {
            self.rest = &self.rest[body + padding..];
        }
    }

    /// A quoted string; `None` if it does not end or holds control characters.
    fn quoted(&mut self) -> Option<String> {
        let mut text = Vec::new();
        let mut bytes = self.rest[1..].iter().enumerate();
        while let Some((index, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.rest = &self.rest[index + 2..];
                    return String::from_utf8(text).ok();
                }
                b'\\' => text.push(*bytes.next().filter(|(_, b)| !b.is_ascii_control())?.1),
                b if b.is_ascii_control() && *b != b'\t' => return None,
                b => text.push(*b),
            }
        }
        None
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: &str, scope: &str) -> Challenge {
        Challenge::Bearer {
            realm: realm.into(),
            service: service.into(),
            scope: scope.into(),
            error: String::new(),
        }
    }

    #[test]
    fn reads_what_registries_send() {
        let hub = bearer("https://auth.docker.io/token", "registry.docker.io", "");
        let cases: &[(&str, Vec<Challenge>)] = &[
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#,
                vec![hub.clone()],
            ),
            (
                r#"bearer  realm = "https://auth.docker.io/token" , service=registry.docker.io ,"#,
                vec![hub.clone()],
            ),
            (r#"Basic realm="a \"b\", c""#, vec![Challenge::Basic]),
            ("Basic", vec![Challenge::Basic]),
            (
                r#"Bearer realm="r",scope="repository:a/b:pull,push""#,
                vec![bearer("r", "", "repository:a/b:pull,push")],
            ),
            (
                r#"Basic realm="x", Bearer realm="r",service="s""#,
                vec![Challenge::Basic, bearer("r", "s", "")],
            ),
            (r#"Negotiate YIIabc/+==, Basic realm="x""#, vec![Challenge::Basic]),
            (r#"Digest realm="x", nonce="y", Bearer realm="r""#, vec![bearer("r", "", "")]),
            (r#"Negotiate, Bearer realm="r""#, vec![bearer("r", "", "")]),
            (r#"Bearer realm="one",realm="two""#, vec![bearer("one", "", "")]),
            (r#",, Bearer realm="r""#, vec![bearer("r", "", "")]),
        ];
        for (text, expected) in cases {
            assert_eq!(&parse([text.as_bytes()]), expected, "{text}");
        }
    }

    #[test]
    fn guesses_nothing_in_bad_text() {
        for text in [
            "",
            ",",
            "Bearer",
            "Bearer realm",
            "Bearer realm=",
            r#"Bearer realm="""#,
            r#"Bearer realm="https://a"#,
            "Bearer realm=\"a\u{1}b\"",
            r#"Bearer realm="a\"#,
            "Bearer service=\"s\"",
            "\u{0}Bearer realm=\"r\"",
            "=\"r\"",
        ] {
            assert_eq!(parse([text.as_bytes()]), vec![], "{text}");
        }
        // What stood complete before the fault counts.
        let cut = r#"Basic realm="x", Bearer realm="y"#;
        assert_eq!(parse([cut.as_bytes()]), vec![Challenge::Basic]);
        let long = format!("Bearer realm=\"{}\"", "a".repeat(MAX));
        assert_eq!(parse([long.as_bytes()]), vec![]);
        let not_utf8 = b"Bearer realm=\"\xff\"".as_slice();
        assert_eq!(parse([not_utf8]), vec![]);
    }

    #[test]
    fn a_token_before_a_password() {
        let both = parse([b"Basic realm=x".as_slice(), b"Bearer realm=r".as_slice()]);
        assert_eq!(choose(both), Some(bearer("r", "", "")));
        assert_eq!(choose(vec![Challenge::Basic]), Some(Challenge::Basic));
        assert_eq!(choose(vec![]), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = parse([bytes.as_slice()]);
        }
    }
}
