//! Looking at runs, and canceling them.

use axum::Json as Answer;
use axum::extract::State;
use chrono::{DateTime, Utc};
use sluice_domain::run::RunStatus;
use sluice_persistence::{Page, RunFilter};
use utoipa::IntoParams;

use super::again::keep_change;
use super::view::{Run, run_view};
use super::{detail_of, detail_view};
use crate::extract::{FromQuery, Query, Reader, RunId, WorkflowId};
use crate::once::Once;
use crate::problem::Problem;
use crate::refusal::Resource;
use crate::responses::{EndedRun, QueryProblems, RunMissing, ServerProblems, WorkflowMissing};
use crate::routes::{PageQuery, readable};
use crate::{AppState, examples, schema};

const STATUSES: &str = "PENDING, RUNNING, COMPLETED, FAILED, PAUSED, CANCELED";

/// Which runs of a workflow.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WorkflowRunQuery {
    /// Only runs that began at this time or later. Without an offset it is UTC; a date is its midnight.
    #[param(value_type = String, example = "2026-11-23T00:00:00Z", required = false)]
    start_date: Option<DateTime<Utc>>,
    /// Only runs that began at this time or before.
    #[param(value_type = String, example = "2026-11-30", required = false)]
    end_date: Option<DateTime<Utc>>,
    /// Only runs with this status.
    #[param(value_type = schema::RunStatus, required = false)]
    status: Option<RunStatus>,
}

impl FromQuery for WorkflowRunQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self {
            start_date: reader.time("start_date"),
            end_date: reader.time("end_date"),
            status: reader.word("status", STATUSES),
        }
    }
}

/// Which runs.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunQuery {
    /// Only runs that no other run started.
    #[param(default = true, required = false)]
    parent_only: bool,
    /// Only runs that were called this.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    run_type: Option<String>,
}

impl FromQuery for RunQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self { parent_only: reader.flag("parent_only", true), run_type: reader.text("run_type") }
    }
}

/// Two queries of one request, read as one.
impl<A: FromQuery, B: FromQuery> FromQuery for (A, B) {
    fn from_query(reader: &mut Reader) -> Self {
        (A::from_query(reader), B::from_query(reader))
    }
}

pub(crate) async fn listed(state: &AppState, filter: RunFilter, page: Page) -> Result<Vec<Run>, Problem> {
    let mut runs = Vec::new();
    for detail in state.db.runs(filter, page).await? {
        runs.push(detail_view(state, detail).await);
    }
    readable(runs)
}

/// List the runs of a workflow.
///
/// The newest first.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/runs/", tag = "runs", operation_id = "listWorkflowRuns",
    params(
        ("workflow_id" = String, Path, description = "The id of the workflow.", example = json!(examples::WORKFLOW_ID)),
        PageQuery, WorkflowRunQuery,
    ),
    responses(
        (status = 200, description = "The runs of the page.", body = Vec<Run>, example = json!([examples::paused_run()])),
        WorkflowMissing, QueryProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_run_list(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query((page, query)): Query<(PageQuery, WorkflowRunQuery)>,
) -> Result<Answer<Vec<Run>>, Problem> {
    let WorkflowRunQuery { start_date, end_date, status } = query;
    let filter = RunFilter { workflow_id: Some(id), status, start_date, end_date, ..RunFilter::default() };
    let runs = listed(&state, filter, page.into()).await?;
    // Whoever gets runs knows that the workflow exists: the store is asked for an empty list alone.
    if runs.is_empty() && state.db.latest_version_id(id).await?.is_none() {
        return Err(Resource::Workflow.missing());
    }
    Ok(Answer(runs))
}

/// List runs.
///
/// Of all workflows, the newest first.
#[utoipa::path(
    get, path = "/run/", tag = "runs", operation_id = "listRuns",
    params(PageQuery, RunQuery),
    responses(
        (status = 200, description = "The runs of the page.", body = Vec<Run>, example = json!([examples::completed_run()])),
        QueryProblems, ServerProblems,
    )
)]
pub(crate) async fn run_list(
    State(state): State<AppState>,
    Query((page, query)): Query<(PageQuery, RunQuery)>,
) -> Result<Answer<Vec<Run>>, Problem> {
    let RunQuery { parent_only, run_type } = query;
    let filter = RunFilter { parent_only, run_type, ..RunFilter::default() };
    listed(&state, filter, page.into()).await.map(Answer)
}

/// Get a run.
///
/// With its tasks, outputs and the version that it is pinned to.
#[utoipa::path(
    get, path = "/run/{run_id}/", tag = "runs", operation_id = "getRun",
    params(("run_id" = String, Path, description = "The id of the run.", example = json!(examples::RUN_ID))),
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
    params(("run_id" = String, Path, description = "The id of the run.", example = json!(examples::RUN_ID))),
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
    params(("run_id" = String, Path, description = "The id of the run.", example = json!(examples::RUN_ID))),
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
    let remember = keep_change(&state, id, &once).await?;
    let snapshot =
        state.engine.run_cancel(id, remember).await.map_err(|error| Resource::Run.engine(error))?;
    let version = state.db.version(snapshot.record.version_id).await?;
    super::with_rows(&state, &snapshot, run_view(&snapshot, version)?).await.map(Answer)
}
