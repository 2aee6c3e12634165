//! The table `workflow_versions`.

use sea_orm::entity::prelude::*;

use super::etag::etag;
use chrono::{DateTime, Utc};

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

/// A version of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// Its id.
    pub id: Uuid,
    /// The workflow.
    pub workflow_id: Uuid,
    /// Its number: 1, 2, …
    pub version: i32,
    /// The name that the workflow had.
    pub name: String,
    /// The description that the workflow had.
    pub description: Option<String>,
    /// The definition as JSON text, with the layout that was saved last.
    pub definition: String,
    /// The hash of what of the definition executes.
    pub definition_hash: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its layout was last saved.
    pub updated_at: DateTime<Utc>,
    /// What the change was for that made it.
    pub note: Option<String>,
    /// Who made it, when that is known.
    pub created_by: Option<String>,
}

impl VersionRow {
    /// As [`super::workflow::WorkflowRow::etag`].
    #[must_use]
    pub fn etag(&self) -> String {
        let description = self.description.as_deref().unwrap_or_default();
        let saved = self.updated_at.to_rfc3339();
        let id = self.id.to_string();
        etag(self.version, [&id, &self.name, description, &self.definition_hash, &saved])
    }
}
