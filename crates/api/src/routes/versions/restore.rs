//! `POST /wf/{workflow_id}/versions/{version}/restore/`

use axum::extract::State;
use sluice_persistence::SaveOptions;

use crate::change::ChangeContext;
use crate::error::Problem;
use crate::error::responses::{LabelProtected, PreconditionProblems, ServerProblems, VersionMissing};
use crate::extract::etag::{ChangeNote, Preconditions, WithETag};
use crate::extract::path::{VersionPin, WorkflowId};
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::routes::workflows::{SaveQuery, Workflow};
use crate::state::AppState;

/// Restore a version.
///
/// Saves the definition of this version as a new version, unless it is already the current definition. Keeps all
/// versions.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/versions/{version}/restore/", tag = "versions", operation_id = "restoreVersion",
    params(
        WorkflowId,
        VersionPin,
        Preconditions,
        ChangeNote,
        SaveQuery,
    ),
    responses(
        (status = 200, description = "The workflow with the restored definition.", 
            headers(("ETag" = String, description = "Entity tag of the returned state.")),
            body = Workflow, example = json!(examples::workflow())),
        VersionMissing, PreconditionProblems, LabelProtected, ServerProblems,
    )
)]
pub(crate) async fn version_restore(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    VersionPin(pin): VersionPin,
    Query(query): Query<SaveQuery>,
    preconditions: Preconditions,
    change: ChangeContext,
) -> Result<WithETag<Workflow>, Problem> {
    let save_options = SaveOptions { label: query.label, ..preconditions.save_options.clone() };
    match state.db.version_restore(id, pin, save_options, Some(change.origin())).await {
        Ok(row) => Workflow::with_etag(row),
        Err(error) => Err(preconditions.explain(&state, id, error).await),
    }
}
