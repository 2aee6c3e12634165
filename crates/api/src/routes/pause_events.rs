//! What happens to pauses, over all runs, as a stream of Server-Sent Events.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::extract::State;
use axum::response::sse::{self, Sse};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use sluice_domain::pause::PauseAction;
use sluice_engine::StoreError;
use sluice_persistence::{PauseEvent, PauseNews};
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::ToSchema;
use uuid::Uuid;

use super::runs::events::{HEARTBEAT, LastEventId, heartbeat, message};
use crate::problem::Problem;
use crate::responses::{ServerProblems, StreamProblems};
use crate::time::Timestamp;
use crate::{AppState, examples, schema};

/// How many events are read from the store at once.
const PAGE: u64 = 100;

/// A pause was opened or decided.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PausedWorkflowEvent {
    /// Grows with every event, with gaps. The `id` of the Server-Sent Event.
    id: i64,
    /// What happened. The `event` of the Server-Sent Event.
    #[serde(rename = "type")]
    #[schema(value_type = schema::PauseEventType)]
    kind: &'static str,
    /// The run.
    run_id: Uuid,
    /// The workflow.
    workflow_id: Uuid,
    /// The gate.
    node_id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Of opened: what is shown to the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
    /// Of decided: how.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::PauseAction>, nullable = false)]
    action: Option<PauseAction>,
    /// Of decided: who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_id: Option<String>,
    /// Of decided: the person's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    comments: Option<String>,
}

impl From<PauseEvent> for PausedWorkflowEvent {
    fn from(event: PauseEvent) -> Self {
        let PauseEvent { id, run_id, news } = event;
        match news {
            PauseNews::Opened { workflow_id, node_id, message, at } => Self {
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
            PauseNews::Decided { workflow_id, node_id, action, user_id, comments, at } => Self {
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
/// Answers each pause that is opened or decided as a Server-Sent Event, as soon as it is durable: from now
/// on, or from behind `Last-Event-ID`. `Last-Event-ID: 0` gives everything that is kept: the events of runs
/// that were not deleted.
#[utoipa::path(
    get, path = "/wf/paused_workflows/events/", tag = "pauses", operation_id = "followPausedWorkflows",
    params(
        LastEventId,
    ),
    responses(
        (status = 200, description = "A Server-Sent Event per pause that is opened or decided: its `data` is this object.",
            content_type = "text/event-stream", body = PausedWorkflowEvent, example = json!(examples::pause_event())),
        StreamProblems, ServerProblems,
    )
)]
pub(crate) async fn pause_events(
    State(state): State<AppState>,
    LastEventId(seen): LastEventId,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let place = state.stream_place()?;
    // First to listen, then to read: nothing is missed in between.
    let changed = state.engine.pause_changes();
    let last = state.db.last_pause_event().await?;
    let after = match seen {
        // Events go with their workflow, so the client may know of later ones than there are.
        Some(id) => i64::try_from(id).unwrap_or(i64::MAX).min(last),
        None => last,
    };
    let news = News { state, changed, after, ready: VecDeque::new(), _place: place };
    let events = stream::unfold(news, |mut news| async move {
        // A client whose stream breaks off connects again, with the id of the last event that it has.
        let event = news.next().await.inspect_err(|error| tracing::warn!(%error, "a stream breaks off"));
        let view = PausedWorkflowEvent::from(event.ok().flatten()?);
        Some((Ok(message(view.id, view.kind, &view)), news))
    });
    Ok(Sse::new(events).keep_alive(heartbeat()))
}

/// Where one stream stands.
struct News {
    state: AppState,
    changed: watch::Receiver<u64>,
    after: i64,
    ready: VecDeque<PauseEvent>,
    _place: OwnedSemaphorePermit,
}

impl News {
    /// The next event; none when the server stops.
    async fn next(&mut self) -> Result<Option<PauseEvent>, StoreError> {
        let draining = self.state.engine.draining();
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.id;
                return Ok(Some(event));
            }
            self.changed.mark_unchanged();
            self.ready = self.state.db.pause_events(self.after, PAGE).await?.into();
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
