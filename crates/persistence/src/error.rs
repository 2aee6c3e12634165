//! What can go wrong, and which of it a driver's error is.

use std::path::PathBuf;

use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxError};
use sluice_engine::StoreError;

use crate::entity::workflow::WorkflowRow;

/// Why the database can't be used. Its words are for the person who starts the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none that this store knows.
    #[error(
        "The database URL must be sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/DATABASE: {reason}."
    )]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// The file can't be opened or made.
    #[error("The database file {} can't be opened: {source}.", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error(
        "{} is not an SQLite database, or a damaged one. It was left as it is: put a backup in its place, or \
         name another file.", path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// Pages of the file are damaged.
    #[error(
        "The database file {} is damaged ({what}). It was left as it is: put a backup in its place, or rescue \
         what can be read with the command .recover of the sqlite3 shell.", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says of it.
        what: String,
    },
    /// Another database was being put in its place, and that was cut off.
    #[error(
        "A restore into {} was cut off before its end. Run sluice restore again: what is there is not whole.",
        path.display()
    )]
    HalfReplaced {
        /// The file.
        path: PathBuf,
    },
    /// The database is another program's.
    #[error("{place} holds the tables of another program. It was left as it is; use another database.")]
    Foreign {
        /// The database.
        place: String,
    },
    /// Another server works on it.
    #[error("Another sluice owns the database {place}. Stop it, or use another database.")]
    Locked {
        /// The database.
        place: String,
    },
    /// A newer release has been here.
    #[error(
        "The database was made by a newer sluice (migration {migration}). Upgrade sluice or use another \
         database."
    )]
    NewerSchema {
        /// The first step that this release doesn't know.
        migration: String,
    },
    /// The server that runs has an older schema.
    #[error(
        "The server on {place} is of an older release, whose schema lacks what is asked for. Upgrade it first."
    )]
    OlderServer {
        /// The database.
        place: String,
    },
    /// The SQLite in this binary can lose data.
    #[error("This binary contains SQLite {found}; at least 3.51.3 is needed, earlier ones can lose data.")]
    SqliteTooOld {
        /// The release in the binary.
        found: String,
    },
    /// The database doesn't answer.
    #[error("The database {place} can't be reached: {source}.")]
    Unreachable {
        /// The database.
        place: String,
        /// Why.
        source: DbErr,
    },
    /// A step of the schema could not be taken.
    #[error("The schema of {place} can't be brought up to date: {source}.")]
    Migration {
        /// The database.
        place: String,
        /// Why.
        source: DbErr,
    },
}

/// Why a workflow was not changed. Everything is as it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is no such workflow.
    #[error("there is no such workflow")]
    NotFound,
    /// Another workflow has the name.
    #[error("another workflow has this name")]
    NameTaken,
    /// It is not what the caller takes it for: this is what it is.
    #[error("the workflow has changed")]
    Changed(Box<WorkflowRow>),
    /// The workflow has no such version.
    #[error("there is no version {0}")]
    NoVersion(i32),
    /// The workflow has no such label.
    #[error("there is no label {0:?}")]
    NoLabel(String),
    /// The label is protected.
    #[error("the label {0:?} is protected")]
    Protected(String),
    /// The workflow has as many labels as are taken.
    #[error("there are {0} labels")]
    TooManyLabels(u64),
    /// The label has stood nowhere else before.
    #[error("the label {0:?} has no version before")]
    NoEarlier(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a caller is told about a failure of the database.
pub(crate) fn store_error(error: DbErr) -> StoreError {
    if is_full(&error) {
        StoreError::Full(Box::new(error))
    } else if is_unavailable(&error) {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Failed(Box::new(error))
    }
}

/// Whether a row would break a unique key.
pub(crate) fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Whether a row would point to nothing.
pub(crate) fn is_foreign_key_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_)))
}

/// Whether the rows don't fit: nothing is wrong with the store or the connection.
pub(crate) fn is_constraint_violation(error: &DbErr) -> bool {
    is_unique_violation(error) || is_foreign_key_violation(error)
}

/// Whether the same change can succeed when it is tried again at once: another process was in between.
pub(crate) fn is_race(error: &DbErr) -> bool {
    // 40001 and 40P01: PostgreSQL gave way to another transaction.
    is_unique_violation(error) || code(error).is_some_and(|code| code == "40001" || code == "40P01")
}

/// Whether the cause lies outside of the statement, so that it may succeed later. What was asked for may
/// even have happened, if the connection broke while it was committed.
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
        // BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB: a damaged file may be replaced.
        return matches!(sqlite_kind(code), 5 | 6 | 8 | 10 | 11 | 13 | 14 | 26);
    }
    // Connection lost, resources exhausted, operator intervention or a deadline, lock not available, and
    // a server that became a read-only replica.
    // Damaged pages too: they may be restored.
    matches!(code.get(..2), Some("08" | "53" | "57" | "58"))
        || matches!(code, "55P03" | "25006" | "XX001" | "XX002")
}

/// Whether there is no room for what was to be written.
fn is_full(error: &DbErr) -> bool {
    let Some(error) = database_error(error) else { return false };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sea_orm::SqlxSqliteError>().is_some() {
        sqlite_kind(&code) == 13
    } else {
        code == "53100"
    }
}

/// What kind of error a code of SQLite is: its low byte.
fn sqlite_kind(code: &str) -> u32 {
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

/// Whether SQLite says that the file is none of its own, or damaged.
pub(crate) fn is_not_a_database(error: &DbErr) -> bool {
    // CORRUPT and NOTADB.
    code(error).is_some_and(|code| matches!(sqlite_kind(&code), 11 | 26))
}

/// Why an API key was not made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name doesn't fit.
    #[error("a name has 1 to {0} characters, none of them a control character, and no space around it")]
    Name(usize),
    /// The name looks like the id of a key.
    #[error("a name of 16 hex digits looks like the id of a key; choose another one")]
    NamedAsId,
    /// Another key has or had the name.
    #[error(
        "there is a key {0:?} already, or was one; names are not used again, because the audit log keeps them"
    )]
    NameTaken(String),
    /// The key would open nothing.
    #[error("name at least one --scope")]
    NoScope,
    /// There is no such key.
    #[error("there is no key {0:?}; `sluice keys list` shows those there are")]
    Unknown(String),
    /// The system has no random numbers.
    #[error("the system gave no random numbers: {0}")]
    NoChance(String),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}
