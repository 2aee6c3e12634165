//! `POST /wf/cancel_workflow/{run_id}/`

use axum::Json as JsonResponse;
use axum::extract::State;

use crate::change::ChangeContext;
use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{CancelProblems, RunMissing, ServerProblems};
use crate::extract::path::RunId;
use crate::openapi::examples;
use crate::routes::runs::view::Run;
use crate::routes::runs::{add_batch_progress, view_with_version};
use crate::state::AppState;

/// Cancel a run.
///
/// A pending, running or paused run becomes `CANCELED`, and so do its unfinished tasks.
#[utoipa::path(
    post, path = "/wf/cancel_workflow/{run_id}/", tag = "runs", operation_id = "cancelRun",
    params(RunId),
    responses(
        (status = 200, description = "The canceled run.", body = Run, example = json!(examples::canceled_run())),
        RunMissing, CancelProblems, ServerProblems,
    )
)]
pub(crate) async fn run_cancel(
    State(state): State<AppState>,
    RunId(id): RunId,
    change: ChangeContext,
) -> Result<JsonResponse<Run>, Problem> {
    let snapshot = state
        .engine
        .run_cancel(id, Some(change.origin()))
        .await
        .map_err(|error| Resource::Run.engine_problem(error))?;
    let run = view_with_version(&state, &snapshot).await?;
    add_batch_progress(&state, &snapshot, run).await.map(JsonResponse)
}
