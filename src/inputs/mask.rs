//! What must be masked before the first line of the log.
//!
//! Found by name among the process's variables, before anything is judged. The runner's `add-mask` takes one
//! line at a time here, as a secret of several lines would have each of its lines masked, down to `{`.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::config::Config;
use super::secret_text::SecretText;
use super::{docker_config, logins, node, parse, registry_auth, secrets};
use crate::model::{BuilderAddress, BuilderChoice, CacheEntry, Keyring, Secret, attrs};

/// Shorter than this, a mask hides more of the log than of the secret.
const SHORTEST: usize = 4;

/// The same for what a JSON document says under names that promise no secret: most of it says what the document is, not how to
/// get in. Shorter ones are masked unless they are [`is_plain`].
const SHORTEST_IN_JSON: usize = 8;

/// How the names of members end whose values are secrets, without `_` and `-` and the `s` of several.
const SECRET_MEMBERS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
];

/// The same for words too short to be looked for at the end of others.
const SHORT_SECRET_MEMBERS: &[&str] = &["pass", "pin", "pw", "otp"];

/// Words that are no secret even where a secret has such a value: masked, they would be gone from every output.
const WORDS: &[&str] = &["true", "false", "null", "none"];

/// Inputs with attributes that may hold a secret.
const WITH_ATTRIBUTES: &[&str] = &["INPUT_CACHE", "INPUT_CACHE_FROM", "INPUT_CACHE_TO"];

/// Variables that hold a secret.
const NAMES: &[&str] = &[
    "INPUT_PASSWORD",
    "INPUT_TOKEN",
    "INPUT_DEPLOY_TOKEN",
    "INPUT_DEPLOY_APP_KEY",
    "DOCKER_PASSWORD",
    "GITHUB_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// User and password that become one text in a registry's `Authorization` header.
const LOGINS: &[(&str, &str)] = &[
    ("INPUT_USERNAME", "INPUT_PASSWORD"),
    ("DOCKER_USER", "DOCKER_PASSWORD"),
    ("GITHUB_ACTOR", "INPUT_PASSWORD"),
];

/// Every secret among the variables, line by line and with what is derived from it, each once. None contains a
/// line break; those of fewer than four characters are left out. Contents of files are not among them: [`of_config`].
pub fn secrets_to_mask(variables: &BTreeMap<String, String>) -> Vec<Secret> {
    let upper: BTreeMap<String, &str> =
        variables.iter().map(|(name, value)| (name.to_ascii_uppercase(), value.as_str())).collect();
    let get = |name: &str| upper.get(name).copied().unwrap_or_default().trim();
    let mut found = BTreeSet::new();
    for name in NAMES {
        found.extend(lines(get(name)));
    }
    for (user, password) in LOGINS {
        found.extend(login(get(user), get(password)));
    }
    for (user, password) in
        registry_auth::secrets(upper.get("INPUT_REGISTRY_AUTH").copied().unwrap_or_default())
    {
        found.extend(lines(&password));
        found.extend(login(&user, &password));
    }
    let text = SecretText::parse(upper.get("INPUT_SECRETS").copied().unwrap_or_default());
    for entry in &text.entries {
        found.extend(parts(entry.value.expose()));
    }
    found.extend(lines(text.stray.expose()));
    for name in secrets::variables(get("INPUT_SECRET_ENVS")) {
        found.extend(variables.get(name).into_iter().flat_map(|value| parts(value)));
    }
    for name in WITH_ATTRIBUTES {
        for (_, line) in parse::entries(get(name)) {
            let attrs = attrs::parse(line).unwrap_or_default();
            let secret = attrs.iter().filter(|(key, _)| CacheEntry::is_secret(key));
            found.extend(secret.flat_map(|(_, value)| lines(value)));
        }
    }
    let (prefix, infix) = node::TLS_VARIABLES;
    for (name, value) in variables {
        if name.starts_with(prefix) && name.ends_with(&format!("{infix}KEY")) {
            found.extend(lines(value));
        }
    }
    found.into_iter().map(Secret::new).collect()
}

/// What else must be masked once the inputs are read, and is not among [`secrets_to_mask`] of the same variables: the
/// contents of files. Each line once, as there.
pub fn of_config(config: &Config, keyring: &Keyring, variables: &BTreeMap<String, String>) -> Vec<Secret> {
    let known = secrets_to_mask(variables);
    let mut found = BTreeSet::new();
    for (user, password) in logins::secrets(&keyring.logins(), keyring.identities()) {
        found.extend(lines(password.expose()));
        found.extend(login(user, password.expose()));
    }
    for secret in keyring.secrets() {
        found.extend(std::str::from_utf8(&secret.value).into_iter().flat_map(parts));
    }
    for (_, proxy) in keyring.proxies() {
        found.extend(docker_config::password(proxy.expose()).iter().flat_map(|password| lines(password)));
    }
    if let BuilderChoice::Nodes(nodes) = &config.builder.choice {
        for node in nodes {
            if let BuilderAddress::Tcp { tls: Some(tls), .. } = &node.address {
                found.extend(tls.key.iter().flat_map(|key| lines(key.expose())));
            }
        }
    }
    found.into_iter().map(Secret::new).filter(|secret| !known.contains(secret)).collect()
}

/// What a login becomes in a header and in Docker's `config.json`.
fn login(user: &str, password: &str) -> Option<String> {
    let whole = !user.is_empty() && !password.is_empty();
    whole.then(|| STANDARD.encode(format!("{user}:{password}")))
}

/// Lines that are worth a mask.
fn lines(text: &str) -> Vec<String> {
    let secret =
        |line: &str| line.chars().count() >= SHORTEST && !WORDS.contains(&line.to_ascii_lowercase().as_str());
    let mut found = Vec::new();
    for line in text.split(['\n', '\r']).map(str::trim) {
        if line.contains("-----BEGIN ") || line.contains("-----END ") {
            found.extend(pem_parts(line).into_iter().filter(|part| secret(part)).map(str::to_owned));
        } else if secret(line) {
            found.push(line.to_owned());
        }
    }
    found
}

/// What is secret in a line that a PEM block begins or ends in: not its marks, which say what it is, but what is between. A whole
/// block may stand in one line, its line breaks written as `\n` (which is how it gets into a variable or a JSON document) or
/// turned into blanks. What stands around the block is secret unless it is [`is_plain`], like a name.
fn pem_parts(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut rest, mut inside) = (line, false);
    loop {
        let next = ["-----BEGIN ", "-----END "].iter().filter_map(|mark| rest.find(mark)).min();
        let (text, mark) = rest.split_at(next.unwrap_or(rest.len()));
        inside |= mark.starts_with("-----END ");
        // A backslash is in no base64: it and the letter after it are a line break, however often that was escaped.
        let pieces = text.split('\\').enumerate().map(|(at, piece)| match at {
            0 => piece,
            _ => piece.strip_prefix(['n', 'r', 't']).unwrap_or(piece),
        });
        let words = pieces.flat_map(|piece| piece.split([' ', '\t', '"', '\'', '=']));
        found.extend(words.filter(|word| inside || !is_plain(word)));
        let Some((name, after)) = mark.strip_prefix("-----").and_then(|mark| mark.split_once("-----")) else {
            return found;
        };
        inside = name.starts_with("BEGIN ");
        rest = after;
    }
}

