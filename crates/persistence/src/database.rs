//! Opening and closing a database.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, TransactionOptions};
use sea_orm::{DatabaseTransaction, IsolationLevel, SqliteTransactionMode};
use sluice_engine::StoreError;
use tokio::task::JoinHandle;

use crate::connection::advisory_lock;
use crate::connection::file_lock::FileLock;
use crate::connection::options::{Options, Target};
use crate::connection::paths::replacement_of;
use crate::connection::read_pool::Readers;
use crate::connection::schema::{self, Misfit};
use crate::connection::sqlite_fast_path::SqliteFastPath;
use crate::connection::{self, Use, close_connection};
use crate::error::{OpenError, is_not_a_database, store_error};
use crate::metrics::Metrics;
use crate::writer::{Writer, write_probe};

/// The store. A clone is the same store.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    writer: Writer,
    readers: Readers,
    /// Reads what every run needs, if the store is SQLite.
    direct: Option<SqliteFastPath>,
    metrics: Metrics,
    /// What is needed for closing, once.
    closing: Mutex<Option<Closing>>,
}

struct Closing {
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
    /// Opens the database: makes it when it is missing, takes its lock and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// When it is not to be used; then nothing in it has changed.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        let target = Target::parse(&options.url)?;
        let opened = match &target {
            Target::Sqlite { path } => open_sqlite(path, options.max_bytes).await?,
            Target::Postgres { url, .. } => open_postgres(url, &options, &target.place()).await?,
        };
        let readers = connect_readers(&target, options.readers).await;
        let readers = readers.map_err(|source| OpenError::Unreachable { place: target.place(), source })?;
        let direct = |usage| match &target {
            Target::Sqlite { path } => Some(SqliteFastPath::new(path.clone(), usage)),
            Target::Postgres { .. } => None,
        };
        let metrics = Metrics::default();
        let writes = direct(Use::Write { max_bytes: options.max_bytes });
        let (writer, task) = Writer::spawn(opened.write.clone(), writes, metrics.writer.clone());
        let closing = Closing { task, write: opened.write, lock: opened.lock };
        let inner = Inner {
            writer,
            readers: Readers::new(readers),
            direct: direct(Use::Read),
            metrics,
            closing: Mutex::new(Some(closing)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Brings the schema up to date and does nothing else. The names of the steps taken.
    ///
    /// # Errors
    ///
    /// As for [`Database::open`].
    pub async fn migrate(options: Options) -> Result<Vec<String>, OpenError> {
        let target = Target::parse(&options.url)?;
        let opened = match &target {
            Target::Sqlite { path } => open_sqlite(path, options.max_bytes).await?,
            Target::Postgres { url, .. } => open_postgres(url, &options, &target.place()).await?,
        };
        close_connection(&opened.write).await;
        Ok(opened.steps)
    }

    /// Whether the store answers and can write. Writes, as a trial, only after a write has failed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] or [`StoreError::Full`] when it doesn't.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.inner.writer.alive()?;
        self.inner.readers.probe().await.map_err(store_error)?;
        if self.inner.writer.has_failed() {
            write_probe::write(&self.inner.writer).await?;
        }
        Ok(())
    }

    /// Finishes what was asked for, then closes the database, for every clone, and gives its lock back.
    pub async fn close(self) {
        let closing = self.inner.closing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Closing { task, write, lock }) = closing else { return };
        self.inner.writer.stop().await;
        if let Err(error) = task.await {
            tracing::error!(%error, "the writer ended badly");
        }
        if let Some(direct) = &self.inner.direct {
            direct.close();
        }
        // First the readers: the log of SQLite can only be emptied when nobody reads it.
        close_connection(self.inner.readers.connection()).await;
        tidy_up(&write).await;
        close_connection(&write).await;
        drop(lock);
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.inner.readers
    }

