//! Idempotency records: requests with an idempotency key, and their stored responses.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sluice_engine::{Remembered, StoreError, clock};

use crate::change::{Change, Fault};
use crate::connection::sqlite_fast_path::Tx;
use crate::database::Database;
use crate::entity::idempotency_key;
use crate::error::{WriteError, store_error};
use crate::writer::side_records::insert_idempotency_record;

/// Lifetime of a record.
const RETENTION: TimeDelta = TimeDelta::hours(24);
/// Records per transaction of a purge: other writes wait for it.
const PURGE_CHUNK: u64 = 500;

impl Database {
    /// Returns the record of an idempotency key from the last 24 hours.
    ///
    /// # Errors
    /// The row is unreadable, or the database failed.
    pub async fn idempotency_get(&self, key: &str) -> Result<Option<Remembered>, StoreError> {
        let select =
            idempotency_key::Entity::find_by_id(key).filter(idempotency_key::Column::CreatedAt.gte(expiry()));
        let Some(row) = select.one(self.read_pool()).await.map_err(store_error)? else { return Ok(None) };
        let answer = row.answer.as_deref().map(serde_json::from_str).transpose();
        let answer = answer.map_err(|error| StoreError::Unreadable {
            table: "idempotency_keys",
            // The key is a secret of the client.
            id: "?".to_owned(),
            what: error.to_string(),
        })?;
        Ok(Some(Remembered { key: row.key, request_hash: row.request_hash, run_id: row.run_id, answer }))
    }

    /// Stores a record, in place of an earlier one with the same key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn idempotency_store(&self, record: Remembered) -> Result<(), WriteError> {
        self.writer().change(StoreRecord(record)).await
    }

    /// Deletes expired records.
    ///
    /// # Errors
    /// The database failed.
    pub async fn idempotency_purge(&self) -> Result<(), WriteError> {
        // Usually there is nothing to write, so read first.
        let expired = idempotency_key::Entity::find().filter(idempotency_key::Column::CreatedAt.lt(expiry()));
        while expired.clone().one(self.read_pool()).await.map_err(store_error)?.is_some() {
            self.writer().change(PurgeRecords).await?;
        }
        Ok(())
    }
}

struct StoreRecord(Remembered);

impl Change for StoreRecord {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        Ok(insert_idempotency_record(&Tx::Orm(tx), &self.0).await?)
    }
}

struct PurgeRecords;

impl Change for PurgeRecords {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        let expired: Vec<String> = idempotency_key::Entity::find()
            .select_only()
            .column(idempotency_key::Column::Key)
            .filter(idempotency_key::Column::CreatedAt.lt(expiry()))
            .order_by_asc(idempotency_key::Column::CreatedAt)
            .limit(PURGE_CHUNK)
            .into_tuple()
            .all(tx)
            .await?;
        let delete = idempotency_key::Entity::delete_many();
        delete.filter(idempotency_key::Column::Key.is_in(expired)).exec(tx).await?;
        Ok(())
    }
}

/// Records from before this time are expired.
fn expiry() -> DateTime<Utc> {
    clock::now() - RETENTION
}
