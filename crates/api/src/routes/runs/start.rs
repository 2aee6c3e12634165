//! Starting runs.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use sluice_domain::run::RunStatus;
use sluice_engine::{EngineError, PartialRun, Remember, Snapshot, StartRun};
use sluice_persistence::{Pin, VersionRow};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::view::{self, Run, run_view};
use crate::extract::{FromQuery, Json, OptionalJson, Query, Reader, WorkflowId};
use crate::once::{Once, kept};
use crate::problem::{Kind, Problem};
use crate::refusal::Resource;
use crate::responses::{BodyProblems, FailedRun, PartialProblems, ServerProblems, VersionMissing};
use crate::routes::PinQuery;
use crate::routes::versions::pinned;
use crate::routes::workflows::found_first;
use crate::values::{FieldsByNode, PathsByNode};
use crate::{AppState, examples, files};

/// The longest time that a client may ask the server to wait.
const MAX_WAIT_SECONDS: f64 = 3_600.0;

/// What a run starts with.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct StartRunRequest {
    /// {input node id: {field: value}}. A text that is a base64 data URI is stored as a file and replaced by
    /// its path.
    #[serde(default)]
    #[schema(value_type = Option<FieldsByNode>, required = false, nullable = true)]
    initial_inputs: Option<Objects>,
    /// The run that starts this one.
    #[serde(default)]
    #[schema(required = false, nullable = true)]
    parent_run_id: Option<Uuid>,
    /// {node id: [path]}: put under the key `files` of that node's inputs.
    #[serde(default)]
    #[schema(value_type = Option<PathsByNode>, required = false, nullable = true)]
    files: Option<HashMap<String, Vec<String>>>,
}

/// Which node is to be run, and on what.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct PartialRunRequest {
    /// The node.
    node_id: String,
    /// Whether the nodes before it run as well, also those with an output in `partial_outputs`.
    #[serde(default)]
    #[schema(required = false, nullable = true, default = false)]
    rerun_predecessors: Option<bool>,
    /// {input node id: {field: value}}.
    #[serde(default)]
    #[schema(value_type = Option<FieldsByNode>, required = false, nullable = true)]
    initial_inputs: Option<Objects>,
    /// {node id: output} of nodes that need not run.
    #[serde(default)]
    #[schema(value_type = Option<FieldsByNode>, required = false, nullable = true)]
    partial_outputs: Option<Objects>,
}

/// An object of objects, keys in their order.
#[derive(Debug, Default)]
pub(crate) struct Objects(Map<String, Value>);

impl Objects {
    pub(super) fn into_map(self) -> Map<String, Value> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Objects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::<String, Value>::deserialize(deserializer)?;
        match map.iter().find(|(_, value)| !value.is_object()) {
            Some((key, _)) => Err(D::Error::custom(format_args!("{key:?} must be an object"))),
            None => Ok(Self(map)),
        }
    }
}

/// How a run is started.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StartQuery {
    /// What kind of run the client calls it.
    #[param(min_length = 1, max_length = 64, default = "interactive", required = false)]
    run_type: String,
    /// For how many seconds to wait for the run to end; the server waits for 600 at most, or for what it is told by
    /// `--max-run-wait-seconds`. The answer is 200 when it has ended, and 202 with
    /// `Location` when it waits for a person or goes on.
    #[param(minimum = 0, maximum = 3600, required = false)]
    wait_seconds: Option<f64>,
}

impl FromQuery for StartQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self {
            run_type: reader.text("run_type").unwrap_or_else(|| "interactive".to_owned()),
            wait_seconds: reader.seconds("wait_seconds", MAX_WAIT_SECONDS),
        }
    }
}

impl StartQuery {
    /// How long to wait: what was asked for, at most what the server waits.
    fn wait(&self, longest: Duration) -> Duration {
        let asked = self.wait_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        asked.unwrap_or(longest).min(longest)
    }
}

/// The run to be started, with the files among its inputs stored.
async fn accepted(
    state: &AppState,
    (workflow_id, version_id): (Uuid, Uuid),
    request: StartRunRequest,
    run_type: String,
    remember: Option<Remember<Snapshot>>,
) -> Result<StartRun, Problem> {
    let StartRunRequest { initial_inputs, parent_run_id, files } = request;
    let inputs = with_files(initial_inputs.unwrap_or_default().0, files.unwrap_or_default());
    let inputs = files::store_data_uris(&state.settings.data_dir, workflow_id, inputs).await?;
    Ok(StartRun { workflow_id, version_id, inputs, parent_run_id, batch_row: None, run_type, remember })
}

/// What came of a start. When the workflow was deleted meanwhile, its files that the start has stored go too.
pub(super) async fn started(
    state: &AppState,
    workflow_id: Uuid,
    missing: Resource,
    result: Result<Snapshot, EngineError>,
) -> Result<Snapshot, Problem> {
    if matches!(result, Err(EngineError::NotFound)) {
        files::remove_folders(&state.settings.data_dir, workflow_id).await;
    }
    result.map_err(|error| missing.engine(error))
}

