//! BuildKit's exporters that send what they make to the client.

/// What an exporter makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExporterKind {
    /// The files of the result, in a directory.
    Local,
    /// The same in a tar archive.
    Tar,
    /// The image as an OCI layout.
    Oci,
    /// The image as Docker's archive.
    Docker,
}

impl ExporterKind {
    /// BuildKit's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Tar => "tar",
            Self::Oci => "oci",
            Self::Docker => "docker",
        }
    }

    /// Whether it holds an image, and not only its files.
    pub fn is_image(self) -> bool {
        matches!(self, Self::Oci | Self::Docker)
    }
}
