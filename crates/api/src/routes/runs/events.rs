//! The log of a run as a stream of Server-Sent Events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Serialize;
use serde_json::{Map, Value};
use sluice_domain::pause::PauseAction;
use sluice_domain::run::{CancelReason, Event, FailureKind, TaskPath};
use sluice_engine::{EventBatch, RunStream};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::extract::RunId;
use crate::parameters::{optional, text};
use crate::problem::{Kind, Problem};
use crate::refusal::Resource;
use crate::responses::{RunMissing, ServerProblems, StreamProblems};
use crate::time::Timestamp;
use crate::values::{Fields, FieldsByNode};
use crate::{AppState, examples, schema};

/// How often a stream says that it is still there.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Something that happened to a run. Which of the later fields are there depends on the type.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunEvent {
    /// Its number in the log of the run, from 0 and without gaps. The `id` of the Server-Sent Event.
    sequence: u64,
    /// What happened. The `event` of the Server-Sent Event.
    #[serde(rename = "type")]
    #[schema(value_type = schema::RunEventType)]
    kind: &'static str,
    /// The run.
    run_id: Uuid,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// The node, of events that are about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    node_id: Option<String>,
    /// The iterations of the loops around the node, the outermost first; absent at the top.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    iterations: Vec<Iteration>,
    /// Of run_started: {input node id: {field: value}}.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<FieldsByNode>, nullable = false)]
    inputs: Option<Arc<Map<String, Value>>>,
    /// Of batch_started: how many rows there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rows: Option<u64>,
    /// Of task_started: the how manieth attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    attempt: Option<u32>,
    /// Of task_completed and task_reused: what the node gave; of pause_opened: what waits at the gate. Absent
    /// for input nodes inside of loops.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Fields>, nullable = false)]
    output: Option<Arc<Value>>,
    /// Of task_failed and task_retrying: what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
    /// Of task_failed and task_retrying: why the attempt gave nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::FailureKind>, nullable = false)]
    failure: Option<FailureKind>,
    /// Of task_retrying: when the next attempt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    retry_time: Option<Timestamp>,
    /// Of task_canceled: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::CancelReason>, nullable = false)]
    reason: Option<CancelReason>,
    /// Of pause_opened: what is shown to the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
    /// Of pause_decided: how.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::PauseAction>, nullable = false)]
    action: Option<PauseAction>,
    /// Of pause_decided: who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_id: Option<String>,
    /// Of pause_decided: the person's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    comments: Option<String>,
}

/// One iteration of a loop.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Iteration {
    /// The loop node.
    node_id: String,
    /// Which iteration, from 0.
    iteration: u32,
}

