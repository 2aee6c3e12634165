//! Every problem of a definition, each with a code and a place.

mod chatbot;
mod checks;
mod code;
mod cycles;
mod data_flow;
mod diagnostic;
mod lint;
mod near;
mod text;

pub use code::{Code, Severity};
pub use data_flow::{
    DataFlow, Fields, Finding, InputUse, OutputShape, Reference, ReferenceScope, SideEffects,
};
pub use diagnostic::{Diagnostic, Related};
pub use near::nearest;
pub(crate) use text::parse;
pub use text::{check_text, diagnose_json};

use crate::{Definition, Node};

/// The most nodes of a definition, those of its subworkflows counted apart, wherever less isn't wanted.
pub const MAX_NODES: usize = 100_000;
/// The most links of a definition, those of its subworkflows counted apart.
pub const MAX_LINKS: usize = 400_000;

/// The most characters of an id or a title.
pub const MAX_NAME: usize = 1_000;
/// The most diagnostics that [`diagnose`] lists.
pub const MAX_DIAGNOSTICS: usize = 1_000;

/// Something in a node's `config` that its kind can't take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Where, as an RFC 6901 pointer into the `config`.
    pub pointer: String,
    /// What is wrong and what to change.
    pub message: String,
}

/// The kinds of nodes, as validation needs them. Implemented by the `nodes` crate.
pub trait Catalog {
    /// The name of every known node type.
    fn names(&self) -> Vec<&'static str>;
    /// What in the node's `config` doesn't fit its kind.
    fn config_problems(&self, node: &Node) -> Vec<ConfigProblem>;
    /// The names of the routes by which links can leave the node; none when it has no routes.
    fn routes(&self, node: &Node) -> Option<Vec<String>>;
    /// The definition that the node's `config` holds as its body.
    fn body(&self, node: &Node) -> Option<Definition>;
    /// The most nodes of a definition, those of its subworkflows counted apart; [`MAX_NODES`] at most.
    fn max_nodes(&self) -> usize {
        MAX_NODES
    }
    /// The data flow of the node, as far as its `config` tells, and problems that only its kind can find.
    fn data_flow(&self, _node: &Node) -> DataFlow {
        DataFlow::default()
    }
}

/// Finds every error of `definition`. What is merely unfinished (no links yet, a node that nothing
/// reaches, a loop without a body) is no problem.
#[must_use]
pub fn validate(definition: &Definition, catalog: &dyn Catalog) -> Vec<Diagnostic> {
    let mut found = errors(definition, catalog);
    cut(&mut found);
    found
}

/// Finds the errors of `definition`, as [`validate`] does, and after them what merely looks wrong. At most
/// [`MAX_DIAGNOSTICS`] are listed.
#[must_use]
pub fn diagnose(definition: &Definition, catalog: &dyn Catalog) -> Vec<Diagnostic> {
    let mut found = errors(definition, catalog);
    let is_bounded = definition.nodes.len() <= MAX_NODES && definition.links.len() <= MAX_LINKS;
    if is_bounded && found.len() <= MAX_DIAGNOSTICS {
        found.extend(lint::lint(definition, catalog));
    }
    cut(&mut found);
    found
}

/// The errors, or one more than is told of.
fn errors(definition: &Definition, catalog: &dyn Catalog) -> Vec<Diagnostic> {
    let mut checker = checks::Checker::new(catalog);
    checker.definition(definition, "", 0);
    checker.found
}

/// Keeps the first [`MAX_DIAGNOSTICS`], and says so.
pub fn cut(found: &mut Vec<Diagnostic>) {
    if found.len() > MAX_DIAGNOSTICS {
        found.truncate(MAX_DIAGNOSTICS);
        let message =
            format!("There are more than {MAX_DIAGNOSTICS} diagnostics. Mend some of these, and ask again.");
        found.push(Diagnostic::new(Code::DiagnosticsCut, "", message));
    }
}

/// Escapes one step of an RFC 6901 pointer.
#[must_use]
pub fn pointer_step(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}
