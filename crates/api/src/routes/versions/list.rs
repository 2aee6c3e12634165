//! `GET /wf/{workflow_id}/versions/`

use axum::Json as JsonResponse;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use sluice_persistence::{Search, TimeRange, VersionFilter, VersionOrder};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{ServerProblems, WorkflowMissing};
use crate::extract::pagination::{ListQuery, ListResponse};
use crate::extract::path::WorkflowId;
use crate::extract::query::{FromQuery, Query, QueryReader};
use crate::openapi::examples;
use crate::routes::stored_rows::skip_unreadable;
use crate::routes::versions::WorkflowVersion;
use crate::state::AppState;

/// Filter of versions.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionQuery {
    /// Search words, at most 8. Each must match the start of a word in the note, name or description. Case is ignored.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    q: Option<Search>,
    /// Returns versions created at or after this time. The default time zone is UTC. A date means 00:00 on that day.
    #[param(value_type = String, example = "2026-11-23T00:00:00Z", required = false)]
    created_after: Option<DateTime<Utc>>,
    /// Returns versions created at or before this time. A date means 00:00 on that day: later times of the
    /// day are excluded.
    #[param(value_type = String, example = "2026-11-30", required = false)]
    created_before: Option<DateTime<Utc>>,
}

impl FromQuery for VersionQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self {
            q: reader.search("q"),
            created_after: reader.time("created_after"),
            created_before: reader.time("created_before"),
        }
    }
}

impl VersionQuery {
    fn into_filter(self, workflow_id: Uuid) -> VersionFilter {
        let created = TimeRange { from: self.created_after, to: self.created_before };
        VersionFilter { workflow_id, search: self.q, created }
    }
}

/// List the versions of a workflow.
///
/// Latest version first by default.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/versions/", tag = "versions", operation_id = "listVersions",
    params(
        WorkflowId,
        ListQuery<VersionOrder>, VersionQuery,
    ),
    responses(
        (status = 200, description = "The versions of the page.", body = Vec<WorkflowVersion>, example = json!([examples::version()])),
        WorkflowMissing, ServerProblems,
    )
)]
pub(crate) async fn version_list(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query((list, query)): Query<(ListQuery<VersionOrder>, VersionQuery)>,
    sent: RawQuery,
) -> Result<ListResponse<WorkflowVersion>, Problem> {
    let filter = query.into_filter(id);
    let page = state.db.version_list(filter.clone(), list.page_request()).await?;
    let page = page.ok_or_else(|| Resource::Workflow.not_found())?;
    let total = if list.count { Some(state.db.version_count(filter).await?) } else { None };
    let headers = list.response_headers(&sent, page.next, total);
    Ok((headers, JsonResponse(skip_unreadable(page.rows.into_iter().map(WorkflowVersion::try_from))?)))
}
