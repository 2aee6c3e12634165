//! The interface to the database: the trait [`RunStore`] and its types.

mod error;
mod record;

use async_trait::async_trait;
use sluice_domain::run::Event;
use uuid::Uuid;

pub use error::{CommitError, StoreError};
pub use record::{BatchCounts, Commit, RunRecord, StoredRun, UnfinishedRun};

/// Storage of runs, implemented by the crate `persistence`.
#[async_trait]
pub trait RunStore: Send + Sync + 'static {
    /// Appends events to the log of a run. They are durable when this returns.
    async fn commit(&self, commit: Commit) -> Result<(), CommitError>;

    /// Returns a run with its log, or `None` if it doesn't exist.
    async fn run(&self, id: Uuid) -> Result<Option<StoredRun>, StoreError>;

    /// Returns the events of a run, starting at sequence number `from`.
    async fn log_from(&self, id: Uuid, from: u64) -> Result<Vec<Event>, StoreError>;

    /// Returns the definition of a version as JSON, or `None` if the version doesn't exist.
    async fn version_definition(&self, version_id: Uuid) -> Result<Option<String>, StoreError>;

    /// Returns the ids of runs that need a driver ([`RunStatus::DRIVEN`]) with their workflow ids, oldest first: at
    /// most `limit` runs after `after`.
    ///
    /// [`RunStatus::DRIVEN`]: sluice_domain::run::RunStatus::DRIVEN
    async fn driven_runs(&self, after: Option<Uuid>, limit: u64) -> Result<Vec<(Uuid, Uuid)>, StoreError>;

    /// Returns the unfinished runs of a workflow.
    async fn unfinished_runs(&self, workflow_id: Uuid) -> Result<Vec<UnfinishedRun>, StoreError>;

    /// Returns the inputs of at most `limit` rows of a batch, as JSON, starting at row `from`.
    async fn batch_rows(&self, batch: Uuid, from: i64, limit: u64) -> Result<Vec<String>, StoreError>;

    /// Returns the number of runs of a batch by status.
    async fn batch_counts(&self, batch: Uuid) -> Result<BatchCounts, StoreError>;

    /// Returns the ids of at most `limit` unfinished row runs: of `batch`, or of every canceled batch if none is given.
    /// A completed batch can have unfinished rows, because a failed row can be retried.
    async fn unfinished_rows(&self, batch: Option<Uuid>, limit: u64) -> Result<Vec<Uuid>, StoreError>;
}
