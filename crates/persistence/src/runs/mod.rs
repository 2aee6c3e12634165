//! Runs, as answers show them.

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
use crate::entity::workflow_version::VersionRow;
use crate::entity::{run, run_log, workflow_version};
use crate::error::store_error;
use crate::query::convert;
use crate::query::pagination::{self, Between, Listed, Page, Part};
use crate::search::query::{Search, tagged};

/// A run that stands for a batch: clients may call other runs so too.
/// One row is looked up for each run: PostgreSQL makes a join with all rows of all batches of an `EXISTS`.
const HAS_ROWS: &str =
    "(SELECT batch_rows.run_id FROM batch_rows WHERE batch_rows.run_id = runs.id LIMIT 1) IS NOT NULL";

impl Database {
    /// A run with its log and version; none when there is no such run.
    ///
    /// # Errors
    ///
    /// When the store fails or a row can't be read.
    pub async fn run_detail(&self, id: Uuid) -> Result<Option<RunDetail>, StoreError> {
        let Some(StoredRun { record, log }) = self.run(id).await? else { return Ok(None) };
        // A version stays until its workflow is deleted, and then there is no such run either.
        let version = self.version(record.version_id).await?;
        Ok(version.map(|version| RunDetail { record, log, version }))
    }

    /// Runs; those of a batch in the order of its rows. One that can't be read is left out and logged.
    ///
    /// # Errors
    ///
    /// When the store fails, or the part is too large.
    pub async fn runs(
        &self,
        filter: RunFilter,
        part: impl Into<Part<RunOrder>>,
    ) -> Result<Listed<RunDetail, RunOrder>, StoreError> {
        let part = part.into();
        let tx = self.snapshot().await?;
        let read = |row: &QueryResult| convert::record(row, "");
        let key = |row: &QueryResult| Some(RunOrder(Some(row.try_get("", "id").ok()?)));
        // Records are small: their logs are what a page is bounded by.
        let select = select(filter, &part);
        let Listed { rows: records, next } =
            pagination::read(&tx, &select, part.page, (read, |_: &RunRecord| 0), key).await?;
        if records.is_empty() {
            return Ok(Listed { rows: Vec::new(), next });
        }
        Ok(Listed { rows: details(tx, records).await?, next })
    }

    /// The runs of the rows of a batch from row `from` on, in their order: at most `limit`.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn batch_runs(&self, batch: Uuid, from: i64, limit: u64) -> Result<Vec<RunDetail>, StoreError> {
        let filter = RunFilter { batch: Some((batch, from)), ..RunFilter::default() };
        Ok(self.runs(filter, Page { number: 1, size: limit }).await?.rows)
    }

    /// How many runs fit a filter.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn run_count(&self, filter: RunFilter) -> Result<u64, StoreError> {
        pagination::count(self.readers(), select_count(filter)).await
    }
}

/// The runs with their logs and versions.
async fn details(tx: DatabaseTransaction, records: Vec<RunRecord>) -> Result<Vec<RunDetail>, StoreError> {
    let select = run_log::Entity::find()
        .filter(run_log::Column::RunId.is_in(records.iter().map(|record| record.id)))
        .order_by_asc(run_log::Column::RunId)
        .order_by_asc(run_log::Column::Seq);
    let read = |row: &QueryResult| convert::read(row, "", convert::RUN_LOG);
    // One run is answered however much it gave.
    let size = |row: &run_log::Model| if records.len() > 1 { row.events.len() } else { 0 };
    let logs = convert::within_page(&tx, &select, read, size).await?;
    let mut versions: Vec<Uuid> = records.iter().map(|record| record.version_id).collect();
    versions.sort_unstable();
    versions.dedup();
    let select = workflow_version::Entity::find().filter(workflow_version::Column::Id.is_in(versions));
    let versions = convert::find(&tx, select).await.map_err(store_error)?;
    drop(tx);

    let mut logs = by_run(logs);
    let versions = convert::readable(versions.iter().map(convert::version));
    let versions: HashMap<Uuid, VersionRow> =
        versions.into_iter().map(|version| (version.id, version)).collect();
    let details = records.into_iter().map(|record| {
        let log = logs.remove(&record.id).unwrap_or_default();
        detail(record, &log, &versions)
    });
    Ok(convert::readable(details))
}

