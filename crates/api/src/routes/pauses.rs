//! Pauses: the gates at which runs wait for a person, and the person's decisions.

use axum::Json as Answer;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sluice_domain::pause::{Pause, PauseAction, PauseDecision, pause_ids};
use sluice_domain::run::{Event, RunState, TaskPath};
use sluice_engine::Snapshot;
use sluice_persistence::{RunDetail, RunFilter, RunOrder};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::runs::again::keep_change;
use super::runs::read::{RunFilterQuery, SearchQuery, counted};
use super::runs::{Run, detail_of, run_view};
use super::{readable, stored_json};
use crate::access::Caller;
use crate::audit::{self, Changed};
use crate::extract::{Json, Query, RunId, no_control_characters};
use crate::lists::{ListAnswer, ListQuery};
use crate::once::Once;
use crate::problem::Problem;
use crate::refusal::Resource;
use crate::responses::{BodyProblems, NoOpenPause, RunMissing, ServerProblems};
use crate::time::Timestamp;
use crate::values::Fields;
use crate::{AppState, examples, schema};

/// A person's decision on an open pause.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct ResumeRunRequest {
    /// What the person gives along; its use depends on the action.
    #[schema(value_type = Fields)]
    inputs: Map<String, Value>,
    /// Who decides.
    #[schema(max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    #[validate(length(max = 255), custom(function = no_control_characters))]
    user_id: String,
    /// What is decided.
    #[schema(value_type = schema::PauseAction)]
    action: PauseAction,
    /// The person's words.
    #[serde(default)]
    #[schema(required = false, nullable = true)]
    comments: Option<String>,
    /// The gate that is meant; none: the oldest open one.
    #[serde(default)]
    #[schema(required = false, nullable = true)]
    node_id: Option<String>,
}

/// One stop of a run at a gate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PauseHistory {
    /// `PH_{run id}_{node id}`; where a gate stopped the run several times, the later ones are numbered.
    id: String,
    /// The run.
    run_id: Uuid,
    /// The gate.
    node_id: String,
    /// What is shown to the person.
    #[schema(required = true)]
    pause_message: Option<String>,
    /// When the run came to the gate.
    #[schema(value_type = String, format = DateTime)]
    pause_time: Timestamp,
    /// When a person decided.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    resume_time: Option<Timestamp>,
    /// Who decided.
    #[schema(required = true)]
    resume_user_id: Option<String>,
    /// What was decided.
    #[schema(value_type = Option<schema::PauseAction>, required = true, nullable = true)]
    resume_action: Option<PauseAction>,
    /// What waits, or waited, at the gate.
    #[schema(value_type = Option<Fields>, required = true, nullable = true)]
    input_data: Option<Arc<Value>>,
    /// The person's words.
    #[schema(required = true)]
    comments: Option<String>,
}

/// A run with an open pause.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PausedWorkflow {
    /// The run.
    run: Run,
    /// The open pause that began last.
    current_pause: PauseHistory,
    /// The definition that the run is pinned to, with the workflow's id and name.
    #[schema(value_type = schema::PinnedDefinition)]
    workflow: Box<RawValue>,
}

impl PauseHistory {
    fn of(run_id: Uuid, pause: &Pause, id: String) -> Self {
        let node_id = pause.task.node.clone();
        let (decision, at) = pause.decided.as_ref().map(|(decision, at)| (decision, *at)).unzip();
        Self {
            id,
            run_id,
            node_id,
            pause_message: Some(pause.message.clone()),
            pause_time: Timestamp(pause.opened_at),
            resume_time: at.map(Timestamp),
            resume_user_id: decision.map(|decision| decision.user_id.clone()),
            resume_action: decision.map(|decision| decision.action),
            input_data: Some(Arc::clone(&pause.input)),
            comments: decision.and_then(|decision| decision.comments.clone()),
        }
    }

