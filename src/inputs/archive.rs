//! The input `archive`: the file that the image is written to, in the workspace or in `RUNNER_TEMP`.

use std::path::PathBuf;

use super::fault::{InputFault, shown};
use super::parse;
use super::shared::Shared;
use crate::model::ArchiveFormat;

/// The file that the image is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFile {
    /// Where it is, without links on the way. It need not exist, nor the directories that it is in.
    pub path: PathBuf,
    /// How it is packed, as its name says.
    pub format: ArchiveFormat,
}

/// Reads the input; nothing means none.
pub(super) fn read(text: &str, shared: &Shared<'_>) -> Result<Option<ArchiveFile>, InputFault> {
    let Some(text) = parse::line("archive", text)? else { return Ok(None) };
    let name = text.rsplit('/').next().unwrap_or_default();
    let Some(format) = ArchiveFormat::of(name) else {
        let endings = ArchiveFormat::ENDINGS.map(|(ending, _)| format!("`{ending}`")).join(", ");
        let message = format!("`{}` ends in none of {endings}", shown(&text));
        return Err(InputFault::new("archive", message).hint("for example `dist/api.tar.gz`"));
    };
    let path = shared.new_file("archive", &text)?;
    Ok(Some(ArchiveFile { path, format }))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::runner::context::Paths;

    #[test]
    fn files() {
        let root = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(root.path()).unwrap();
        let (workspace, temp) = (base.join("workspace"), base.join("temp"));
        for directory in [workspace.join("sub.tar"), workspace.join(".git"), temp.clone(), base.join("out")] {
            fs::create_dir_all(directory).unwrap();
        }
        fs::write(workspace.join("old.tar"), "old").unwrap();
        for (name, target) in [
            ("away", base.join("out")),
            ("away.tar", base.join("out/x.tar")),
            ("gone.tar", base.join("out/none/x.tar")),
            ("near.tar", workspace.join("old.tar")),
            ("git", workspace.join(".git")),
        ] {
            symlink(target, workspace.join(name)).unwrap();
        }
        let paths = Paths { workspace: workspace.clone(), temp: temp.clone(), ..Paths::default() };
        let shared = Shared::new(&paths);
        let temp_file = temp.join("api.tar.zst").display().to_string();
        for (text, expected) in [
            ("api.tar", "workspace/api.tar"),
            (" dist/new/api.tar.gz ", "workspace/dist/new/api.tar.gz"),
            ("sub.tar/../api.tar", "workspace/api.tar"),
            ("old.tar", "workspace/old.tar"),
            ("near.tar", "workspace/old.tar"),
            (temp_file.as_str(), "temp/api.tar.zst"),
        ] {
            let read = read(text, &shared).unwrap().unwrap();
            assert_eq!(read.path, base.join(expected), "{text}");
        }
        assert_eq!(read(" ", &shared), Ok(None));
        for (text, part) in [
            (
                "api.tgz",
                "`api.tgz` ends in none of `.tar`, `.tar.gz`, `.tar.zst` (for example `dist/api.tar.gz`)",
            ),
            ("dist/", "ends in none of"),
            ("dist/.tar", "ends in none of"),
            ("../api.tar", "`../api.tar` leads out of the workspace and of `RUNNER_TEMP`"),
            ("/etc/api.tar", "leads out of the workspace"),
            ("away/api.tar", "leads out of the workspace by a link"),
            ("away/new/api.tar", "leads out of the workspace by a link"),
            ("away.tar", "leads out of the workspace by a link"),
            ("gone.tar", "leads out of the workspace by a link"),
            ("git/api.tar", "into a Git directory"),
            ("sub.tar", "`sub.tar` is a directory"),
            ("old.tar/api.tar", "is not a directory"),
            ("a.tar\nb.tar", "more than one line"),
        ] {
            let said = read(text, &shared).unwrap_err().to_string();
            assert!(said.starts_with("input `archive`: ") && said.contains(part), "{text}: {said}");
        }
    }
}
