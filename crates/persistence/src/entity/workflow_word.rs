//! The table `workflow_words`.

use sea_orm::entity::prelude::*;

use super::relation::Relation;

/// A word of the name or the description of a workflow, for search by prefix.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_words")]
pub(crate) struct Model {
    /// The folded word, as UTF-8.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
    pub(crate) word: Vec<u8>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) workflow_id: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}
