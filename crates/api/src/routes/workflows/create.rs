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
/// If another workflow has this name, appends a number to it, as in `Report (2)`. If the definition is missing
/// or has no nodes, saves a default definition: an input node and, if its `spur_type` is `chatbot`, an output
/// node. Rejects invalid definitions. Accepts incomplete definitions, for example without links.
#[utoipa::path(
    post, path = "/wf/", tag = "workflows", operation_id = "createWorkflow",
    request_body(content = WorkflowCreateRequest, description = "The workflow.", example = json!(examples::create())),
    responses(
        (status = 200, description = "The saved workflow.", 
            headers(("ETag" = String, description = "Entity tag of the returned state.")),
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
