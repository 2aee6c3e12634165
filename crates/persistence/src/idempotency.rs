//! Idempotency records: requests with an idempotency key, and the outcomes of their changes or the stored responses.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sluice_engine::{IdempotencyKey, StoreError, clock};

use crate::change::{Change, Fault};
use crate::connection::sqlite_fast_path::Tx;
use crate::database::Database;
use crate::entity::idempotency_key;
use crate::error::{WriteError, store_error};
use crate::outcome::Outcome;
use crate::writer::side_records::insert_idempotency_key;

/// The maximum length of an idempotency key, in characters.
pub const MAX_IDEMPOTENCY_KEY_LENGTH: usize = 255;

/// The age at which a record is deleted.
pub const IDEMPOTENCY_RETENTION: TimeDelta = TimeDelta::hours(24);
/// Records per transaction of a purge. Small, because other writes wait for it.
const PURGE_CHUNK: u64 = 500;

/// The record of an idempotency key.
#[derive(Clone, Debug, PartialEq)]
pub struct IdempotencyRecord {
    /// The hash of the request.
    pub request_hash: String,
    /// The time of the change, or of the response.
    pub created_at: DateTime<Utc>,
    /// The outcome or the response.
    pub result: RequestResult,
}

/// The result of a request with an idempotency key.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestResult {
    /// The outcome of the change, if the response is not stored yet.
    Outcome(Outcome),
    /// The response, in the format of the layer that stored it.
    Response(String),
}

impl Database {
    /// Returns the record of an idempotency key, unless it is older than [`IDEMPOTENCY_RETENTION`].
    ///
    /// # Errors
    /// The row is unreadable, or the database failed.
    pub async fn idempotency_get(&self, key: &str) -> Result<Option<IdempotencyRecord>, StoreError> {
        let select =
            idempotency_key::Entity::find_by_id(key).filter(idempotency_key::Column::CreatedAt.gte(expiry()));
        let row = select.one(self.read_pool()).await.map_err(store_error)?;
        row.map(IdempotencyRecord::try_from).transpose()
    }

    /// Stores the response to a request. Replaces the outcome.
    ///
    /// # Errors
    /// The database failed.
    pub async fn idempotency_store(&self, key: IdempotencyKey, response: String) -> Result<(), WriteError> {
        self.writer().change(StoreResponse { key, response }).await
    }

    /// Deletes expired records.
    ///
    /// # Errors
    /// The database failed.
    pub async fn idempotency_purge(&self) -> Result<(), WriteError> {
        // Read first: usually no record has expired, and a write would wait for the writer.
        let expired = idempotency_key::Entity::find().filter(idempotency_key::Column::CreatedAt.lt(expiry()));
        while expired.clone().one(self.read_pool()).await.map_err(store_error)?.is_some() {
            self.writer().change(PurgeRecords).await?;
        }
        Ok(())
    }
}

impl TryFrom<idempotency_key::Model> for IdempotencyRecord {
    type Error = StoreError;

    fn try_from(row: idempotency_key::Model) -> Result<Self, StoreError> {
        let idempotency_key::Model { key: _, request_hash, outcome, response, created_at } = row;
        let result = match response {
            Some(response) => RequestResult::Response(response),
            None => {
                let outcome = serde_json::from_str(outcome.as_deref().unwrap_or_default());
                RequestResult::Outcome(outcome.map_err(|error| StoreError::Unreadable {
                    table: "idempotency_keys",
                    // The key is a secret of the client.
                    id: "?".to_owned(),
                    what: error.to_string(),
                })?)
            }
        };
        Ok(Self { request_hash, created_at, result })
    }
}

struct StoreResponse {
    key: IdempotencyKey,
    response: String,
}

impl Change for StoreResponse {
    type Output = ();

    const CHANGES_VERSIONS: bool = false;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        let row = idempotency_key::Model {
            key: self.key.key.clone(),
            request_hash: self.key.request_hash.clone(),
            outcome: None,
            response: Some(self.response.clone()),
            created_at: clock::now(),
        };
        Ok(insert_idempotency_key(&Tx::Orm(tx), row).await?)
    }
}

struct PurgeRecords;

impl Change for PurgeRecords {
    type Output = ();

    const CHANGES_VERSIONS: bool = false;

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

/// Returns the time before which records are expired.
fn expiry() -> DateTime<Utc> {
    clock::now() - IDEMPOTENCY_RETENTION
}
