//! `POST /wf/{workflow_id}/duplicate/`

use axum::extract::State;

use crate::change::ChangeContext;
use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{ServerProblems, VersionMissing};
use crate::extract::etag::WithETag;
use crate::extract::path::WorkflowId;
use crate::extract::pin::PinQuery;
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::routes::workflows::Workflow;
use crate::state::AppState;

/// Copy a workflow.
///
/// Names the copy `{name} (Copy)`, with a number if that name is in use. Copies the description, the tags, and the
/// definition of the latest or the given version. Does not copy versions, runs or files.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/duplicate/", tag = "workflows", operation_id = "duplicateWorkflow",
    params(
        WorkflowId,
        PinQuery,
    ),
    responses(
        (status = 200, description = "The copy.", 
            headers(("ETag" = String, description = "Entity tag of the returned state.")),
            body = Workflow, example = json!(examples::workflow())),
        VersionMissing, ServerProblems,
    )
)]
pub(crate) async fn workflow_duplicate(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(pin): Query<PinQuery>,
    change: ChangeContext,
) -> Result<WithETag<Workflow>, Problem> {
    let copy = state.db.workflow_duplicate(id, pin.or_latest(), Some(change.origin())).await;
    Workflow::with_etag(copy.map_err(|error| Resource::Workflow.write_problem(error))?)
}
