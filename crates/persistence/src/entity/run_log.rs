//! The table `run_log`.

use sea_orm::entity::prelude::*;

use super::relation::Relation;

/// The events that one commit appended to the log of a run.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "run_log")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) run_id: Uuid,
    /// The sequence number of the first event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) seq: i64,
    /// The events, as a JSON array.
    #[sea_orm(column_type = "Text")]
    pub(crate) events: String,
}

impl ActiveModelBehavior for ActiveModel {}
