//! A file that is put into a container of ours, as the tar archive that the daemon takes (POSIX ustar).

/// The mode bits of what others may read.
const FILE: u32 = 0o644;
const DIRECTORY: u32 = 0o755;
const BLOCK: usize = 512;

/// `buildkit/buildkitd.toml`, to be unpacked in `/etc`.
pub(super) fn config(text: &str) -> Vec<u8> {
    let mut archive = header("buildkit/", DIRECTORY, 0, b'5').to_vec();
    archive.extend(file("buildkit/buildkitd.toml", text));
    archive
}

/// One file and the end of the archive. `name`: at most 99 bytes.
pub(super) fn file(name: &str, text: &str) -> Vec<u8> {
    let mut archive = header(name, FILE, text.len(), b'0').to_vec();
    archive.extend(text.as_bytes());
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

fn header(name: &str, mode: u32, size: usize, kind: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
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
