use std::collections::HashMap;

use super::Code;

/// What the config of a node says, as far as its kind tells; what lints go by. Nothing said means that
/// nothing is known, and no lint speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The outputs of other nodes that the config refers to.
    pub references: Vec<Reference>,
    /// What the node gives.
    pub gives: Gives,
    /// Which nodes references can name.
    pub scope: Scope,
    /// Whether the node may use everything that arrives, also what no reference names.
    pub takes_all: bool,
    /// Whether the node has an effect beside what it gives.
    pub acts: bool,
    /// Whether a person can decline here, which makes the node give nothing.
    pub is_gate: bool,
    /// Whether the node runs as long as one predecessor gave something.
    pub takes_any: bool,
    /// What the body of a loop is given in the first place; none when that is not known.
    pub feeds: Option<Fields>,
    /// Pairs of routes that are never open together.
    pub exclusive: Vec<(String, String)>,
    /// What the kind itself has to say about the config.
    pub findings: Vec<Finding>,
}

/// A place in a config that names an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Where, as an RFC 6901 pointer into the `config`.
    pub pointer: String,
    /// The dotted path: the title of a node and fields of its output.
    pub path: String,
    /// Whether it names a node alone, by its title, its id, or as `id|title`.
    pub is_node: bool,
}

impl Reference {
    /// A dotted path at a place.
    #[must_use]
    pub fn field(pointer: impl Into<String>, path: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), path: path.into(), is_node: false }
    }

    /// The title or the id of a node at a place, or both as `id|title`.
    #[must_use]
    pub fn node(pointer: impl Into<String>, name: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), path: name.into(), is_node: true }
    }
}

/// Which nodes the references of a config can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those with a link into the node: what arrives.
    #[default]
    Arrivals,
    /// All before the node.
    Upstream,
}

/// What a node gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Gives {
    /// Nothing is known of it.
    #[default]
    Unknown,
    /// These fields.
    Fields(Fields),
    /// Everything that arrives, by title.
    Arrivals,
    /// What arrives, by title, and fields that a person adds.
    ArrivalsAndMore,
    /// What one of its predecessors gave.
    OneArrival,
    /// What the output node among its children gives; these fields when it has no children.
    Body(Option<Fields>),
}

/// Fields by name, with those inside of each; none where anything may be inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub HashMap<String, Option<Fields>>);

/// Something that a kind has to say about a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of problem.
    pub code: Code,
    /// Where, as an RFC 6901 pointer into the `config`.
    pub pointer: String,
    /// What is wrong and what to change.
    pub message: String,
    /// What may have been meant.
    pub help: Option<String>,
}
