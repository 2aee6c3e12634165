//! `PUT /wf/{workflow_id}/reset/`

use axum::extract::State;
use sluice_persistence::SaveOptions;

use crate::change::ChangeContext;
use crate::error::Problem;
use crate::error::responses::{LabelProtected, PreconditionProblems, ServerProblems, WorkflowMissing};
use crate::extract::etag::{ChangeNote, Preconditions, WithETag};
use crate::extract::path::WorkflowId;
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::routes::workflows::{SaveQuery, Workflow, workflow_or_problem};
use crate::state::AppState;

/// Reset a workflow.
///
/// Saves the default definition of the workflow's `spur_type`, as a new version if it differs. Keeps everything
/// else.
#[utoipa::path(
    put, path = "/wf/{workflow_id}/reset/", tag = "workflows", operation_id = "resetWorkflow",
    params(
        WorkflowId,
        Preconditions,
        ChangeNote,
        SaveQuery,
    ),
    responses(
        (status = 200, description = "The workflow with the default definition.", 
            headers(("ETag" = String, description = "Entity tag of the returned state.")),
            body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, PreconditionProblems, LabelProtected, ServerProblems,
    )
)]
pub(crate) async fn workflow_reset(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(query): Query<SaveQuery>,
    preconditions: Preconditions,
    change: ChangeContext,
) -> Result<WithETag<Workflow>, Problem> {
    let save_options = SaveOptions { label: query.label, ..preconditions.save_options.clone() };
    let saved = state.db.workflow_reset(id, save_options, Some(change.origin())).await;
    workflow_or_problem(&state, id, &preconditions, saved).await
}
