//! The graph of a workflow: its definition as clients write it, and what can be read off it.

mod defaults;
mod definition;
mod draw;
mod normalise;
mod outline;
mod output_variables;
mod raw;

pub use definition::{Coordinates, Definition, Dimensions, Link, Node, SpurType};
pub use draw::{DrawError, Drawing, MAX_SVG_SHAPES, draw, state_key};
pub use outline::{Level, LevelLink, Outline};
pub use output_variables::{OutputVariable, output_variables};
pub use raw::RawObject;

/// The node types that the rules of the graph itself speak of. All other behaviour is the business of
/// the `nodes` crate.
pub mod node_type {
    /// Where a level starts: gives the inputs of the run, or of the iteration.
    pub const INPUT: &str = "InputNode";
    /// Where a level ends.
    pub const OUTPUT: &str = "OutputNode";
    /// Opens some of its routes; links leave it by the name of a route.
    pub const ROUTER: &str = "RouterNode";
    /// Runs its children, or its subworkflow, several times.
    pub const FOR_LOOP: &str = "ForLoopNode";
}
