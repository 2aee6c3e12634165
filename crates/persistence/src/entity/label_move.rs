//! The table `label_moves`.

use sea_orm::entity::prelude::*;

use super::relation::Relation;

/// An entry in the history of a label, which was set, moved or deleted.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "label_moves")]
pub struct Model {
    /// The id of the move. Ids grow with time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workflow.
    pub workflow_id: Uuid,
    /// The name of the label.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// The version before the move, or `None` if the label was new.
    pub from_version: Option<i32>,
    /// The version after the move, or `None` if the label was deleted.
    pub to_version: Option<i32>,
    /// The time of the move.
    pub moved_at: DateTimeUtc,
    /// The name of the API key, on a server with API keys.
    #[sea_orm(column_type = "Text", nullable)]
    pub moved_by: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
