//! One batch: together if it can be, otherwise each on its own.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use sluice_engine::StoreError;
use tokio::time::timeout;

use super::failpoint;
use super::job::Job;
use super::queued_change::Work;
use super::run_commits::{self, Alone, RunCommit};
use super::workflow_inserts;
use crate::connection::advisory_lock;
use crate::connection::begin;
use crate::connection::sqlite_fast_path::{NotWritten, SqliteFastPath, Tx};
use crate::error::{is_constraint_violation, is_race, is_unavailable, store_error};

/// How long a transaction may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often a change is tried that another process interfered with.
const TRIES: usize = 3;

/// Writes and answers everything. The error, when the store is away.
pub(super) async fn write(
    db: &DatabaseConnection,
    direct: Option<&SqliteFastPath>,
    jobs: impl Iterator<Item = Job>,
) -> Option<DbErr> {
    // First what makes room: with the others it would share their fate in a store that is full.
    let (freeing, others): (Vec<Job>, Vec<Job>) = jobs.partition(Job::frees_space);
    let lost = match freeing.is_empty() {
        true => None,
        false => write_some(db, None, freeing).await,
    };
    match lost {
        Some(error) => {
            fail(others, &error);
            Some(error)
        }
        None => write_some(db, direct, others).await,
    }
}

async fn write_some(
    db: &DatabaseConnection,
    direct: Option<&SqliteFastPath>,
    jobs: Vec<Job>,
) -> Option<DbErr> {
    let (mut together, apart) = split(jobs);
    let directly = match direct {
        Some(direct) => write_directly(direct, &mut together).await,
        None => Err(NotWritten::Yet),
    };
    let written = match directly {
        Ok(()) => Ok(()),
        Err(NotWritten::Failed(error)) => Err(error),
        Err(NotWritten::Yet) => transaction(db, write_together(db, &mut together)).await,
    };
    let lost = match written {
        Ok(()) => {
            together.into_iter().for_each(done);
            None
        }
        // The store is away, so one try was enough for all. It may even have kept them.
        Err(error) if is_unavailable(&error) => {
            fail(together, &error);
            Some(error)
        }
        Err(error) => {
            tracing::debug!(%error, jobs = together.len(), "a batch failed, its members are written alone");
            write_apart(db, together).await
        }
    };
    match lost {
        Some(error) => {
            fail(apart, &error);
            Some(error)
        }
        None => write_apart(db, apart).await,
    }
}

/// What can share a transaction, and what would spoil it: commits to a log that others extend as well.
fn split(jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
    let mut ends = BTreeMap::new();
    jobs.into_iter().filter(|job| !matches!(job, Job::Stop)).partition(|job| match job {
        Job::Commit(commit) => commit.follows(&mut ends),
        Job::Create(_) | Job::Work(_) | Job::Stop => true,
    })
}

/// Writes what runs and their workflows begin with.
async fn write_directly(direct: &SqliteFastPath, jobs: &mut [Job]) -> Result<(), NotWritten> {
    if jobs.is_empty() || jobs.iter().any(|job| matches!(job, Job::Work(_))) {
        return Err(NotWritten::Yet);
    }
    let tx = direct.begin().ok_or(NotWritten::Yet)?;
    let again = |error| {
        tracing::debug!(%error, "a direct write did not work out");
        NotWritten::Yet
    };
    insert(&Tx::Direct(&tx), jobs).await.map_err(again)?;
    failpoint::reach("append_before").map_err(NotWritten::Failed)?;
    direct.commit(tx).map_err(again)?;
    failpoint::reach("append_after").map_err(NotWritten::Failed)
}

async fn write_together(db: &DatabaseConnection, jobs: &mut [Job]) -> Result<(), DbErr> {
    if jobs.is_empty() {
        return Ok(());
    }
    let tx = begin(db).await?;
    match apply(&tx, jobs).await {
        Ok(()) => commit(tx).await,
        Err(error) => Err(rolled_back(tx, error).await),
    }
}

/// Ends a transaction that adds to logs, perhaps among others.
async fn commit(tx: DatabaseTransaction) -> Result<(), DbErr> {
    if let Err(injected) = failpoint::reach("append_before") {
        return Err(rolled_back(tx, injected).await);
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
        if let Job::Work(work) = job {
            work.apply(tx).await?;
        }
    }
    Ok(())
}

/// Writes commits of runs and new workflows.
async fn insert(tx: &Tx<'_>, jobs: &mut [Job]) -> Result<(), DbErr> {
    let commits: Vec<&RunCommit> = jobs
        .iter()
        .filter_map(|job| match job {
            Job::Commit(commit) => Some(commit.as_ref()),
            Job::Create(_) | Job::Work(_) | Job::Stop => None,
        })
        .collect();
    run_commits::insert(tx, &commits).await?;
    let creations = jobs.iter_mut().filter_map(|job| match job {
        Job::Create(creation) => Some(creation.as_mut()),
        Job::Commit(_) | Job::Work(_) | Job::Stop => None,
    });
    workflow_inserts::insert(tx, creations.collect()).await
}

