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
/// Makes the definition of the version the current one. This creates a new version unless the same definition is
/// already current. Earlier versions are kept.
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
            headers(("ETag" = String, description = "The entity tag of this state of the resource.")),
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
    let saving = SaveOptions { label: query.label, ..preconditions.saving.clone() };
    match state.db.version_restore(id, pin, saving, Some(change.origin())).await {
        Ok(row) => Workflow::with_etag(row),
        Err(error) => Err(preconditions.explain(&state, id, error).await),
    }
}
