//! `DELETE /wf/{workflow_id}/`

use axum::extract::State;
use axum::http::StatusCode;
use sluice_engine::{EngineError, RunStore as _, StoreError, UnfinishedRun};
use sluice_persistence::WriteError;

use crate::change::ChangeContext;
use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{PreconditionProblems, ServerProblems, WorkflowMissing};
use crate::extract::etag::Preconditions;
use crate::extract::path::WorkflowId;
use crate::state::AppState;
use crate::uploads::cleanup;

/// Delete a workflow.
///
/// Cancels unfinished runs first. Then deletes the workflow with its versions, runs, pauses and files. If
/// that fails, nothing is deleted, but the runs remain canceled.
#[utoipa::path(
    delete, path = "/wf/{workflow_id}/", tag = "workflows", operation_id = "deleteWorkflow",
    params(
        WorkflowId,
        Preconditions,
    ),
    responses(
        (status = 204, description = "The workflow is deleted."),
        WorkflowMissing, PreconditionProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_delete(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    preconditions: Preconditions,
    change: ChangeContext,
) -> Result<StatusCode, Problem> {
    // The deletion checks the precondition again. This check is made before any run is canceled.
    if let Some(precondition) = &preconditions.save_options.precondition {
        let row = state.db.workflow_get(id).await?.ok_or_else(|| Resource::Workflow.not_found())?;
        if !precondition.is_met(&row) {
            return Err(preconditions
                .explain(&state, id, WriteError::PreconditionFailed(Box::new(row)))
                .await);
        }
    }
    for UnfinishedRun { id: run, batch_row } in state.db.unfinished_runs(id).await? {
        // Rows have no separate audit entry, because their batch cancels them.
        let origin = batch_row.is_none().then(|| change.origin());
        match state.engine.run_cancel(run, origin).await {
            // A run that ended or was deleted meanwhile does not have to be canceled. If the database is full, the run
            // is deleted without being canceled.
            Ok(_) | Err(EngineError::NotFound | EngineError::Rejected(_)) => {}
            Err(EngineError::Store(StoreError::Full(_))) => {}
            Err(error) => return Err(Resource::Run.engine_problem(error)),
        }
    }
    cleanup::mark_for_deletion(&state.settings.data_dir, id).await?;
    let result =
        state.db.workflow_delete(id, preconditions.save_options.clone(), Some(change.origin())).await;
    if matches!(result, Ok(()) | Err(WriteError::NotFound)) {
        cleanup::remove_folders(&state.settings.data_dir, id).await;
    }
    match result {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(preconditions.explain(&state, id, error).await),
    }
}
