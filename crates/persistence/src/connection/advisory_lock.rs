//! The locks that servers sharing a PostgreSQL database take. SQLite needs none of them: its file has one
//! owner and that one writer.

use std::time::Duration;

use sea_orm::sqlx::{self, PgConnection};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement};

// Arbitrary numbers, for ever the same: releases that meet must mean the same lock.
/// Whoever drives the runs of the database.
const OWNER: i64 = 0x0051_7569_6365_0001;
/// Whoever changes the schema.
const SCHEMA: i64 = 0x0051_7569_6365_0002;
/// Whoever changes workflows.
const CHANGES: i64 = 0x0051_7569_6365_0003;

/// How often the lock of the owner is tried, and how long is waited between. PostgreSQL takes a moment to
/// notice that a process has ended: one that is started again at once must not be refused.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

fn owner_sql(exclusive: bool) -> &'static str {
    if exclusive { "SELECT pg_try_advisory_lock($1)" } else { "SELECT pg_try_advisory_lock_shared($1)" }
}

/// Takes the lock of the owner for a new connection of a pool; an error when somebody else has it.
pub(crate) async fn take_owner(connection: &mut PgConnection, exclusive: bool) -> Result<(), sqlx::Error> {
    let taken: bool = sqlx::query_scalar(owner_sql(exclusive)).bind(OWNER).fetch_one(connection).await?;
    if taken {
        return Ok(());
    }
    Err(sqlx::Error::Configuration("another sluice owns the database".into()))
}

/// Whether the lock of the owner is to be had. The connection of `admin` holds it from then on.
pub(crate) async fn try_owner(admin: &DatabaseConnection, exclusive: bool) -> Result<bool, DbErr> {
    for _ in 0..TRIES {
        let row = admin.query_one_raw(statement(owner_sql(exclusive), OWNER)).await?;
        if row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(false) {
            return Ok(true);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(false)
}

/// Waits until no other server changes the schema. The connection of `admin` holds the lock from then on.
pub(crate) async fn wait_for_schema(admin: &DatabaseConnection) -> Result<(), DbErr> {
    admin.execute_raw(statement("SELECT pg_advisory_lock($1)", SCHEMA)).await.map(drop)
}

/// Gives back what the one connection of `db` holds. Closing it would do so too, but only when PostgreSQL
/// gets round to it.
pub(crate) async fn release(db: &DatabaseConnection) -> Result<(), DbErr> {
    db.execute_unprepared("SELECT pg_advisory_unlock_all()").await.map(drop)
}

/// Waits until no other server is about to change workflows: names and numbers of versions are looked up
/// before they are given. The lock goes with the transaction, of which this must be the first statement.
pub(crate) async fn wait_for_changes(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    tx.execute_raw(statement("SELECT pg_advisory_xact_lock($1)", CHANGES)).await.map(drop)
}

fn statement(sql: &str, lock: i64) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, [lock.into()])
}
