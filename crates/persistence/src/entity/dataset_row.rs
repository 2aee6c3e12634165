//! The table `dataset_rows`.

use sea_orm::entity::prelude::*;

use super::relation::Relation;

/// One row of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dataset_rows")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) dataset_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) row: i64,
    /// `{field: value}`, as JSON.
    #[sea_orm(column_type = "Text")]
    pub(crate) fields: String,
}

impl ActiveModelBehavior for ActiveModel {}
