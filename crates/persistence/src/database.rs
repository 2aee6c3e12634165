//! The database: opens and closes it, and provides the writer and the connections for reads.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, TransactionOptions};
use sea_orm::{DatabaseTransaction, IsolationLevel, SqliteTransactionMode};
use sluice_engine::StoreError;
use tokio::task::JoinHandle;

use crate::connection::advisory_lock;
use crate::connection::file_lock::FileLock;
use crate::connection::options::{Options, Target};
use crate::connection::paths::replacement_path;
use crate::connection::read_pool::ReadPool;
use crate::connection::schema::{self, SchemaError};
use crate::connection::sqlite_fast_path::SqliteFastPath;
use crate::connection::{self, Usage, close_connection};
use crate::error::{OpenError, is_not_a_database, store_error};
use crate::metrics::Metrics;
use crate::writer::{Writer, write_probe};

/// The database. Clones share one database.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    writer: Writer,
    read_pool: ReadPool,
    /// For SQLite only.
    fast_path: Option<SqliteFastPath>,
    metrics: Metrics,
    /// `None` once the database is closed.
    shutdown: Mutex<Option<Shutdown>>,
}

/// Resources to release when the database is closed.
struct Shutdown {
    task: JoinHandle<()>,
    write: DatabaseConnection,
    lock: Option<FileLock>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the database. Creates a missing file, takes the lock and migrates the schema.
    ///
    /// # Errors
    ///
    /// The database can't be used. A failed call doesn't change it.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        let target = Target::parse(&options.url)?;
        let opened = match &target {
            Target::Sqlite { path } => open_sqlite(path, options.max_bytes).await?,
            Target::Postgres { url, .. } => open_postgres(url, &options, &target.location()).await?,
        };
        let readers = connect_for_reads(&target, options.readers)
            .await
            .map_err(|source| OpenError::Unreachable { location: target.location(), source })?;
        let fast_path = |usage| match &target {
            Target::Sqlite { path } => Some(SqliteFastPath::new(path.clone(), usage)),
            Target::Postgres { .. } => None,
        };
        let metrics = Metrics::default();
        let write_fast_path = fast_path(Usage::Write { max_bytes: options.max_bytes });
        let (writer, task) = Writer::spawn(opened.write.clone(), write_fast_path, metrics.writer.clone());
        let inner = Inner {
            writer,
            read_pool: ReadPool::new(readers),
            fast_path: fast_path(Usage::Read),
            metrics,
            shutdown: Mutex::new(Some(Shutdown { task, write: opened.write, lock: opened.lock })),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Migrates the schema and closes the database. Returns the names of the applied migrations.
    ///
    /// # Errors
    ///
    /// See [`Database::open`].
    pub async fn migrate(options: Options) -> Result<Vec<String>, OpenError> {
        let target = Target::parse(&options.url)?;
        let opened = match &target {
            Target::Sqlite { path } => open_sqlite(path, options.max_bytes).await?,
            Target::Postgres { url, .. } => open_postgres(url, &options, &target.location()).await?,
        };
        close_connection(&opened.write).await;
        Ok(opened.migrations)
    }

    /// Checks that the database is readable and writable. Writes only if the last write failed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] or [`StoreError::Full`].
    pub async fn check_health(&self) -> Result<(), StoreError> {
        self.inner.writer.check_alive()?;
        self.inner.read_pool.probe().await.map_err(store_error)?;
        if self.inner.writer.has_failed() {
            write_probe::check(&self.inner.writer).await?;
        }
        Ok(())
    }

    /// Completes the queued writes, closes the database for all clones, and releases the lock.
    pub async fn close(self) {
        let shutdown = self.inner.shutdown.lock().take();
        let Some(Shutdown { task, write, lock }) = shutdown else { return };
        self.inner.writer.stop().await;
        if let Err(error) = task.await {
            tracing::error!(%error, "writer failed");
        }
        if let Some(fast_path) = &self.inner.fast_path {
            fast_path.close();
        }
        // Close the readers first: SQLite can't truncate its write-ahead log during a read.
        close_connection(self.inner.read_pool.connection()).await;
        release(&write).await;
        close_connection(&write).await;
        drop(lock);
    }

    pub(crate) fn read_pool(&self) -> &ReadPool {
        &self.inner.read_pool
    }

    pub(crate) fn fast_path(&self) -> Option<&SqliteFastPath> {
        self.inner.fast_path.as_ref()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    /// Begins a transaction whose reads all see the same state of the database.
    pub(crate) async fn read_transaction(&self) -> Result<DatabaseTransaction, StoreError> {
        let mut options = TransactionOptions::default();
        match self.inner.read_pool.get_database_backend() {
            DbBackend::Postgres => options.isolation_level = Some(IsolationLevel::RepeatableRead),
            _ => options.sqlite_transaction_mode = Some(SqliteTransactionMode::Deferred),
        }
        self.inner.read_pool.begin_with_options(options).await.map_err(store_error)
    }
}

/// The result of opening a database: it is locked and migrated.
struct Opened {
    write: DatabaseConnection,
    lock: Option<FileLock>,
    migrations: Vec<String>,
}

async fn open_sqlite(path: &Path, max_bytes: Option<u64>) -> Result<Opened, OpenError> {
    let exists = has_sqlite_file(path)?;
    let lock = FileLock::acquire(path)?;
    if replacement_path(path).exists() {
        return Err(OpenError::InterruptedRestore { path: path.to_owned() });
    }
    let location = path.display().to_string();
    let open_error = |source: DbErr| {
        if is_not_a_database(&source) {
            OpenError::NotADatabase { path: path.to_owned() }
        } else {
            OpenError::Unreachable { location: location.clone(), source }
        }
    };
    if exists {
        // Read-only: opening the file of another program must not create a write-ahead log.
        let db = connection::sqlite(path, Usage::Check, 1).await.map_err(open_error)?;
        let check_result = match check_pages(&db, path).await {
            Ok(()) => schema::check(&db).await,
            Err(error) => Err(error),
        };
        close_connection(&db).await;
        check_result.map_err(|error| match error {
            SchemaError::Database(source) => open_error(source),
            error => error.at(&location),
        })?;
    }
    let write = connection::sqlite(path, Usage::Write { max_bytes }, 1).await.map_err(open_error)?;
    if let Some(version) = schema::unsupported_sqlite(&write).await.map_err(open_error)? {
        return Err(OpenError::SqliteTooOld { version });
    }
    let migrations = schema::migrate(&write).await.map_err(|source| match open_error(source) {
        OpenError::Unreachable { location, source } => OpenError::Migration { location, source },
        other => other,
    })?;
    Ok(Opened { write, lock: Some(lock), migrations })
}

/// Maximum size of an SQLite file whose pages are checked at start, in bytes. Checking a larger file would take too
/// long.
const MAX_CHECKED_BYTES: u64 = 256 << 20;

/// Checks the pages of the file, unless it is large. Doesn't change the file.
async fn check_pages(db: &DatabaseConnection, path: &Path) -> Result<(), SchemaError> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() > MAX_CHECKED_BYTES) {
        return Ok(());
    }
    schema::check_pages(db).await
}

