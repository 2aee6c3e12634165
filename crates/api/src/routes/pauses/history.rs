//! `GET /wf/pause_history/{run_id}/`

use axum::Json as JsonResponse;
use axum::extract::State;
use sluice_domain::run::RunState;

use crate::error::Problem;
use crate::error::responses::{RunMissing, ServerProblems};
use crate::extract::path::RunId;
use crate::openapi::examples;
use crate::routes::pauses::PauseHistory;
use crate::routes::runs::load_run;
use crate::state::AppState;

/// List the pauses of a run.
///
/// Open and decided pauses, newest first, with the person, time, action and comments of each decision.
#[utoipa::path(
    get, path = "/wf/pause_history/{run_id}/", tag = "pauses", operation_id = "listPauseHistory",
    params(RunId),
    responses(
        (status = 200, description = "The pauses.", body = Vec<PauseHistory>, example = json!([examples::pause(true)])),
        RunMissing, ServerProblems,
    )
)]
pub(crate) async fn pause_history(
    State(state): State<AppState>,
    RunId(id): RunId,
) -> Result<JsonResponse<Vec<PauseHistory>>, Problem> {
    let detail = load_run(&state, id).await?;
    let pauses = PauseHistory::of_run(id, &RunState::from_log(&detail.log));
    Ok(JsonResponse(pauses.into_iter().map(|(pause, _)| pause).collect()))
}
