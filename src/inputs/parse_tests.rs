//! One line a rule of the grammar.

use super::*;

#[test]
fn retries_are_auto_or_a_count() {
    for (text, value) in
        [("", Retries::Auto), (" auto ", Retries::Auto), ("0", Retries::Times(0)), ("7", Retries::Times(7))]
    {
        assert_eq!(retries(text), Ok(value), "{text}");
    }
    for bad in ["-1", "101", "1.5", "ten", "true", "99999999999", "+3"] {
        let fault = retries(bad).unwrap_err().to_string();
        assert!(fault.contains("`auto`") && fault.contains("from 0 to 100"), "{fault}");
    }
}

#[test]
fn booleans_are_exact() {
    for (text, value) in [("", true), ("true", true), ("True", true), ("TRUE", true), (" false\n", false)] {
        assert_eq!(boolean("summary", text, true), Ok(value), "{text}");
    }
    for bad in ["yes", "1", "tRUE", "on", "true false", "no", "0"] {
        let fault = boolean("pull", bad, true).unwrap_err();
        assert_eq!(
            fault.to_string(),
            format!("input `pull`: `{bad}` is not a boolean (write `true` or `false`)")
        );
    }
}

#[test]
fn platform_lists() {
    let names = |text| platforms(text).map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(names("").unwrap(), ["linux/arm64", "linux/amd64"]);
    assert_eq!(names("linux/amd64\r\nlinux/arm64\r\n").unwrap(), ["linux/amd64", "linux/arm64"]);
    assert_eq!(
        names(" linux/amd64 , linux/x86_64,\n# no\nlinux/arm,").unwrap(),
        ["linux/amd64", "linux/arm/v7"]
    );
    assert_eq!(names("linux/amd46,linux/arm64,arm").unwrap_err().len(), 2);
    assert_eq!(names(",").unwrap_err()[0].message, "no platform is named");
    assert_eq!(names("linux/amd64 linux/arm64").unwrap_err().len(), 1);
}

#[test]
fn lengths() {
    for (text, value) in [("", 40), ("7", 7), ("64", 64), (" 12\n", 12)] {
        assert_eq!(sha_length(text), Ok(value));
    }
    for bad in ["6", "65", "-7", "+7", "7.0", "seven", "99999999999999999999999"] {
        assert!(sha_length(bad).unwrap_err().to_string().contains("from 7 to 64"), "{bad}");
    }
}

fn no_value(number: usize, entry: &str) -> Result<Option<String>, InputFault> {
    Err(without_value("build_args", number, entry).hint("write `KEY=value`"))
}

#[test]
fn pair_lines() {
    let read = pairs("labels", "a=1\r\n# b=2\n\n  c.d/e = x=y # kept \nempty=\n", no_value);
    let expected = [("a", "1"), ("c.d/e", " x=y # kept"), ("empty", "")];
    assert_eq!(read.entries, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!((read.notices, read.faults), (vec![], vec![]));

    let twice = pairs("build_args", "A=1\nB=2\nA=3", no_value);
    assert_eq!(twice.entries, [("B".to_owned(), "2".to_owned()), ("A".to_owned(), "3".to_owned())]);
    assert_eq!(twice.notices[0].message, "`A` is in `build_args` more than once; the last line counts");

    let bad = pairs("build_args", "TOKEN\n=1\nx y=1\n\"k=v\"\nKEY=ok\nMIIEpAIBAAKCAQEAsecret", no_value);
    let messages: Vec<&str> = bad.faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`TOKEN` has no `=`",
            "line 2 has nothing before its `=`",
            "line 3: a key has no blanks and no quotes",
            "line 4: a key has no blanks and no quotes",
            "line 6 has no `=`",
        ]
    );
    assert_eq!(bad.faults[0].hint.as_deref(), Some("write `KEY=value`"));
    assert!(!format!("{:?}", bad.faults).contains("secret"));
}

#[test]
fn single_lines() {
    assert_eq!(line("target", " release\r\n"), Ok(Some("release".into())));
    assert_eq!(line("target", "\n"), Ok(None));
    let fault = line("target", "a\n::error::b\u{7}").unwrap_err().to_string();
    assert_eq!(
        fault,
        "input `target`: `a\\n::error::b\\u{7}` has more than one line, or a control character"
    );
}
