//! `PUT /wf/{workflow_id}/`

use axum::extract::State;
use sluice_persistence::SaveOptions;

use crate::change::ChangeContext;
use crate::error::responses::{
    BodyProblems, DefinitionProblems, PreconditionProblems, ReplaceProblems, ServerProblems, WorkflowMissing,
};
use crate::error::{Problem, ProblemKind};
use crate::extract::etag::{ChangeNote, Preconditions, WithETag};
use crate::extract::for_resource::{ForWorkflow, valid_or_not_found};
use crate::extract::json::Json;
use crate::extract::path::WorkflowId;
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::routes::workflows::request::{WorkflowCreateRequest, WorkflowReplaceRequest};
use crate::routes::workflows::{SaveQuery, Workflow, workflow_or_problem};
use crate::state::AppState;

/// Replace a workflow.
///
/// Replaces the name, the description, the definition and, if present, the tags. A change to the definition creates a
/// new version. Changes to only the name, description, tags or layout (coordinates, dimensions, test inputs) do not.
/// Existing runs keep their version.
#[utoipa::path(
    put, path = "/wf/{workflow_id}/", tag = "workflows", operation_id = "updateWorkflow",
    params(
        WorkflowId,
        Preconditions,
        ChangeNote,
        SaveQuery,
    ),
    request_body(content = WorkflowReplaceRequest, description = "The complete workflow.", example = json!(examples::create())),
    responses(
        (status = 200, description = "The saved workflow.", 
            headers(("ETag" = String, description = "Entity tag of the returned state.")),
            body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, BodyProblems, DefinitionProblems, ReplaceProblems, PreconditionProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_update(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(query): Query<SaveQuery>,
    preconditions: Preconditions,
    change: ChangeContext,
    ForWorkflow(Json(request)): ForWorkflow<Json<WorkflowReplaceRequest>>,
) -> Result<WithETag<Workflow>, Problem> {
    let workflow = match request.definition {
        None => Err(definition_missing()),
        Some(_) => WorkflowCreateRequest::from(request).into_new_workflow(state.settings.kinds()).await,
    };
    let workflow = valid_or_not_found(&state, id, workflow).await?;
    let save_options = SaveOptions { label: query.label, ..preconditions.save_options.clone() };
    let saved = state.db.workflow_update(id, workflow, save_options, Some(change.origin())).await;
    workflow_or_problem(&state, id, &preconditions, saved).await
}

fn definition_missing() -> Problem {
    let detail =
        "The definition is missing. Add it, or save the default one with PUT /wf/{workflow_id}/reset/.";
    Problem::new(ProblemKind::DefinitionMissing, detail)
}
