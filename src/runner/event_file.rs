//! The file that holds the event payload. Its text is somebody else's: bounded before it is read.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

/// GitHub caps a webhook's payload at 25 MB; what is far beyond that is no payload.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Why there is no payload.
#[derive(Debug, thiserror::Error)]
pub enum EventFileError {
    /// The variable is not set.
    #[error("`GITHUB_EVENT_PATH` is not set, so this is not a step of a GitHub workflow")]
    NotSet,
    /// The file cannot be read, or is not UTF-8.
    #[error("the event payload `{path}` cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is too large.
    #[error("the event payload `{0}` has more than 64 MiB")]
    TooLarge(PathBuf),
}

/// The text of the file that `GITHUB_EVENT_PATH` names.
///
/// # Errors
/// The variable or the file is missing, the file is not UTF-8, or larger than 64 MiB.
pub fn read(variables: &BTreeMap<String, String>) -> Result<String, EventFileError> {
    let path = variables.get("GITHUB_EVENT_PATH").filter(|path| !path.is_empty());
    let path = PathBuf::from(path.ok_or(EventFileError::NotSet)?);
    let mut text = String::new();
    let file = std::fs::File::open(&path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
    match file {
        Ok(length) if length as u64 > LARGEST => Err(EventFileError::TooLarge(path)),
        Ok(_) => Ok(text),
        Err(source) => Err(EventFileError::Read { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("event.json");
        let variables = |path: &std::path::Path| {
            BTreeMap::from([("GITHUB_EVENT_PATH".to_owned(), path.display().to_string())])
        };
        std::fs::write(&path, "{}").unwrap();
        assert_eq!(read(&variables(&path)).unwrap(), "{}");
        std::fs::write(&path, b"{\xff}").unwrap();
        assert!(matches!(read(&variables(&path)), Err(EventFileError::Read { .. })));
        // Sparse: takes no room on the disk.
        std::fs::File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(matches!(read(&variables(&path)), Err(EventFileError::TooLarge(_))));
        assert!(matches!(read(&variables(directory.path())), Err(EventFileError::Read { .. })));
        assert!(matches!(read(&BTreeMap::new()), Err(EventFileError::NotSet)));
    }
}
