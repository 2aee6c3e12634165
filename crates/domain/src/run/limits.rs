//! What one run may take up. Without bounds, loops over loops or outputs that hold their own history
//! would fill any memory.

use serde_json::Value;

/// The most bytes of one output, as JSON.
pub const MAX_OUTPUT_BYTES: usize = 8 << 20;
/// The most bytes of all outputs of a run, as JSON.
pub const MAX_RUN_BYTES: usize = 64 << 20;
/// The most values of all outputs of a run: objects, lists, texts, numbers, each in the memory many times its JSON.
pub const MAX_RUN_VALUES: usize = 2_000_000;
/// The deepest nesting of objects and lists of an output. With the event around it, it stays below the depth
/// at which JSON is read back.
pub const MAX_OUTPUT_DEPTH: usize = 100;
/// The most events that loops add to the log of a run.
pub const MAX_LOOP_EVENTS: u64 = 50_000;

/// What a value takes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// About how many bytes it has as JSON text: escapes are not counted.
    pub bytes: usize,
    /// How many values it holds, itself one of them.
    pub values: usize,
    /// How many objects and lists stand in each other where it is deepest.
    pub depth: usize,
}

impl Size {
    /// What `value` takes up.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null | Value::Bool(_) => Self::leaf(4),
            Value::Number(_) => Self::leaf(8),
            Value::String(text) => Self::leaf(text.len() + 2),
            Value::Array(items) => Self::around(items.iter().map(|item| (1, item))),
            Value::Object(fields) => Self::around(fields.iter().map(|(key, field)| (key.len() + 4, field))),
        }
    }

    fn leaf(bytes: usize) -> Self {
        Self { bytes, values: 1, depth: 0 }
    }

    /// A list or an object of `items`, each with the bytes that it has beside its value.
    fn around<'v>(items: impl Iterator<Item = (usize, &'v Value)>) -> Self {
        let mut all = Self { bytes: 2, values: 1, depth: 0 };
        for (beside, item) in items {
            let size = Self::of(item);
            all.bytes += beside + size.bytes;
            all.values += size.values;
            all.depth = all.depth.max(size.depth);
        }
        all.depth += 1;
        all
    }

    /// Adds what stands beside it.
    pub(super) fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.values += other.values;
        self.depth = self.depth.max(other.depth);
    }
}
