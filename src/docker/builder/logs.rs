//! What a builder that ended had to say about it.

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt as _;

use super::super::connection::DaemonClient;
use crate::model::text;

/// Lines of its log that are looked at, and that an error shows.
const LOOKED_AT: &str = "200";
const SHOWN: usize = 3;

/// Why it ended, in its own words; none where the daemon does not tell.
pub(super) async fn last_words(daemon: &DaemonClient, name: &str) -> Vec<String> {
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(LOOKED_AT).build();
    let mut lines = std::pin::pin!(daemon.docker.logs(name, Some(options)));
    let mut said = Vec::new();
    while let Some(Ok(output)) = lines.next().await {
        said.extend(String::from_utf8_lossy(&output.into_bytes()).lines().map(str::to_owned));
    }
    telling(&said)
}

/// The lines of buildkitd's log that say why it ended: errors, where there are any; never the stack below them, in
/// which a function's line is followed by its file's, indented.
fn telling(said: &[String]) -> Vec<String> {
    let indented = |line: &String| line.starts_with(['\t', ' ']);
    let frame = |at: usize| indented(&said[at]) || said.get(at + 1).is_some_and(indented);
    let lines = said.iter().enumerate().filter(|(at, _)| !frame(*at)).map(|(_, line)| text::line(line));
    let mut lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    let is_error = |line: &String| {
        ["level=error", "level=fatal", "buildkitd: ", "panic: "].iter().any(|mark| line.contains(mark))
    };
    if lines.iter().any(is_error) {
        lines.retain(is_error);
    }
    lines.split_off(lines.len().saturating_sub(SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_tell_more_than_the_last_lines() {
        let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (said, expected) in [
            (
                &[
                    "level=warning msg=x",
                    "buildkitd: bad toml",
                    "main.main",
                    "\tmain.go:1",
                    "runtime.goexit",
                    "\tasm.s:2",
                ][..],
                &["buildkitd: bad toml"][..],
            ),
            (
                &["toml: incomplete number", "failed to parse config", "main.main", "\tmain.go:1"],
                &["toml: incomplete number", "failed to parse config"],
            ),
            (&["a", "b", "c", "", "d"], &["b", "c", "d"]),
            (
                &["level=error msg=1", "level=info msg=2", "level=fatal msg=3"],
                &["level=error msg=1", "level=fatal msg=3"],
            ),
            (&[], &[]),
        ] {
            assert_eq!(telling(&lines(said)), lines(expected));
        }
    }
}
