//! Labels: names such as `production` that stand for versions.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sluice_persistence::{LabelMoveRow, LabelRow};
use utoipa::ToSchema;
use validator::Validate;

use super::PageQuery;
use crate::access::Caller;
use crate::audit;
use crate::extract::{Json, LabelName, Query, WorkflowId};
use crate::once::{Once, kept};
use crate::problem::Problem;
use crate::refusal::{Resource, no_label};
use crate::responses::{
    BodyProblems, LabelMissing, NoEarlierVersion, NumberMissing, ServerProblems, TooManyLabels,
    WorkflowMissing,
};
use crate::time::Timestamp;
use crate::{AppState, examples};

/// A name that stands for a version of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Label {
    /// The name: a slug.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z][a-z0-9_-]*$")]
    label: String,
    /// The number of the version.
    #[schema(minimum = 1)]
    version: i32,
    /// Whether saving never moves it.
    protected: bool,
    /// When it was set first.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was moved or protected last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Where a label shall stand.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct LabelRequest {
    /// The number of the version.
    #[schema(minimum = 1, maximum = 2_147_483_647)]
    #[validate(range(min = 1))]
    version: i32,
    /// Whether saving never moves it from now on. Absent or null: as it is; of a new label, false.
    #[serde(default)]
    #[schema(required = false, nullable = true)]
    protected: Option<bool>,
}

/// That a label was set, moved or taken away.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LabelMove {
    /// Where it stood; null when it was new.
    #[schema(required = true)]
    from_version: Option<i32>,
    /// Where it stands since; null when it was taken away.
    #[schema(required = true)]
    to_version: Option<i32>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    moved_at: Timestamp,
    /// By whom; null when that isn't known.
    #[schema(required = true)]
    moved_by: Option<String>,
}

impl From<LabelRow> for Label {
    fn from(row: LabelRow) -> Self {
        let LabelRow { name, version, is_protected, created_at, updated_at } = row;
        let (created_at, updated_at) = (Timestamp(created_at), Timestamp(updated_at));
        Self { label: name, version, protected: is_protected, created_at, updated_at }
    }
}

impl From<LabelMoveRow> for LabelMove {
    fn from(row: LabelMoveRow) -> Self {
        let LabelMoveRow { from_version, to_version, moved_at, moved_by } = row;
        Self { from_version, to_version, moved_at: Timestamp(moved_at), moved_by }
    }
}

/// List the labels of a workflow.
///
/// By name.
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
) -> Result<Answer<Vec<Label>>, Problem> {
    let labels = state.db.labels(id).await?.ok_or_else(|| Resource::Workflow.missing())?;
    Ok(Answer(labels.into_iter().map(Label::from).collect()))
}

/// Set a label.
///
/// Lets the label stand for a version, whether it is new or stood elsewhere, also when it is protected. Runs that
/// have begun keep their version.
#[utoipa::path(
    put, path = "/wf/{workflow_id}/labels/{label}/", tag = "versions", operation_id = "setLabel",
    params(
        WorkflowId,
        LabelName,
    ),
    request_body(content = LabelRequest, description = "Where it shall stand.", example = json!(examples::label_request())),
    responses(
        (status = 200, description = "The label.", body = Label, example = json!(examples::label())),
        NumberMissing, BodyProblems, TooManyLabels, ServerProblems,
    )
)]
pub(crate) async fn label_set(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    LabelName(name): LabelName,
    caller: Caller,
    once: Once,
    Json(request): Json<LabelRequest>,
) -> Result<Answer<Label>, Problem> {
    let LabelRequest { version, protected } = request;
    let tell = once.tell(audit::label(id));
    let set = state.db.label_set(id, name, version, protected, (caller.into_name(), tell)).await;
    set.map(|row| Answer(row.into())).map_err(|error| Resource::Workflow.write(error))
}

/// Delete a label.
///
/// The version that it stood for stays, and so does the label's history.
#[utoipa::path(
    delete, path = "/wf/{workflow_id}/labels/{label}/", tag = "versions", operation_id = "deleteLabel",
    params(
        WorkflowId,
        LabelName,
    ),
    responses((status = 204, description = "The label is gone."), LabelMissing, ServerProblems)
)]
pub(crate) async fn label_delete(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    LabelName(name): LabelName,
    caller: Caller,
    once: Once,
) -> Result<StatusCode, Problem> {
    let tell = once.tell(audit::unlabeled(id));
    let deleted = state.db.label_delete(id, name, caller.into_name(), tell).await;
    deleted.map(|()| StatusCode::NO_CONTENT).map_err(|error| Resource::Workflow.write(error))
}

/// Roll a label back.
///
/// Moves the label to where it stood before its last move. Rolling back twice is back where it was.
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
    caller: Caller,
    once: Once,
) -> Result<Answer<Label>, Problem> {
    let keep = once.keep(audit::label(id), |moved| kept(&[], &Label::from(moved.label.clone())));
    let moved = state.db.label_rollback(id, name, caller.into_name(), keep).await;
    moved.map(|row| Answer(row.into())).map_err(|error| Resource::Workflow.write(error))
}

/// List the moves of a label.
///
/// The last first, also of a label that was deleted.
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
) -> Result<Answer<Vec<LabelMove>>, Problem> {
    let moves = state.db.label_moves(id, &name, page.into()).await?.ok_or_else(|| no_label(&name))?;
    Ok(Answer(moves.into_iter().map(LabelMove::from).collect()))
}
