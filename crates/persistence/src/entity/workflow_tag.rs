//! The table `workflow_tags`.

use sea_orm::entity::prelude::*;

/// One of the tags of a workflow, to be found by it. The row of the workflow has them all, in their order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_tags")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub(crate) tag: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) workflow_id: Uuid,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
