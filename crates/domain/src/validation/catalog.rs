use super::DataFlow;
use crate::graph::MAX_NODES;
use crate::{Definition, Node};

/// An error in the `config` of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// RFC 6901 pointer into the `config`.
    pub pointer: String,
    /// The error and its fix.
    pub message: String,
}

/// The node types, as validation needs them. Implemented by the `nodes` crate.
pub trait Catalog {
    /// Returns the names of all node types.
    fn names(&self) -> Vec<&'static str>;
    /// Returns the errors in the node's `config`.
    fn config_problems(&self, node: &Node) -> Vec<ConfigProblem>;
    /// Returns the names of the node's routes, or `None` if nodes of its type have no routes.
    fn routes(&self, node: &Node) -> Option<Vec<String>>;
    /// Returns the body in the node's `config`.
    fn body(&self, node: &Node) -> Option<Definition>;
    /// Returns the maximum number of nodes of a definition, not counting those of its subworkflows. Values above
    /// [`MAX_NODES`] have no effect.
    fn max_nodes(&self) -> usize {
        MAX_NODES
    }
    /// Returns the node's data flow, as far as its `config` shows, and problems that only its type can find.
    fn data_flow(&self, _node: &Node) -> DataFlow {
        DataFlow::default()
    }
}
