//! What the job's OIDC token says of the job, for hints: people must write exactly this where they allow it.
//!
//! Nothing is believed of it: the clouds check the signature, we only show the text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::text;

/// The claim `sub`, `repo:acme/shop:ref:refs/heads/main`, if it can be read.
pub(super) fn subject(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    claims.get("sub")?.as_str().map(text::line).filter(|text| !text.is_empty())
}

/// ` (this job's subject is …)`, or nothing.
pub(super) fn shown(token: &str) -> String {
    subject(token).map_or_else(String::new, |subject| format!("; this job's subject is `{subject}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects() {
        let token = |payload: &str| format!("h.{}.s", URL_SAFE_NO_PAD.encode(payload));
        let sub = r#"{"sub":"repo:acme/shop:ref:refs/heads/main"}"#;
        assert_eq!(subject(&token(sub)).as_deref(), Some("repo:acme/shop:ref:refs/heads/main"));
        assert_eq!(shown("x"), "");
        for bad in ["", "a.b", "a.!.c", &token("{}"), &token("[]"), &token(r#"{"sub":7}"#)] {
            assert_eq!(subject(bad), None, "{bad}");
        }
    }
}
