//! Limits on the size of a run. Without them, nested loops or outputs that contain their own history could use up all
//! memory.

use serde_json::Value;

/// The maximum size of one output as JSON, in bytes.
pub const MAX_OUTPUT_BYTES: usize = 8 << 20;
/// The maximum size of all outputs of a run as JSON, in bytes.
pub const MAX_RUN_BYTES: usize = 64 << 20;
/// The maximum number of values in all outputs of a run. A value takes many times more memory than its JSON.
pub const MAX_RUN_VALUES: usize = 2_000_000;
/// The maximum nesting depth of an output. With the event around it, it stays below the limit of the JSON parser.
pub const MAX_OUTPUT_DEPTH: usize = 100;
/// The maximum number of events that loops add to the log of a run.
pub const MAX_LOOP_EVENTS: u64 = 50_000;

/// The size of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputSize {
    /// The approximate size as JSON, in bytes. Escapes are not counted.
    pub bytes: usize,
    /// The number of values, including itself.
    pub values: usize,
    /// The nesting depth of objects and arrays.
    pub depth: usize,
}

impl OutputSize {
    /// Measures `value`.
    pub(super) fn measure(value: &Value) -> Self {
        match value {
            Value::Null | Value::Bool(_) => Self::leaf(4),
            Value::Number(_) => Self::leaf(8),
            Value::String(text) => Self::leaf(text.len() + 2),
            Value::Array(items) => Self::container(items.iter().map(|item| (1, item))),
            Value::Object(fields) => {
                Self::container(fields.iter().map(|(key, field)| (key.len() + 4, field)))
            }
        }
    }

    fn leaf(bytes: usize) -> Self {
        Self { bytes, values: 1, depth: 0 }
    }

    /// Returns the size of an array or object. Each item comes with the number of bytes around its value.
    fn container<'v>(items: impl Iterator<Item = (usize, &'v Value)>) -> Self {
        let mut total = Self { bytes: 2, values: 1, depth: 0 };
        for (overhead, item) in items {
            let size = Self::measure(item);
            total.bytes += overhead + size.bytes;
            total.values += size.values;
            total.depth = total.depth.max(size.depth);
        }
        total.depth += 1;
        total
    }

    /// Adds the size of another value.
    pub(super) fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.values += other.values;
        self.depth = self.depth.max(other.depth);
    }
}
