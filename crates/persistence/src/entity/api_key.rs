//! The table `api_keys`.

use sea_orm::entity::prelude::*;

/// An API key. Its secret is kept as a hash.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub(crate) id: String,
    #[sea_orm(column_type = "Text", unique)]
    pub(crate) name: String,
    /// SHA-256, in hex.
    #[sea_orm(column_type = "Text")]
    pub(crate) secret_hash: String,
    /// Names, with a space between two.
    #[sea_orm(column_type = "Text")]
    pub(crate) scopes: String,
    pub(crate) for_others: bool,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) expires_at: Option<DateTimeUtc>,
    pub(crate) revoked_at: Option<DateTimeUtc>,
    pub(crate) last_used_at: Option<DateTimeUtc>,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
