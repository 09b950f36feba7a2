//! How a request names the directories that the content service serves.
//!
//! The daemon gets an id and never a path: paths have characters that no header and no image reference may
//! have, and are nobody's business. It makes the store's name from it: `oci:ID` for a named context
//! (BuildKit's `source/containerimage/ocilayout.go`), `local:ID` for a cache (`cache/remotecache/local`).
//!
//! - A named context [`NamedSource::OciLayout`](crate::model::NamedSource) is the frontend's attribute
//!   `context:NAME` = [`layout_reference`].
//! - A cache entry of the kind `local` has [`cache_id`] for its `src` or `dest`. Nobody needs to put it
//!   there: `build` turns such entries into what the daemon understands before it makes the request.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::model::Digest;

/// `oci-layout://ID@sha256:…`, as the frontend reads a named context.
pub(in crate::buildkit) fn layout_reference(directory: &Path, digest: &Digest) -> String {
    format!("oci-layout://{}@{digest}", layout_id(directory))
}

/// The id of an image layout: valid as the name in an image reference.
pub(in crate::buildkit) fn layout_id(directory: &Path) -> String {
    format!("layout-{}", short(directory))
}

/// The id of a cache directory.
pub(in crate::buildkit) fn cache_id(directory: &Path) -> String {
    format!("cache-{}", short(directory))
}

/// The same path has the same id in every build.
fn short(directory: &Path) -> String {
    let digest = Digest::of(directory.as_os_str().as_bytes()).to_string();
    digest.trim_start_matches("sha256:").chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_hold_no_path() {
        let digest = Digest::of(b"");
        let reference = layout_reference(Path::new("/w/Läyout dir"), &digest);
        assert_eq!(reference, format!("oci-layout://{}@{digest}", layout_id(Path::new("/w/Läyout dir"))));
        assert!(layout_id(Path::new("/w/a")).bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        assert_eq!(cache_id(Path::new("/w/a")), cache_id(Path::new("/w/a")));
        assert_ne!(cache_id(Path::new("/w/a")), cache_id(Path::new("/w/b")));
        assert_eq!(cache_id(Path::new("/w/a")).len(), "cache-".len() + 20);
    }
}
