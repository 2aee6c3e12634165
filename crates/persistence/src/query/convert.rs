//! Reads rows. Errors contain the table and the id of the row.

use futures_util::TryStreamExt as _;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryResult, QueryTrait, Select,
    Statement, StreamTrait,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sluice_domain::run::Event;
use sluice_engine::StoreError;
use uuid::Uuid;

use crate::entity::{run_log, workflow, workflow_version};
use crate::error::store_error;

/// Names of tables in errors.
pub(crate) const WORKFLOWS: &str = "workflows";
pub(crate) const VERSIONS: &str = "workflow_versions";
pub(crate) const RUNS: &str = "runs";
pub(crate) const RUN_LOG: &str = "run_log";

/// Limit of the JSON in one page of a list, in bytes.
const MAX_PAGE_BYTES: usize = 64 << 20;

/// Runs a query without converting its rows, so that one unreadable row doesn't affect the others.
pub(crate) async fn find<E: EntityTrait>(
    db: &impl ConnectionTrait,
    select: Select<E>,
) -> Result<Vec<QueryResult>, DbErr> {
    db.query_all(select.as_query()).await
}

/// Builds a query of runs that makes SQLite use this index. Without statistics, SQLite would prefer an index of all
/// runs to the partial index of the few unfinished runs.
pub(crate) fn build_with_index(select: &impl QueryTrait, backend: DbBackend, index: &str) -> Statement {
    let mut statement = select.build(backend);
    if backend == DbBackend::Sqlite {
        let indexed = format!("FROM \"runs\" INDEXED BY \"{index}\"");
        statement.sql = statement.sql.replacen("FROM \"runs\"", &indexed, 1);
    }
    statement
}

/// Streams the rows of a page. Fails if they exceed [`MAX_PAGE_BYTES`], unless the page has only one row. Skips and
/// logs unreadable rows.
pub(crate) async fn stream_page<T>(
    db: &impl StreamTrait,
    select: &impl QueryTrait,
    mut read_row: impl FnMut(&QueryResult) -> Result<T, StoreError>,
    size: impl Fn(&T) -> usize,
) -> Result<Vec<T>, StoreError> {
    let mut rows = std::pin::pin!(db.stream(select.as_query()).await.map_err(store_error)?);
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await.map_err(store_error)? {
        let Some(row) = skip_unreadable([read_row(&row)]).pop() else { continue };
        bytes += size(&row);
        if bytes > MAX_PAGE_BYTES && !page.is_empty() {
            return Err(StoreError::PageTooLarge(MAX_PAGE_BYTES));
        }
        page.push(row);
    }
    Ok(page)
}

/// Reads a row of `table`. In the result, the names of its columns have this prefix.
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

/// Drops and logs unreadable rows: an incomplete list is better than an error.
pub(crate) fn skip_unreadable<T>(rows: impl IntoIterator<Item = Result<T, StoreError>>) -> Vec<T> {
    let mut readable = Vec::new();
    for row in rows {
        match row {
            Ok(row) => readable.push(row),
            Err(error) => tracing::error!(%error, "skipped an unreadable row"),
        }
    }
    readable
}

/// Reads a workflow.
pub(crate) fn read_workflow(row: &QueryResult) -> Result<workflow::Model, StoreError> {
    check_workflow(read(row, "", WORKFLOWS)?)
}

/// Rejects a workflow whose stored definition is damaged.
pub(crate) fn check_workflow(row: workflow::Model) -> Result<workflow::Model, StoreError> {
    check_definition(&row.definition, WORKFLOWS, row.id)?;
    Ok(row)
}

/// Reads a version.
pub(crate) fn read_version(row: &QueryResult) -> Result<workflow_version::Model, StoreError> {
    check_version(read(row, "", VERSIONS)?)
}

/// Rejects a version whose stored definition is damaged.
pub(crate) fn check_version(row: workflow_version::Model) -> Result<workflow_version::Model, StoreError> {
    check_definition(&row.definition, VERSIONS, row.id)?;
    Ok(row)
}

/// Appends the events of a row to a log that begins with sequence number `start`. Fails if events are missing in
/// between.
pub(crate) fn append_events(
    log: &mut Vec<Event>,
    start: i64,
    row: &run_log::Model,
) -> Result<(), StoreError> {
    let unreadable = |what: String| StoreError::Unreadable {
        table: RUN_LOG,
        id: format!("{}/{}", row.run_id, row.seq),
        what,
    };
    if usize::try_from(row.seq.saturating_sub(start)) != Ok(log.len()) {
        return Err(unreadable(format!("expected event {}", log.len())));
    }
    let events: Vec<Event> =
        serde_json::from_str(&row.events).map_err(|error| unreadable(error.to_string()))?;
    log.extend(events);
    Ok(())
}

/// Checks the structure of a definition, because it is returned to clients without being parsed.
fn check_definition(json: &str, table: &'static str, id: Uuid) -> Result<(), StoreError> {
    #[derive(Deserialize)]
    struct Shape {
        #[serde(rename = "nodes")]
        _nodes: Vec<IgnoredAny>,
        #[serde(rename = "links")]
        _links: Vec<IgnoredAny>,
    }
    // serde would also accept an array.
    let result = if json.trim_start().starts_with('{') {
        serde_json::from_str::<Shape>(json).map(drop).map_err(|error| error.to_string())
    } else {
        Err("not an object".to_owned())
    };
    result.map_err(|what| StoreError::Unreadable {
        table,
        id: id.to_string(),
        what: format!("definition: {what}"),
    })
}
