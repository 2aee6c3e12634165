use json_patch::jsonptr::{PointerBuf, Token};
use serde::Serialize;
use serde_json::{Map, Value};

use super::align::Matching;

/// A field that was added, removed or replaced.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Where it is, as an RFC 6901 pointer. A place in a list is one before for what was removed, and one
    /// after for all else.
    pub pointer: String,
    /// The value that it had; none when it was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value that it has; none when it was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What turns `before` into `after`, going into objects and lists. Applied one by one, the changes are a
/// patch. There are none exactly if both have the same RFC 8785 canonical form: `1` is `1.0`.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut walk = Walk { place: PointerBuf::new(), changes: Vec::new() };
    walk.value(before, after);
    walk.changes
}

struct Walk {
    place: PointerBuf,
    changes: Vec<Change>,
}

impl Walk {
    fn value(&mut self, before: &Value, after: &Value) {
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => self.object(before, after),
            _ if is_same(before, after) => {}
            (Value::Array(before), Value::Array(after)) => self.list(before, after),
            _ => self.note(Some(before), Some(after)),
        }
    }

    fn object(&mut self, before: &Map<String, Value>, after: &Map<String, Value>) {
        for (name, old) in before {
            self.below(name, |walk| match after.get(name) {
                Some(new) => walk.value(old, new),
                None => walk.note(Some(old), None),
            });
        }
        for (name, new) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
            self.below(name, |walk| walk.note(None, Some(new)));
        }
    }

    /// The order matters: removed from the back, added from the front, then all places are those after.
    fn list(&mut self, before: &[Value], after: &[Value]) {
        let matching = Matching::in_order(before, after);
        for place in matching.removed.into_iter().rev() {
            self.below(place, |walk| walk.note(Some(&before[place]), None));
        }
        for place in matching.added {
            self.below(place, |walk| walk.note(None, Some(&after[place])));
        }
        for (old, new) in matching.kept {
            self.below(new, |walk| walk.value(&before[old], &after[new]));
        }
    }

    fn below<'t>(&mut self, token: impl Into<Token<'t>>, walk: impl FnOnce(&mut Self)) {
        self.place.push_back(token);
        walk(self);
        self.place.pop_back();
    }

    fn note(&mut self, before: Option<&Value>, after: Option<&Value>) {
        let pointer = self.place.to_string();
        self.changes.push(Change { pointer, before: before.cloned(), after: after.cloned() });
    }
}

/// Whether two values have the same canonical form, where every number is a double.
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
