//! Files that inputs name: in the workspace or in `RUNNER_TEMP`, the two directories that a container action
//! shares with the other steps of its job.
//!
//! As for the context: links are followed first, then the place is judged. A path that is written inside one of the two
//! stays inside that one, so that no link of a checkout leads to what other steps keep in `RUNNER_TEMP` (Docker's logins,
//! keys); a name that leads out of both is refused even if the file is there. What is read has a limit.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::fault::{InputFault, shown};
use super::files::{Found, lexical, localised, look, misled, missing_hint};
use super::nearest::Wanted;
use crate::runner::context::Paths;

/// Most bytes of a file that holds text: certificates, a `buildkitd.toml`, an OCI layout's index.
pub(super) const TEXT_MAX: usize = 4 * 1024 * 1024;

/// One of the two directories that steps of a job share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    Workspace,
    Temp,
}

impl Area {
    fn name(self) -> &'static str {
        match self {
            Self::Workspace => "the workspace",
            Self::Temp => "`RUNNER_TEMP`",
        }
    }
}

/// The two directories, ready to have paths held against them.
pub(super) struct Shared<'a> {
    paths: &'a Paths,
    /// Where relative names start.
    workspace: PathBuf,
    /// Each by its name without links and as it was given.
    roots: Vec<(Area, PathBuf)>,
}

impl<'a> Shared<'a> {
    pub fn new(paths: &'a Paths) -> Self {
        let mut roots = Vec::new();
        for (area, root) in [(Area::Workspace, &paths.workspace), (Area::Temp, &paths.temp)] {
            // A root of `` or `/` would be everything.
            if root.is_absolute() && root.parent().is_some() {
                roots.extend(fs::canonicalize(root).ok().map(|real| (area, real)));
                roots.push((area, root.clone()));
            }
        }
        let workspace = fs::canonicalize(&paths.workspace).unwrap_or_else(|_| paths.workspace.clone());
        Self { paths, workspace, roots }
    }

    /// The path, without links in it, of the regular file that a text names.
    pub fn file(&self, input: &str, text: &str) -> Result<PathBuf, InputFault> {
        match self.look(text) {
            Found::File(path) => Ok(path),
            Found::Directory(_) => Err(fault(input, text, "is a directory, not a file")),
            Found::Special => Err(fault(input, text, "is not a regular file")),
            other => Err(self.missing(input, text, other)),
        }
    }

    /// The bytes of the file that a text names, at most `max`.
    pub fn bytes(&self, input: &str, text: &str, max: usize) -> Result<Vec<u8>, InputFault> {
        let path = self.file(input, text)?;
        let unreadable = |error: std::io::Error| fault(input, text, &format!("cannot be read: {error}"));
        let mut bytes = Vec::new();
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
        if bytes.len() > max {
            return Err(fault(input, text, &format!("is larger than {} KiB", max / 1024)));
        }
        Ok(bytes)
    }

    /// The content of the text file that a text names, at most [`TEXT_MAX`] bytes.
    pub fn text(&self, input: &str, text: &str) -> Result<String, InputFault> {
        let bytes = self.bytes(input, text, TEXT_MAX)?;
        String::from_utf8(bytes).map_err(|_| fault(input, text, "is not UTF-8 text"))
    }

