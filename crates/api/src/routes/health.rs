//! Health: whether the server and its store answer.

use axum::Json as Answer;
use axum::extract::State;
use serde::Serialize;
use sluice_engine::StoreError;
use utoipa::ToSchema;

use crate::AppState;
use crate::problem::Problem;
use crate::responses::{HeadersRefused, ServerProblems};

/// Whether something answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// How it is.
    status: HealthStatus,
}

/// How something is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HealthStatus {
    /// It answers.
    Ok,
}

/// Whether the process answers.
///
/// Asks nothing else: a store that is away is no reason to start the process again.
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "getHealth",
    responses(
        (status = 200, description = "It does.", body = Health, example = json!({"status": "ok"})), HeadersRefused,
    )
)]
pub(crate) async fn health() -> Answer<Health> {
    Answer(Health { status: HealthStatus::Ok })
}

/// Whether the store answers.
///
/// Until it does, no call that needs it should come here. A store that could not be written is tried anew.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "getReadiness",
    responses(
        (status = 200, description = "It does.", body = Health, example = json!({"status": "ok"})), HeadersRefused,
        ServerProblems,
    )
)]
pub(crate) async fn readiness(State(state): State<AppState>) -> Result<Answer<Health>, Problem> {
    state.db.ping().await.map_err(unready)?;
    Ok(Answer(Health { status: HealthStatus::Ok }))
}

/// Whatever the store answers with, it is not ready.
fn unready(error: StoreError) -> Problem {
    match error {
        StoreError::Full(_) => Problem::store_full(error),
        _ => Problem::store_away(error),
    }
}
