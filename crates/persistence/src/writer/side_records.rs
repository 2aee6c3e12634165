//! Records that are written in the transaction of a change: audit entries, and the outcome for an idempotency key.

use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, IntoActiveModel as _};
use sluice_engine::{AuditEntry, ChangeOrigin, RunSideRecords, clock};

use crate::change::Audited;
use crate::connection::sqlite_fast_path::Tx;
use crate::entity::{audit_entry, idempotency_key};
use crate::outcome::Outcome;

/// Rows per insert. Limited by the maximum number of parameters per statement.
const INSERT_CHUNK: usize = 1_000;

/// Side records of a change.
pub(crate) struct SideRecords {
    origin: ChangeOrigin,
    audit: Vec<AuditEntry>,
    outcome: Option<Outcome>,
}

impl SideRecords {
    /// Creates records without an outcome.
    pub(crate) fn audit_only(origin: ChangeOrigin, audit: Vec<AuditEntry>) -> Self {
        Self { origin, audit, outcome: None }
    }

    /// Creates the side records of a result.
    pub(crate) fn of_result(origin: &ChangeOrigin, result: &impl Audited) -> Self {
        let outcome = origin.idempotency_key.as_ref().and_then(|_| result.outcome());
        Self { origin: origin.clone(), audit: result.audit_entries(), outcome }
    }
}

impl From<RunSideRecords> for SideRecords {
    fn from(records: RunSideRecords) -> Self {
        let RunSideRecords { origin, audit, outcome } = records;
        Self { origin, audit, outcome: Some(Outcome::Run(outcome)) }
    }
}

/// Writes the side records of changes.
pub(crate) async fn insert<'a>(
    tx: &Tx<'_>,
    records: impl Iterator<Item = &'a SideRecords>,
) -> Result<(), DbErr> {
    let mut rows = Vec::new();
    for SideRecords { origin, audit, outcome } in records {
        if let (Some(key), Some(outcome)) = (&origin.idempotency_key, outcome) {
            let outcome = serde_json::to_string(outcome).map_err(|error| DbErr::Json(error.to_string()))?;
            let row = idempotency_key::Model {
                key: key.key.clone(),
                request_hash: key.request_hash.clone(),
                outcome: Some(outcome),
                response: None,
                created_at: clock::now(),
            };
            insert_idempotency_key(tx, row).await?;
        }
        rows.extend(audit.iter().map(|entry| to_row(origin, entry).into_active_model()));
    }
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<_> = rows.by_ref().take(INSERT_CHUNK).collect();
        tx.execute(&audit_entry::Entity::insert_many(chunk)).await?;
    }
    Ok(())
}

/// Writes the record of an idempotency key. Replaces an earlier one, which is expired, or contains the outcome of the
/// same request.
pub(crate) async fn insert_idempotency_key(tx: &Tx<'_>, row: idempotency_key::Model) -> Result<(), DbErr> {
    use idempotency_key::Column::{CreatedAt, Key, Outcome, RequestHash, Response};
    let upsert =
        OnConflict::column(Key).update_columns([RequestHash, Outcome, Response, CreatedAt]).to_owned();
    tx.execute(&idempotency_key::Entity::insert(row.into_active_model()).on_conflict(upsert)).await
}

fn to_row(origin: &ChangeOrigin, entry: &AuditEntry) -> audit_entry::Model {
    audit_entry::Model {
        id: clock::new_id(),
        at: clock::now(),
        actor: origin.actor.clone(),
        operation: origin.operation.clone(),
        request_id: origin.request_id.clone(),
        subject: entry.subject.as_str().to_owned(),
        subject_id: entry.subject_id.clone(),
        before: entry.before.clone(),
        after: entry.after.clone(),
    }
}
