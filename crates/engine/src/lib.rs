//! Drives runs. It folds the log of a run into its state, decides the next events, commits them, and then performs
//! their actions.
//!
//! [`Engine`] is the façade. A `Driver` drives one run. The `Dispatcher` assigns exactly one driver to each run that
//! needs one.

mod change;
pub mod clock;
mod driver;
mod engine;
mod error;
mod executors;
mod fair_semaphore;
mod journal;
mod options;
mod plan_cache;
mod snapshot;
mod store;
mod telemetry;

pub use change::{AuditEntry, ChangeOrigin, IdempotencyKey, RunOutcome, RunSideRecords, Subject};
pub use engine::Engine;
pub use engine::batch::StartBatch;
pub use engine::partial_run::PartialRun;
pub use engine::rerun::Rerun;
pub use engine::run_stream::{EventBatch, RunStream};
pub use engine::start::StartRun;
pub use error::EngineError;
pub use executors::{Executor, Executors};
pub use options::{Limits, Options};
pub use snapshot::Snapshot;
pub use store::{
    BatchCounts, Commit, CommitError, RunRecord, RunStore, StoreError, StoredRun, UnfinishedRun,
};
