//! What one run may take up. Without bounds, loops over loops or outputs that hold their own history
//! would fill any memory.

use serde_json::Value;

/// The most bytes of one output, as JSON.
pub const MAX_OUTPUT_BYTES: usize = 8 << 20;
/// The most bytes of all outputs of a run, as JSON.
pub const MAX_RUN_BYTES: usize = 64 << 20;
/// The most events that loops add to the log of a run.
pub const MAX_LOOP_EVENTS: u64 = 50_000;

/// About how many bytes `value` has as JSON text: escapes are not counted.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(key, field)| key.len() + size(field) + 4).sum::<usize>() + 2
        }
    }
}
