//! The table `idempotency_keys`.

use sea_orm::entity::prelude::*;

use super::relation::Relation;

/// An idempotency key with the hash of its request, and the outcome of the change or the stored response.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub(crate) key: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) request_hash: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) outcome: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) response: Option<String>,
    pub(crate) created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
