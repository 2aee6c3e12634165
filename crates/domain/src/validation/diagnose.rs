use super::diagnostic::truncate;
use super::{Catalog, Diagnostic, MAX_DIAGNOSTICS, errors, lint};
use crate::Definition;
use crate::graph::{MAX_LINKS, MAX_NODES};

/// Finds the errors of `definition`. Unfinished parts (nodes without links, unreachable nodes, loops without a body) are
/// not errors.
#[must_use]
pub fn validate(definition: &Definition, catalog: &dyn Catalog) -> Vec<Diagnostic> {
    let mut diagnostics = errors::find(definition, catalog);
    truncate(&mut diagnostics);
    diagnostics
}

/// Finds the errors of `definition`, then its warnings and hints. Lists at most [`MAX_DIAGNOSTICS`].
#[must_use]
pub fn diagnose(definition: &Definition, catalog: &dyn Catalog) -> Vec<Diagnostic> {
    let mut diagnostics = errors::find(definition, catalog);
    let is_bounded = definition.nodes.len() <= MAX_NODES && definition.links.len() <= MAX_LINKS;
    if is_bounded && diagnostics.len() <= MAX_DIAGNOSTICS {
        diagnostics.extend(lint::find(definition, catalog));
    }
    truncate(&mut diagnostics);
    diagnostics
}
