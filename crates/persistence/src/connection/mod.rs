//! Connections, and how each database is set up.

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

/// How long a connection is waited for.
const ACQUIRE: Duration = Duration::from_secs(5);
/// How long PostgreSQL may work on one statement. Longer than any of ours takes.
const STATEMENT: Duration = Duration::from_secs(30);
/// A connection that rested for so long is tried before it is used.
const IDLE: Duration = Duration::from_secs(30);

/// The bytes of a page of an SQLite file as we make it.
const PAGE: u64 = 4_096;

/// How a connection to SQLite is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Write {
        max_bytes: Option<u64>,
    },
    Read,
    /// To read all of a file once.
    Check,
}

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire_if_idle_for(IDLE)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

/// Connections to the SQLite file at `path`. One that writes makes the file when it is missing.
pub(crate) async fn sqlite(path: &Path, usage: Use, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let path = path.to_owned();
    let mut options = options("sqlite:", connections);
    options.map_sqlx_sqlite_opts(move |options| {
        let options = options.filename(&path).busy_timeout(ACQUIRE);
        let options = match usage {
            Use::Read | Use::Check => options.read_only(true),
            Use::Write { .. } => options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal),
        };
        pragmas(usage).into_iter().fold(options, |options, (name, value)| options.pragma(name, value))
    });
    Database::connect(options).await
}

/// How each connection to SQLite is set up.
pub(crate) fn pragmas(usage: Use) -> Vec<(&'static str, String)> {
    let mut pragmas = vec![("foreign_keys", "ON".to_owned()), ("temp_store", "MEMORY".to_owned())];
    if usage != Use::Check {
        // Negative: in KiB.
        pragmas.push(("cache_size", "-65536".to_owned()));
        pragmas.push(("mmap_size", (256 * 1024 * 1024).to_string()));
    }
    if let Use::Write { max_bytes } = usage {
        // What was acknowledged survives a power cut.
        pragmas.push(("synchronous", "FULL".to_owned()));
        pragmas.push(("journal_size_limit", (64 * 1024 * 1024).to_string()));
        pragmas.extend(max_bytes.map(|bytes| ("max_page_count", (bytes / PAGE).max(1).to_string())));
    }
    pragmas
}

/// Begins a transaction that writes.
pub(crate) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    // SQLite takes the lock at once: taking it later, after a read, can fail without waiting.
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    db.begin_with_options(TransactionOptions { sqlite_transaction_mode, ..Default::default() }).await
}

/// A connection to PostgreSQL for changing the schema, which may take long.
pub(crate) async fn postgres_admin(url: &str) -> Result<DatabaseConnection, DbErr> {
    Database::connect(options(url, 1)).await
}

/// Connections to PostgreSQL that read.
pub(crate) async fn postgres_readers(url: &str, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = options(url, connections);
    options.statement_timeout(STATEMENT);
    Database::connect(options).await
}

/// The one connection to PostgreSQL that writes. It holds the lock of the owner, and so does every
/// connection that takes its place: a server that lost the lock to another one can't write any more.
pub(crate) async fn postgres_writer(url: &str, exclusive: bool) -> Result<DatabaseConnection, DbErr> {
    let mut options = options(url, 1);
    options.statement_timeout(STATEMENT);
    options.map_sqlx_postgres_opts(|options| {
        // So that the server soon notices a process that vanished, and gives its lock back.
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

pub(crate) async fn close_connection(db: &DatabaseConnection) {
    if let Err(error) = db.close_by_ref().await {
        tracing::warn!(%error, "a connection could not be closed");
    }
}
