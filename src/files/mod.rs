//! Files that a run writes into the workspace: archives of images, and what is exported.
//!
//! Owns how such a file comes into being: whole or not at all (`new_file`, `directory`), under
//! which name until then and what becomes of it where a run is killed (`for_now`, `left`), owned as what is around it and reached through no
//! link (`owned`), with how much room there is (`room`), compressed by several threads as its bytes come (`parallel`, `block`, `gzip`, `zstd`); and what stands in an archive:
//! `tar` (POSIX ustar and what GNU and pax add for long files) and `layout` (the OCI image layout, with the `manifest.json` of
//! Docker's older format). Memory does not grow with what is written. It is synchronous and knows no daemon and no registry;
//! where a path may be is judged by `inputs`, what is written by the plan.

mod block;
mod directory;
mod for_now;
mod gzip;
pub mod layout;
mod left;
mod new_file;
pub mod owned;
mod parallel;
mod room;
pub mod tar;
mod zstd;

pub use directory::NewDirectory;
pub use layout::{Layout, Root};
pub use left::remove_left;
pub use new_file::{NewFile, Written};
pub use parallel::Compressed;
pub use room::{Room, room};

/// For tests: what a directory has, in order.
#[cfg(test)]
fn names_in(directory: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
