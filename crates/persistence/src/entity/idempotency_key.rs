//! The table `idempotency_keys`.

use sea_orm::entity::prelude::*;

/// What a client that asks again with the same key is told.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub(crate) key: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) request_hash: String,
    pub(crate) run_id: Option<Uuid>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) answer: Option<String>,
    pub(crate) created_at: DateTimeUtc,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
