//! Exports of workflows.

use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sluice_domain::Definition;
use sluice_domain::transfer::{
    DocumentLabel, DocumentVersion, FORMAT, FORMAT_VERSION, MAX_VERSIONS, WorkflowDocument,
};
use sluice_engine::StoreError;
use uuid::Uuid;

use crate::database::Database;
use crate::entity::{label, workflow, workflow_version};
use crate::error::store_error;
use crate::query::convert;

impl Database {
    /// Returns a workflow and its document, or `None` if the workflow doesn't exist. If `with_versions` is true, the
    /// document has the latest versions and their labels.
    ///
    /// # Errors
    /// The database failed, a row is unreadable, or the versions are too large.
    pub async fn workflow_export(
        &self,
        id: Uuid,
        with_versions: bool,
    ) -> Result<Option<(workflow::Model, WorkflowDocument)>, StoreError> {
        let tx = self.read_transaction().await?;
        let found = convert::find(&tx, workflow::Entity::find_by_id(id)).await.map_err(store_error)?;
        let Some(found) = found.first() else { return Ok(None) };
        let row: workflow::Model = convert::read(found, "", convert::WORKFLOWS)?;
        let mut versions = latest_versions(&tx, id, if with_versions { MAX_VERSIONS } else { 1 }).await?;
        let mut document = WorkflowDocument {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            id: Some(id),
            name: row.name.clone(),
            description: Some(row.description.clone()),
            tags: Some(serde_json::from_str(&row.tags).unwrap_or_default()),
            definition: parse_definition(&row.definition, convert::WORKFLOWS, id)?,
            definition_hash: versions.first().and_then(|version| version.definition_hash.clone()),
            ..WorkflowDocument::default()
        };
        if with_versions {
            versions.reverse();
            let first = versions.first().map_or(1, |version| version.version);
            document.labels = Some(labels_from(&tx, id, first).await?);
            document.versions = Some(versions);
        }
        Ok(Some((row, document)))
    }

    /// Returns the ids and names of all workflows, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn workflow_names(&self) -> Result<Vec<(Uuid, String)>, StoreError> {
        let select = workflow::Entity::find().select_only();
        let select = select.columns([workflow::Column::Id, workflow::Column::Name]);
        let select = select.order_by_asc(workflow::Column::Id);
        select.into_tuple().all(self.read_pool()).await.map_err(store_error)
    }
}

/// Returns the latest versions, the highest first. Fails if one is unreadable, because an import rejects gaps.
async fn latest_versions(
    tx: &DatabaseTransaction,
    id: Uuid,
    limit: usize,
) -> Result<Vec<DocumentVersion>, StoreError> {
    let select = workflow_version::Entity::find()
        .filter(workflow_version::Column::WorkflowId.eq(id))
        .order_by_desc(workflow_version::Column::Version)
        .limit(limit as u64);
    let size = |row: &Result<workflow_version::Model, StoreError>| {
        row.as_ref().map_or(0, |row| row.definition.len() + row.description.as_ref().map_or(0, String::len))
    };
    let rows = convert::stream_page(tx, &select, |row| Ok(convert::read(row, "", convert::VERSIONS)), size);
    rows.await?.into_iter().map(|row| row.and_then(to_document_version)).collect()
}

fn to_document_version(row: workflow_version::Model) -> Result<DocumentVersion, StoreError> {
    Ok(DocumentVersion {
        version: row.version,
        name: row.name,
        description: row.description,
        definition: parse_definition(&row.definition, convert::VERSIONS, row.id)?,
        definition_hash: Some(row.definition_hash),
        note: row.note,
        created_by: row.created_by,
        created_at: row.created_at,
    })
}

fn parse_definition(json: &str, table: &'static str, id: Uuid) -> Result<Definition, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Unreadable {
        table,
        id: id.to_string(),
        what: format!("definition: {error}"),
    })
}

/// Returns the labels of the versions from a number on.
async fn labels_from(
    tx: &DatabaseTransaction,
    id: Uuid,
    version: i32,
) -> Result<Vec<DocumentLabel>, StoreError> {
    use label::Column::{Name, Version, WorkflowId};
    let select = label::Entity::find().filter(WorkflowId.eq(id)).filter(Version.gte(version));
    let found = select.order_by_asc(Name).all(tx).await.map_err(store_error)?;
    let to_document = |label::Model { name, version, is_protected, .. }| DocumentLabel {
        label: name,
        version,
        protected: is_protected,
    };
    Ok(found.into_iter().map(to_document).collect())
}
