//! `provenance`, `sbom` and `attests`: what is attested, each type at most once.
//!
//! Obeys buildx `buildflags.Attests`; `type=…,disabled=true` says the same as `false` of the input of that type.

use super::fault::{Findings, InputFault, shown};
use super::parse;
use super::raw::RawInputs;
use crate::model::Attestation;
use crate::model::attrs::{self, Attrs};

/// What the input `provenance` or `sbom` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AttestationInput {
    /// Nothing was said.
    #[default]
    Auto,
    /// None.
    Off,
    /// With these attributes; none means BuildKit's defaults.
    On(Attrs),
}

/// What the three inputs say together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Attestations {
    pub provenance: AttestationInput,
    pub sbom: AttestationInput,
    pub attests: Vec<Attestation>,
}

/// Reads the three inputs. Without `by_default`, attestations that nobody asked for are not made.
pub(super) fn read(inputs: &RawInputs, by_default: bool, findings: &mut Findings) -> Attestations {
    let mut all = Attestations {
        provenance: findings.take(single("provenance", &inputs.provenance)).unwrap_or_default(),
        sbom: findings.take(single("sbom", &inputs.sbom)).unwrap_or_default(),
        attests: Vec::new(),
    };
    let mut seen: Vec<String> = Vec::new();
    for (_, line) in parse::entries(&inputs.attests) {
        let Some((kind, disabled, attrs)) = findings.take(attestation(line)) else { continue };
        let own = if kind == "sbom" { &mut all.sbom } else { &mut all.provenance };
        let own_text = if kind == "sbom" { &inputs.sbom } else { &inputs.provenance };
        if seen.contains(&kind) {
            findings.faults.push(InputFault::new("attests", format!("`type={kind}` is given twice")));
        } else if !own_text.is_empty() {
            let message = format!("`type={kind}` and the input `{kind}` say the same thing twice");
            findings.faults.push(InputFault::new("attests", message).hint("leave one of them out"));
        } else if disabled {
            *own = AttestationInput::Off;
        } else {
            all.attests.push(Attestation { kind: kind.clone(), attrs });
        }
        seen.push(kind);
    }
    // `Off` would take away what `attests` asks for.
    if !by_default
        && all.provenance == AttestationInput::Auto
        && !seen.iter().any(|kind| kind == "provenance")
    {
        all.provenance = AttestationInput::Off;
    }
    all
}

/// Reads `provenance` or `sbom`: a boolean, or attributes.
fn single(kind: &str, text: &str) -> Result<AttestationInput, InputFault> {
    match text.trim() {
        "" => return Ok(AttestationInput::Auto),
        "true" | "True" | "TRUE" => return Ok(AttestationInput::On(Attrs::new())),
        "false" | "False" | "FALSE" => return Ok(AttestationInput::Off),
        _ => {}
    }
    let example = if kind == "sbom" { "generator=image" } else { "mode=max" };
    let hint = format!("write `true`, `false` or attributes such as `{example}`");
    let attrs = attrs::parse(text.trim()).map_err(|error| {
        InputFault::new(kind, format!("neither a boolean nor attributes: {error}")).hint(hint)
    })?;
    let (disabled, attrs) = checked(kind, kind, attrs)?;
    Ok(if disabled { AttestationInput::Off } else { AttestationInput::On(attrs) })
}

/// Reads a line of `attests`, such as `type=provenance,…`: its type, whether it is switched off, and its attributes.
fn attestation(line: &str) -> Result<(String, bool, Attrs), InputFault> {
    let fault = |message: String| {
        InputFault::new("attests", message).hint("for example `type=provenance,mode=max` or `type=sbom`")
    };
    let mut attrs = attrs::parse(line).map_err(|error| fault(format!("`{}`: {error}", shown(line))))?;
    let kind = attrs.remove("type").ok_or_else(|| fault(format!("`{}` has no `type`", shown(line))))?;
    if !matches!(kind.as_str(), "provenance" | "sbom") {
        return Err(fault(format!("`{}` is not a type of attestation", shown(&kind))));
    }
    let (disabled, attrs) = checked("attests", &kind, attrs)?;
    Ok((kind, disabled, attrs))
}

