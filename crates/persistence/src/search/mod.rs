//! The search index of workflows and their versions.

pub(crate) mod index;
pub(crate) mod query;
