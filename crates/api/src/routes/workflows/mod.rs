//! Workflows.

pub(crate) mod create;
pub(crate) mod definition;
pub(crate) mod delete;
pub(crate) mod duplicate;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod import_body;
pub(crate) mod list;
pub(crate) mod output_variables;
pub(crate) mod patch;
pub(crate) mod request;
pub(crate) mod reset;
pub(crate) mod update;

use serde::Serialize;
use serde_json::value::RawValue;
use sluice_domain::Definition;
use sluice_persistence::{WorkflowRow, WriteError};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::error::Problem;
use crate::extract::etag::{Preconditions, WithETag};
use crate::extract::query::{FromQuery, QueryReader};
use crate::routes::stored_rows::stored_json;
use crate::state::AppState;
use crate::timestamp::Timestamp;

/// Options of a save.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SaveQuery {
    /// Label to move to the saved version. Created if missing. If the label is protected, the request is
    /// rejected.
    #[param(required = false, min_length = 1, max_length = 64, pattern = "^[a-z][a-z0-9_-]*$")]
    pub(crate) label: Option<String>,
}

impl FromQuery for SaveQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self { label: reader.label("label") }
    }
}

/// A workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workflow {
    /// Id.
    id: Uuid,
    /// Name, unique on the server.
    name: String,
    /// Description.
    #[schema(required = true)]
    description: Option<String>,
    /// The definition.
    #[schema(value_type = Definition)]
    definition: Box<RawValue>,
    /// Creation time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last save.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Tags.
    tags: Vec<String>,
    /// Number of the latest version.
    #[schema(minimum = 1)]
    version: i32,
}

impl TryFrom<WorkflowRow> for Workflow {
    type Error = Problem;

    fn try_from(row: WorkflowRow) -> Result<Self, Problem> {
        let WorkflowRow { id, name, description, definition, created_at, updated_at, tags, version } = row;
        // Unreadable tags do not hide the workflow.
        let tags = serde_json::from_str(&tags).unwrap_or_default();
        let definition = stored_json(definition, "workflows", id)?;
        let (created_at, updated_at) = (Timestamp(created_at), Timestamp(updated_at));
        Ok(Self { id, name, description, definition, created_at, updated_at, tags, version })
    }
}

impl Workflow {
    /// Returns the workflow with its entity tag.
    pub(crate) fn with_etag(row: WorkflowRow) -> Result<WithETag<Self>, Problem> {
        let etag = row.etag();
        Ok(WithETag::new(etag, row.try_into()?))
    }
}

/// Returns the saved workflow, or the problem of a rejected save.
pub(crate) async fn workflow_or_problem(
    state: &AppState,
    id: Uuid,
    preconditions: &Preconditions,
    saved: Result<WorkflowRow, WriteError>,
) -> Result<WithETag<Workflow>, Problem> {
    match saved {
        Ok(row) => Workflow::with_etag(row),
        Err(error) => Err(preconditions.explain(state, id, error).await),
    }
}
