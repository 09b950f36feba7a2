//! What an edit makes of files: before and after, byte for byte.

use proptest::prelude::*;

use super::*;
use crate::kustomize::error::Why;
use crate::model::{Digest, Repository, Tag};

fn digest() -> String {
    Digest::of(b"").to_string()
}

fn image(repository: &str, tag: &str, pinned: bool) -> NewImage {
    NewImage {
        repository: Repository::parse(repository).unwrap(),
        tag: Tag::parse(tag).unwrap(),
        digest: pinned.then(|| Digest::of(b"")),
    }
}

fn file(text: &str) -> SourceFile {
    SourceFile::new("apps/shop/kustomization.yaml", text.as_bytes()).unwrap()
}

/// The edit of `app` to `ghcr.io/acme/app:v2`.
fn edited(before: &str) -> Result<Edited, EditError> {
    edit(&file(before), "app", &image("ghcr.io/acme/app", "v2", false))
}

/// `before` becomes `after`, which then is right already.
fn becomes(before: &str, after: &str, name: &str, image: &NewImage) {
    let result = edit(&file(before), name, image).map_err(|fault| fault.to_string());
    assert_eq!(result, Ok(Edited::Changed(after.to_owned())), "{before}");
    assert_eq!(edit(&file(after), name, image).unwrap(), Edited::Unchanged, "{after}");
}

#[test]
fn only_the_values_of_the_entry_change() {
    let new = image("ghcr.io/acme/app", "v2", false);
    for (before, after) in [
        (
            "images:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v1\n",
            "images:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n",
        ),
        // Quotes, comments, blanks and the order of keys stay.
        (
            "images:\n  - newTag:  'v1'   # now\n    name: \"app\"\n    newName: \"x/y\"\n\n\n",
            "images:\n  - newTag:  'v2'   # now\n    name: \"app\"\n    newName: \"ghcr.io/acme/app\"\n\n\n",
        ),
        // Missing keys come behind those that are there.
        (
            "images:\n- name: app # a\n# b\n- name: zoo\n",
            "images:\n- name: app # a\n  newName: ghcr.io/acme/app\n  newTag: v2\n# b\n- name: zoo\n",
        ),
        (
            "images:\n-   newTag: v1\n    name: app",
            "images:\n-   newTag: v2\n    name: app\n    newName: ghcr.io/acme/app",
        ),
        ("images:\n-\n  name: app\n", "images:\n-\n  name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n"),
        // An empty value, and one that is no text.
        (
            "images:\n- name: app\n  newName: # none\n  newTag: 1.10\n",
            "images:\n- name: app\n  newName: ghcr.io/acme/app # none\n  newTag: v2\n",
        ),
        (
            "images:\n- name: app\n  newName:\n  newTag: ~\n",
            "images:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n",
        ),
        // What the new image has not is removed: first, in between, last, and without a line end.
        (
            "images:\n- digest: sha256:0 # old\n  name: app\n  newTag: v1\n",
            "images:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n",
        ),
        (
            "images:\n- digest: sha256:0\n\n  # name\n  name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n",
            "images:\n- # name\n  name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n",
        ),
        (
            "images:\n- name: app\n  newName: ghcr.io/acme/app\n  tagSuffix: -x # s\n  newTag: v2\n",
            "images:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n",
        ),
        (
            "images:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n  digest: sha256:0",
            "images:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v2",
        ),
        // Another case of the keys, and the list's old name.
        (
            "Images:\n- name: app\n  newname: ghcr.io/acme/app\n  NEWTAG: v1\n",
            "Images:\n- name: app\n  newname: ghcr.io/acme/app\n  NEWTAG: v2\n",
        ),
        (
            "imageTags:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v1\n",
            "imageTags:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n",
        ),
        // Brackets.
        (
            "images: [{name: app, newTag: v1}]\n",
            "images: [{name: app, newName: ghcr.io/acme/app, newTag: v2}]\n",
        ),
        (
            "images: [{digest: sha256:0, name: app, newName: ghcr.io/acme/app, tagSuffix: a,\n  newTag: v1,}] # c\n",
            "images: [{name: app, newName: ghcr.io/acme/app,\n  newTag: v2,}] # c\n",
        ),
        (
            r#"{"images": [{"name": "app", "newTag": "v1"}]}"#,
            r#"{"images": [{"name": "app", "newName": "ghcr.io/acme/app", "newTag": "v2"}]}"#,
        ),
        (
            "images:\n- {name: app, newName: ghcr.io/acme/app, newTag: 'v1'}\n",
            "images:\n- {name: app, newName: ghcr.io/acme/app, newTag: 'v2'}\n",
        ),
        // Line ends, a mark of byte order, markers.
        (
            "\u{feff}---\r\nimages:\r\n- name: app\r\n...\r\n",
            "\u{feff}---\r\nimages:\r\n- name: app\r\n  newName: ghcr.io/acme/app\r\n  newTag: v2\r\n...\r\n",
        ),
        (
            "%YAML 1.1\n---\nimages:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v1\n---\n",
            "%YAML 1.1\n---\nimages:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n---\n",
        ),
        // What only looks like an entry.
        (
            "patches:\n- patch: |-\n    images:\n    - name: app\nx: \"\n  images:\"\nimages:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v1\n",
            "patches:\n- patch: |-\n    images:\n    - name: app\nx: \"\n  images:\"\nimages:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n",
        ),
        // An anchor of the image's own, and an alias in place of its tag.
        (
            "images:\n- &app\n  name: &n app\n  newName: ghcr.io/acme/app\n  newTag: &tag v1\n",
            "images:\n- &app\n  name: &n app\n  newName: ghcr.io/acme/app\n  newTag: &tag v2\n",
        ),
        (
            "x: &tag v1\nimages:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: *tag\n",
            "x: &tag v1\nimages:\n- name: app\n  newName: ghcr.io/acme/app\n  newTag: v2\n",
        ),
    ] {
        becomes(before, after, "app", &new);
    }
}

