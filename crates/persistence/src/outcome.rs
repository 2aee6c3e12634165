//! Outcomes: the result of a change, stored for the idempotency key of its request.

use serde::{Deserialize, Serialize};
use sluice_domain::transfer::ImportAction;
use sluice_engine::RunOutcome;
use uuid::Uuid;

use crate::entity::{dataset, label, workflow};

/// The result of a change. Contains the complete rows, because a repeated request gets the original response even if
/// the rows have changed since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A run was started or changed.
    Run(RunOutcome),
    /// A workflow was saved.
    Workflow(workflow::Model),
    /// A label was set.
    Label(label::Model),
    /// A dataset was created.
    Dataset(dataset::Model),
    /// Workflows were imported, in the order of the import.
    Import(Vec<ImportedWorkflow>),
}

/// The result of an import for one workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedWorkflow {
    /// The effect of the import on the workflow.
    pub action: ImportAction,
    /// The id, or `None` in a plan that would create the workflow.
    pub id: Option<Uuid>,
    /// The name.
    pub name: String,
    /// The number of the latest version.
    pub version: i32,
    /// The definition that an update replaces, as JSON.
    pub replaced: Option<String>,
}
