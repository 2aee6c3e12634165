//! The list of workflows.

use axum::Json as Answer;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use sluice_persistence::{Between, Search, WorkflowFilter, WorkflowOrder};
use utoipa::IntoParams;

use super::readable;
use super::workflows::Workflow;
use crate::extract::{FromQuery, Query, Reader};
use crate::lists::{ListAnswer, ListQuery};
use crate::problem::Problem;
use crate::responses::ServerProblems;
use crate::{AppState, examples};

/// Which workflows.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WorkflowQuery {
    /// Only workflows whose name or description has, for each word of this, one that begins with it: 8 words at
    /// most. Small and capital letters are the same.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    q: Option<Search>,
    /// Only workflows that are filed under this tag.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    tag: Option<String>,
    /// Only workflows that were created at this time or later. Without an offset it is UTC; a date is its midnight.
    #[param(value_type = String, example = "2026-11-23T00:00:00Z", required = false)]
    created_after: Option<DateTime<Utc>>,
    /// Only workflows that were created at this time or before.
    #[param(value_type = String, example = "2026-11-30", required = false)]
    created_before: Option<DateTime<Utc>>,
    /// Only workflows that were saved last at this time or later; then the default of `sort` is `-updated_at`.
    #[param(value_type = String, example = "2026-11-23T00:00:00Z", required = false)]
    updated_after: Option<DateTime<Utc>>,
    /// Only workflows that were saved last at this time or before; then the default of `sort` is `-updated_at`.
    #[param(value_type = String, example = "2026-11-30", required = false)]
    updated_before: Option<DateTime<Utc>>,
}

impl FromQuery for WorkflowQuery {
    fn from_query(reader: &mut Reader) -> Self {
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
            created: Between { from: query.created_after, to: query.created_before },
            updated: Between { from: query.updated_after, to: query.updated_before },
        }
    }
}

/// A part of the list of workflows. Who asks for a time of saving gets them by it, unless told otherwise.
pub(crate) struct WorkflowList(ListQuery<WorkflowOrder>, WorkflowFilter);

impl FromQuery for WorkflowList {
    fn from_query(reader: &mut Reader) -> Self {
        let filter = WorkflowFilter::from(WorkflowQuery::from_query(reader));
        let is_by_saving = filter.updated != Between::default();
        Self(ListQuery::sorted(reader, if is_by_saving { "-updated_at" } else { "-created_at" }), filter)
    }
}

/// List workflows.
///
/// The newest first, unless `sort` says otherwise.
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
    Query(WorkflowList(list, filter)): Query<WorkflowList>,
    sent: RawQuery,
) -> Result<ListAnswer<Workflow>, Problem> {
    let total = if list.count { Some(state.db.workflow_count(filter.clone()).await?) } else { None };
    let found = state.db.workflows(filter, list.part()).await?;
    let headers = list.headers(&sent, found.next, total);
    Ok((headers, Answer(readable(found.rows.into_iter().map(Workflow::try_from))?)))
}
