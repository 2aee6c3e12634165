//! Labels: names such as `production` that point to versions.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sluice_persistence::{LabelMoveRow, LabelRow, NewLabel};
use utoipa::ToSchema;
use validator::Validate;

use crate::change::ChangeContext;
use crate::error::Problem;
use crate::error::convert::{Resource, label_not_found};
use crate::error::responses::{
    BodyProblems, LabelMissing, NoEarlierVersion, ServerProblems, TooManyLabels, VersionNumberMissing,
    WorkflowMissing,
};
use crate::extract::json::Json;
use crate::extract::page::PageQuery;
use crate::extract::path::{LabelName, WorkflowId};
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::state::AppState;
use crate::timestamp::Timestamp;

/// A label: a name for a version of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Label {
    /// The label.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z][a-z0-9_-]*$")]
    label: String,
    /// Number of the version that the label points to.
    #[schema(minimum = 1)]
    version: i32,
    /// If true, updateWorkflow, resetWorkflow and restoreVersion can't move the label with their parameter `label`.
    /// setLabel, rollbackLabel and deleteLabel are not restricted.
    protected: bool,
    /// Time at which the label was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last change.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// The version that a label points to, and its protection.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct LabelRequest {
    /// Number of the version that the label points to.
    #[schema(minimum = 1, maximum = 2_147_483_647)]
    #[validate(range(min = 1))]
    version: i32,
    /// If true, updateWorkflow, resetWorkflow and restoreVersion can't move the label with their parameter `label`.
    /// setLabel, rollbackLabel and deleteLabel are not restricted. If absent or null, the setting does not change. A
    /// new label is not protected by default.
    #[serde(default)]
    #[schema(required = false, nullable = true)]
    protected: Option<bool>,
}

/// A change of a label.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LabelMove {
    /// Previous version. Null if the label was new.
    #[schema(required = true)]
    from_version: Option<i32>,
    /// New version. Null if the label was deleted.
    #[schema(required = true)]
    to_version: Option<i32>,
    /// Time of the move.
    #[schema(value_type = String, format = DateTime)]
    moved_at: Timestamp,
    /// Name of the API key that moved the label. Null if the request had no API key.
    #[schema(required = true)]
    moved_by: Option<String>,
}

impl From<LabelRow> for Label {
    fn from(row: LabelRow) -> Self {
        let LabelRow { name, version, is_protected, created_at, updated_at, .. } = row;
        let (created_at, updated_at) = (Timestamp(created_at), Timestamp(updated_at));
        Self { label: name, version, protected: is_protected, created_at, updated_at }
    }
}

impl From<LabelMoveRow> for LabelMove {
    fn from(row: LabelMoveRow) -> Self {
        let LabelMoveRow { from_version, to_version, moved_at, moved_by, .. } = row;
        Self { from_version, to_version, moved_at: Timestamp(moved_at), moved_by }
    }
}

/// List the labels of a workflow.
///
/// Sorted by name.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/labels/", tag = "versions", operation_id = "listLabels",
    params(WorkflowId),
    responses(
        (status = 200, description = "The labels.", body = Vec<Label>, example = json!([examples::label()])),
        WorkflowMissing, ServerProblems,
    )
)]
pub(crate) async fn label_list(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
) -> Result<JsonResponse<Vec<Label>>, Problem> {
    let labels = state.db.label_list(id).await?.ok_or_else(|| Resource::Workflow.not_found())?;
    Ok(JsonResponse(labels.into_iter().map(Label::from).collect()))
}

/// Set a label.
///
/// Creates the label or moves it to another version, even if it is protected. Existing runs keep their version.
#[utoipa::path(
    put, path = "/wf/{workflow_id}/labels/{label}/", tag = "versions", operation_id = "setLabel",
    params(
        WorkflowId,
        LabelName,
    ),
    request_body(content = LabelRequest, description = "The version that the label points to, and its protection.",
        example = json!(examples::label_request())),
    responses(
        (status = 200, description = "The label.", body = Label, example = json!(examples::label())),
        VersionNumberMissing, BodyProblems, TooManyLabels, ServerProblems,
    )
)]
pub(crate) async fn label_set(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    LabelName(name): LabelName,
    change: ChangeContext,
    Json(request): Json<LabelRequest>,
) -> Result<JsonResponse<Label>, Problem> {
    let LabelRequest { version, protected } = request;
    let new = NewLabel { workflow_id: id, name, version, is_protected: protected };
    let set = state.db.label_set(new, Some(change.origin())).await;
    set.map(|row| JsonResponse(row.into())).map_err(|error| Resource::Workflow.write_problem(error))
}

/// Delete a label.
///
/// Keeps the version and the history of the label.
#[utoipa::path(
    delete, path = "/wf/{workflow_id}/labels/{label}/", tag = "versions", operation_id = "deleteLabel",
    params(
        WorkflowId,
        LabelName,
    ),
    responses((status = 204, description = "The label is deleted."), LabelMissing, ServerProblems)
)]
pub(crate) async fn label_delete(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    LabelName(name): LabelName,
    change: ChangeContext,
) -> Result<StatusCode, Problem> {
    let deleted = state.db.label_delete(id, name, Some(change.origin())).await;
    deleted.map(|()| StatusCode::NO_CONTENT).map_err(|error| Resource::Workflow.write_problem(error))
}

/// Roll back a label.
///
/// Moves the label to the version that it had before its last move. A second rollback undoes the first.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/labels/{label}/rollback/", tag = "versions", operation_id = "rollbackLabel",
    params(
        WorkflowId,
        LabelName,
    ),
    responses(
        (status = 200, description = "The label.", body = Label, example = json!(examples::label())),
        LabelMissing, NoEarlierVersion, ServerProblems,
    )
)]
pub(crate) async fn label_rollback(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    LabelName(name): LabelName,
    change: ChangeContext,
) -> Result<JsonResponse<Label>, Problem> {
    let moved = state.db.label_rollback(id, name, Some(change.origin())).await;
    moved.map(|row| JsonResponse(row.into())).map_err(|error| Resource::Workflow.write_problem(error))
}

/// List the moves of a label.
///
/// Latest first. Also returns the history of a deleted label.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/labels/{label}/history/", tag = "versions", operation_id = "listLabelMoves",
    params(
        WorkflowId,
        LabelName,
        PageQuery,
    ),
    responses(
        (status = 200, description = "The moves of the page.", body = Vec<LabelMove>, example = json!([examples::label_move()])),
        LabelMissing, ServerProblems,
    )
)]
pub(crate) async fn label_move_list(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    LabelName(name): LabelName,
    Query(page): Query<PageQuery>,
) -> Result<JsonResponse<Vec<LabelMove>>, Problem> {
    let moves =
        state.db.label_move_list(id, &name, page.into()).await?.ok_or_else(|| label_not_found(&name))?;
    Ok(JsonResponse(moves.into_iter().map(LabelMove::from).collect()))
}