#[test]
fn a_missing_entry_is_added_where_it_belongs() {
    let new = image("ghcr.io/acme/app", "v2", false);
    let block = "- name: app\n  newName: ghcr.io/acme/app\n  newTag: v2";
    let deep = "  - name: app\n    newName: ghcr.io/acme/app\n    newTag: v2";
    for (before, after) in [
        ("images:\n- name: a\n# of zoo\n- name: zoo\n", format!("images:\n- name: a\n{block}\n# of zoo\n- name: zoo\n")),
        ("images:\n# of zoo\n- name: zoo\n", format!("images:\n{block}\n# of zoo\n- name: zoo\n")),
        ("images:\n  - name: z\n  - name: b\n    newTag: 1.0.0\n    # tag\n# end\nx: y\n", format!("images:\n  - name: z\n  - name: b\n    newTag: 1.0.0\n    # tag\n{deep}\n# end\nx: y\n")),
        ("images:\n  - name: a", format!("images:\n  - name: a\n{deep}")),
        ("images:\n-   name: a\n", "images:\n-   name: a\n-   name: app\n    newName: ghcr.io/acme/app\n    newTag: v2\n".to_owned()),
        // Lists without entries.
        ("images: # none\nresources:\n  - a\n", format!("images: # none\n{deep}\nresources:\n  - a\n")),
        ("images: [] # none\nresources: [a]\n", format!("images: # none\n{block}\nresources: [a]\n")),
        ("images: ~", format!("images:\n{block}")),
        ("images: [{name: zoo}]", "images: [{name: app, newName: ghcr.io/acme/app, newTag: v2}, {name: zoo}]".to_owned()),
        ("images: [{name: a},]", "images: [{name: a}, {name: app, newName: ghcr.io/acme/app, newTag: v2},]".to_owned()),
        // No list.
        ("resources:\n- a\n", format!("resources:\n- a\nimages:\n{block}\n")),
        ("resources:\n  - a # b\n# end\n\n", format!("resources:\n  - a # b\n# end\nimages:\n{deep}\n\n")),
        ("resources:\r\n- a", "resources:\r\n- a\r\nimages:\r\n- name: app\r\n  newName: ghcr.io/acme/app\r\n  newTag: v2".to_owned()),
        ("---\nresources:\n- a\n...\n# b\n", format!("---\nresources:\n- a\nimages:\n{block}\n...\n# b\n")),
        ("x: |+\n  a\n\n", format!("x: |+\n  a\n\nimages:\n{block}\n")),
        ("x: |\n  a\n\n", format!("x: |\n  a\nimages:\n{block}\n\n")),
        ("", format!("images:\n{block}\n")),
        ("\u{feff}", format!("\u{feff}images:\n{block}\n")),
        ("# only\n", format!("# only\nimages:\n{block}\n")),
        ("{}", "{images: [{name: app, newName: ghcr.io/acme/app, newTag: v2}]}".to_owned()),
        (r#"{"resources": ["a"]}"#, r#"{"resources": ["a"], "images": [{"name": "app", "newName": "ghcr.io/acme/app", "newTag": "v2"}]}"#.to_owned()),
        ("{images: , a: b}", "{images: [{name: app, newName: ghcr.io/acme/app, newTag: v2}] , a: b}".to_owned()),
    ] {
        becomes(before, &after, "app", &new);
    }
}

#[test]
fn what_is_set_is_what_kustomize_sets() {
    let sha = digest();
    let entry = |lines: &str| format!("images:\n- name: app\n{lines}");
    for (lines, repository, tag, after) in [
        (
            "",
            "ghcr.io/acme/app",
            "1.10",
            format!("  newName: ghcr.io/acme/app\n  newTag: \"1.10\"\n  digest: {sha}\n"),
        ),
        (
            "  newTag: 'v1'\n",
            "r.io:5000/app",
            "1e3",
            format!("  newName: r.io:5000/app\n  newTag: '1e3'\n  digest: {sha}\n"),
        ),
        (
            "  newName: app\n",
            "docker.io/library/app",
            "v2",
            format!("  newName: app\n  newTag: v2\n  digest: {sha}\n"),
        ),
        (
            "  newName: App\n",
            "docker.io/library/app",
            "v2",
            format!("  newName: docker.io/library/app\n  newTag: v2\n  digest: {sha}\n"),
        ),
        ("", "docker.io/library/app", "v2", format!("  newTag: v2\n  digest: {sha}\n")),
    ] {
        becomes(&entry(lines), &entry(&after), "app", &image(repository, tag, true));
    }
    let odd = "a: 'b'\n";
    becomes(
        odd,
        &format!("{odd}images:\n- name: \"a: b\"\n  newName: r.io/a\n  newTag: v1\n"),
        "a: b",
        &image("r.io/a", "v1", false),
    );
}

#[test]
fn what_is_read_of_the_file() {
    let text = "images:\n- name: app\n  newName: acme/app\n  newTag: 1.10\n  digest: 'sha256:0'\n# b\n- &b\n  name: b\n  newTag: ~\n- <<: *b\n  name: c\nimageTags: [{name: d, newTag: v1}]\n";
    let file = file(text);
    let read = Kustomization::read(&file).unwrap();
    let names: Vec<_> = read.images().iter().map(|entry| (entry.name.as_str(), entry.line)).collect();
    assert_eq!(names, [("app", 2), ("b", 8), ("c", 10), ("d", 12)]);
    let app = read.image("app").unwrap().unwrap();
    assert_eq!(
        (app.new_name.as_deref(), app.new_tag.as_deref(), app.digest.as_deref()),
        (Some("acme/app"), Some("1.10"), Some("sha256:0"))
    );
    assert_eq!(read.image("b").unwrap().unwrap().new_tag, None);
    assert_eq!(read.image("x").unwrap(), None);
}

#[test]
fn bad_input_is_refused_with_its_line() {
    for (text, line, message) in [
        ("a: b: c\n", Some(1), "the file is not YAML: "),
        ("images:\n\t- name: app\n", Some(2), "the file is not YAML: "),
        ("a: 1\n\"a\": 2\n", Some(2), "the key `a` appears twice"),
        ("images:\n- name: app\n  newTag: v1\n  newTag: v2\n", Some(4), "the key `newTag` appears twice"),
        ("images:\n- name: app\n  newTag: v1\n  newtag: v2\n", Some(4), "the key `newtag` appears twice"),
        ("images: []\nImages: []\n", Some(2), "the key `images` appears twice"),
        ("a: b\n---\nc: d\n", Some(3), "the file has to be one document, and here a second one begins"),
        ("- a\n", Some(1), "the file has no keys and values at its top level"),
        ("images: {app: v1}\n", Some(1), "`images` is not a list"),
        ("x:\nimages:\n  app: v1\n", Some(2), "`images` is not a list"),
        ("images: app\n", Some(1), "`images` is not a list"),
        ("images:\n- app:v1\n", Some(2), "this entry of `images` has no keys"),
        (
            "images:\n- name: app\n- newTag: v1\n  name: app\n",
            Some(3),
            "the image `app` appears twice: here, and at line 2",
        ),
        (
            "x: &a\n- name: app\nimages: *a\n",
            Some(3),
            "the list `images` comes from an anchor elsewhere in the file (`*…` or `<<`)",
        ),
        (
            "x: &a\n  name: app\nimages:\n- *a\n",
            Some(4),
            "the entry of `app` comes from an anchor elsewhere in the file (`*…` or `<<`)",
        ),
        (
            "x: &a\n  newTag: v1\nimages:\n- <<: *a\n  name: app\n",
            Some(4),
            "the entry of `app` comes from an anchor elsewhere in the file (`*…` or `<<`)",
        ),
        (
            "images:\n- name: app\n  newTag: &t v1\nx: [{y: *t}]\n",
            None,
            "the edit would change more than the image: `x[0].y` would be another value",
        ),
        ("images:\n- &a\n  name: app\n- *a\n", Some(4), "the image `app` appears twice: here, and at line 3"),
        (
            "images:\n- name: app\n  newTag: |\n    v1\n",
            Some(3),
            "the value of `newTag` is not a text on one line",
        ),
        (
            "images:\n- name: app\n  newTag: [v1]\n",
            Some(3),
            "the value of `newTag` is not a text on one line",
        ),
        ("? images\n: []\n", Some(1), "a key that begins with `?` cannot be edited"),
    ] {
        let fault = edited(text).unwrap_err();
        let line_and_text = (fault.line, fault.why.to_string());
        assert!(line_and_text.0 == line && line_and_text.1.starts_with(message), "{text}: {line_and_text:?}");
        assert!(fault.hint().is_some() || matches!(fault.why, Why::Broken(_)));
        assert!(fault.to_string().starts_with("`apps/shop/kustomization.yaml`"), "{fault}");
    }
    let fault = SourceFile::new("k", b"a: b\nc: \xff\n").unwrap_err();
    assert_eq!(fault.to_string(), "`k`, line 2: the file is not UTF-8");
}

/// Lines that files are made of, and things that go wrong.
fn fragments() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "images:",
        "- name: app",
        "- ",
        "  ",
        "newTag: v1",
        "name: app",
        "\n",
        "\r\n",
        "\r",
        "---",
        "...",
        "[",
        "]",
        "{",
        "}",
        ",",
        ": ",
        ":",
        "\"",
        "'",
        "#",
        " # c",
        "|",
        ">",
        "|+2",
        "&a ",
        "*a",
        "<<: *a",
        "!t ",
        "? ",
        "\t",
        "é",
        "\u{feff}",
        "\\",
        "%YAML 1.2",
        "~",
        "a",
        "images: []",
        "- app",
        "\u{85}",
        "\u{2028}",
    ]);
    prop::collection::vec(parts, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_the_bytes_it_ends_in_an_edit_or_an_error(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        fragments().prop_map(String::into_bytes),
        any::<String>().prop_map(String::into_bytes),
    ]) {
        if let Ok(file) = SourceFile::new("k", &bytes) {
            let new = image("ghcr.io/acme/app", "1.10", true);
            if let Ok(Edited::Changed(after)) = edit(&file, "app", &new) {
                let after = SourceFile::new("k", after.as_bytes()).unwrap();
                prop_assert_eq!(edit(&after, "app", &new), Ok(Edited::Unchanged));
                let read = Kustomization::read(&after).unwrap();
                let entry = read.image("app").unwrap().unwrap();
                prop_assert_eq!(entry.new_tag.as_deref(), Some("1.10"));
            }
            let _ = crate::kustomize::edit_manifest(&file, &new);
            let path = crate::kustomize::KeyPath::parse("images[0].newTag").unwrap();
            let paths = crate::kustomize::ValuesPaths { tag: path, repository: None, digest: None };
            let _ = crate::kustomize::edit_values(&file, &paths, &new);
        }
    }
}
