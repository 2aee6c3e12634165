//! The OpenAPI document and its schemas. All its texts are written here or at the handlers.

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
    /// OpenAPI 3.1.
    #[default]
    V3_1,
    /// OpenAPI 3.0, for generators that do not support 3.1.
    V3_0,
}
