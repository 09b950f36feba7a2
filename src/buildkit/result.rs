//! What a build gave: the digest of what was exported.
//!
//! `SolveResponse` merges the answers of all exporters into one map, in which the last wins; the build
//! history keeps a descriptor per exporter. The history is asked first, the map is the fallback.

use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as proto;

use super::connection::Control;
use super::error::{BuildError, clean};
use crate::model::Digest;

/// The history is at hand when Solve has returned; a daemon without one must not hold us up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The digest of the first exporter's result: of the index, or of the one manifest.
pub(super) async fn exported_digest(
    control: Control,
    reference: &str,
    response: &proto::SolveResponse,
) -> Result<Digest, BuildError> {
    let recorded = tokio::time::timeout(PATIENCE, recorded_digest(control, reference)).await;
    let recorded = recorded.ok().flatten();
    let answered = response.exporter_response.get("containerimage.digest");
    if let (Some(recorded), Some(answered)) = (&recorded, answered)
        && recorded != answered
    {
        tracing::debug!(recorded, answered, "the history and the answer name different digests");
    }
    match recorded.as_ref().or(answered) {
        Some(text) => Digest::parse(text).map_err(|error| BuildError::Nonsense(error.to_string())),
        None => Err(BuildError::Nonsense("the build succeeded without a digest".into())),
    }
}

async fn recorded_digest(mut control: Control, reference: &str) -> Option<String> {
    let request = proto::BuildHistoryRequest {
        r#ref: reference.to_owned(),
        early_exit: true,
        ..proto::BuildHistoryRequest::default()
    };
    let mut events = match control.listen_build_history(request).await {
        Ok(events) => events.into_inner(),
        Err(status) => {
            tracing::debug!(message = %clean(status.message()), "the daemon has no build history");
            return None;
        }
    };
    while let Ok(Some(event)) = events.message().await {
        if let Some(record) = event.record
            && record.r#ref == reference
        {
            return first_result(record);
        }
    }
    None
}

fn first_result(record: proto::BuildHistoryRecord) -> Option<String> {
    let result = record.result?;
    let descriptor = result.results.get(&0).or(result.result_deprecated.as_ref())?;
    Some(descriptor.digest.clone()).filter(|digest| !digest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_exporter_counts() {
        let descriptor = |digest: &str| proto::Descriptor { digest: digest.into(), ..Default::default() };
        let record = |results: &[(i64, &str)], deprecated: Option<&str>| proto::BuildHistoryRecord {
            result: Some(proto::BuildResultInfo {
                results: results.iter().map(|(id, digest)| (*id, descriptor(digest))).collect(),
                result_deprecated: deprecated.map(descriptor),
                attestations: vec![],
            }),
            ..Default::default()
        };
        for (record, expected) in [
            (record(&[(1, "tar"), (0, "image")], None), Some("image")),
            (record(&[], Some("old")), Some("old")),
            (record(&[(1, "tar")], None), None),
            (record(&[(0, "")], None), None),
            (proto::BuildHistoryRecord::default(), None),
        ] {
            assert_eq!(first_result(record).as_deref(), expected);
        }
    }
}
