//! The tree beside what a parser of YAML reads.

use proptest::prelude::*;
use serde_yaml::Value;

use super::*;
use crate::kustomize::tree::ScalarStyle;

/// Whether the tree is what was read, as far as a tree says: collections, their sizes, keys, and texts on one line. What an
/// alias, a tag or a text on several lines is, it does not say.
fn same(text: &str, node: &YamlNode, value: &Value) -> bool {
    match (&node.kind, value) {
        (NodeKind::Alias, _)
        | (_, Value::Tagged(_))
        | (NodeKind::Scalar(ScalarStyle::Block), Value::String(_)) => true,
        (NodeKind::Empty, value) => value.is_null(),
        (NodeKind::Scalar(_), value) => {
            let written = &text[node.span.clone()];
            // By themselves, `---` and `...` would be markers.
            let other = written.contains(['\n', '\r']) || matches!(written.get(..3), Some("---" | "..."));
            other || serde_yaml::from_str::<Value>(written).is_ok_and(|own| own == *value)
        }
        (NodeKind::Sequence(_, items), Value::Sequence(values)) => {
            items.len() == values.len()
                && items.iter().zip(values).all(|(item, value)| same(text, &item.node, value))
        }
        (NodeKind::Mapping(_, pairs), Value::Mapping(values)) => {
            let both = || pairs.iter().zip(values);
            pairs.len() == values.len()
                && both()
                    .all(|(pair, (key, value))| same(text, &pair.key, key) && same(text, &pair.value, value))
        }
        _ => false,
    }
}

#[test]
fn what_people_write_is_read_as_it_is() {
    for text in [
        "a: b\n",
        "# c\n\na:   b   # d\n'b b': \"c # d\"\n\"e\\\"\" : 'it''s'\n",
        "a:\n- b\n-   c: d\n    e: f\n-\n  g\n- - h\n  - i\nj:\n  - k\n",
        "a: b\n  c\n\n  d # e\nf: \"g\n\n  h\"\ni: 'j\n  k: l'\n",
        "a: |\n  b: c\n   d\n\n  # e\nf: >-\n\n  g\nh: |2\n    i\n  j\nk: |+\n\nl: |\nm: n\n",
        "- |\n a\n- >\n  b\n- c\n",
        "a: &x {b: [c, 'd' , \"e\"], f: , g}\nh: *x\ni: !t\n  j: k\nl: &y\n- m\n<<: *x\n",
        "a: [\n  b, # c\n  d: e,\n\n  {f: g}, h i\n  j,\n]\nk: {\"l\":m, n: o:p, 'q': r}\n",
        "url: http://x.y/z?a=b#c\ntime: 12:30\ndash: -a\nq: ?b\nc: :d\nat: a@b\n",
        "%YAML 1.1\n# a\n---\nb: c\n...\n",
        "---\r\na:\r\n  - b\r\n  - c: d\r\n",
        "  a: b\n  c:\n  - d\n",
        "a:\tb\nc:\n    d:\n      e: f\ng: h\n",
        "--- {a: b}\n",
        "--- |\n a\n",
        "a:\n  # b\n  c\n",
        "- a: b\n  c:\n  - d\n-   - e\n-\n- f: |\n    g\n  h: i",
        "a: é # ü\nß: [日, 本]\n",
        "{\"a\": {\"b\": [1, 2.5, null, true]}, \"c\": \"d\"}",
    ] {
        let value: Value = serde_yaml::from_str(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        let documents = documents(text).unwrap_or_else(|trouble| panic!("{text}: {trouble:?}"));
        assert!(same(text, &documents[0].root, &value), "{text}: {:?}\n{value:?}", documents[0].root);
    }
}

fn lines() -> impl Strategy<Value = String> {
    let indent = prop::sample::select(vec!["", "", "  ", "  ", "    ", " ", "- ", "  - ", "-   "]);
    let line = prop::sample::select(vec![
        "a: b",
        "c:",
        "- d",
        "-",
        "e",
        "f: 'g'",
        "\"h\": i",
        "j: [k, {l: m}]",
        "n: |",
        "o: >-",
        "# p",
        "",
        "q: \"r",
        "s\"",
        "t: [",
        "]",
        "u: {v",
        "}",
        "w: x # y",
        "z: &z",
        "*z",
        "1: *z",
        "&k 2: !t 3",
        "'",
        "4: 5: 6",
        "? 7",
        "--- ",
        "...",
        "- - 8: 9",
        "a b",
        ",",
    ]);
    prop::collection::vec((indent, line), 0..8).prop_map(|lines| {
        let lines: Vec<String> =
            lines.into_iter().map(|(indent, line)| format!("{indent}{line}\n")).collect();
        lines.concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn a_file_that_is_yaml_is_read_as_it_is_or_not_at_all(text in lines()) {
        let read = serde_yaml::Deserializer::from_str(&text).next().map(<Value as serde::Deserialize>::deserialize);
        if let (Some(Ok(value)), Ok(documents)) = (read, documents(&text)) {
            prop_assert!(same(&text, &documents[0].root, &value), "{:?}\n{:?}", documents[0].root, value);
        }
    }
}
