//! The table `datasets`.

use sea_orm::entity::prelude::*;

/// Rows that batches can take.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "datasets")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) name: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) description: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) filename: String,
    pub(crate) rows: i64,
    pub(crate) is_text: bool,
    pub(crate) created_at: DateTimeUtc,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
