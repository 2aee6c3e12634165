//! Queries: pages of lists, and the reading of rows.

pub(crate) mod convert;
pub(crate) mod pagination;
