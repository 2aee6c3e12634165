//! `GET /run/{run_id}/events/`: the event stream of a run.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::Sse;
use axum::response::{IntoResponse as _, Response, sse};
use futures_util::stream;
use futures_util::stream::{Stream, StreamExt as _};
use serde::Serialize;
use serde_json::{Map, Value};
use sluice_domain::pause::PauseAction;
use sluice_domain::run::{CancelReason, Event, FailureKind, TaskPath};
use sluice_engine::{EventBatch, RunStream};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{RunMissing, ServerProblems, StreamProblems};
use crate::extract::path::RunId;
use crate::openapi::value_types::{Fields, FieldsByNode};
use crate::openapi::{examples, schemas};
use crate::routes::sse::{LastEventId, heartbeat, message};
use crate::state::AppState;
use crate::timestamp::Timestamp;

/// An event of a run. The type determines the optional fields.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunEvent {
    /// Sequence number in the log of the run, from 0, without gaps. Also the `id` of the Server-Sent Event.
    sequence: u64,
    /// Type of the event. Also the `event` of the Server-Sent Event.
    #[serde(rename = "type")]
    #[schema(value_type = schemas::RunEventType)]
    kind: &'static str,
    /// Id of the run.
    run_id: Uuid,
    /// Time of the event.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Id of the node, for events of a node.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    node_id: Option<String>,
    /// Iterations of the enclosing loops, outermost first. Absent outside of loops.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    iterations: Vec<Iteration>,
    /// `run_started`: {input node id: {field: value}}.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<FieldsByNode>, nullable = false)]
    inputs: Option<Arc<Map<String, Value>>>,
    /// `batch_started`: number of rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rows: Option<u64>,
    /// `task_started`: attempt number, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    attempt: Option<u32>,
    /// `task_completed` and `task_reused`: output of the node. `pause_opened`: input of the gate. Absent for input
    /// nodes in loops.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Fields>, nullable = false)]
    output: Option<Arc<Value>>,
    /// `task_failed` and `task_retrying`: error message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
    /// `task_failed` and `task_retrying`: kind of failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::FailureKind>, nullable = false)]
    failure: Option<FailureKind>,
    /// `task_retrying`: time of the next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    retry_time: Option<Timestamp>,
    /// `task_canceled`: reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::CancelReason>, nullable = false)]
    reason: Option<CancelReason>,
    /// `pause_opened`: message for the person who decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
    /// `pause_decided`: the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::PauseAction>, nullable = false)]
    action: Option<PauseAction>,
    /// `pause_decided`: the person who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_id: Option<String>,
    /// `pause_decided`: comments on the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    comments: Option<String>,
}

/// An iteration of a loop.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Iteration {
    /// Id of the loop node.
    node_id: String,
    /// Index of the iteration, from 0.
    iteration: u32,
}

impl Iteration {
    pub(crate) fn enclosing(task: &TaskPath) -> Vec<Self> {
        let steps = task.scope.iter();
        steps.map(|step| Self { node_id: step.loop_id.clone(), iteration: step.iteration }).collect()
    }
}

impl RunEvent {
    fn new(sequence: u64, run_id: Uuid, kind: &'static str, time: chrono::DateTime<chrono::Utc>) -> Self {
        Self {
            sequence,
            kind,
            run_id,
            time: Timestamp(time),
            node_id: None,
            iterations: Vec::new(),
            inputs: None,
            rows: None,
            attempt: None,
            output: None,
            error: None,
            failure: None,
            retry_time: None,
            reason: None,
            message: None,
            action: None,
            user_id: None,
            comments: None,
        }
    }

    fn at_task(self, task: TaskPath) -> Self {
        Self { iterations: Iteration::enclosing(&task), node_id: Some(task.node), ..self }
    }

