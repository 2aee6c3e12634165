//! Queries of runs.

mod batches;
pub(crate) mod pause_events;
mod store;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, Func};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect, Select,
};
use sluice_domain::run::{Event, RunStatus};
use sluice_engine::{RunRecord, RunStore as _, StoreError, StoredRun};
use uuid::Uuid;

use crate::database::Database;
use crate::entity::run::WITH_OPEN_PAUSE;
use crate::entity::{run, run_log, workflow_version};
use crate::error::store_error;
use crate::query::convert;
use crate::query::pagination::{self, Page, PageNumber, PageRequest, RowReader, TimeRange};
use crate::search::query::{Search, tag_query};

/// Condition of runs that are batches. The run type `batch` is not sufficient, because clients may choose it for other
/// runs. A subquery per run, because PostgreSQL turns `EXISTS` into a join with all rows of all batches.
const HAS_BATCH_ROWS: &str =
    "(SELECT batch_rows.run_id FROM batch_rows WHERE batch_rows.run_id = runs.id LIMIT 1) IS NOT NULL";

/// The order of a list of runs: by start. Contains the id of the run after which a page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOrder(pub Option<Uuid>);

/// A run with its log and its version.
#[derive(Clone, Debug, PartialEq)]
pub struct RunDetail {
    /// The record, as of the end of the log.
    pub record: RunRecord,
    /// The complete log.
    pub log: Vec<Event>,
    /// The version that the run executes.
    pub version: workflow_version::Model,
}

/// A filter of runs. Runs have to match all fields that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// The workflow.
    pub workflow_id: Option<Uuid>,
    /// Search terms for name and description of the workflow.
    pub search: Option<Search>,
    /// A tag of the workflow.
    pub tag: Option<String>,
    /// The status.
    pub status: Option<RunStatus>,
    /// The run type that the client chose.
    pub run_type: Option<String>,
    /// True to select only runs without a parent.
    pub parent_only: bool,
    /// True to select only batches.
    pub batches: bool,
    /// Rows of a batch.
    pub batch: Option<BatchRowRange>,
    /// The dataset of a batch.
    pub dataset_id: Option<Uuid>,
    /// True to select runs with an open pause, false to select runs without one.
    pub has_open_pause: Option<bool>,
    /// The earliest start.
    pub start_date: Option<DateTime<Utc>>,
    /// The latest start.
    pub end_date: Option<DateTime<Utc>>,
}

/// The rows of a batch, starting at a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRowRange {
    /// The run id of the batch.
    pub batch_id: Uuid,
    /// The first row, from 0.
    pub first_row: i64,
}

impl Database {
    /// Returns a run with its log and its version.
    ///
    /// # Errors
    ///
    /// A row is unreadable, or the database failed.
    pub async fn run_get(&self, id: Uuid) -> Result<Option<RunDetail>, StoreError> {
        let Some(StoredRun { record, log }) = self.run(id).await? else { return Ok(None) };
        // The version is deleted only with its workflow, which deletes the run too.
        let version = self.version_get(record.version_id).await?;
        Ok(version.map(|version| RunDetail { record, log, version }))
    }

    /// Returns a page of runs. Rows of a batch are sorted by row number. Skips and logs unreadable runs.
    ///
    /// # Errors
    ///
    /// The page is too large, or the database failed.
    pub async fn run_list(
        &self,
        filter: RunFilter,
        request: impl Into<PageRequest<RunOrder>>,
    ) -> Result<Page<RunDetail, RunOrder>, StoreError> {
        let request = request.into();
        let tx = self.read_transaction().await?;
        let reader = RowReader {
            read: |row: &QueryResult| {
                convert::read::<run::Model>(row, "", convert::RUNS).map(RunRecord::from)
            },
            // Records are small. The logs limit the page.
            size: |_: &RunRecord| 0,
            sort_key: |row: &QueryResult| Some(RunOrder(Some(row.try_get("", "id").ok()?))),
        };
        let select = select(filter, &request);
        let Page { rows, next } = pagination::read_page(&tx, &select, request.page, reader).await?;
        if rows.is_empty() {
            return Ok(Page { rows: Vec::new(), next });
        }
        Ok(Page { rows: load_details(tx, rows).await?, next })
    }

    /// Counts runs.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn run_count(&self, filter: RunFilter) -> Result<u64, StoreError> {
        pagination::count(self.read_pool(), select_count(filter)).await
    }

    /// Returns the runs of at most `limit` rows of a batch, starting at row `first_row`.
    ///
    /// # Errors
    ///
    /// The page is too large, or the database failed.
    pub async fn batch_runs(
        &self,
        batch_id: Uuid,
        first_row: i64,
        limit: u64,
    ) -> Result<Vec<RunDetail>, StoreError> {
        let batch = Some(BatchRowRange { batch_id, first_row });
        let filter = RunFilter { batch, ..RunFilter::default() };
        Ok(self.run_list(filter, PageNumber { number: 1, size: limit }).await?.rows)
    }
}

