//! The inputs `tags` and `flavor`: rules and whole references in the place of the default strategy.
//!
//! The language is the room `rules`; this file makes faults and notices of what it says, and knows what other inputs have to
//! do with it.

use super::fault::{Findings, InputFault, Notice, shown};
use super::image::NamedTargets;
use super::parse;
use super::raw::RawInputs;
use crate::model::Repository;
use crate::rules::{self, Input, Place, Scope, TagRules, Template};

/// Reads both inputs; nothing where `tags` is empty.
pub(super) fn read(inputs: &RawInputs, findings: &mut Findings) -> Option<TagRules> {
    let rules = match rules::parse(&inputs.tags, &inputs.flavor) {
        Ok(rules) => rules,
        Err(faults) => {
            findings.faults.extend(faults.into_iter().map(fault));
            return None;
        }
    };
    let notices = rules.notices.iter().map(|notice| Notice::plain(notice.to_string()));
    findings.notices.extend(notices);
    if rules.entries.is_empty() {
        if rules.flavor != rules::Flavor::default() {
            let message = "it changes the tags of rules, and `tags` has none";
            findings.faults.push(InputFault::new("flavor", message).hint(
                "for what docker/metadata-action assumes, write `tags` with the lines `type=schedule`, `type=ref,event=branch`, \
                 `type=ref,event=tag` and `type=ref,event=pr`",
            ));
        }
        // Conditions that came out empty leave no rule, and the author meant no other tags.
        return None;
    }
    if !inputs.version.is_empty() && !rules.has_default() {
        findings.notices.push(Notice::plain(format!(
            "`version` is `{}`, and no line of `tags` makes a tag of it: `type=default` does, or `type=semver,pattern={{{{version}}}},value=…`",
            shown(&inputs.version)
        )));
    }
    Some(rules)
}

/// Holds references against the repositories that other inputs list: one that is in none of them is a fault; one that is in a
/// line that is disabled (`enable=false`) makes no tag.
pub(super) fn judge(rules: &mut TagRules, named: &NamedTargets, findings: &mut Findings) {
    let listed: Vec<&Repository> = named.targets.iter().chain(&named.disabled).collect();
    findings.faults.extend(rules.unlisted(&listed).into_iter().map(fault));
    rules.disable(|repository| named.disabled.contains(repository) && !named.targets.contains(repository));
}

/// Reports the expressions in the values of `key=value` lines that stand for nothing.
pub(super) fn expressions(input: Input, text: &str, findings: &mut Findings) {
    for (line, entry) in parse::entries(text) {
        let Some((key, value)) = entry.split_once('=') else { continue };
        let place = Place { input, line, column: key.chars().count() + 2 };
        let faults = Template::parse(value, Scope::TEXT, place).err().unwrap_or_default();
        let of_text = |wrong: rules::Fault| {
            let hint = "`\\{{` stands for braces that are meant as they are";
            let hint =
                wrong.hint.as_ref().map_or_else(|| hint.to_owned(), |known| format!("{known}; {hint}"));
            fault(rules::Fault { hint: Some(hint), ..wrong })
        };
        findings.faults.extend(faults.into_iter().map(of_text));
    }
}

/// A fault of the language, as one of the input that it stands in.
pub(super) fn fault(fault: rules::Fault) -> InputFault {
    let rules::Fault { place, message, hint } = fault;
    let message = format!("line {}, column {}: {message}", place.line, place.column);
    InputFault { input: place.input.name().to_owned(), message, hint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Targets;

    fn given(tags: &str, flavor: &str, version: &str) -> RawInputs {
        RawInputs {
            tags: tags.into(),
            flavor: flavor.into(),
            version: version.into(),
            ..RawInputs::default()
        }
    }

    #[test]
    fn what_is_read() {
        for (tags, flavor, version, entries, notices) in [
            ("", "", "", None, 0),
            (" \n\n", "latest=auto", "", None, 0),
            ("type=sha\n\nlatest", "latest=false", "", Some(2), 0),
            ("ghcr.io/acme/api:1, ghcr.io/acme/api:2", "", "", Some(2), 0),
            ("type=edge,onlatest=false", "", "", Some(1), 1),
            ("type=sha", "", "1.2.3", Some(1), 1),
            ("type=sha\ntype=default", "", "1.2.3", Some(2), 0),
        ] {
            let mut findings = Findings::default();
            let rules = read(&given(tags, flavor, version), &mut findings);
            assert_eq!(findings.faults, [], "{tags}");
            assert_eq!(rules.map(|rules| rules.entries.len()), entries, "{tags}");
            assert_eq!(findings.notices.len(), notices, "{tags}: {:?}", findings.notices);
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_place() {
        let mut findings = Findings::default();
        assert_eq!(
            read(&given("type=sha\ntype=semver\ntype=raw,valeu=x", "latest=maybe", ""), &mut findings),
            None
        );
        let told: Vec<String> = findings.faults.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("input `tags`: line 2, column 1: "), "{told:?}");
        assert!(
            told[1].starts_with("input `tags`: line 3, column ") && told[1].contains("`value`"),
            "{told:?}"
        );
        assert!(told[2].starts_with("input `flavor`: line 1, column "), "{told:?}");
        let mut findings = Findings::default();
        read(&given("", "suffix=-alpine", ""), &mut findings);
        assert!(findings.faults[0].to_string().contains("`type=ref,event=branch`"), "{:?}", findings.faults);
    }

    #[test]
    fn expressions_in_labels() {
        let mut findings = Findings::default();
        expressions(
            Input::Labels,
            "a={{version}}\n\nb={{date 'YYYY'}} \\{{x}}\nc=1{{vesion}}",
            &mut findings,
        );
        let told: Vec<String> = findings.faults.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("input `labels`: line 4, column 4: there is no expression `{{vesion}}`"),
            "{told:?}"
        );
        assert!(
            told[0].contains("did you mean `version`?") && told[0].contains("`\\{{` stands for"),
            "{told:?}"
        );
    }

    #[test]
    fn a_reference_to_another_repository() {
        let [listed, other] =
            ["ghcr.io/acme/api", "docker.io/acme/api"].map(|name| Repository::parse(name).unwrap());
        let text = "type=sha\ndocker.io/acme/api:1";
        let judged = |named: &NamedTargets| {
            let mut findings = Findings::default();
            let mut rules = read(&given(text, "", ""), &mut findings).unwrap();
            judge(&mut rules, named, &mut findings);
            let counts = rules.repositories().len();
            (counts, findings.faults.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let both = NamedTargets::of(Targets::new(listed.clone(), [other.clone()]));
        assert_eq!(judged(&both), (1, vec![]));
        let one = NamedTargets::of(listed.into());
        let (counts, faults) = judged(&one);
        assert_eq!(counts, 1);
        assert!(faults[0].contains("line 2, column 1: `docker.io/acme/api:1` is in a"), "{faults:?}");
        // A line that is disabled lists it, and makes no tag of it; a line that is not counts.
        assert_eq!(judged(&NamedTargets { disabled: vec![other.clone()], ..one }), (0, vec![]));
        assert_eq!(judged(&NamedTargets { disabled: vec![other], ..both }), (1, vec![]));
    }
}
