//! What BuildKit attaches to a failed call: `grpc-status-details-bin`.
//!
//! It is a `google.rpc.Status` whose details are `Any` messages with a JSON value, typed by a name that
//! ends in `+json` (BuildKit's `util/grpcerrors`, containerd's `typeurl`). What cannot be read is passed over: the
//! error's own message is always there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard_buildkit_proto::google::rpc;
use bollard_buildkit_proto::pb;
use prost::Message as _;
use serde::Deserialize;

use crate::model::text;
use crate::progress::event::{Excerpt, SourceLocation};

/// Most lines of a Dockerfile that are quoted.
const EXCERPT_LINES: usize = 12;
/// Lines that are quoted before and behind the place.
const AROUND: u32 = 2;
/// Most characters of a quoted line.
const EXCERPT_WIDTH: usize = 400;

/// What is known about a failure beside its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    /// Digest of the step that failed.
    pub vertex: Option<String>,
    /// How its process ended.
    pub exit_code: Option<u32>,
    /// Where in the Dockerfile.
    pub location: Option<SourceLocation>,
    /// The frontend itself failed.
    pub frontend: bool,
}

#[derive(Deserialize)]
struct Vertex {
    #[serde(default)]
    digest: String,
}

#[derive(Deserialize)]
struct Exit {
    #[serde(default, rename = "Code", alias = "code")]
    code: u32,
}

#[derive(Deserialize)]
struct Source {
    info: Option<Info>,
    #[serde(default)]
    ranges: Vec<Range>,
}

/// A file of the frontend's: BuildKit's `pb.SourceInfo`, as Go writes it in JSON.
#[derive(Deserialize)]
pub(super) struct Info {
    #[serde(default)]
    filename: String,
    #[serde(default)]
    data: String,
}

/// Lines of such a file: `pb.Range`.
#[derive(Deserialize)]
pub(super) struct Range {
    #[serde(default)]
    start: Position,
    #[serde(default)]
    end: Position,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Position {
    line: i32,
}

impl Details {
    /// Reads the decoded value of the trailer; empty or broken: nothing is known.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for detail in rpc::Status::decode(bytes).unwrap_or_default().details {
            let Some(name) = detail.type_url.strip_suffix("+json").and_then(|url| url.rsplit('/').next())
            else {
                continue;
            };
            let json = detail.value.as_slice();
            match name {
                "errdefs.Vertex" if found.vertex.is_none() => {
                    let vertex = serde_json::from_slice::<Vertex>(json).ok();
                    found.vertex = vertex.map(|vertex| vertex.digest).filter(|digest| !digest.is_empty());
                }
                "gatewayapi.ExitMessage" if found.exit_code.is_none() => {
                    found.exit_code = serde_json::from_slice::<Exit>(json).ok().map(|exit| exit.code);
                }
                "errdefs.Source" if found.location.is_none() => {
                    let source = serde_json::from_slice::<Source>(json).ok();
                    found.location = source.and_then(location_of);
                }
                "errdefs.Frontend" => found.frontend = true,
                _ => {}
            }
        }
        found
    }
}

fn location_of(source: Source) -> Option<SourceLocation> {
    place_in(&source.info?, &source.ranges)
}

/// The place that these ranges of a file are.
pub(super) fn place_in(info: &Info, ranges: &[Range]) -> Option<SourceLocation> {
    let data = STANDARD.decode(&info.data).unwrap_or_default();
    location(&info.filename, &data, ranges.iter().map(|range| (range.start.line, range.end.line)))
}

/// The place of a warning.
pub(super) fn warning_location(info: &pb::SourceInfo, ranges: &[pb::Range]) -> Option<SourceLocation> {
    let line = |position: Option<pb::Position>| position.map_or(0, |position| position.line);
    location(&info.filename, &info.data, ranges.iter().map(|range| (line(range.start), line(range.end))))
}

