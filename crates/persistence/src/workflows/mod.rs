//! Workflows: queries, and changes that are sent to the writer.

pub(crate) mod changes;
mod export;
pub(crate) mod import;
pub(crate) mod import_plan;
pub(crate) mod labels;
pub(crate) mod versions;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use rusqlite::Row;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryResult, QuerySelect, QueryTrait, Select};
use sluice_engine::{ChangeOrigin, StoreError};
use uuid::Uuid;

use crate::change::actor;
use crate::connection::sqlite_fast_path;
use crate::database::Database;
use crate::entity::workflow;
use crate::error::{WriteError, store_error};
use crate::query::convert;
use crate::query::pagination::{self, Page, PageRequest, RowReader, TimeRange};
use crate::search::query::{Search, tag_query};
use crate::writer::workflow_inserts::NewWorkflow;
use changes::{Delete, Duplicate, Patch, Reset, Restore, SaveOptions, Update, WorkflowDetails};
use versions::Pin;

/// Ids per query. Limited by the maximum number of parameters per statement.
const ID_CHUNK: usize = 1_000;

/// The order of a list of workflows, and the sort key after which a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkflowOrder {
    /// By the time of creation, which the ids contain.
    Created(Option<Uuid>),
    /// By name, in the collation of the database.
    Name(Option<String>),
    /// By the time of the last save.
    Updated(Option<(DateTime<Utc>, Uuid)>),
}

impl Default for WorkflowOrder {
    fn default() -> Self {
        Self::Created(None)
    }
}

/// A filter of workflows. Workflows have to match all fields that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowFilter {
    /// Search terms for name and description.
    pub search: Option<Search>,
    /// A tag.
    pub tag: Option<String>,
    /// The time of creation.
    pub created: TimeRange,
    /// The time of the last save.
    pub updated: TimeRange,
}

impl Database {
    /// Creates a workflow and its version 1. Appends a number to a name that is taken.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn workflow_create(
        &self,
        new: NewWorkflow,
        origin: Option<ChangeOrigin>,
    ) -> Result<workflow::Model, StoreError> {
        self.writer().create_workflow(new, origin).await.map_err(|error| match error {
            WriteError::Store(error) => error,
            // A creation is never rejected.
            other => StoreError::Failed(Box::new(other)),
        })
    }

    /// Replaces name, description and definition. Creates a version if the executable part of the definition has
    /// changed. Writes nothing if nothing has changed.
    ///
    /// # Errors
    ///
    /// The workflow doesn't exist, the precondition failed, the label is protected, another workflow has the name, or
    /// the database failed.
    pub async fn workflow_update(
        &self,
        id: Uuid,
        new: NewWorkflow,
        options: SaveOptions,
        origin: Option<ChangeOrigin>,
    ) -> Result<workflow::Model, WriteError> {
        let actor = actor(origin.as_ref());
        self.writer().audited_change(Update { id, new, options, actor }, origin).await.map(|saved| saved.row)
    }

    /// Changes name, description or tags. Doesn't create a version.
    ///
    /// # Errors
    ///
    /// See [`Self::workflow_update`].
    pub async fn workflow_patch(
        &self,
        id: Uuid,
        patch: WorkflowDetails,
        options: SaveOptions,
        origin: Option<ChangeOrigin>,
    ) -> Result<workflow::Model, WriteError> {
        self.writer().audited_change(Patch { id, patch, options }, origin).await.map(|saved| saved.row)
    }

    /// Replaces the definition by the one of `defaults` for its type. Creates a version if the executable part has
    /// changed.
    ///
    /// # Errors
    ///
    /// See [`Self::workflow_update`].
    pub async fn workflow_reset(
        &self,
        id: Uuid,
        options: SaveOptions,
        origin: Option<ChangeOrigin>,
    ) -> Result<workflow::Model, WriteError> {
        let actor = actor(origin.as_ref());
        self.writer().audited_change(Reset { id, options, actor }, origin).await.map(|saved| saved.row)
    }

    /// Restores the definition of a version. Creates a version if the executable part has changed.
    ///
    /// # Errors
    ///
    /// See [`Self::workflow_update`]. Also fails if the version or the label doesn't exist.
    pub async fn version_restore(
        &self,
        id: Uuid,
        pin: Pin,
        options: SaveOptions,
        origin: Option<ChangeOrigin>,
    ) -> Result<workflow::Model, WriteError> {
        let actor = actor(origin.as_ref());
        self.writer().audited_change(Restore { id, pin, options, actor }, origin).await.map(|saved| saved.row)
    }

    /// Copies a workflow or one of its versions to a new workflow with another name.
    ///
    /// # Errors
    ///
    /// The workflow, the version or the label doesn't exist, or the database failed.
    pub async fn workflow_duplicate(
        &self,
        id: Uuid,
        pin: Pin,
        origin: Option<ChangeOrigin>,
    ) -> Result<workflow::Model, WriteError> {
        let actor = actor(origin.as_ref());
        self.writer().audited_change(Duplicate { id, pin, actor }, origin).await.map(|saved| saved.row)
    }

    /// Deletes a workflow with its versions, labels and runs.
    ///
    /// # Errors
    ///
    /// The workflow doesn't exist, the precondition failed, or the database failed.
    pub async fn workflow_delete(
        &self,
        id: Uuid,
        options: SaveOptions,
        origin: Option<ChangeOrigin>,
    ) -> Result<(), WriteError> {
        self.writer().audited_change(Delete { id, options }, origin).await.map(drop)
    }

    /// Returns a workflow.
    ///
    /// # Errors
    ///
    /// The row is unreadable, or the database failed.
    pub async fn workflow_get(&self, id: Uuid) -> Result<Option<workflow::Model>, StoreError> {
        let select = workflow::Entity::find_by_id(id);
        let read_row = |row: &Row<'_>| sqlite_fast_path::read_entity::<workflow::Entity>(row, 0);
        if let Some(rows) = self.fast_path().and_then(|fast_path| fast_path.read(&select, read_row)) {
            return rows.into_iter().next().map(convert::check_workflow).transpose();
        }
        let rows = convert::find(self.read_pool(), select).await.map_err(store_error)?;
        rows.first().map(convert::read_workflow).transpose()
    }

    /// Returns a page of workflows. Skips and logs unreadable ones.
    ///
    /// # Errors
    ///
    /// The page is too large, or the database failed.
    pub async fn workflow_list(
        &self,
        filter: WorkflowFilter,
        request: impl Into<PageRequest<WorkflowOrder>>,
    ) -> Result<Page<workflow::Model, WorkflowOrder>, StoreError> {
        let request = request.into();
        let reader = RowReader {
            read: convert::read_workflow,
            size: |row: &workflow::Model| {
                row.definition.len() + row.description.as_ref().map_or(0, String::len)
            },
            sort_key: |row: &QueryResult| sort_key(row, &request.order),
        };
        pagination::read_page(self.read_pool(), &select(filter, &request), request.page, reader).await
    }

    /// Counts workflows.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn workflow_count(&self, filter: WorkflowFilter) -> Result<u64, StoreError> {
        pagination::count(self.read_pool(), select_count(filter)).await
    }

    /// Returns the ids that belong to existing workflows.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn existing_workflows(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
        let mut existing = HashSet::new();
        for chunk in ids.chunks(ID_CHUNK) {
            let rows: Vec<Uuid> = workflow::Entity::find()
                .select_only()
                .column(workflow::Column::Id)
                .filter(workflow::Column::Id.is_in(chunk.iter().copied()))
                .into_tuple()
                .all(self.read_pool())
                .await
                .map_err(store_error)?;
            existing.extend(rows);
        }
        Ok(existing)
    }
}

