//! The table `workflow_versions`.

use sea_orm::entity::prelude::*;

use super::etag::etag;
use super::relation::Relation;

/// A version of a workflow. Only its layout ever changes.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_versions")]
pub struct Model {
    /// The version id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workflow.
    pub workflow_id: Uuid,
    /// The version number, from 1.
    pub version: i32,
    /// The name of the workflow when the version was created.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// The description of the workflow when the version was created.
    #[sea_orm(column_type = "Text", nullable)]
    pub description: Option<String>,
    /// The definition, as JSON, with the layout that was saved last.
    #[sea_orm(column_type = "Text")]
    pub definition: String,
    /// The hash of the executable part of the definition.
    #[sea_orm(column_type = "Text")]
    pub definition_hash: String,
    /// The time of creation.
    pub created_at: DateTimeUtc,
    /// The time of the last change of the layout.
    pub updated_at: DateTimeUtc,
    /// The client's note on the change.
    #[sea_orm(column_type = "Text", nullable)]
    pub note: Option<String>,
    /// The name of the API key that created the version, on a server with API keys.
    #[sea_orm(column_type = "Text", nullable)]
    pub created_by: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Returns the opaque part of the entity tag. See [`super::workflow::Model::etag`].
    #[must_use]
    pub fn etag(&self) -> String {
        let description = self.description.as_deref().unwrap_or_default();
        let (id, updated_at) = (self.id.to_string(), self.updated_at.to_rfc3339());
        etag(self.version, [&id, &self.name, description, &self.definition_hash, &updated_at])
    }
}
