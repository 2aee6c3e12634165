//! Queries of the versions of workflows.

use rusqlite::Row;
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait, Select,
};
use sluice_engine::StoreError;
use uuid::Uuid;

use crate::connection::sqlite_fast_path;
use crate::database::Database;
use crate::entity::{label, workflow_version};
use crate::error::store_error;
use crate::query::convert;
use crate::query::pagination::{self, Page, PageRequest, RowReader, TimeRange};
use crate::search::query::Search;

/// A reference to a version of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The latest version.
    Latest,
    /// The version with this number.
    Number(i32),
    /// The version with this label.
    Label(String),
}

/// The order of a list of versions: by number. Contains the version number after which a page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VersionOrder(pub Option<i32>);

/// A filter of versions of a workflow. Versions have to match all fields that are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionFilter {
    /// The workflow.
    pub workflow_id: Uuid,
    /// Search terms for note, name and description.
    pub search: Option<Search>,
    /// The time of creation.
    pub created: TimeRange,
}

impl From<Uuid> for VersionFilter {
    fn from(workflow_id: Uuid) -> Self {
        Self { workflow_id, search: None, created: TimeRange::default() }
    }
}

impl Database {
    /// Returns a page of versions, or `None` if the workflow doesn't exist. Skips and logs unreadable ones.
    ///
    /// # Errors
    ///
    /// The page is too large, or the database failed.
    pub async fn version_list(
        &self,
        filter: impl Into<VersionFilter>,
        request: impl Into<PageRequest<VersionOrder>>,
    ) -> Result<Option<Page<workflow_version::Model, VersionOrder>>, StoreError> {
        let (filter, request) = (filter.into(), request.into());
        let reader = RowReader {
            read: convert::read_version,
            size: |row: &workflow_version::Model| {
                row.definition.len() + row.description.as_ref().map_or(0, String::len)
            },
            sort_key: |row: &QueryResult| Some(VersionOrder(Some(row.try_get("", "version").ok()?))),
        };
        let select = select(&filter, &request);
        let page = pagination::read_page(self.read_pool(), &select, request.page, reader).await?;
        if page.rows.is_empty() && self.existing_workflows(&[filter.workflow_id]).await?.is_empty() {
            return Ok(None);
        }
        Ok(Some(page))
    }

    /// Counts versions.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn version_count(&self, filter: impl Into<VersionFilter>) -> Result<u64, StoreError> {
        pagination::count(self.read_pool(), select_count(&filter.into())).await
    }

    /// Returns the id of the latest version, or `None` if the workflow doesn't exist.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn latest_version_id(&self, workflow_id: Uuid) -> Result<Option<Uuid>, StoreError> {
        let select = workflow_version::Entity::find()
            .select_only()
            .column(workflow_version::Column::Id)
            .filter(workflow_version::Column::WorkflowId.eq(workflow_id))
            .order_by_desc(workflow_version::Column::Version)
            .limit(1);
        if let Some(fast_path) = self.fast_path() {
            let cache = self.writer().latest_versions();
            let miss = match cache.get(workflow_id) {
                Ok(version) => return Ok(Some(version)),
                Err(miss) => miss,
            };
            if let Some(found) = fast_path.read(&select, |row| sqlite_fast_path::read_id(row, 0)) {
                let found = found.first().copied();
                if let Some(version) = found {
                    cache.insert_if_fresh(miss, workflow_id, version);
                }
                return Ok(found);
            }
        }
        select.into_tuple().one(self.read_pool()).await.map_err(store_error)
    }

    /// Returns the latest version, or `None` if the workflow doesn't exist.
    ///
    /// # Errors
    ///
    /// The row is unreadable, or the database failed.
    pub async fn latest_version(
        &self,
        workflow_id: Uuid,
    ) -> Result<Option<workflow_version::Model>, StoreError> {
        let select = workflow_version::Entity::find()
            .filter(workflow_version::Column::WorkflowId.eq(workflow_id))
            .order_by_desc(workflow_version::Column::Version)
            .limit(1);
        self.read_version(select).await
    }

    /// Returns a version by its id.
    ///
    /// # Errors
    ///
    /// The row is unreadable, or the database failed.
    pub async fn version_get(&self, id: Uuid) -> Result<Option<workflow_version::Model>, StoreError> {
        self.read_version(workflow_version::Entity::find_by_id(id)).await
    }

    /// Returns a pinned version, or `None` if the workflow, the version or the label doesn't exist.
    ///
    /// # Errors
    ///
    /// The row is unreadable, or the database failed.
    pub async fn pinned_version(
        &self,
        workflow_id: Uuid,
        pin: &Pin,
    ) -> Result<Option<workflow_version::Model>, StoreError> {
        use workflow_version::Column::{Version, WorkflowId};
        let versions = workflow_version::Entity::find().filter(WorkflowId.eq(workflow_id));
        let select = match pin {
            Pin::Latest => return self.latest_version(workflow_id).await,
            Pin::Number(number) => versions.filter(Version.eq(*number)),
            Pin::Label(name) => {
                let label_version = label::Entity::find_by_id((workflow_id, name.clone()))
                    .select_only()
                    .column(label::Column::Version)
                    .into_query();
                versions.filter(Version.in_subquery(label_version))
            }
        };
        self.read_version(select).await
    }

    async fn read_version(
        &self,
        select: Select<workflow_version::Entity>,
    ) -> Result<Option<workflow_version::Model>, StoreError> {
        let read_row = |row: &Row<'_>| sqlite_fast_path::read_entity::<workflow_version::Entity>(row, 0);
        if let Some(rows) = self.fast_path().and_then(|fast_path| fast_path.read(&select, read_row)) {
            return rows.into_iter().next().map(convert::check_version).transpose();
        }
        let rows = convert::find(self.read_pool(), select).await.map_err(store_error)?;
        rows.first().map(convert::read_version).transpose()
    }
}

/// Builds the query of a page.
pub(crate) fn select(
    filter: &VersionFilter,
    request: &PageRequest<VersionOrder>,
) -> Select<workflow_version::Entity> {
    let after = request.order.0.map(|number| vec![number.into()]);
    pagination::paginate(select_filtered(filter), request, &[workflow_version::Column::Version], after)
}

/// Builds the query that counts a list.
pub(crate) fn select_count(filter: &VersionFilter) -> Select<workflow_version::Entity> {
    pagination::select_count(select_filtered(filter), workflow_version::Column::Id)
}

fn select_filtered(filter: &VersionFilter) -> Select<workflow_version::Entity> {
    use workflow_version::Column::{CreatedAt, Version, WorkflowId};
    let VersionFilter { workflow_id, search, created } = filter;
    let of_workflow = workflow_version::Entity::find().filter(WorkflowId.eq(*workflow_id));
    let mut select = of_workflow.clone();
    for query in search.iter().flat_map(|search| search.version_queries(*workflow_id)) {
        select = select.filter(Version.in_subquery(query));
    }
    if *created != TimeRange::default() {
        // The subquery reads only an index, and not the definitions, which may be large.
        let in_range =
            pagination::filter_time(of_workflow, CreatedAt, *created).select_only().column(Version);
        select = select.filter(Version.in_subquery(in_range.into_query()));
    }
    select
}
