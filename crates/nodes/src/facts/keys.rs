//! Keys of configs that nobody reads.

use serde_json::{Map, Value};
use sluice_domain::validation::{Code, Finding, nearest, pointer_step};

use crate::wording::quoted;

/// Keys that editors write into every config.
const OF_EDITORS: [&str; 2] = ["title", "type"];

/// How many keys of one config are told of.
const MAX_FOUND: usize = 100;

/// Definitions inside of configs have a form of their own.
const BODY: &str = "subworkflow";

/// The keys of `config` that `schema` doesn't have.
pub(super) fn unknown(schema: &Map<String, Value>, config: &Map<String, Value>) -> Vec<Finding> {
    let mut found = Vec::new();
    let schema = Schema { root: schema, part: schema };
    schema.walk(config, "", &mut found);
    found
}

/// A part of a schema that refers to others by `$ref`.
#[derive(Clone, Copy)]
struct Schema<'s> {
    root: &'s Map<String, Value>,
    part: &'s Map<String, Value>,
}

impl<'s> Schema<'s> {
    fn walk(self, fields: &Map<String, Value>, at: &str, found: &mut Vec<Finding>) {
        let known = self.part.get("properties").and_then(Value::as_object);
        for (key, value) in fields {
            if found.len() >= MAX_FOUND {
                return;
            }
            let pointer = format!("{at}/{}", pointer_step(key));
            let inner =
                known.and_then(|known| known.get(key)).or_else(|| self.part.get("additionalProperties"));
            match (inner, known) {
                (Some(inner), _) if key != BODY => self.value(inner, value, &pointer, found),
                (None, Some(known)) if !(at.is_empty() && OF_EDITORS.contains(&key.as_str())) => {
                    found.push(unread(key, pointer, known));
                }
                _ => {}
            }
        }
    }

    /// Looks into a value that has the schema `inner`.
    fn value(self, inner: &'s Value, value: &Value, at: &str, found: &mut Vec<Finding>) {
        let Some(part) = self.resolved(inner) else { return };
        match value {
            Value::Object(fields) => Self { part, ..self }.walk(fields, at, found),
            Value::Array(items) => {
                let Some(inner) = part.get("items") else { return };
                for (index, item) in items.iter().enumerate() {
                    self.value(inner, item, &format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
    }

    fn resolved(self, schema: &'s Value) -> Option<&'s Map<String, Value>> {
        let schema = schema.as_object()?;
        // What may be left out stands beside null.
        let schema = match schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
            Some([one, null]) if null.get("type") == Some(&Value::from("null")) => one.as_object()?,
            _ => schema,
        };
        let Some(name) = schema.get("$ref").and_then(Value::as_str) else { return Some(schema) };
        self.root.get("$defs")?.get(name.strip_prefix("#/$defs/")?)?.as_object()
    }
}

fn unread(key: &str, pointer: String, known: &Map<String, Value>) -> Finding {
    let message = format!("Nobody reads {}. Correct the name, or remove it.", quoted(key));
    let nearest = nearest(key, known.keys().map(String::as_str));
    let help = nearest.map(|nearest| format!("Did you mean \"{nearest}\"?"));
    Finding { code: Code::ConfigKeyUnknown, pointer, message, help }
}
