//! AWS Signature Version 4, in headers, for requests without a query: what AWS wants to see on each of its APIs' calls.
//!
//! Sans-IO, after "Create a signed AWS API request"; checked against AWS's published test suite.

use ring::hmac;
use sha2::{Digest as _, Sha256};

use crate::model::AwsKeys;

/// A request to sign. Names of headers are lower case, each once, without `host` and what signing adds.
pub(super) struct Unsigned<'a> {
    pub method: &'a str,
    /// As the header `Host` has it.
    pub host: &'a str,
    /// Percent-encoded, at least `/`.
    pub path: &'a str,
    pub headers: &'a [(&'static str, String)],
    pub body: &'a str,
    pub region: &'a str,
    pub service: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// The headers that make it a signed one: `x-amz-date`, `x-amz-security-token` with a temporary key, `authorization`.
pub(super) fn sign(request: &Unsigned<'_>, keys: &AwsKeys) -> Vec<(&'static str, String)> {
    let Unsigned { method, host, path, region, service, .. } = *request;
    let time = time(request.now);
    let date = &time[..8];
    let mut added = vec![("x-amz-date", time.clone())];
    added.extend(keys.session.as_ref().map(|session| ("x-amz-security-token", session.expose().to_owned())));
    let mut headers: Vec<(&str, &str)> =
        request.headers.iter().chain(&added).map(|(name, value)| (*name, value.trim())).collect();
    headers.push(("host", host));
    headers.sort_unstable();
    let signed = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let lines = lines.concat();
    let canonical = format!("{method}\n{path}\n\n{lines}\n{signed}\n{}", hex(&Sha256::digest(request.body)));
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let start = format!("AWS4{}", keys.secret.expose()).into_bytes();
    let key =
        [date, region, service, "aws4_request"].iter().fold(start, |key, part| mac(&key, part.as_bytes()));
    let signature = hex(&mac(&key, text.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
        keys.id
    );
    added.push(("authorization", authorization));
    added
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `20150830T123600Z`; a clock that is out of all reason gives 1970, which AWS refuses in words.
fn time(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    /// 2015-08-30T12:36:00Z, the time of AWS's test suite.
    const NOW: i64 = 1_440_938_160;

    fn keys(session: Option<&str>) -> AwsKeys {
        AwsKeys {
            id: "AKIDEXAMPLE".into(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session: session.map(Secret::new),
        }
    }

    fn signed(method: &str, headers: &[(&'static str, &str)], body: &str, session: Option<&str>) -> String {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let request = Unsigned {
            method,
            host: "example.amazonaws.com",
            path: "/",
            headers: &headers,
            body,
            region: "us-east-1",
            service: "service",
            now: NOW,
        };
        let found = sign(&request, &keys(session));
        assert_eq!(found[0], ("x-amz-date", "20150830T123600Z".to_owned()));
        let (_, authorization) = found.last().unwrap();
        let rest = authorization.strip_prefix(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ",
        );
        rest.unwrap().to_owned()
    }

    #[test]
    fn aws_s_test_suite() {
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        for (name, method, headers, body, session, expected) in [
            (
                "get-vanilla",
                "GET",
                &[][..],
                "",
                None,
                "SignedHeaders=host;x-amz-date, \
                 Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-header-key-duplicate",
                "GET",
                &[("my-header1", "value2,value2,value1")],
                "",
                None,
                "SignedHeaders=host;my-header1;x-amz-date, \
                 Signature=c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
            ),
            (
                "get-header-value-multiline",
                "GET",
                &[("my-header1", "value1,value2,value3")],
                "",
                None,
                "SignedHeaders=host;my-header1;x-amz-date, \
                 Signature=ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790",
            ),
            (
                "post-vanilla",
                "POST",
                &[],
                "",
                None,
                "SignedHeaders=host;x-amz-date, \
                 Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                "POST",
                &[("content-type", "application/x-www-form-urlencoded")],
                "Param1=value1",
                None,
                "SignedHeaders=content-type;host;x-amz-date, \
                 Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "post-sts-header-before",
                "POST",
                &[],
                "",
                Some(token),
                "SignedHeaders=host;x-amz-date;x-amz-security-token, \
                 Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            assert_eq!(signed(method, headers, body, session), expected, "{name}");
        }
    }
}
