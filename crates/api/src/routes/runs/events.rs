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
use sluice_domain::pause::{PauseAction, PauseDecision};
use sluice_domain::run::{CancelReason, Event, EventKind, FailureKind, TaskPath};
use sluice_engine::{EventBatch, RunStream};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{RunMissing, ServerProblems, StreamProblems};
use crate::extract::path::RunId;
use crate::openapi::examples;
use crate::openapi::value_types::{Fields, FieldsByNode};
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
    kind: EventKind,
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
    #[serde(flatten)]
    details: RunEventDetails,
}

/// The fields that only some types of events have. In the document, the first type with a field describes it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum RunEventDetails {
    RunStarted {
        /// `run_started`: {input node id: {field: value}}.
        #[schema(value_type = FieldsByNode)]
        inputs: Arc<Map<String, Value>>,
    },
    BatchStarted {
        /// `batch_started`: number of rows.
        rows: u64,
    },
    TaskStarted {
        /// `task_started`: attempt number, from 1.
        attempt: u32,
    },
    Output {
        /// `task_completed` and `task_reused`: output of the node. Absent for input nodes in loops. `pause_opened`:
        /// input of the gate.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<Fields>, nullable = false)]
        output: Option<Arc<Value>>,
    },
    TaskFailed {
        /// `task_failed` and `task_retrying`: error message.
        error: String,
        /// `task_failed` and `task_retrying`: kind of failure.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        failure: Option<FailureKind>,
    },
    TaskRetrying {
        error: String,
        failure: FailureKind,
        /// `task_retrying`: time of the next attempt.
        #[schema(value_type = String, format = DateTime)]
        retry_time: Timestamp,
    },
    TaskCanceled {
        /// `task_canceled`: reason.
        reason: CancelReason,
    },
    PauseOpened {
        #[schema(value_type = Fields)]
        output: Arc<Value>,
        /// `pause_opened`: message for the person who decides.
        message: String,
    },
    PauseDecided {
        /// `pause_decided`: the decision.
        action: PauseAction,
        /// `pause_decided`: the person who decided.
        user_id: String,
        /// `pause_decided`: comments on the decision.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        comments: Option<String>,
    },
    None {},
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
    /// Converts an event for clients. The log omits the outputs of input nodes, which equal the `initial_inputs`.
    fn new(sequence: u64, run_id: Uuid, event: Event, initial_inputs: &Map<String, Value>) -> Self {
        let task = event.task();
        Self {
            sequence,
            kind: event.kind(),
            run_id,
            time: Timestamp(event.time()),
            node_id: task.map(|task| task.node.clone()),
            iterations: task.map(Iteration::enclosing).unwrap_or_default(),
            details: RunEventDetails::new(event, initial_inputs),
        }
    }
}

impl RunEventDetails {
    fn new(event: Event, initial_inputs: &Map<String, Value>) -> Self {
        match event {
            Event::RunStarted { inputs, .. } => Self::RunStarted { inputs },
            Event::BatchStarted { rows, .. } => Self::BatchStarted { rows },
            Event::TaskStarted { attempt, .. } => Self::TaskStarted { attempt },
            Event::TaskRetrying { error, kind, retry_at, .. } => {
                Self::TaskRetrying { error, failure: kind, retry_time: Timestamp(retry_at) }
            }
            Event::TaskReused { output, .. } => Self::Output { output },
            Event::TaskCompleted { task, output, .. } => {
                let initial_inputs = || {
                    initial_inputs.get(&task.node).filter(|_| task.scope.is_empty()).cloned().map(Arc::new)
                };
                Self::Output { output: output.or_else(initial_inputs) }
            }
            Event::TaskFailed { error, kind, .. } => Self::TaskFailed { error, failure: kind },
            Event::TaskCanceled { reason, .. } => Self::TaskCanceled { reason },
            Event::PauseOpened { message, input, .. } => Self::PauseOpened { output: input, message },
            Event::PauseDecided { decision: PauseDecision { action, user_id, comments, .. }, .. } => {
                Self::PauseDecided { action, user_id, comments }
            }
            Event::RowsStarted { .. }
            | Event::BatchCompleted { .. }
            | Event::TaskQueued { .. }
            | Event::LoopStarted { .. }
            | Event::RunPaused { .. }
            | Event::RunResumed { .. }
            | Event::RunRetried { .. }
            | Event::RunCompleted { .. }
            | Event::RunFailed { .. }
            | Event::RunCanceled { .. } => Self::None {},
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
        (status = 200, description = "One Server-Sent Event per event of the log. Its `id` is the sequence number, its \
            `event` is the type and its `data` is a RunEvent as JSON.",
            content_type = "text/event-stream", body = RunEvent, example = json!(examples::run_event())),
        (status = 204, description = "The run has ended and the client has its last event. Browsers do not reconnect after a 204."),
        RunMissing, StreamProblems, ServerProblems,
    )
)]
pub(crate) async fn run_events(
    State(state): State<AppState>,
    RunId(id): RunId,
    LastEventId(last_event_id): LastEventId,
) -> Result<Response, Problem> {
    let next = last_event_id.map_or(0, |id| id.saturating_add(1));
    let permit = state.event_stream_permit()?;
    let follow =
        state.engine.run_events(id, next).await.map_err(|error| Resource::Run.engine_problem(error))?;
    if follow.is_finished() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let initial_inputs = match follow.first_event() {
        Some(Event::RunStarted { inputs, .. }) => Arc::clone(inputs),
        _ => Arc::default(),
    };
    Ok(Sse::new(events(follow, id, initial_inputs, permit)).keep_alive(heartbeat()).into_response())
}

fn events(
    follow: RunStream,
    run_id: Uuid,
    initial_inputs: Arc<Map<String, Value>>,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let batches = stream::unfold((follow, permit), |(mut follow, permit)| async move {
        // A client reconnects after an aborted stream, with the id of the last event that it received.
        let batch = follow.next().await.inspect_err(|error| tracing::warn!(%error, "event stream aborted"));
        Some((batch.ok().flatten()?, (follow, permit)))
    });
    batches.flat_map(move |EventBatch { first, events }| {
        let initial_inputs = Arc::clone(&initial_inputs);
        let messages = (first..).zip(events).map(move |(sequence, event)| {
            let event = RunEvent::new(sequence, run_id, event, &initial_inputs);
            Ok(message(sequence, event.kind, &event))
        });
        stream::iter(messages)
    })
}
