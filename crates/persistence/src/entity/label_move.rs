//! The table `label_moves`.

use sea_orm::entity::prelude::*;

use chrono::{DateTime, Utc};

/// That a label was set, moved or taken away.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "label_moves")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) workflow_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub(crate) name: String,
    pub(crate) from_version: Option<i32>,
    pub(crate) to_version: Option<i32>,
    pub(crate) moved_at: DateTimeUtc,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) moved_by: Option<String>,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// That a label was set, moved or taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMoveRow {
    /// Where it stood; none when it is new.
    pub from_version: Option<i32>,
    /// Where it stands since; none when it was taken away.
    pub to_version: Option<i32>,
    /// When.
    pub moved_at: DateTime<Utc>,
    /// By whom, when that is known.
    pub moved_by: Option<String>,
}
