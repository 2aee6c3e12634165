//! Data flow: the references of configs to other nodes, and the shapes of outputs.

pub(crate) mod output_shape;
pub(crate) mod paths;
pub(crate) mod python;
pub(crate) mod schema_check;
pub(crate) mod templates;
pub(crate) mod unknown_keys;
