//! Drives runs: load and fold, decide, commit the events, and only then act.
//!
//! [`Engine`] is what the outside speaks to; a `Driver` brings one run on; the
//! `Dispatcher` sees to it that every run that needs a driver has exactly one.

mod batch;
pub mod clock;
mod dispatcher;
mod driver;
mod engine;
mod error;
mod execute;
mod feed;
mod follow;
mod observe;
mod options;
mod partial;
mod places;
mod plans;
mod remember;
mod rerun;
mod store;
mod work;

pub use batch::StartBatch;
pub use engine::{Engine, Snapshot, StartRun, Told};
pub use error::EngineError;
pub use execute::Executors;
pub use follow::{Follow, Followed};
pub use options::{Limits, Options};
pub use partial::PartialRun;
pub use remember::{AuditEntry, Kept, KeptAnswer, Remember, Remembered};
pub use rerun::Rerun;
pub use store::{BatchCounts, Commit, CommitError, RunRecord, RunStore, StoreError, StoredRun};