/// The first place among these, in lines from 1. An instruction of several lines has a range for each.
fn location(file: &str, data: &[u8], ranges: impl IntoIterator<Item = (i32, i32)>) -> Option<SourceLocation> {
    let mut ranges = ranges.into_iter();
    let (line, mut end) = ranges.next()?;
    for (next, next_end) in ranges {
        if next != end.saturating_add(1) {
            break;
        }
        end = next_end.max(next);
    }
    let line = u32::try_from(line).ok().filter(|line| *line > 0)?;
    let end_line = u32::try_from(end).unwrap_or(0).max(line);
    let text = String::from_utf8_lossy(data);
    let first = line.saturating_sub(AROUND).max(1);
    let wanted = (end_line.saturating_add(AROUND) - first) as usize + 1;
    let lines = text.lines().skip(first as usize - 1).take(wanted.min(EXCERPT_LINES));
    let lines = lines.map(|line| line.chars().take(EXCERPT_WIDTH).collect()).collect();
    Some(SourceLocation { file: text::value(file), line, end_line, excerpt: Excerpt { first, lines } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard_buildkit_proto::google::protobuf::Any;

    fn details(list: &[(&str, &[u8])]) -> Details {
        let any = |(url, value): &(&str, &[u8])| Any { type_url: (*url).into(), value: value.to_vec() };
        let status = rpc::Status { details: list.iter().map(any).collect(), ..Default::default() };
        Details::parse(&status.encode_to_vec())
    }

    #[test]
    fn a_run_that_failed() {
        let data = STANDARD.encode("FROM scratch\nRUN false \\\n  || exit 3\n");
        let source = format!(
            r#"{{"info":{{"filename":"Dockerfile","data":"{data}","definition":{{"def":["aGk="]}},"language":"Dockerfile"}},
                "ranges":[{{"start":{{"line":2}},"end":{{"line":3}}}}]}}"#
        );
        let found = details(&[
            ("github.com/moby/buildkit/stack.Stack+json", b"{\"frames\":[{}]}"),
            ("github.com/moby/buildkit/gatewayapi.ExitMessage+json", b"{\"Code\":3}"),
            ("github.com/moby/buildkit/errdefs.Vertex+json", b"{\"digest\":\"sha256:aa\"}"),
            ("github.com/moby/buildkit/errdefs.Source+json", source.as_bytes()),
        ]);
        assert_eq!(found.vertex.as_deref(), Some("sha256:aa"));
        assert_eq!(found.exit_code, Some(3));
        assert!(!found.frontend);
        let place = found.location.unwrap();
        assert_eq!((place.file.as_str(), place.line, place.end_line), ("Dockerfile", 2, 3));
        assert_eq!((place.excerpt.first, place.excerpt.lines.len()), (1, 3));
        assert_eq!(place.excerpt.lines[1..], ["RUN false \\", "  || exit 3"]);
    }

    #[test]
    fn hostile_details_are_passed_over() {
        assert_eq!(Details::parse(b""), Details::default());
        assert_eq!(Details::parse(b"\xff\xff\xff"), Details::default());
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for value in [b"".as_slice(), b"null", b"{", b"{\"digest\":7}", b"{\"ranges\":{}}", deep.as_bytes()] {
            let all = ["errdefs.Vertex+json", "errdefs.Source+json", "gatewayapi.ExitMessage+json", "x", ""];
            let found = details(&all.map(|name| (name, value)));
            assert_eq!((found.vertex, found.location), (None, None), "{:?}", value.get(..10));
        }
    }

    #[test]
    fn places() {
        let excerpt = |ranges: &[(i32, i32)]| {
            let found = location("D", b"a\nb\nc\nd\ne\nf", ranges.iter().copied())?;
            Some((found.line, found.end_line, found.excerpt.lines.join("|")))
        };
        let place = |line, end, text: &str| Some((line, end, text.to_owned()));
        for (ranges, expected) in [
            (&[(1, 1)][..], place(1, 1, "a|b|c")),
            (&[(4, 0)], place(4, 4, "b|c|d|e|f")),
            (&[(1, 1), (2, 2), (3, 3)], place(1, 3, "a|b|c|d|e")),
            (&[(1, 1), (3, 3)], place(1, 1, "a|b|c")),
            (&[(6, i32::MAX), (i32::MIN, 4)], place(6, i32::MAX as u32, "d|e|f")),
            (&[(9, 9)], place(9, 9, "")),
            (&[(0, 0), (1, 1)], None),
            (&[(-1, -1)], None),
            (&[], None),
        ] {
            assert_eq!(excerpt(ranges), expected, "{ranges:?}");
        }
        let long = "x".repeat(100_000);
        assert_eq!(location("D", long.as_bytes(), [(1, 1)]).unwrap().excerpt.lines[0].len(), EXCERPT_WIDTH);
    }
}
