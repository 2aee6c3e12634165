//! Workflows and their versions.

pub(crate) mod changes;
mod export;
pub(crate) mod import;
pub(crate) mod import_plan;
mod labels;
pub(crate) mod versions;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryResult, QuerySelect, QueryTrait, Select};
use sluice_domain::SpurType;
use sluice_engine::{Remember, StoreError};
use uuid::Uuid;

use changes::{Delete, Details, Duplicate, Patch, Reset, Restore, Saving, Update};
use versions::Pin;

use crate::connection::sqlite_fast_path;
use crate::database::Database;
use crate::entity::workflow::{self, WorkflowRow};
use crate::error::{WriteError, store_error};
use crate::query::convert;
use crate::query::pagination::{self, Between, Listed, Part};
use crate::search::query::{Search, tagged};
use crate::writer::workflow_inserts::{Accepted, NewWorkflow, Saved};

/// How many ids are asked about in one query: far below what a statement takes.
const IDS: usize = 1000;

impl Database {
    /// Creates a workflow and its version 1. A name that is taken gets a number that makes it unique.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn workflow_create(
        &self,
        new: NewWorkflow,
        remember: Option<Remember<Saved>>,
    ) -> Result<WorkflowRow, StoreError> {
        self.writer().create(new, remember).await.map_err(|error| match error {
            WriteError::Store(error) => error,
            // Not an answer that creating gives.
            other => StoreError::Failed(Box::new(other)),
        })
    }

    /// Replaces name, description and definition. Makes a version if what executes has changed; changes nothing if
    /// nothing has.
    ///
    /// # Errors
    ///
    /// When there is no such workflow, when the condition of `saving` doesn't hold, when its label is protected, when
    /// another workflow has the name, or when the store fails.
    pub async fn workflow_update(
        &self,
        id: Uuid,
        new: NewWorkflow,
        saving: Saving,
        remember: Option<Remember<Saved>>,
    ) -> Result<WorkflowRow, WriteError> {
        self.writer().change_once(Update(id, new, saving), remember).await.map(|saved| saved.row)
    }

    /// Replaces what is said about a workflow beside its definition. Makes no version.
    ///
    /// # Errors
    ///
    /// As [`Self::workflow_update`].
    pub async fn workflow_patch(
        &self,
        id: Uuid,
        details: Details,
        saving: Saving,
        remember: Option<Remember<Saved>>,
    ) -> Result<WorkflowRow, WriteError> {
        self.writer().change_once(Patch(id, details, saving), remember).await.map(|saved| saved.row)
    }

    /// Replaces the definition alone, by the one of `defaults` that is of its type. Makes a version if what executes
    /// has changed.
    ///
    /// # Errors
    ///
    /// As [`Self::workflow_update`].
    pub async fn workflow_reset(
        &self,
        id: Uuid,
        defaults: Vec<(SpurType, Accepted)>,
        saving: Saving,
        remember: Option<Remember<Saved>>,
    ) -> Result<WorkflowRow, WriteError> {
        self.writer().change_once(Reset(id, defaults, saving), remember).await.map(|saved| saved.row)
    }

    /// Puts the definition of a version back. Makes a version if what executes has changed.
    ///
    /// # Errors
    ///
    /// As [`Self::workflow_update`]; when there is no such version or label.
    pub async fn version_restore(
        &self,
        id: Uuid,
        pin: Pin,
        saving: Saving,
        remember: Option<Remember<Saved>>,
    ) -> Result<WorkflowRow, WriteError> {
        self.writer().change_once(Restore(id, pin, saving), remember).await.map(|saved| saved.row)
    }

    /// Makes a copy of a workflow, as it is or as a version of it was, with a name, an id and a version 1 of its own.
    ///
    /// # Errors
    ///
    /// When there is no such workflow, version or label, or when the store fails.
    pub async fn workflow_duplicate(
        &self,
        id: Uuid,
        pin: Pin,
        by: Option<String>,
        remember: Option<Remember<Saved>>,
    ) -> Result<WorkflowRow, WriteError> {
        self.writer().change_once(Duplicate(id, pin, by), remember).await.map(|saved| saved.row)
    }

    /// Deletes a workflow, its versions and its runs with their logs.
    ///
    /// # Errors
    ///
    /// When there is no such workflow, when the condition of `saving` doesn't hold, or when the store fails.
    pub async fn workflow_delete(
        &self,
        id: Uuid,
        saving: Saving,
        remember: Option<Remember<Option<String>>>,
    ) -> Result<(), WriteError> {
        self.writer().change_once(Delete(id, saving), remember).await.map(drop)
    }

    /// A workflow; none when there is no such workflow.
    ///
    /// # Errors
    ///
    /// When the store fails or the row can't be read.
    pub async fn workflow(&self, id: Uuid) -> Result<Option<WorkflowRow>, StoreError> {
        let select = workflow::Entity::find_by_id(id);
        if let Some(found) = self.direct().and_then(|direct| direct.read(&select, sqlite_fast_path::workflow))
        {
            return found.into_iter().next().map(convert::readable_workflow).transpose();
        }
        let found = convert::find(self.readers(), select).await.map_err(store_error)?;
        found.first().map(convert::workflow).transpose()
    }

    /// Workflows. One that can't be read is left out and logged.
    ///
    /// # Errors
    ///
    /// When the store fails, or the part is too large.
    pub async fn workflows(
        &self,
        filter: WorkflowFilter,
        part: impl Into<Part<WorkflowOrder>>,
    ) -> Result<Listed<WorkflowRow, WorkflowOrder>, StoreError> {
        let part = part.into();
        let select = select(filter, &part);
        let size = |row: &WorkflowRow| row.definition.len() + row.description.as_ref().map_or(0, String::len);
        let key = |row: &QueryResult| place(row, &part.order);
        pagination::read(self.readers(), &select, part.page, (convert::workflow, size), key).await
    }

    /// How many workflows fit a filter.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn workflow_count(&self, filter: WorkflowFilter) -> Result<u64, StoreError> {
        pagination::count(self.readers(), select_count(filter)).await
    }

    /// Which of these ids are workflows.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn existing_workflows(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
        let mut existing = HashSet::new();
        for ids in ids.chunks(IDS) {
            let found: Vec<Uuid> = workflow::Entity::find()
                .select_only()
                .column(workflow::Column::Id)
                .filter(workflow::Column::Id.is_in(ids.iter().copied()))
                .into_tuple()
                .all(self.readers())
                .await
                .map_err(store_error)?;
            existing.extend(found);
        }
        Ok(existing)
    }
}

