//! Errors, and the classification of database errors.

use std::path::PathBuf;

use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxError};
use sluice_domain::naming::MAX_LABELS;
use sluice_engine::StoreError;

use crate::entity::workflow;

/// The reason why a database can't be opened. Messages are for operators.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is invalid.
    #[error(
        "The database URL must be sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/DATABASE: {reason}."
    )]
    Url {
        /// The reason.
        reason: String,
    },
    /// The file can't be opened or created.
    #[error("Can't open the database file {}: {source}.", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not an SQLite database.
    #[error(
        "{} is not an SQLite database, or it is damaged. It was not changed. Restore a backup, or choose another file.",
        path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// Pages of the file are damaged.
    #[error(
        "The database file {} is damaged ({damage}). It was not changed. Restore a backup, or recover the readable \
         rows with the .recover command of the sqlite3 shell.", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The damage that SQLite reports.
        damage: String,
    },
    /// A restore was interrupted.
    #[error("A restore into {} was interrupted and is incomplete. Run sluice restore again.", path.display())]
    InterruptedRestore {
        /// The file.
        path: PathBuf,
    },
    /// The database has tables of another program.
    #[error("{location} has the tables of another program. It was not changed. Use another database.")]
    Foreign {
        /// The database.
        location: String,
    },
    /// Another server uses the database.
    #[error("Another sluice owns the database {location}. Stop it, or use another database.")]
    Locked {
        /// The database.
        location: String,
    },
    /// A newer release has migrated the database.
    #[error(
        "The database was migrated by a newer sluice (migration {migration}). Upgrade sluice, or use another \
         database."
    )]
    NewerSchema {
        /// The first unknown migration.
        migration: String,
    },
    /// The running server has an older schema.
    #[error(
        "The server on {location} is an older release, without the tables for this command. Upgrade it first."
    )]
    OlderServer {
        /// The database.
        location: String,
    },
    /// The SQLite library in this binary can lose data.
    #[error(
        "This binary contains SQLite {version}, which can lose data. Build it with SQLite 3.51.3 or later."
    )]
    SqliteTooOld {
        /// The version of SQLite in this binary.
        version: String,
    },
    /// The database is unreachable.
    #[error("Can't reach the database {location}: {source}.")]
    Unreachable {
        /// The database.
        location: String,
        /// The cause.
        source: DbErr,
    },
    /// A migration failed.
    #[error("Can't migrate the schema of {location}: {source}.")]
    Migration {
        /// The database.
        location: String,
        /// The cause.
        source: DbErr,
    },
}

/// The reason why a change was rejected or failed. A rejected change writes nothing.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The workflow or dataset doesn't exist.
    #[error("not found")]
    NotFound,
    /// Another workflow has this name.
    #[error("another workflow has this name")]
    NameTaken,
    /// The precondition failed. Contains the current state of the workflow.
    #[error("the workflow has changed")]
    PreconditionFailed(Box<workflow::Model>),
    /// The workflow doesn't have this version.
    #[error("version {0} doesn't exist")]
    NoVersion(i32),
    /// The workflow doesn't have this label.
    #[error("label {0:?} doesn't exist")]
    NoLabel(String),
    /// The label is protected.
    #[error("label {0:?} is protected")]
    Protected(String),
    /// The workflow has the maximum number of labels.
    #[error("the workflow already has {MAX_LABELS} labels")]
    TooManyLabels,
    /// The label has never referred to another version.
    #[error("label {0:?} has no previous version")]
    NoPreviousVersion(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Classifies an error of the database.
pub(crate) fn store_error(error: DbErr) -> StoreError {
    if is_full(&error) {
        StoreError::Full(Box::new(error))
    } else if is_unavailable(&error) {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Failed(Box::new(error))
    }
}

/// Returns true if a row violates a unique key.
pub(crate) fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Returns true if a row references a missing row.
pub(crate) fn is_foreign_key_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_)))
}

