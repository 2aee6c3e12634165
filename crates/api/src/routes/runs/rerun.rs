//! `POST /run/{run_id}/rerun/`

use axum::Json as JsonResponse;
use axum::extract::State;
use serde::Deserialize;
use sluice_engine::Rerun;
use sluice_persistence::Pin;
use utoipa::ToSchema;
use validator::Validate;

use crate::change::ChangeContext;
use crate::error::convert::Resource;
use crate::error::responses::{BodyProblems, RerunProblems, RunMissing, ServerProblems, VersionMissing};
use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::extract::for_resource::ForRun;
use crate::extract::json::OptionalJson;
use crate::extract::path::RunId;
use crate::extract::pin::PinQuery;
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::openapi::value_types::FieldsByNode;
use crate::routes::runs::start_request::{ObjectMap, finish_start};
use crate::routes::runs::view::{Run, run_view};
use crate::routes::runs::{load_run, load_snapshot};
use crate::routes::versions::pinned_version;
use crate::state::AppState;
use crate::uploads::data_uri;

/// Options of a rerun.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct RerunRequest {
    /// Id of the node to start from. Nodes upstream of it keep their results from the original run, if they and all
    /// their predecessors succeeded. All other nodes run again. If absent, every node runs again.
    #[serde(default)]
    #[schema(required = false, nullable = true)]
    from_node: Option<String>,
    /// {input node id: {field: value}}: new inputs for these input nodes. The others keep the inputs of the original
    /// run.
    #[serde(default)]
    #[schema(value_type = Option<FieldsByNode>, required = false, nullable = true)]
    inputs: Option<ObjectMap>,
    /// Version number, as an alternative to `version` or `label` in the query. Default: the version of the
    /// original run.
    #[serde(default)]
    #[schema(required = false, nullable = true, minimum = 1, maximum = 2_147_483_647)]
    #[validate(range(min = 1))]
    version: Option<i32>,
}

/// Rerun a run.
///
/// Starts a new run with the inputs of this run. The `parent_run_id` of the new run is the id of this run.
/// With `from_node`, nodes upstream of that node keep their results from this run, if they and all their predecessors
/// succeeded. All other nodes run again. Returns immediately, like startRun.
#[utoipa::path(
    post, path = "/run/{run_id}/rerun/", tag = "runs", operation_id = "rerunRun",
    params(
        RunId,
        PinQuery,
    ),
    request_body(content = Option<RerunRequest>, description = "Options of the new run. Optional.",
        example = json!(examples::rerun())),
    responses(
        (status = 200, description = "The new run, pending.", body = Run, example = json!(examples::pending_run())),
        RunMissing, VersionMissing, BodyProblems, RerunProblems, ServerProblems,
    )
)]
pub(crate) async fn run_rerun(
    State(state): State<AppState>,
    RunId(run_id): RunId,
    Query(pin): Query<PinQuery>,
    change: ChangeContext,
    ForRun(OptionalJson(request)): ForRun<OptionalJson<RerunRequest>>,
) -> Result<JsonResponse<Run>, Problem> {
    let detail = load_run(&state, run_id).await?;
    let (original, run_version) = load_snapshot(&state, detail).await?;
    let workflow_id = original.record.workflow_id;
    let RerunRequest { from_node, inputs, version } = request;
    let pinned = match (version.map(Pin::Number), pin.0) {
        (Some(_), Some(_)) => return Err(version_conflict()),
        (None, None) => None,
        (Some(pin), None) | (None, Some(pin)) => Some(pinned_version(&state, workflow_id, &pin).await?),
    };
    let version_id = pinned.as_ref().map(|version| version.id);
    let version = pinned.unwrap_or(run_version);
    let inputs = inputs.unwrap_or_default().into_map();
    let inputs = data_uri::store_data_uris(&state.settings.data_dir, workflow_id, inputs).await?;
    let origin = Some(change.origin());
    let result = state.engine.run_rerun(Rerun { original, version_id, from_node, inputs, origin }).await;
    let snapshot = finish_start(&state, workflow_id, Resource::Run, result).await?;
    run_view(&snapshot, Some(version)).map(JsonResponse)
}

fn version_conflict() -> Problem {
    let detail = "The version is also in the query. Send it once.";
    Problem::invalid(ProblemKind::InvalidBody, vec![ProblemItem::new("/version", "conflict", detail)])
}
