//! Dockerfiles as people write them, and where their steps run.

use proptest::prelude::*;

use super::*;
use crate::model::NamedSource;

fn platform(text: &str) -> Platform {
    Platform::parse(text).unwrap()
}

fn listed(steps: Steps) -> String {
    match steps {
        Steps::On(platforms) => {
            platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ").replace("linux/", "")
        }
        Steps::Unknown(why) => format!("? {why}"),
    }
}

/// What is asked for besides the Dockerfile.
#[derive(Debug, Default)]
struct Asked {
    target: Option<&'static str>,
    build_args: Vec<(String, String)>,
    named_contexts: Vec<NamedContext>,
}

/// On an amd64 builder, for amd64 and arm64.
fn asked_for(text: &str, asked: &Asked) -> String {
    let (native, platforms) = (platform("linux/amd64"), ["linux/amd64", "linux/arm64"].map(platform));
    listed(steps(&Question {
        text,
        target: asked.target,
        build_args: &asked.build_args,
        named_contexts: &asked.named_contexts,
        platforms: &platforms,
        native: &native,
    }))
}

fn asked(text: &str) -> String {
    asked_for(text, &Asked::default())
}

const GO_CROSS: &str = r#"# syntax=docker/dockerfile:1
ARG GO_VERSION=1.23
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/root/.cache \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/app .

FROM gcr.io/distroless/static
COPY --from=build /out/app /app
ENTRYPOINT ["/app"]
"#;

const NODE: &str = "\
FROM node:22 AS deps
WORKDIR /app
COPY package*.json ./
RUN npm ci

