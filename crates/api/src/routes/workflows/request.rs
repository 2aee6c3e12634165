//! Request bodies that create or replace a workflow.

use serde::Deserialize;
use sluice_domain::graph::Definition;
use sluice_domain::naming;
use sluice_nodes::NodeKinds;
use sluice_persistence::NewWorkflow;
use utoipa::ToSchema;
use validator::Validate;

use crate::error::Problem;
use crate::patterns::no_control_characters;
use crate::routes::workflows::definition::validate_definition;

// The validator crate requires `u64`.
pub(super) const MAX_NAME_LENGTH: u64 = naming::MAX_NAME_LENGTH as u64;
const MAX_DESCRIPTION_LENGTH: u64 = naming::MAX_DESCRIPTION_LENGTH as u64;

/// A new workflow.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct WorkflowCreateRequest {
    /// Name. An empty name becomes `Untitled Workflow`.
    #[schema(max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    #[validate(length(max = MAX_NAME_LENGTH), custom(function = no_control_characters))]
    name: String,
    /// Description.
    #[serde(default)]
    #[schema(required = false, nullable = true, default = "", max_length = 65_536)]
    #[validate(length(max = MAX_DESCRIPTION_LENGTH))]
    description: Option<String>,
    /// The definition. If it has no nodes, the default definition of its `spur_type` is used. If it is missing, that of
    /// `workflow`.
    #[serde(default)]
    #[schema(value_type = Option<Definition>, required = false, nullable = true)]
    definition: Option<Definition>,
    /// Tags.
    #[serde(default)]
    #[schema(required = false, nullable = true, max_items = 50)]
    #[validate(custom(function = check_tags))]
    tags: Option<Vec<String>>,
}

/// The new state of a workflow.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct WorkflowReplaceRequest {
    /// Name. An empty name becomes `Untitled Workflow`.
    #[schema(max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    #[validate(length(max = MAX_NAME_LENGTH), custom(function = no_control_characters))]
    name: String,
    /// Description.
    #[serde(default)]
    #[schema(required = false, nullable = true, default = "", max_length = 65_536)]
    #[validate(length(max = MAX_DESCRIPTION_LENGTH))]
    description: Option<String>,
    /// The definition. If it has no nodes, the default definition of its `spur_type` is used.
    // Optional here, so that a missing definition is reported with its own problem, after that of a missing workflow.
    #[serde(default)]
    #[schema(value_type = Definition, required = true)]
    pub(super) definition: Option<Definition>,
    /// Tags. If absent or null, they are kept.
    #[serde(default)]
    #[schema(required = false, nullable = true, max_items = 50)]
    #[validate(custom(function = check_tags))]
    tags: Option<Vec<String>>,
}

impl From<WorkflowReplaceRequest> for WorkflowCreateRequest {
    fn from(request: WorkflowReplaceRequest) -> Self {
        let WorkflowReplaceRequest { name, description, definition, tags } = request;
        Self { name, description, definition, tags }
    }
}

/// Checks [`naming::TAGS_RULE`].
pub(crate) fn check_tags(tags: &[String]) -> Result<(), validator::ValidationError> {
    match naming::are_valid_tags(tags) {
        true => Ok(()),
        false => Err(validator::ValidationError::new("tags").with_message(naming::TAGS_RULE.as_str().into())),
    }
}

impl WorkflowCreateRequest {
    /// Returns the workflow to save, with a validated definition.
    pub(super) async fn into_new_workflow(self, kinds: NodeKinds) -> Result<NewWorkflow, Problem> {
        let Self { name, description, definition, tags } = self;
        let name = if name.trim().is_empty() { naming::UNTITLED.to_owned() } else { name };
        let definition = validate_definition(definition.unwrap_or_default(), kinds).await?;
        Ok(NewWorkflow { name, description: Some(description.unwrap_or_default()), definition, tags })
    }
}
