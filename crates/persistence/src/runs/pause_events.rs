//! Queries of the pause events of all runs.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sluice_engine::StoreError;

use crate::database::Database;
use crate::entity::pause_event;
use crate::error::store_error;
use crate::query::convert;

impl Database {
    /// Returns at most `limit` events after the event `after`, oldest first.
    ///
    /// # Errors
    ///
    /// A row is unreadable, or the database failed.
    pub async fn pause_events(&self, after: i64, limit: u64) -> Result<Vec<pause_event::Model>, StoreError> {
        let select = pause_event::Entity::find()
            .filter(pause_event::Column::Id.gt(after))
            .order_by_asc(pause_event::Column::Id)
            .limit(limit);
        let rows = convert::find(self.read_pool(), select).await.map_err(store_error)?;
        rows.iter().map(|row| convert::read(row, "", "pause_events")).collect()
    }

    /// Returns the id of the last event; 0 if there is none.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn last_pause_event(&self) -> Result<i64, StoreError> {
        let last: Option<i64> = pause_event::Entity::find()
            .select_only()
            .column(pause_event::Column::Id)
            .order_by_desc(pause_event::Column::Id)
            .limit(1)
            .into_tuple()
            .one(self.read_pool())
            .await
            .map_err(store_error)?;
        Ok(last.unwrap_or(0))
    }
}