/// Writes each in a transaction of its own. When the store goes away the rest is not tried.
async fn write_apart(db: &DatabaseConnection, jobs: Vec<Job>) -> Option<DbErr> {
    let mut jobs = jobs.into_iter();
    while let Some(job) = jobs.next() {
        let lost = match job {
            Job::Commit(commit) => write_commit(db, *commit).await,
            Job::Create(creation) => write_work(db, creation).await,
            Job::Work(work) => write_work(db, work).await,
            Job::Stop => None,
        };
        if let Some(error) = lost {
            fail(jobs.collect(), &error);
            return Some(error);
        }
    }
    None
}

/// Answers one commit. The error, when the store is away.
async fn write_commit(db: &DatabaseConnection, commit: RunCommit) -> Option<DbErr> {
    let mut written = Ok(());
    for _ in 0..TRIES {
        written = commit_once(db, &commit).await;
        // Of the races, those that break a key have become conflicts already.
        if !matches!(&written, Err(Alone::Database(error)) if is_race(error)) {
            break;
        }
    }
    let lost = match &written {
        Err(Alone::Database(error)) if is_unavailable(error) => Some(error.clone()),
        _ => None,
    };
    commit.answer(written.map_err(Into::into));
    lost
}

async fn commit_once(db: &DatabaseConnection, commit: &RunCommit) -> Result<(), Alone> {
    let write = async {
        let tx = begin(db).await?;
        match run_commits::insert_alone(&tx, commit).await {
            Ok(()) => Ok(self::commit(tx).await?),
            Err(Alone::Refused(refusal)) => {
                tx.rollback().await?;
                Err(Alone::Refused(refusal))
            }
            Err(Alone::Database(error)) => Err(Alone::Database(rolled_back(tx, error).await)),
        }
    };
    let written = timeout(DEADLINE, write).await.unwrap_or_else(|_| Err(Alone::Database(late())));
    if matches!(written, Err(Alone::Database(_))) {
        renew(db).await;
    }
    written
}

/// Answers one change. The error, when the store is away.
async fn write_work(db: &DatabaseConnection, mut work: Box<dyn Work>) -> Option<DbErr> {
    let mut tries = 0;
    loop {
        tries += 1;
        match transaction(db, work_once(db, work.as_mut())).await {
            Ok(()) => {
                work.done();
                return None;
            }
            Err(error) if is_race(&error) && tries < TRIES => {}
            Err(error) => {
                work.failed(store_error(error.clone()));
                return is_unavailable(&error).then_some(error);
            }
        }
    }
}

async fn work_once(db: &DatabaseConnection, work: &mut dyn Work) -> Result<(), DbErr> {
    let tx = begin(db).await?;
    let applied = async {
        advisory_lock::wait_for_changes(&tx).await?;
        work.apply(&tx).await
    };
    match applied.await {
        Ok(()) => tx.commit().await,
        Err(error) => Err(rolled_back(tx, error).await),
    }
}

/// The error, after everything is as it was before.
async fn rolled_back(tx: DatabaseTransaction, error: DbErr) -> DbErr {
    if let Err(second) = tx.rollback().await {
        tracing::debug!(error = %second, "rolling back failed as well");
    }
    error
}

async fn transaction(
    db: &DatabaseConnection,
    work: impl Future<Output = Result<(), DbErr>>,
) -> Result<(), DbErr> {
    let done = timeout(DEADLINE, work).await.unwrap_or_else(|_| Err(late()));
    if done.as_ref().is_err_and(|error| !is_constraint_violation(error)) {
        renew(db).await;
    }
    done
}

/// Replaces the connection to an SQLite file. When SQLite fails in the middle of a transaction (its disk may
/// be full), it ends the transaction by itself, and the driver takes later ones for parts of that one: they
/// would never be committed. A new connection knows of nothing.
async fn renew(db: &DatabaseConnection) {
    if db.get_database_backend() != DbBackend::Sqlite {
        return;
    }
    let closed = match db.get_sqlite_connection_pool().acquire().await {
        Ok(connection) => connection.close().await,
        Err(error) => Err(error),
    };
    if let Err(error) = closed {
        tracing::warn!(%error, "the connection that writes could not be replaced");
    }
}

fn late() -> DbErr {
    DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout)
}

fn done(job: Job) {
    match job {
        Job::Commit(commit) => commit.answer(Ok(())),
        Job::Create(creation) => creation.done(),
        Job::Work(work) => work.done(),
        Job::Stop => {}
    }
}

fn fail(jobs: Vec<Job>, error: &DbErr) {
    let answer = || -> StoreError { store_error(error.clone()) };
    for job in jobs {
        match job {
            Job::Commit(commit) => commit.answer(Err(answer().into())),
            Job::Create(creation) => creation.failed(answer()),
            Job::Work(work) => work.failed(answer()),
            Job::Stop => {}
        }
    }
}
