//! The table `version_words`.

use sea_orm::entity::prelude::*;

use super::relation::Relation;

/// A word of the note, the name or the description of a version, for search by prefix.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "version_words")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) workflow_id: Uuid,
    /// The folded word, as UTF-8.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
    pub(crate) word: Vec<u8>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) version: i32,
}

impl ActiveModelBehavior for ActiveModel {}
