//! The table `audit_log`.

use sea_orm::entity::prelude::*;

/// A change, and who made it. Never changed, never deleted: the database refuses.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) at: DateTimeUtc,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) actor: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) operation: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) request_id: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) subject: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) subject_id: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) before: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) after: Option<String>,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
