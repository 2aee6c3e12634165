//! The table `workflows`.

use sea_orm::entity::prelude::*;

use super::etag::etag;
use chrono::{DateTime, Utc};

/// A workflow as it is now.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflows")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    #[sea_orm(column_type = "Text", unique)]
    pub(crate) name: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) description: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub(crate) definition: String,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) updated_at: DateTimeUtc,
    #[sea_orm(column_type = "Text")]
    pub(crate) tags: String,
    pub(crate) version: i32,
    /// Whether it has the words and tags that it is found by, and its versions theirs.
    pub(crate) has_words: bool,
}

/// No query joins this table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A workflow as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowRow {
    /// Its id.
    pub id: Uuid,
    /// Its name, which no other workflow has.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The definition as JSON text.
    pub definition: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last saved.
    pub updated_at: DateTime<Utc>,
    /// The words that it is filed under, as a JSON list of texts.
    pub tags: String,
    /// The number of its latest version.
    pub version: i32,
}

impl WorkflowRow {
    /// What tells this state of the workflow from any other: the number of its latest version, a dash, and 32 hex
    /// digits of a SHA-256. The opaque part of an entity tag (RFC 9110, 8.8.3). The definition, which may be large, is
    /// not read for it: each change of it comes with a later `updated_at`.
    #[must_use]
    pub fn etag(&self) -> String {
        let description = self.description.as_deref().unwrap_or_default();
        let saved = self.updated_at.to_rfc3339();
        let id = self.id.to_string();
        etag(self.version, [&id, &self.name, description, &self.tags, &saved])
    }
}