/// The id of the version that a run is pinned to.
async fn version_id(state: &AppState, workflow_id: Uuid, pin: &Pin) -> Result<Uuid, Problem> {
    if *pin != Pin::Latest {
        return pinned(state, workflow_id, pin).await.map(|version| version.id);
    }
    state.db.latest_version_id(workflow_id).await?.ok_or_else(|| Resource::Workflow.missing())
}

/// Starts a run and waits for it; for the one that an earlier try of the same request has started, if it has.
async fn awaited(
    state: &AppState,
    id: Uuid,
    (query, pin): (StartQuery, PinQuery),
    once: &Once,
    request: Result<OptionalJson<StartRunRequest>, Problem>,
) -> Result<Snapshot, Problem> {
    let wait = query.wait(state.settings.run_wait);
    if let Some(run) = once.started() {
        return state.engine.run_await(run, wait).await.map_err(|error| Resource::Run.engine(error));
    }
    let OptionalJson(request) = found_first(state, id, request).await?;
    let version_id = version_id(state, id, &pin.or_latest()).await?;
    let start = accepted(state, (id, version_id), request, query.run_type, once.note_run()).await?;
    let waited = state.engine.run_wait(start, wait).await;
    started(state, id, Resource::Workflow, waited).await
}

/// Keeps the answer about a run with the change of it.
pub(super) fn keep_run(once: &Once, version: &VersionRow) -> Option<Remember<Snapshot>> {
    let version = version.clone();
    once.keep_start(move |run| kept(&[], &run_view(run, Some(version.clone())).ok()?))
}

/// Puts the paths of a node's files beside its other inputs.
fn with_files(mut inputs: Map<String, Value>, files: HashMap<String, Vec<String>>) -> Map<String, Value> {
    for (node_id, paths) in files {
        let node = inputs.entry(node_id).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(fields) = node {
            fields.insert("files".to_owned(), paths.into());
        }
    }
    inputs
}

/// The run as clients see it, with the version that it is pinned to.
async fn viewed(state: &AppState, snapshot: &Snapshot) -> Result<Run, Problem> {
    let version = state.db.version(snapshot.record.version_id).await?;
    run_view(snapshot, version)
}

/// A run that has not ended, and where to ask for it.
fn unfinished(run: Run) -> Response {
    let place = [(header::LOCATION, format!("/run/{}/", run.id))];
    (StatusCode::ACCEPTED, place, Answer(run)).into_response()
}

/// Run a workflow and wait for its outputs.
///
/// Answers the outputs of all nodes when the run has ended, and the run itself when it waits for a person
/// or takes longer than the server waits.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/run/", tag = "runs", operation_id = "runWorkflow",
    params(
        WorkflowId,
        StartQuery, PinQuery,
    ),
    request_body(content = Option<StartRunRequest>, description = "What the run starts with; nothing is needed.",
        example = json!(examples::start())),
    responses(
        (status = 200, description = "The output of every node that gave one, by node id.",
            body = FieldsByNode, example = json!(examples::outputs())),
        (status = 202, description = "The run waits for a person, or goes on.",
            headers(("Location" = String, description = "Where to ask for the run.")),
            body = Run, example = json!(examples::paused_run())),
        VersionMissing, BodyProblems, FailedRun, ServerProblems,
    )
)]
pub(crate) async fn run_outputs(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query((query, pin)): Query<(StartQuery, PinQuery)>,
    once: Once,
    request: Result<OptionalJson<StartRunRequest>, Problem>,
) -> Result<Response, Problem> {
    let snapshot = awaited(&state, id, (query, pin), &once, request).await?;
    match snapshot.state.status {
        RunStatus::Completed | RunStatus::Canceled => {
            Ok(Answer(snapshot.state.outputs_by_id(&snapshot.plan)).into_response())
        }
        RunStatus::Failed => Err(failed(&snapshot)),
        RunStatus::Pending | RunStatus::Running | RunStatus::Paused => {
            viewed(&state, &snapshot).await.map(unfinished)
        }
    }
}

fn failed(snapshot: &Snapshot) -> Problem {
    let tasks = snapshot.state.tasks(&snapshot.plan);
    let detail = view::message(&snapshot.state, &tasks);
    Problem::new(Kind::RunFailed, detail).of_run(snapshot.record.id, view::failed_nodes(&tasks))
}