/// Returns true if a row violates a constraint: the database and the connection are fine.
pub(crate) fn is_constraint_violation(error: &DbErr) -> bool {
    is_unique_violation(error) || is_foreign_key_violation(error)
}

/// Returns true if another process interfered, so that an immediate retry can succeed.
pub(crate) fn is_race(error: &DbErr) -> bool {
    // 40001 serialization failure, 40P01 deadlock.
    is_unique_violation(error) || code(error).is_some_and(|code| code == "40001" || code == "40P01")
}

/// Returns true if the cause is not the statement itself, so that it may succeed later. If the connection broke during
/// a commit, the change may even be durable.
pub(crate) fn is_unavailable(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner)) => {
            match inner.as_ref() {
                SqlxError::Database(inner) => {
                    inner.code().is_some_and(|code| is_unavailable_code(&code, &**inner))
                }
                SqlxError::Io(_)
                | SqlxError::Tls(_)
                | SqlxError::Protocol(_)
                | SqlxError::PoolTimedOut
                | SqlxError::PoolClosed
                | SqlxError::WorkerCrashed => true,
                _ => false,
            }
        }
        _ => false,
    }
}

fn is_unavailable_code(code: &str, error: &(dyn sea_orm::sqlx::error::DatabaseError + 'static)) -> bool {
    if error.try_downcast_ref::<sea_orm::SqlxSqliteError>().is_some() {
        // BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB. A damaged file may be replaced by a backup.
        return matches!(sqlite_primary_code(code), 5 | 6 | 8 | 10 | 11 | 13 | 14 | 26);
    }
    // The classes are: connection lost, resources exhausted, operator intervention or timeout, system error. The codes
    // are: lock not available, read-only replica, damaged data or index, which may be restored.
    matches!(code.get(..2), Some("08" | "53" | "57" | "58"))
        || matches!(code, "55P03" | "25006" | "XX001" | "XX002")
}

/// Returns true if the disk or the file is full.
fn is_full(error: &DbErr) -> bool {
    let Some(error) = database_error(error) else { return false };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sea_orm::SqlxSqliteError>().is_some() {
        sqlite_primary_code(&code) == 13
    } else {
        code == "53100"
    }
}

/// Returns the primary result code of SQLite: the low byte.
fn sqlite_primary_code(code: &str) -> u32 {
    code.parse::<u32>().map_or(0, |code| code & 0xff)
}

fn database_error(error: &DbErr) -> Option<&(dyn sea_orm::sqlx::error::DatabaseError + 'static)> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner))
        | DbErr::Conn(RuntimeErr::SqlxError(inner)) => inner.as_database_error(),
        _ => None,
    }
}

fn code(error: &DbErr) -> Option<String> {
    database_error(error)?.code().map(|code| code.into_owned())
}

/// Returns true if SQLite reports that the file is not a database or is damaged.
pub(crate) fn is_not_a_database(error: &DbErr) -> bool {
    // CORRUPT and NOTADB.
    code(error).is_some_and(|code| matches!(sqlite_primary_code(&code), 11 | 26))
}

/// The reason why an API key can't be created or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name is invalid.
    #[error("the name must have 1 to {0} characters, without control characters and surrounding spaces")]
    Name(usize),
    /// The name looks like a key id.
    #[error("the name looks like a key id, which has 16 hex digits; choose another name")]
    NamedAsId,
    /// Another key has or had the name.
    #[error(
        "the name {0:?} is or was used by another key; names are never reused, because the audit log shows them"
    )]
    NameTaken(String),
    /// The key has no scope.
    #[error("specify at least one --scope")]
    NoScope,
    /// The key doesn't exist.
    #[error("key {0:?} doesn't exist; `sluice keys list` lists all keys")]
    Unknown(String),
    /// The system failed to provide random numbers.
    #[error("the system failed to provide random numbers: {0}")]
    Random(String),
    /// The database failed.
    #[error(transparent)]
    Store(StoreError),
}
