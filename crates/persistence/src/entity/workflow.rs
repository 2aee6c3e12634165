//! The table `workflows`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::etag::etag;
use super::relation::Relation;

/// A workflow in its current state.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "workflows")]
pub struct Model {
    /// The workflow id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The name, unique among workflows.
    #[sea_orm(column_type = "Text", unique)]
    pub name: String,
    /// The description.
    #[sea_orm(column_type = "Text", nullable)]
    pub description: Option<String>,
    /// The definition, as JSON.
    #[sea_orm(column_type = "Text")]
    pub definition: String,
    /// The time of creation.
    pub created_at: DateTimeUtc,
    /// The time of the last save.
    pub updated_at: DateTimeUtc,
    /// The tags, as a JSON array of strings.
    #[sea_orm(column_type = "Text")]
    pub tags: String,
    /// The number of the latest version.
    pub version: i32,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Returns the opaque part of the entity tag (RFC 9110, 8.8.3): the version number, a dash, and 32 hex digits. The
    /// definition, which may be large, is not hashed: every change of it also changes `updated_at`.
    #[must_use]
    pub fn etag(&self) -> String {
        let description = self.description.as_deref().unwrap_or_default();
        let (id, updated_at) = (self.id.to_string(), self.updated_at.to_rfc3339());
        etag(self.version, [&id, &self.name, description, &self.tags, &updated_at])
    }
}
