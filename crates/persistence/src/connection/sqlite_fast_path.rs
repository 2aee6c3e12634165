//! SQLite without a thread in between, for what every run needs. sqlx hands each statement over to a thread of its
//! own, which costs more than the statement does. sea-orm writes the SQL here as well, and whatever doesn't work
//! out is done again the ordinary way, which knows what a failure means.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::config::DbConfig;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OpenFlags, Row, params_from_iter};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, QueryTrait, Statement, Value};
use uuid::Uuid;

use super::{Use, pragmas};
use crate::entity::{run, run_log, workflow, workflow_version};

/// How many prepared statements a connection keeps: one a table, and for each number of rows that is written at once.
const STATEMENTS: usize = 128;

/// Connections to an SQLite file that are used on the caller's thread.
#[derive(Debug)]
pub(crate) struct SqliteFastPath {
    path: PathBuf,
    usage: Use,
    idle: Mutex<Vec<Connection>>,
}

/// Why nothing was written.
pub(crate) enum NotWritten {
    /// It is to be tried the ordinary way.
    Yet,
    /// This is to be told.
    Failed(DbErr),
}

impl SqliteFastPath {
    pub(crate) fn new(path: PathBuf, usage: Use) -> Self {
        Self { path, usage, idle: Mutex::default() }
    }

    /// A transaction; none when it has to be begun the ordinary way.
    pub(crate) fn begin(&self) -> Option<Transaction> {
        let begun = self.take().and_then(|connection| {
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            Ok(Transaction(Mutex::new(connection)))
        });
        begun.inspect_err(|error| tracing::debug!(%error, "no direct transaction")).ok()
    }

    /// Ends a transaction, and keeps its connection for the next. When it fails nothing was written, and the
    /// connection is gone: whatever state it is in, nobody meets it.
    pub(crate) fn commit(&self, tx: Transaction) -> Result<(), DbErr> {
        let connection = tx.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])).map_err(failed)?;
        self.give_back(connection);
        Ok(())
    }

    /// The rows that a statement finds, each as `read` takes it; none when it is to be asked the ordinary way.
    /// For a few rows that are found by their key: they are waited for on the caller's thread.
    pub(crate) fn read<T>(
        &self,
        query: &impl QueryTrait,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Option<Vec<T>> {
        let statement = query.build(DbBackend::Sqlite);
        let found = self.take().and_then(|connection| {
            let found = rows(&connection, &statement, read)?;
            self.give_back(connection);
            Ok(found)
        });
        found.inspect_err(|error| tracing::debug!(%error, "a direct read did not work out")).ok()
    }

    /// Closes what is open.
    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self) -> rusqlite::Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.open(), Ok)
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let access = match self.usage {
            Use::Read | Use::Check => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Use::Write { .. } => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let connection = Connection::open_with_flags(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        // Whoever has to wait does it the ordinary way.
        connection.busy_timeout(Duration::ZERO)?;
        // A statement is prepared once, and not anew for each id that it is given.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        for (name, value) in pragmas(self.usage) {
            connection.pragma_update(None, name, value)?;
        }
        // A mapped file is mapped anew after each write: for a few pages that costs more than reading them.
        connection.pragma_update(None, "mmap_size", 0)?;
        Ok(connection)
    }
}

/// A transaction on the caller's thread. Dropped without a commit, it is rolled back with its connection.
pub(crate) struct Transaction(Mutex<Connection>);

impl Transaction {
    fn execute(&self, statement: &Statement) -> Result<(), DbErr> {
        let values =
            bound(statement).ok_or_else(|| DbErr::Custom("a value of an unknown type".to_owned()))?;
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let executed = connection
            .prepare_cached(&statement.sql)
            .and_then(|mut prepared| prepared.execute(params_from_iter(values)));
        executed.map(drop).map_err(failed)
    }

    fn texts(&self, statement: &Statement) -> Result<Vec<String>, DbErr> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows(&connection, statement, |row| row.get(0)).map_err(failed)
    }
}

