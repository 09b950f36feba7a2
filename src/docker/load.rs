//! An archive of an image, loaded into the daemon's store as it comes: `docker load`, without a file.

use std::io;
use std::time::Duration;

use bollard::query_parameters::ImportImageOptionsBuilder;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use super::connection::DaemonClient;
use super::error::DockerError;
use crate::model::text;

/// For the daemon to take all of an archive: it says nothing before.
const PATIENCE: Duration = Duration::from_hours(1);

/// Loads an archive. Where it ends with an error, so does this, and the daemon has nothing of it.
///
/// # Errors
/// The daemon's words.
pub async fn load_archive(
    daemon: &DaemonClient,
    archive: impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
) -> Result<(), DockerError> {
    let doing = "load the image";
    let options = ImportImageOptionsBuilder::default().quiet(true).build();
    let docker = daemon.docker.clone().with_timeout(PATIENCE);
    let mut said = std::pin::pin!(docker.import_image_stream(options, archive, None));
    while let Some(line) = said.next().await {
        let line = line.map_err(|error| DockerError::of(doing, &error))?;
        if let Some(error) = line.error_detail {
            let why = text::line(&error.message.unwrap_or_default());
            return Err(DockerError::Failed { doing: doing.into(), why });
        }
    }
    Ok(())
}
