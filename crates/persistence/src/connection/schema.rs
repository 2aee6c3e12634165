//! Whether the schema is one that this release can use, and bringing it up to date.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use sluice_migration::Migrator;
use sluice_migration::migration::{MigratorTrait, SchemaManager};

use crate::error::OpenError;
use crate::search::index;

/// Where the names of the steps taken are kept.
const STEPS: &str = "seaql_migrations";

/// Why a schema can't be used.
pub(crate) enum Misfit {
    /// A newer release took this step.
    Newer(String),
    /// Another program's tables.
    Foreign,
    /// What SQLite finds wrong with a page.
    Damaged(String),
    /// The database failed.
    Database(DbErr),
}

impl Misfit {
    pub(crate) fn at(self, place: &str) -> OpenError {
        let place = place.to_owned();
        match self {
            Self::Newer(migration) => OpenError::NewerSchema { migration },
            Self::Foreign => OpenError::Foreign { place },
            Self::Damaged(what) => OpenError::Damaged { path: place.into(), what },
            Self::Database(source) => OpenError::Unreachable { place, source },
        }
    }
}

impl From<DbErr> for Misfit {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

/// Looks without changing anything.
pub(crate) async fn check(db: &DatabaseConnection) -> Result<(), Misfit> {
    if !SchemaManager::new(db).has_table(STEPS).await? {
        return no_other_tables(db).await;
    }
    let known: Vec<String> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let sql = format!("SELECT version FROM {STEPS} ORDER BY version");
    for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await? {
        let step: String = row.try_get("", "version")?;
        if !known.contains(&step) {
            return Err(Misfit::Newer(step));
        }
    }
    Ok(())
}

/// The last step that was taken.
pub(crate) async fn last_step(db: &DatabaseConnection) -> Result<String, DbErr> {
    let sql = format!("SELECT version FROM {STEPS} ORDER BY version DESC LIMIT 1");
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("a step of the schema".to_owned()))?.try_get("", "version")
}

/// Forgets what was once counted in an SQLite file. SQLite plans by such counts until it counts again: tables that were
/// small then would be read whole when they have grown. Without counts it goes by the indexes, as in a new file.
pub(crate) async fn forget_counts(db: &DatabaseConnection) -> Result<(), DbErr> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'";
    if db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?.is_some() {
        // The second makes this connection forget them too.
        db.execute_unprepared("DELETE FROM sqlite_stat1; ANALYZE sqlite_schema").await?;
    }
    Ok(())
}

/// Looks at every page of an SQLite file.
pub(crate) async fn quick_check(db: &DatabaseConnection) -> Result<(), Misfit> {
    let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA quick_check(1)");
    let Some(row) = db.query_one_raw(statement).await? else { return Ok(()) };
    let found: String = row.try_get_by_index(0)?;
    if found == "ok" { Ok(()) } else { Err(Misfit::Damaged(found.replace(['\n', '\r'], " "))) }
}

/// An SQLite file that has tables but not ours was named by mistake. A PostgreSQL database may be shared.
async fn no_other_tables(db: &DatabaseConnection) -> Result<(), Misfit> {
    if db.get_database_backend() != DbBackend::Sqlite {
        return Ok(());
    }
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' LIMIT 1";
    match db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await? {
        Some(_) => Err(Misfit::Foreign),
        None => Ok(()),
    }
}

/// Whether no step is missing.
pub(crate) async fn is_current(db: &DatabaseConnection) -> Result<bool, DbErr> {
    Ok(Migrator::get_pending_migrations_read_only(db).await?.is_empty())
}

/// Takes the missing steps, and writes what they need of rows that are there already; says which.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let missing = Migrator::get_pending_migrations_read_only(db).await?;
    let names: Vec<String> = missing.iter().map(|step| step.name().to_owned()).collect();
    if !names.is_empty() {
        Migrator::up(db, None).await?;
        tracing::info!(steps = names.len(), "the schema is up to date");
    }
    let workflows = index::make_up(db).await?;
    if workflows > 0 {
        tracing::info!(workflows, "old workflows are found by their words as well");
    }
    Ok(names)
}

/// The release of the SQLite in this binary, when it is older than 3.51.3: those can lose data when a
/// write-ahead log is reset.
pub(crate) async fn sqlite_too_old(db: &DatabaseConnection) -> Result<Option<String>, DbErr> {
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT sqlite_version()");
    let found: String = match db.query_one_raw(statement).await? {
        Some(row) => row.try_get_by_index(0)?,
        None => String::new(),
    };
    let numbers: Vec<u32> = found.split('.').map_while(|part| part.parse().ok()).collect();
    Ok((numbers.as_slice() < [3, 51, 3].as_slice()).then_some(found))
}
