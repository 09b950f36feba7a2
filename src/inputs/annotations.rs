//! `annotations`: `[level[platform][,level]:]key=value` lines, as buildx reads them (`buildflags.ParseAnnotations`).
//!
//! A line without a level is the manifests', or of the levels that a variable of metadata-action's names. Only manifests and their descriptors can be told apart by platform.

use super::fault::{Findings, InputFault, Notice, shown};
use super::{parse, tags};
use crate::model::{Annotation, AnnotationLevel, Platform};
use crate::rules::Input;

const INPUT: &str = "annotations";

/// Reads the annotations, in order; a line without a level is of the `default` ones, if there are any. One that comes again
/// replaces the earlier line, with a warning.
pub(super) fn read(text: &str, default: &[AnnotationLevel], findings: &mut Findings) -> Vec<Annotation> {
    let mut all: Vec<Annotation> = Vec::new();
    for (number, entry) in parse::entries(text) {
        for annotation in findings.take(line(number, entry, default)).unwrap_or_default() {
            let same = |other: &Annotation| {
                (other.level, &other.platform, &other.key)
                    == (annotation.level, &annotation.platform, &annotation.key)
            };
            if let Some(earlier) = all.iter().position(same) {
                let message = format!(
                    "`{}` is in `annotations` more than once; the last line counts",
                    shown(&annotation.key)
                );
                findings.notices.push(Notice::warning(message));
                all.remove(earlier);
            }
            all.push(annotation);
        }
    }
    tags::expressions(Input::Annotations, text, findings);
    all
}

/// Reads one line: the same annotation for each of the levels that it names.
fn line(number: usize, entry: &str, default: &[AnnotationLevel]) -> Result<Vec<Annotation>, InputFault> {
    let fault = |message: String| {
        InputFault::new(INPUT, message)
            .hint("for example `index,manifest:org.opencontainers.image.title=Shop`, or `key=value` for the manifests")
    };
    let (left, value) = entry.split_once('=').ok_or_else(|| fault(format!("line {number} has no `=`")))?;
    let (levels, key) = left.split_once(':').map_or((None, left), |(levels, key)| (Some(levels), key));
    let key = key.trim();
    if key.is_empty()
        || key.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\''))
    {
        return Err(fault(format!("line {number}: a key is not empty and has no blanks and no quotes")));
    }
    let annotation =
        |(level, platform)| Annotation { level, platform, key: key.to_owned(), value: value.to_owned() };
    let Some(levels) = levels else {
        let levels = if default.is_empty() { &[AnnotationLevel::Manifest] } else { default };
        return Ok(levels.iter().map(|level| annotation((*level, None))).collect());
    };
    levels.split(',').map(|text| level(text.trim()).map_err(&fault).map(annotation)).collect()
}

/// Reads a level such as `manifest[linux/amd64]`, and the platform that it is limited to; else says what is wrong with it.
pub(super) fn level(text: &str) -> Result<(AnnotationLevel, Option<Platform>), String> {
    let (name, platform) = match text.split_once('[') {
        Some((name, rest)) => {
            let platform = rest.strip_suffix(']').ok_or_else(|| format!("`{}` has no `]`", shown(text)))?;
            (name, Some(Platform::parse(platform).map_err(|error| error.to_string())?))
        }
        None => (text, None),
    };
    let level = match name {
        "manifest" => AnnotationLevel::Manifest,
        "index" => AnnotationLevel::Index,
        "manifest-descriptor" => AnnotationLevel::ManifestDescriptor,
        "index-descriptor" => AnnotationLevel::IndexDescriptor,
        other => {
            return Err(format!(
                "`{}` is not a level (these are `manifest`, `index`, `manifest-descriptor`, `index-descriptor`)",
                shown(other)
            ));
        }
    };
    if platform.is_some() && matches!(level, AnnotationLevel::Index | AnnotationLevel::IndexDescriptor) {
        return Err(format!("`{name}` is one for all platforms and takes none in `[]`"));
    }
    Ok((level, platform))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as_text(text: &str) -> (Vec<String>, Findings) {
        let mut findings = Findings::default();
        let all = read(text, &[], &mut findings);
        let shown = |a: &Annotation| {
            let platform = a.platform.as_ref().map(|platform| format!("[{platform}]")).unwrap_or_default();
            format!("{:?}{platform} {}={}", a.level, a.key, a.value)
        };
        (all.iter().map(shown).collect(), findings)
    }

    #[test]
    fn levels() {
        for (text, expected) in [
            ("a=1", &["Manifest a=1"][..]),
            ("manifest:a=1", &["Manifest a=1"]),
            ("index,manifest:a.b=x=y:z", &["Index a.b=x=y:z", "Manifest a.b=x=y:z"]),
            ("manifest-descriptor[linux/arm64/v8]:a=", &["ManifestDescriptor[linux/arm64] a="]),
            (
                "manifest[linux/amd64],manifest[linux/arm/v7]:a=1",
                &["Manifest[linux/amd64] a=1", "Manifest[linux/arm/v7] a=1"],
            ),
            ("index-descriptor:a=1\n# no\nindex:a=2", &["IndexDescriptor a=1", "Index a=2"]),
            ("a=http://x/y", &["Manifest a=http://x/y"]),
        ] {
            let (found, findings) = read_as_text(text);
            assert_eq!(
                (found, findings.faults),
                (expected.iter().map(ToString::to_string).collect(), vec![]),
                "{text}"
            );
        }
        let found = read(
            "a=1\nindex-descriptor:b=2",
            &[AnnotationLevel::Index, AnnotationLevel::Manifest],
            &mut Findings::default(),
        );
        let levels: Vec<AnnotationLevel> = found.iter().map(|one| one.level).collect();
        assert_eq!(
            levels,
            [AnnotationLevel::Index, AnnotationLevel::Manifest, AnnotationLevel::IndexDescriptor]
        );
        let (found, findings) = read_as_text("a=1\nmanifest:a=2");
        assert_eq!((found, findings.notices.len()), (vec!["Manifest a=2".to_owned()], 1));
    }

    #[test]
    fn wrong_lines() {
        for (text, part) in [
            ("a", "line 1 has no `=`"),
            ("=1", "a key is not empty"),
            ("manifest:=1", "a key is not empty"),
            ("\"a=1\"", "no quotes"),
            ("layer:a=1", "`layer` is not a level"),
            ("manifest[linux:a=1", "has no `]`"),
            ("manifest[amd64]:a=1", "not a known platform"),
            ("index[linux/amd64]:a=1", "one for all platforms"),
        ] {
            let (_, findings) = read_as_text(text);
            assert!(findings.faults[0].message.contains(part), "{text}: {:?}", findings.faults);
        }
    }
}
