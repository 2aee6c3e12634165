use serde_json::Value;

use crate::validation::pointer_step;

/// The largest integer that a double represents exactly, along with all smaller ones (RFC 7493).
pub(super) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Returns pointers to the integers beyond [`MAX_SAFE_INTEGER`].
pub(super) fn unsafe_integers(value: &Value) -> Vec<String> {
    match value {
        Value::Number(number) => {
            let magnitude = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
            let is_unsafe = magnitude.is_some_and(|magnitude| magnitude > MAX_SAFE_INTEGER);
            if is_unsafe { vec![String::new()] } else { Vec::new() }
        }
        Value::Array(items) => prepend_steps(
            items.iter().enumerate().map(|(index, item)| (index.to_string(), unsafe_integers(item))),
        ),
        Value::Object(fields) => {
            prepend_steps(fields.iter().map(|(key, field)| (pointer_step(key), unsafe_integers(field))))
        }
        _ => Vec::new(),
    }
}

fn prepend_steps(inner: impl Iterator<Item = (String, Vec<String>)>) -> Vec<String> {
    inner
        .flat_map(|(step, pointers)| pointers.into_iter().map(move |rest| format!("/{step}{rest}")))
        .collect()
}
