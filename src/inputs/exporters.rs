//! The input `outputs`: what else is made of the build's result, in buildx's grammar (`buildflags.ParseExports`).
//!
//! One entry a line: `type=…,dest=…` and the exporter's own attributes, or a path alone, which is a directory. Paths stay in the
//! workspace or in `RUNNER_TEMP`. What puts an image into a registry or into the daemon is refused with the input that does it here:
//! names in an entry would be tags that nothing has judged.

use std::path::PathBuf;

use super::fault::{Findings, InputFault, Notice, shown};
use super::parse;
use super::shared::Shared;
use crate::model::ExporterKind;
use crate::model::attrs::{self, Attrs};

/// One thing that is made of the build's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExporterInput {
    /// What.
    pub kind: ExporterKind,
    /// It is a directory, and not a file.
    pub directory: bool,
    /// Where it goes. It need not exist.
    pub path: PathBuf,
    /// The exporter's own attributes.
    pub attrs: Attrs,
}

const KINDS: &str = "`local`, `tar`, `oci` and `docker`";

/// Reads the input; entries that are at fault come out as none.
pub(super) fn read(text: &str, shared: &Shared<'_>, findings: &mut Findings) -> Vec<ExporterInput> {
    let mut all: Vec<ExporterInput> = Vec::new();
    for (_, line) in parse::entries(text) {
        let entry = match entry(line, shared) {
            Ok(Some(entry)) => entry,
            Ok(None) => {
                let said = format!("`outputs`: `{}` is what `push` does; it changes nothing", shown(line));
                findings.notices.push(Notice::plain(said));
                continue;
            }
            Err(fault) => {
                findings.faults.push(fault);
                continue;
            }
        };
        if all.iter().any(|known| known.path == entry.path) {
            let fault =
                InputFault::new("outputs", format!("two entries write to `{}`", entry.path.display()));
            findings.faults.push(fault);
        }
        all.push(entry);
    }
    all
}

fn fault(message: impl Into<String>) -> InputFault {
    InputFault::new("outputs", message)
}

/// Reads one entry; nothing for what is done anyway.
fn entry(line: &str, shared: &Shared<'_>) -> Result<Option<ExporterInput>, InputFault> {
    let (bare, mut attrs) = attrs::parse_after_bare(line).map_err(|error| fault(error.to_string()))?;
    if let Some(path) = bare {
        if !attrs.is_empty() {
            return Err(fault("field 1 has no `=`").hint("for example `type=local,dest=dist`"));
        }
        attrs = [("type".to_owned(), "local".to_owned()), ("dest".to_owned(), path)].into();
    }
    let kind = attrs
        .remove("type")
        .ok_or_else(|| fault("an entry has no `type`").hint("for example `type=local,dest=dist`"))?;
    let kind = match kind.as_str() {
        "local" => ExporterKind::Local,
        "tar" => ExporterKind::Tar,
        "oci" => ExporterKind::Oci,
        "docker" => ExporterKind::Docker,
        "image" | "registry" => return of_registry(&kind, &attrs),
        other => {
            let message = format!("`type={}` is not a kind of output", shown(other));
            return Err(fault(message).hint(format!("the kinds are {KINDS}")));
        }
    };
    let dest = attrs.remove("dest").filter(|dest| !dest.is_empty());
    let dest = match (dest, kind) {
        (Some(dest), _) if dest == "-" => {
            let message =
                format!("`type={}` cannot be written to `-`, as that is the job's log", kind.name());
            return Err(fault(message).hint("name a file"));
        }
        (Some(dest), _) => dest,
        (None, ExporterKind::Docker) => {
            return Err(
                fault("`type=docker` has no `dest`").hint("`load: true` puts the image into the daemon")
            );
        }
        (None, _) => {
            let message = format!("`type={}` has no `dest`", kind.name());
            return Err(fault(message).hint(format!("for example `type={},dest=dist/out`", kind.name())));
        }
    };
    let layout = matches!(kind, ExporterKind::Oci | ExporterKind::Docker);
    let unpacked = match attrs.get("tar").filter(|_| layout) {
        None => false,
        Some(tar) => !parse::boolean("outputs", tar, true)?,
    };
    // We unpack it: BuildKit sends an archive in any case.
    if layout {
        attrs.remove("tar");
    }
    let directory = kind == ExporterKind::Local || unpacked;
    let path =
        if directory { shared.destination("outputs", &dest)? } else { shared.new_file("outputs", &dest)? };
    Ok(Some(ExporterInput { kind, directory, path, attrs }))
}

