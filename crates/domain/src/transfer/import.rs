use serde::{Deserialize, Serialize};
use strum::EnumString;

/// Handling of existing workflows. `create`: imports everything as new workflows. `update`: updates existing workflows
/// and creates the others. `dry_run`: returns the response of `update` and changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(rename_all = "snake_case"))]
#[strum(serialize_all = "snake_case")]
pub enum ImportMode {
    /// Creates a new workflow from every document.
    Create,
    /// Updates the workflow with the id, or else the one with the name.
    Update,
    /// Plans an update.
    DryRun,
}

/// Effect of an import on a workflow. `create`: the workflow is new. `update`: the import changes an existing workflow.
/// `unchanged`: the existing workflow is identical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ImportAction {
    /// The workflow is new.
    Create,
    /// The import changes an existing workflow.
    Update,
    /// The existing workflow is identical.
    Unchanged,
}
