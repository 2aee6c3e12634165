//! `GET /wf/{workflow_id}/output_variables/`

use axum::Json as JsonResponse;
use axum::extract::State;
use serde::Serialize;
use sluice_domain::graph;
use sluice_domain::graph::Definition;
use utoipa::ToSchema;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{ServerProblems, WorkflowMissing};
use crate::extract::path::WorkflowId;
use crate::openapi::examples;
use crate::state::AppState;

/// An output variable of a leaf node.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutputVariable {
    /// Id of the leaf node.
    node_id: String,
    /// Name in the output of the node.
    variable_name: String,
    /// `{node_id}-{variable_name}`.
    prefixed_variable: String,
}

/// List output variables.
///
/// Returns one item per field in the `output_schema` of each leaf node, in node order. A leaf node has no outgoing
/// links.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/output_variables/", tag = "workflows", operation_id = "listOutputVariables",
    params(WorkflowId),
    responses(
        (status = 200, description = "The variables.", body = Vec<OutputVariable>, example = json!(examples::output_variables())),
        WorkflowMissing, ServerProblems,
    )
)]
pub(crate) async fn output_variable_list(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
) -> Result<JsonResponse<Vec<OutputVariable>>, Problem> {
    let row = state.db.workflow_get(id).await?.ok_or_else(|| Resource::Workflow.not_found())?;
    let definition: Definition = serde_json::from_str(&row.definition).map_err(Problem::internal)?;
    let rows = graph::output_variables(&definition).into_iter();
    Ok(JsonResponse(rows.map(OutputVariable::from).collect()))
}

impl From<graph::OutputVariable> for OutputVariable {
    fn from(variable: graph::OutputVariable) -> Self {
        let graph::OutputVariable { node_id, variable_name, prefixed_variable } = variable;
        Self { node_id, variable_name, prefixed_variable }
    }
}