/// What goes to a registry: nothing where it says no more than that the image is pushed.
fn of_registry(kind: &str, attrs: &Attrs) -> Result<Option<ExporterInput>, InputFault> {
    let is = |key: &str| attrs.get(key).is_some_and(|value| value == "true");
    let others = || attrs.keys().filter(|key| *key != "push");
    if others().next().is_none() && (kind == "registry" || is("push")) {
        return Ok(None);
    }
    let hint = if is("push-by-digest") {
        "with `mode: leg` a job of a matrix pushes one platform by digest, with `mode: stage` all of them"
    } else if attrs.contains_key("name") {
        "`repository` (or `image_name`) and `tags` say where the image goes, by rules that hold for every tag"
    } else if others().any(|key| key.contains("compression")) {
        "`compression` says how pushed layers are compressed"
    } else if others().any(|key| key.starts_with("annotation")) {
        "`annotations` are those of the pushed image"
    } else {
        "`push` pushes the image; leave the line out"
    };
    Err(fault(format!("`type={kind}` is not written by an output")).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::context::Paths;

    fn read_all(text: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        let base = std::fs::canonicalize(root.path()).unwrap();
        std::os::unix::fs::symlink("/etc", base.join("away")).unwrap();
        let paths = Paths { workspace: base.clone(), ..Paths::default() };
        let mut findings = Findings::default();
        let read = read(text, &Shared::new(&paths), &mut findings);
        let shown = |one: &ExporterInput| {
            let path = one.path.strip_prefix(&base).unwrap().display().to_string();
            let form = if one.directory { "/" } else { "" };
            format!("{} {path}{form} {}", one.kind.name(), attrs::render(&one.attrs))
        };
        (
            read.iter().map(shown).collect(),
            findings.faults.iter().map(ToString::to_string).collect(),
            findings.notices.into_iter().map(|notice| notice.message).collect(),
        )
    }

    #[test]
    fn what_is_understood() {
        for (text, expected) in [
            ("dist", "local dist/ "),
            ("type=local,dest=out/bin,platform-split=false", "local out/bin/ platform-split=false"),
            ("type=tar,dest=rootfs.tar", "tar rootfs.tar "),
            ("type=oci,dest=a.tar,compression=zstd", "oci a.tar compression=zstd"),
            ("type=oci,dest=layout,tar=false", "oci layout/ "),
            ("type=docker,dest=/tmp/../a.tar", ""),
            ("type=docker,dest=a.tar,name=acme/api:1", "docker a.tar name=acme/api:1"),
            ("\"type=local\",\"dest=a,b\"", "local a,b/ "),
        ] {
            let (read, faults, _) = read_all(text);
            assert_eq!(read.join("; "), expected, "{text}: {faults:?}");
        }
        let (read, faults, notices) =
            read_all("type=registry\ntype=image,push=true\n# no\ndist\ntype=tar,dest=a");
        assert_eq!((read.len(), faults.len(), notices.len()), (2, 0, 2), "{faults:?}");
    }

    #[test]
    fn what_is_not() {
        for (text, part) in [
            ("-", "cannot be written to `-`"),
            (
                "type=tar,dest=-",
                "`type=tar` cannot be written to `-`, as that is the job's log (name a file)",
            ),
            ("type=tar", "`type=tar` has no `dest`"),
            ("type=docker", "`load: true` puts the image into the daemon"),
            ("dest=dist", "an entry has no `type`"),
            ("type=cacheonly", "`type=cacheonly` is not a kind of output"),
            ("type=local,dest=../x", "leads out of the workspace"),
            ("type=local,dest=away/x", "leads out of the workspace by a link"),
            ("type=oci,dest=away", "leads out of the workspace by a link"),
            ("type=oci,dest=a,tar=maybe", "`maybe` is not a boolean"),
            ("type=image,name=a/b,push-by-digest=true,push=true", "with `mode: leg`"),
            ("type=image,name=ghcr.io/a/b:1,push=true", "`tags` say where the image goes"),
            ("type=image,compression=zstd,push=true", "`compression` says"),
            ("type=image", "leave the line out"),
            ("dist,x=1", "field 1 has no `=`"),
            ("dist\ntype=local,dest=dist", "two entries write to"),
        ] {
            let (_, faults, _) = read_all(text);
            assert!(faults.len() == 1 && faults[0].contains(part), "{text}: {faults:?}");
        }
    }
}
