//! Operations that start a run and wait for its end.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sluice_domain::run::RunStatus;
use sluice_engine::Snapshot;
use sluice_persistence::{Pin, VersionRow};

use crate::change::ChangeContext;
use crate::error::convert::Resource;
use crate::error::responses::{
    BodyProblems, FailedRunProblems, ServerProblems, StartedRunMissing, VersionMissing,
};
use crate::error::{Problem, ProblemKind};
use crate::extract::for_resource::ForWorkflow;
use crate::extract::json::OptionalJson;
use crate::extract::path::WorkflowId;
use crate::extract::pin::PinQuery;
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::openapi::value_types::FieldsByNode;
use crate::routes::runs::start_request::{StartCall, StartQuery, StartRunRequest, finish_start};
use crate::routes::runs::view;
use crate::routes::runs::view::{Run, run_view};
use crate::routes::runs::view_with_version;
use crate::routes::versions::{latest_version_id, pinned_version};
use crate::state::AppState;

/// A run after the wait, with its version if it was loaded.
struct WaitedRun {
    snapshot: Snapshot,
    version: Option<VersionRow>,
}

impl WaitedRun {
    async fn into_view(self, state: &AppState) -> Result<Run, Problem> {
        match self.version {
            Some(version) => run_view(&self.snapshot, Some(version)),
            None => view_with_version(state, &self.snapshot).await,
        }
    }
}

/// Starts a run and waits for it. Waits for the run of an earlier attempt of the same request if there is one.
async fn start_and_wait(
    state: &AppState,
    call: StartCall,
    change: &ChangeContext,
) -> Result<WaitedRun, Problem> {
    let wait = call.query.wait(state.settings.run_wait);
    if let Some(run) = change.started_run() {
        let snapshot = state.engine.run_await(run, wait).await;
        let snapshot = snapshot.map_err(|error| Resource::Run.engine_problem(error))?;
        return Ok(WaitedRun { snapshot, version: None });
    }
    let workflow_id = call.workflow_id;
    let (version_id, version) = match &call.pin {
        Pin::Latest => (latest_version_id(state, workflow_id).await?, None),
        pin => {
            let version = pinned_version(state, workflow_id, pin).await?;
            (version.id, Some(version))
        }
    };
    let start = call.into_start_run(state, version_id, change.origin()).await?;
    let result = state.engine.run_wait(start, wait).await;
    let snapshot = finish_start(state, workflow_id, Resource::Workflow, result).await?;
    Ok(WaitedRun { snapshot, version })
}

/// Returns a 202 with a run that has not ended.
fn accepted_response(run: Run) -> Response {
    let location = [(header::LOCATION, format!("/run/{}/", run.id))];
    (StatusCode::ACCEPTED, location, JsonResponse(run)).into_response()
}

/// Run a workflow and wait for its outputs.
///
/// Returns the outputs when the run has completed or was canceled. Returns 424 if it failed. Returns the run if it
/// pauses, or if it does not end within `wait_seconds`.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/run/", tag = "runs", operation_id = "runWorkflow",
    params(
        WorkflowId,
        StartQuery, PinQuery,
    ),
    request_body(content = Option<StartRunRequest>, description = "The inputs of the run. Optional.",
        example = json!(examples::start())),
    responses(
        (status = 200, description = "The output of every node that produced one, by node id.",
            body = FieldsByNode, example = json!(examples::outputs())),
        (status = 202, description = "The run is paused or still running.",
            headers(("Location" = String, description = "The URL of the run.")),
            body = Run, example = json!(examples::paused_run())),
        VersionMissing, StartedRunMissing, BodyProblems, FailedRunProblems, ServerProblems,
    )
)]
pub(crate) async fn run_outputs(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query((query, pin)): Query<(StartQuery, PinQuery)>,
    change: ChangeContext,
    ForWorkflow(OptionalJson(request)): ForWorkflow<OptionalJson<StartRunRequest>>,
) -> Result<Response, Problem> {
    let call = StartCall { workflow_id: id, pin: pin.or_latest(), query, request };
    let run = start_and_wait(&state, call, &change).await?;
    let snapshot = &run.snapshot;
    match snapshot.state.status {
        RunStatus::Completed | RunStatus::Canceled => {
            Ok(JsonResponse(snapshot.state.outputs_by_id(&snapshot.plan)).into_response())
        }
        RunStatus::Failed => Err(run_failed(snapshot)),
        RunStatus::Pending | RunStatus::Running | RunStatus::Paused => {
            run.into_view(&state).await.map(accepted_response)
        }
    }
}

fn run_failed(snapshot: &Snapshot) -> Problem {
    let tasks = snapshot.state.tasks(&snapshot.plan);
    let detail = view::message(&snapshot.state, &tasks);
    Problem::new(ProblemKind::RunFailed, detail).with_run(snapshot.record.id, view::failed_nodes(&tasks))
}

/// Run a workflow and wait for its end.
///
/// Like runWorkflow, but returns the run instead of its outputs, and returns 200 instead of 424 if it failed.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/runv2/", tag = "runs", operation_id = "runWorkflowV2",
    params(
        WorkflowId,
        StartQuery, PinQuery,
    ),
    request_body(content = Option<StartRunRequest>, description = "The inputs of the run. Optional.",
        example = json!(examples::start())),
    responses(
        (status = 200, description = "The ended run. Its `status` is `COMPLETED`, `FAILED` or `CANCELED`.",
            body = Run, example = json!(examples::completed_run())),
        (status = 202, description = "The run is paused or still running.",
            headers(("Location" = String, description = "The URL of the run.")),
            body = Run, example = json!(examples::paused_run())),
        VersionMissing, StartedRunMissing, BodyProblems, ServerProblems,
    )
)]
pub(crate) async fn run_wait(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query((query, pin)): Query<(StartQuery, PinQuery)>,
    change: ChangeContext,
    ForWorkflow(OptionalJson(request)): ForWorkflow<OptionalJson<StartRunRequest>>,
) -> Result<Response, Problem> {
    let call = StartCall { workflow_id: id, pin: pin.or_latest(), query, request };
    respond_with_run(state, call, change).await
}

/// Starts a run, waits for it and responds with it: 200 when it has ended, 202 otherwise.
pub(super) async fn respond_with_run(
    state: AppState,
    call: StartCall,
    change: ChangeContext,
) -> Result<Response, Problem> {
    let run = start_and_wait(&state, call, &change).await?;
    let has_ended = run.snapshot.state.status.is_terminal();
    let view = run.into_view(&state).await?;
    Ok(if has_ended { JsonResponse(view).into_response() } else { accepted_response(view) })
}
