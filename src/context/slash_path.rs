//! Lexical slash-separated paths, cleaned as Go's `path.Clean` cleans them.
//!
//! Patterns, followed paths and link targets come from the daemon as text and are normalised by Go on the other side; the same
//! normal form is needed here for both to mean the same file. Nothing in this module looks at a disk.

/// The shortest path that means the same: no empty, `.` or inner `..` elements, no trailing slash; `.` for nothing.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." => match kept.last() {
                Some(&last) if last != ".." => {
                    kept.pop();
                }
                // Above a root there is nothing; above a relative start there may be.
                _ if rooted => {}
                _ => kept.push(".."),
            },
            _ => kept.push(element),
        }
    }
    let joined = kept.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// `path` read as if the context were the root of the file system: `..` stops there, no leading slash; `.` is the root itself.
pub fn within_root(path: &str) -> String {
    let cleaned = clean(&format!("/{path}"));
    match cleaned.trim_start_matches('/') {
        "" => ".".to_owned(),
        relative => relative.to_owned(),
    }
}

/// Everything before the last slash, `.` when there is none. Expects a clean path.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) => "/",
        Some(at) => &path[..at],
        None => ".",
    }
}

/// The last element. Expects a clean path.
pub fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_as_go_does() {
        for (given, expected) in [
            ("", "."),
            (".", "."),
            ("a/", "a"),
            ("a//b/./c", "a/b/c"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("a/../../b", "../b"),
            ("../../a/..", "../.."),
            ("/..", "/"),
            ("/../a", "/a"),
            ("//a", "/a"),
            ("!../a", "!../a"),
            ("!a/../..", ".."),
        ] {
            assert_eq!(clean(given), expected, "{given:?}");
        }
    }

    #[test]
    fn never_leaves_the_root() {
        for (given, expected) in
            [("../../etc/passwd", "etc/passwd"), ("/", "."), ("", "."), ("a/../../..", "."), ("/a/b", "a/b")]
        {
            assert_eq!(within_root(given), expected, "{given:?}");
        }
    }
}