    /// The event as clients see it. `given` is what the run was given.
    fn from_event(sequence: u64, run_id: Uuid, event: Event, initial_inputs: &Map<String, Value>) -> Self {
        let new = |kind, at| Self::new(sequence, run_id, kind, at);
        match event {
            Event::RunStarted { inputs, at } => Self { inputs: Some(inputs), ..new("run_started", at) },
            Event::BatchStarted { rows, mini_batch_size: _, at } => {
                Self { rows: Some(rows), ..new("batch_started", at) }
            }
            Event::RowsStarted { at } => new("rows_started", at),
            Event::BatchCompleted { at } => new("batch_completed", at),
            Event::TaskQueued { task, at } => new("task_queued", at).at_task(task),
            Event::TaskStarted { task, attempt, at } => {
                Self { attempt: Some(attempt), ..new("task_started", at).at_task(task) }
            }
            Event::TaskRetrying { task, error, kind, retry_at, at } => Self {
                error: Some(error),
                failure: Some(kind),
                retry_time: Some(Timestamp(retry_at)),
                ..new("task_retrying", at).at_task(task)
            },
            Event::TaskReused { task, output, at } => Self { output, ..new("task_reused", at).at_task(task) },
            Event::LoopStarted { task, at } => new("loop_started", at).at_task(task),
            Event::TaskCompleted { task, output, at } => {
                // The log doesn't repeat what an input node was given.
                let initial_inputs = || {
                    initial_inputs.get(&task.node).filter(|_| task.scope.is_empty()).cloned().map(Arc::new)
                };
                Self { output: output.or_else(initial_inputs), ..new("task_completed", at).at_task(task) }
            }
            Event::TaskFailed { task, error, kind, at } => {
                Self { error: Some(error), failure: kind, ..new("task_failed", at).at_task(task) }
            }
            Event::TaskCanceled { task, reason, at } => {
                Self { reason: Some(reason), ..new("task_canceled", at).at_task(task) }
            }
            Event::PauseOpened { task, message, input, block_only_dependent_nodes: _, at } => {
                Self { message: Some(message), output: Some(input), ..new("pause_opened", at).at_task(task) }
            }
            Event::PauseDecided { task, decision, at } => Self {
                action: Some(decision.action),
                user_id: Some(decision.user_id),
                comments: decision.comments,
                ..new("pause_decided", at).at_task(task)
            },
            Event::RunPaused { at } => new("run_paused", at),
            Event::RunResumed { at } => new("run_resumed", at),
            Event::RunRetried { at } => new("run_retried", at),
            Event::RunCompleted { at } => new("run_completed", at),
            Event::RunFailed { at } => new("run_failed", at),
            Event::RunCanceled { at } => new("run_canceled", at),
        }
    }
}

/// Follow a run.
///
/// Streams the event log of the run as Server-Sent Events, from the start or after `Last-Event-ID`. Sends new events as
/// soon as they are durable. The stream stays open while the run is paused and closes after the last event of the run.
/// The response is 204 if the client already has the last event.
#[utoipa::path(
    get, path = "/run/{run_id}/events/", tag = "runs", operation_id = "followRun",
    params(
        RunId,
        LastEventId,
    ),
    responses(
        (status = 200, description = "One Server-Sent Event per event of the log. Its `id` is the sequence number, its `event` the type and its `data` this object.",
            content_type = "text/event-stream", body = RunEvent, example = json!(examples::run_event())),
        (status = 204, description = "The run has ended and the client has its last event. Browsers do not reconnect after a 204."),
        RunMissing, StreamProblems, ServerProblems,
    )
)]
pub(crate) async fn run_events(
    State(state): State<AppState>,
    RunId(id): RunId,
    LastEventId(seen): LastEventId,
) -> Result<Response, Problem> {
    let next = seen.map_or(0, |id| id.saturating_add(1));
    let place = state.event_stream_permit()?;
    let follow =
        state.engine.run_events(id, next).await.map_err(|error| Resource::Run.engine_problem(error))?;
    if follow.is_finished() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let initial_inputs = match follow.first_event() {
        Some(Event::RunStarted { inputs, .. }) => Arc::clone(inputs),
        _ => Arc::default(),
    };
    Ok(Sse::new(events(follow, id, initial_inputs, place)).keep_alive(heartbeat()).into_response())
}

fn events(
    follow: RunStream,
    run_id: Uuid,
    initial_inputs: Arc<Map<String, Value>>,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let batches = stream::unfold((follow, place), |(mut follow, place)| async move {
        // A client whose stream breaks off connects again, with the id of the last event that it has.
        let followed =
            follow.next().await.inspect_err(|error| tracing::warn!(%error, "event stream aborted"));
        Some((followed.ok().flatten()?, (follow, place)))
    });
    batches.flat_map(move |EventBatch { first, events }| {
        let initial_inputs = Arc::clone(&initial_inputs);
        let views = (first..).zip(events).map(move |(sequence, event)| {
            let view = RunEvent::from_event(sequence, run_id, event, &initial_inputs);
            Ok(message(sequence, view.kind, &view))
        });
        stream::iter(views)
    })
}
