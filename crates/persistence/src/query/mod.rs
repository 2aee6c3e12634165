//! Queries: pages of lists, and rows read.

pub(crate) mod convert;
pub(crate) mod pagination;
