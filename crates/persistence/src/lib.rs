//! The database: SQLite or PostgreSQL through sea-orm. The only crate with SQL.
//!
//! [`Database`] stores workflows, versions, runs, datasets, API keys and the audit log. It implements
//! [`sluice_engine::RunStore`]. One writer commits all queued changes together; a pool of connections reads.

// Pins the SQLite that sqlx bundles. See the workspace's `Cargo.toml`.
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
#[cfg(feature = "explain")]
mod explain;
mod gauges;
mod idempotency;
mod metrics;
mod outcome;
mod query;
mod runs;
mod search;
mod sqlite_backup;
mod workflows;
mod writer;

pub use api_keys::{ApiKeyAdmin, MAX_KEY_NAME_LENGTH, NewApiKey, PresentedKey};
pub use audit_log::{AuditFilter, AuditOrder};
pub use connection::options::Options;
pub use database::Database;
pub use datasets::NewDataset;
pub use entity::api_key::{Model as ApiKey, Scopes};
pub use entity::audit_entry::Model as AuditRow;
pub use entity::dataset::Model as DatasetRow;
pub use entity::label::Model as LabelRow;
pub use entity::label_move::Model as LabelMoveRow;
pub use entity::pause_event::{Model as PauseEvent, PauseChange};
pub use entity::workflow::Model as WorkflowRow;
pub use entity::workflow_version::Model as VersionRow;
pub use error::{KeyError, OpenError, WriteError};
#[cfg(feature = "explain")]
pub use explain::ListQuery;
pub use idempotency::{IDEMPOTENCY_RETENTION, IdempotencyRecord, MAX_IDEMPOTENCY_KEY_LENGTH, RequestResult};
pub use outcome::{ImportedWorkflow, Outcome};
pub use query::pagination::{Page, PageNumber, PageRequest, TimeRange};
pub use runs::{BatchRowRange, RunDetail, RunFilter, RunOrder};
pub use search::query::Search;
pub use sqlite_backup::{DatabaseContents, PendingRestore, SqliteFile};
pub use workflows::changes::{Precondition, SaveOptions, WorkflowDetails};
pub use workflows::import_plan::{Import, ImportOutcome, ImportRejection, PlannedImport};
pub use workflows::labels::NewLabel;
pub use workflows::versions::{Pin, VersionFilter, VersionOrder};
pub use workflows::{WorkflowFilter, WorkflowOrder};
pub use writer::workflow_inserts::{LabelChange, NewWorkflow, SavedWorkflow, ValidDefinition};