/// Returns true if the path is an SQLite file, and false if it is missing or empty.
fn has_sqlite_file(path: &Path) -> Result<bool, OpenError> {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let file_error = |source| OpenError::File { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(file_error(error)),
    };
    let mut header = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut header).map_err(file_error)?;
    match header.as_slice() {
        [] => Ok(false),
        header if header == MAGIC => Ok(true),
        _ => Err(OpenError::NotADatabase { path: path.to_owned() }),
    }
}

async fn open_postgres(url: &str, options: &Options, location: &str) -> Result<Opened, OpenError> {
    let unreachable = |source| OpenError::Unreachable { location: location.to_owned(), source };
    let admin = connection::postgres_admin(url).await.map_err(unreachable)?;
    if !advisory_lock::try_owner(&admin, options.exclusive).await.map_err(unreachable)? {
        return Err(OpenError::Locked { location: location.to_owned() });
    }
    advisory_lock::wait_for_schema(&admin).await.map_err(unreachable)?;
    schema::check(&admin).await.map_err(|error| error.at(location))?;
    let migrations = schema::migrate(&admin)
        .await
        .map_err(|source| OpenError::Migration { location: location.to_owned(), source })?;
    // The connection of the writer takes the lock next.
    advisory_lock::release(&admin).await.map_err(unreachable)?;
    close_connection(&admin).await;
    let write = connection::postgres_writer(url, options.exclusive).await.map_err(unreachable)?;
    Ok(Opened { write, lock: None, migrations })
}

async fn connect_for_reads(target: &Target, connections: u32) -> Result<DatabaseConnection, DbErr> {
    match target {
        Target::Sqlite { path } => connection::sqlite(path, Usage::Read, connections.max(1)).await,
        Target::Postgres { url, .. } => connection::postgres_readers(url, connections.max(1)).await,
    }
}

/// Releases the lock of PostgreSQL, or truncates the write-ahead log of SQLite. A failure is only logged.
async fn release(write: &DatabaseConnection) {
    let result = match write.get_database_backend() {
        DbBackend::Postgres => advisory_lock::release(write).await,
        _ => write.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop),
    };
    if let Err(error) = result {
        tracing::warn!(%error, "releasing the database failed");
    }
}
