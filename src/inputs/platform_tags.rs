//! `platform_tags`: how further tags for single platforms are called, one text with expressions a line.
//!
//! The texts are read here; which tags they make, the plan says.

use super::fault::{Findings, InputFault, shown};
use super::{parse, tags};
use crate::rules::{Input, Place, Scope, Template};

/// How a platform's tag is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformTagName {
    /// As it is written, in backticks, for people; shortened.
    pub text: String,
    /// The text with expressions: a tag of the image, and the parts of the platform.
    pub template: Template,
}

/// Reads the names, in order.
pub(super) fn read(text: &str, findings: &mut Findings) -> Vec<PlatformTagName> {
    let mut names = Vec::new();
    for (line, entry) in parse::entries(text) {
        let place = Place { input: Input::PlatformTags, line, column: 1 };
        match Template::parse(entry, Scope::PLATFORM_TAG, place) {
            Ok(template) => {
                if let Some(template) = findings.take(judged(line, entry, template)) {
                    names.push(PlatformTagName { text: format!("`{}`", shown(entry)), template });
                }
            }
            Err(faults) => findings.faults.extend(faults.into_iter().map(tags::fault)),
        }
    }
    names
}

/// Whether a name can make tags, and a tag of its own of each tag of the image.
fn judged(line: usize, entry: &str, template: Template) -> Result<Template, InputFault> {
    let fault = |message: String| {
        InputFault::new(Input::PlatformTags.name(), message).hint("for example `{{tag}}-{{arch}}`")
    };
    if !template.uses("tag") {
        return Err(fault(format!("line {line}: `{}` has no `{{{{tag}}}}` in it", shown(entry))));
    }
    let takes = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let other = template.literals().flat_map(str::chars).find(|c| !takes(*c));
    match other {
        None => Ok(template),
        Some(other) => Err(fault(format!(
            "line {line}: no tag has `{}` in it, but letters, digits, `.`, `_` and `-`",
            shown(&other.to_string())
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (usize, Vec<String>) {
        let mut findings = Findings::default();
        let names = read(text, &mut findings);
        (names.len(), findings.faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names() {
        for (text, count) in [
            ("", 0),
            ("\n\n", 0),
            ("{{tag}}-{{arch}}", 1),
            ("{{tag}}-{{arch}}{{variant}}\n\n{{os}}_{{ arch }}.{{tag}}\n", 2),
            ("# none\n{{tag}}-one", 1),
        ] {
            assert_eq!(told(text), (count, vec![]), "{text}");
        }
    }

    #[test]
    fn wrong_names() {
        for (text, part) in [
            ("{{arch}}", "line 1: `{{arch}}` has no `{{tag}}` in it (for example `{{tag}}-{{arch}}`)"),
            ("{{tag}}-{{arch}}\n{{tag}}", ""),
            ("{{tag}}/{{arch}}", "line 1: no tag has `/` in it"),
            ("{{tag}}-{{arch}} ", ""),
            ("{{tag}}-{{arch}},x", "line 1: no tag has `,` in it"),
            ("\n{{tag}}-{{platform}}", "line 2, column 9: there is no expression `{{platform}}`"),
            ("{{tag}}-{{date 'YYYY'}}", "line 1, column 9"),
            ("{{tag", "line 1, column 1"),
        ] {
            let (_, faults) = told(text);
            assert_eq!(faults.len(), usize::from(!part.is_empty()), "{text}: {faults:?}");
            assert!(faults.concat().contains(part), "{text}: {faults:?}");
        }
    }
}
