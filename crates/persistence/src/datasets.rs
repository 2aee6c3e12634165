//! Datasets: uploaded rows that batches use as inputs.

use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel as _, QueryFilter, QueryOrder, QuerySelect,
};
use sluice_engine::{AuditEntry, ChangeOrigin, StoreError, Subject, clock};
use uuid::Uuid;

use crate::change::{Audited, Change, Fault};
use crate::database::Database;
use crate::entity::{dataset, dataset_row};
use crate::error::{WriteError, store_error};
use crate::outcome::Outcome;
use crate::query::convert;
use crate::query::pagination::PageNumber;

/// Name of the table in errors.
const DATASETS: &str = "datasets";
/// Rows per insert.
const INSERT_CHUNK: usize = 1_000;

/// A dataset to create.
#[derive(Clone, Debug)]
pub struct NewDataset {
    /// The name.
    pub name: String,
    /// The description.
    pub description: Option<String>,
    /// The name of the uploaded file.
    pub filename: String,
    /// The rows, each `{field: value}` as JSON.
    pub rows: Vec<String>,
    /// True if every value is a string, as in CSV.
    pub is_text: bool,
}

impl Database {
    /// Creates a dataset.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn dataset_create(
        &self,
        new: NewDataset,
        origin: Option<ChangeOrigin>,
    ) -> Result<dataset::Model, WriteError> {
        self.writer().audited_change(CreateDataset(new), origin).await
    }

    /// Returns a dataset.
    ///
    /// # Errors
    ///
    /// The row is unreadable, or the database failed.
    pub async fn dataset_get(&self, id: Uuid) -> Result<Option<dataset::Model>, StoreError> {
        let select = dataset::Entity::find_by_id(id);
        let rows = convert::find(self.read_pool(), select).await.map_err(store_error)?;
        rows.first().map(|row| convert::read(row, "", DATASETS)).transpose()
    }

    /// Returns a page of datasets, newest first. Skips and logs unreadable ones.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn dataset_list(&self, page: PageNumber) -> Result<Vec<dataset::Model>, StoreError> {
        let select = dataset::Entity::find()
            .order_by_desc(dataset::Column::Id)
            .offset(page.offset())
            .limit(page.limit());
        let rows = convert::find(self.read_pool(), select).await.map_err(store_error)?;
        Ok(convert::skip_unreadable(rows.iter().map(|row| convert::read(row, "", DATASETS))))
    }

    /// Returns the rows of a dataset, each `{field: value}` as JSON.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn dataset_rows(&self, id: Uuid) -> Result<Vec<String>, StoreError> {
        dataset_row::Entity::find()
            .select_only()
            .column(dataset_row::Column::Fields)
            .filter(dataset_row::Column::DatasetId.eq(id))
            .order_by_asc(dataset_row::Column::Row)
            .into_tuple()
            .all(self.read_pool())
            .await
            .map_err(store_error)
    }

    /// Deletes a dataset. Batches have their own copy of its rows.
    ///
    /// # Errors
    ///
    /// [`WriteError::NotFound`] if the dataset doesn't exist, or the database failed.
    pub async fn dataset_delete(&self, id: Uuid, origin: Option<ChangeOrigin>) -> Result<(), WriteError> {
        self.writer().audited_change(DeleteDataset(id), origin).await.map(drop)
    }
}

struct CreateDataset(NewDataset);

impl Change for CreateDataset {
    type Output = dataset::Model;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<dataset::Model, Fault> {
        let NewDataset { name, description, filename, rows, is_text } = &self.0;
        let dataset = dataset::Model {
            id: clock::new_id(),
            name: name.clone(),
            description: description.clone(),
            filename: filename.clone(),
            rows: i64::try_from(rows.len()).unwrap_or(i64::MAX),
            is_text: *is_text,
            created_at: clock::now(),
        };
        dataset::Entity::insert(dataset.clone().into_active_model()).exec_without_returning(tx).await?;
        let mut next_row = 0;
        for chunk in rows.chunks(INSERT_CHUNK) {
            let rows: Vec<dataset_row::ActiveModel> = (next_row..)
                .zip(chunk)
                .map(|(row, fields)| {
                    let (dataset_id, fields) = (dataset.id, fields.clone());
                    dataset_row::Model { dataset_id, row, fields }.into_active_model()
                })
                .collect();
            next_row += i64::try_from(rows.len()).unwrap_or(i64::MAX);
            dataset_row::Entity::insert_many(rows).exec_without_returning(tx).await?;
        }
        Ok(dataset)
    }
}

struct DeleteDataset(Uuid);

impl Change for DeleteDataset {
    type Output = DeletedDataset;

    const FREES_SPACE: bool = true;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<DeletedDataset, Fault> {
        let deleted = dataset::Entity::delete_by_id(self.0).exec(tx).await?;
        if deleted.rows_affected == 0 { Err(WriteError::NotFound.into()) } else { Ok(DeletedDataset(self.0)) }
    }
}

/// The id of a deleted dataset.
struct DeletedDataset(Uuid);

impl Audited for DeletedDataset {
    fn audit_entries(&self) -> Vec<AuditEntry> {
        vec![AuditEntry::new(Subject::Dataset, self.0)]
    }
}

impl Audited for dataset::Model {
    fn audit_entries(&self) -> Vec<AuditEntry> {
        vec![AuditEntry::new(Subject::Dataset, self.id)]
    }

    fn outcome(&self) -> Option<Outcome> {
        Some(Outcome::Dataset(self.clone()))
    }
}
