//! `GET /audit/`

use axum::Json as JsonResponse;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sluice_persistence::{AuditFilter, AuditOrder, AuditRow, MAX_KEY_NAME_LENGTH, TimeRange};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::error::Problem;
use crate::error::responses::ServerProblems;
use crate::extract::pagination::{ListQuery, ListResponse};
use crate::extract::query::{FromQuery, Query, QueryReader};
use crate::openapi::examples;
use crate::state::AppState;
use crate::timestamp::Timestamp;

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// Id of the entry.
    id: Uuid,
    /// Time of the change.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Name of the API key. Null on a server without API keys and for `sluice` commands.
    #[schema(required = true)]
    actor: Option<String>,
    /// Operation id in the OpenAPI document, such as `updateWorkflow`. For changes by `sluice` commands:
    /// `import`, `keys create` or `keys revoke`.
    operation: String,
    /// Request id, as in the response header `x-request-id`.
    request_id: String,
    /// Type of the subject: `workflow`, `label`, `run`, `pause`, `dataset`, `file` or `key`.
    subject: String,
    /// Id of the subject. For a label: workflow id, `/` and label. For a file: its path.
    subject_id: String,
    /// State before the change. Workflow: the definition hash. Label: the version number, and `protected` if it is
    /// protected. Run: the status. Pause: `open`. Key: its scopes, its permission to act for others and its expiry.
    /// Null if the subject was new or has no state.
    #[schema(required = true)]
    before: Option<String>,
    /// State after the change, in the same form. Pause: the decision and the person. Null if the subject was deleted
    /// or has no state.
    #[schema(required = true)]
    after: Option<String>,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        let AuditRow { id, at, actor, operation, request_id, subject, subject_id, before, after } = row;
        Self { id, at: Timestamp(at), actor, operation, request_id, subject, subject_id, before, after }
    }
}

/// The maximum length of `subject_id`, in characters.
pub(crate) const MAX_SUBJECT_ID_LENGTH: usize = 512;

/// Filter of the audit log.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Returns changes made with the API key of this name.
    #[param(value_type = String, min_length = 1, max_length = 100, required = false)]
    actor: Option<String>,
    /// Returns changes made by this operation.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false, example = "updateWorkflow")]
    operation: Option<String>,
    /// Returns changes to the subject with this id.
    #[param(value_type = String, min_length = 1, max_length = 512, required = false)]
    subject_id: Option<String>,
    /// Returns changes made at or after this time. The default time zone is UTC. A date means 00:00 on that day.
    #[param(value_type = String, example = "2026-11-23T00:00:00Z", required = false)]
    after: Option<DateTime<Utc>>,
    /// Returns changes made at or before this time. A date means 00:00 on that day: later times of the day
    /// are excluded.
    #[param(value_type = String, example = "2026-11-30", required = false)]
    before: Option<DateTime<Utc>>,
}

impl FromQuery for AuditQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self {
            actor: reader.text_up_to(MAX_KEY_NAME_LENGTH, "actor"),
            operation: reader.text("operation"),
            subject_id: reader.text_up_to(MAX_SUBJECT_ID_LENGTH, "subject_id"),
            after: reader.time("after"),
            before: reader.time("before"),
        }
    }
}

impl From<AuditQuery> for AuditFilter {
    fn from(query: AuditQuery) -> Self {
        let AuditQuery { actor, operation, subject_id, after, before } = query;
        Self { actor, operation, subject_id, time: TimeRange { from: after, to: before } }
    }
}

/// List audit entries.
///
/// Returns the audit log, newest first: changes to workflows, labels, runs, pauses, datasets, files and API keys.
/// Includes starts of runs if the server has API keys. Entries never change and are never deleted.
#[utoipa::path(
    get, path = "/audit/", tag = "audit", operation_id = "listAudit",
    params(ListQuery<AuditOrder>, AuditQuery),
    responses(
        (status = 200, description = "The entries of the page.", body = Vec<AuditEntry>, example = json!([examples::audit_entry()])),
        ServerProblems,
    )
)]
pub(crate) async fn audit_list(
    State(state): State<AppState>,
    Query((list, query)): Query<(ListQuery<AuditOrder>, AuditQuery)>,
    sent: RawQuery,
) -> Result<ListResponse<AuditEntry>, Problem> {
    let filter = AuditFilter::from(query);
    let total = if list.count { Some(state.db.audit_count(filter.clone()).await?) } else { None };
    let page = state.db.audit_list(filter, list.page_request()).await?;
    let headers = list.response_headers(&sent, page.next, total);
    Ok((headers, JsonResponse(page.rows.into_iter().map(AuditEntry::from).collect())))
}
