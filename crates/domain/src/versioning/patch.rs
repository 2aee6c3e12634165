use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation};
use serde_json::{Map, Value};

use super::align::{Matching, id};
use super::changes::{Change, changes};
use super::{LAYOUT, json};
use crate::Definition;
use crate::graph::node_type;

/// The field of a node, or of a loop's config, that holds a body.
const BODY: &str = "subworkflow";

/// The RFC 6902 patch that turns the JSON of `before` into the JSON of `after`.
///
/// - With `layout`, what it gives has the RFC 8785 canonical form of `after`: all of it, where `1` is `1.0`.
/// - Without, it gives `after` with the layout of `before`: the coordinates, dimensions and test inputs of
///   the definition and of every node that is in both (known by its id, in bodies too) are those of
///   `before`; a node that is new brings its own. Its [`super::definition_hash`] is that of `after`.
///   No operation's path is or leads into a layout field of what is in both.
///
/// A node that changes its place in the list is removed and added, with the layout it had. There are no operations
/// exactly if [`super::diff`] is empty; the cost is the same.
#[must_use]
pub fn patch(before: &Definition, after: &Definition, layout: bool) -> Patch {
    let (old, mut new) = (json(before), json(after));
    if !layout {
        keep_layout(&old, &mut new);
    }
    Patch(changes(&old, &new).into_iter().map(operation).collect())
}

fn operation(change: Change) -> PatchOperation {
    let path = PointerBuf::parse(change.pointer).expect("the pointer of a change is a pointer");
    match (change.before, change.after) {
        (_, None) => PatchOperation::Remove(RemoveOperation { path }),
        (None, Some(value)) => PatchOperation::Add(AddOperation { path, value }),
        (Some(_), Some(value)) => PatchOperation::Replace(ReplaceOperation { path, value }),
    }
}

/// Gives the definition `after` the layout of `before`. Its hash stays.
fn keep_layout(before: &Value, after: &mut Value) {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return };
    keep_fields(before, after);
    let (Some(Value::Array(before)), Some(Value::Array(after))) =
        (before.get("nodes"), after.get_mut("nodes"))
    else {
        return;
    };
    for (old, new) in Matching::of(before.iter().map(id), after.iter().map(id)).kept {
        keep_layout_of_node(&before[old], &mut after[new]);
    }
}

fn keep_layout_of_node(before: &Value, after: &mut Value) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return };
    keep_fields(old, new);
    let is_loop = new.get("node_type").and_then(Value::as_str) == Some(node_type::FOR_LOOP);
    if let (Some(old), Some(new)) = (old.get(BODY), new.get_mut(BODY)) {
        keep_layout(old, new);
    }
    if is_loop
        && let Some(old) = old.get("config").and_then(|config| config.get(BODY))
        && let Some(new) = new.get_mut("config").and_then(|config| config.get_mut(BODY))
    {
        keep_layout(old, new);
    }
}

fn keep_fields(before: &Map<String, Value>, after: &mut Map<String, Value>) {
    for name in LAYOUT {
        match before.get(name) {
            Some(value) => after.insert(name.to_owned(), value.clone()),
            None => after.shift_remove(name),
        };
    }
}
