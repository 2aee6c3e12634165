//! `POST /wf/`

use axum::extract::State;

use crate::change::ChangeContext;
use crate::error::Problem;
use crate::error::responses::{BodyProblems, DefinitionProblems, ServerProblems};
use crate::extract::etag::WithETag;
use crate::extract::json::Json;
use crate::openapi::examples;
use crate::routes::workflows::Workflow;
use crate::routes::workflows::request::WorkflowCreateRequest;
use crate::state::AppState;

/// Create a workflow.
///
/// If the name is already in use, a suffix makes it unique. If the definition is missing or has no nodes, the default
/// definition of its `spur_type` is used. An invalid definition is rejected. An unfinished one, such as one with
/// unconnected nodes, is saved.
#[utoipa::path(
    post, path = "/wf/", tag = "workflows", operation_id = "createWorkflow",
    request_body(content = WorkflowCreateRequest, description = "The workflow.", example = json!(examples::create())),
    responses(
        (status = 200, description = "The saved workflow.", 
            headers(("ETag" = String, description = "The entity tag of this state of the resource.")),
            body = Workflow, example = json!(examples::workflow())),
        BodyProblems, DefinitionProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_create(
    State(state): State<AppState>,
    change: ChangeContext,
    Json(request): Json<WorkflowCreateRequest>,
) -> Result<WithETag<Workflow>, Problem> {
    let new = request.into_new_workflow(state.settings.kinds()).await?;
    Workflow::with_etag(state.db.workflow_create(new, Some(change.origin())).await?)
}
