//! Validation of definitions before they are saved.

use sluice_domain::graph::Definition;
use sluice_domain::{validation, versioning};
use sluice_nodes::NodeKinds;
use sluice_persistence::ValidDefinition;

use crate::blocking::cpu_bound;
use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::extract::json::MIN_OFFLOAD_BYTES;

/// Validates a definition, and converts it to its stored form.
pub(crate) async fn validate_definition(
    mut definition: Definition,
    kinds: NodeKinds,
) -> Result<ValidDefinition, Problem> {
    definition.normalize();
    let definition = definition.or_default();
    let json = definition.to_json();
    if json.len() < MIN_OFFLOAD_BYTES {
        return validate_now(&definition, json, &kinds);
    }
    cpu_bound(move || validate_now(&definition, json, &kinds)).await
}

fn validate_now(
    definition: &Definition,
    json: String,
    kinds: &NodeKinds,
) -> Result<ValidDefinition, Problem> {
    let diagnostics = validation::validate(definition, kinds);
    if !diagnostics.is_empty() {
        return Err(Problem::invalid(
            ProblemKind::InvalidDefinition,
            diagnostics.into_iter().map(problem_item).collect(),
        ));
    }
    Ok(ValidDefinition { json, hash: versioning::definition_hash(definition) })
}

fn problem_item(diagnostic: validation::Diagnostic) -> ProblemItem {
    let validation::Diagnostic { code, pointer, node_id, message, .. } = diagnostic;
    ProblemItem {
        pointer: format!("/definition{pointer}"),
        code: code.as_str().to_owned(),
        detail: message,
        node_id,
    }
}
