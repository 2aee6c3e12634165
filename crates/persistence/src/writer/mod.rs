//! The writer: a single thread that executes all writes. It commits all queued changes in one transaction, then replies
//! to their callers. A batch consists of the jobs that queued up during the previous one, without a timer, so that an
//! idle server adds no delay.

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
use sluice_engine::{ChangeOrigin, Commit, CommitError, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::change::{Audited, Change};
use crate::connection::sqlite_fast_path::SqliteFastPath;
use crate::entity::workflow;
use crate::error::WriteError;
use crate::metrics::WriterMetrics;
use job::Job;
use latest_version_cache::LatestVersionCache;
use queued_change::{AuditedChange, PendingChange};
use run_commits::{MAX_BATCH, RunCommit};
use workflow_inserts::{NewWorkflow, WorkflowInsert};

/// Capacity of the queue, in jobs.
const QUEUE_CAPACITY: usize = 4 * MAX_BATCH;
/// Timeout for a free slot in the queue.
const ENQUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout for the reply. Longer than two transaction timeouts: the one of the running transaction, and that of the
/// next, which contains the caller's job.
const REPLY_TIMEOUT: Duration = Duration::from_secs(65);

/// The sender of the writer's queue.
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
    state: Arc<WriterState>,
}

/// State that the writer shares with readers.
#[derive(Default)]
struct WriterState {
    /// True if the last batch failed.
    has_failed: AtomicBool,
    latest_versions: LatestVersionCache,
}

impl Writer {
    /// Starts the writer. It uses the only connection of `db`, and the fast path for commits of runs and new workflows.
    pub(crate) fn spawn(
        db: DatabaseConnection,
        fast_path: Option<SqliteFastPath>,
        metrics: WriterMetrics,
    ) -> (Self, JoinHandle<()>) {
        let (queue, jobs) = mpsc::channel(QUEUE_CAPACITY);
        let state = Arc::new(WriterState::default());
        // On a separate thread, because a commit on the fast path blocks.
        let runtime = Handle::current();
        let write = write_batches(db, fast_path, jobs, Arc::clone(&state), metrics);
        let task = tokio::task::spawn_blocking(move || runtime.block_on(write));
        (Self { queue, state }, task)
    }

    pub(crate) fn latest_versions(&self) -> &LatestVersionCache {
        &self.state.latest_versions
    }

    /// Returns true if the last batch failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.state.has_failed.load(Ordering::Relaxed)
    }

    /// Returns the number of queued jobs.
    pub(crate) fn queue_length(&self) -> usize {
        QUEUE_CAPACITY - self.queue.capacity()
    }

    /// Appends events to the log of a run.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let (reply, response) = oneshot::channel();
        // `RunCommit::new` serializes the events on the caller's thread.
        self.send(Job::Commit(Box::new(RunCommit::new(commit, reply)?))).await?;
        self.receive(response).await?
    }

    /// Creates a workflow.
    pub(crate) async fn create_workflow(
        &self,
        new: NewWorkflow,
        origin: Option<ChangeOrigin>,
    ) -> Result<workflow::Model, WriteError> {
        let (reply, response) = oneshot::channel();
        self.send(Job::InsertWorkflow(Box::new(WorkflowInsert::new(new, origin, reply)))).await?;
        self.receive(response).await?
    }

    /// Applies a change.
    pub(crate) async fn change<C: Change>(&self, change: C) -> Result<C::Output, WriteError> {
        let (reply, response) = oneshot::channel();
        self.send(Job::Change(Box::new(PendingChange::new(change, reply)))).await?;
        self.receive(response).await?
    }

    /// Applies a change, and writes its audit entries and its outcome in the same transaction.
    pub(crate) async fn audited_change<C: Change>(
        &self,
        change: C,
        origin: Option<ChangeOrigin>,
    ) -> Result<C::Output, WriteError>
    where
        C::Output: Audited,
    {
        self.change(AuditedChange { change, origin }).await
    }

    /// Stops the writer after it has processed the queued jobs. Later jobs are rejected.
    pub(crate) async fn stop(&self) {
        // Fails only if the writer has ended already.
        let _ = self.queue.send(Job::Stop).await;
    }

    /// Fails if the writer has ended.
    pub(crate) fn check_alive(&self) -> Result<(), StoreError> {
        if self.queue.is_closed() { Err(closed_error()) } else { Ok(()) }
    }

    async fn send(&self, job: Job) -> Result<(), StoreError> {
        let result = self.queue.send_timeout(job, ENQUEUE_TIMEOUT).await;
        result.map_err(|error| StoreError::Unavailable(error.to_string().into()))
    }

    /// Waits for the reply, for a limited time: a disk that hangs blocks the writer, but must not block its callers.
    async fn receive<T>(&self, response: oneshot::Receiver<T>) -> Result<T, StoreError> {
        match timeout(REPLY_TIMEOUT, response).await {
            Ok(response) => response.map_err(|_| closed_error()),
            Err(elapsed) => {
                self.state.has_failed.store(true, Ordering::Relaxed);
                Err(StoreError::Unavailable(Box::new(elapsed)))
            }
        }
    }
}

fn closed_error() -> StoreError {
    StoreError::Unavailable("the database is closed".into())
}

async fn write_batches(
    db: DatabaseConnection,
    fast_path: Option<SqliteFastPath>,
    mut jobs: mpsc::Receiver<Job>,
    state: Arc<WriterState>,
    metrics: WriterMetrics,
) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    // `recv_many` waits for a job, then takes all queued ones. It returns 0 when the queue is closed and empty.
    while jobs.recv_many(&mut batch, MAX_BATCH).await > 0 {
        if batch.iter().any(|job| matches!(job, Job::Stop)) {
            jobs.close();
        }
        let (size, started) = (batch.len(), Instant::now());
        let changes_versions = batch.iter().any(Job::changes_versions);
        if changes_versions {
            state.latest_versions.begin_changes();
        }
        let unavailable = group_commit::write(&db, fast_path.as_ref(), batch.drain(..)).await;
        if changes_versions && unavailable.is_none() {
            state.latest_versions.end_changes();
        }
        metrics.record_batch(size, started.elapsed(), unavailable.is_some());
        let had_failed = state.has_failed.swap(unavailable.is_some(), Ordering::Relaxed);
        match unavailable {
            Some(error) if !had_failed => {
                tracing::error!(%error, "database not writable, runs are waiting");
            }
            None if had_failed => tracing::info!("database writable again"),
            Some(_) | None => {}
        }
    }
}
