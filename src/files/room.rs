//! How much room there is where something is to be written.

use std::path::Path;

use rustix::fs::statvfs;

/// The room in a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that anybody may still write.
    pub free: u64,
    /// All of its bytes.
    pub size: u64,
}

/// The room where this path is, or would be.
pub fn room(path: &Path) -> Option<Room> {
    let there = path.ancestors().find(|one| std::fs::symlink_metadata(one).is_ok())?;
    let found = statvfs(there).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(Room { free: bytes(found.f_bavail), size: bytes(found.f_blocks) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn also_where_nothing_is_yet() {
        let directory = tempfile::tempdir().unwrap();
        let found = room(&directory.path().join("new/deep/file")).unwrap();
        assert!(found.size > 0 && found.free <= found.size, "{found:?}");
        assert_eq!(room(directory.path()).unwrap().size, found.size);
        assert_eq!(room(Path::new("")), None);
    }
}
