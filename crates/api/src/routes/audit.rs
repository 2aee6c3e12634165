//! The audit log.

use axum::Json as Answer;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sluice_persistence::{AuditFilter, AuditOrder, AuditRow, Between};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::extract::{FromQuery, Query, Reader};
use crate::lists::{ListAnswer, ListQuery};
use crate::problem::Problem;
use crate::responses::ServerProblems;
use crate::time::Timestamp;
use crate::{AppState, examples};

/// A change, and who made it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// The id of the entry.
    id: Uuid,
    /// When the change was made.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The name of the API key; null on a server without keys, and for commands that work on the database.
    #[schema(required = true)]
    actor: Option<String>,
    /// The call, by its name in this document; for API keys the command.
    operation: String,
    /// The id of the request, as its answer had it in `x-request-id`.
    request_id: String,
    /// What kind of thing has changed: `workflow`, `label`, `run`, `pause`, `dataset`, `file` or `key`.
    subject: String,
    /// Which one: its id; of a label, the id of its workflow, `/` and the label; of a file, its path.
    subject_id: String,
    /// What it was before: of a workflow the hash of its definition, of a label the number of its version and whether it is
    /// `protected`, of a run its status, of a pause `open`, of a key its scopes, whether it is for others and until when.
    /// Null when it was not there, or has no such state.
    #[schema(required = true)]
    before: Option<String>,
    /// What it is since; of a pause the decision and whose it is. Null when it is gone, or has no such state.
    #[schema(required = true)]
    after: Option<String>,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        let AuditRow { id, at, actor, operation, request_id, subject, subject_id, before, after } = row;
        Self { id, at: Timestamp(at), actor, operation, request_id, subject, subject_id, before, after }
    }
}

/// Which entries.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Only changes with the API key of this name.
    #[param(value_type = String, min_length = 1, max_length = 100, required = false)]
    actor: Option<String>,
    /// Only changes by this call.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false, example = "updateWorkflow")]
    operation: Option<String>,
    /// Only changes of this thing.
    #[param(value_type = String, min_length = 1, max_length = 512, required = false)]
    subject_id: Option<String>,
    /// Only changes made at this time or later. Without an offset it is UTC; a date is its midnight.
    #[param(value_type = String, example = "2026-11-23T00:00:00Z", required = false)]
    after: Option<DateTime<Utc>>,
    /// Only changes made at this time or before.
    #[param(value_type = String, example = "2026-11-30", required = false)]
    before: Option<DateTime<Utc>>,
}

impl FromQuery for AuditQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self {
            actor: reader.text_up_to(100, "actor"),
            operation: reader.text("operation"),
            subject_id: reader.text_up_to(512, "subject_id"),
            after: reader.time("after"),
            before: reader.time("before"),
        }
    }
}

impl From<AuditQuery> for AuditFilter {
    fn from(query: AuditQuery) -> Self {
        let AuditQuery { actor, operation, subject_id, after, before } = query;
        Self { actor, operation, subject_id, made: Between { from: after, to: before } }
    }
}

/// List changes.
///
/// Every change of workflows, labels, datasets, files, pauses and API keys, and with API keys also every start of a run,
/// the newest first. Entries are written with the change, and never changed or deleted.
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
) -> Result<ListAnswer<AuditEntry>, Problem> {
    let filter = AuditFilter::from(query);
    let total = if list.count { Some(state.db.audit_count(filter.clone()).await?) } else { None };
    let found = state.db.audit(filter, list.part()).await?;
    let headers = list.headers(&sent, found.next, total);
    Ok((headers, Answer(found.rows.into_iter().map(AuditEntry::from).collect())))
}
