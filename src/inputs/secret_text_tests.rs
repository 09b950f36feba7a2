//! What a secret looks like in the wild, and what must come out of it byte by byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Vec<(String, String)> {
    let found = SecretText::parse(text);
    assert_eq!(found.faults, [""; 0], "{text}");
    assert!(found.stray.is_empty());
    found.entries.into_iter().map(|entry| (entry.id, entry.value.expose().to_owned())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, value)| ((*id).to_owned(), (*value).to_owned())).collect()
}

const PEM: &str =
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA\nab==\nKEY=\n-----END OPENSSH PRIVATE KEY-----";

#[test]
fn secrets_as_people_write_them() {
    let document = "{\n\"key\": [\n1\n],\n\"b\":\n\"A=1\"\n}";
    let (with_pem, with_document) = (format!("A={PEM}\nB=2\n"), format!("A={document}\nB=2"));
    for (text, expected) in [
        ("", &[][..]),
        ("\n\n", &[]),
        ("A=1", &[("A", "1")]),
        ("A=1\nB=2\n", &[("A", "1"), ("B", "2")]),
        ("  A=1\n", &[("A", "1")]),
        ("# mine\n\nA=1\n# theirs=2\nB=2", &[("A", "1"), ("B", "2")]),
        ("A= x  y =z \nB=2", &[("A", " x  y =z "), ("B", "2")]),
        ("A=\nB=2", &[("A", ""), ("B", "2")]),
        ("a.b-c_d=1", &[("a.b-c_d", "1")]),
        // As BuildKit asks for the token of a Git host with a port; a `:` begins no other secret.
        (
            "A=1\nGIT_AUTH_TOKEN.git.example:8443=t=\nB=2",
            &[("A", "1"), ("GIT_AUTH_TOKEN.git.example:8443", "t="), ("B", "2")],
        ),
        ("GIT_AUTH_HEADER.git.example:80=basic", &[("GIT_AUTH_HEADER.git.example:80", "basic")]),
        ("A=\nhost:8443=x\nGIT_AUTH_TOKEN.h:x=y", &[("A", "\nhost:8443=x\nGIT_AUTH_TOKEN.h:x=y")]),
        // Lines that begin no secret belong to the one before.
        ("A=one\ntwo\n\n  three=3\nB=2", &[("A", "one\ntwo\n\n  three=3"), ("B", "2")]),
        (
            "A=\n# a file\nkey: value\n# its end\nB=2",
            &[("A", "\n# a file\nkey: value\n# its end"), ("B", "2")],
        ),
        (
            "A=//registry/:_authToken=x\n//other/:_authToken=y\n",
            &[("A", "//registry/:_authToken=x\n//other/:_authToken=y")],
        ),
        ("A=x\n1=2\n-B=3\nC D=4", &[("A", "x\n1=2\n-B=3\nC D=4")]),
        // The last line's end is the YAML's.
        ("A=1\n\n\n", &[("A", "1")]),
        ("A=1\n \t\r\n\nB=2  \n  \n", &[("A", "1"), ("B", "2  ")]),
        // Quoted as for build-push-action.
        ("\"A=1\nB=\"\"2\"\"\n\"\nC=3", &[("A", "1\nB=\"2\"\n"), ("C", "3")]),
        ("A=1\n\"B=x\"  \n\"C=y\"", &[("A", "1"), ("B", "x"), ("C", "y")]),
        ("A=\"kept\"", &[("A", "\"kept\"")]),
        // Windows line ends are the editor's only when every line has one.
        ("A=1\r\nB=x\r\ny\r\n", &[("A", "1"), ("B", "x\ny")]),
        ("A=x\r\ny\nB=2", &[("A", "x\r\ny"), ("B", "2")]),
        (&with_pem, &[("A", PEM), ("B", "2")]),
        (&with_document, &[("A", document), ("B", "2")]),
        // No JSON: the usual rule.
        ("A={broken\nB=2", &[("A", "{broken"), ("B", "2")]),
        ("A=[default]\nB=2", &[("A", "[default]"), ("B", "2")]),
        ("A={\"x\":1}\nB=2", &[("A", "{\"x\":1}"), ("B", "2")]),
        ("A=[\nB", &[("A", "[\nB")]),
    ] {
        assert_eq!(read(text), pairs(expected), "{text}");
    }
}

