//! Group commit: writes a batch of jobs in one transaction if possible, otherwise each job in its own transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use tokio::time::timeout;

use super::job::Job;
use super::queued_change::QueuedChange;
use super::run_commits::{self, CommitFault, RunCommit};
use super::{failpoint, workflow_inserts};
use crate::connection::sqlite_fast_path::{NotWritten, SqliteFastPath, Tx};
use crate::connection::{advisory_lock, begin};
use crate::error::{is_constraint_violation, is_race, is_unavailable, store_error};

/// Timeout of a transaction.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of attempts to apply a change if another process interferes.
const MAX_ATTEMPTS: usize = 3;

/// Writes all jobs and replies to their callers. Returns the error if the database is unavailable.
pub(super) async fn write(
    db: &DatabaseConnection,
    fast_path: Option<&SqliteFastPath>,
    jobs: impl Iterator<Item = Job>,
) -> Option<DbErr> {
    // Deletes are written first and separately: in one transaction with the others they would fail if the database is
    // full.
    let (freeing, others): (Vec<Job>, Vec<Job>) = jobs.partition(Job::frees_space);
    if !freeing.is_empty()
        && let Some(error) = write_jobs(db, None, freeing).await
    {
        reply_error_to_all(others, &error);
        return Some(error);
    }
    write_jobs(db, fast_path, others).await
}

async fn write_jobs(
    db: &DatabaseConnection,
    fast_path: Option<&SqliteFastPath>,
    jobs: Vec<Job>,
) -> Option<DbErr> {
    let (mut together, alone) = split(jobs);
    let fast_path_result = match fast_path {
        Some(fast_path) => write_on_fast_path(fast_path, &mut together).await,
        None => Err(NotWritten::FallBack),
    };
    let result = match fast_path_result {
        Ok(()) => Ok(()),
        Err(NotWritten::Failed(error)) => Err(error),
        Err(NotWritten::FallBack) => with_transaction_timeout(db, write_together(db, &mut together)).await,
    };
    let unavailable = match result {
        Ok(()) => {
            together.into_iter().for_each(reply);
            None
        }
        // The other jobs would fail too. The commit may even be durable.
        Err(error) if is_unavailable(&error) => {
            reply_error_to_all(together, &error);
            Some(error)
        }
        Err(error) => {
            tracing::debug!(%error, jobs = together.len(), "batch failed, writing each job alone");
            write_each(db, together).await
        }
    };
    if let Some(error) = unavailable {
        reply_error_to_all(alone, &error);
        return Some(error);
    }
    write_each(db, alone).await
}

/// Separates the jobs that can share a transaction from the commits that may conflict with others of the same run.
fn split(jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
    let mut log_ends = BTreeMap::new();
    jobs.into_iter().filter(|job| !matches!(job, Job::Stop)).partition(|job| match job {
        Job::Commit(commit) => commit.extends_log(&mut log_ends),
        Job::InsertWorkflow(_) | Job::Change(_) | Job::Stop => true,
    })
}

/// Writes a batch on the fast path, if it consists of commits of runs and new workflows.
async fn write_on_fast_path(fast_path: &SqliteFastPath, jobs: &mut [Job]) -> Result<(), NotWritten> {
    fn fall_back(error: DbErr) -> NotWritten {
        tracing::debug!(%error, "fast path: write failed, falling back");
        NotWritten::FallBack
    }
    if jobs.is_empty() || jobs.iter().any(|job| matches!(job, Job::Change(_))) {
        return Err(NotWritten::FallBack);
    }
    let tx = fast_path.begin().ok_or(NotWritten::FallBack)?;
    insert(&Tx::FastPath(&tx), jobs).await.map_err(fall_back)?;
    failpoint::reach("append_before").map_err(NotWritten::Failed)?;
    fast_path.commit(tx).map_err(fall_back)?;
    failpoint::reach("append_after").map_err(NotWritten::Failed)
}

async fn write_together(db: &DatabaseConnection, jobs: &mut [Job]) -> Result<(), DbErr> {
    if jobs.is_empty() {
        return Ok(());
    }
    let tx = begin(db).await?;
    match apply(&tx, jobs).await {
        Ok(()) => commit(tx).await,
        Err(error) => Err(roll_back(tx, error).await),
    }
}

/// Commits a transaction. Tests inject failures before and after.
async fn commit(tx: DatabaseTransaction) -> Result<(), DbErr> {
    if let Err(injected) = failpoint::reach("append_before") {
        return Err(roll_back(tx, injected).await);
    }
    tx.commit().await?;
    failpoint::reach("append_after")
}

async fn apply(tx: &DatabaseTransaction, jobs: &mut [Job]) -> Result<(), DbErr> {
    if jobs.iter().any(|job| !matches!(job, Job::Commit(_))) {
        advisory_lock::wait_for_changes(tx).await?;
    }
    insert(&Tx::Orm(tx), jobs).await?;
    for job in jobs {
        if let Job::Change(change) = job {
            change.apply(tx).await?;
        }
    }
    Ok(())
}

/// Writes commits of runs and new workflows.
async fn insert(tx: &Tx<'_>, jobs: &mut [Job]) -> Result<(), DbErr> {
    let (mut commits, mut inserts) = (Vec::new(), Vec::new());
    for job in jobs {
        match job {
            Job::Commit(commit) => commits.push(&**commit),
            Job::InsertWorkflow(insert) => inserts.push(&mut **insert),
            Job::Change(_) | Job::Stop => {}
        }
    }
    run_commits::insert(tx, &commits).await?;
    workflow_inserts::insert(tx, inserts).await
}

