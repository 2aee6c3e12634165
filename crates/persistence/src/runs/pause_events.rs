//! Pauses that were opened and decided, over all runs.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sluice_engine::StoreError;
use uuid::Uuid;

use crate::database::Database;
use crate::entity::pause_event::{self, PauseNews};
use crate::error::store_error;
use crate::query::convert;

const PAUSE_EVENTS: &str = "pause_events";

/// A pause was opened or decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseEvent {
    /// Grows in the order in which the events became durable; not without gaps.
    pub id: i64,
    /// The run.
    pub run_id: Uuid,
    /// What happened.
    pub news: PauseNews,
}

impl Database {
    /// What happened to pauses behind the event `after`, the oldest first: at most `limit` of them.
    ///
    /// # Errors
    ///
    /// When the store fails or a row can't be read.
    pub async fn pause_events(&self, after: i64, limit: u64) -> Result<Vec<PauseEvent>, StoreError> {
        let found = pause_event::Entity::find()
            .filter(pause_event::Column::Id.gt(after))
            .order_by_asc(pause_event::Column::Id)
            .limit(limit);
        let found = convert::find(self.readers(), found).await.map_err(store_error)?;
        found.iter().map(|row| read(convert::read(row, "", PAUSE_EVENTS)?)).collect()
    }

    /// The id of the last event; 0 when there is none.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn last_pause_event(&self) -> Result<i64, StoreError> {
        let last: Option<i64> = pause_event::Entity::find()
            .select_only()
            .column(pause_event::Column::Id)
            .order_by_desc(pause_event::Column::Id)
            .limit(1)
            .into_tuple()
            .one(self.readers())
            .await
            .map_err(store_error)?;
        Ok(last.unwrap_or(0))
    }
}

fn read(row: pause_event::Model) -> Result<PauseEvent, StoreError> {
    let news = serde_json::from_str(&row.event).map_err(|error| StoreError::Unreadable {
        table: PAUSE_EVENTS,
        id: row.id.to_string(),
        what: error.to_string(),
    })?;
    Ok(PauseEvent { id: row.id, run_id: row.run_id, news })
}
