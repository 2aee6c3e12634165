//! Versions of workflows.

pub(crate) mod diff;
pub(crate) mod get;
pub(crate) mod graph;
pub(crate) mod list;
pub(crate) mod restore;

use serde::Serialize;
use serde_json::value::RawValue;
use sluice_domain::Definition;
use sluice_persistence::{Pin, VersionRow};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Problem;
use crate::error::convert::{Resource, label_not_found, version_not_found};
use crate::routes::stored_rows::stored_json;
use crate::state::AppState;
use crate::timestamp::Timestamp;

/// A version of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkflowVersion {
    /// Version number: 1, 2, … in order of creation.
    #[schema(minimum = 1)]
    version: i32,
    /// Name of the workflow when the version was created.
    name: String,
    /// Description of the workflow when the version was created.
    #[schema(required = true)]
    description: Option<String>,
    /// The definition.
    #[schema(value_type = Definition)]
    definition: Box<RawValue>,
    /// SHA-256 (hex) of the RFC 8785 canonical JSON of the definition, without fields that do not affect execution.
    #[schema(min_length = 64, max_length = 64)]
    definition_hash: String,
    /// Time at which the version was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last save that changed the layout (coordinates, dimensions, test inputs) of this version.
    /// Equal to `created_at` until then.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Note of the change that created the version: the header `X-Change-Note`, the note in an imported document, or a
    /// text such as `Restored from version 3.`
    #[schema(required = true)]
    note: Option<String>,
    /// Author: the name of the API key, or the author in an imported document. Null if unknown.
    #[schema(required = true)]
    created_by: Option<String>,
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
            note,
            created_by,
        } = row;
        let definition = stored_json(definition, "workflow_versions", id)?;
        let (created_at, updated_at) = (Timestamp(created_at), Timestamp(updated_at));
        Ok(Self {
            version,
            name,
            description,
            definition,
            definition_hash,
            created_at,
            updated_at,
            note,
            created_by,
        })
    }
}

/// Loads the version that `pin` selects.
pub(crate) async fn pinned_version(state: &AppState, id: Uuid, pin: &Pin) -> Result<VersionRow, Problem> {
    if let Some(version) = state.db.pinned_version(id, pin).await? {
        return Ok(version);
    }
    if *pin == Pin::Latest || state.db.latest_version_id(id).await?.is_none() {
        return Err(Resource::Workflow.not_found());
    }
    Err(match pin {
        Pin::Label(name) => label_not_found(name),
        Pin::Number(number) => version_not_found(*number),
        Pin::Latest => Resource::Workflow.not_found(),
    })
}

/// Returns the id of the latest version.
pub(crate) async fn latest_version_id(state: &AppState, workflow_id: Uuid) -> Result<Uuid, Problem> {
    state.db.latest_version_id(workflow_id).await?.ok_or_else(|| Resource::Workflow.not_found())
}

/// Returns the id of the version that `pin` selects.
pub(crate) async fn pinned_version_id(
    state: &AppState,
    workflow_id: Uuid,
    pin: &Pin,
) -> Result<Uuid, Problem> {
    match pin {
        Pin::Latest => latest_version_id(state, workflow_id).await,
        pin => pinned_version(state, workflow_id, pin).await.map(|version| version.id),
    }
}
