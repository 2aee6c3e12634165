//! Liveness and readiness.

use axum::Json as JsonResponse;
use axum::extract::State;
use serde::Serialize;
use sluice_engine::StoreError;
use utoipa::ToSchema;

use crate::error::Problem;
use crate::error::responses::{HeaderProblems, ServerProblems};
use crate::state::AppState;

/// Result of a health check.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Status.
    status: HealthStatus,
}

/// Status of a health check.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HealthStatus {
    /// The check passed.
    Ok,
}

/// Check liveness.
///
/// Succeeds while the process can serve requests. It does not check the database, because a restart does not repair
/// an unavailable database.
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "getHealth",
    responses(
        (status = 200, description = "The check passed.", body = Health, example = json!({"status": "ok"})), HeaderProblems,
    )
)]
pub(crate) async fn health() -> JsonResponse<Health> {
    JsonResponse(Health { status: HealthStatus::Ok })
}

/// Check readiness.
///
/// Succeeds if the database is available. While it fails, a load balancer should send no requests here. If
/// the last write failed, the check also tests whether the database accepts writes.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "getReadiness",
    responses(
        (status = 200, description = "The check passed.", body = Health, example = json!({"status": "ok"})), HeaderProblems,
        ServerProblems,
    )
)]
pub(crate) async fn readiness(State(state): State<AppState>) -> Result<JsonResponse<Health>, Problem> {
    state.db.check_health().await.map_err(unready_problem)?;
    Ok(JsonResponse(Health { status: HealthStatus::Ok }))
}

/// Converts every error of the database to a 503.
fn unready_problem(error: StoreError) -> Problem {
    match error {
        StoreError::Full(_) => Problem::database_full(error),
        _ => Problem::database_unavailable(error),
    }
}