/// The workflows of a part of a list.
pub(crate) fn select(filter: WorkflowFilter, part: &Part<WorkflowOrder>) -> Select<workflow::Entity> {
    use workflow::Column::{Id, Name, UpdatedAt};
    let select = filtered(filter);
    match &part.order {
        WorkflowOrder::Created(after) => {
            pagination::placed(select, part, &[Id], after.map(|id| vec![id.into()]))
        }
        WorkflowOrder::Name(after) => {
            pagination::placed(select, part, &[Name], after.clone().map(|name| vec![name.into()]))
        }
        WorkflowOrder::Updated(after) => {
            let after = after.map(|(at, id)| vec![pagination::comparable(at).into(), id.into()]);
            pagination::placed(select, part, &[UpdatedAt, Id], after)
        }
    }
}

/// Where a row stands in an order.
fn place(row: &QueryResult, order: &WorkflowOrder) -> Option<WorkflowOrder> {
    let id = || row.try_get("", "id").ok();
    Some(match order {
        WorkflowOrder::Created(_) => WorkflowOrder::Created(Some(id()?)),
        WorkflowOrder::Name(_) => WorkflowOrder::Name(Some(row.try_get("", "name").ok()?)),
        WorkflowOrder::Updated(_) => {
            WorkflowOrder::Updated(Some((row.try_get("", "updated_at").ok()?, id()?)))
        }
    })
}

/// How many workflows a list has in all.
pub(crate) fn select_count(filter: WorkflowFilter) -> Select<workflow::Entity> {
    pagination::counting(filtered(filter), workflow::Column::Id)
}

fn filtered(filter: WorkflowFilter) -> Select<workflow::Entity> {
    use workflow::Column::{CreatedAt, Id, UpdatedAt};
    let WorkflowFilter { search, tag, created, updated } = filter;
    let mut select = pagination::made_within(workflow::Entity::find(), CreatedAt, Id, created);
    select = pagination::within(select, UpdatedAt, updated);
    for found in search.iter().flat_map(|search| search.workflows()) {
        select = select.filter(Id.in_subquery(found));
    }
    select.apply_if(tag, |select, tag| select.filter(Id.in_subquery(tagged(&tag))))
}

/// The order of a list of workflows, and the row behind which it begins; none: with the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkflowOrder {
    /// By when they were created: ids grow with time.
    Created(Option<Uuid>),
    /// By name, as the database compares texts.
    Name(Option<String>),
    /// By when they were saved.
    Updated(Option<(DateTime<Utc>, Uuid)>),
}

impl Default for WorkflowOrder {
    fn default() -> Self {
        Self::Created(None)
    }
}

/// Which workflows a list shall have: those that fit everything that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowFilter {
    /// Workflows with these words in name or description.
    pub search: Option<Search>,
    /// Workflows that are filed under this.
    pub tag: Option<String>,
    /// When they were created.
    pub created: Between,
    /// When they were saved last.
    pub updated: Between,
}
