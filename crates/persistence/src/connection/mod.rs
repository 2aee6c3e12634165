//! Connections to the databases, and their settings.

pub(crate) mod advisory_lock;
pub(crate) mod disk_reserve;
pub(crate) mod file_lock;
pub(crate) mod options;
pub(crate) mod paths;
pub(crate) mod read_pool;
pub(crate) mod schema;
pub(crate) mod sqlite_fast_path;

use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::sqlite::SqliteJournalMode;
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};

/// Timeout for a connection of the pool, and for a lock of SQLite.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Statement timeout of PostgreSQL.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that was idle for this long is tested before use.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(30);

/// Page size of a new SQLite file, in bytes.
const PAGE_SIZE: u64 = 4_096;

/// The purpose of a connection to SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Write {
        max_bytes: Option<u64>,
    },
    Read,
    /// Reads the whole file once.
    Check,
}

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire_if_idle_for(TEST_AFTER_IDLE)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

/// Connects to the SQLite file at `path`. A connection for writes creates a missing file.
pub(crate) async fn sqlite(path: &Path, usage: Usage, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let path = path.to_owned();
    let mut options = options("sqlite:", connections);
    options.map_sqlx_sqlite_opts(move |options| {
        let options = options.filename(&path).busy_timeout(ACQUIRE_TIMEOUT);
        let options = match usage {
            Usage::Read | Usage::Check => options.read_only(true),
            Usage::Write { .. } => options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal),
        };
        pragmas(usage).into_iter().fold(options, |options, (name, value)| options.pragma(name, value))
    });
    Database::connect(options).await
}

/// Settings of each connection to SQLite.
pub(crate) fn pragmas(usage: Usage) -> Vec<(&'static str, String)> {
    let mut pragmas = vec![("foreign_keys", "ON".to_owned()), ("temp_store", "MEMORY".to_owned())];
    if usage != Usage::Check {
        // A negative number is in KiB.
        pragmas.push(("cache_size", "-65536".to_owned()));
        pragmas.push(("mmap_size", (256 * 1024 * 1024).to_string()));
    }
    if let Usage::Write { max_bytes } = usage {
        // Acknowledged commits survive a power failure.
        pragmas.push(("synchronous", "FULL".to_owned()));
        pragmas.push(("journal_size_limit", (64 * 1024 * 1024).to_string()));
        pragmas.extend(max_bytes.map(|bytes| ("max_page_count", (bytes / PAGE_SIZE).max(1).to_string())));
    }
    pragmas
}

/// Begins a transaction for writes.
pub(crate) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    // SQLite takes the write lock immediately: taking it after a read can fail without waiting.
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    db.begin_with_options(TransactionOptions { sqlite_transaction_mode, ..Default::default() }).await
}

/// Connects to PostgreSQL without a statement timeout, for migrations.
pub(crate) async fn postgres_admin(url: &str) -> Result<DatabaseConnection, DbErr> {
    Database::connect(options(url, 1)).await
}

/// Connects to PostgreSQL for reads.
pub(crate) async fn postgres_readers(url: &str, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = options(url, connections);
    options.statement_timeout(STATEMENT_TIMEOUT);
    Database::connect(options).await
}

/// Opens the only connection to PostgreSQL for writes. It takes the owner lock, and so does every connection that
/// replaces it. A server that lost the lock to another server can therefore no longer write.
pub(crate) async fn postgres_writer(url: &str, exclusive: bool) -> Result<DatabaseConnection, DbErr> {
    let mut options = options(url, 1);
    options.statement_timeout(STATEMENT_TIMEOUT);
    options.map_sqlx_postgres_opts(|options| {
        // PostgreSQL notices a dead client soon and releases its lock.
        options.options([
            ("tcp_keepalives_idle", "15"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ])
    });
    options.map_sqlx_postgres_pool_opts(move |pool| {
        pool.after_connect(move |connection, _| Box::pin(advisory_lock::take_owner(connection, exclusive)))
    });
    Database::connect(options).await
}

/// Closes a connection. A failure is only logged.
pub(crate) async fn close_connection(db: &DatabaseConnection) {
    if let Err(error) = db.close_by_ref().await {
        tracing::warn!(%error, "closing a connection failed");
    }
}