fn by_run(rows: Vec<run_log::Model>) -> HashMap<Uuid, Vec<run_log::Model>> {
    let mut logs: HashMap<Uuid, Vec<run_log::Model>> = HashMap::new();
    for row in rows {
        logs.entry(row.run_id).or_default().push(row);
    }
    logs
}

fn detail(
    record: RunRecord,
    rows: &[run_log::Model],
    versions: &HashMap<Uuid, VersionRow>,
) -> Result<RunDetail, StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable {
        table: convert::RUNS,
        id: record.id.to_string(),
        what: what.to_owned(),
    };
    let mut log: Vec<Event> = Vec::new();
    for row in rows {
        convert::append(&mut log, 0, row)?;
    }
    if log.is_empty() {
        return Err(unreadable("it has no log"));
    }
    let version = versions.get(&record.version_id).ok_or_else(|| unreadable("it has no version"))?.clone();
    Ok(RunDetail { record, log, version })
}

/// The runs of a part of a list.
pub(crate) fn select(filter: RunFilter, part: &Part<RunOrder>) -> Select<run::Entity> {
    let is_of_batch = filter.batch.is_some();
    let select = filtered(filter);
    if is_of_batch {
        let page = part.page;
        return select.order_by_asc(run::Column::BatchRow).offset(page.offset()).limit(page.limit());
    }
    pagination::placed(select, part, &[run::Column::Id], part.order.0.map(|id| vec![id.into()]))
}

/// How many runs a list has in all.
pub(crate) fn select_count(filter: RunFilter) -> Select<run::Entity> {
    pagination::counting(filtered(filter), run::Column::Id)
}

fn filtered(filter: RunFilter) -> Select<run::Entity> {
    let mut select = of_found_workflows(run::Entity::find(), &filter);
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
        select = select.filter(run::Column::RunType.eq("batch")).filter(Expr::cust(HAS_ROWS));
    }
    if let Some((batch, from)) = filter.batch {
        select = select.filter(run::Column::ParentRunId.eq(batch)).filter(run::Column::BatchRow.gte(from));
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
    let between = Between { from: filter.start_date, to: filter.end_date };
    pagination::made_within(select, run::Column::StartTime, run::Column::Id, between)
}

/// Only runs of workflows that are looked for.
fn of_found_workflows(mut select: Select<run::Entity>, filter: &RunFilter) -> Select<run::Entity> {
    let column = || run::Column::WorkflowId.into_expr();
    let by_words = filter.search.iter().flat_map(Search::workflows);
    for found in by_words.chain(filter.tag.as_deref().map(tagged)) {
        let workflow = match filter.has_open_pause {
            // The few that wait are all looked at: not a column, so that no index of all runs comes before theirs.
            Some(true) => Func::coalesce([column(), column()]).into(),
            _ => column(),
        };
        select = select.filter(workflow.in_subquery(found));
    }
    select
}

/// The order of a list of runs, by when they were accepted, and the run behind which it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOrder(pub Option<Uuid>);

/// A run with everything that an answer about it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct RunDetail {
    /// Its record.
    pub record: RunRecord,
    /// Its log, from the first event on. The record is as it was after the last of these.
    pub log: Vec<Event>,
    /// The version that it is pinned to.
    pub version: VersionRow,
}

/// Which runs a list shall have: those that fit everything that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Runs of this workflow.
    pub workflow_id: Option<Uuid>,
    /// Runs of workflows with these words in name or description.
    pub search: Option<Search>,
    /// Runs of workflows that are filed under this.
    pub tag: Option<String>,
    /// Runs that stand here.
    pub status: Option<RunStatus>,
    /// Runs that their client called so.
    pub run_type: Option<String>,
    /// Only runs that no other run started.
    pub parent_only: bool,
    /// Only runs that stand for batches.
    pub batches: bool,
    /// Runs of the rows of this batch, from this row on.
    pub batch: Option<(Uuid, i64)>,
    /// Batches that took their rows from this dataset.
    pub dataset_id: Option<Uuid>,
    /// Runs that wait for a person, or don't.
    pub has_open_pause: Option<bool>,
    /// Runs accepted at this time or later.
    pub start_date: Option<DateTime<Utc>>,
    /// Runs accepted at this time or earlier.
    pub end_date: Option<DateTime<Utc>>,
}
