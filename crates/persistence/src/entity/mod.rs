//! Tables, one file each. The `Model` of an entity is a row of the table. Conditions of partial indexes are next to
//! their table.

pub(crate) mod api_key;
pub(crate) mod audit_entry;
pub(crate) mod batch_row;
pub(crate) mod dataset;
pub(crate) mod dataset_row;
mod etag;
pub(crate) mod idempotency_key;
pub(crate) mod label;
pub(crate) mod label_move;
pub(crate) mod pause_event;
pub(crate) mod probe;
mod relation;
pub(crate) mod run;
pub(crate) mod run_log;
pub(crate) mod version_word;
pub(crate) mod workflow;
pub(crate) mod workflow_tag;
pub(crate) mod workflow_version;
pub(crate) mod workflow_word;
