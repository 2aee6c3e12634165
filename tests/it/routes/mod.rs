//! Tests of the HTTP routes, one file for each resource.

mod api_keys;
mod audit_log;
mod batches;
mod conditional_edits;
mod examples;
mod idempotency;
mod labels;
mod limits;
mod node_types;
mod pagination;
mod pauses;
mod problems;
mod rerun;
mod run_events;
mod runs;
mod test_files;
mod transfer;
mod validation;
mod versions;
mod workflows;
