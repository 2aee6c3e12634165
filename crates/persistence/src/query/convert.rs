//! From rows to what callers get. A row that doesn't say what it should is an error that names it.

use futures_util::TryStreamExt as _;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryResult, QueryTrait, Select,
    Statement, StreamTrait,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sluice_domain::run::{Event, RunStatus};
use sluice_engine::{RunRecord, StoreError};
use uuid::Uuid;

use crate::entity::workflow::WorkflowRow;
use crate::entity::workflow_version::VersionRow;
use crate::entity::{run, run_log, workflow, workflow_version};
use crate::error::store_error;

pub(crate) const WORKFLOWS: &str = "workflows";
pub(crate) const VERSIONS: &str = "workflow_versions";
pub(crate) const RUNS: &str = "runs";
pub(crate) const RUN_LOG: &str = "run_log";

/// The most bytes of JSON that one page of a list is made of.
const MAX_PAGE_BYTES: usize = 64 << 20;

/// The rows that a query finds, not read yet: one bad row shall not take the others with it.
pub(crate) async fn find<E: EntityTrait>(
    db: &impl ConnectionTrait,
    select: Select<E>,
) -> Result<Vec<QueryResult>, DbErr> {
    db.query_all(select.as_query()).await
}

/// A query of runs that SQLite answers by walking this index. It has no figures about its tables, and would take an
/// index of all runs that stand somewhere for one of the few that have not ended.
pub(crate) fn walking(select: &impl QueryTrait, backend: DbBackend, index: &str) -> Statement {
    let mut statement = select.build(backend);
    if backend == DbBackend::Sqlite {
        let walked = format!("FROM \"runs\" INDEXED BY \"{index}\"");
        statement.sql = statement.sql.replacen("FROM \"runs\"", &walked, 1);
    }
    statement
}

/// What a query finds, one row read after the other, until it is more than [`MAX_PAGE_BYTES`] as `size` tells.
/// A row that can't be read is left out and logged; one row alone may be larger.
pub(crate) async fn within_page<T>(
    db: &impl StreamTrait,
    select: &impl QueryTrait,
    mut read: impl FnMut(&QueryResult) -> Result<T, StoreError>,
    size: impl Fn(&T) -> usize,
) -> Result<Vec<T>, StoreError> {
    let mut rows = std::pin::pin!(db.stream(select.as_query()).await.map_err(store_error)?);
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await.map_err(store_error)? {
        let Some(row) = readable([read(&row)]).pop() else { continue };
        bytes += size(&row);
        if bytes > MAX_PAGE_BYTES && !found.is_empty() {
            return Err(StoreError::PageTooLarge(MAX_PAGE_BYTES));
        }
        found.push(row);
    }
    Ok(found)
}

/// A row as its table has it. `prefix` stands in front of the names of its columns.
pub(crate) fn read<M: FromQueryResult>(
    row: &QueryResult,
    prefix: &str,
    table: &'static str,
) -> Result<M, StoreError> {
    M::from_query_result(row, prefix).map_err(|error| {
        let id = row.try_get::<Uuid>(prefix, "id").map_or_else(|_| "?".to_owned(), |id| id.to_string());
        StoreError::Unreadable { table, id, what: error.to_string() }
    })
}

/// Leaves out what can't be read, and says so in the log: a list is better than none.
pub(crate) fn readable<T>(rows: impl IntoIterator<Item = Result<T, StoreError>>) -> Vec<T> {
    let log = |error: &StoreError| tracing::error!(%error, "a list goes without a row");
    rows.into_iter().filter_map(|row| row.inspect_err(log).ok()).collect()
}

pub(crate) fn workflow(row: &QueryResult) -> Result<WorkflowRow, StoreError> {
    readable_workflow(read(row, "", WORKFLOWS)?)
}

pub(crate) fn readable_workflow(row: workflow::Model) -> Result<WorkflowRow, StoreError> {
    check_definition(&row.definition, WORKFLOWS, row.id)?;
    Ok(of_workflow(row))
}

pub(crate) fn of_workflow(row: workflow::Model) -> WorkflowRow {
    WorkflowRow {
        id: row.id,
        name: row.name,
        description: row.description,
        definition: row.definition,
        created_at: row.created_at,
        updated_at: row.updated_at,
        tags: row.tags,
        version: row.version,
    }
}

pub(crate) fn version(row: &QueryResult) -> Result<VersionRow, StoreError> {
    of_version(read(row, "", VERSIONS)?)
}

pub(crate) fn of_version(row: workflow_version::Model) -> Result<VersionRow, StoreError> {
    check_definition(&row.definition, VERSIONS, row.id)?;
    Ok(VersionRow {
        id: row.id,
        workflow_id: row.workflow_id,
        version: row.version,
        name: row.name,
        description: row.description,
        definition: row.definition,
        definition_hash: row.definition_hash,
        created_at: row.created_at,
        updated_at: row.updated_at,
        note: row.note,
        created_by: row.created_by,
    })
}

pub(crate) fn record(row: &QueryResult, prefix: &str) -> Result<RunRecord, StoreError> {
    of_run(read(row, prefix, RUNS)?)
}

pub(crate) fn of_run(row: run::Model) -> Result<RunRecord, StoreError> {
    let status: RunStatus = row.status.parse().map_err(|_| StoreError::Unreadable {
        table: RUNS,
        id: row.id.to_string(),
        what: format!("there is no status {:?}", row.status),
    })?;
    Ok(RunRecord {
        id: row.id,
        workflow_id: row.workflow_id,
        version_id: row.version_id,
        parent_run_id: row.parent_run_id,
        batch_row: row.batch_row,
        dataset_id: row.dataset_id,
        run_type: row.run_type,
        start_time: row.start_time,
        status,
        end_time: row.end_time,
        has_open_pause: row.has_open_pause,
    })
}

/// Appends the events of a row of a log to those before it, of which the first has the number `start`. The
/// numbers must go on without a gap.
pub(crate) fn append(log: &mut Vec<Event>, start: i64, row: &run_log::Model) -> Result<(), StoreError> {
    let unreadable = |what: String| StoreError::Unreadable {
        table: RUN_LOG,
        id: format!("{}/{}", row.run_id, row.seq),
        what,
    };
    if usize::try_from(row.seq.saturating_sub(start)) != Ok(log.len()) {
        return Err(unreadable(format!("event {} should be there", log.len())));
    }
    let events: Vec<Event> =
        serde_json::from_str(&row.events).map_err(|error| unreadable(error.to_string()))?;
    log.extend(events);
    Ok(())
}

/// A definition is handed out without being parsed again, so at least its shape must be right.
fn check_definition(json: &str, table: &'static str, id: Uuid) -> Result<(), StoreError> {
    #[derive(Deserialize)]
    struct Shape {
        #[serde(rename = "nodes")]
        _nodes: Vec<IgnoredAny>,
        #[serde(rename = "links")]
        _links: Vec<IgnoredAny>,
    }
    // A list would pass for an object whose fields come in order.
    let shape = if json.trim_start().starts_with('{') {
        serde_json::from_str::<Shape>(json).map(drop).map_err(|error| error.to_string())
    } else {
        Err("it is not an object".to_owned())
    };
    shape.map_err(|what| StoreError::Unreadable {
        table,
        id: id.to_string(),
        what: format!("definition: {what}"),
    })
}
