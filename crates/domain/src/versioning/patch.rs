use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation};

use super::field_changes::{FieldChange, field_changes};
use super::layout::{full_json, restore_layout};
use crate::Definition;

/// Returns the RFC 6902 patch that turns the JSON of `before` into the JSON of `after`.
///
/// - With `layout`, the result has the RFC 8785 canonical form of `after`, in which `1` equals `1.0`.
/// - Without `layout`, the result is `after` with the layout of `before`. The definition, and every node in both
///   (matched by id, also in bodies), keep the coordinates, dimensions and test inputs of `before`. A new node has its
///   own layout. The result has the [`super::definition_hash`] of `after`. No operation touches the layout of a node in
///   both.
///
/// A node whose position in the list changes is removed and added with its layout. The patch is empty exactly if
/// [`super::diff`] is; the cost is the same.
#[must_use]
pub fn patch(before: &Definition, after: &Definition, layout: bool) -> Patch {
    let (old, mut new) = (full_json(before), full_json(after));
    if !layout {
        restore_layout(&old, &mut new);
    }
    Patch(field_changes(&old, &new).into_iter().map(operation).collect())
}

fn operation(change: FieldChange) -> PatchOperation {
    let path = PointerBuf::parse(change.pointer).expect("the pointer of a change is a pointer");
    match (change.before, change.after) {
        (_, None) => PatchOperation::Remove(RemoveOperation { path }),
        (None, Some(value)) => PatchOperation::Add(AddOperation { path, value }),
        (Some(_), Some(value)) => PatchOperation::Replace(ReplaceOperation { path, value }),
    }
}
