//! What makes two definitions the same version, and what is different between two that aren't.

mod align;
mod changes;
mod diff;
mod patch;
mod text;

pub use changes::Change;
pub use diff::{ChangedNode, Diff, LinksDiff, NodeRef, NodesDiff, diff};
pub use json_patch::Patch;
pub use patch::patch;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Definition;
use crate::Node;
use crate::graph::{RawObject, node_type};

/// Where the config of a loop has its body.
const BODY: &str = "subworkflow";

/// Fields of a definition or a node that don't execute.
const LAYOUT: [&str; 3] = ["coordinates", "dimensions", "test_inputs"];

/// The SHA-256, in lower-case hex, of the RFC 8785 canonical JSON of `definition` without what doesn't
/// execute: coordinates, dimensions and test inputs, also those of subworkflows.
///
/// Two definitions with the same hash are the same version.
#[must_use]
pub fn definition_hash(definition: &Definition) -> String {
    let canonical =
        serde_json_canonicalizer::to_vec(&executable(definition)).expect("a JSON value has a canonical form");
    Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `kept` with the layout of `new`: the coordinates, dimensions and test inputs. Both have the same hash, so their nodes
/// stand in the same order. What executes stays as it was saved first: the canonical form tells `1` from `1.0` as little
/// as the hash, but code that runs may.
#[must_use]
pub fn with_layout_of(mut kept: Definition, new: &Definition) -> Definition {
    kept.test_inputs.clone_from(&new.test_inputs);
    for (node, drawn) in kept.nodes.iter_mut().zip(&new.nodes) {
        node.coordinates = drawn.coordinates;
        node.dimensions = drawn.dimensions;
        if let Some(drawn_body) = &drawn.subworkflow {
            let body = node.subworkflow.take();
            node.subworkflow = body.map(|body| Box::new(with_layout_of(*body, drawn_body)));
        }
        if node.node_type == node_type::FOR_LOOP && node.config.get() != drawn.config.get() {
            draw_body(node, drawn);
        }
    }
    kept
}

/// All of a definition as a JSON value.
fn json(definition: &Definition) -> Value {
    serde_json::to_value(definition).expect("a definition is made of what JSON has")
}

/// A definition as a JSON value, without what doesn't execute.
fn executable(definition: &Definition) -> Value {
    let mut value = json(definition);
    strip_layout(&mut value);
    value
}

/// Draws the body in the config of a loop anew.
fn draw_body(node: &mut Node, drawn: &Node) {
    let body_of = |node: &Node| {
        let mut config = node.config.to_map();
        let body = config.remove(BODY).and_then(|body| serde_json::from_value::<Definition>(body).ok());
        body.map(|body| (config, body))
    };
    let (Some((mut config, kept)), Some((_, new))) = (body_of(node), body_of(drawn)) else { return };
    if let Ok(body) = serde_json::to_value(with_layout_of(kept, &new)) {
        config.insert(BODY.to_owned(), body);
        node.config = RawObject::from_map(&config);
    }
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
            && let Some(subworkflow) = config.get_mut(BODY)
        {
            strip_layout(subworkflow);
        }
    }
}
