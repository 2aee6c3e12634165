//! SQLite on the caller's thread, for the statements of every run. sqlx runs each statement on another thread; the
//! hand-off costs more than the statement. sea-orm generates the SQL for the fast path too. A statement that fails here
//! is rolled back and repeated through sea-orm, so that errors are classified in one place.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::types::{Type, Value as SqlValue};
use rusqlite::{Connection, OpenFlags, Row, params_from_iter};
use sea_orm::sea_query::ColumnType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait, Iterable as _, QueryTrait, Statement, TryIntoModel, Value,
};
use uuid::Uuid;

use super::{Usage, pragmas};

/// Prepared statements per connection: one per table and number of rows in an insert.
const STATEMENT_CACHE: usize = 128;

/// A pool of connections to an SQLite file that run on the caller's thread.
#[derive(Debug)]
pub(crate) struct SqliteFastPath {
    path: PathBuf,
    usage: Usage,
    idle: Mutex<Vec<Connection>>,
}

/// A write that failed without changing the database.
pub(crate) enum NotWritten {
    /// The caller repeats the write through sea-orm.
    FallBack,
    /// The caller reports this error.
    Failed(DbErr),
}

impl SqliteFastPath {
    pub(crate) fn new(path: PathBuf, usage: Usage) -> Self {
        Self { path, usage, idle: Mutex::default() }
    }

    /// Begins a transaction. Returns `None` if the caller has to begin it through sea-orm.
    pub(crate) fn begin(&self) -> Option<Transaction> {
        let transaction = self.acquire().and_then(|connection| {
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            Ok(Transaction(Mutex::new(connection)))
        });
        transaction.inspect_err(|error| tracing::debug!(%error, "fast path: begin failed, falling back")).ok()
    }

