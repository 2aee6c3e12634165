//! The handlers, one folder or file per resource, with their request and response types.

pub(crate) mod audit_log;
pub(crate) mod datasets;
pub(crate) mod diagnostic;
pub(crate) mod health;
pub(crate) mod labels;
pub(crate) mod metrics;
pub(crate) mod node_types;
pub(crate) mod openapi;
pub(crate) mod output_files;
pub(crate) mod pauses;
pub(crate) mod replay;
pub(crate) mod runs;
pub(crate) mod sse;
pub(crate) mod stored_rows;
pub(crate) mod test_files;
pub(crate) mod validation;
pub(crate) mod versions;
pub(crate) mod workflows;
