//! The store: SQLite and PostgreSQL through sea-orm. The only crate that knows SQL.
//!
//! [`Database`] keeps workflows, their versions and runs, and is the [`sluice_engine::RunStore`] of the
//! engine. One task writes, everything that waits in one transaction; several connections read.

// Never named here; it pins the SQLite that sqlx bundles. See the workspace's `Cargo.toml`.
use libsqlite3_sys as _;

mod api_keys;
mod audit_log;
mod change;
mod connection;
mod database;
mod datasets;
pub mod durable_fs;
mod entity;
mod error;
mod explain;
mod gauges;
mod idempotency;
mod metrics;
mod query;
mod runs;
mod search;
mod sqlite_backup;
mod workflows;
mod writer;

pub use api_keys::{ApiKey, Keys, NewKey, PresentedKey};
pub use audit_log::{AuditFilter, AuditOrder, AuditRow};
pub use connection::options::Options;
pub use database::Database;
pub use datasets::{DatasetRow, NewDataset};
pub use entity::label::LabelRow;
pub use entity::label_move::LabelMoveRow;
pub use entity::pause_event::PauseNews;
pub use entity::workflow::WorkflowRow;
pub use entity::workflow_version::VersionRow;
pub use error::{KeyError, OpenError, WriteError};
pub use explain::ListQuery;
pub use query::pagination::{Between, Listed, Page, Part};
pub use runs::pause_events::PauseEvent;
pub use runs::{RunDetail, RunFilter, RunOrder};
pub use search::query::Search;
pub use sqlite_backup::{Replacing, Snapshot, SqliteFile};
pub use workflows::changes::{Condition, Details, Saving};
pub use workflows::import::ImportOutcome;
pub use workflows::import_plan::{Import, ImportAction, ImportMode, ImportRefusal, ImportRefused, Imported};
pub use workflows::versions::{Pin, VersionFilter, VersionOrder};
pub use workflows::{WorkflowFilter, WorkflowOrder};
pub use writer::workflow_inserts::{Accepted, LabelMoved, NewWorkflow, Saved};