    /// The path of the directory that a text names. It need not exist yet; what exists of it does not lead out.
    pub fn destination(&self, input: &str, text: &str) -> Result<PathBuf, InputFault> {
        let path = self.localised(text);
        let outside = || self.missing(input, text, Found::Outside(None));
        let area = self.area(&path).ok_or_else(outside)?;
        let mut existing = path.as_path();
        while fs::symlink_metadata(existing).is_err() {
            existing = existing.parent().ok_or_else(outside)?;
        }
        match self.look_in(area, existing) {
            Found::Directory(real) => {
                let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
                Ok(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
            }
            Found::File(_) | Found::Special => Err(fault(input, text, "is not a directory")),
            other => Err(self.missing(input, text, other)),
        }
    }

    /// The path of the regular file that a text names. Neither it nor its directory need exist yet; what exists of it does not
    /// lead out.
    pub fn new_file(&self, input: &str, text: &str) -> Result<PathBuf, InputFault> {
        match self.look(text) {
            Found::File(path) => Ok(path),
            Found::Directory(_) => Err(fault(input, text, "is a directory, not a file")),
            Found::Special => Err(fault(input, text, "is not a regular file")),
            Found::Missing => {
                let path = self.localised(text);
                let (above, name) = path.parent().zip(path.file_name()).unzip();
                let above = self.destination(input, &above.unwrap_or(&path).to_string_lossy())?;
                Ok(above.join(name.unwrap_or_default()))
            }
            other => Err(self.missing(input, text, other)),
        }
    }

    /// A socket in the two directories, or elsewhere if the workflow names it whole; nothing if none is there. A link
    /// in a checkout must not choose what the build talks to.
    pub fn socket(&self, input: &str, text: &str) -> Result<Option<PathBuf>, InputFault> {
        let path = self.localised(text);
        if !fs::metadata(&path).is_ok_and(|found| found.file_type().is_socket()) {
            return Ok(None);
        }
        match self.look(text) {
            Found::Special => Ok(Some(path)),
            Found::Outside(_) if self.is_elsewhere(text) => Ok(Some(path)),
            other => Err(self.missing(input, text, other)),
        }
    }

    /// Whether the workflow names a place whole that is in neither directory.
    pub fn is_elsewhere(&self, text: &str) -> bool {
        Path::new(text).is_absolute() && self.area(&self.localised(text)).is_none()
    }

    /// What this process calls a path that the workflow wrote; `.` and `..` are taken at their word.
    fn localised(&self, text: &str) -> PathBuf {
        lexical(&self.workspace.join(localised(text, self.paths)))
    }

    /// The directory in which a path is written: the inner one, should one of them lie in the other.
    fn area(&self, path: &Path) -> Option<Area> {
        let around = self.roots.iter().filter(|(_, root)| path.starts_with(root));
        // Of equals the last would be taken: it is the workspace.
        around.rev().max_by_key(|(_, root)| root.components().count()).map(|(area, _)| *area)
    }

    /// Finds out what is at the path that a text names.
    fn look(&self, text: &str) -> Found {
        let path = self.localised(text);
        self.area(&path).map_or(Found::Outside(None), |area| self.look_in(area, &path))
    }

    /// Finds out what is at a path that is written in this directory.
    fn look_in(&self, area: Area, path: &Path) -> Found {
        let roots: Vec<&PathBuf> =
            self.roots.iter().filter(|(other, _)| *other == area).map(|(_, root)| root).collect();
        let found = look(path, &roots);
        match &found {
            // Where the other directory lies in this one, being in this one is not enough.
            Found::File(real) | Found::Directory(real) if self.area(real) != Some(area) => {
                Found::Outside(Some(real.clone()))
            }
            Found::Special => match fs::canonicalize(path) {
                Ok(real) if self.area(&real) != Some(area) => Found::Outside(Some(real)),
                _ => found,
            },
            _ => found,
        }
    }

    /// The fault of a path at which nothing can be used, by what was found there.
    fn missing(&self, input: &str, text: &str, found: Found) -> InputFault {
        match found {
            Found::Outside(Some(target)) => {
                let area = self.area(&self.localised(text)).unwrap_or(Area::Workspace);
                misled(input, &shown(text), area.name(), &target, self.paths)
            }
            Found::Outside(None) => fault(input, text, "leads out of the workspace and of `RUNNER_TEMP`")
                .hint("a container action sees no other directories of the runner"),
            Found::Unreadable(error) => fault(input, text, &format!("cannot be read: {error}")),
            _ if text.starts_with('~') => fault(input, text, "does not exist")
                .hint("`~` is not replaced; write the path from the workspace"),
            _ => {
                let near = missing_hint(&self.workspace, &[self.localised(text)], Wanted::File);
                let fault = fault(input, text, "does not exist");
                fault.hint("a path from the workspace, or in `${{ runner.temp }}`").hinted(near)
            }
        }
    }
}

fn fault(input: &str, text: &str, what: &str) -> InputFault {
    InputFault::new(input, format!("`{}` {what}", shown(text)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    const LOGINS: &str = r#"{"auths": {"ghcr.io": {"auth": "aHVudGVyMg=="}}}"#;

    /// A checkout beside what other steps have left in `RUNNER_TEMP`, or around it.
    fn job(temp: &str) -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(root.path()).unwrap();
        let (workspace, temp) = (base.join("workspace"), base.join(temp));
        fs::create_dir_all(workspace.join("sub")).unwrap();
        fs::create_dir_all(workspace.join(".git/modules/lib")).unwrap();
        fs::create_dir_all(temp.join("docker")).unwrap();
        fs::write(temp.join("docker/config.json"), LOGINS).unwrap();
        fs::write(workspace.join(".git/config"), "[http]\n").unwrap();
        fs::write(workspace.join("plain"), "plain").unwrap();
        let logins = temp.join("docker/config.json");
        for (name, target) in [
            (".npmrc", logins.as_path()),
            ("sub/deep", Path::new("../.npmrc")),
            ("temp", &temp),
            ("near", Path::new("plain")),
            ("token", Path::new(".git/config")),
            ("agent", &temp.join("agent.sock")),
        ] {
            symlink(target, workspace.join(name)).unwrap();
        }
        symlink("docker/config.json", temp.join("near")).unwrap();
        symlink(workspace.join("plain"), temp.join("far")).unwrap();
        let paths = Paths {
            workspace,
            temp,
            host_workspace: Some("/home/runner/work/shop/shop".into()),
            host_temp: Some("/home/runner/work/_temp".into()),
            ..Paths::default()
        };
        (root, paths)
    }

    #[test]
    fn no_link_leads_from_the_checkout_to_what_other_steps_keep() {
        let out = "leads out of the workspace by a link, to `${{ runner.temp }}";
        for temp in ["_temp", "workspace/_temp"] {
            let (_root, paths) = job(temp);
            let shared = Shared::new(&paths);
            let written = paths.temp.join("docker/config.json").display().to_string();
            for (text, expected) in [
                ("plain", Ok("plain")),
                ("near", Ok("plain")),
                ("sub/../near", Ok("plain")),
                (written.as_str(), Ok(LOGINS)),
                ("/home/runner/work/_temp/docker/config.json", Ok(LOGINS)),
                ("/home/runner/work/_temp/near", Ok(LOGINS)),
                // At its word, as buildx takes it: the link is none of this path.
                ("temp/../plain", Ok("plain")),
                (".git/config", Ok("[http]\n")),
                (".npmrc", Err((out, "/docker/config.json`"))),
                ("sub/deep", Err((out, "/docker/config.json`"))),
                ("temp/docker/config.json", Err((out, "/docker/config.json`"))),
                ("/home/runner/work/shop/shop/.npmrc", Err((out, "/docker/config.json`"))),
                (
                    "/home/runner/work/_temp/far",
                    Err(("leads out of `RUNNER_TEMP` by a link, to `plain", "`")),
                ),
                ("token", Err(("leads by a link into a Git directory, to `.git", "/config`"))),
            ] {
                let read = shared.text("secret_files", text);
                match expected {
                    Ok(content) => assert_eq!(read, Ok(content.to_owned()), "{text}"),
                    Err((start, end)) => {
                        let fault = read.unwrap_err();
                        assert_eq!(fault.message, format!("`{text}` {start}{end}"), "{fault}");
                        assert_eq!(fault.input, "secret_files");
                    }
                }
            }
            let fault = shared.destination("cache_from", "temp/cache").unwrap_err();
            assert_eq!(fault.message, format!("`temp/cache` {out}`"));
            assert_eq!(shared.destination("cache_to", "sub/cache"), Ok(paths.workspace.join("sub/cache")));
        }
    }

    #[test]
    fn no_link_of_the_checkout_chooses_an_agent() {
        let (_root, paths) = job("_temp");
        let _agent = UnixListener::bind(paths.temp.join("agent.sock")).unwrap();
        let shared = Shared::new(&paths);
        let fault = shared.socket("ssh", "agent").unwrap_err();
        assert!(fault.message.contains("leads out of the workspace by a link"), "{fault}");
        let named = "/home/runner/work/_temp/agent.sock";
        assert_eq!(shared.socket("ssh", named), Ok(Some(paths.temp.join("agent.sock"))));
    }
}
