//! Versions of workflows.

use crate::connection::sqlite_fast_path;
use crate::database::Database;
use crate::entity::workflow_version::VersionRow;
use crate::entity::{label, workflow_version};
use crate::error::store_error;
use crate::query::convert;
use crate::query::pagination::{self, Between, Listed, Part};
use crate::search::query::Search;
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait, Select,
};
use sluice_engine::StoreError;
use uuid::Uuid;

/// Which version of a workflow is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The latest.
    Latest,
    /// The one with this number.
    Number(i32),
    /// The one that this label stands for.
    Label(String),
}

/// The order of a list of versions, by number, and the number behind which it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VersionOrder(pub Option<i32>);

/// Which versions of a workflow a list shall have: those that fit everything that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionFilter {
    /// The workflow.
    pub workflow_id: Uuid,
    /// Versions with these words in note, name or description.
    pub search: Option<Search>,
    /// When they were made.
    pub created: Between,
}

impl From<Uuid> for VersionFilter {
    fn from(workflow_id: Uuid) -> Self {
        Self { workflow_id, search: None, created: Between::default() }
    }
}

impl Database {
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
        let found =
            pagination::read(self.readers(), &select, part.page, (convert::version, size), key).await?;
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
        pagination::count(self.readers(), select_version_count(&filter.into())).await
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
            && let Some(found) = direct.read(&select, |row| sqlite_fast_path::id(row, "id"))
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
        if let Some(found) = self.direct().and_then(|direct| direct.read(&select, sqlite_fast_path::version))
        {
            return found.into_iter().next().map(convert::of_version).transpose();
        }
        let found = convert::find(self.readers(), select).await.map_err(store_error)?;
        found.first().map(convert::version).transpose()
    }

    /// The version of a workflow that is meant; none when there is no such workflow, version or label.
    ///
    /// # Errors
    /// When the store fails or the row can't be read.
    pub async fn pinned_version(
        &self,
        workflow_id: Uuid,
        pin: &Pin,
    ) -> Result<Option<VersionRow>, StoreError> {
        use workflow_version::Column::{Version, WorkflowId};
        let versions = workflow_version::Entity::find().filter(WorkflowId.eq(workflow_id));
        let select = match pin {
            Pin::Latest => return self.latest_version(workflow_id).await,
            Pin::Number(number) => versions.filter(Version.eq(*number)),
            Pin::Label(name) => {
                let stands_at = label::Entity::find_by_id((workflow_id, name.clone()))
                    .select_only()
                    .column(label::Column::Version)
                    .into_query();
                versions.filter(Version.in_subquery(stands_at))
            }
        };
        self.one_version(select).await
    }
}

/// The versions of a part of a list.
pub(crate) fn select_versions(
    filter: &VersionFilter,
    part: &Part<VersionOrder>,
) -> Select<workflow_version::Entity> {
    let after = part.order.0.map(|number| vec![number.into()]);
    pagination::placed(filtered_versions(filter), part, &[workflow_version::Column::Version], after)
}

/// How many versions a list has in all.
pub(crate) fn select_version_count(filter: &VersionFilter) -> Select<workflow_version::Entity> {
    pagination::counting(filtered_versions(filter), workflow_version::Column::Id)
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
        let made = pagination::within(of_workflow(), CreatedAt, *created).select_only().column(Version);
        select = select.filter(Version.in_subquery(made.into_query()));
    }
    select
}
