//! A file that is put into a container of ours, as the tar archive that the daemon takes (POSIX ustar).

use crate::files::tar::{self, BLOCK, END, header};

/// The mode bits of what others may read.
const FILE: u32 = 0o644;
const DIRECTORY: u32 = 0o755;

/// `buildkit/buildkitd.toml`, to be unpacked in `/etc`.
pub(super) fn config(text: &str) -> Vec<u8> {
    let mut archive = header("buildkit/", DIRECTORY, 0, tar::DIRECTORY).to_vec();
    archive.extend(file("buildkit/buildkitd.toml", text));
    archive
}

/// One file and the end of the archive. `name`: at most 99 bytes.
pub(super) fn file(name: &str, text: &str) -> Vec<u8> {
    let mut archive = header(name, FILE, text.len() as u64, tar::FILE).to_vec();
    archive.extend(text.as_bytes());
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    archive.extend(END);
    archive
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// The system's tar reads it.
    #[test]
    fn tar_unpacks_it() {
        for text in ["debug = true\n".to_owned(), String::new(), "x".repeat(1024)] {
            let directory = tempfile::tempdir().unwrap();
            let mut tar = Command::new("tar")
                .args(["-x", "-p", "-C"])
                .arg(directory.path())
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            tar.stdin.take().unwrap().write_all(&config(&text)).unwrap();
            assert!(tar.wait().unwrap().success());
            let file = directory.path().join("buildkit/buildkitd.toml");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
            let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, FILE);
        }
    }
}
