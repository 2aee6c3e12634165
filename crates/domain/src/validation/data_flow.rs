use std::collections::HashMap;

use super::Code;

/// The flow of data into and out of a node, as far as its type can derive it from the config. Lints skip everything
/// that is left at its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFlow {
    /// References to outputs of other nodes.
    pub references: Vec<Reference>,
    /// The node's use of its predecessors.
    pub inputs: InputUse,
    /// The shape of the node's output.
    pub output: OutputShape,
    /// Fields that a loop passes to the first iteration of its body. `None` if unknown.
    pub body_input: Option<Fields>,
    /// Effects of the node apart from its output.
    pub external_effects: ExternalEffects,
    /// True for gates: declining one yields no output.
    pub is_gate: bool,
    /// Pairs of routes that are never open together.
    pub exclusive_routes: Vec<(String, String)>,
    /// Problems of the config that only the node type can find.
    pub findings: Vec<Finding>,
}

/// A node's use of its predecessors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputUse {
    /// The nodes to which references can refer.
    pub scope: ReferenceScope,
    /// True if the node may use its whole input, including fields without a reference.
    pub uses_all: bool,
    /// True if the node runs as long as one predecessor produced an output.
    pub any_is_enough: bool,
}

/// The nodes to which the references of a config can refer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferenceScope {
    /// Direct predecessors: nodes with a link into this one.
    #[default]
    Predecessors,
    /// Every node from which a path leads here.
    Upstream,
}

/// The shape of a node's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OutputShape {
    /// Unknown.
    #[default]
    Unknown,
    /// An object with these fields.
    Fields(Fields),
    /// The outputs of all predecessors, by title.
    Inputs,
    /// The outputs of all predecessors, by title, and fields that a person adds.
    ExtendedInputs,
    /// The output of one of the predecessors.
    OneInput,
    /// The output of the output node among the node's children. If it has no children, these fields.
    Body(Option<Fields>),
}

/// Effects of a node apart from its output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExternalEffects {
    /// The node has no effects, so it is useless if its output is unused.
    #[default]
    None,
    /// The node may have effects, such as a call to another system.
    Possible,
}

/// Fields by name, each with the fields inside it. `None` if it may contain anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub HashMap<String, Option<Fields>>);

/// A reference in a config to the output of another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// RFC 6901 pointer into the `config`.
    pub pointer: String,
    /// Dotted path: the title of a node, then fields of its output.
    pub path: String,
    /// True if it refers to a node without a field, by its title, its id, or as `id|title`.
    pub is_node: bool,
}

impl Reference {
    /// Returns a reference to an output, or to a field of it, by dotted path.
    #[must_use]
    pub fn field(pointer: impl Into<String>, path: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), path: path.into(), is_node: false }
    }

    /// Returns a reference to a node by its title, its id, or as `id|title`.
    #[must_use]
    pub fn node(pointer: impl Into<String>, name: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), path: name.into(), is_node: true }
    }
}

/// A problem of a config that only its node type can find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The diagnostic code.
    pub code: Code,
    /// RFC 6901 pointer into the `config`.
    pub pointer: String,
    /// The problem and its fix.
    pub message: String,
    /// A suggestion, such as the name that was probably meant.
    pub help: Option<String>,
}
