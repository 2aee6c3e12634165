//! The table `workflow_tags`.

use sea_orm::entity::prelude::*;

use super::relation::Relation;

/// A normalized tag of a workflow, for filters. The row of the workflow contains the tags in their original form and
/// order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_tags")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub(crate) tag: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) workflow_id: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}
