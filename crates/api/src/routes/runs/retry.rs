//! `POST /run/{run_id}/retry/`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::change::ChangeContext;
use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{RunMissing, RunNotFailed, ServerProblems};
use crate::extract::path::RunId;
use crate::openapi::examples;
use crate::routes::runs::view::Run;
use crate::routes::runs::view_with_version;
use crate::state::AppState;

/// Retry a failed run.
///
/// Continues the same run. Failed nodes, and nodes canceled because of them, run again. Keeps all other outputs.
/// Returns immediately.
#[utoipa::path(
    post, path = "/run/{run_id}/retry/", tag = "runs", operation_id = "retryRun",
    params(RunId),
    responses(
        (status = 200, description = "The run, which continues in the background.", body = Run, example = json!(examples::retried_run())),
        RunMissing, RunNotFailed, ServerProblems,
    )
)]
pub(crate) async fn run_retry(
    State(state): State<AppState>,
    RunId(id): RunId,
    change: ChangeContext,
) -> Result<JsonResponse<Run>, Problem> {
    let snapshot = state
        .engine
        .run_retry(id, Some(change.origin()))
        .await
        .map_err(|error| Resource::Run.engine_problem(error))?;
    view_with_version(&state, &snapshot).await.map(JsonResponse)
}
