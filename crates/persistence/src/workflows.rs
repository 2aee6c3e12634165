//! Workflows and their versions.

use std::collections::HashSet;

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait, Select,
};
use sluice_domain::SpurType;
use sluice_engine::{Remember, StoreError};
use uuid::Uuid;

use crate::direct;
use crate::entity::{workflow, workflow_version};
use crate::error::store_error;
use crate::words::tagged;
use crate::workflow_changes::{Delete, Duplicate, Patch, Reset, Restore, Update};
use crate::{
    Accepted, Between, Database, Details, Listed, NewWorkflow, Part, Pin, Saved, Saving, VersionFilter,
    VersionOrder, VersionRow, WorkflowFilter, WorkflowOrder, WorkflowRow, WriteError, lists, rows,
};

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
        if let Some(found) = self.direct().and_then(|direct| direct.read(&select, direct::workflow)) {
            return found.into_iter().next().map(rows::readable_workflow).transpose();
        }
        let found = rows::find(self.readers(), select).await.map_err(store_error)?;
        found.first().map(rows::workflow).transpose()
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
        lists::read(self.readers(), &select, part.page, (rows::workflow, size), key).await
    }

    /// How many workflows fit a filter.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn workflow_count(&self, filter: WorkflowFilter) -> Result<u64, StoreError> {
        lists::count(self.readers(), select_count(filter)).await
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

    /// Versions of a workflow; none when there is no such workflow. One that can't be read is left out and logged.
    ///
    /// # Errors
    ///
    /// When the store fails, or the part is too large.
    pub async fn versions(
        &self,
        filter: impl Into<VersionFilter>,
        part: impl Into<Part<VersionOrder>>,
    ) -> Result<Option<Listed<VersionRow, VersionOrder>>, StoreError> {
        let (filter, part) = (filter.into(), part.into());
        let select = select_versions(&filter, &part);
        let size = |row: &VersionRow| row.definition.len() + row.description.as_ref().map_or(0, String::len);
        let key = |row: &QueryResult| Some(VersionOrder(Some(row.try_get("", "version").ok()?)));
        let found = lists::read(self.readers(), &select, part.page, (rows::version, size), key).await?;
        if found.rows.is_empty() && self.existing_workflows(&[filter.workflow_id]).await?.is_empty() {
            return Ok(None);
        }
        Ok(Some(found))
    }

    /// How many versions fit a filter.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn version_count(&self, filter: impl Into<VersionFilter>) -> Result<u64, StoreError> {
        lists::count(self.readers(), select_version_count(&filter.into())).await
    }

    /// The id of the version that a new run of the workflow is pinned to; none when there is no such
    /// workflow.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn latest_version_id(&self, workflow_id: Uuid) -> Result<Option<Uuid>, StoreError> {
        let latest = self.direct().map(|direct| (direct, self.writer().latest().get(workflow_id)));
        if let Some((_, Ok(known))) = latest {
            return Ok(Some(known));
        }
        let select = workflow_version::Entity::find()
            .select_only()
            .column(workflow_version::Column::Id)
            .filter(workflow_version::Column::WorkflowId.eq(workflow_id))
            .order_by_desc(workflow_version::Column::Version)
            .limit(1);
        if let Some((direct, Err(unknown))) = latest
            && let Some(found) = direct.read(&select, |row| direct::id(row, "id"))
        {
            let found = found.first().copied();
            if let Some(version) = found {
                self.writer().latest().learn(unknown, workflow_id, version);
            }
            return Ok(found);
        }
        select.into_tuple().one(self.readers()).await.map_err(store_error)
    }

    /// The latest version of a workflow; none when there is no such workflow.
    ///
    /// # Errors
    ///
    /// When the store fails or the row can't be read.
    pub async fn latest_version(&self, workflow_id: Uuid) -> Result<Option<VersionRow>, StoreError> {
        let select = workflow_version::Entity::find()
            .filter(workflow_version::Column::WorkflowId.eq(workflow_id))
            .order_by_desc(workflow_version::Column::Version)
            .limit(1);
        self.one_version(select).await
    }

    /// A version; none when there is no such version.
    ///
    /// # Errors
    ///
    /// When the store fails or the row can't be read.
    pub async fn version(&self, version_id: Uuid) -> Result<Option<VersionRow>, StoreError> {
        self.one_version(workflow_version::Entity::find_by_id(version_id)).await
    }

    pub(crate) async fn one_version(
        &self,
        select: Select<workflow_version::Entity>,
    ) -> Result<Option<VersionRow>, StoreError> {
        if let Some(found) = self.direct().and_then(|direct| direct.read(&select, direct::version)) {
            return found.into_iter().next().map(rows::of_version).transpose();
        }
        let found = rows::find(self.readers(), select).await.map_err(store_error)?;
        found.first().map(rows::version).transpose()
    }
}

/// The workflows of a part of a list.
pub(crate) fn select(filter: WorkflowFilter, part: &Part<WorkflowOrder>) -> Select<workflow::Entity> {
    use workflow::Column::{Id, Name, UpdatedAt};
    let select = filtered(filter);
    match &part.order {
        WorkflowOrder::Created(after) => lists::placed(select, part, &[Id], after.map(|id| vec![id.into()])),
        WorkflowOrder::Name(after) => {
            lists::placed(select, part, &[Name], after.clone().map(|name| vec![name.into()]))
        }
        WorkflowOrder::Updated(after) => {
            let after = after.map(|(at, id)| vec![lists::comparable(at).into(), id.into()]);
            lists::placed(select, part, &[UpdatedAt, Id], after)
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
    lists::counting(filtered(filter), workflow::Column::Id)
}

fn filtered(filter: WorkflowFilter) -> Select<workflow::Entity> {
    use workflow::Column::{CreatedAt, Id, UpdatedAt};
    let WorkflowFilter { search, tag, created, updated } = filter;
    let mut select = lists::made_within(workflow::Entity::find(), CreatedAt, Id, created);
    select = lists::within(select, UpdatedAt, updated);
    for found in search.iter().flat_map(|search| search.workflows()) {
        select = select.filter(Id.in_subquery(found));
    }
    select.apply_if(tag, |select, tag| select.filter(Id.in_subquery(tagged(&tag))))
}

/// The versions of a part of a list.
pub(crate) fn select_versions(
    filter: &VersionFilter,
    part: &Part<VersionOrder>,
) -> Select<workflow_version::Entity> {
    let after = part.order.0.map(|number| vec![number.into()]);
    lists::placed(filtered_versions(filter), part, &[workflow_version::Column::Version], after)
}

/// How many versions a list has in all.
pub(crate) fn select_version_count(filter: &VersionFilter) -> Select<workflow_version::Entity> {
    lists::counting(filtered_versions(filter), workflow_version::Column::Id)
}

fn filtered_versions(filter: &VersionFilter) -> Select<workflow_version::Entity> {
    use workflow_version::Column::{CreatedAt, Version, WorkflowId};
    let VersionFilter { workflow_id, search, created } = filter;
    let of_workflow = || workflow_version::Entity::find().filter(WorkflowId.eq(*workflow_id));
    let mut select = of_workflow();
    for found in search.iter().flat_map(|search| search.versions(*workflow_id)) {
        select = select.filter(Version.in_subquery(found));
    }
    if *created != Between::default() {
        // Its own index turns times into numbers: it stands before the definitions, which may be long.
        let made = lists::within(of_workflow(), CreatedAt, *created).select_only().column(Version);
        select = select.filter(Version.in_subquery(made.into_query()));
    }
    select
}
