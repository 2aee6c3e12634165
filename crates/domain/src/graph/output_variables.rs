use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

use super::Definition;

/// A variable in the output of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputVariable {
    /// The leaf node that outputs it.
    pub node_id: String,
    /// The name in that node's output.
    pub variable_name: String,
    /// `{node_id}-{variable_name}`.
    pub prefixed_variable: String,
}

/// Returns the variables of every leaf node (a node without outgoing links) that declares an output schema, in node
/// order.
#[must_use]
pub fn output_variables(definition: &Definition) -> Vec<OutputVariable> {
    let sources: HashSet<&str> = definition.links.iter().map(|link| link.source_id.as_str()).collect();
    let leaves = definition.nodes.iter().filter(|node| !sources.contains(node.id.as_str()));
    leaves
        .flat_map(|node| {
            let names = match node.config.to_map().remove("output_schema") {
                Some(Value::Object(schema)) => schema.into_iter().map(|(name, _)| name).collect(),
                _ => Vec::new(),
            };
            names.into_iter().map(|variable_name| OutputVariable {
                node_id: node.id.clone(),
                prefixed_variable: format!("{}-{variable_name}", node.id),
                variable_name,
            })
        })
        .collect()
}
