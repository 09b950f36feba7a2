//! What can be wrong with the sources of the input `ssh`.

use std::io;
use std::path::PathBuf;

use super::file::KeyFault;

/// Nobody who could sign.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// Nothing listens on the agent's socket.
    #[error("`ssh` of the id `{id}`: no agent answers on the socket `{path}` ({source})")]
    Agent {
        /// Its id.
        id: String,
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that cannot be read.
    #[error("`ssh` of the id `{id}`: the key file `{path}` cannot be read ({source})")]
    Unreadable {
        /// Its id.
        id: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file without a key that we could sign with.
    #[error("`ssh` of the id `{id}`: the key file `{path}` {fault}")]
    Key {
        /// Its id.
        id: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyFault,
    },
}

impl SshError {
    /// What to change.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Agent { .. } => {
                "start the agent in an earlier step; its socket must be in a directory that this container sees, \
                 such as the workspace or `${{ runner.temp }}`"
            }
            Self::Unreadable { .. } => "give a file of the workspace or of `${{ runner.temp }}`",
            Self::Key { fault, .. } => fault.hint(),
        }
    }
}

/// Every fault in one line.
pub fn joined(faults: &[SshError]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
