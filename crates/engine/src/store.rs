use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sluice_domain::run::{Event, RunStatus};
use uuid::Uuid;

use crate::Kept;

/// What lists and filters need of a run; everything but the first eight fields follows from its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// The id of the run.
    pub id: Uuid,
    /// The workflow that it runs.
    pub workflow_id: Uuid,
    /// The version that it is pinned to.
    pub version_id: Uuid,
    /// The run that started it.
    pub parent_run_id: Option<Uuid>,
    /// Which row of the batch `parent_run_id` it is, from 0.
    pub batch_row: Option<i64>,
    /// The dataset that a batch takes its rows from.
    pub dataset_id: Option<Uuid>,
    /// What the client called this kind of run: `interactive`, `batch`, …
    pub run_type: String,
    /// When it was accepted.
    pub start_time: DateTime<Utc>,
    /// Where it stands.
    pub status: RunStatus,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// Whether a person is waited for.
    pub has_open_pause: bool,
}

/// Events to be added to the log of a run, with the record as it is after them: all or nothing.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The run after the events. It is created when `first` is 0.
    pub record: RunRecord,
    /// The sequence number of the first of the events: how many events the log had when they were decided.
    pub first: u64,
    /// The events, at least one.
    pub events: Vec<Event>,
    /// The rows of a batch that begins: the inputs of each, as JSON.
    pub rows: Vec<String>,
    /// What is kept with it.
    pub kept: Kept,
}

/// How far the rows of a batch are. A row that has not begun is no run yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchCounts {
    /// Begun and waiting for their turn.
    pub pending: u64,
    /// Going on.
    pub running: u64,
    /// Waiting for a person.
    pub paused: u64,
    /// Ended well.
    pub completed: u64,
    /// Ended with a node that failed.
    pub failed: u64,
    /// Called off, or declined.
    pub canceled: u64,
}

impl BatchCounts {
    /// How many have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.completed + self.failed + self.canceled
    }

    /// How many have begun.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.pending + self.running + self.paused + self.ended()
    }
}

/// A run, whole.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// Its record.
    pub record: RunRecord,
    /// Its log, from the first event on.
    pub log: Vec<Event>,
}

/// Where runs are kept.
#[async_trait]
pub trait RunStore: Send + Sync + 'static {
    /// Adds events to the log of a run. They are durable when this answers.
    async fn commit(&self, commit: Commit) -> Result<(), CommitError>;

    /// The run; none when there is no such run.
    async fn run(&self, id: Uuid) -> Result<Option<StoredRun>, StoreError>;

    /// The events of a run from sequence number `from` on.
    async fn log_from(&self, id: Uuid, from: u64) -> Result<Vec<Event>, StoreError>;

    /// The definition of a version, as JSON; none when there is no such version.
    async fn version_definition(&self, version_id: Uuid) -> Result<Option<String>, StoreError>;

    /// The ids of runs that somebody must drive ([`RunStatus::DRIVEN`]), each with that of its workflow, the
    /// oldest first: at most `limit` of those behind `after`.
    async fn driven_runs(&self, after: Option<Uuid>, limit: u64) -> Result<Vec<(Uuid, Uuid)>, StoreError>;

    /// The ids of the runs of a workflow that have not ended.
    async fn unfinished_runs(&self, workflow_id: Uuid) -> Result<Vec<Uuid>, StoreError>;

    /// The inputs of the rows of a batch from row `from` on, as JSON: at most `limit`.
    async fn batch_rows(&self, batch: Uuid, from: i64, limit: u64) -> Result<Vec<String>, StoreError>;

    /// How far the rows of a batch are.
    async fn batch_counts(&self, batch: Uuid) -> Result<BatchCounts, StoreError>;

    /// The ids of the runs of rows that have not ended: of this batch, or without one of every batch that was
    /// canceled; at most `limit`. A row of a batch that completed may be at work again: somebody has retried it.
    async fn unfinished_rows(&self, batch: Option<Uuid>, limit: u64) -> Result<Vec<Uuid>, StoreError>;
}

/// Why events were not added to a log. The log is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else added events first: load, decide and commit again.
    #[error("the log has grown meanwhile")]
    Conflict,
    /// The run, its version or its workflow doesn't exist any more.
    #[error("the run does not exist any more")]
    Gone,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the store gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It can't be reached, or not in time; later it may.
    #[error("the store can't be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It has no room for more; reading works.
    #[error("the store has no room left")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The rows of a page hold more than so many bytes.
    #[error("the page holds more than {0} bytes")]
    PageTooLarge(usize),
    /// A row can't be read as what it should be.
    #[error("row {id} of {table} can't be read: {what}")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// Its key.
        id: String,
        /// What is wrong with it.
        what: String,
    },
    /// Anything else.
    #[error("the store failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
