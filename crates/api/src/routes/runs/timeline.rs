//! `GET /run/{run_id}/timeline/`

use axum::Json as JsonResponse;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sluice_domain::run::{Plan, RunState, TaskStatus, TimelineTask};
use sluice_domain::{pause::PauseAction, run::Pause};
use sluice_engine::clock;
use utoipa::ToSchema;

use crate::error::Problem;
use crate::error::responses::{RunMissing, ServerProblems};
use crate::extract::path::RunId;
use crate::openapi::examples;
use crate::routes::runs::events::Iteration;
use crate::routes::runs::view::Attempt;
use crate::routes::runs::{load_run, load_snapshot};
use crate::state::AppState;
use crate::timestamp::Timestamp;

/// A node in the timeline. A node in a loop has one entry per iteration.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelineEntry {
    /// Id of the node.
    node_id: String,
    /// Title of the node.
    title: String,
    /// Node type.
    node_type: String,
    /// Iterations of the enclosing loops, outermost first. Empty outside of loops.
    iterations: Vec<Iteration>,
    /// Status.
    status: TaskStatus,
    /// Time at which the node was last queued to run. Null for all nodes except Python nodes.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    queued_time: Option<Timestamp>,
    /// Start time.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    start_time: Option<Timestamp>,
    /// End time.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    end_time: Option<Timestamp>,
    /// Time from `start_time` to `end_time` or now, in seconds. Includes waits for retries and decisions.
    #[schema(required = true, minimum = 0)]
    duration: Option<f64>,
    /// Error message.
    #[schema(required = true)]
    error: Option<String>,
    /// Attempts of a Python node. Empty for other nodes.
    attempts: Vec<Attempt>,
    /// True if the output was reused from the original run of a rerun.
    reused: bool,
    /// Pauses of the node.
    pauses: Vec<TimelinePause>,
}

/// A pause in the timeline.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelinePause {
    /// Time at which the pause was opened.
    #[schema(value_type = String, format = DateTime)]
    pause_time: Timestamp,
    /// Time of the decision.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    resume_time: Option<Timestamp>,
    /// The decision.
    #[schema(required = true)]
    resume_action: Option<PauseAction>,
    /// The person who decided.
    #[schema(required = true)]
    resume_user_id: Option<String>,
}

impl TimelinePause {
    fn new(pause: &Pause) -> Self {
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
    fn new(task: TimelineTask, state: &RunState, plan: &Plan, now: DateTime<Utc>) -> Self {
        let TimelineTask { path, title, status, task } = task;
        let attempts = Attempt::of_task(&task.attempts, status);
        let time_since = |start: DateTime<Utc>| task.ended_at.unwrap_or(now) - start;
        let duration = task.started_at.map(|start| time_since(start).as_seconds_f64().max(0.0));
        let level = plan.level(&path.scope);
        let node = level.and_then(|level| Some(&level.nodes[level.index(&path.node)?]));
        Self {
            iterations: Iteration::enclosing(&path),
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
            pauses: state.pauses.iter().filter(|pause| pause.task == path).map(TimelinePause::new).collect(),
            node_id: path.node,
        }
    }
}

/// Get the timeline of a run.
///
/// Returns every node that has started, including those in loops, in order of start time, with attempts, waits and
/// times.
#[utoipa::path(
    get, path = "/run/{run_id}/timeline/", tag = "runs", operation_id = "getRunTimeline",
    params(RunId),
    responses(
        (status = 200, description = "The timeline.", body = Vec<TimelineEntry>, example = json!(examples::timeline())),
        RunMissing, ServerProblems,
    )
)]
pub(crate) async fn run_timeline(
    State(state): State<AppState>,
    RunId(id): RunId,
) -> Result<JsonResponse<Vec<TimelineEntry>>, Problem> {
    let detail = load_run(&state, id).await?;
    let (snapshot, _) = load_snapshot(&state, detail).await?;
    let (run, plan, now) = (&snapshot.state, &snapshot.plan, clock::now());
    Ok(JsonResponse(
        run.timeline(plan).into_iter().map(|task| TimelineEntry::new(task, run, plan, now)).collect(),
    ))
}
