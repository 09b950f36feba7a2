//! What kind of trouble ended a run.

use super::RunError;
use crate::model::ErrorCode;
use crate::plan::PlanError;

impl RunError {
    /// What kinds of trouble it is: one, but where it is about several repositories.
    pub fn codes(&self) -> Vec<ErrorCode> {
        let Self::Each { errors, .. } = self else { return vec![self.code()] };
        let mut codes: Vec<_> = errors.iter().flat_map(|(_, error)| error.codes()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    fn code(&self) -> ErrorCode {
        match self {
            Self::Payload(_) | Self::Context(_) => ErrorCode::InvalidEvent,
            Self::Inputs(_) => ErrorCode::InvalidInput,
            Self::Address(_) | Self::Connect(_) => ErrorCode::NoDaemon,
            Self::Daemon(source) | Self::Builder { source, .. } => match source.code() {
                ErrorCode::BuildFailed => ErrorCode::DaemonFailed,
                code => code,
            },
            Self::Container(_) | Self::Fallen { .. } => ErrorCode::BuilderFailed,
            Self::Login(_) => ErrorCode::LoginFailed,
            Self::GitHub(_) => ErrorCode::GithubFailed,
            Self::Strategy(_) => ErrorCode::NoTags,
            Self::Plan(PlanError::Contradiction(_)) | Self::Contradiction(_) | Self::Bug(_) => ErrorCode::Bug,
            Self::Plan(_) => ErrorCode::Unsupported,
            Self::Docker(_) => ErrorCode::DaemonFailed,
            Self::Emulator(_) => ErrorCode::EmulatorFailed,
            Self::Build(source) | Self::Hinted { source, .. } => source.code(),
            Self::Refused { .. } => ErrorCode::RegistryDenied,
            Self::Unread { .. } => ErrorCode::BaseImageDenied,
            Self::Reach(_) => ErrorCode::RegistryUnavailable,
            Self::Registry(error) => error.code(),
            Self::VersionTaken(_) => ErrorCode::VersionTaken,
            Self::NoCandidate(_) => ErrorCode::NothingToPromote,
            Self::Given { .. } => ErrorCode::ImageNotTagged,
            Self::Findings { .. } => ErrorCode::CheckFailed,
            Self::NotVerified(_) => ErrorCode::VerifyFailed,
            Self::Unverifiable { .. } | Self::NotLoaded { .. } => ErrorCode::CannotRun,
            Self::NotWritten { .. } => ErrorCode::NotWritten,
            Self::Join(_) | Self::Legs(_) | Self::JoinLegs(_) => ErrorCode::CannotJoin,
            Self::Each { errors, .. } => {
                errors.first().map_or(ErrorCode::RegistryFailed, |(_, error)| error.code())
            }
            Self::Deploy { .. } => ErrorCode::DeployFailed,
            Self::Stopped(_) => ErrorCode::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever searches for a code finds it there, and finds nothing that no error says.
    #[test]
    fn the_page_of_troubleshooting_has_each_code_once() {
        let page = include_str!("../../docs/troubleshooting.md");
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(headings, codes);
    }
}