/// A build secret's lines; of a JSON document its values, never its punctuation.
fn parts(text: &str) -> Vec<String> {
    if !text.trim_start().starts_with(['{', '[']) {
        return lines(text);
    }
    let Ok(document) = serde_json::from_str::<serde_json::Value>(text) else { return lines(text) };
    let (mut found, mut left) = (Vec::new(), vec![(false, &document)]);
    while let Some((is_secret, value)) = left.pop() {
        match value {
            serde_json::Value::String(text) => found.extend(
                lines(text)
                    .into_iter()
                    .filter(|line| is_secret || line.chars().count() >= SHORTEST_IN_JSON || !is_plain(line)),
            ),
            serde_json::Value::Number(number) if is_secret => found.extend(lines(&number.to_string())),
            serde_json::Value::Array(all) => left.extend(all.iter().map(|value| (is_secret, value))),
            serde_json::Value::Object(all) => {
                left.extend(all.iter().map(|(name, value)| (is_secret_member(name), value)));
            }
            _ => {}
        }
    }
    found
}

/// Whether the name of a JSON document's member says that its value is a secret.
fn is_secret_member(name: &str) -> bool {
    let plain: String =
        name.chars().filter(|ch| !matches!(ch, '_' | '-')).collect::<String>().to_ascii_lowercase();
    let one = plain.strip_suffix('s').unwrap_or(&plain);
    [plain.as_str(), one].iter().any(|name| {
        SHORT_SECRET_MEMBERS.contains(name) || SECRET_MEMBERS.iter().any(|end| name.ends_with(end))
    })
}

