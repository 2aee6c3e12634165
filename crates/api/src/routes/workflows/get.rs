//! `GET /wf/{workflow_id}/`

use axum::extract::State;
use axum::response::Response;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{IfNoneMatchProblems, ServerProblems, WorkflowMissing};
use crate::extract::etag::IfNoneMatch;
use crate::extract::path::WorkflowId;
use crate::openapi::examples;
use crate::routes::workflows::Workflow;
use crate::state::AppState;

/// Get a workflow.
///
/// Returns each `config` as it was saved with the latest version, including unknown fields and the order of keys.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/", tag = "workflows", operation_id = "getWorkflow",
    params(
        WorkflowId,
        IfNoneMatch,
    ),
    responses(
        (status = 304, description = "The client's copy is current."),
        (status = 200, description = "The workflow.", 
            headers(("ETag" = String, description = "Entity tag of the returned state.")),
            body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, IfNoneMatchProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_get(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    if_none_match: IfNoneMatch,
) -> Result<Response, Problem> {
    let row = state.db.workflow_get(id).await?.ok_or_else(|| Resource::Workflow.not_found())?;
    Ok(Workflow::with_etag(row)?.unless_match(&if_none_match))
}