/// One transaction or the other, for what is written in both.
pub(crate) enum Tx<'a> {
    Orm(&'a DatabaseTransaction),
    Direct(&'a Transaction),
}

impl Tx<'_> {
    pub(crate) async fn execute(&self, query: &impl QueryTrait) -> Result<(), DbErr> {
        match self {
            Self::Orm(tx) => tx.execute_raw(query.build(tx.get_database_backend())).await.map(drop),
            Self::Direct(tx) => tx.execute(&query.build(DbBackend::Sqlite)),
        }
    }

    /// The first column of what is found, which holds texts.
    pub(crate) async fn texts(&self, query: &impl QueryTrait) -> Result<Vec<String>, DbErr> {
        match self {
            Self::Orm(tx) => {
                let found = tx.query_all_raw(query.build(tx.get_database_backend())).await?;
                found.iter().map(|row| row.try_get_by_index(0)).collect()
            }
            Self::Direct(tx) => tx.texts(&query.build(DbBackend::Sqlite)),
        }
    }
}

fn failed(error: rusqlite::Error) -> DbErr {
    DbErr::Custom(error.to_string())
}

fn rows<T>(
    connection: &Connection,
    statement: &Statement,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let values = bound(statement).ok_or(rusqlite::Error::InvalidQuery)?;
    connection.prepare_cached(&statement.sql)?.query_map(params_from_iter(values), read)?.collect()
}

/// What a statement is given, as sqlx gives it to SQLite; none when it has a value of a kind that ours don't have.
fn bound(statement: &Statement) -> Option<Vec<Sql>> {
    let values = statement.values.iter().flat_map(|values| values.0.iter());
    values.map(|value| one_bound(value.clone())).collect()
}

fn one_bound(value: Value) -> Option<Sql> {
    let value = match value {
        Value::Bool(value) => value.map(Sql::from),
        Value::Int(value) => value.map(Sql::from),
        Value::BigInt(value) => value.map(Sql::from),
        Value::BigUnsigned(value) => value.map(i64::try_from).transpose().ok()?.map(Sql::from),
        Value::String(value) => value.map(Sql::from),
        Value::Bytes(value) => value.map(Sql::from),
        Value::Uuid(value) => value.map(|id| Sql::from(id.as_bytes().to_vec())),
        Value::ChronoDateTimeUtc(value) => {
            value.map(|at| Sql::from(at.to_rfc3339_opts(SecondsFormat::AutoSi, false)))
        }
        _ => return None,
    };
    Some(value.unwrap_or(Sql::Null))
}

/// An id in a row.
pub(crate) fn id(row: &Row<'_>, column: &str) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

fn optional_id(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Uuid>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(Uuid::from_bytes))
}

fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<DateTime<Utc>> {
    row.get::<_, String>(column).and_then(|text| parsed(&text))
}

fn optional_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<DateTime<Utc>>> {
    row.get::<_, Option<String>>(column)?.map(|text| parsed(&text)).transpose()
}

fn parsed(text: &str) -> rusqlite::Result<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// A row of `workflows`.
pub(crate) fn workflow(row: &Row<'_>) -> rusqlite::Result<workflow::Model> {
    Ok(workflow::Model {
        id: id(row, "id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        definition: row.get("definition")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        tags: row.get("tags")?,
        version: row.get("version")?,
        has_words: row.get("has_words")?,
    })
}

/// A row of `workflow_versions`.
pub(crate) fn version(row: &Row<'_>) -> rusqlite::Result<workflow_version::Model> {
    Ok(workflow_version::Model {
        id: id(row, "id")?,
        workflow_id: id(row, "workflow_id")?,
        version: row.get("version")?,
        name: row.get("name")?,
        description: row.get("description")?,
        definition: row.get("definition")?,
        definition_hash: row.get("definition_hash")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        note: row.get("note")?,
        created_by: row.get("created_by")?,
    })
}

/// A row of `runs`, joined with one of `run_log`.
pub(crate) fn run_and_log(row: &Row<'_>) -> rusqlite::Result<(run::Model, run_log::Model)> {
    let run = run::Model {
        id: id(row, "A_id")?,
        workflow_id: id(row, "A_workflow_id")?,
        version_id: id(row, "A_version_id")?,
        parent_run_id: optional_id(row, "A_parent_run_id")?,
        run_type: row.get("A_run_type")?,
        status: row.get("A_status")?,
        start_time: time(row, "A_start_time")?,
        end_time: optional_time(row, "A_end_time")?,
        has_open_pause: row.get("A_has_open_pause")?,
        batch_row: row.get("A_batch_row")?,
        dataset_id: optional_id(row, "A_dataset_id")?,
    };
    let log =
        run_log::Model { run_id: id(row, "B_run_id")?, seq: row.get("B_seq")?, events: row.get("B_events")? };
    Ok((run, log))
}
