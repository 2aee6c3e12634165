//! The graph of a workflow: its definition, and views derived from it.

mod defaults;
mod definition;
mod index;
pub mod node_type;
mod normal_form;
mod output_variables;
mod raw_json;

pub use definition::{
    Coordinates, Definition, Dimensions, Link, MAX_LINKS, MAX_NODE_NAME_LENGTH, MAX_NODES, Node, SpurType,
};
pub use index::{GraphIndex, Level, LevelLink, LinkEnds};
pub use output_variables::{OutputVariable, output_variables};
pub use raw_json::RawObject;
