//! What a run did when.

use axum::Json as Answer;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sluice_domain::pause::{Pause, PauseAction};
use sluice_domain::run::{Plan, RunState, TaskStatus, TimelineTask};
use sluice_engine::clock;
use utoipa::ToSchema;

use super::events::Iteration;
use super::view::Attempt;
use super::{detail_of, snapshot_of};
use crate::extract::RunId;
use crate::problem::Problem;
use crate::responses::{RunMissing, ServerProblems};
use crate::time::Timestamp;
use crate::{AppState, examples, schema};

/// The work of one node, once in each iteration of the loops around it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelineEntry {
    /// The node.
    node_id: String,
    /// Its title.
    title: String,
    /// Its kind.
    node_type: String,
    /// The iterations of the loops around the node, the outermost first; empty at the top.
    iterations: Vec<Iteration>,
    /// Where it stands.
    #[schema(value_type = schema::TaskStatus)]
    status: TaskStatus,
    /// When it was ready and began to wait for a place, if it runs outside of the server's own work.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    queued_time: Option<Timestamp>,
    /// When it began.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    start_time: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    end_time: Option<Timestamp>,
    /// For how many seconds it runs, or ran, with all waits in between.
    #[schema(required = true, minimum = 0)]
    duration: Option<f64>,
    /// What went wrong.
    #[schema(required = true)]
    error: Option<String>,
    /// Every time that it was tried, if it runs outside of the server's own work.
    attempts: Vec<Attempt>,
    /// Whether its output was taken over from the run that this one was made from.
    reused: bool,
    /// The times that it waited for a person.
    pauses: Vec<TimelinePause>,
}

/// A wait for a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelinePause {
    /// When the run came to the gate.
    #[schema(value_type = String, format = DateTime)]
    pause_time: Timestamp,
    /// When a person decided.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    resume_time: Option<Timestamp>,
    /// How.
    #[schema(value_type = Option<schema::PauseAction>, required = true, nullable = true)]
    resume_action: Option<PauseAction>,
    /// Who decided.
    #[schema(required = true)]
    resume_user_id: Option<String>,
}

impl TimelinePause {
    fn of(pause: &Pause) -> Self {
        let (decision, at) = pause.decided.as_ref().map(|(decision, at)| (decision, *at)).unzip();
        Self {
            pause_time: Timestamp(pause.opened_at),
            resume_time: at.map(Timestamp),
            resume_action: decision.map(|decision| decision.action),
            resume_user_id: decision.map(|decision| decision.user_id.clone()),
        }
    }
}

impl TimelineEntry {
    fn of(task: TimelineTask, state: &RunState, plan: &Plan, now: DateTime<Utc>) -> Self {
        let TimelineTask { path, title, status, task } = task;
        let attempts = Attempt::all_of(&task.attempts, status);
        let ran_until = |start: DateTime<Utc>| task.ended_at.unwrap_or(now) - start;
        let duration = task.started_at.map(|start| ran_until(start).as_seconds_f64().max(0.0));
        let level = plan.level(&path.scope);
        let node = level.and_then(|level| Some(&level.nodes[level.index(&path.node)?]));
        Self {
            iterations: Iteration::around(&path),
            title,
            node_type: node.map(|node| node.node_type.to_string()).unwrap_or_default(),
            status,
            queued_time: task.queued_at.map(Timestamp),
            start_time: task.started_at.map(Timestamp),
            end_time: task.ended_at.map(Timestamp),
            duration,
            error: task.error,
            attempts,
            reused: task.reused,
            pauses: state.pauses.iter().filter(|pause| pause.task == path).map(TimelinePause::of).collect(),
            node_id: path.node,
        }
    }
}

/// Get the timeline of a run.
///
/// Every node that has begun, also inside of loops, in the order in which they began: with attempts, waits
/// and times.
#[utoipa::path(
    get, path = "/run/{run_id}/timeline/", tag = "runs", operation_id = "getRunTimeline",
    params(RunId),
    responses(
        (status = 200, description = "The work of the run's nodes.", body = Vec<TimelineEntry>, example = json!(examples::timeline())),
        RunMissing, ServerProblems,
    )
)]
pub(crate) async fn run_timeline(
    State(state): State<AppState>,
    RunId(id): RunId,
) -> Result<Answer<Vec<TimelineEntry>>, Problem> {
    let detail = detail_of(&state, id).await?;
    let (snapshot, _) = snapshot_of(&state, detail).await?;
    let (run, plan, now) = (&snapshot.state, &snapshot.plan, clock::now());
    Ok(Answer(run.timeline(plan).into_iter().map(|task| TimelineEntry::of(task, run, plan, now)).collect()))
}
