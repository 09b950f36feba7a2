//! The daemon's version, at the price of one cheap request.
//!
//! `/version` and `/info` make the daemon run other programs to ask for *their* versions, some 40 ms; every answer
//! of the API carries the daemon's own version in its `Server` header (`Docker/28.0.4 (linux)`), `/_ping` too.

use std::path::Path;
use std::time::Duration;

use http::header;

use super::request::get;
use crate::model::text;

/// The version is for people only: nobody waits long for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The version of the daemon behind this socket, `28.0.4`; `None` when it does not say.
pub async fn daemon_version(socket: &Path) -> Option<String> {
    let answer = tokio::time::timeout(PATIENCE, get(socket, "/_ping")).await.ok()?.ok()?;
    version_of(answer.headers().get(header::SERVER)?.to_str().ok()?)
}

fn version_of(server: &str) -> Option<String> {
    let version = server.strip_prefix("Docker/")?.split([' ', '(']).next()?;
    Some(text::line(version)).filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        for (server, version) in [
            ("Docker/28.0.4 (linux)", Some("28.0.4")),
            ("Docker/26.1.5+dfsg1 (linux)", Some("26.1.5+dfsg1")),
            ("Docker/dev", Some("dev")),
            ("Libpod/5.0.0 (linux)", None),
            ("Docker/", None),
            ("", None),
        ] {
            assert_eq!(version_of(server).as_deref(), version, "{server}");
        }
    }

    #[tokio::test]
    async fn no_daemon_no_version() {
        assert_eq!(daemon_version(Path::new("/nowhere/docker.sock")).await, None);
    }
}
