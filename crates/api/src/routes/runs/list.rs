//! Lists of runs.

use axum::Json as JsonResponse;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use sluice_domain::run::RunStatus;
use sluice_persistence::{RunDetail, RunFilter, RunOrder, Search};
use utoipa::IntoParams;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{ServerProblems, WorkflowMissing};
use crate::extract::pagination::{ListQuery, ListResponse};
use crate::extract::path::WorkflowId;
use crate::extract::query::{FromQuery, Query, QueryReader};
use crate::openapi::examples;
use crate::routes::runs::load_run_view;
use crate::routes::runs::view::Run;
use crate::routes::stored_rows::skip_unreadable;
use crate::state::AppState;

const STATUSES: &str = "PENDING, RUNNING, COMPLETED, FAILED, PAUSED, CANCELED";

/// Filter of runs.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunFilterQuery {
    /// Returns runs started at or after this time. The default time zone is UTC. A date means 00:00 on that day.
    #[param(value_type = String, example = "2026-11-23T00:00:00Z", required = false)]
    start_date: Option<DateTime<Utc>>,
    /// Returns runs started at or before this time. A date means 00:00 on that day: later times of the day
    /// are excluded.
    #[param(value_type = String, example = "2026-11-30", required = false)]
    end_date: Option<DateTime<Utc>>,
    /// Returns runs with this status.
    #[param(value_type = RunStatus, required = false)]
    status: Option<RunStatus>,
    /// Returns runs of this type.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    run_type: Option<String>,
}

impl FromQuery for RunFilterQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self {
            start_date: reader.time("start_date"),
            end_date: reader.time("end_date"),
            status: reader.one_of("status", STATUSES),
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

/// Filter of runs by their workflow.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WorkflowSearchQuery {
    /// Search words, at most 8. Each must match the start of a word in the name or description of the workflow. Case is
    /// ignored.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    q: Option<Search>,
    /// Returns runs of workflows with this tag.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    tag: Option<String>,
}

impl FromQuery for WorkflowSearchQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self { q: reader.search("q"), tag: reader.text("tag") }
    }
}

impl WorkflowSearchQuery {
    /// Adds this filter to another filter.
    pub(crate) fn apply_to(self, filter: RunFilter) -> RunFilter {
        RunFilter { search: self.q, tag: self.tag, ..filter }
    }
}

/// Filter of runs by their parent.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ParentQuery {
    /// If true, excludes runs with a `parent_run_id`, such as reruns and rows of batches.
    #[param(default = true, required = false)]
    parent_only: bool,
}

impl FromQuery for ParentQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self { parent_only: reader.flag("parent_only", true) }
    }
}

/// Returns a page of runs with its pagination headers.
async fn respond(
    state: &AppState,
    list: &ListQuery<RunOrder>,
    filter: RunFilter,
    sent: &RawQuery,
) -> Result<ListResponse<Run>, Problem> {
    let total = count_if_requested(state, list, &filter).await?;
    let page = state.db.run_list(filter, list.page_request()).await?;
    let headers = list.response_headers(sent, page.next, total);
    Ok((headers, JsonResponse(run_views(state, page.rows).await?)))
}

/// Counts the runs if the query has `count=true`.
pub(crate) async fn count_if_requested(
    state: &AppState,
    list: &ListQuery<RunOrder>,
    filter: &RunFilter,
) -> Result<Option<u64>, Problem> {
    Ok(if list.count { Some(state.db.run_count(filter.clone()).await?) } else { None })
}

/// Converts runs for responses. Skips unreadable ones.
pub(crate) async fn run_views(state: &AppState, details: Vec<RunDetail>) -> Result<Vec<Run>, Problem> {
    let mut runs = Vec::new();
    for detail in details {
        runs.push(load_run_view(state, detail).await);
    }
    skip_unreadable(runs)
}

/// List the runs of a workflow.
///
/// Newest first by default.
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
) -> Result<ListResponse<Run>, Problem> {
    let filter = RunFilter { workflow_id: Some(id), ..query.into() };
    let (headers, runs) = respond(&state, &list, filter, &sent).await?;
    // A workflow with runs exists, so only an empty list needs the check.
    if runs.is_empty() && state.db.latest_version_id(id).await?.is_none() {
        return Err(Resource::Workflow.not_found());
    }
    Ok((headers, runs))
}

/// List runs.
///
/// Runs of all workflows, newest first by default. Excludes reruns and rows of batches, unless
/// `parent_only=false`.
#[utoipa::path(
    get, path = "/run/", tag = "runs", operation_id = "listRuns",
    params(ListQuery<RunOrder>, ParentQuery, RunFilterQuery, WorkflowSearchQuery),
    responses(
        (status = 200, description = "The runs of the page.", body = Vec<Run>, example = json!([examples::completed_run()])),
        ServerProblems,
    )
)]
pub(crate) async fn run_list(
    State(state): State<AppState>,
    Query((list, (parent, (query, search)))): Query<RunListQuery>,
    sent: RawQuery,
) -> Result<ListResponse<Run>, Problem> {
    let filter = RunFilter { parent_only: parent.parent_only, ..search.apply_to(query.into()) };
    respond(&state, &list, filter, &sent).await
}

/// The query of a list of runs.
type RunListQuery = (ListQuery<RunOrder>, (ParentQuery, (RunFilterQuery, WorkflowSearchQuery)));
