//! The table `workflows`.

use sea_orm::entity::prelude::*;

/// A workflow as it is now.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflows")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    #[sea_orm(column_type = "Text", unique)]
    pub(crate) name: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) description: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) definition: String,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) updated_at: DateTimeUtc,
    #[sea_orm(column_type = "Text")]
    pub(crate) tags: String,
    pub(crate) version: i32,
    /// Whether it has the words and tags that it is found by, and its versions theirs.
    pub(crate) has_words: bool,
}

/// No query joins this table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
