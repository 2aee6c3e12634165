//! What makes two definitions the same version.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Definition;
use crate::graph::node_type;

/// Fields of a definition or a node that don't execute.
const LAYOUT: [&str; 3] = ["coordinates", "dimensions", "test_inputs"];

/// The SHA-256, in lower-case hex, of the RFC 8785 canonical JSON of `definition` without what doesn't
/// execute: coordinates, dimensions and test inputs, also those of subworkflows.
///
/// Two definitions with the same hash are the same version.
#[must_use]
pub fn definition_hash(definition: &Definition) -> String {
    let mut value = serde_json::to_value(definition).unwrap_or(Value::Null);
    strip_layout(&mut value);
    let canonical = serde_json_canonicalizer::to_vec(&value).unwrap_or_default();
    Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn strip_layout(definition: &mut Value) {
    let Value::Object(fields) = definition else { return };
    fields.retain(|name, _| !LAYOUT.contains(&name.as_str()));
    let Some(Value::Array(nodes)) = fields.get_mut("nodes") else { return };
    for node in nodes {
        let Value::Object(node) = node else { continue };
        node.retain(|name, _| !LAYOUT.contains(&name.as_str()));
        let is_loop = node.get("node_type").and_then(Value::as_str) == Some(node_type::FOR_LOOP);
        if let Some(subworkflow) = node.get_mut("subworkflow") {
            strip_layout(subworkflow);
        }
        if let Some(config) = node.get_mut("config").filter(|_| is_loop)
            && let Some(subworkflow) = config.get_mut("subworkflow")
        {
            strip_layout(subworkflow);
        }
    }
}