    /// Every pause of a run, the newest first, with whether it is open.
    fn all(run_id: Uuid, state: &RunState) -> Vec<(Self, bool)> {
        let ended = state.status.is_terminal();
        let mut pauses: Vec<_> = state
            .pauses
            .iter()
            .zip(pause_ids(run_id, &state.pauses))
            .map(|(pause, id)| (Self::of(run_id, pause, id), pause.is_open() && !ended))
            .collect();
        pauses.reverse();
        pauses
    }
}

impl From<ResumeRunRequest> for (Option<String>, PauseDecision) {
    fn from(request: ResumeRunRequest) -> Self {
        let ResumeRunRequest { inputs, user_id, action, comments, node_id } = request;
        (node_id, PauseDecision { action, user_id, inputs: Arc::new(inputs), comments })
    }
}

/// List paused workflows.
///
/// Every run with an open pause, the newest first, unless `sort` says otherwise.
#[utoipa::path(
    get, path = "/wf/paused_workflows/", tag = "pauses", operation_id = "listPausedWorkflows",
    params(ListQuery<RunOrder>, RunFilterQuery, SearchQuery),
    responses(
        (status = 200, description = "The paused runs of the page.", body = Vec<PausedWorkflow>,
            example = json!([examples::paused_workflow()])),
        ServerProblems,
    )
)]
pub(crate) async fn paused_workflow_list(
    State(state): State<AppState>,
    Query((list, (query, found))): Query<(ListQuery<RunOrder>, (RunFilterQuery, SearchQuery))>,
    sent: RawQuery,
) -> Result<ListAnswer<PausedWorkflow>, Problem> {
    let filter = RunFilter { has_open_pause: Some(true), ..found.within(query.into()) };
    let total = counted(&state, &list, &filter).await?;
    let found = state.db.runs(filter, list.part()).await?;
    let mut paused = Vec::new();
    for detail in found.rows {
        paused.push(paused_workflow(&state, detail).await.transpose());
    }
    let headers = list.headers(&sent, found.next, total);
    Ok((headers, Answer(readable(paused.into_iter().flatten())?)))
}

/// The run with its open pause; none when its record says more than its log.
async fn paused_workflow(state: &AppState, detail: RunDetail) -> Result<Option<PausedWorkflow>, Problem> {
    let RunDetail { record, log, version } = detail;
    let id = record.id;
    let snapshot = state.engine.snapshot(record, &log).await.map_err(|error| Resource::Run.engine(error))?;
    let pauses = PauseHistory::all(id, &snapshot.state).into_iter();
    let Some(current_pause) = pauses.filter(|(_, open)| *open).map(|(pause, _)| pause).next() else {
        return Ok(None);
    };
    // The workflow may have been renamed since; one that is gone takes its runs along.
    let Some(current) = state.db.workflow(version.workflow_id).await? else { return Ok(None) };
    let workflow = pinned(&version, &current.name)?;
    Ok(Some(PausedWorkflow { run: run_view(&snapshot, Some(version))?, current_pause, workflow }))
}

/// The definition of a version with the workflow's id and name before its own fields.
fn pinned(version: &sluice_persistence::VersionRow, name: &str) -> Result<Box<RawValue>, Problem> {
    let name = serde_json::to_string(name).map_err(Problem::internal)?;
    let fields = version.definition.trim_start().strip_prefix('{').unwrap_or_default().trim_start();
    let comma = if fields.starts_with('}') { "" } else { "," };
    let text = format!(r#"{{"id":"{}","name":{name}{comma}{fields}"#, version.workflow_id);
    stored_json(text, "workflow_versions", version.id)
}

/// List the pauses of a run.
///
/// Open and decided, the newest first: who decided them, when, how and with which words.
#[utoipa::path(
    get, path = "/wf/pause_history/{run_id}/", tag = "pauses", operation_id = "listPauseHistory",
    params(RunId),
    responses(
        (status = 200, description = "The pauses.", body = Vec<PauseHistory>, example = json!([examples::pause(true)])),
        RunMissing, ServerProblems,
    )
)]
pub(crate) async fn pause_history(
    State(state): State<AppState>,
    RunId(id): RunId,
) -> Result<Answer<Vec<PauseHistory>>, Problem> {
    let detail = detail_of(&state, id).await?;
    let pauses = PauseHistory::all(id, &RunState::from_log(&detail.log));
    Ok(Answer(pauses.into_iter().map(|(pause, _)| pause).collect()))
}

