//! What must be masked before the first line of the log.
//!
//! Found by name among the process's variables, before anything is judged. The runner's `add-mask` takes one
//! line at a time here, as a secret of several lines would have each of its lines masked, down to `{`.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::Secret;

/// Shorter than this, a mask hides more of the log than of the secret.
const SHORTEST: usize = 4;

/// Variables that hold a secret.
const NAMES: &[&str] = &[
    "INPUT_PASSWORD",
    "INPUT_TOKEN",
    "DOCKER_PASSWORD",
    "GITHUB_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
];

/// User and password that become one text in a registry's `Authorization` header.
const LOGINS: &[(&str, &str)] = &[
    ("INPUT_USERNAME", "INPUT_PASSWORD"),
    ("DOCKER_USER", "DOCKER_PASSWORD"),
    ("GITHUB_ACTOR", "INPUT_PASSWORD"),
];

/// Every secret among the variables, line by line and with what is derived from it, each once. None contains a
/// line break; those of fewer than four characters are left out.
pub fn secrets_to_mask(variables: &BTreeMap<String, String>) -> Vec<Secret> {
    let upper: BTreeMap<String, &str> =
        variables.iter().map(|(name, value)| (name.to_ascii_uppercase(), value.trim())).collect();
    let get = |name: &str| upper.get(name).copied().unwrap_or_default();
    let mut found = BTreeSet::new();
    for name in NAMES {
        let lines = get(name).split(['\n', '\r']).map(str::trim);
        found.extend(lines.filter(|line| line.chars().count() >= SHORTEST).map(str::to_owned));
    }
    for (user, password) in LOGINS {
        if !get(user).is_empty() && !get(password).is_empty() {
            found.insert(STANDARD.encode(format!("{}:{}", get(user), get(password))));
        }
    }
    found.into_iter().map(Secret::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(pairs: &[(&str, &str)]) -> Vec<String> {
        let variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        secrets_to_mask(&variables).iter().map(|secret| secret.expose().to_owned()).collect()
    }

    #[test]
    fn secrets_and_what_is_made_of_them() {
        let found = masks(&[
            ("INPUT_USERNAME", "octocat"),
            ("INPUT_PASSWORD", " hunter2\n"),
            ("input_token", "ghs_0123"),
            ("ACTIONS_RUNTIME_TOKEN", "runtime"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "identity"),
            ("DOCKER_USER", "robot"),
            ("DOCKER_PASSWORD", "robots-secret"),
            ("INPUT_IMAGE_NAME", "api"),
        ]);
        for expected in [
            "hunter2",
            "ghs_0123",
            "runtime",
            "identity",
            "robots-secret",
            "b2N0b2NhdDpodW50ZXIy",
            "cm9ib3Q6cm9ib3RzLXNlY3JldA==",
        ] {
            assert!(found.iter().any(|mask| mask == expected), "{expected}: {found:?}");
        }
        assert_eq!(found.len(), 7);
    }

    #[test]
    fn no_brace_becomes_a_mask() {
        let found = masks(&[("INPUT_PASSWORD", "{\r\n  \"private_key\": \"abc\"\r\n}\r\n")]);
        assert_eq!(found, ["\"private_key\": \"abc\""]);
        assert_eq!(masks(&[("INPUT_PASSWORD", "abc"), ("INPUT_TOKEN", "")]), [""; 0]);
    }
}
