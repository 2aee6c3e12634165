//! Advisory locks of servers that share a PostgreSQL database. SQLite doesn't need them: one process owns the file.

use std::time::Duration;

use sea_orm::sqlx::{self, PgConnection};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement};

// Arbitrary numbers. They never change, because all releases must use the same locks.
/// Lock of the process that drives the runs.
const OWNER: i64 = 0x0051_7569_6365_0001;
/// Lock of schema migrations.
const SCHEMA: i64 = 0x0051_7569_6365_0002;
/// Lock of changes of workflows.
const CHANGES: i64 = 0x0051_7569_6365_0003;

/// Number of attempts to take the owner lock. PostgreSQL takes some time to notice the end of a process, and a
/// restarted server must not be rejected.
const OWNER_ATTEMPTS: u32 = 30;
/// Delay between two attempts.
const OWNER_RETRY_DELAY: Duration = Duration::from_millis(100);

fn owner_sql(exclusive: bool) -> &'static str {
    if exclusive { "SELECT pg_try_advisory_lock($1)" } else { "SELECT pg_try_advisory_lock_shared($1)" }
}

/// Takes the owner lock for a new connection of a pool. Fails if another process holds it.
pub(crate) async fn take_owner(connection: &mut PgConnection, exclusive: bool) -> Result<(), sqlx::Error> {
    let acquired: bool = sqlx::query_scalar(owner_sql(exclusive)).bind(OWNER).fetch_one(connection).await?;
    if acquired {
        return Ok(());
    }
    Err(sqlx::Error::Configuration("another sluice owns the database".into()))
}

/// Tries to take the owner lock for the connection of `admin`. Returns false if another process holds it.
pub(crate) async fn try_owner(admin: &DatabaseConnection, exclusive: bool) -> Result<bool, DbErr> {
    for _ in 0..OWNER_ATTEMPTS {
        let row = admin.query_one_raw(statement(owner_sql(exclusive), OWNER)).await?;
        if row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(false) {
            return Ok(true);
        }
        tokio::time::sleep(OWNER_RETRY_DELAY).await;
    }
    Ok(false)
}

/// Waits for the schema lock and takes it for the connection of `admin`.
pub(crate) async fn wait_for_schema(admin: &DatabaseConnection) -> Result<(), DbErr> {
    admin.execute_raw(statement("SELECT pg_advisory_lock($1)", SCHEMA)).await.map(drop)
}

/// Releases the locks of the only connection of `db`. Closing the connection releases them too, but later.
pub(crate) async fn release(db: &DatabaseConnection) -> Result<(), DbErr> {
    db.execute_unprepared("SELECT pg_advisory_unlock_all()").await.map(drop)
}

/// Waits until no other server changes workflows: names and version numbers are read before they are assigned. The end
/// of the transaction releases the lock. This must be the first statement of the transaction.
pub(crate) async fn wait_for_changes(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    tx.execute_raw(statement("SELECT pg_advisory_xact_lock($1)", CHANGES)).await.map(drop)
}

fn statement(sql: &str, lock: i64) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, [lock.into()])
}
