//! The short name of a step: where it stands in the Dockerfile, and what it does.
//!
//! BuildKit writes `[linux/amd64 build 2/5] RUN --mount=type=cache,target=/root/.npm npm ci` (`dockerfile2llb`, `prefixCommand`); a
//! log has room for `amd64 build 2/5` and `RUN npm ci`. A platform is said only where there are several. The whole
//! command is in the Dockerfile, and an error quotes it.

use super::state::State;
use crate::runner::{units, untrusted};

/// Columns that labels may take, so that a long stage's name leaves room for the command.
const WIDEST: usize = 24;

/// What a step is called in a line of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Short {
    /// `amd64 build 2/5`; empty for what is no step of the Dockerfile.
    pub label: String,
    /// `RUN npm ci`, one line.
    pub command: String,
}

/// How the steps of one build are called.
#[derive(Debug)]
pub(super) struct Naming {
    /// There are several platforms: each step says its own.
    platforms: bool,
    /// Columns of the widest label so far; BuildKit announces the steps before it begins them.
    width: usize,
    known: usize,
}

impl Naming {
    /// For a build of one platform, or of several.
    pub(super) fn new(platforms: bool) -> Self {
        Self { platforms, width: 0, known: 0 }
    }

    /// Looks at the steps that were announced since the last time.
    pub(super) fn learn(&mut self, state: &State) {
        let new = state.steps().get(self.known..).unwrap_or_default();
        for step in new {
            let width = self.short(&step.name).label.chars().count();
            self.width = self.width.max(width.min(WIDEST));
        }
        self.known = state.steps().len();
    }

    /// Columns in which labels stand.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The short name.
    pub(super) fn short(&self, name: &str) -> Short {
        let inside = name.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let Some((inside, command)) = inside else {
            return Short { label: String::new(), command: command(name) };
        };
        let mut rest = inside;
        let mut platform = None;
        while let Some(word) = rest.split(' ').next().filter(|word| is_platform(word)) {
            platform = Some(word);
            rest = rest[word.len()..].strip_prefix(' ').unwrap_or_default();
        }
        let rest = match rest.trim() {
            "internal" | "auth" => "",
            _ => rest,
        };
        let platform = platform.filter(|_| self.platforms).map(of_linux);
        let words: Vec<String> =
            platform.into_iter().chain((!rest.is_empty()).then(|| rest.to_owned())).collect();
        // What stood behind a bracket may now stand at the start.
        Short { label: untrusted::plain(words.join(" ").trim_end()), command: self::command(command) }
    }
}

/// `linux/arm64`, `linux/arm/v7`, `linux/amd64->arm64`; not `2/5`, and no stage's name, which has no slash.
fn is_platform(word: &str) -> bool {
    word.contains('/') && word.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
}

/// Most images are for Linux: `amd64`, `arm/v7`, `windows/amd64`.
fn of_linux(platform: &str) -> String {
    let parts: Vec<&str> =
        platform.split(',').map(|part| part.strip_prefix("linux/").unwrap_or(part)).collect();
    parts.join(",")
}

/// An instruction or a name of BuildKit's on one line, without what only the Dockerfile's reader needs.
fn command(text: &str) -> String {
    let mut words = text.split_whitespace().peekable();
    let mut kept: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        kept.push(word);
        if word == "RUN" && kept.len() == 1 {
            while words.next_if(|flag| flag.starts_with("--")).is_some() {}
        }
    }
    let text = kept.join(" ").replace("docker.io/library/", "");
    untrusted::plain(&units::short_digests(&of_cache(of_heredoc(text))))
}

/// `RUN <<EOF (apt-get update...)`: BuildKit names a script by its first line, and says with three dots that there are more.
fn of_heredoc(text: String) -> String {
    let script = text.strip_prefix("RUN <<").and_then(|rest| rest.split_once(" (")?.1.strip_suffix(')'));
    match script {
        Some(script) => {
            format!("RUN {}", script.strip_suffix("...").map_or(script.into(), |line| format!("{line}…")))
        }
        None => text,
    }
}

