//! In place of what is generated, which would take the forms of an import for parts of one object.

use crate::models;
use serde::{Deserialize, Serialize};

/// A document, a workflow as it would be saved, or a definition alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ImportItem {
    WorkflowDocument(Box<models::WorkflowDocument>),
    WorkflowCreateRequest(Box<models::WorkflowCreateRequest>),
    WorkflowDefinition(Box<models::WorkflowDefinition>),
}
