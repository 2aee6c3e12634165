use json_patch::jsonptr::{PointerBuf, Token};
use serde::Serialize;
use serde_json::{Map, Value};

use super::matching::Matching;

/// A changed field.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldChange {
    /// JSON Pointer (RFC 6901) into the node or the definition. The index of a removed array element is its
    /// position in the first definition. All other indices are positions in the second definition.
    pub pointer: String,
    /// Old value. Absent if the field was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub before: Option<Value>,
    /// New value. Absent if the field was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub after: Option<Value>,
}

/// Returns the changes that turn `before` into `after`, in objects and arrays at any depth. Applied in order, they are
/// a patch. Empty exactly if both have the same RFC 8785 canonical form, in which `1` equals `1.0`.
pub(super) fn field_changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut comparison = Comparison { pointer: PointerBuf::new(), changes: Vec::new() };
    comparison.value(before, after);
    comparison.changes
}

struct Comparison {
    pointer: PointerBuf,
    changes: Vec<FieldChange>,
}

impl Comparison {
    fn value(&mut self, before: &Value, after: &Value) {
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => self.object(before, after),
            _ if is_same(before, after) => {}
            (Value::Array(before), Value::Array(after)) => self.list(before, after),
            _ => self.record(Some(before), Some(after)),
        }
    }

    fn object(&mut self, before: &Map<String, Value>, after: &Map<String, Value>) {
        for (name, old) in before {
            self.descend(name, |inner| match after.get(name) {
                Some(new) => inner.value(old, new),
                None => inner.record(Some(old), None),
            });
        }
        for (name, new) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
            self.descend(name, |inner| inner.record(None, Some(new)));
        }
    }

    /// Removes from the back and adds from the front, so that each index is valid when its change is applied.
    fn list(&mut self, before: &[Value], after: &[Value]) {
        let matching = Matching::in_same_order(before, after);
        for index in matching.removed.into_iter().rev() {
            self.descend(index, |inner| inner.record(Some(&before[index]), None));
        }
        for index in matching.added {
            self.descend(index, |inner| inner.record(None, Some(&after[index])));
        }
        for (old, new) in matching.matched {
            self.descend(new, |inner| inner.value(&before[old], &after[new]));
        }
    }

    fn descend<'t>(&mut self, token: impl Into<Token<'t>>, compare: impl FnOnce(&mut Self)) {
        self.pointer.push_back(token);
        compare(self);
        self.pointer.pop_back();
    }

    fn record(&mut self, before: Option<&Value>, after: Option<&Value>) {
        let pointer = self.pointer.to_string();
        self.changes.push(FieldChange { pointer, before: before.cloned(), after: after.cloned() });
    }
}

/// Returns true if two values have the same canonical form, in which every number is a double.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(name, a)| b.get(name).is_some_and(|b| is_same(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => a == b,
    }
}