/// `importing cache manifest from gha:6264364612648616636`: the number is a hash of the attributes.
fn of_cache(text: String) -> String {
    match text.rsplit_once(':') {
        Some((kind, number))
            if kind.ends_with(" gha") && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            kind.to_owned()
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{StatusUpdate, Vertex};
    use super::*;

    #[test]
    fn names() {
        for (name, several, one) in [
            ("[2/5] RUN npm ci", ("2/5", "RUN npm ci"), "2/5"),
            ("[build  3/12] COPY . .", ("build  3/12", "COPY . ."), "build  3/12"),
            ("[linux/amd64 build 2/5] RUN a", ("amd64 build 2/5", "RUN a"), "build 2/5"),
            ("[linux/arm/v7 2/5] RUN a", ("arm/v7 2/5", "RUN a"), "2/5"),
            ("[linux/amd64->arm64 b 2/5] RUN a", ("amd64->arm64 b 2/5", "RUN a"), "b 2/5"),
            ("[windows/amd64 2/5] RUN a", ("windows/amd64 2/5", "RUN a"), "2/5"),
            ("[linux/arm64 linux/arm64 2/5] RUN a", ("arm64 2/5", "RUN a"), "2/5"),
            ("[linux/arm64] exporting to image", ("arm64", "exporting to image"), ""),
            ("[internal] load build context", ("", "load build context"), ""),
            (
                "[linux/amd64 internal] load metadata for docker.io/library/node:22",
                ("amd64", "load metadata for node:22"),
                "",
            ),
            ("[auth] acme/api:pull token for r.io", ("", "acme/api:pull token for r.io"), ""),
            ("[context shared] load from client", ("context shared", "load from client"), "context shared"),
            ("exporting to image", ("", "exporting to image"), ""),
            (
                "importing cache manifest from gha:6264364612648616636",
                ("", "importing cache manifest from gha"),
                "",
            ),
            (
                "[1/2] FROM docker.io/library/busybox:1@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                ("1/2", "FROM busybox:1@sha256:aaaaaaaaaaaa…"),
                "1/2",
            ),
            (
                "[2/2] RUN --mount=type=cache,target=/root/.npm --network=none   npm ci     && npm test",
                ("2/2", "RUN npm ci && npm test"),
                "2/2",
            ),
            ("[2/2] RUN <<END (apt-get update...)", ("2/2", "RUN apt-get update…"), "2/2"),
            ("[2/2] RUN <<-END (true)", ("2/2", "RUN true"), "2/2"),
            ("[2/2] RUN <<END", ("2/2", "RUN <<END"), "2/2"),
            ("[2/2] COPY --from=build /a /b", ("2/2", "COPY --from=build /a /b"), "2/2"),
            ("", ("", ""), ""),
            ("[", ("", "["), ""),
            ("[::error::x 1/2] RUN a", ("\\::error::x 1/2", "RUN a"), "\\::error::x 1/2"),
            ("[a] ::error::x", ("a", "\\::error::x"), "a"),
        ] {
            let (several_are, one_is) = (Naming::new(true).short(name), Naming::new(false).short(name));
            assert_eq!((several_are.label.as_str(), several_are.command.as_str()), several, "{name}");
            assert_eq!(one_is.label, one, "{name}");
        }
    }

    #[test]
    fn the_column_is_as_wide_as_the_widest_label() {
        let mut state = State::default();
        let mut naming = Naming::new(false);
        for (name, width) in [
            ("[2/5] RUN a", 3),
            ("[build 2/5] RUN a", 9),
            ("[b 2/5] RUN a", 9),
            ("[a-stage-with-a-name-that-is-too-long 2/5] RUN a", WIDEST),
        ] {
            let vertex = Vertex { digest: name.into(), name: name.into(), ..Vertex::default() };
            state.apply(&StatusUpdate { vertexes: vec![vertex], ..StatusUpdate::default() });
            naming.learn(&state);
            assert_eq!(naming.width(), width);
        }
    }
}