FROM node:22-slim
COPY --from=deps /app/node_modules /app/node_modules
COPY . /app
CMD [\"node\", \"/app/server.js\"]
";

const RUST_XX: &str = "\
# syntax=docker/dockerfile:1-labs
FROM --platform=$BUILDPLATFORM tonistiigi/xx AS xx
FROM --platform=$BUILDPLATFORM rust:alpine AS chef
COPY --from=xx / /
RUN apk add clang lld
FROM chef AS build
ARG TARGETPLATFORM
RUN xx-cargo build --release
FROM scratch AS bins
COPY --from=build /out /
FROM alpine AS test
RUN apk add bash
FROM alpine
COPY --link --from=bins / /
";

const PER_PROCESSOR: &str = "\
FROM --platform=linux/amd64 tools AS fetch-amd64
RUN fetch amd64
FROM --platform=linux/arm64 tools AS fetch-arm64
RUN fetch arm64
FROM fetch-${TARGETARCH} AS fetch
FROM scratch
COPY --from=fetch /x /x
";

const WINDOWS: &str = "# escape=`\nFROM mcr.microsoft.com/x `\n AS base\nCOPY a c:\\\nRUN dir";

#[test]
fn what_people_write() {
    for (text, expected) in [
        (GO_CROSS, "amd64"),
        (NODE, "amd64 arm64"),
        (RUST_XX, "amd64"),
        (PER_PROCESSOR, "amd64 arm64"),
        (WINDOWS, "amd64 arm64"),
        ("FROM scratch\nCOPY app /", ""),
        ("FROM alpine\nCOPY run.sh /\nENTRYPOINT [\"/run.sh\"]\nHEALTHCHECK CMD RUN", ""),
        ("FROM scratch\nADD rootfs.tar /\nRUN /setup", "amd64 arm64"),
        ("from alpine\nrun x", "amd64 arm64"),
        // What only looks like a step, and a step that does not look like one.
        ("FROM alpine\n# RUN x\nCOPY <<EOF /x\nRUN x\nEOF", ""),
        ("FROM alpine\nCOPY a \\\n RUN", ""),
        ("FROM alpine\nRUN <<EOF\nFROM scratch\nEOF", "amd64 arm64"),
        ("FROM alpine\nLABEL x=y \\\n# comment\n\n z=w\nRUN x", "amd64 arm64"),
        // Stages that nobody needs.
        ("FROM alpine AS lint\nRUN x\nFROM scratch\nCOPY a /", ""),
        ("FROM alpine AS a\nRUN x\nFROM scratch\nCOPY --from=0 a /", "amd64 arm64"),
        ("FROM alpine AS a\nRUN x\nFROM scratch\nCOPY --from=1 a /", ""),
        ("FROM alpine AS A\nRUN x\nFROM scratch\nCOPY --FROM=x --from=a a /", "amd64 arm64"),
        ("FROM alpine AS a\nRUN x\nFROM a AS b\nFROM b", "amd64 arm64"),
        ("FROM alpine AS a\nRUN x\nFROM alpine AS a\nFROM a", ""),
        ("FROM alpine AS alpine\nRUN x\nFROM alpine", "amd64 arm64"),
        ("FROM alpine\nRUN x\nFROM alpine AS alpine\nCOPY a /", ""),
        // A mount's stage is needed too, on its own platform.
        (
            "FROM --platform=linux/s390x a AS tools\nRUN x\nFROM --platform=$BUILDPLATFORM b\n\
             RUN --mount=type=bind,from=tools,target=/t --mount=type=cache,target=/c x",
            "amd64 s390x",
        ),
        // Platforms.
        ("FROM --platform=$TARGETPLATFORM a\nRUN x", "amd64 arm64"),
        ("FROM --platform=${BUILDPLATFORM:-linux/s390x} a\nRUN x", "amd64"),
        ("FROM --platform=$BUILDOS/$BUILDARCH a\nRUN x", "amd64"),
        ("ARG P=linux/arm/v6\nFROM --platform=$P a\nRUN x", "arm/v6"),
        ("ARG P=linux/arm64\nARG P=${P:-linux/s390x}\nFROM --platform=$P a\nRUN x", "arm64"),
        ("ARG TARGETPLATFORM\nFROM --platform=$TARGETPLATFORM a\nRUN x", "amd64 arm64"),
        ("FROM --platform=arm64 a\nRUN x", "arm64"),
        ("FROM --platform=linux a\nRUN x", "amd64"),
        ("FROM --platform=windows/amd64 a\nRUN x", "windows/amd64"),
        // The base stage's platform counts, whatever is said behind it.
        ("FROM --platform=$BUILDPLATFORM a AS b\nFROM --platform=linux/arm64 b\nRUN x", "amd64"),
        ("FROM --platform=$BUILDPLATFORM scratch\nRUN x", "amd64 arm64"),
        // Stored steps run in the stages made from it, in no other.
        ("FROM --platform=$BUILDPLATFORM a AS b\nONBUILD RUN x\nFROM b", "amd64"),
        ("FROM a AS b\nONBUILD RUN x\nFROM b AS c\nFROM scratch\nCOPY --from=b a /", ""),
        ("FROM a AS b\nONBUILD RUN x\nFROM b AS c\nFROM c", "amd64 arm64"),
        ("FROM a AS x\nRUN x\nFROM a AS b\nONBUILD COPY --from=x a /\nFROM b", "amd64 arm64"),
        ("FROM a\nONBUILD RUN x", ""),
        // A circle, which BuildKit will refuse.
        ("FROM a AS b\nCOPY --from=c x /\nFROM b AS c\nCOPY --from=c x /\nRUN x", "amd64 arm64"),
    ] {
        assert_eq!(asked(text), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_told() {
    for (text, expected) in [
        ("", "no `FROM`"),
        ("# syntax=acme/frontend\nFROM scratch", "`syntax`"),
        ("# syntax=ghcr.io/docker/dockerfile:1\nFROM scratch", "`syntax`"),
        ("FROM --platform=$NONE a\nRUN x", "platform of one of its stages"),
        ("FROM --platform=${A#x} a\nRUN x", "platform of one of its stages"),
        ("FROM ${A%x}\nCOPY a /", "the base"),
        ("ARG A=${B/x/y}\nFROM a", "global `ARG`"),
        ("FROM a\nNEW thing", "not known"),
        ("FROM a\nRUN <<EOF\nx", "here-document"),
    ] {
        let said = asked(text);
        assert!(said.starts_with("? ") && said.contains(expected), "{text}: {said}");
    }
    // Only where it matters.
    assert_eq!(asked("FROM --platform=$NONE a AS b\nFROM scratch\nCOPY --from=b a /"), "");
    let long = "#".repeat(LONGEST + 1);
    assert!(asked(&long).contains("longer than 1024 KiB"));
    let lines = |count: u32, line: &dyn Fn(u32) -> String| {
        let lines: Vec<String> = (0..count).map(line).chain(["FROM a".into()]).collect();
        lines.join("\n")
    };
    let doubling = lines(200, &|at| format!("ARG A{}=$A{at}$A{at}", at + 1));
    let many = lines(1001, &|at| format!("ARG A{at}"));
    assert!(asked(&many).contains("global `ARG`"));
    assert!(asked(&format!("ARG A0=xx\n{doubling}")).contains("global `ARG`"));
}

#[test]
fn what_the_build_asks_for() {
    let argument = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let text = "ARG BASE=build\nFROM a AS build\nRUN x\nFROM b AS ready\nFROM ${BASE} AS pick\nFROM scratch AS last\n\
                COPY --from=pick /x /";
    for (target, build_args, expected) in [
        (None, vec![], "amd64 arm64"),
        (None, argument("BASE", "ready"), ""),
        (Some("READY"), vec![], ""),
        (Some("build"), argument("TARGETPLATFORM", "linux/s390x"), "amd64 arm64"),
        (Some("nothing"), vec![], "? it has no stage of the name in `target`"),
        (None, argument("BUILDKIT_SYNTAX", "acme/x"), "? its `syntax` is not `docker/dockerfile`"),
    ] {
        let asked = Asked { target, build_args, ..Asked::default() };
        assert_eq!(asked_for(text, &asked), expected, "{asked:?}");
    }
    let fixed = Asked { build_args: argument("BUILDPLATFORM", "linux/s390x"), ..Asked::default() };
    assert_eq!(asked_for(GO_CROSS, &fixed), "s390x");
}

#[test]
fn named_contexts_stand_in_for_stages() {
    let with = |text: &str, name: &str| {
        let source = NamedSource::Directory("/github/workspace/bin".into());
        let named_contexts = vec![NamedContext { name: name.into(), source }];
        asked_for(text, &Asked { named_contexts, ..Asked::default() })
    };
    let text = "FROM a AS build\nRUN x\nFROM scratch\nCOPY --from=build /x /";
    for (name, expected) in
        [("build", ""), ("build:latest", ""), ("a", "amd64 arm64"), ("build::linux/arm64", "amd64 arm64")]
    {
        assert_eq!(with(text, name), expected, "{name}");
    }
    // Its platform is still the one that is said; what it stores is gone.
    let stores =
        "FROM --platform=$BUILDPLATFORM a AS build\nONBUILD RUN x\nFROM build AS c\nCOPY x /\nFROM c\n";
    assert_eq!(with(&format!("{stores}RUN x"), "build"), "amd64");
    assert_eq!(with(stores, "build"), "");
    assert_eq!(asked(stores), "amd64");
}

proptest! {
    /// Whatever the text, there is an answer, and soon.
    #[test]
    fn never_panics(text in any::<String>()) {
        asked(&text);
    }

    #[test]
    fn never_panics_on_what_looks_like_a_dockerfile(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "FROM ", "FROM a AS b", "RUN", "RUN x", "COPY --from=0 a b", "COPY --from=b ", " AS ", "ONBUILD ", "--mount=from=b",
            "--platform=", "$BUILDPLATFORM", "${", "}", ":-", "\\", "`", "\n", "\n", "\n", "\r\n", "<<EOF", "EOF", "\"", "'",
            "# escape=`", "# syntax=", "//", "ARG A=", "$A", "linux/arm64", "[", "]", "\u{2028}", "é", "--", "\t", "\u{feff}",
        ]), 0..40),
    ) {
        asked(&parts.concat());
    }

    /// A `RUN` in the last stage, which has no platform of its own, runs on every requested one.
    #[test]
    fn a_last_step_counts(before in "[a-z \n]{0,30}", image in "[a-z]{1,8}") {
        let comment = before.replace('\n', "\n# ");
        let text = format!("# {comment}\nFROM {image}\nWORKDIR /x\nRUN {image}");
        prop_assert_eq!(asked(&text), "amd64 arm64");
    }
}