/// Loads the logs and the versions of runs.
async fn load_details(
    tx: DatabaseTransaction,
    records: Vec<RunRecord>,
) -> Result<Vec<RunDetail>, StoreError> {
    let select = run_log::Entity::find()
        .filter(run_log::Column::RunId.is_in(records.iter().map(|record| record.id)))
        .order_by_asc(run_log::Column::RunId)
        .order_by_asc(run_log::Column::Seq);
    let read_row = |row: &QueryResult| convert::read(row, "", convert::RUN_LOG);
    // Without a size limit for a single run, so that a large one stays readable.
    let size = |row: &run_log::Model| if records.len() > 1 { row.events.len() } else { 0 };
    let log_rows = convert::stream_page(&tx, &select, read_row, size).await?;
    let mut version_ids: Vec<Uuid> = records.iter().map(|record| record.version_id).collect();
    version_ids.sort_unstable();
    version_ids.dedup();
    let select = workflow_version::Entity::find().filter(workflow_version::Column::Id.is_in(version_ids));
    let version_rows = convert::find(&tx, select).await.map_err(store_error)?;
    drop(tx);

    let mut logs: HashMap<Uuid, Vec<run_log::Model>> = HashMap::new();
    for row in log_rows {
        logs.entry(row.run_id).or_default().push(row);
    }
    let versions = convert::skip_unreadable(version_rows.iter().map(convert::read_version));
    let versions: HashMap<Uuid, workflow_version::Model> =
        versions.into_iter().map(|version| (version.id, version)).collect();
    let details = records.into_iter().map(|record| {
        let log_rows = logs.remove(&record.id).unwrap_or_default();
        to_detail(record, &log_rows, &versions)
    });
    Ok(convert::skip_unreadable(details))
}

fn to_detail(
    record: RunRecord,
    log_rows: &[run_log::Model],
    versions: &HashMap<Uuid, workflow_version::Model>,
) -> Result<RunDetail, StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable {
        table: convert::RUNS,
        id: record.id.to_string(),
        what: what.to_owned(),
    };
    let mut log: Vec<Event> = Vec::new();
    for row in log_rows {
        convert::append_events(&mut log, 0, row)?;
    }
    if log.is_empty() {
        return Err(unreadable("missing log"));
    }
    let version = versions.get(&record.version_id).ok_or_else(|| unreadable("missing version"))?.clone();
    Ok(RunDetail { record, log, version })
}

/// Builds the query of a page.
pub(crate) fn select(filter: RunFilter, request: &PageRequest<RunOrder>) -> Select<run::Entity> {
    let is_batch_list = filter.batch.is_some();
    let select = select_filtered(filter);
    if is_batch_list {
        let page = request.page;
        return select.order_by_asc(run::Column::BatchRow).offset(page.offset()).limit(page.limit());
    }
    pagination::paginate(select, request, &[run::Column::Id], request.order.0.map(|id| vec![id.into()]))
}

/// Builds the query that counts a list.
pub(crate) fn select_count(filter: RunFilter) -> Select<run::Entity> {
    pagination::select_count(select_filtered(filter), run::Column::Id)
}

fn select_filtered(filter: RunFilter) -> Select<run::Entity> {
    let mut select = filter_workflows(run::Entity::find(), &filter);
    if let Some(workflow_id) = filter.workflow_id {
        select = select.filter(run::Column::WorkflowId.eq(workflow_id));
    }
    if let Some(status) = filter.status {
        select = select.filter(run::Column::Status.eq(status.as_str()));
    }
    if let Some(run_type) = filter.run_type {
        select = select.filter(run::Column::RunType.eq(run_type));
    }
    if filter.batches {
        select = select.filter(run::Column::RunType.eq("batch")).filter(Expr::cust(HAS_BATCH_ROWS));
    }
    if let Some(BatchRowRange { batch_id, first_row }) = filter.batch {
        select =
            select.filter(run::Column::ParentRunId.eq(batch_id)).filter(run::Column::BatchRow.gte(first_row));
    }
    if let Some(dataset_id) = filter.dataset_id {
        select = select.filter(run::Column::DatasetId.eq(dataset_id));
    }
    if filter.parent_only {
        select = select.filter(run::Column::ParentRunId.is_null());
    }
    select = match filter.has_open_pause {
        Some(true) => select.filter(Expr::cust(WITH_OPEN_PAUSE)),
        Some(false) => select.filter(Expr::cust(WITH_OPEN_PAUSE).not()),
        None => select,
    };
    let start = TimeRange { from: filter.start_date, to: filter.end_date };
    pagination::filter_created(select, run::Column::StartTime, run::Column::Id, start)
}

/// Filters runs by search terms and tag of their workflow.
fn filter_workflows(mut select: Select<run::Entity>, filter: &RunFilter) -> Select<run::Entity> {
    let search_queries = filter.search.iter().flat_map(Search::workflow_queries);
    for query in search_queries.chain(filter.tag.as_deref().map(tag_query)) {
        let column = run::Column::WorkflowId.into_expr();
        let workflow_id = match filter.has_open_pause {
            // An expression in place of the column, so that the planner reads the small index of runs with an open
            // pause.
            Some(true) => Func::coalesce([column.clone(), column]).into(),
            _ => column,
        };
        select = select.filter(workflow_id.in_subquery(query));
    }
    select
}
