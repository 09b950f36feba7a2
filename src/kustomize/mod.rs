//! The files that say which image an environment runs, read and edited: text in, text out.
//!
//! Owns kustomizations (`document`, `edit`), plain manifests (`manifest`) and Helm values (`values`), which are one to others
//! (`kind`). An edit changes the bytes of the image and no others: comments, order, quotes, anchors, indentation, line ends,
//! a byte-order mark and the rest of the file stay as they are. So a file is never written from what was read of it; it is
//! scanned for where things stand (`scan`; `lines` tells other rooms), and some of its bytes are replaced (`source`). A
//! parser of YAML reads it before and after: the result must differ by the image alone, or there is none (`proof`).
//!
//! Obeys kustomize's `edit set image`; `edit` says where it differs, and why. Pure: refuses to know where a file comes from and
//! where it goes to. Hostile input is the norm here as well: whatever the bytes, the outcome is an edit, a file that is right
//! already, or an error with file, line and what is wrong.

mod addition;
mod chain;
mod document;
mod edit;
mod error;
mod files;
mod image;
mod kind;
mod lines;
mod manifest;
mod proof;
mod scalar;
mod scan;
mod source;
mod tree;
mod values;

pub use document::{ImageEntry, Kustomization};
pub use edit::edit;
pub use error::{EditError, Why};
pub use files::{FILE_NAMES, NoKustomization, kustomization_file};
pub use image::NewImage;
pub use kind::{FileKind, WrittenImage};
pub use lines::{EntryLines, lines_of_list};
pub use manifest::{edit_manifest, manifest_images};
pub use source::{Edited, SourceFile};
pub use values::{InvalidKeyPath, KeyPath, ValuesPaths, edit_values, value_at};
