//! `POST /wf/{workflow_id}/run_partial/`

use axum::Json as JsonResponse;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use sluice_engine::PartialRun;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{BodyProblems, PartialProblems, ServerProblems, VersionMissing};
use crate::extract::for_resource::ForWorkflow;
use crate::extract::json::Json;
use crate::extract::path::WorkflowId;
use crate::extract::pin::PinQuery;
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::openapi::value_types::FieldsByNode;
use crate::routes::runs::start_request::ObjectMap;
use crate::routes::versions::pinned_version_id;
use crate::state::AppState;

/// A node to run, with its inputs.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct PartialRunRequest {
    /// Id of the node.
    node_id: String,
    /// If true, ignores `partial_outputs` and runs all nodes upstream of the node.
    #[serde(default)]
    #[schema(required = false, nullable = true, default = false)]
    rerun_predecessors: Option<bool>,
    /// {input node id: {field: value}}.
    #[serde(default)]
    #[schema(value_type = Option<FieldsByNode>, required = false, nullable = true)]
    initial_inputs: Option<ObjectMap>,
    /// {node id: output} of nodes upstream of the node.
    #[serde(default)]
    #[schema(value_type = Option<FieldsByNode>, required = false, nullable = true)]
    partial_outputs: Option<ObjectMap>,
}

/// Run a node and its predecessors.
///
/// First runs all nodes upstream of the node, except those with an output in `partial_outputs`. Does not
/// store a run.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/run_partial/", tag = "runs", operation_id = "runPartial",
    params(
        WorkflowId,
        PinQuery,
    ),
    request_body(content = PartialRunRequest, description = "The node and its inputs.", example = json!(examples::partial())),
    responses(
        (status = 200, description = "Outputs by node id, including those in `partial_outputs`.",
            body = FieldsByNode, example = json!(examples::partial_outputs())),
        VersionMissing, BodyProblems, PartialProblems, ServerProblems,
    )
)]
pub(crate) async fn run_partial(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(pin): Query<PinQuery>,
    ForWorkflow(Json(request)): ForWorkflow<Json<PartialRunRequest>>,
) -> Result<JsonResponse<Map<String, Value>>, Problem> {
    let version_id = pinned_version_id(&state, id, &pin.or_latest()).await?;
    let outputs =
        state.engine.run_partial(request.into_partial(id, version_id), state.settings.run_wait).await;
    outputs.map(JsonResponse).map_err(|error| Resource::Workflow.engine_problem(error))
}

impl PartialRunRequest {
    fn into_partial(self, workflow_id: Uuid, version_id: Uuid) -> PartialRun {
        let Self { node_id, rerun_predecessors, initial_inputs, partial_outputs } = self;
        PartialRun {
            workflow_id,
            version_id,
            node_id,
            rerun_predecessors: rerun_predecessors.unwrap_or_default(),
            inputs: initial_inputs.unwrap_or_default().into_map(),
            partial_outputs: partial_outputs.unwrap_or_default().into_map(),
        }
    }
}
