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
use crate::openapi::{examples, schemas};
use crate::routes::sse::{HEARTBEAT, LastEventId, heartbeat, message};
use crate::state::AppState;
use crate::timestamp::Timestamp;

/// Events per read.
const BATCH_SIZE: u64 = 100;

/// An event of a pause.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PausedWorkflowEvent {
    /// Increasing number, with gaps. Also the `id` of the Server-Sent Event.
    id: i64,
    /// Type of the event. Also the `event` of the Server-Sent Event.
    #[serde(rename = "type")]
    #[schema(value_type = schemas::PauseEventType)]
    kind: &'static str,
    /// Id of the run.
    run_id: Uuid,
    /// Id of the workflow.
    workflow_id: Uuid,
    /// Id of the gate node.
    node_id: String,
    /// Time of the event.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// `opened`: message for the person who decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
    /// `decided`: the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::PauseAction>, nullable = false)]
    action: Option<PauseAction>,
    /// `decided`: the person who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_id: Option<String>,
    /// `decided`: comments on the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    comments: Option<String>,
}

impl From<PauseEvent> for PausedWorkflowEvent {
    fn from(event: PauseEvent) -> Self {
        let PauseEvent { id, run_id, event } = event;
        match event {
            PauseChange::Opened { workflow_id, node_id, message, at } => Self {
                id,
                kind: "opened",
                run_id,
                workflow_id,
                node_id,
                time: Timestamp(at),
                message: Some(message),
                action: None,
                user_id: None,
                comments: None,
            },
            PauseChange::Decided { workflow_id, node_id, action, user_id, comments, at } => Self {
                id,
                kind: "decided",
                run_id,
                workflow_id,
                node_id,
                time: Timestamp(at),
                message: None,
                action: Some(action),
                user_id: Some(user_id),
                comments,
            },
        }
    }
}

/// Follow the pauses of all runs.
///
/// Streams a Server-Sent Event for every pause that is opened or decided, as soon as it is durable. Starts with the
/// next event, or after `Last-Event-ID`. `Last-Event-ID: 0` starts with the oldest event. Events are deleted together
/// with their workflow.
#[utoipa::path(
    get, path = "/wf/paused_workflows/events/", tag = "pauses", operation_id = "followPausedWorkflows",
    params(
        LastEventId,
    ),
    responses(
        (status = 200, description = "One Server-Sent Event per opened or decided pause. Its `data` is this object.",
            content_type = "text/event-stream", body = PausedWorkflowEvent, example = json!(examples::pause_event())),
        StreamProblems, ServerProblems,
    )
)]
pub(crate) async fn pause_events(
    State(state): State<AppState>,
    LastEventId(seen): LastEventId,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let place = state.event_stream_permit()?;
    // First to listen, then to read: nothing is missed in between.
    let changed = state.engine.pause_changes();
    let last = state.db.last_pause_event().await?;
    let after = match seen {
        // Events go with their workflow, so the client may know of later ones than there are.
        Some(id) => i64::try_from(id).unwrap_or(i64::MAX).min(last),
        None => last,
    };
    let stream = PauseStream { state, changed, after, ready: VecDeque::new(), _place: place };
    let events = stream::unfold(stream, |mut stream| async move {
        // A client whose stream breaks off connects again, with the id of the last event that it has.
        let event = stream.next().await.inspect_err(|error| tracing::warn!(%error, "event stream aborted"));
        let view = PausedWorkflowEvent::from(event.ok().flatten()?);
        Some((Ok(message(view.id, view.kind, &view)), stream))
    });
    Ok(Sse::new(events).keep_alive(heartbeat()))
}

/// Where one stream stands.
struct PauseStream {
    state: AppState,
    changed: watch::Receiver<u64>,
    after: i64,
    ready: VecDeque<PauseEvent>,
    _place: OwnedSemaphorePermit,
}

impl PauseStream {
    /// The next event; none when the server stops.
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
                // Another server may have written some.
                () = tokio::time::sleep(HEARTBEAT) => {}
                () = draining.cancelled() => return Ok(None),
            }
        }
    }
}
