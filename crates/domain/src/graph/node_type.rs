//! Node types that the rules of the graph itself refer to. The `nodes` crate implements all other behavior.

/// The start of a level: outputs the inputs of the run, or of the iteration.
pub const INPUT: &str = "InputNode";
/// The end of a level.
pub const OUTPUT: &str = "OutputNode";
/// A branch: it opens some of its routes, and links leave it by the name of a route.
pub const ROUTER: &str = "RouterNode";
/// A loop: it runs its children, or its subworkflow, several times.
pub const FOR_LOOP: &str = "ForLoopNode";