/// Run a workflow and wait for the run.
///
/// As runWorkflow, but answers the run, also when it failed.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/runv2/", tag = "runs", operation_id = "runWorkflowV2",
    params(
        WorkflowId,
        StartQuery, PinQuery,
    ),
    request_body(content = Option<StartRunRequest>, description = "What the run starts with; nothing is needed.",
        example = json!(examples::start())),
    responses(
        (status = 200, description = "The run, ended: its status says how.", body = Run, example = json!(examples::completed_run())),
        (status = 202, description = "The run waits for a person, or goes on.",
            headers(("Location" = String, description = "Where to ask for the run.")),
            body = Run, example = json!(examples::paused_run())),
        VersionMissing, BodyProblems, ServerProblems,
    )
)]
pub(crate) async fn run_wait(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query((query, pin)): Query<(StartQuery, PinQuery)>,
    once: Once,
    request: Result<OptionalJson<StartRunRequest>, Problem>,
) -> Result<Response, Problem> {
    waited_for(state, id, (query, pin), once, request).await
}

/// Runs and answers the run: 200 when it has ended, 202 otherwise.
async fn waited_for(
    state: AppState,
    id: Uuid,
    (query, pin): (StartQuery, PinQuery),
    once: Once,
    request: Result<OptionalJson<StartRunRequest>, Problem>,
) -> Result<Response, Problem> {
    let snapshot = awaited(&state, id, (query, pin), &once, request).await?;
    let run = viewed(&state, &snapshot).await?;
    let has_ended = snapshot.state.status.is_terminal();
    Ok(if has_ended { Answer(run).into_response() } else { unfinished(run) })
}

/// Start a run.
///
/// Answers at once, or waits for `wait_seconds`; the run goes on in the background, also when the server is
/// started again.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/start_run/", tag = "runs", operation_id = "startRun",
    params(
        WorkflowId,
        StartQuery, PinQuery,
    ),
    request_body(content = Option<StartRunRequest>, description = "What the run starts with; nothing is needed.",
        example = json!(examples::start())),
    responses(
        (status = 200, description = "The run: about to begin, or ended within `wait_seconds`.", body = Run, example = json!(examples::pending_run())),
        (status = 202, description = "The run waits for a person, or goes on after `wait_seconds`.",
            headers(("Location" = String, description = "Where to ask for the run.")),
            body = Run, example = json!(examples::paused_run())),
        VersionMissing, BodyProblems, ServerProblems,
    )
)]
pub(crate) async fn run_start(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query((query, pin)): Query<(StartQuery, PinQuery)>,
    once: Once,
    request: Result<OptionalJson<StartRunRequest>, Problem>,
) -> Result<Response, Problem> {
    if query.wait_seconds.is_some() {
        return waited_for(state, id, (query, pin), once, request).await;
    }
    let OptionalJson(request) = found_first(&state, id, request).await?;
    let version = pinned(&state, id, &pin.or_latest()).await?;
    let keep = keep_run(&once, &version);
    let start = accepted(&state, (id, version.id), request, query.run_type, keep).await?;
    let begun = state.engine.run_start(start).await;
    let snapshot = started(&state, id, Resource::Workflow, begun).await?;
    Ok(Answer(run_view(&snapshot, Some(version))?).into_response())
}

/// Run one node.
///
/// On the outputs given in `partial_outputs`, or with the nodes before it. Nothing is kept.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/run_partial/", tag = "runs", operation_id = "runPartial",
    params(
        WorkflowId,
        PinQuery,
    ),
    request_body(content = PartialRunRequest, description = "The node and what it runs on.", example = json!(examples::partial())),
    responses(
        (status = 200, description = "The output of every node that gave one, by node id.",
            body = FieldsByNode, example = json!(examples::partial_outputs())),
        VersionMissing, BodyProblems, PartialProblems, ServerProblems,
    )
)]
pub(crate) async fn run_partial(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(pin): Query<PinQuery>,
    request: Result<Json<PartialRunRequest>, Problem>,
) -> Result<Answer<Map<String, Value>>, Problem> {
    let Json(request) = found_first(&state, id, request).await?;
    let version_id = version_id(&state, id, &pin.or_latest()).await?;
    let outputs =
        state.engine.run_partial(request.into_partial(id, version_id), state.settings.run_wait).await;
    outputs.map(Answer).map_err(|error| Resource::Workflow.engine(error))
}

impl PartialRunRequest {
    fn into_partial(self, workflow_id: Uuid, version_id: Uuid) -> PartialRun {
        let Self { node_id, rerun_predecessors, initial_inputs, partial_outputs } = self;
        PartialRun {
            workflow_id,
            version_id,
            node_id,
            rerun_predecessors: rerun_predecessors.unwrap_or_default(),
            inputs: initial_inputs.unwrap_or_default().0,
            partial_outputs: partial_outputs.unwrap_or_default().0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_stand_beside_the_other_inputs() {
        let Value::Object(inputs) = json!({"a": {"x": 1}}) else { unreachable!() };
        let files = HashMap::from([
            ("a".to_owned(), vec!["p/1".to_owned()]),
            ("b".to_owned(), vec!["p/2".to_owned()]),
        ]);
        let inputs = Value::Object(with_files(inputs, files));
        assert_eq!(inputs, json!({"a": {"x": 1, "files": ["p/1"]}, "b": {"files": ["p/2"]}}));
    }
}
