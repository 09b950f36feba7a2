//! The grammar of `repository`: names of repositories, and whether they count in this run.
//!
//! A line is names, separated by commas, and may hold `enable=true` or `enable=false`, which is what an Actions expression
//! gives (`,enable=${{ … }}`) and is about all names of its line. `name=` before a name says nothing: it is how
//! docker/metadata-action's `images` writes it. Names are not judged here: what a disabled line has may be the rest of an
//! expression whose variables are not there.

use super::fault::{InputFault, shown};
use super::parse;

const INPUT: &str = "repository";
const HINT: &str = "write `enable=true` or `enable=false` (also `True`, `TRUE`, `False`, `FALSE`)";

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RepositoryLine<'a> {
    /// From 1.
    pub number: usize,
    /// In order; there may be none in a line that is disabled.
    pub names: Vec<&'a str>,
    /// Whether its repositories count.
    pub enabled: bool,
}

/// Reads the lines that say something, each by itself.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Result<RepositoryLine<'_>, InputFault>> {
    parse::entries(text).filter_map(|(number, line)| read(number, line).transpose())
}

/// Reads one line; nothing if it is commas only.
fn read(number: usize, line: &str) -> Result<Option<RepositoryLine<'_>>, InputFault> {
    let fault = |message: String| InputFault::new(INPUT, format!("line {number}: {message}"));
    let (mut names, mut enabled) = (Vec::new(), None);
    for field in line.split(',').map(str::trim).filter(|field| !field.is_empty()) {
        let Some((key, value)) = field.split_once('=') else {
            names.push(field);
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        match key.to_ascii_lowercase().as_str() {
            "name" => names.push(value),
            "enable" if enabled.is_some() => return Err(fault("`enable` is given twice".into())),
            // Neither answer would be safe: nobody knows what the expression was to say.
            "enable" if value.is_empty() => {
                let hint = "an expression gives `true` or `false` when it compares: \
                            `enable=${{ secrets.NAME != '' }}`, `enable=${{ vars.NAME == 'yes' }}`";
                return Err(fault("`enable` is empty".into()).hint(hint));
            }
            "enable" => {
                let value = parse::boolean(INPUT, value, true);
                let value = value.map_err(|wrong| fault(format!("`enable`: {}", wrong.message)).hint(HINT));
                enabled = Some(value?);
            }
            _ => {
                let message = format!("`{}` is not an attribute of a repository", shown(key));
                return Err(fault(message).hint(HINT));
            }
        }
    }
    if names.is_empty() && enabled.is_none() {
        return Ok(None);
    }
    let is_enabled = enabled.unwrap_or(true);
    if is_enabled && (names.is_empty() || names.contains(&"")) {
        return Err(fault("names no repository".into()).hint("for example `ghcr.io/acme/api,enable=true`"));
    }
    names.retain(|name| !name.is_empty());
    Ok(Some(RepositoryLine { number, names, enabled: is_enabled }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `number+names` of each line that counts, `number-names` of one that does not, `!message` of a fault.
    fn outcome(text: &str) -> String {
        let line = |line: Result<RepositoryLine<'_>, InputFault>| match line {
            Ok(line) => {
                let sign = if line.enabled { '+' } else { '-' };
                format!("{}{sign}{}", line.number, line.names.join("|"))
            }
            Err(fault) => {
                assert_eq!(fault.input, INPUT);
                format!("!{}", fault.message)
            }
        };
        lines(text).map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_and_their_condition() {
        for (text, expected) in [
            ("r.io/a", "1+r.io/a"),
            ("r.io/a,enable=true", "1+r.io/a"),
            ("r.io/a,enable=false", "1-r.io/a"),
            ("r.io/a , enable = True", "1+r.io/a"),
            ("r.io/a,enable=TRUE", "1+r.io/a"),
            ("r.io/a,\tENABLE= False ", "1-r.io/a"),
            ("r.io/a,enable=FALSE", "1-r.io/a"),
            ("enable=false,r.io/a", "1-r.io/a"),
            ("name=r.io/a,enable=false", "1-r.io/a"),
            ("name = r.io/a", "1+r.io/a"),
            ("Name=r.io/a", "1+r.io/a"),
            // For all names of the line, and no other line.
            ("r.io/a,r.io/b,enable=false\nr.io/c", "1-r.io/a|r.io/b 2+r.io/c"),
            ("r.io/a,enable=false,name=r.io/b", "1-r.io/a|r.io/b"),
            // Lines that came out empty.
            ("\n \t\r\n\nr.io/a\r\n,\n , ,\n\nr.io/b,\n", "4+r.io/a 8+r.io/b"),
            ("# r.io/a,enable=maybe\nr.io/b", "2+r.io/b"),
            // What is left of expressions.
            (",enable=false", "1-"),
            ("name=,enable=false", "1-"),
            ("docker.io//api,enable=false", "1-docker.io//api"),
            // Not judged here.
            ("r.io/a@sha256:0", "1+r.io/a@sha256:0"),
        ] {
            assert_eq!(outcome(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_names_its_line() {
        for (text, expected) in [
            ("r.io/a\nr.io/b,enable=1", "1+r.io/a !line 2: `enable`: `1` is not a boolean"),
            ("r.io/a,enable=yes", "!line 1: `enable`: `yes` is not a boolean"),
            ("r.io/a,enable=tRUE", "!line 1: `enable`: `tRUE` is not a boolean"),
            ("r.io/a,enable='true'", "!line 1: `enable`: `'true'` is not a boolean"),
            (
                "r.io/a,enable={{is_default_branch}}",
                "!line 1: `enable`: `{{is_default_branch}}` is not a boolean",
            ),
            ("r.io/a,enable=", "!line 1: `enable` is empty"),
            ("r.io/a,enable= ", "!line 1: `enable` is empty"),
            ("r.io/a,enable=true,enable=false", "!line 1: `enable` is given twice"),
            ("r.io/a,enabled=true", "!line 1: `enabled` is not an attribute of a repository"),
            ("type=raw,value=x", "!line 1: `type` is not an attribute of a repository"),
            ("=x", "!line 1: `` is not an attribute of a repository"),
            ("\n,enable=true", "!line 2: names no repository"),
            ("name=", "!line 1: names no repository"),
            ("r.io/a,name=,enable=true", "!line 1: names no repository"),
        ] {
            assert_eq!(outcome(text), expected, "{text:?}");
        }
        let fault = |text| lines(text).next().unwrap().unwrap_err();
        assert!(fault("r.io/a,enable=1").hint.unwrap().contains("`enable=true` or `enable=false`"));
        assert!(fault("r.io/a,enable=").hint.unwrap().contains("${{ secrets.NAME != '' }}"));
    }
}