/// Whether a short text is a word, a number, a version or a name of such (`main`, `5432`, `v1.2.3`, `arm64`, `ghcr.io`,
/// `eu-w-1`): as a mask it would take these out of every line of the log, and the runner drops outputs that hold a mask.
fn is_plain(text: &str) -> bool {
    text.split(['.', '-', '_', '/', ':', '@', ',', ' ']).all(|part| {
        let word = part.trim_end_matches(|ch: char| ch.is_ascii_digit());
        word.chars().all(char::is_alphabetic)
    })
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
    fn registry_auth() {
        let found = masks(&[
            (
                "INPUT_REGISTRY_AUTH",
                "- {registry: a.io, username: bob, password: hunter2}\n- {registry: b.io, aws_role: arn}\n",
            ),
            ("AWS_SECRET_ACCESS_KEY", "aws-secret"),
            ("AWS_SESSION_TOKEN", "aws-session"),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ]);
        assert_eq!(found, ["Ym9iOmh1bnRlcjI=", "aws-secret", "aws-session", "hunter2"]);
        // What is no YAML is refused later; until then it may be in a message.
        let broken = masks(&[("INPUT_REGISTRY_AUTH", "- registry: a.io\n  password: @hunter2")]);
        assert_eq!(broken, ["@hunter2"]);
    }

    #[test]
    fn build_secrets() {
        let found = masks(&[
            (
                "INPUT_SECRETS",
                "stray-text\nTOKEN=first-line\nsecond line\nFLAG=true\nKEY=-----BEGIN K-----\nMIIabc\n-----END K-----\n\
                 ACCOUNT={\n  \"type\": \"service_account\",\n  \"id\": 12345678,\n  \"key\": \"a\\nlong-enough\\n\"\n}\n",
            ),
            ("INPUT_SECRET_ENVS", "npm=NPM_TOKEN,OTHER"),
            ("NPM_TOKEN", "npm-token"),
            ("OTHER", "other-token"),
            ("UNRELATED", "not-a-secret"),
            (
                "INPUT_CACHE_TO",
                "type=s3,bucket=cache,secret_access_key=s3-secret,access_key_id=s3-id,token=s3-token",
            ),
            ("INPUT_CACHE", "type=azblob,\"secret_access_key=az,secret\""),
            ("BUILDER_NODE_0_AUTH_TLS_CACERT", "-----BEGIN C-----\npublic-text\n-----END C-----"),
            ("BUILDER_NODE_0_AUTH_TLS_KEY", "-----BEGIN K-----\nprivate-text\n-----END K-----"),
        ]);
        let expected = [
            "MIIabc",
            "az,secret",
            "first-line",
            "long-enough",
            "npm-token",
            "other-token",
            "private-text",
            "s3-id",
            "s3-secret",
            "s3-token",
            "second line",
            "service_account",
            "stray-text",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_pem_block_in_one_line_is_masked() {
        for (text, expected) in [
            (
                r"-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/\nMIIdef\nxyzw==\n-----END RSA PRIVATE KEY-----\n",
                vec!["MIIabc+/", "MIIdef", "xyzw"],
            ),
            (r"-----BEGIN K-----\\nMIIabc\\r\\nMIIdef\\n-----END K-----", vec!["MIIabc", "MIIdef"]),
            ("-----BEGIN K----- MIIabc MIIdef -----END K-----", vec!["MIIabc", "MIIdef"]),
            ("-----BEGIN K-----MIIabc-----END K-----", vec!["MIIabc"]),
            (
                r#"DEPLOY_KEY="-----BEGIN K-----\nMIIabc\n-----END K-----\n-----BEGIN C-----\nMIIdef\n-----END C-----""#,
                vec!["MIIabc", "MIIdef"],
            ),
            ("-----BEGIN K-----\nMIIabc\nMIIdef-----END K-----", vec!["MIIabc", "MIIdef"]),
            ("s3cr3t! -----BEGIN K-----\nMIIabc\n-----END K-----", vec!["MIIabc", "s3cr3t!"]),
        ] {
            assert_eq!(masks(&[("INPUT_SECRETS", &format!("KEY={text}"))]), expected, "{text}");
            assert_eq!(masks(&[("INPUT_SECRET_ENVS", "KEY"), ("KEY", text)]), expected, "{text}");
        }
    }

    #[test]
    fn short_values_of_a_json_document_are_masked_where_they_are_secrets() {
        let secret = r#"{"password": "hunter2", "db": {"PassWord": "abcd", "pin": 4711, "API-Key": "amd64", "tokens": ["main", "x", "prod"]},
            "any": "s3cr3t", "other": ["pa$s", "aB3dE"], "flag": true, "secret": "true"}"#;
        let found = masks(&[("INPUT_SECRET_ENVS", "A"), ("A", secret)]);
        assert_eq!(found, ["4711", "aB3dE", "abcd", "amd64", "hunter2", "main", "pa$s", "prod", "s3cr3t"]);
        // What would blank out half of the log, and drop outputs: words, numbers, versions, names.
        let plain = r#"{"type": "main", "host": "ghcr.io", "arch": "arm64", "tag": "v1.2.3", "zone": "eu-w-1", "port": "5432",
            "at": "x86_64", "id": 12345678, "env": "prod", "user": "root", "ready": "true", "key": "latest", "spin": "full"}"#;
        assert_eq!(masks(&[("INPUT_SECRET_ENVS", "A"), ("A", plain)]), [""; 0]);
    }

    #[test]
    fn no_brace_becomes_a_mask() {
        let found = masks(&[("INPUT_PASSWORD", "{\r\n  \"private_key\": \"abc\"\r\n}\r\n")]);
        assert_eq!(found, ["\"private_key\": \"abc\""]);
        assert_eq!(masks(&[("INPUT_PASSWORD", "abc"), ("INPUT_TOKEN", "")]), [""; 0]);
    }
}
