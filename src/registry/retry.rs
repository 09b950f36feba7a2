//! What a request's failure means for another try. When there is one, [`crate::model::Patience`] decides; nobody sleeps here.
//!
//! Every request of [`super::RegistryClient`] may be repeated: reading changes nothing, and a tag put twice on the
//! same digest is put once.

use super::error::Kind;
use crate::model::Trouble;

impl Kind {
    /// What it means for another try.
    pub fn trouble(&self) -> Trouble {
        match self {
            Kind::Broken(_) | Kind::Connect(_) | Kind::Timeout { .. } => Trouble::Broken,
            Kind::Refused(_) | Kind::Name(_) => Trouble::Unreached,
            Kind::Denied(_) => Trouble::Denied,
            // A token server is a registry's own part.
            Kind::TokenServer { why, .. } => why.trouble(),
            Kind::ErrorResponse(answer) => match answer.status {
                // 503 is how some say 429.
                429 | 503 if answer.retry_after.is_some() => Trouble::Busy(answer.retry_after),
                429 => Trouble::Busy(None),
                // 520 to 527 are Cloudflare's, before Docker Hub.
                408 | 500 | 502..=504 | 520..=527 => Trouble::Broken,
                403 => Trouble::Denied,
                _ => Trouble::Lasting,
            },
            // The client has tried a fresh token by itself.
            _ => Trouble::Lasting,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::error_response::ErrorResponse;
    use super::*;

    fn error_response(status: u16, retry_after: Option<u64>) -> Kind {
        let retry_after = retry_after.map(Duration::from_secs);
        Kind::ErrorResponse(ErrorResponse { status, code: None, message: None, retry_after, in_words: false })
    }

    #[test]
    fn kinds_of_trouble() {
        let server = |why| Kind::TokenServer { server: "auth.r.io".into(), why: Box::new(why) };
        let asked = |seconds| Trouble::Busy(Some(Duration::from_secs(seconds)));
        for (kind, expected) in [
            (error_response(500, None), Trouble::Broken),
            (error_response(504, Some(3)), Trouble::Broken),
            (error_response(521, None), Trouble::Broken),
            (error_response(503, None), Trouble::Broken),
            (error_response(503, Some(9)), asked(9)),
            (error_response(429, Some(3)), asked(3)),
            (error_response(429, None), Trouble::Busy(None)),
            (error_response(403, None), Trouble::Denied),
            (error_response(404, None), Trouble::Lasting),
            (error_response(400, None), Trouble::Lasting),
            (error_response(401, None), Trouble::Lasting),
            (error_response(501, None), Trouble::Lasting),
            (Kind::Broken("x".into()), Trouble::Broken),
            (Kind::Timeout { what: "answer", limit: Duration::from_secs(30) }, Trouble::Broken),
            (Kind::Refused("x".into()), Trouble::Unreached),
            (Kind::Name("x".into()), Trouble::Unreached),
            (Kind::Unauthorized("x".into()), Trouble::Lasting),
            (Kind::Denied("x".into()), Trouble::Denied),
            (Kind::Tls("x".into()), Trouble::Lasting),
            (server(error_response(502, None)), Trouble::Broken),
            (server(Kind::Unauthorized(String::new())), Trouble::Lasting),
        ] {
            assert_eq!(kind.trouble(), expected, "{kind:?}");
        }
    }
}
