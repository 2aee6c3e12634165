//! The table `probes`, empty except during a write probe.

use sea_orm::entity::prelude::*;

use super::relation::Relation;

/// A row that the write probe inserts and deletes.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "probes")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    #[sea_orm(column_type = "Text")]
    pub(crate) filler: String,
}

impl ActiveModelBehavior for ActiveModel {}
