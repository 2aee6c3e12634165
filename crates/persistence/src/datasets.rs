//! Datasets: rows that batches can take.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use sluice_engine::{Remember, StoreError, clock};
use uuid::Uuid;

use crate::change::{Change, Fault};
use crate::database::Database;
use crate::entity::{dataset, dataset_row};
use crate::error::{WriteError, store_error};
use crate::query::convert;
use crate::query::pagination::Page;

const DATASETS: &str = "datasets";
/// How many rows are written in one statement.
const CHUNK: usize = 1_000;

/// A dataset to be kept.
#[derive(Clone, Debug)]
pub struct NewDataset {
    /// What people call it.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// The name of the file that it came in.
    pub filename: String,
    /// {field: value} of each row, as JSON.
    pub rows: Vec<String>,
    /// Whether every value is a text, as in CSV.
    pub is_text: bool,
}

/// A dataset, without its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetRow {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// The name of the file that it came in.
    pub filename: String,
    /// How many rows it has.
    pub rows: i64,
    /// Whether every value is a text, as in CSV.
    pub is_text: bool,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

impl From<dataset::Model> for DatasetRow {
    fn from(model: dataset::Model) -> Self {
        let dataset::Model { id, name, description, filename, rows, is_text, created_at } = model;
        Self { id, name, description, filename, rows, is_text, created_at }
    }
}

impl Database {
    /// Keeps a dataset.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn dataset_create(
        &self,
        new: NewDataset,
        remember: Option<Remember<DatasetRow>>,
    ) -> Result<DatasetRow, WriteError> {
        self.writer().change_once(Create(new), remember).await
    }

    /// A dataset; none when there is no such dataset.
    ///
    /// # Errors
    ///
    /// When the store fails or the row can't be read.
    pub async fn dataset(&self, id: Uuid) -> Result<Option<DatasetRow>, StoreError> {
        let found =
            convert::find(self.readers(), dataset::Entity::find_by_id(id)).await.map_err(store_error)?;
        found
            .first()
            .map(|row| convert::read::<dataset::Model>(row, "", DATASETS))
            .transpose()
            .map(|d| d.map(Into::into))
    }

    /// Datasets, newest first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn datasets(&self, page: Page) -> Result<Vec<DatasetRow>, StoreError> {
        let select = dataset::Entity::find()
            .order_by_desc(dataset::Column::Id)
            .offset(page.offset())
            .limit(page.limit());
        let found = convert::find(self.readers(), select).await.map_err(store_error)?;
        let read = found.iter().map(|row| convert::read::<dataset::Model>(row, "", DATASETS));
        Ok(convert::readable(read).into_iter().map(Into::into).collect())
    }

    /// {field: value} of every row of a dataset, as JSON, in their order.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn dataset_rows(&self, id: Uuid) -> Result<Vec<String>, StoreError> {
        dataset_row::Entity::find()
            .select_only()
            .column(dataset_row::Column::Fields)
            .filter(dataset_row::Column::DatasetId.eq(id))
            .order_by_asc(dataset_row::Column::Row)
            .into_tuple()
            .all(self.readers())
            .await
            .map_err(store_error)
    }

    /// Deletes a dataset. Batches that took their rows from it keep them.
    ///
    /// # Errors
    ///
    /// [`WriteError::NotFound`] when there is no such dataset; otherwise when the store fails.
    pub async fn dataset_delete(&self, id: Uuid, remember: Option<Remember<()>>) -> Result<(), WriteError> {
        self.writer().change_once(Delete(id), remember).await
    }
}

struct Create(NewDataset);

impl Change for Create {
    type Output = DatasetRow;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<DatasetRow, Fault> {
        let NewDataset { name, description, filename, rows, is_text } = &self.0;
        let dataset = DatasetRow {
            id: clock::new_id(),
            name: name.clone(),
            description: description.clone(),
            filename: filename.clone(),
            rows: i64::try_from(rows.len()).unwrap_or(i64::MAX),
            is_text: *is_text,
            created_at: clock::now(),
        };
        let row = dataset::ActiveModel {
            id: Set(dataset.id),
            name: Set(dataset.name.clone()),
            description: Set(dataset.description.clone()),
            filename: Set(dataset.filename.clone()),
            rows: Set(dataset.rows),
            is_text: Set(dataset.is_text),
            created_at: Set(dataset.created_at),
        };
        dataset::Entity::insert(row).exec_without_returning(tx).await?;
        let mut number = 0;
        for chunk in rows.chunks(CHUNK) {
            let rows: Vec<dataset_row::ActiveModel> = (number..)
                .zip(chunk)
                .map(|(row, fields)| dataset_row::ActiveModel {
                    dataset_id: Set(dataset.id),
                    row: Set(row),
                    fields: Set(fields.clone()),
                })
                .collect();
            number += i64::try_from(rows.len()).unwrap_or(i64::MAX);
            dataset_row::Entity::insert_many(rows).exec_without_returning(tx).await?;
        }
        Ok(dataset)
    }
}

struct Delete(Uuid);

impl Change for Delete {
    type Output = ();

    const FREES_SPACE: bool = true;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        let deleted = dataset::Entity::delete_by_id(self.0).exec(tx).await?;
        if deleted.rows_affected == 0 { Err(WriteError::NotFound.into()) } else { Ok(()) }
    }
}
