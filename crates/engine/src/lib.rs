//! Drives runs: load and fold, decide, commit the events, and only then act.

pub mod clock;
mod store;

pub use store::{Commit, CommitError, RunRecord, RunStore, StoreError, StoredRun};
