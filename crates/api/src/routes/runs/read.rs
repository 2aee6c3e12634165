//! Looking at runs, and canceling them.

use axum::Json as Answer;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use sluice_domain::run::RunStatus;
use sluice_persistence::{RunDetail, RunFilter, RunOrder, Search};
use utoipa::IntoParams;

use super::again::keep_change;
use super::view::{Run, run_view};
use super::{detail_of, detail_view};
use crate::audit;
use crate::extract::{FromQuery, Query, Reader, RunId, WorkflowId};
use crate::lists::{ListAnswer, ListQuery};
use crate::once::Once;
use crate::problem::Problem;
use crate::refusal::Resource;
use crate::responses::{EndedRun, RunMissing, ServerProblems, WorkflowMissing};
use crate::routes::readable;
use crate::{AppState, examples, schema};

const STATUSES: &str = "PENDING, RUNNING, COMPLETED, FAILED, PAUSED, CANCELED";

/// Which runs.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunFilterQuery {
    /// Only runs that began at this time or later. Without an offset it is UTC; a date is its midnight.
    #[param(value_type = String, example = "2026-11-23T00:00:00Z", required = false)]
    start_date: Option<DateTime<Utc>>,
    /// Only runs that began at this time or before.
    #[param(value_type = String, example = "2026-11-30", required = false)]
    end_date: Option<DateTime<Utc>>,
    /// Only runs with this status.
    #[param(value_type = schema::RunStatus, required = false)]
    status: Option<RunStatus>,
    /// Only runs that were called this.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    run_type: Option<String>,
}

impl FromQuery for RunFilterQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self {
            start_date: reader.time("start_date"),
            end_date: reader.time("end_date"),
            status: reader.word("status", STATUSES),
            run_type: reader.text("run_type"),
        }
    }
}

impl From<RunFilterQuery> for RunFilter {
    fn from(query: RunFilterQuery) -> Self {
        let RunFilterQuery { start_date, end_date, status, run_type } = query;
        Self { start_date, end_date, status, run_type, ..Self::default() }
    }
}

/// Runs of which workflows.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// Only runs of workflows whose name or description has, for each word of this, one that begins with it: 8 words
    /// at most. Small and capital letters are the same.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    q: Option<Search>,
    /// Only runs of workflows that are filed under this tag.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    tag: Option<String>,
}

impl FromQuery for SearchQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self { q: reader.search("q"), tag: reader.text("tag") }
    }
}

impl SearchQuery {
    /// A filter that asks for this too.
    pub(crate) fn within(self, filter: RunFilter) -> RunFilter {
        RunFilter { search: self.q, tag: self.tag, ..filter }
    }
}

/// Runs of all workflows.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ParentQuery {
    /// Only runs that no other run started.
    #[param(default = true, required = false)]
    parent_only: bool,
}

impl FromQuery for ParentQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self { parent_only: reader.flag("parent_only", true) }
    }
}

/// Two queries of one request, read as one.
impl<A: FromQuery, B: FromQuery> FromQuery for (A, B) {
    fn from_query(reader: &mut Reader) -> Self {
        (A::from_query(reader), B::from_query(reader))
    }
}

/// A part of a list of runs, as it is answered.
async fn answer(
    state: &AppState,
    list: &ListQuery<RunOrder>,
    filter: RunFilter,
    sent: &RawQuery,
) -> Result<ListAnswer<Run>, Problem> {
    let total = counted(state, list, &filter).await?;
    let found = state.db.runs(filter, list.part()).await?;
    let headers = list.headers(sent, found.next, total);
    Ok((headers, Answer(views(state, found.rows).await?)))
}

/// How many runs there are, if that is to be said.
pub(crate) async fn counted(
    state: &AppState,
    list: &ListQuery<RunOrder>,
    filter: &RunFilter,
) -> Result<Option<u64>, Problem> {
    Ok(if list.count { Some(state.db.run_count(filter.clone()).await?) } else { None })
}

/// Runs as clients see them.
pub(crate) async fn views(state: &AppState, found: Vec<RunDetail>) -> Result<Vec<Run>, Problem> {
    let mut runs = Vec::new();
    for detail in found {
        runs.push(detail_view(state, detail).await);
    }
    readable(runs)
}

