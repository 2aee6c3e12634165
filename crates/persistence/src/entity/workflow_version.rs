//! The table `workflow_versions`.

use sea_orm::entity::prelude::*;

/// A version of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_versions")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) workflow_id: Uuid,
    pub(crate) version: i32,
    #[sea_orm(column_type = "Text")]
    pub(crate) name: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) description: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) definition: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) definition_hash: String,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) updated_at: DateTimeUtc,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) note: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) created_by: Option<String>,
}

/// No query joins this table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
