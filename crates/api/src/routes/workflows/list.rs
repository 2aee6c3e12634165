//! `GET /wf/`

use axum::Json as JsonResponse;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use sluice_persistence::{Search, TimeRange, WorkflowFilter, WorkflowOrder};
use utoipa::IntoParams;

use crate::error::Problem;
use crate::error::responses::ServerProblems;
use crate::extract::pagination::{ListQuery, ListResponse};
use crate::extract::query::{FromQuery, Query, QueryReader};
use crate::openapi::examples;
use crate::routes::stored_rows::skip_unreadable;
use crate::routes::workflows::Workflow;
use crate::state::AppState;

/// Filter of workflows.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WorkflowQuery {
    /// Search words, at most 8. Each must match the start of a word in the name or description. Case is ignored.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    q: Option<Search>,
    /// Returns workflows with this tag.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    tag: Option<String>,
    /// Returns workflows created at or after this time. The default time zone is UTC. A date means 00:00 on that day.
    #[param(value_type = String, example = "2026-11-23T00:00:00Z", required = false)]
    created_after: Option<DateTime<Utc>>,
    /// Returns workflows created at or before this time. A date means 00:00 on that day: later times of the
    /// day are excluded.
    #[param(value_type = String, example = "2026-11-30", required = false)]
    created_before: Option<DateTime<Utc>>,
    /// Returns workflows last saved at or after this time. The default time zone is UTC. A date means 00:00
    /// on that day. Changes the default of `sort` to `-updated_at`.
    #[param(value_type = String, example = "2026-11-23T00:00:00Z", required = false)]
    updated_after: Option<DateTime<Utc>>,
    /// Returns workflows last saved at or before this time. A date means 00:00 on that day: later times of
    /// the day are excluded. Changes the default of `sort` to `-updated_at`.
    #[param(value_type = String, example = "2026-11-30", required = false)]
    updated_before: Option<DateTime<Utc>>,
}

impl FromQuery for WorkflowQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self {
            q: reader.search("q"),
            tag: reader.text("tag"),
            created_after: reader.time("created_after"),
            created_before: reader.time("created_before"),
            updated_after: reader.time("updated_after"),
            updated_before: reader.time("updated_before"),
        }
    }
}

impl From<WorkflowQuery> for WorkflowFilter {
    fn from(query: WorkflowQuery) -> Self {
        Self {
            search: query.q,
            tag: query.tag,
            created: TimeRange { from: query.created_after, to: query.created_before },
            updated: TimeRange { from: query.updated_after, to: query.updated_before },
        }
    }
}

/// The query of a list of workflows. A filter by the time of the last save changes the default sort order.
pub(crate) struct WorkflowListQuery(ListQuery<WorkflowOrder>, WorkflowFilter);

impl FromQuery for WorkflowListQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        let filter = WorkflowFilter::from(WorkflowQuery::from_query(reader));
        let is_filtered_by_update = filter.updated != TimeRange::default();
        Self(
            ListQuery::with_default(
                reader,
                if is_filtered_by_update { "-updated_at" } else { "-created_at" },
            ),
            filter,
        )
    }
}

/// List workflows.
///
/// Newest first by default.
#[utoipa::path(
    get, path = "/wf/", tag = "workflows", operation_id = "listWorkflows",
    params(ListQuery<WorkflowOrder>, WorkflowQuery),
    responses(
        (status = 200, description = "The workflows of the page.", body = Vec<Workflow>, example = json!([examples::workflow()])),
        ServerProblems,
    )
)]
pub(crate) async fn workflow_list(
    State(state): State<AppState>,
    Query(WorkflowListQuery(list, filter)): Query<WorkflowListQuery>,
    sent: RawQuery,
) -> Result<ListResponse<Workflow>, Problem> {
    let total = if list.count { Some(state.db.workflow_count(filter.clone()).await?) } else { None };
    let page = state.db.workflow_list(filter, list.page_request()).await?;
    let headers = list.response_headers(&sent, page.next, total);
    Ok((headers, JsonResponse(skip_unreadable(page.rows.into_iter().map(Workflow::try_from))?)))
}
