//! `GET /wf/paused_workflows/events/`: the event stream of all pauses.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::extract::State;
use axum::response::sse;
use axum::response::sse::Sse;
use futures_util::stream;
use futures_util::stream::Stream;
use serde::Serialize;
use sluice_domain::pause::PauseAction;
use sluice_engine::StoreError;
use sluice_persistence::{PauseChange, PauseEvent};
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Problem;
use crate::error::responses::{ServerProblems, StreamProblems};
use crate::openapi::examples;
use crate::routes::sse::{HEARTBEAT, LastEventId, heartbeat, message};
use crate::state::AppState;
use crate::timestamp::Timestamp;

/// Number of events per query of the database.
const BATCH_SIZE: u64 = 100;

/// An event of a pause.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PausedWorkflowEvent {
    /// Increasing number, with gaps. Also the `id` of the Server-Sent Event.
    id: i64,
    /// Type of the event. Also the `event` of the Server-Sent Event.
    #[serde(rename = "type")]
    kind: PauseEventType,
    /// Id of the run.
    run_id: Uuid,
    /// Id of the workflow.
    workflow_id: Uuid,
    /// Id of the gate node.
    node_id: String,
    /// Time of the event.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    #[serde(flatten)]
    details: PauseEventDetails,
}

/// The fields that depend on the type of the event.
#[derive(Debug, Serialize, ToSchema, strum::EnumDiscriminants)]
#[serde(untagged)]
#[strum_discriminants(
    name(PauseEventType),
    doc = "Type of a pause event.",
    derive(Serialize, ToSchema, strum::IntoStaticStr),
    serde(rename_all = "snake_case"),
    strum(serialize_all = "snake_case")
)]
enum PauseEventDetails {
    /// A run reached a gate.
    Opened {
        /// `opened`: message for the person who decides.
        message: String,
    },
    /// A person decided.
    Decided {
        /// `decided`: the decision.
        action: PauseAction,
        /// `decided`: the person who decided.
        user_id: String,
        /// `decided`: comments on the decision.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        comments: Option<String>,
    },
}

impl From<PauseEvent> for PausedWorkflowEvent {
    fn from(PauseEvent { id, run_id, event }: PauseEvent) -> Self {
        let (workflow_id, node_id, at, details) = match event {
            PauseChange::Opened { workflow_id, node_id, message, at } => {
                (workflow_id, node_id, at, PauseEventDetails::Opened { message })
            }
            PauseChange::Decided { workflow_id, node_id, action, user_id, comments, at } => {
                (workflow_id, node_id, at, PauseEventDetails::Decided { action, user_id, comments })
            }
        };
        let kind = PauseEventType::from(&details);
        Self { id, kind, run_id, workflow_id, node_id, time: Timestamp(at), details }
    }
}

/// Follow the pauses of all runs.
///
/// Streams a Server-Sent Event for every pause that is opened or decided, as soon as it is durable. Without
/// `Last-Event-ID`, the stream has new events only. With it, the stream starts with the events after that
/// one. `Last-Event-ID: 0` starts with the oldest stored event. Events are deleted together with their
/// workflow.
#[utoipa::path(
    get, path = "/wf/paused_workflows/events/", tag = "pauses", operation_id = "followPausedWorkflows",
    params(
        LastEventId,
    ),
    responses(
        (status = 200, description = "One Server-Sent Event per opened or decided pause. Its `data` is a \
            PausedWorkflowEvent as JSON.",
            content_type = "text/event-stream", body = PausedWorkflowEvent, example = json!(examples::pause_event())),
        StreamProblems, ServerProblems,
    )
)]
pub(crate) async fn pause_events(
    State(state): State<AppState>,
    LastEventId(last_event_id): LastEventId,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let permit = state.event_stream_permit()?;
    // Subscribes before it reads, so that no event is missed in between.
    let changed = state.engine.pause_changes();
    let last = state.db.last_pause_event().await?;
    let after = match last_event_id {
        // Events are deleted with their workflow, so the client may have seen later events than exist.
        Some(id) => i64::try_from(id).unwrap_or(i64::MAX).min(last),
        None => last,
    };
    let stream = PauseStream { state, changed, after, ready: VecDeque::new(), _permit: permit };
    let events = stream::unfold(stream, |mut stream| async move {
        // A client reconnects after an aborted stream, with the id of the last event that it received.
        let event = stream.next().await.inspect_err(|error| tracing::warn!(%error, "event stream aborted"));
        let event = PausedWorkflowEvent::from(event.ok().flatten()?);
        Some((Ok(message(event.id, event.kind, &event)), stream))
    });
    Ok(Sse::new(events).keep_alive(heartbeat()))
}

/// State of one stream.
struct PauseStream {
    state: AppState,
    changed: watch::Receiver<u64>,
    after: i64,
    ready: VecDeque<PauseEvent>,
    _permit: OwnedSemaphorePermit,
}

impl PauseStream {
    /// Returns the next event, or `None` when the server stops.
    async fn next(&mut self) -> Result<Option<PauseEvent>, StoreError> {
        let draining = self.state.engine.draining();
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.id;
                return Ok(Some(event));
            }
            self.changed.mark_unchanged();
            self.ready = self.state.db.pause_events(self.after, BATCH_SIZE).await?.into();
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.changed.changed() => if changed.is_err() { return Ok(None) },
                // Another process may have written events.
                () = tokio::time::sleep(HEARTBEAT) => {}
                () = draining.cancelled() => return Ok(None),
            }
        }
    }
}
