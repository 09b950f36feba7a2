//! `grpc.health.v1.Health`: the daemon asks every five seconds whether we live, and kills the session
//! when we do not answer.

use bollard_buildkit_proto::health::HealthCheckResponse;
use bollard_buildkit_proto::health::health_check_response::ServingStatus;

use super::grpc::Status;

/// `Check`, for any service: a session serves all or nothing.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every service's methods")]
pub(super) fn check() -> Result<HealthCheckResponse, Status> {
    Ok(HealthCheckResponse { status: ServingStatus::Serving.into() })
}