    /// Commits a transaction and keeps its connection for the next one. A failed commit writes nothing, and the
    /// connection is dropped because its state is unknown.
    pub(crate) fn commit(&self, tx: Transaction) -> Result<(), DbErr> {
        let connection = tx.0.into_inner();
        connection
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]))
            .map_err(|error| DbErr::Custom(error.to_string()))?;
        self.release(connection);
        Ok(())
    }

    /// Returns the rows of a query, or `None` if the caller has to repeat it through sea-orm. Blocks the caller, so it
    /// is for a few rows that are found by key.
    pub(crate) fn read<T>(
        &self,
        query: &impl QueryTrait,
        read_row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Option<Vec<T>> {
        let statement = query.build(DbBackend::Sqlite);
        let rows = self.acquire().and_then(|connection| {
            let rows = query_rows(&connection, &statement, read_row)?;
            self.release(connection);
            Ok(rows)
        });
        rows.inspect_err(|error| tracing::debug!(%error, "fast path: read failed, falling back")).ok()
    }

    /// Closes the idle connections.
    pub(crate) fn close(&self) {
        self.idle.lock().clear();
    }

    fn acquire(&self) -> rusqlite::Result<Connection> {
        let idle = self.idle.lock().pop();
        idle.map_or_else(|| self.open(), Ok)
    }

    fn release(&self, connection: Connection) {
        self.idle.lock().push(connection);
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let access = match self.usage {
            Usage::Read | Usage::Check => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Usage::Write { .. } => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let connection = Connection::open_with_flags(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        // Locks are awaited in sea-orm, not on the caller's thread.
        connection.busy_timeout(Duration::ZERO)?;
        // Query plans must not depend on the values of parameters. Otherwise statements are prepared again for new
        // values.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        for (name, value) in pragmas(self.usage) {
            connection.pragma_update(None, name, value)?;
        }
        // SQLite maps a file again after each write, which costs more than reading a few pages.
        connection.pragma_update(None, "mmap_size", 0)?;
        Ok(connection)
    }
}

/// A transaction on the caller's thread. Dropping it without a commit rolls it back and closes its connection.
pub(crate) struct Transaction(Mutex<Connection>);

impl Transaction {
    fn execute(&self, statement: &Statement) -> Result<(), DbErr> {
        let values = sqlite_values(statement)
            .ok_or_else(|| DbErr::Custom("unsupported type of a parameter".to_owned()))?;
        let connection = self.0.lock();
        connection
            .prepare_cached(&statement.sql)
            .and_then(|mut prepared| prepared.execute(params_from_iter(values)))
            .map(drop)
            .map_err(|error| DbErr::Custom(error.to_string()))
    }

    fn read_strings(&self, statement: &Statement) -> Result<Vec<String>, DbErr> {
        let connection = self.0.lock();
        query_rows(&connection, statement, |row| row.get(0)).map_err(|error| DbErr::Custom(error.to_string()))
    }
}

/// A transaction of sea-orm or of the fast path, for writes that can use either.
pub(crate) enum Tx<'a> {
    Orm(&'a DatabaseTransaction),
    FastPath(&'a Transaction),
}

impl Tx<'_> {
    pub(crate) async fn execute(&self, query: &impl QueryTrait) -> Result<(), DbErr> {
        match self {
            Self::Orm(tx) => tx.execute_raw(query.build(tx.get_database_backend())).await.map(drop),
            Self::FastPath(tx) => tx.execute(&query.build(DbBackend::Sqlite)),
        }
    }

    /// Returns the first column of the rows, as strings.
    pub(crate) async fn read_strings(&self, query: &impl QueryTrait) -> Result<Vec<String>, DbErr> {
        match self {
            Self::Orm(tx) => {
                let rows = tx.query_all_raw(query.build(tx.get_database_backend())).await?;
                rows.iter().map(|row| row.try_get_by_index(0)).collect()
            }
            Self::FastPath(tx) => tx.read_strings(&query.build(DbBackend::Sqlite)),
        }
    }
}

fn query_rows<T>(
    connection: &Connection,
    statement: &Statement,
    read_row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let values = sqlite_values(statement).ok_or(rusqlite::Error::InvalidQuery)?;
    connection.prepare_cached(&statement.sql)?.query_map(params_from_iter(values), read_row)?.collect()
}

/// Converts the parameters of a statement as sqlx does. Returns `None` if one has a type that our statements don't use.
fn sqlite_values(statement: &Statement) -> Option<Vec<SqlValue>> {
    let values = statement.values.iter().flat_map(|values| values.0.iter());
    values.map(|value| sqlite_value(value.clone())).collect()
}

fn sqlite_value(value: Value) -> Option<SqlValue> {
    let value = match value {
        Value::Bool(value) => value.map(SqlValue::from),
        Value::Int(value) => value.map(SqlValue::from),
        Value::BigInt(value) => value.map(SqlValue::from),
        Value::BigUnsigned(value) => value.map(i64::try_from).transpose().ok()?.map(SqlValue::from),
        Value::String(value) => value.map(SqlValue::from),
        Value::Bytes(value) => value.map(SqlValue::from),
        Value::Uuid(value) => value.map(|id| SqlValue::from(id.as_bytes().to_vec())),
        Value::ChronoDateTimeUtc(value) => {
            value.map(|at| SqlValue::from(at.to_rfc3339_opts(SecondsFormat::AutoSi, false)))
        }
        _ => return None,
    };
    Some(value.unwrap_or(SqlValue::Null))
}

/// Reads an entity from the columns of a row, beginning with column `first`. The query selects the columns in the order
/// of the entity.
pub(crate) fn read_entity<E>(row: &Row<'_>, first: usize) -> rusqlite::Result<E::Model>
where
    E: EntityTrait,
    E::ActiveModel: TryIntoModel<E::Model>,
{
    let mut model = <E::ActiveModel as ActiveModelTrait>::default();
    for (index, column) in (first..).zip(E::Column::iter()) {
        let value = column_value(row, index, column.def().get_column_type())?;
        model.try_set(column, value).map_err(|error| unreadable(index, error))?;
    }
    model.try_into_model().map_err(|error| unreadable(first, error))
}

fn column_value(row: &Row<'_>, index: usize, column: &ColumnType) -> rusqlite::Result<Value> {
    Ok(match column {
        ColumnType::Uuid => Value::Uuid(row.get::<_, Option<[u8; 16]>>(index)?.map(Uuid::from_bytes)),
        ColumnType::Text => Value::String(row.get(index)?),
        ColumnType::Boolean => Value::Bool(row.get(index)?),
        ColumnType::Integer => Value::Int(row.get(index)?),
        ColumnType::BigInteger => Value::BigInt(row.get(index)?),
        ColumnType::TimestampWithTimeZone => {
            let text: Option<String> = row.get(index)?;
            Value::ChronoDateTimeUtc(text.map(|text| parse_time(index, &text)).transpose()?)
        }
        _ => return Err(rusqlite::Error::InvalidColumnType(index, format!("{column:?}"), Type::Blob)),
    })
}

fn parse_time(index: usize, text: &str) -> rusqlite::Result<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|error| unreadable(index, error))
}

fn unreadable(index: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}

/// Reads an id.
pub(crate) fn read_id(row: &Row<'_>, index: usize) -> rusqlite::Result<Uuid> {
    row.get(index).map(Uuid::from_bytes)
}
