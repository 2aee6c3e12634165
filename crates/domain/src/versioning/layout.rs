//! The layout of a definition: the fields that don't affect execution.

use serde_json::{Map, Value};

use super::matching::{Matching, id};
use crate::graph::{RawObject, node_type};
use crate::{Definition, Node};

/// Fields of a definition or a node that don't affect execution.
pub(super) const LAYOUT_FIELDS: [&str; 3] = ["coordinates", "dimensions", "test_inputs"];

/// The field of a node, or of a loop's config, that holds a body.
const BODY: &str = "subworkflow";

/// Returns `saved` with the layout of `edited`: the coordinates, dimensions and test inputs. Both have the same hash,
/// so their nodes are in the same order. Everything else stays as it was saved, because code can distinguish `1` from
/// `1.0` although the hash doesn't.
#[must_use]
pub fn with_layout_of(mut saved: Definition, edited: &Definition) -> Definition {
    saved.test_inputs.clone_from(&edited.test_inputs);
    for (node, edited) in saved.nodes.iter_mut().zip(&edited.nodes) {
        node.coordinates = edited.coordinates;
        node.dimensions = edited.dimensions;
        if let Some(edited_body) = &edited.subworkflow {
            let body = node.subworkflow.take();
            node.subworkflow = body.map(|body| Box::new(with_layout_of(*body, edited_body)));
        }
        if node.node_type == node_type::FOR_LOOP && node.config.get() != edited.config.get() {
            copy_config_body_layout(node, edited);
        }
    }
    saved
}

/// Copies the layout of the body in the config of a loop.
fn copy_config_body_layout(node: &mut Node, edited: &Node) {
    let (Some((mut config, body)), Some((_, edited_body))) = (split_body(node), split_body(edited)) else {
        return;
    };
    if let Ok(body) = serde_json::to_value(with_layout_of(body, &edited_body)) {
        config.insert(BODY.to_owned(), body);
        node.config = RawObject::from_map(&config);
    }
}

/// Splits the body off the config of a loop.
fn split_body(node: &Node) -> Option<(Map<String, Value>, Definition)> {
    let mut config = node.config.to_map();
    let body = serde_json::from_value(config.remove(BODY)?).ok()?;
    Some((config, body))
}

/// Returns a definition as a JSON value.
pub(super) fn full_json(definition: &Definition) -> Value {
    serde_json::to_value(definition).expect("a definition can be serialized")
}

/// Returns a definition as a JSON value without its layout.
pub(super) fn executable_json(definition: &Definition) -> Value {
    let mut value = full_json(definition);
    remove_layout(&mut value);
    value
}

fn remove_layout(definition: &mut Value) {
    let Value::Object(fields) = definition else { return };
    fields.retain(|name, _| !LAYOUT_FIELDS.contains(&name.as_str()));
    let Some(Value::Array(nodes)) = fields.get_mut("nodes") else { return };
    for node in nodes {
        let Value::Object(node) = node else { continue };
        node.retain(|name, _| !LAYOUT_FIELDS.contains(&name.as_str()));
        if let Some(subworkflow) = node.get_mut(BODY) {
            remove_layout(subworkflow);
        }
        if is_loop(node)
            && let Some(subworkflow) = node.get_mut("config").and_then(|config| config.get_mut(BODY))
        {
            remove_layout(subworkflow);
        }
    }
}

/// Replaces the layout of the definition `after` with that of `before`. The hash stays the same.
pub(super) fn restore_layout(before: &Value, after: &mut Value) {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return };
    restore_fields(before, after);
    let (Some(Value::Array(before)), Some(Value::Array(after))) =
        (before.get("nodes"), after.get_mut("nodes"))
    else {
        return;
    };
    for (old, new) in Matching::by_key(before.iter().map(id), after.iter().map(id)).matched {
        restore_node_layout(&before[old], &mut after[new]);
    }
}

fn restore_node_layout(before: &Value, after: &mut Value) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return };
    restore_fields(old, new);
    let is_loop = is_loop(new);
    if let (Some(old), Some(new)) = (old.get(BODY), new.get_mut(BODY)) {
        restore_layout(old, new);
    }
    if is_loop
        && let Some(old) = old.get("config").and_then(|config| config.get(BODY))
        && let Some(new) = new.get_mut("config").and_then(|config| config.get_mut(BODY))
    {
        restore_layout(old, new);
    }
}

fn restore_fields(before: &Map<String, Value>, after: &mut Map<String, Value>) {
    for name in LAYOUT_FIELDS {
        match before.get(name) {
            Some(value) => after.insert(name.to_owned(), value.clone()),
            None => after.shift_remove(name),
        };
    }
}

fn is_loop(node: &Map<String, Value>) -> bool {
    node.get("node_type").and_then(Value::as_str) == Some(node_type::FOR_LOOP)
}
