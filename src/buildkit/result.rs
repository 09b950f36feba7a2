//! What a build gave: the digest of what was exported.
//!
//! `SolveResponse` has one map for all exporters, in which the last one wins. We ask for one exporter, so
//! the map is its own. With several, the daemon's build history (`ListenBuildHistory`) keeps a descriptor
//! for each, if the request lets the build be recorded.

use bollard_buildkit_proto::moby::buildkit::v1::SolveResponse;

use crate::model::Digest;

/// The digest of the index, or of the one manifest, that the exporter made; or what is wrong with the answer.
pub(super) fn exported_digest(response: &SolveResponse) -> Result<Digest, String> {
    match response.exporter_response.get("containerimage.digest") {
        Some(text) => Digest::parse(text).map_err(|error| error.to_string()),
        None => Err("the build succeeded without a digest".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let response =
            |key: &str, value: &str| SolveResponse { exporter_response: [(key.into(), value.into())].into() };
        assert_eq!(exported_digest(&response("containerimage.digest", empty)).unwrap(), Digest::of(b""));
        for broken in
            [response("containerimage.digest", "sha256:0"), response("containerimage.config.digest", empty)]
        {
            assert!(exported_digest(&broken).is_err());
        }
    }
}
