//! The one writer. Everything that waits to be written goes into one transaction, and is answered when
//! that is durable. The grouping comes from the queue, never from a timer: alone, nobody waits.

mod failpoint;
mod group_commit;
mod job;
pub(crate) mod latest_version_cache;
mod queued_change;
mod run_commits;
pub(crate) mod side_records;
pub(crate) mod workflow_inserts;
pub(crate) mod write_probe;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sea_orm::DatabaseConnection;
use sluice_engine::{Commit, CommitError, Remember, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::change::Change;
use crate::connection::sqlite_fast_path::SqliteFastPath;
use crate::entity::workflow::WorkflowRow;
use crate::error::WriteError;
use crate::metrics::WriterMetrics;
use job::Job;
use latest_version_cache::LatestVersions;
use queued_change::{Once, Waiting};
use run_commits::{BATCH, RunCommit};
use workflow_inserts::{Creation, NewWorkflow, Saved};

/// How much may wait.
const QUEUE: usize = 4 * BATCH;
/// How long a caller waits for a place in the queue.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a caller waits for the answer. Longer than the transactions before it may take.
const DEADLINE: Duration = Duration::from_secs(65);

/// The way to the writer.
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
    failed: Arc<AtomicBool>,
    latest: Arc<LatestVersions>,
}

impl Writer {
    /// Starts the writer, which writes through the one connection of `db`, and commits of runs and new
    /// workflows through `direct`.
    pub(crate) fn spawn(
        db: DatabaseConnection,
        direct: Option<SqliteFastPath>,
        metrics: WriterMetrics,
    ) -> (Self, JoinHandle<()>) {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let failed = Arc::new(AtomicBool::new(false));
        // On a thread of its own, which a commit may block.
        let (runtime, told) = (Handle::current(), Arc::clone(&failed));
        let latest = Arc::new(LatestVersions::default());
        let write = write(db, direct, jobs, (told, Arc::clone(&latest)), metrics);
        let writing = tokio::task::spawn_blocking(move || runtime.block_on(write));
        (Self { queue, failed, latest }, writing)
    }

    /// What is known of the latest versions of workflows.
    pub(crate) fn latest(&self) -> &LatestVersions {
        &self.latest
    }

    /// Whether the store could not be written the last time.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// How much waits to be written.
    pub(crate) fn queued(&self) -> usize {
        QUEUE - self.queue.capacity()
    }

    /// Adds events to the log of a run.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let (reply, answer) = oneshot::channel();
        // Serialized here, on the caller's time.
        self.send(Job::Commit(Box::new(RunCommit::new(commit, reply)?))).await?;
        self.answered(answer).await?
    }

    /// Creates a workflow.
    pub(crate) async fn create(
        &self,
        new: NewWorkflow,
        remember: Option<Remember<Saved>>,
    ) -> Result<WorkflowRow, WriteError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Create(Box::new(Creation::new(new, remember, reply)))).await?;
        self.answered(answer).await?
    }

    /// Makes a change.
    pub(crate) async fn change<C: Change>(&self, change: C) -> Result<C::Output, WriteError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Work(Box::new(Waiting::new(change, reply)))).await?;
        self.answered(answer).await?
    }

    /// Makes a change; what is to be remembered of it is kept with it.
    pub(crate) async fn change_once<C: Change>(
        &self,
        change: C,
        remember: Option<Remember<C::Output>>,
    ) -> Result<C::Output, WriteError>
    where
        C::Output: Sync,
    {
        self.change(Once(change, remember)).await
    }

    /// Lets the writer finish what waits. What comes later is refused.
    pub(crate) async fn stop(&self) {
        // An error means that it has ended already.
        let _ = self.queue.send(Job::Stop).await;
    }

    /// An error when the writer has ended.
    pub(crate) fn alive(&self) -> Result<(), StoreError> {
        if self.queue.is_closed() { Err(gone()) } else { Ok(()) }
    }

    /// The writer's answer. A disk that doesn't answer at all holds the writer, and not whoever asked it.
    async fn answered<T>(&self, answer: oneshot::Receiver<T>) -> Result<T, StoreError> {
        match timeout(DEADLINE, answer).await {
            Ok(answer) => answer.map_err(|_| gone()),
            Err(late) => {
                self.failed.store(true, Ordering::Relaxed);
                Err(StoreError::Unavailable(Box::new(late)))
            }
        }
    }

    async fn send(&self, job: Job) -> Result<(), StoreError> {
        let sent = self.queue.send_timeout(job, PATIENCE).await;
        sent.map_err(|error| StoreError::Unavailable(error.to_string().into()))
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

async fn write(
    db: DatabaseConnection,
    direct: Option<SqliteFastPath>,
    mut jobs: mpsc::Receiver<Job>,
    (failed, latest): (Arc<AtomicBool>, Arc<LatestVersions>),
    metrics: WriterMetrics,
) {
    let mut batch = Vec::with_capacity(BATCH);
    // Waits for one, then takes what is there. None are left when the queue is closed.
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        if batch.iter().any(|job| matches!(job, Job::Stop)) {
            jobs.close();
        }
        let (size, started) = (batch.len(), Instant::now());
        // Runs and new workflows leave the versions of others as they are.
        let is_change = batch.iter().any(|job| matches!(job, Job::Work(_)));
        if is_change {
            latest.changing();
        }
        let lost = group_commit::write(&db, direct.as_ref(), batch.drain(..)).await;
        if is_change {
            latest.changed();
        }
        metrics.take(size, started.elapsed(), lost.is_some());
        match (failed.swap(lost.is_some(), Ordering::Relaxed), lost) {
            (false, Some(error)) => {
                tracing::error!(%error, "the store can't be written; what runs waits for it")
            }
            (true, None) => tracing::info!("the store can be written again"),
            (true, Some(_)) | (false, None) => {}
        }
    }
}