impl Iteration {
    pub(crate) fn around(task: &TaskPath) -> Vec<Self> {
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

    fn of(self, task: TaskPath) -> Self {
        Self { iterations: Iteration::around(&task), node_id: Some(task.node), ..self }
    }

    /// The event as clients see it. `given` is what the run was given.
    fn view(sequence: u64, run_id: Uuid, event: Event, given: &Map<String, Value>) -> Self {
        let new = |kind, at| Self::new(sequence, run_id, kind, at);
        match event {
            Event::RunStarted { inputs, at } => Self { inputs: Some(inputs), ..new("run_started", at) },
            Event::BatchStarted { rows, mini_batch_size: _, at } => {
                Self { rows: Some(rows), ..new("batch_started", at) }
            }
            Event::RowsStarted { at } => new("rows_started", at),
            Event::BatchCompleted { at } => new("batch_completed", at),
            Event::TaskQueued { task, at } => new("task_queued", at).of(task),
            Event::TaskStarted { task, attempt, at } => {
                Self { attempt: Some(attempt), ..new("task_started", at).of(task) }
            }
            Event::TaskRetrying { task, error, kind, retry_at, at } => Self {
                error: Some(error),
                failure: Some(kind),
                retry_time: Some(Timestamp(retry_at)),
                ..new("task_retrying", at).of(task)
            },
            Event::TaskReused { task, output, at } => Self { output, ..new("task_reused", at).of(task) },
            Event::LoopStarted { task, at } => new("loop_started", at).of(task),
            Event::TaskCompleted { task, output, at } => {
                // The log doesn't repeat what an input node was given.
                let given = || given.get(&task.node).filter(|_| task.scope.is_empty()).cloned().map(Arc::new);
                Self { output: output.or_else(given), ..new("task_completed", at).of(task) }
            }
            Event::TaskFailed { task, error, kind, at } => {
                Self { error: Some(error), failure: kind, ..new("task_failed", at).of(task) }
            }
            Event::TaskCanceled { task, reason, at } => {
                Self { reason: Some(reason), ..new("task_canceled", at).of(task) }
            }
            Event::PauseOpened { task, message, input, block_only_dependent_nodes: _, at } => {
                Self { message: Some(message), output: Some(input), ..new("pause_opened", at).of(task) }
            }
            Event::PauseDecided { task, decision, at } => Self {
                action: Some(decision.action),
                user_id: Some(decision.user_id),
                comments: decision.comments,
                ..new("pause_decided", at).of(task)
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
/// Answers the log of the run as Server-Sent Events, from its beginning or from behind `Last-Event-ID` on,
/// and then each event as soon as it is durable. Stays open while the run waits for a person, and is closed
/// behind the event with which the run ends. Whoever has that event already is answered 204.
#[utoipa::path(
    get, path = "/run/{run_id}/events/", tag = "runs", operation_id = "followRun",
    params(
        RunId,
        LastEventId,
    ),
    responses(
        (status = 200, description = "A Server-Sent Event per event of the log: its `id` is the sequence number, its `event` the type, its `data` this object.",
            content_type = "text/event-stream", body = RunEvent, example = json!(examples::run_event())),
        (status = 204, description = "The run has ended, and the client has its last event: there is nothing to follow. Browsers then don't connect again."),
        RunMissing, StreamProblems, ServerProblems,
    )
)]
pub(crate) async fn run_events(
    State(state): State<AppState>,
    RunId(id): RunId,
    LastEventId(seen): LastEventId,
) -> Result<Response, Problem> {
    let next = seen.map_or(0, |id| id.saturating_add(1));
    let place = state.stream_place()?;
    let follow = state.engine.run_events(id, next).await.map_err(|error| Resource::Run.engine(error))?;
    if follow.is_finished() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let given = match follow.first_event() {
        Some(Event::RunStarted { inputs, .. }) => Arc::clone(inputs),
        _ => Arc::default(),
    };
    Ok(Sse::new(events(follow, id, given, place)).keep_alive(heartbeat()).into_response())
}

fn events(
    follow: RunStream,
    run_id: Uuid,
    given: Arc<Map<String, Value>>,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let batches = stream::unfold((follow, place), |(mut follow, place)| async move {
        // A client whose stream breaks off connects again, with the id of the last event that it has.
        let followed = follow.next().await.inspect_err(|error| tracing::warn!(%error, "a stream breaks off"));
        Some((followed.ok().flatten()?, (follow, place)))
    });
    batches.flat_map(move |EventBatch { first, events }| {
        let given = Arc::clone(&given);
        let views = (first..).zip(events).map(move |(sequence, event)| {
            let view = RunEvent::view(sequence, run_id, event, &given);
            Ok(message(sequence, view.kind, &view))
        });
        stream::iter(views)
    })
}

/// One Server-Sent Event with JSON as its data.
pub(crate) fn message(id: impl ToString, kind: &str, data: &impl Serialize) -> sse::Event {
    let event = sse::Event::default().id(id.to_string()).event(kind);
    // What comes from JSON becomes JSON again.
    event.json_data(data).unwrap_or_default()
}

pub(crate) fn heartbeat() -> KeepAlive {
    KeepAlive::new().interval(HEARTBEAT)
}

/// The event that the client has seen last, from the header `Last-Event-ID`; none without it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastEventId(pub(crate) Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("last-event-id") else { return Ok(Self(None)) };
        let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
        number.map(|number| Self(Some(number))).ok_or_else(|| {
            let detail =
                "The header Last-Event-ID must be the id of an event of this stream. Leave it out to begin anew.";
            Problem::new(Kind::UnknownEventId, detail)
        })
    }
}

impl IntoParams for LastEventId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The `id` of the last event that the client has. Browsers send it by themselves when they \
            connect again.";
        vec![optional(ParameterIn::Header, "Last-Event-ID", description, text("^[0-9]{1,20}$"))]
    }
}