    pub(crate) fn direct(&self) -> Option<&SqliteFastPath> {
        self.inner.direct.as_ref()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    /// A transaction in which everything is read as of one moment.
    pub(crate) async fn snapshot(&self) -> Result<DatabaseTransaction, StoreError> {
        let mut options = TransactionOptions::default();
        match self.inner.readers.get_database_backend() {
            DbBackend::Postgres => options.isolation_level = Some(IsolationLevel::RepeatableRead),
            _ => options.sqlite_transaction_mode = Some(SqliteTransactionMode::Deferred),
        }
        self.inner.readers.begin_with_options(options).await.map_err(store_error)
    }
}

/// The connection that writes, and what came with it.
struct Opened {
    write: DatabaseConnection,
    lock: Option<FileLock>,
    steps: Vec<String>,
}

async fn open_sqlite(path: &Path, max_bytes: Option<u64>) -> Result<Opened, OpenError> {
    let exists = looks_like_sqlite(path)?;
    let lock = FileLock::take(path)?;
    if replacement_of(path).exists() {
        return Err(OpenError::HalfReplaced { path: path.to_owned() });
    }
    let place = path.display().to_string();
    let failed = |source: DbErr| {
        if is_not_a_database(&source) {
            OpenError::NotADatabase { path: path.to_owned() }
        } else {
            OpenError::Unreachable { place: place.clone(), source }
        }
    };
    if exists {
        // Reading only: a database that is not ours must not even become one with a write-ahead log.
        let db = connection::sqlite(path, Use::Check, 1).await.map_err(failed)?;
        let checked = match check_pages(&db, path).await {
            Ok(()) => schema::check(&db).await,
            Err(damage) => Err(damage),
        };
        close_connection(&db).await;
        checked.map_err(|misfit| match misfit {
            Misfit::Database(source) => failed(source),
            Misfit::Damaged(what) => OpenError::Damaged { path: path.to_owned(), what },
            misfit => misfit.at(&place),
        })?;
    }
    let write = connection::sqlite(path, Use::Write { max_bytes }, 1).await.map_err(failed)?;
    if let Some(found) = schema::sqlite_too_old(&write).await.map_err(failed)? {
        return Err(OpenError::SqliteTooOld { found });
    }
    let steps = schema::migrate(&write).await.map_err(|source| match failed(source) {
        OpenError::Unreachable { place, source } => OpenError::Migration { place, source },
        other => other,
    })?;
    schema::forget_counts(&write).await.map_err(failed)?;
    Ok(Opened { write, lock: Some(lock), steps })
}

/// Up to this size every page of an SQLite file is looked at before it is used; of a larger one, which would
/// keep the start waiting, only the pages that the start needs.
const CHECKED_BYTES: u64 = 256 << 20;

/// Looks at the pages of the file, without changing anything.
async fn check_pages(db: &DatabaseConnection, path: &Path) -> Result<(), Misfit> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() > CHECKED_BYTES) {
        return Ok(());
    }
    schema::quick_check(db).await
}

/// Whether there is a file with something in it; an error when that is not SQLite's.
fn looks_like_sqlite(path: &Path) -> Result<bool, OpenError> {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    let mut start = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut start).map_err(failed)?;
    match start.as_slice() {
        [] => Ok(false),
        start if start == MAGIC => Ok(true),
        _ => Err(OpenError::NotADatabase { path: path.to_owned() }),
    }
}

async fn open_postgres(url: &str, options: &Options, place: &str) -> Result<Opened, OpenError> {
    let unreachable = |source| OpenError::Unreachable { place: place.to_owned(), source };
    let admin = connection::postgres_admin(url).await.map_err(unreachable)?;
    if !advisory_lock::try_owner(&admin, options.exclusive).await.map_err(unreachable)? {
        return Err(OpenError::Locked { place: place.to_owned() });
    }
    advisory_lock::wait_for_schema(&admin).await.map_err(unreachable)?;
    schema::check(&admin).await.map_err(|misfit| misfit.at(place))?;
    let steps = schema::migrate(&admin)
        .await
        .map_err(|source| OpenError::Migration { place: place.to_owned(), source })?;
    // The writer takes the lock over.
    advisory_lock::release(&admin).await.map_err(unreachable)?;
    close_connection(&admin).await;
    let write = connection::postgres_writer(url, options.exclusive).await.map_err(unreachable)?;
    Ok(Opened { write, lock: None, steps })
}

async fn connect_readers(target: &Target, connections: u32) -> Result<DatabaseConnection, DbErr> {
    match target {
        Target::Sqlite { path } => connection::sqlite(path, Use::Read, connections.max(1)).await,
        Target::Postgres { url, .. } => connection::postgres_readers(url, connections.max(1)).await,
    }
}

/// What is done last on the connection that writes. Nothing is lost when it fails.
async fn tidy_up(write: &DatabaseConnection) {
    let tidied = match write.get_database_backend() {
        DbBackend::Postgres => advisory_lock::release(write).await,
        _ => write.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop),
    };
    if let Err(error) = tidied {
        tracing::warn!(%error, "the database is closed without tidying up");
    }
}
