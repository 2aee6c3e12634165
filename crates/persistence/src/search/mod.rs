//! Search of workflows and versions by tags and by prefixes of words.

pub(crate) mod index;
pub(crate) mod query;
