//! Records that are written in the transaction of a change: audit entries, and the response to an idempotency key.

use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, IntoActiveModel as _};
use sluice_engine::{AuditEntry, Kept, Remembered, clock};

use crate::connection::sqlite_fast_path::Tx;
use crate::entity::{audit_entry, idempotency_key};

/// Rows per insert, within the limit of parameters per statement.
const INSERT_CHUNK: usize = 1_000;

/// Writes the side records of changes.
pub(crate) async fn insert<'a>(tx: &Tx<'_>, records: impl Iterator<Item = &'a Kept>) -> Result<(), DbErr> {
    let mut entries = Vec::new();
    for Kept { answer, audit } in records {
        if let Some(record) = answer {
            insert_idempotency_record(tx, record).await?;
        }
        entries.extend(audit);
    }
    insert_audit_entries(tx, &entries).await
}

/// Writes an idempotency record, unless it has neither a run nor a response: a rejected request may be sent again,
/// corrected.
pub(crate) async fn insert_idempotency_record(tx: &Tx<'_>, record: &Remembered) -> Result<(), DbErr> {
    if record.run_id.is_none() && record.answer.is_none() {
        return Ok(());
    }
    let answer = record.answer.as_ref().map(serde_json::to_string).transpose();
    let row = idempotency_key::Model {
        key: record.key.clone(),
        request_hash: record.request_hash.clone(),
        run_id: record.run_id,
        answer: answer.map_err(|error| DbErr::Json(error.to_string()))?,
        created_at: clock::now(),
    };
    // An existing row is expired, or lacks the response.
    let replace = OnConflict::column(idempotency_key::Column::Key)
        .update_columns([
            idempotency_key::Column::RequestHash,
            idempotency_key::Column::RunId,
            idempotency_key::Column::Answer,
            idempotency_key::Column::CreatedAt,
        ])
        .to_owned();
    tx.execute(&idempotency_key::Entity::insert(row.into_active_model()).on_conflict(replace)).await
}

/// Writes audit entries.
pub(crate) async fn insert_audit_entries(tx: &Tx<'_>, entries: &[&AuditEntry]) -> Result<(), DbErr> {
    let now = clock::now();
    for chunk in entries.chunks(INSERT_CHUNK) {
        let rows = chunk.iter().map(|entry| {
            audit_entry::Model {
                id: clock::new_id(),
                at: now,
                actor: entry.actor.clone(),
                operation: entry.operation.clone(),
                request_id: entry.request_id.clone(),
                subject: entry.subject.to_owned(),
                subject_id: entry.subject_id.clone(),
                before: entry.before.clone(),
                after: entry.after.clone(),
            }
            .into_active_model()
        });
        tx.execute(&audit_entry::Entity::insert_many(rows)).await?;
    }
    Ok(())
}
