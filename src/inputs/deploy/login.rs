//! `deploy_token`, or `deploy_app_id` with `deploy_app_key`.
//!
//! A secret that came out empty is no fault here: a run that does not deploy, as a fork's, has none. Who deploys asks for it.

use crate::inputs::fault::{Findings, InputFault, shown};
use crate::inputs::raw::RawInputs;
use crate::model::DeployLogin;

/// Reads the login.
pub(super) fn read(inputs: &RawInputs, findings: &mut Findings) -> Option<DeployLogin> {
    let (token, id, key) = (&inputs.deploy_token, inputs.deploy_app_id.trim(), &inputs.deploy_app_key);
    let mut fault = |input: &str, message: String, hint: &str| {
        findings.faults.push(InputFault::new(input, message).hint(hint));
    };
    if !(token.is_empty() || id.is_empty() && key.is_empty()) {
        fault(
            "deploy_token",
            "a token is given, and an App as well".into(),
            "give `deploy_token`, or `deploy_app_id` with `deploy_app_key`",
        );
        return None;
    }
    if token.expose().contains(|c: char| !c.is_ascii_graphic()) {
        fault(
            "deploy_token",
            "it has a blank or another character that no token has".into(),
            "give the token alone",
        );
    }
    if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.') {
        let message = format!("`{}` is not an id of a GitHub App", shown(id));
        fault("deploy_app_id", message, "for example `123456`, or the client id `Iv23li…`");
    }
    if !key.is_empty() && !is_private_key(key.expose()) {
        fault(
            "deploy_app_key",
            "it is not a private key of a GitHub App".into(),
            "give the whole file that GitHub made, from `-----BEGIN RSA PRIVATE KEY-----` to its last line",
        );
    }
    if id.is_empty() && !key.is_empty() {
        fault("deploy_app_id", "it is empty, and `deploy_app_key` is given".into(), "give the id of the App");
    }
    match (token.is_empty(), id.is_empty() || key.is_empty()) {
        (false, _) => Some(DeployLogin::Token(token.clone())),
        (true, false) => Some(DeployLogin::App { id: id.to_owned(), key: key.clone() }),
        (true, true) => None,
    }
}

/// Whether the text is what GitHub gives for an App's key, or the same in the other common form.
fn is_private_key(text: &str) -> bool {
    ["RSA PRIVATE KEY", "PRIVATE KEY"].iter().any(|kind| {
        text.contains(&format!("-----BEGIN {kind}-----")) && text.contains(&format!("-----END {kind}-----"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----";

    #[test]
    fn logins_and_what_is_wrong_with_them() {
        let token = |text: &str| Some(DeployLogin::Token(Secret::new(text)));
        let app = || Some(DeployLogin::App { id: "12".into(), key: Secret::new(KEY) });
        let none: &[&str] = &[];
        for ((given, id, key), login, faults) in [
            (("", "", ""), None, none),
            (("ghp_x", "", ""), token("ghp_x"), none),
            (("", " 12 ", KEY), app(), none),
            // Secrets that a fork does not get.
            (("", "12", ""), None, none),
            (("ghp_x", "12", KEY), None, &["deploy_token"]),
            (("gh p", "", ""), token("gh p"), &["deploy_token"]),
            (("", "", KEY), None, &["deploy_app_id"]),
            (
                ("", "1/2", "x"),
                Some(DeployLogin::App { id: "1/2".into(), key: Secret::new("x") }),
                &["deploy_app_id", "deploy_app_key"],
            ),
        ] {
            let inputs = RawInputs {
                deploy_token: Secret::new(given),
                deploy_app_id: id.into(),
                deploy_app_key: Secret::new(key),
                ..RawInputs::default()
            };
            let mut findings = Findings::default();
            assert_eq!(read(&inputs, &mut findings), login);
            let named: Vec<&str> = findings.faults.iter().map(|fault| fault.input.as_str()).collect();
            assert_eq!(named, faults, "{given} {id}");
            assert!(!format!("{:?}", findings.faults).contains("gh p"));
        }
    }
}
