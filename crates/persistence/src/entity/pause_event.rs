//! The table `pause_events`.

use sea_orm::entity::prelude::*;

/// A pause that was opened or settled. Ids grow in the order of the commits.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pause_events")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    pub(crate) run_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) event: String,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
