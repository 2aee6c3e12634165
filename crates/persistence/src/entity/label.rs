//! The table `labels`.

use sea_orm::entity::prelude::*;

use chrono::{DateTime, Utc};

/// A name that stands for a version.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "labels")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) workflow_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) is_protected: bool,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) updated_at: DateTimeUtc,
}

/// None is followed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A name that stands for a version of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRow {
    /// The name: a slug.
    pub name: String,
    /// The version.
    pub version: i32,
    /// Whether saving never moves it.
    pub is_protected: bool,
    /// When it was set first.
    pub created_at: DateTime<Utc>,
    /// When it was moved or protected last.
    pub updated_at: DateTime<Utc>,
}

impl LabelRow {
    /// For which version it stands, and whether it is protected, as the audit log says it: `2`, or `2 protected`.
    #[must_use]
    pub fn stands(&self) -> String {
        let protected = if self.is_protected { " protected" } else { "" };
        format!("{}{protected}", self.version)
    }
}
