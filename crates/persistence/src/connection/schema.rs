//! Checks and migrations of the schema.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use sluice_engine::clock;
use sluice_migration::MIGRATIONS;

use crate::error::OpenError;

/// The oldest supported release of SQLite. Earlier ones can lose data when they reset a write-ahead log.
const MIN_SQLITE: [u32; 3] = [3, 51, 3];

/// A schema that this release can't use.
pub(crate) enum SchemaError {
    /// A newer release of the server applied this migration.
    Newer(String),
    /// The file has the tables of another program.
    Foreign,
    /// SQLite reports a damaged page.
    Damaged(String),
    /// The database failed.
    Database(DbErr),
}

impl SchemaError {
    /// Adds the location of the database to the error.
    pub(crate) fn at(self, location: &str) -> OpenError {
        let location = location.to_owned();
        match self {
            Self::Newer(migration) => OpenError::NewerSchema { migration },
            Self::Foreign => OpenError::Foreign { location },
            Self::Damaged(damage) => OpenError::Damaged { path: location.into(), damage },
            Self::Database(source) => OpenError::Unreachable { location, source },
        }
    }
}

impl From<DbErr> for SchemaError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

/// Checks the schema without changing anything.
pub(crate) async fn check(db: &DatabaseConnection) -> Result<(), SchemaError> {
    let Some(applied) = sluice_migration::applied_migrations(db).await? else {
        return check_no_foreign_tables(db).await;
    };
    let is_known = |name: &String| MIGRATIONS.iter().any(|migration| migration.name == name);
    match applied.into_iter().find(|name| !is_known(name)) {
        Some(unknown) => Err(SchemaError::Newer(unknown)),
        None => Ok(()),
    }
}

/// Returns the name of the last applied migration.
pub(crate) async fn last_migration(db: &DatabaseConnection) -> Result<String, DbErr> {
    let last = sluice_migration::applied_migrations(db).await?.unwrap_or_default().pop();
    last.ok_or_else(|| DbErr::RecordNotFound("an applied migration".to_owned()))
}

/// Checks every page of an SQLite file.
pub(crate) async fn check_pages(db: &DatabaseConnection) -> Result<(), SchemaError> {
    let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA quick_check(1)");
    let Some(row) = db.query_one_raw(statement).await? else { return Ok(()) };
    let result: String = row.try_get_by_index(0)?;
    if result == "ok" { Ok(()) } else { Err(SchemaError::Damaged(result.replace(['\n', '\r'], " "))) }
}

/// Rejects an SQLite file that has only tables of another program. A PostgreSQL database may be shared with other
/// programs.
async fn check_no_foreign_tables(db: &DatabaseConnection) -> Result<(), SchemaError> {
    if db.get_database_backend() != DbBackend::Sqlite {
        return Ok(());
    }
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' LIMIT 1";
    match db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await? {
        Some(_) => Err(SchemaError::Foreign),
        None => Ok(()),
    }
}

/// Returns true if no migration is missing.
pub(crate) async fn is_current(db: &DatabaseConnection) -> Result<bool, DbErr> {
    Ok(sluice_migration::pending(db).await?.is_empty())
}

/// Applies the missing migrations and returns their names.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let missing = sluice_migration::pending(db).await?;
    for migration in &missing {
        sluice_migration::apply(db, migration, clock::now().timestamp()).await?;
    }
    if !missing.is_empty() {
        tracing::info!(migrations = missing.len(), "schema migrated");
    }
    Ok(missing.iter().map(|migration| migration.name.to_owned()).collect())
}

/// Returns the version of the SQLite library in this binary if it is older than [`MIN_SQLITE`].
pub(crate) async fn unsupported_sqlite(db: &DatabaseConnection) -> Result<Option<String>, DbErr> {
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT sqlite_version()");
    let version: String = match db.query_one_raw(statement).await? {
        Some(row) => row.try_get_by_index(0)?,
        None => String::new(),
    };
    let numbers: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    Ok((numbers.as_slice() < MIN_SQLITE.as_slice()).then_some(version))
}