/// Builds the query of a page.
pub(crate) fn select(
    filter: WorkflowFilter,
    request: &PageRequest<WorkflowOrder>,
) -> Select<workflow::Entity> {
    use workflow::Column::{Id, Name, UpdatedAt};
    let select = select_filtered(filter);
    match &request.order {
        WorkflowOrder::Created(after) => {
            pagination::paginate(select, request, &[Id], after.map(|id| vec![id.into()]))
        }
        WorkflowOrder::Name(after) => {
            pagination::paginate(select, request, &[Name], after.clone().map(|name| vec![name.into()]))
        }
        WorkflowOrder::Updated(after) => {
            let after = after.map(|(at, id)| vec![pagination::clamp_time(at).into(), id.into()]);
            pagination::paginate(select, request, &[UpdatedAt, Id], after)
        }
    }
}

/// Returns the sort key of a row, unless its columns are unreadable.
fn sort_key(row: &QueryResult, order: &WorkflowOrder) -> Option<WorkflowOrder> {
    let id = || row.try_get("", "id").ok();
    Some(match order {
        WorkflowOrder::Created(_) => WorkflowOrder::Created(Some(id()?)),
        WorkflowOrder::Name(_) => WorkflowOrder::Name(Some(row.try_get("", "name").ok()?)),
        WorkflowOrder::Updated(_) => {
            WorkflowOrder::Updated(Some((row.try_get("", "updated_at").ok()?, id()?)))
        }
    })
}

/// Builds the query that counts a list.
pub(crate) fn select_count(filter: WorkflowFilter) -> Select<workflow::Entity> {
    pagination::select_count(select_filtered(filter), workflow::Column::Id)
}

fn select_filtered(filter: WorkflowFilter) -> Select<workflow::Entity> {
    use workflow::Column::{CreatedAt, Id, UpdatedAt};
    let WorkflowFilter { search, tag, created, updated } = filter;
    let mut select = pagination::filter_created(workflow::Entity::find(), CreatedAt, Id, created);
    select = pagination::filter_time(select, UpdatedAt, updated);
    for query in search.iter().flat_map(Search::workflow_queries) {
        select = select.filter(Id.in_subquery(query));
    }
    select.apply_if(tag, |select, tag| select.filter(Id.in_subquery(tag_query(&tag))))
}
