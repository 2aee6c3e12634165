//! The table `version_words`.

use sea_orm::entity::prelude::*;

/// A word of what is said about a version, to be found by how it begins.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "version_words")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) workflow_id: Uuid,
    /// Folded, as UTF-8.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
    pub(crate) word: Vec<u8>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) version: i32,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
