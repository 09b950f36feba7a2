//! The input `compression`: how the layers that are pushed are compressed.

use super::fault::{InputFault, shown};
use super::parse;
use crate::model::{Compression, CompressionKind};

/// Reads the input; nothing leaves it to the builder.
pub(super) fn parse(text: &str) -> Result<Option<Compression>, InputFault> {
    let Some(text) = parse::line("compression", text)? else { return Ok(None) };
    let fault = |message: String| InputFault::new("compression", message);
    let hint = "write `zstd`, `zstd:19` or `zstd:19,force`, for example";
    let mut parts = text.split(',').map(str::trim);
    let first = parts.next().unwrap_or_default();
    let (name, level) = match first.split_once(':') {
        Some((name, level)) => (name.trim(), Some(level.trim())),
        None => (first, None),
    };
    let Some(kind) = CompressionKind::ALL.into_iter().find(|kind| kind.name() == name) else {
        let names = CompressionKind::ALL.map(|kind| format!("`{}`", kind.name())).join(", ");
        return Err(fault(format!("`{}` is not one of {names}", shown(name))).hint(hint));
    };
    let level = match (level, kind.levels()) {
        (None, _) => None,
        (Some(_), None) => return Err(fault(format!("`{name}` has no levels"))),
        (Some(level), Some(highest)) => match level.parse::<u8>() {
            Ok(level) if level <= highest => Some(level),
            _ => {
                let message =
                    format!("`{}` is not a level of `{name}`, which has 0 to {highest}", shown(level));
                return Err(fault(message));
            }
        },
    };
    let mut force = false;
    for part in parts {
        if part != "force" || force {
            return Err(fault(format!("`{}` is not known here; only `force` is", shown(part))).hint(hint));
        }
        force = true;
    }
    Ok(Some(Compression { kind, level, force }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_understood() {
        for (text, expected) in [
            ("gzip", "gzip"),
            (" zstd:19 , force\n", "zstd:19,force"),
            ("estargz,force", "estargz,force"),
            ("uncompressed", "uncompressed"),
            ("gzip:0", "gzip:0"),
            ("zstd:22", "zstd:22"),
        ] {
            assert_eq!(parse(text).unwrap().unwrap().to_string(), expected);
        }
        assert_eq!(parse(" "), Ok(None));
    }

    #[test]
    fn what_is_not() {
        for (text, words) in [
            ("xz", "`xz` is not one of `gzip`, `zstd`, `estargz`, `uncompressed` (write `zstd`"),
            ("Gzip", "`Gzip` is not one of"),
            ("zstd:23", "`23` is not a level of `zstd`, which has 0 to 22"),
            ("gzip:-1", "`-1` is not a level of `gzip`, which has 0 to 9"),
            ("estargz:", "`` is not a level of `estargz`"),
            ("uncompressed:1", "`uncompressed` has no levels"),
            ("zstd,forced", "`forced` is not known here; only `force` is"),
            ("zstd,force,force", "`force` is not known here"),
            ("zstd\ngzip", "more than one line"),
            ("zstd,", "`` is not known here"),
        ] {
            let told = parse(text).unwrap_err().to_string();
            assert!(told.starts_with("input `compression`: ") && told.contains(words), "{text}: {told}");
        }
    }
}
