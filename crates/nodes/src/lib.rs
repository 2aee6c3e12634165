//! The node kinds: configs, behavior, data flow, and entries in the catalog.
//!
//! This crate is pure. It only describes nodes with side effects, such as Python code; the engine executes them.

mod catalog;
mod config;
mod data_flow;
pub mod kinds;
mod node_kinds;
mod registry;
mod text;

pub use catalog::{CatalogCategories, CatalogEntry, VisualTag, catalog};
pub use config::field_type::parse_row;
pub use config::policy::{Policies, PolicyConfig, RetryConfig};
pub use node_kinds::NodeKinds;
pub use registry::runnable_node_types;
