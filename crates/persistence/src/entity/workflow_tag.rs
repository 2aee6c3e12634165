//! The table `workflow_tags`.

use sea_orm::entity::prelude::*;

use super::relation::Relation;

/// A normalized tag of a workflow, for filters. The workflow's row has its tags as they were sent, in their order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_tags")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub(crate) tag: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) workflow_id: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}