#[test]
fn padding_is_no_name() {
    let wide = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2";
    assert_eq!(wide.len(), 64);
    for (text, expected) in [
        (format!("A={wide}\nYWJjZA==\nB=2"), &[("A", format!("{wide}\nYWJjZA==")), ("B", "2".into())][..]),
        (format!("A=\n{wide}\n{wide}\nYWI=\n"), &[("A", format!("\n{wide}\n{wide}\nYWI="))]),
        // Shorter than any wrapped line, or no whole groups: a secret that is not set.
        ("A=ghp0123456789\nKEYS=\n".into(), &[("A", "ghp0123456789".into()), ("KEYS", String::new())]),
        (format!("A={wide}\nTOKEN=\n"), &[("A", wide.into()), ("TOKEN", String::new())]),
        (format!("A={wide}\nNPM_TOKEN==\n"), &[("A", wide.into()), ("NPM_TOKEN", "=".into())]),
    ] {
        let expected: Vec<(String, String)> =
            expected.iter().map(|(id, value)| ((*id).to_owned(), value.clone())).collect();
        assert_eq!(read(&text), expected);
    }
}

#[test]
fn what_is_nobodys_is_a_fault_and_not_shown() {
    for (text, entries, part) in [
        ("hunter2", 0, "line 1 stands before the first `id=`"),
        ("npm:token=hunter2", 0, "line 1 begins no secret, as its id holds a `:`"),
        ("https://u:hunter2@h/?a=b", 0, "line 1 stands before the first `id=`"),
        ("# x\nhunter2\nA=1", 1, "line 2 stands before"),
        ("\"A=1\"\nhunter2\nhunter2\nB=2", 2, "line 2 stands after a quoted secret"),
        ("\"A=hunter2\nB=2", 0, "line 1 starts with a `\"` that is never closed"),
        ("\"A=hunter2\" x\nB=2", 0, "never closed"),
        ("A=-----BEGIN X-----\nhunter2\nB=2", 1, "the PEM block of `A` has no end"),
        ("A={\n\"x\":\nB=hunter2", 1, "the JSON document of `A` does not end before"),
        ("1A=hunter2", 0, "line 1 stands before"),
    ] {
        let found = SecretText::parse(text);
        assert_eq!((found.entries.len(), found.faults.len()), (entries, 1), "{text}: {:?}", found.faults);
        assert!(found.faults[0].contains(part), "{text}: {:?}", found.faults);
        assert!(!format!("{found:?}").contains("hunter2"));
        let kept = found.entries.iter().any(|entry| entry.value.expose().contains("hunter2"));
        assert!(kept || found.stray.expose().contains("hunter2"), "what is masked: {text}");
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(serde_json::Value::from),
        "(?s)[A-Za-z={}\"\n\\\\ ]{0,12}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[A-Z=]{1,4}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_quoted_round_trips(
        values in prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_.-]{0,8}", "(?s)[^\r]{0,40}", 1..5)
    ) {
        let quoted = |(id, value): (&String, &String)| format!("\"{id}={}\"\n", value.replace('"', "\"\""));
        let text: String = values.iter().map(quoted).collect();
        let expected: Vec<(String, String)> = values.into_iter().collect();
        prop_assert_eq!(read(&text), expected);
    }

    #[test]
    fn json_needs_no_quotes(document in json(), pretty in any::<bool>()) {
        let value = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        let value = value.unwrap();
        prop_assert_eq!(read(&format!("A={value}\nB=2\n")), vec![("A".to_owned(), value), ("B".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn wrapped_base64_needs_no_quotes(bytes in prop::collection::vec(any::<u8>(), 1..300), width in prop_oneof![Just(60), Just(64), Just(76)], below in any::<bool>()) {
        let text = STANDARD.encode(bytes);
        let lines: Vec<&str> = (0..text.len()).step_by(width).map(|at| &text[at..text.len().min(at + width)]).collect();
        // One line below its name says nothing of a width.
        prop_assume!(lines.len() > 1 || !below);
        let value = format!("{}{}", if below { "\n" } else { "" }, lines.join("\n"));
        prop_assert_eq!(read(&format!("A={value}\nB_C=2\n")), vec![("A".to_owned(), value), ("B_C".to_owned(), "2".to_owned())]);
    }

    /// No panic, and nothing of the text in what is said about it.
    #[test]
    fn any_text(text in "(?s)([A-C=\"{}\\[\n\r# -]|-----BEGIN |-----END ){0,30}", secret in "[a-z]{12}") {
        let found = SecretText::parse(&format!("{secret}\n{text}"));
        prop_assert!(!found.faults.is_empty());
        prop_assert!(!found.faults.concat().contains(&secret));
    }
}
