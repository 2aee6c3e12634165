//! Copies of an SQLite database: making one while a server works on it, and putting one in its place.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, EntityTrait as _};
use sea_orm::{QueryOrder as _, QuerySelect as _, Statement};
use uuid::Uuid;

use crate::connection::file_lock::FileLock;
use crate::connection::options::Target;
use crate::connection::paths::{beside, replacement_of};
use crate::connection::schema::{self, Misfit};
use crate::connection::{self, Use, close_connection};
use crate::durable_fs::{parent, sync_folder};
use crate::entity::workflow;
use crate::error::{OpenError, is_not_a_database};

/// The file of an SQLite database.
#[derive(Clone, Debug)]
pub struct SqliteFile {
    path: PathBuf,
}

/// What a copy holds.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The last step of its schema.
    pub schema: String,
    /// The workflows in it.
    pub workflows: Vec<Uuid>,
}

impl SqliteFile {
    /// The file that a URL names; none when it names a PostgreSQL database.
    ///
    /// # Errors
    ///
    /// When it is no URL of a database.
    pub fn of(url: &str) -> Result<Option<Self>, OpenError> {
        Ok(match Target::parse(url)? {
            Target::Sqlite { path } => Some(Self { path }),
            Target::Postgres { .. } => None,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of the database, as of one moment, into a new file. A server may be working on it: it is neither
    /// kept waiting nor locked out. The copy is not yet durable.
    ///
    /// # Errors
    ///
    /// When the database can't be read, or is none of ours, or the file can't be written.
    pub async fn copy_to(&self, to: &Path) -> Result<Snapshot, OpenError> {
        let name = to.to_str().ok_or_else(|| OpenError::File {
            path: to.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidFilename, "its name is no text"),
        })?;
        let db = connect(&self.path).await?;
        let vacuum = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [name.into()]);
        let copied = match schema::check(&db).await {
            Ok(()) => db.execute_raw(vacuum).await.map(drop).map_err(|error| failed(&self.path, error)),
            Err(misfit) => Err(refused(&self.path, misfit)),
        };
        close_connection(&db).await;
        copied?;
        inspect(to).await
    }

    /// Begins to put another database in its place. Until the [`Replacing`] is dropped, no server can start on it.
    ///
    /// # Errors
    ///
    /// When a server works on it.
    pub fn replace(self) -> Result<Replacing, OpenError> {
        let lock = FileLock::take(&self.path)?;
        Ok(Replacing { path: self.path, _lock: lock })
    }
}

/// The place of a database that another one is to take.
#[derive(Debug)]
pub struct Replacing {
    path: PathBuf,
    _lock: FileLock,
}

impl Replacing {
    /// Whether a database is there.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.path.exists()
    }

    /// Whether an earlier replacement was cut off after [`Replacing::commit`]: what is there is half of one thing and
    /// half of another.
    #[must_use]
    pub fn was_cut_off(&self) -> bool {
        replacement_of(&self.path).exists()
    }

    /// Where the new database is to be written; nothing is there. Nobody looks at it before it is checked.
    ///
    /// # Errors
    ///
    /// When what an earlier replacement left can't be removed.
    pub fn incoming(&self) -> io::Result<PathBuf> {
        let path = beside(&self.path, ".incoming");
        remove(&path)?;
        Ok(path)
    }

    /// Looks at every page of the new database.
    ///
    /// # Errors
    ///
    /// When it is damaged, or none of this release's.
    pub async fn check(&self) -> Result<Snapshot, OpenError> {
        inspect(&beside(&self.path, ".incoming")).await
    }

    /// The point from which on the new database is the one that counts. From here to [`Replacing::finish`] no server
    /// starts, not even when this process dies: then the replacement has to be done again.
    ///
    /// # Errors
    ///
    /// When it can't be made durable.
    pub fn commit(&self) -> io::Result<()> {
        let incoming = beside(&self.path, ".incoming");
        File::open(&incoming)?.sync_all()?;
        std::fs::rename(&incoming, replacement_of(&self.path))?;
        sync_folder(parent(&self.path))
    }

    /// Puts the new database in its place. What was there is gone.
    ///
    /// # Errors
    ///
    /// When it can't; then no server starts until it is done again.
    pub fn finish(self) -> io::Result<()> {
        // A log that isn't its own would damage the new one.
        for end in ["-wal", "-shm", "-journal", ""] {
            remove(&beside(&self.path, end))?;
        }
        sync_folder(parent(&self.path))?;
        std::fs::rename(replacement_of(&self.path), &self.path)?;
        sync_folder(parent(&self.path))
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Looks at every page, and at what is in them.
async fn inspect(path: &Path) -> Result<Snapshot, OpenError> {
    let db = connect(path).await?;
    let found = contents(&db).await;
    close_connection(&db).await;
    found.map_err(|misfit| refused(path, misfit))
}

async fn contents(db: &DatabaseConnection) -> Result<Snapshot, Misfit> {
    schema::quick_check(db).await?;
    schema::check(db).await?;
    let schema = schema::last_step(db).await?;
    let ids = workflow::Entity::find().select_only().column(workflow::Column::Id);
    let workflows = ids.order_by_asc(workflow::Column::Id).into_tuple().all(db).await?;
    Ok(Snapshot { schema, workflows })
}

async fn connect(path: &Path) -> Result<DatabaseConnection, OpenError> {
    connection::sqlite(path, Use::Check, 1).await.map_err(|error| failed(path, error))
}

fn failed(path: &Path, source: DbErr) -> OpenError {
    if is_not_a_database(&source) {
        OpenError::NotADatabase { path: path.to_owned() }
    } else {
        OpenError::Unreachable { place: path.display().to_string(), source }
    }
}

fn refused(path: &Path, misfit: Misfit) -> OpenError {
    match misfit {
        Misfit::Database(source) => failed(path, source),
        misfit => misfit.at(&path.display().to_string()),
    }
}