/// Decide a pause.
///
/// Decides the pause at `node_id`, or without one the oldest open pause, and lets the run go on. Of several
/// calls at once exactly one wins. What was answered survives a crash. With an API key `user_id` is the key's own name,
/// unless the key may act for others.
#[utoipa::path(
    post, path = "/wf/process_pause_action/{run_id}/", tag = "pauses", operation_id = "processPauseAction",
    params(RunId),
    request_body(content = ResumeRunRequest, description = "The decision.", example = json!(examples::resume())),
    responses(
        (status = 200, description = "The run, going on.", body = Run, example = json!(examples::completed_run())),
        RunMissing, BodyProblems, NoOpenPause, ServerProblems,
    )
)]
pub(crate) async fn pause_decide(
    State(state): State<AppState>,
    RunId(id): RunId,
    caller: Caller,
    once: Once,
    request: Result<Json<ResumeRunRequest>, Problem>,
) -> Result<Answer<Run>, Problem> {
    let Json(request) = match request {
        Ok(request) => request,
        Err(problem) => return Err(detail_of(&state, id).await.err().unwrap_or(problem)),
    };
    let (node_id, decision): (_, PauseDecision) = request.into();
    caller.acts_for(&decision.user_id)?;
    let remember = keep_change(&state, id, &once, decision_changes).await?;
    let decided = state.engine.pause_decide(id, node_id, decision, remember).await;
    let snapshot = decided.map_err(|error| Resource::Run.engine(error))?;
    let version = state.db.version(snapshot.record.version_id).await?;
    run_view(&snapshot, version).map(Answer)
}

/// What a decision changes: the run, and the pause that it decides.
fn decision_changes(run: &Snapshot) -> Vec<Changed> {
    let events = run.applied.iter().flat_map(|applied| &applied.events);
    let decided = events.filter_map(|event| match event {
        Event::PauseDecided { task, decision, at } => Some((task, decision, *at)),
        _ => None,
    });
    let pauses = PauseHistory::all(run.record.id, &run.state);
    let pause_of = |(task, decision, at): (&TaskPath, &PauseDecision, DateTime<Utc>)| {
        let is_it = |pause: &PauseHistory| {
            pause.node_id == task.node && pause.resume_time.is_some_and(|resumed| resumed.0 == at)
        };
        let (pause, _) = pauses.iter().find(|(pause, _)| is_it(pause))?;
        Some(audit::pause_decision(&pause.id, decision.action, &decision.user_id))
    };
    audit::run(run).into_iter().chain(decided.filter_map(pause_of)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_numbered_and_newest_first() {
        let task = |node: &str| TaskPath::new(&[], node);
        let at = DateTime::UNIX_EPOCH;
        let opened = |node: &str| Event::PauseOpened {
            task: task(node),
            message: "look".to_owned(),
            input: Arc::new(Value::Null),
            block_only_dependent_nodes: true,
            at,
        };
        let decision = PauseDecision {
            action: PauseAction::Approve,
            user_id: "ada".to_owned(),
            inputs: Arc::default(),
            comments: None,
        };
        let decided = Event::PauseDecided { task: task("gate"), decision, at };
        let events = [opened("gate"), decided, opened("other"), opened("gate")];
        let run_id = Uuid::nil();
        let pauses = PauseHistory::all(run_id, &RunState::from_log(&events));
        let shown: Vec<_> = pauses.iter().map(|(pause, open)| (pause.id.as_str(), *open)).collect();
        let id = |rest: &str| format!("PH_{run_id}_{rest}");
        let (second, other, first) = (id("gate_2"), id("other"), id("gate"));
        assert_eq!(shown, [(second.as_str(), true), (other.as_str(), true), (first.as_str(), false)]);
        assert_eq!(pauses[2].0.resume_user_id.as_deref(), Some("ada"));
    }
}
