//! The table `dataset_rows`.

use sea_orm::entity::prelude::*;

/// One row of a dataset: {field: value} as JSON.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dataset_rows")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) dataset_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) row: i64,
    #[sea_orm(column_type = "Text")]
    pub(crate) fields: String,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