/// Whether the attestation is switched off, and its attributes, those with a known set of values judged.
fn checked(input: &str, kind: &str, mut attrs: Attrs) -> Result<(bool, Attrs), InputFault> {
    if attrs.contains_key("type") {
        return Err(InputFault::new(input, format!("`type` is `{kind}` already")));
    }
    let disabled = attrs.remove("disabled");
    let disabled = parse::boolean(input, disabled.as_deref().unwrap_or_default(), false)
        .map_err(|fault| InputFault { message: format!("`disabled`: {}", fault.message), ..fault })?;
    match attrs.get("mode").map(String::as_str) {
        Some(mode) if kind == "provenance" && !matches!(mode, "min" | "max") => {
            let message = format!("`mode={}` is not a mode of provenance", shown(mode));
            Err(InputFault::new(input, message).hint("write `mode=min` or `mode=max`"))
        }
        _ => Ok((disabled, attrs)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(provenance: &str, sbom: &str, attests: &str) -> (Attestations, Vec<InputFault>) {
        let inputs = RawInputs {
            provenance: provenance.into(),
            sbom: sbom.into(),
            attests: attests.into(),
            ..RawInputs::default()
        };
        let mut findings = Findings::default();
        (read(&inputs, true, &mut findings), findings.faults)
    }

    fn on(pairs: &[(&str, &str)]) -> AttestationInput {
        AttestationInput::On(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn single_inputs() {
        for (text, expected) in [
            ("", AttestationInput::Auto),
            ("true", on(&[])),
            ("False", AttestationInput::Off),
            ("mode=max", on(&[("mode", "max")])),
            ("mode=min,version=v1", on(&[("mode", "min"), ("version", "v1")])),
            ("disabled=true", AttestationInput::Off),
        ] {
            assert_eq!(single("provenance", text), Ok(expected), "{text}");
        }
        assert_eq!(single("sbom", "generator=a/b:c"), Ok(on(&[("generator", "a/b:c")])));
        for (text, part) in [
            ("max", "neither a boolean nor attributes"),
            ("mode=full", "not a mode"),
            ("type=sbom", "`type` is `provenance` already"),
            ("disabled=perhaps", "not a boolean"),
            ("yes", "neither a boolean"),
        ] {
            assert!(single("provenance", text).unwrap_err().message.contains(part), "{text}");
        }
    }

    #[test]
    fn without_the_default_what_is_asked_for_stays() {
        for (provenance, attests, expected) in [
            ("", "", AttestationInput::Off),
            ("true", "", on(&[])),
            ("", "type=provenance,mode=max", AttestationInput::Auto),
            ("", "type=sbom", AttestationInput::Off),
        ] {
            let inputs =
                RawInputs { provenance: provenance.into(), attests: attests.into(), ..RawInputs::default() };
            assert_eq!(read(&inputs, false, &mut Findings::default()).provenance, expected, "{attests}");
        }
    }

    #[test]
    fn together() {
        let (all, faults) = given("", "", "type=provenance,mode=max\ntype=sbom,generator=x");
        assert_eq!((all.attests.len(), faults), (2, vec![]));
        assert_eq!(all.attests[0].attrs["mode"], "max");
        let (all, faults) = given("", "", "type=provenance,disabled=true");
        assert_eq!((all.provenance, all.attests, faults), (AttestationInput::Off, vec![], vec![]));
        for (provenance, attests, part) in [
            ("false", "type=provenance", "say the same thing twice"),
            ("mode=max", "type=provenance,mode=max", "say the same thing twice"),
            ("", "type=sbom\ntype=sbom", "is given twice"),
            ("", "mode=max", "has no `type`"),
            ("", "type=slsa", "not a type of attestation"),
            ("", "provenance", "has no `=`"),
        ] {
            let (_, faults) = given(provenance, "", attests);
            assert!(faults.len() == 1 && faults[0].message.contains(part), "{attests}: {faults:?}");
        }
    }
}
