//! The store: SQLite and PostgreSQL through sea-orm. The only crate that knows SQL.
//!
//! [`Database`] keeps workflows, their versions and runs, and is the [`sluice_engine::RunStore`] of the
//! engine. One task writes, everything that waits in one transaction; several connections read.

// Never named here; it pins the SQLite that sqlx bundles. See the workspace's `Cargo.toml`.
use libsqlite3_sys as _;

mod advisory;
mod audit;
mod batches;
mod connect;
mod copies;
mod database;
mod datasets;
mod direct;
mod entity;
mod error;
mod found_by;
mod keys;
mod labels;
mod latest;
mod lists;
mod lock;
mod metrics;
mod options;
mod pause_events;
mod probe;
mod reader;
mod remembered;
mod room;
mod rows;
mod run_store;
mod runs;
mod schema;
mod transfer;
mod types;
mod words;
mod workflow_changes;
mod workflows;
mod writer;

pub use audit::{AuditFilter, AuditOrder, AuditRow};
pub use copies::{Replacing, Snapshot, SqliteFile};
pub use database::Database;
pub use datasets::{DatasetRow, NewDataset};
pub use error::{KeyError, OpenError, WriteError};
pub use keys::{ApiKey, Keys, NewKey, PresentedKey};
pub use lists::{
    Between, ListQuery, Listed, Part, RunOrder, VersionFilter, VersionOrder, WorkflowFilter, WorkflowOrder,
};
pub use options::Options;
pub use pause_events::{PauseEvent, PauseNews};
pub use transfer::{Import, ImportAction, ImportMode, ImportOutcome, ImportRefusal, ImportRefused, Imported};
pub use types::{
    Accepted, Condition, Details, LabelMoveRow, LabelMoved, LabelRow, NewWorkflow, Page, Pin, RunDetail,
    RunFilter, Saved, Saving, VersionRow, WorkflowRow,
};
pub use words::Search;