/// List the runs of a workflow.
///
/// The newest first, unless `sort` says otherwise.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/runs/", tag = "runs", operation_id = "listWorkflowRuns",
    params(
        WorkflowId,
        ListQuery<RunOrder>, RunFilterQuery,
    ),
    responses(
        (status = 200, description = "The runs of the page.", body = Vec<Run>, example = json!([examples::paused_run()])),
        WorkflowMissing, ServerProblems,
    )
)]
pub(crate) async fn workflow_run_list(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query((list, query)): Query<(ListQuery<RunOrder>, RunFilterQuery)>,
    sent: RawQuery,
) -> Result<ListAnswer<Run>, Problem> {
    let filter = RunFilter { workflow_id: Some(id), ..query.into() };
    let (headers, runs) = answer(&state, &list, filter, &sent).await?;
    // Whoever gets runs knows that the workflow exists: the store is asked for an empty list alone.
    if runs.is_empty() && state.db.latest_version_id(id).await?.is_none() {
        return Err(Resource::Workflow.missing());
    }
    Ok((headers, runs))
}

/// List runs.
///
/// Of all workflows, the newest first, unless `sort` says otherwise.
#[utoipa::path(
    get, path = "/run/", tag = "runs", operation_id = "listRuns",
    params(ListQuery<RunOrder>, ParentQuery, RunFilterQuery, SearchQuery),
    responses(
        (status = 200, description = "The runs of the page.", body = Vec<Run>, example = json!([examples::completed_run()])),
        ServerProblems,
    )
)]
pub(crate) async fn run_list(
    State(state): State<AppState>,
    Query((list, (parent, (query, search)))): Query<RunList>,
    sent: RawQuery,
) -> Result<ListAnswer<Run>, Problem> {
    let filter = RunFilter { parent_only: parent.parent_only, ..search.within(query.into()) };
    answer(&state, &list, filter, &sent).await
}

/// A part of the list of runs.
type RunList = (ListQuery<RunOrder>, (ParentQuery, (RunFilterQuery, SearchQuery)));

/// Get a run.
///
/// With its tasks, outputs and the version that it is pinned to.
#[utoipa::path(
    get, path = "/run/{run_id}/", tag = "runs", operation_id = "getRun",
    params(RunId),
    responses(
        (status = 200, description = "The run.", body = Run, example = json!(examples::completed_run())),
        RunMissing, ServerProblems,
    )
)]
pub(crate) async fn run_get(State(state): State<AppState>, RunId(id): RunId) -> Result<Answer<Run>, Problem> {
    let detail = detail_of(&state, id).await?;
    detail_view(&state, detail).await.map(Answer)
}

/// Get the status of a run.
///
/// The same answer as getRun, under the path that pollers use.
#[utoipa::path(
    get, path = "/run/{run_id}/status/", tag = "runs", operation_id = "getRunStatus",
    params(RunId),
    responses(
        (status = 200, description = "The run.", body = Run, example = json!(examples::paused_run())),
        RunMissing, ServerProblems,
    )
)]
pub(crate) async fn run_status(
    State(state): State<AppState>,
    RunId(id): RunId,
) -> Result<Answer<Run>, Problem> {
    let detail = detail_of(&state, id).await?;
    detail_view(&state, detail).await.map(Answer)
}

/// Cancel a run.
///
/// A run that is pending, running or paused ends `CANCELED`, and so does what of it has not ended.
#[utoipa::path(
    post, path = "/wf/cancel_workflow/{run_id}/", tag = "runs", operation_id = "cancelRun",
    params(RunId),
    responses(
        (status = 200, description = "The run, canceled.", body = Run, example = json!(examples::canceled_run())),
        RunMissing, EndedRun, ServerProblems,
    )
)]
pub(crate) async fn run_cancel(
    State(state): State<AppState>,
    RunId(id): RunId,
    once: Once,
) -> Result<Answer<Run>, Problem> {
    let remember = keep_change(&state, id, &once, audit::run).await?;
    let snapshot =
        state.engine.run_cancel(id, remember).await.map_err(|error| Resource::Run.engine(error))?;
    let version = state.db.version(snapshot.record.version_id).await?;
    super::with_rows(&state, &snapshot, run_view(&snapshot, version)?).await.map(Answer)
}
