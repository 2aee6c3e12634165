//! Every problem of a definition, each with a code and a place.

mod chatbot;
mod checks;
mod code;
mod cycles;

pub use code::Code;

use crate::{Definition, Node};

/// The most nodes of a definition, those of its subworkflows counted apart.
pub const MAX_NODES: usize = 100_000;
/// The most links of a definition, those of its subworkflows counted apart.
pub const MAX_LINKS: usize = 400_000;

/// One problem of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem.
    pub code: Code,
    /// Where, as an RFC 6901 pointer into the definition.
    pub pointer: String,
    /// The id of the node concerned.
    pub node_id: Option<String>,
    /// What is wrong and what to change.
    pub message: String,
}

/// Something in a node's `config` that its kind can't take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Where, as an RFC 6901 pointer into the `config`.
    pub pointer: String,
    /// What is wrong and what to change.
    pub message: String,
}

/// The kinds of nodes, as validation needs them. Implemented by the `nodes` crate.
pub trait Catalogue {
    /// The name of every known node type.
    fn names(&self) -> Vec<&'static str>;
    /// What in the node's `config` doesn't fit its kind.
    fn config_problems(&self, node: &Node) -> Vec<ConfigProblem>;
    /// The names of the routes by which links can leave the node; none when it has no routes.
    fn routes(&self, node: &Node) -> Option<Vec<String>>;
    /// The definition that the node's `config` holds as its body.
    fn body(&self, node: &Node) -> Option<Definition>;
}

/// Finds every problem of `definition`. What is merely unfinished (no links yet, a node that nothing
/// reaches, a loop without a body) is no problem.
#[must_use]
pub fn validate(definition: &Definition, catalogue: &dyn Catalogue) -> Vec<Diagnostic> {
    let mut checker = checks::Checker::new(catalogue);
    checker.definition(definition, "", 0);
    checker.found
}

/// Escapes one step of an RFC 6901 pointer.
#[must_use]
pub fn pointer_step(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}
