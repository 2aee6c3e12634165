//! Extractors: parsed and validated parts of a request, or a problem that says what to change.

pub(crate) mod etag;
pub(crate) mod for_resource;
pub(crate) mod json;
pub(crate) mod multipart;
pub(crate) mod page;
pub(crate) mod pagination;
pub(crate) mod path;
pub(crate) mod pin;
pub(crate) mod query;
