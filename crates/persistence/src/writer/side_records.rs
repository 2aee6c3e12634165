//! What is kept with a change: the answer of a request that may be sent again, and entries of the audit log.

use crate::connection::sqlite_fast_path::Tx;
use crate::entity::{audit_entry, idempotency_key};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, Set};
use sluice_engine::{AuditEntry, Kept, Remembered, clock};

/// Keeps what is to be kept with changes.
pub(crate) async fn keep<'a>(tx: &Tx<'_>, kept: impl Iterator<Item = &'a Kept>) -> Result<(), DbErr> {
    let mut entries = Vec::new();
    for Kept { answer, audit } in kept {
        if let Some(remembered) = answer {
            keep_answer(tx, remembered).await?;
        }
        entries.extend(audit);
    }
    insert_audit(tx, &entries).await
}

pub(crate) async fn keep_answer(tx: &Tx<'_>, remembered: &Remembered) -> Result<(), DbErr> {
    let Remembered { key, request_hash, run_id, answer } = remembered;
    if run_id.is_none() && answer.is_none() {
        // What was refused can be sent again, corrected.
        return Ok(());
    }
    let answer = answer.as_ref().map(serde_json::to_string).transpose();
    let model = idempotency_key::ActiveModel {
        key: Set(key.clone()),
        request_hash: Set(request_hash.clone()),
        run_id: Set(*run_id),
        answer: Set(answer.map_err(|error| DbErr::Json(error.to_string()))?),
        created_at: Set(clock::now()),
    };
    // What is there already is older than a day, or lacks the answer.
    let over = OnConflict::column(idempotency_key::Column::Key)
        .update_columns([
            idempotency_key::Column::RequestHash,
            idempotency_key::Column::RunId,
            idempotency_key::Column::Answer,
            idempotency_key::Column::CreatedAt,
        ])
        .to_owned();
    tx.execute(&idempotency_key::Entity::insert(model).on_conflict(over)).await
}

/// Writes entries.
pub(crate) async fn insert_audit(tx: &Tx<'_>, entries: &[&AuditEntry]) -> Result<(), DbErr> {
    if entries.is_empty() {
        return Ok(());
    }
    let now = clock::now();
    // A statement takes at most 32,766 variables.
    for some in entries.chunks(1_000) {
        let rows = some.iter().map(|entry| audit_model(entry, now));
        tx.execute(&audit_entry::Entity::insert_many(rows)).await?;
    }
    Ok(())
}

fn audit_model(entry: &AuditEntry, now: DateTime<Utc>) -> audit_entry::ActiveModel {
    audit_entry::ActiveModel {
        id: Set(clock::new_id()),
        at: Set(now),
        actor: Set(entry.actor.clone()),
        operation: Set(entry.operation.clone()),
        request_id: Set(entry.request_id.clone()),
        subject: Set(entry.subject.to_owned()),
        subject_id: Set(entry.subject_id.clone()),
        before: Set(entry.before.clone()),
        after: Set(entry.after.clone()),
    }
}
