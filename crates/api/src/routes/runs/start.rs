//! `POST /wf/{workflow_id}/start_run/`

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::change::ChangeContext;
use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{BodyProblems, ServerProblems, StartedRunMissing, VersionMissing};
use crate::extract::for_resource::ForWorkflow;
use crate::extract::json::OptionalJson;
use crate::extract::path::WorkflowId;
use crate::extract::pin::PinQuery;
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::routes::runs::run_and_wait::respond_with_run;
use crate::routes::runs::start_request::{StartCall, StartQuery, StartRunRequest, finish_start};
use crate::routes::runs::view::{Run, run_view};
use crate::routes::versions::pinned_version;
use crate::state::AppState;

/// Start a run.
///
/// Returns immediately, or after `wait_seconds`. The run continues in the background and survives a restart of the
/// server.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/start_run/", tag = "runs", operation_id = "startRun",
    params(
        WorkflowId,
        StartQuery, PinQuery,
    ),
    request_body(content = Option<StartRunRequest>, description = "The inputs of the run. Optional.",
        example = json!(examples::start())),
    responses(
        (status = 200, description = "Without `wait_seconds`: the pending run. With `wait_seconds`: the ended run.",
            body = Run, example = json!(examples::pending_run())),
        (status = 202, description = "The run is paused, or still running after `wait_seconds`.",
            headers(("Location" = String, description = "The URL of the run.")),
            body = Run, example = json!(examples::paused_run())),
        VersionMissing, StartedRunMissing, BodyProblems, ServerProblems,
    )
)]
pub(crate) async fn run_start(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query((query, pin)): Query<(StartQuery, PinQuery)>,
    change: ChangeContext,
    ForWorkflow(OptionalJson(request)): ForWorkflow<OptionalJson<StartRunRequest>>,
) -> Result<Response, Problem> {
    let call = StartCall { workflow_id: id, pin: pin.or_latest(), query, request };
    if call.query.wait_seconds.is_some() {
        return respond_with_run(state, call, change).await;
    }
    let version = pinned_version(&state, id, &call.pin).await?;
    let start = call.into_start_run(&state, version.id, change.origin()).await?;
    let result = state.engine.run_start(start).await;
    let snapshot = finish_start(&state, id, Resource::Workflow, result).await?;
    Ok(JsonResponse(run_view(&snapshot, Some(version))?).into_response())
}
