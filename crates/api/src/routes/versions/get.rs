//! `GET /wf/{workflow_id}/versions/{version}/`

use axum::extract::State;
use axum::response::Response;

use crate::error::Problem;
use crate::error::responses::{IfNoneMatchProblems, ServerProblems, VersionMissing};
use crate::extract::etag::{IfNoneMatch, WithETag};
use crate::extract::path::{VersionPin, WorkflowId};
use crate::openapi::examples;
use crate::routes::versions::{WorkflowVersion, pinned_version};
use crate::state::AppState;

/// Get a version.
///
/// Returns the version with its definition.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/versions/{version}/", tag = "versions", operation_id = "getVersion",
    params(
        WorkflowId,
        VersionPin,
        IfNoneMatch,
    ),
    responses(
        (status = 200, description = "The version.", 
            headers(("ETag" = String, description = "Entity tag of the returned state.")),
            body = WorkflowVersion, example = json!(examples::version())),
        (status = 304, description = "The client's copy is current."),
        VersionMissing, IfNoneMatchProblems, ServerProblems,
    )
)]
pub(crate) async fn version_get(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    VersionPin(pin): VersionPin,
    if_none_match: IfNoneMatch,
) -> Result<Response, Problem> {
    let row = pinned_version(&state, id, &pin).await?;
    Ok(WithETag::new(row.etag(), WorkflowVersion::try_from(row)?).unless_match(&if_none_match))
}
