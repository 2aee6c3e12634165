//! `GET /run/{run_id}/`, also under `/run/{run_id}/status/`.

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::error::Problem;
use crate::error::responses::{RunMissing, ServerProblems};
use crate::extract::path::RunId;
use crate::openapi::examples;
use crate::routes::runs::view::Run;
use crate::routes::runs::{load_run, load_run_view};
use crate::state::AppState;

/// Get a run.
///
/// Includes its tasks, its outputs and its version.
#[utoipa::path(
    get, path = "/run/{run_id}/", tag = "runs", operation_id = "getRun",
    params(RunId),
    responses(
        (status = 200, description = "The run.", body = Run, example = json!(examples::completed_run())),
        RunMissing, ServerProblems,
    )
)]
pub(crate) async fn run_get(
    State(state): State<AppState>,
    RunId(id): RunId,
) -> Result<JsonResponse<Run>, Problem> {
    let detail = load_run(&state, id).await?;
    load_run_view(&state, detail).await.map(JsonResponse)
}

/// Get the status of a run.
///
/// Alias of getRun for clients that poll this path.
#[utoipa::path(
    get, path = "/run/{run_id}/status/", tag = "runs", operation_id = "getRunStatus",
    params(RunId),
    responses(
        (status = 200, description = "The run.", body = Run, example = json!(examples::paused_run())),
        RunMissing, ServerProblems,
    )
)]
pub(crate) async fn run_status(
    State(state): State<AppState>,
    RunId(id): RunId,
) -> Result<JsonResponse<Run>, Problem> {
    let detail = load_run(&state, id).await?;
    load_run_view(&state, detail).await.map(JsonResponse)
}
