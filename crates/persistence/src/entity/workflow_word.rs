//! The table `workflow_words`.

use sea_orm::entity::prelude::*;

/// A word of the name or the description of a workflow, to be found by how it begins.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_words")]
pub(crate) struct Model {
    /// Folded, as UTF-8.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
    pub(crate) word: Vec<u8>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) workflow_id: Uuid,
    /// Whether the name has it, and not the description alone: the release before this one asks for it.
    pub(crate) is_of_name: bool,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
