//! What clients that ask again with the same key are told.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sluice_engine::{Remembered, StoreError, clock};

use crate::change::{Change, Fault};
use crate::connection::sqlite_fast_path::Tx;
use crate::database::Database;
use crate::entity::idempotency_key as entity;
use crate::error::{WriteError, store_error};
use crate::writer::side_records::keep_answer;

/// How many answers are forgotten in one transaction: others wait for it.
const FORGOTTEN_AT_ONCE: u64 = 500;
/// How long an answer is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);

impl Database {
    /// What was asked for with this key in the last 24 hours, and answered.
    ///
    /// # Errors
    /// When the store fails or the row can't be read.
    pub async fn remembered(&self, key: &str) -> Result<Option<Remembered>, StoreError> {
        let select = entity::Entity::find_by_id(key).filter(entity::Column::CreatedAt.gte(oldest()));
        let Some(row) = select.one(self.readers()).await.map_err(store_error)? else { return Ok(None) };
        let answer = row.answer.as_deref().map(serde_json::from_str).transpose();
        let answer = answer.map_err(|error| StoreError::Unreadable {
            table: "idempotency_keys",
            id: "?".to_owned(),
            what: error.to_string(),
        })?;
        Ok(Some(Remembered { key: row.key, request_hash: row.request_hash, run_id: row.run_id, answer }))
    }

    /// Keeps the answer to a request, in place of what was kept under its key.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remember(&self, remembered: Remembered) -> Result<(), WriteError> {
        self.writer().change(Keep(remembered)).await
    }

    /// Forgets what nobody is told any more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn forget_old_answers(&self) -> Result<(), WriteError> {
        // Asked first: mostly there is nothing to write.
        let old = entity::Entity::find().filter(entity::Column::CreatedAt.lt(oldest()));
        while old.clone().one(self.readers()).await.map_err(store_error)?.is_some() {
            self.writer().change(Forget).await?;
        }
        Ok(())
    }
}

struct Keep(Remembered);

struct Forget;

impl Change for Keep {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        Ok(keep_answer(&Tx::Orm(tx), &self.0).await?)
    }
}

impl Change for Forget {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        let old: Vec<String> = entity::Entity::find()
            .select_only()
            .column(entity::Column::Key)
            .filter(entity::Column::CreatedAt.lt(oldest()))
            .order_by_asc(entity::Column::CreatedAt)
            .limit(FORGOTTEN_AT_ONCE)
            .into_tuple()
            .all(tx)
            .await?;
        let forget = entity::Entity::delete_many().filter(entity::Column::Key.is_in(old));
        forget.exec(tx).await?;
        Ok(())
    }
}

fn oldest() -> DateTime<Utc> {
    clock::now() - KEPT
}
