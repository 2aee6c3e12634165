//! Out of the store.

use chrono::SecondsFormat;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect,
};
use serde_json::value::RawValue;
use sluice_domain::transfer::{Document, DocumentLabel, DocumentVersion, MAX_VERSIONS};
use sluice_engine::StoreError;
use uuid::Uuid;

use crate::database::Database;
use crate::entity::{label, workflow, workflow_version};
use crate::error::store_error;
use crate::query::convert;

impl Database {
    /// A workflow and its document, with its latest versions and their labels if `with_versions`; none when there is no
    /// such workflow.
    ///
    /// # Errors
    /// When the store fails, when a row can't be read, or when the export is too large.
    pub async fn workflow_export(
        &self,
        id: Uuid,
        with_versions: bool,
    ) -> Result<Option<(workflow::Model, Document)>, StoreError> {
        let tx = self.read_transaction().await?;
        let found = convert::find(&tx, workflow::Entity::find_by_id(id)).await.map_err(store_error)?;
        let Some(found) = found.first() else { return Ok(None) };
        let row = convert::read_workflow(found)?;
        let mut versions = versions(&tx, id, if with_versions { MAX_VERSIONS } else { 1 }).await?;
        let hash = versions.first().map(|version| version.definition_hash.clone()).unwrap_or_default();
        let tags = serde_json::from_str(&row.tags).unwrap_or_default();
        let definition = raw(row.definition.clone(), convert::WORKFLOWS, id)?;
        let told = (row.name.clone(), row.description.clone());
        let mut document = Document::new(id, told, tags, definition, hash);
        if with_versions {
            versions.reverse();
            let first = versions.first().map_or(1, |version| version.version);
            let labels = labels(&tx, id, first).await?;
            document = document.with_versions(versions, labels);
        }
        Ok(Some((row, document)))
    }

    /// The ids and names of all workflows, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn workflow_names(&self) -> Result<Vec<(Uuid, String)>, StoreError> {
        let select = workflow::Entity::find().select_only();
        let select = select.columns([workflow::Column::Id, workflow::Column::Name]);
        let select = select.order_by_asc(workflow::Column::Id);
        select.into_tuple().all(self.read_pool()).await.map_err(store_error)
    }
}

/// The latest versions, the highest first. One that can't be read would leave a gap, so it is an error.
async fn versions(
    tx: &DatabaseTransaction,
    id: Uuid,
    most: usize,
) -> Result<Vec<DocumentVersion>, StoreError> {
    let select = workflow_version::Entity::find()
        .filter(workflow_version::Column::WorkflowId.eq(id))
        .order_by_desc(workflow_version::Column::Version)
        .limit(most as u64);
    let size = |version: &Result<DocumentVersion, StoreError>| {
        let told = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        version.as_ref().map_or(0, |version| version.definition.get().len() + told(&version.description))
    };
    let read = |row: &QueryResult| Ok(convert::read_version(row).and_then(version));
    let found = convert::stream_page(tx, &select, read, size).await?;
    found.into_iter().collect()
}

/// The labels of versions from `first` on.
async fn labels(tx: &DatabaseTransaction, id: Uuid, first: i32) -> Result<Vec<DocumentLabel>, StoreError> {
    let select = label::Entity::find()
        .filter(label::Column::WorkflowId.eq(id))
        .filter(label::Column::Version.gte(first))
        .order_by_asc(label::Column::Name);
    let found = select.all(tx).await.map_err(store_error)?;
    let document = |label: label::Model| DocumentLabel {
        label: label.name,
        version: label.version,
        protected: label.is_protected,
    };
    Ok(found.into_iter().map(document).collect())
}

fn version(row: workflow_version::Model) -> Result<DocumentVersion, StoreError> {
    Ok(DocumentVersion {
        version: row.version,
        name: row.name,
        description: row.description,
        definition: raw(row.definition, convert::VERSIONS, row.id)?,
        definition_hash: row.definition_hash,
        note: row.note,
        created_by: row.created_by,
        created_at: row.created_at.to_rfc3339_opts(SecondsFormat::Micros, true),
    })
}

fn raw(json: String, table: &'static str, id: Uuid) -> Result<Box<RawValue>, StoreError> {
    RawValue::from_string(json).map_err(|error| StoreError::Unreadable {
        table,
        id: id.to_string(),
        what: format!("definition: {error}"),
    })
}
