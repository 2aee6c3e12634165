//! Configs: their schemas, checks and conversion from JSON.

pub(crate) mod author_schema;
pub(crate) mod common;
pub(crate) mod config_schema;
pub(crate) mod field_type;
pub(crate) mod parse;
pub(crate) mod policy;
pub(crate) mod schema_errors;