/// Writes each job in its own transaction. Stops when the database becomes unavailable.
async fn write_each(db: &DatabaseConnection, jobs: Vec<Job>) -> Option<DbErr> {
    let mut jobs = jobs.into_iter();
    while let Some(job) = jobs.next() {
        let unavailable = match job {
            Job::Commit(commit) => write_commit(db, *commit).await,
            Job::InsertWorkflow(insert) => write_change(db, insert).await,
            Job::Change(change) => write_change(db, change).await,
            Job::Stop => None,
        };
        if let Some(error) = unavailable {
            reply_error_to_all(jobs.collect(), &error);
            return Some(error);
        }
    }
    None
}

/// Writes one commit and replies. Returns the error if the database is unavailable.
async fn write_commit(db: &DatabaseConnection, commit: RunCommit) -> Option<DbErr> {
    let mut result = Ok(());
    for _ in 0..MAX_ATTEMPTS {
        result = try_commit(db, &commit).await;
        // Violations of unique keys are conflicts, which are not retried.
        if !matches!(&result, Err(CommitFault::Database(error)) if is_race(error)) {
            break;
        }
    }
    let unavailable = match &result {
        Err(CommitFault::Database(error)) if is_unavailable(error) => Some(error.clone()),
        _ => None,
    };
    commit.reply(result.map_err(Into::into));
    unavailable
}

async fn try_commit(db: &DatabaseConnection, commit: &RunCommit) -> Result<(), CommitFault> {
    let write = async {
        let tx = begin(db).await?;
        match run_commits::insert_alone(&tx, commit).await {
            Ok(()) => Ok(self::commit(tx).await?),
            Err(CommitFault::Rejected(error)) => {
                tx.rollback().await?;
                Err(CommitFault::Rejected(error))
            }
            Err(CommitFault::Database(error)) => Err(CommitFault::Database(roll_back(tx, error).await)),
        }
    };
    let result = timeout(TRANSACTION_TIMEOUT, write)
        .await
        .unwrap_or_else(|_| Err(CommitFault::Database(timeout_error())));
    if matches!(result, Err(CommitFault::Database(_))) {
        replace_sqlite_connection(db).await;
    }
    result
}

/// Applies one change and replies. Returns the error if the database is unavailable.
async fn write_change(db: &DatabaseConnection, mut change: Box<dyn QueuedChange>) -> Option<DbErr> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match with_transaction_timeout(db, try_change(db, change.as_mut())).await {
            Ok(()) => {
                change.reply();
                return None;
            }
            Err(error) if is_race(&error) && attempts < MAX_ATTEMPTS => {}
            Err(error) => {
                change.reply_error(store_error(error.clone()));
                return is_unavailable(&error).then_some(error);
            }
        }
    }
}

async fn try_change(db: &DatabaseConnection, change: &mut dyn QueuedChange) -> Result<(), DbErr> {
    let tx = begin(db).await?;
    let apply = async {
        advisory_lock::wait_for_changes(&tx).await?;
        change.apply(&tx).await
    };
    match apply.await {
        Ok(()) => tx.commit().await,
        Err(error) => Err(roll_back(tx, error).await),
    }
}

/// Rolls back a transaction. Returns `cause`, the error that made it necessary.
async fn roll_back(tx: DatabaseTransaction, cause: DbErr) -> DbErr {
    if let Err(error) = tx.rollback().await {
        tracing::debug!(%error, "rollback failed");
    }
    cause
}

async fn with_transaction_timeout(
    db: &DatabaseConnection,
    write: impl Future<Output = Result<(), DbErr>>,
) -> Result<(), DbErr> {
    let result = timeout(TRANSACTION_TIMEOUT, write).await.unwrap_or_else(|_| Err(timeout_error()));
    if result.as_ref().is_err_and(|error| !is_constraint_violation(error)) {
        replace_sqlite_connection(db).await;
    }
    result
}

/// Replaces the connection to an SQLite file. If SQLite fails within a transaction, for example because the disk is
/// full, it ends the transaction. sqlx doesn't notice that, and would never commit later transactions of the
/// connection.
async fn replace_sqlite_connection(db: &DatabaseConnection) {
    if db.get_database_backend() != DbBackend::Sqlite {
        return;
    }
    let result = match db.get_sqlite_connection_pool().acquire().await {
        Ok(connection) => connection.close().await,
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::warn!(%error, "replacing the writer's connection failed");
    }
}

fn timeout_error() -> DbErr {
    DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout)
}

fn reply(job: Job) {
    match job {
        Job::Commit(commit) => commit.reply(Ok(())),
        Job::InsertWorkflow(insert) => insert.reply(),
        Job::Change(change) => change.reply(),
        Job::Stop => {}
    }
}

fn reply_error_to_all(jobs: Vec<Job>, error: &DbErr) {
    for job in jobs {
        match job {
            Job::Commit(commit) => commit.reply(Err(store_error(error.clone()).into())),
            Job::InsertWorkflow(insert) => insert.reply_error(store_error(error.clone())),
            Job::Change(change) => change.reply_error(store_error(error.clone())),
            Job::Stop => {}
        }
    }
}
