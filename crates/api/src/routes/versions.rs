//! Versions: every saved change of what executes.

use axum::Json as Answer;
use axum::extract::State;
use serde::Serialize;
use serde_json::value::RawValue;
use sluice_persistence::VersionRow;
use utoipa::ToSchema;

use super::{PageQuery, readable, stored_json};
use crate::extract::{Query, WorkflowId};
use crate::problem::Problem;
use crate::refusal::Resource;
use crate::responses::{QueryProblems, ServerProblems, WorkflowMissing};
use crate::time::Timestamp;
use crate::{AppState, examples, schema};

/// A version of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkflowVersion {
    /// Its number: 1, 2, … in the order of saving.
    #[schema(minimum = 1)]
    version: i32,
    /// What the workflow was called.
    name: String,
    /// What the workflow was for.
    #[schema(required = true)]
    description: Option<String>,
    /// What the workflow did.
    #[schema(value_type = schema::WorkflowDefinition)]
    definition: Box<RawValue>,
    /// The SHA-256 (hex) of the RFC 8785 canonical JSON of the definition without what does not execute.
    #[schema(min_length = 64, max_length = 64)]
    definition_hash: String,
    /// When it was saved first.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its layout was saved last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl TryFrom<VersionRow> for WorkflowVersion {
    type Error = Problem;

    fn try_from(row: VersionRow) -> Result<Self, Problem> {
        let VersionRow {
            id,
            workflow_id: _,
            version,
            name,
            description,
            definition,
            definition_hash,
            created_at,
            updated_at,
        } = row;
        let definition = stored_json(definition, "workflow_versions", id)?;
        let (created_at, updated_at) = (Timestamp(created_at), Timestamp(updated_at));
        Ok(Self { version, name, description, definition, definition_hash, created_at, updated_at })
    }
}

/// List the versions of a workflow.
///
/// The highest number first.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/versions/", tag = "versions", operation_id = "listVersions",
    params(
        ("workflow_id" = String, Path, description = "The id of the workflow.", example = json!(examples::WORKFLOW_ID)),
        PageQuery,
    ),
    responses(
        (status = 200, description = "The versions of the page.", body = Vec<WorkflowVersion>, example = json!([examples::version()])),
        WorkflowMissing, QueryProblems, ServerProblems,
    )
)]
pub(crate) async fn version_list(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(page): Query<PageQuery>,
) -> Result<Answer<Vec<WorkflowVersion>>, Problem> {
    let rows = state.db.versions(id, page.into()).await?.ok_or_else(|| Resource::Workflow.missing())?;
    readable(rows.into_iter().map(WorkflowVersion::try_from)).map(Answer)
}
