//! What the daemon asks for when it wants files, as it stands in the call's headers.
//!
//! Obeys BuildKit's `session/filesync`: lists are repeated headers; a list with anything outside ASCII is
//! query-escaped as a whole and marked by a header `<key>-encoded: 1`.

use http::HeaderMap;

use super::grpc::{Code, Status};
use crate::context::Filter;

/// One request for the files of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FilesWanted {
    /// Which directory: `context` or `dockerfile`.
    pub dir_name: String,
    /// What of it.
    pub filter: Filter,
}

impl FilesWanted {
    /// Reads the headers of a `DiffCopy` call.
    pub(super) fn parse(headers: &HeaderMap) -> Result<Self, Status> {
        Ok(Self {
            dir_name: list(headers, "dir-name")?.into_iter().next().unwrap_or_default(),
            filter: Filter {
                include: list(headers, "include-patterns")?,
                exclude: list(headers, "exclude-patterns")?,
                follow: list(headers, "followpaths")?,
            },
        })
    }
}

fn list(headers: &HeaderMap, key: &str) -> Result<Vec<String>, Status> {
    let marked = headers.get(format!("{key}-encoded"));
    // What Go's `ParseBool` takes for true.
    let encoded = marked
        .is_some_and(|mark| matches!(mark.as_bytes(), b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True"));
    let unreadable = || Status::new(Code::InvalidArgument, format!("the header {key} is not readable"));
    let values = headers.get_all(key).iter().map(|value| {
        let bytes = if encoded { query_unescape(value.as_bytes()) } else { Some(value.as_bytes().to_vec()) };
        bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(unreadable)
    });
    values.collect()
}

/// Go's `url.QueryUnescape`.
fn query_unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = text.iter().copied();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    Some(plain)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn wanted(headers: &[(&'static str, &str)]) -> Result<FilesWanted, Status> {
        let pairs = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        let mut map = HeaderMap::new();
        pairs.for_each(|(name, value)| {
            map.append(name, value);
        });
        FilesWanted::parse(&map)
    }

    #[test]
    fn lists_and_escapes() {
        let found = wanted(&[
            ("dir-name", "context"),
            ("exclude-patterns", "**/*.o"),
            ("exclude-patterns", "!a b+c%20"),
            ("followpaths", "sch%C3%B6n"),
            ("followpaths", "a+b%2B"),
            ("followpaths-encoded", "1"),
        ]);
        let strings = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = FilesWanted {
            dir_name: "context".into(),
            filter: Filter {
                include: vec![],
                exclude: strings(&["**/*.o", "!a b+c%20"]),
                follow: strings(&["schön", "a b+"]),
            },
        };
        assert_eq!(found.unwrap(), expected);
        assert_eq!(wanted(&[]).unwrap(), FilesWanted::default());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for value in ["%", "%4", "%zz", "%ff"] {
            let refused = wanted(&[("followpaths", value), ("followpaths-encoded", "true")]).unwrap_err();
            assert_eq!(refused.code, Code::InvalidArgument, "{value}");
            assert_eq!(
                wanted(&[("followpaths", value), ("followpaths-encoded", "0")]).unwrap().filter.follow,
                [value]
            );
        }
    }
}
