//! Backup and restore of an SQLite database. The server may run during a backup.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, EntityTrait as _};
use sea_orm::{QueryOrder as _, QuerySelect as _, Statement};
use uuid::Uuid;

use crate::connection::file_lock::FileLock;
use crate::connection::options::Target;
use crate::connection::paths::{replacement_path, with_suffix};
use crate::connection::schema::{self, SchemaError};
use crate::connection::{self, Usage, close_connection};
use crate::durable_fs::{parent, sync_folder};
use crate::entity::workflow;
use crate::error::{OpenError, is_not_a_database};

/// The file of an SQLite database.
#[derive(Clone, Debug)]
pub struct SqliteFile {
    path: PathBuf,
}

/// The contents of a database.
#[derive(Clone, Debug)]
pub struct DatabaseContents {
    /// The last applied migration.
    pub schema: String,
    /// The ids of the workflows.
    pub workflows: Vec<Uuid>,
}

impl SqliteFile {
    /// Returns the file of a URL, or `None` for a PostgreSQL database.
    ///
    /// # Errors
    ///
    /// The URL is invalid.
    pub fn from_url(url: &str) -> Result<Option<Self>, OpenError> {
        Ok(match Target::parse(url)? {
            Target::Sqlite { path } => Some(Self { path }),
            Target::Postgres { .. } => None,
        })
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies a snapshot of the database to a new file. Doesn't block a running server. The copy is not yet durable.
    ///
    /// # Errors
    ///
    /// The database is unreadable or belongs to another program, or the copy can't be written.
    pub async fn copy_to(&self, to: &Path) -> Result<DatabaseContents, OpenError> {
        let name = to.to_str().ok_or_else(|| OpenError::File {
            path: to.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidFilename, "the file name is not UTF-8"),
        })?;
        let db = connect(&self.path).await?;
        let vacuum = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [name.into()]);
        let result = match schema::check(&db).await {
            Ok(()) => db.execute_raw(vacuum).await.map(drop).map_err(|error| open_error(&self.path, error)),
            Err(error) => Err(schema_error(&self.path, error)),
        };
        close_connection(&db).await;
        result?;
        check_contents(to).await
    }

    /// Begins a restore. Servers can't start until the [`PendingRestore`] is dropped.
    ///
    /// # Errors
    ///
    /// A server is running.
    pub fn begin_restore(self) -> Result<PendingRestore, OpenError> {
        let lock = FileLock::acquire(&self.path)?;
        Ok(PendingRestore { path: self.path, _lock: lock })
    }
}

/// A restore in progress.
#[derive(Debug)]
pub struct PendingRestore {
    path: PathBuf,
    _lock: FileLock,
}

impl PendingRestore {
    /// Returns true if there is a database to replace.
    #[must_use]
    pub fn replaces_database(&self) -> bool {
        self.path.exists()
    }

    /// Returns true if an earlier restore was interrupted after [`PendingRestore::commit`].
    #[must_use]
    pub fn was_interrupted(&self) -> bool {
        replacement_path(&self.path).exists()
    }

    /// Returns the path for the new database, after deleting the file of an earlier restore.
    ///
    /// # Errors
    ///
    /// The file can't be deleted.
    pub fn staging_path(&self) -> io::Result<PathBuf> {
        let path = with_suffix(&self.path, ".incoming");
        remove_if_exists(&path)?;
        Ok(path)
    }

    /// Checks every page and the schema of the new database.
    ///
    /// # Errors
    ///
    /// The database is damaged, or this release doesn't support its schema.
    pub async fn check(&self) -> Result<DatabaseContents, OpenError> {
        check_contents(&with_suffix(&self.path, ".incoming")).await
    }

    /// Commits the restore. Servers can't start until [`PendingRestore::finish`] returns. If this process ends before
    /// that, the restore has to be repeated.
    ///
    /// # Errors
    ///
    /// The new database can't be made durable.
    pub fn commit(&self) -> io::Result<()> {
        let incoming = with_suffix(&self.path, ".incoming");
        File::open(&incoming)?.sync_all()?;
        std::fs::rename(&incoming, replacement_path(&self.path))?;
        sync_folder(parent(&self.path))
    }

    /// Replaces the old database.
    ///
    /// # Errors
    ///
    /// A file operation failed. Servers can't start until the restore is repeated.
    pub fn finish(self) -> io::Result<()> {
        // SQLite would apply a write-ahead log of the old database to the new one.
        for suffix in ["-wal", "-shm", "-journal", ""] {
            remove_if_exists(&with_suffix(&self.path, suffix))?;
        }
        sync_folder(parent(&self.path))?;
        std::fs::rename(replacement_path(&self.path), &self.path)?;
        sync_folder(parent(&self.path))
    }
}

fn remove_if_exists(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Checks every page and the schema of a database, and returns its contents.
async fn check_contents(path: &Path) -> Result<DatabaseContents, OpenError> {
    let db = connect(path).await?;
    let contents = read_contents(&db).await;
    close_connection(&db).await;
    contents.map_err(|error| schema_error(path, error))
}

async fn read_contents(db: &DatabaseConnection) -> Result<DatabaseContents, SchemaError> {
    schema::check_pages(db).await?;
    schema::check(db).await?;
    let schema = schema::last_migration(db).await?;
    let ids = workflow::Entity::find().select_only().column(workflow::Column::Id);
    let workflows = ids.order_by_asc(workflow::Column::Id).into_tuple().all(db).await?;
    Ok(DatabaseContents { schema, workflows })
}

async fn connect(path: &Path) -> Result<DatabaseConnection, OpenError> {
    connection::sqlite(path, Usage::Check, 1).await.map_err(|error| open_error(path, error))
}

fn open_error(path: &Path, source: DbErr) -> OpenError {
    if is_not_a_database(&source) {
        OpenError::NotADatabase { path: path.to_owned() }
    } else {
        OpenError::Unreachable { location: path.display().to_string(), source }
    }
}

fn schema_error(path: &Path, error: SchemaError) -> OpenError {
    match error {
        SchemaError::Database(source) => open_error(path, source),
        error => error.at(&path.display().to_string()),
    }
}
