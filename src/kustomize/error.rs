//! Why a file was not edited.

use crate::model::text;

/// A file that was left as it is, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}`{}: {why}", text::value(.path), .line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct EditError {
    /// The file, as it was asked for.
    pub path: String,
    /// The line, where one can be named; counted from one.
    pub line: Option<usize>,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Bytes that are no text.
    #[error("the file is not UTF-8")]
    NotUtf8,
    /// A parser of YAML does not read it; what it said.
    #[error("the file is not YAML: {0}")]
    Broken(String),
    /// A key that stands twice in one mapping.
    #[error("the key `{}` appears twice", text::name(.0))]
    DuplicateKey(String),
    /// A key that is written with `?`.
    #[error("a key that begins with `?` cannot be edited")]
    ExplicitKey,
    /// YAML, but of a form that is not known here.
    #[error("this line is written in a way that cannot be edited")]
    Unreadable,
    /// A kustomization in several documents.
    #[error("the file has to be one document, and here a second one begins")]
    SeveralDocuments,
    /// A file that holds no keys.
    #[error("the file has no keys and values at its top level")]
    NoMapping,
    /// A key whose value is no list.
    #[error("`{0}` is not a list")]
    NoList(String),
    /// An entry of `images` that is no mapping.
    #[error("this entry of `images` has no keys")]
    NoEntry,
    /// Two entries of one name.
    #[error("the image `{}` appears twice: here, and at line {first}", text::name(.name))]
    TwoEntries {
        /// The name.
        name: String,
        /// Where the first one is.
        first: usize,
    },
    /// Another entry applies to the image as well.
    #[error("the entry `{}` applies to what `{}` becomes, so that the image would not be the one that is set", text::name(.by), text::name(.name))]
    Overridden {
        /// The image.
        name: String,
        /// The other entry's name.
        by: String,
    },
    /// What is written by an alias or a merge key, and so somewhere else.
    #[error("{what} comes from an anchor elsewhere in the file (`*…` or `<<`)")]
    Elsewhere {
        /// What does.
        what: String,
    },
    /// A value that takes several lines, or is no text.
    #[error("the value of `{}` is not a text on one line", text::name(.0))]
    NotOneLine(String),
    /// No image of this repository in a manifest.
    #[error("no `image:` of the repository `{0}` is in the file")]
    NoImage(String),
    /// A path of keys that leads nowhere.
    #[error("`{path}` is not in the file: there is no `{}`", text::name(.missing))]
    NoPath {
        /// The path, as it was asked for.
        path: String,
        /// The first key that is not there.
        missing: String,
    },
    /// An edit that would have changed more than the image.
    #[error("the edit would change more than the image: {0}")]
    More(String),
}

impl EditError {
    /// What to change, where that can be said.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self.why {
            Why::NotUtf8 => "save the file as UTF-8",
            Why::Broken(_) => return None,
            Why::DuplicateKey(_) => "keep one of them: readers of YAML differ in which one counts",
            Why::ExplicitKey => "write the key as `key: value`",
            Why::Unreadable => "write it as `key: value` and `- item` lines, or name another file",
            Why::SeveralDocuments => {
                "kustomize and Helm read the first document only: split the file at its `---`"
            }
            Why::NoMapping => "name a file whose top level is `key: value` lines",
            Why::NoList(_) => "write it as a list of `- name: …` entries",
            Why::NoEntry => "write it as `- name: …`, with `newName`, `newTag` and `digest` below",
            Why::TwoEntries { .. } => "keep one of them",
            Why::Overridden { .. } => {
                "kustomize applies the entries in their order, each to what those before it have made: take one of them out, or \
                 deploy to the other one"
            }
            Why::Elsewhere { .. } => "write its keys out where it is used",
            Why::NotOneLine(_) => "write the value on the line of its key, with or without quotes",
            Why::NoImage(_) => "name the file in which the image stands, or the repository that stands in it",
            Why::NoPath { .. } => "write the key into the file once, with any value",
            Why::More(_) => "write the image's value out there instead of sharing it by an anchor",
        })
    }
}
