//! The table `batch_rows`.

use sea_orm::entity::prelude::*;

use super::relation::Relation;

/// The inputs of one row of a batch.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "batch_rows")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) run_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) row: i64,
    /// `{input node id: {field: value}}`, as JSON.
    #[sea_orm(column_type = "Text")]
    pub(crate) inputs: String,
}

impl ActiveModelBehavior for ActiveModel {}
