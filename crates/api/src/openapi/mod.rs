//! The OpenAPI document and its schemas. Every text comes from here or from the handlers, none from a library.

pub(crate) mod build;
pub(crate) mod examples;
pub(crate) mod list_headers;
pub(crate) mod merge_variants;
pub(crate) mod node_kinds;
pub(crate) mod params;
pub(crate) mod v3_0;
pub(crate) mod value_types;

/// A version of OpenAPI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenApiVersion {
    /// 3.1, in which the document is written.
    #[default]
    V3_1,
    /// 3.0, for generators that know nothing later.
    V3_0,
}
