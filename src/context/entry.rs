//! What is said about one file of a context: fsutil's `Stat`, before it is put on the wire.
//!
//! The mode is Go's `os.FileMode`, not `st_mode`; owner and group are always 0, as every BuildKit client says; a socket is
//! announced as an empty regular file, because fsutil clears its bit. Extended attributes are part of a file's hash in BuildKit's
//! cache, so leaving them out would make every `COPY` differ from docker's.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{FileType, Stat, lgetxattr, llistxattr};
use rustix::io::Errno;

use super::git_directory::Carrier;

/// The type bits of Go's `os.FileMode`; none of them set means a regular file, whose content can be asked for.
const GO_TYPE: u32 = GO_DIRECTORY | GO_LINK | GO_DEVICE | GO_FIFO | GO_CHARACTER | GO_IRREGULAR;
const GO_DIRECTORY: u32 = 1 << 31;
const GO_LINK: u32 = 1 << 27;
const GO_DEVICE: u32 = 1 << 26;
const GO_FIFO: u32 = 1 << 25;
const GO_SETUID: u32 = 1 << 23;
const GO_SETGID: u32 = 1 << 22;
const GO_CHARACTER: u32 = 1 << 21;
const GO_STICKY: u32 = 1 << 20;
const GO_IRREGULAR: u32 = 1 << 19;

/// One entry of the context, borrowed from the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Relative to the context, with slashes; usually text.
    pub path: &'a [u8],
    /// Go's `os.FileMode`.
    pub mode: u32,
    /// Bytes; 0 for a directory.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub mtime: i64,
    /// Target of a symbolic link; for a further name of a file that was sent already, the first name.
    pub link: &'a [u8],
    /// Major number of a device.
    pub device_major: u32,
    /// Minor number of a device.
    pub device_minor: u32,
    /// Extended attributes, in the kernel's order.
    pub xattrs: &'a [(String, Vec<u8>)],
    /// How the file can hold a checkout's credentials: [`super::credentials`].
    pub carrier: Option<Carrier>,
}

impl Entry<'_> {
    /// Whether this is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & GO_DIRECTORY != 0
    }

    /// Whether the daemon may ask for the content of this entry.
    pub fn has_content(&self) -> bool {
        self.mode & GO_TYPE == 0
    }
}

/// `st_mode` as Go's `os.FileMode`, less the socket bit.
pub fn go_mode(mode: u32) -> u32 {
    let kind = match FileType::from_raw_mode(mode) {
        FileType::Directory => GO_DIRECTORY,
        FileType::Symlink => GO_LINK,
        FileType::BlockDevice => GO_DEVICE,
        FileType::CharacterDevice => GO_DEVICE | GO_CHARACTER,
        FileType::Fifo => GO_FIFO,
        _ => 0,
    };
    let special = [(0o4000, GO_SETUID), (0o2000, GO_SETGID), (0o1000, GO_STICKY)];
    let special = special.iter().filter(|(bit, _)| mode & bit != 0).fold(0, |sum, (_, go)| sum | go);
    kind | special | (mode & 0o777)
}

/// Modification time in nanoseconds, cut off at the ends of what 64 bits hold.
pub fn mtime(stat: &Stat) -> i64 {
    let nanoseconds = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// Size of a regular file or link in bytes.
pub fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// Reads extended attributes, remembering which file systems have none.
#[derive(Debug, Default)]
pub struct XattrReader {
    without: HashSet<u64>,
    names: Vec<u8>,
}

impl XattrReader {
    /// The attributes of the file at `path`, links not followed, put into `into`. Attributes whose value cannot be read are left
    /// out, as in fsutil.
    pub fn read(&mut self, path: &[u8], device: u64, into: &mut Vec<(String, Vec<u8>)>) -> Result<(), Errno> {
        into.clear();
        if self.without.contains(&device) {
            return Ok(());
        }
        let path = OsStr::from_bytes(path);
        self.names.resize(self.names.len().max(1024), 0);
        let length = loop {
            match llistxattr(path, self.names.as_mut_slice()) {
                Ok(length) => break length,
                Err(Errno::RANGE) if self.names.len() < 1 << 20 => self.names.resize(self.names.len() * 2, 0),
                // Gone since: if anybody asks for it, that is when to say so.
                Err(Errno::NOENT) => return Ok(()),
                Err(Errno::OPNOTSUPP) => {
                    self.without.insert(device);
                    return Ok(());
                }
                Err(fault) => return Err(fault),
            }
        };
        for name in self.names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
            // A protobuf string must be UTF-8; Apple's attributes are dropped by fsutil.
            let Ok(text) = std::str::from_utf8(name) else { continue };
            if text.starts_with("com.apple.") {
                continue;
            }
            let mut value = vec![0; 256];
            let read = loop {
                match lgetxattr(path, text, value.as_mut_slice()) {
                    Err(Errno::RANGE) if value.len() < 1 << 20 => value.resize(value.len() * 4, 0),
                    answer => break answer,
                }
            };
            if let Ok(length) = read {
                value.truncate(length);
                into.push((text.to_owned(), value));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_gos() {
        for (raw, go) in [
            (0o100_644, 0o644),
            (0o104_755, 0o755 | GO_SETUID),
            (0o102_755, 0o755 | GO_SETGID),
            (0o041_777, 0o777 | GO_DIRECTORY | GO_STICKY),
            (0o120_777, 0o777 | GO_LINK),
            (0o010_600, 0o600 | GO_FIFO),
            (0o060_660, 0o660 | GO_DEVICE),
            (0o020_666, 0o666 | GO_DEVICE | GO_CHARACTER),
            (0o140_755, 0o755),
        ] {
            assert_eq!(go_mode(raw), go, "{raw:o}");
        }
    }
}
