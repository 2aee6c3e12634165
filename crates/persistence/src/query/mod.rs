//! Pagination of lists, and conversion of rows.

pub(crate) mod convert;
pub(crate) mod pagination;
