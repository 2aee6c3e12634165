//! The database schema, as a list of migrations. See `README.md` for the rules of adding one.

use sea_orm::sea_query::{ColumnDef, Expr, Query, Table};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TransactionTrait as _};

mod columns;
mod migration;
mod steps;

pub use migration::Migration;
pub use steps::MIGRATIONS;

/// Name of the table of applied migrations.
const TABLE: &str = "applied_migrations";

/// Returns the names of the applied migrations in order, or `None` if the database doesn't have the schema of Sluice.
///
/// # Errors
/// The database failed.
pub async fn applied_migrations(db: &DatabaseConnection) -> Result<Option<Vec<String>>, DbErr> {
    let backend = db.get_database_backend();
    let exists = match backend {
        DbBackend::Postgres => format!("SELECT 1 WHERE to_regclass('{TABLE}') IS NOT NULL"),
        _ => format!("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{TABLE}'"),
    };
    if db.query_one_raw(Statement::from_string(backend, exists)).await?.is_none() {
        return Ok(None);
    }
    let select = format!("SELECT version FROM {TABLE} ORDER BY version");
    let rows = db.query_all_raw(Statement::from_string(backend, select)).await?;
    rows.iter().map(|row| row.try_get("", "version")).collect::<Result<_, _>>().map(Some)
}

/// Returns the migrations that are not applied.
///
/// # Errors
/// The database failed.
pub async fn pending(db: &DatabaseConnection) -> Result<Vec<&'static Migration>, DbErr> {
    let applied = applied_migrations(db).await?.unwrap_or_default();
    Ok(MIGRATIONS.iter().filter(|migration| !applied.iter().any(|name| name == migration.name)).collect())
}

/// Applies a migration in one transaction. `applied_at` is the time in seconds since 1970.
///
/// # Errors
/// The database failed. The schema is unchanged.
pub async fn apply(db: &DatabaseConnection, migration: &Migration, applied_at: i64) -> Result<(), DbErr> {
    let transaction = db.begin().await?;
    let table = Table::create()
        .table(TABLE)
        .if_not_exists()
        .col(ColumnDef::new("version").string().not_null().primary_key())
        .col(ColumnDef::new("applied_at").big_integer().not_null())
        .take();
    transaction.execute(&table).await?;
    for statement in (migration.statements)(db.get_database_backend()) {
        // PostgreSQL accepts some types of statements only without parameters.
        transaction.execute_unprepared(&statement.sql).await?;
    }
    let row = Query::insert()
        .into_table(TABLE)
        .columns(["version", "applied_at"])
        .values_panic([Expr::value(migration.name), Expr::value(applied_at)])
        .take();
    transaction.execute(&row).await?;
    transaction.commit().await
}
