//! Lint of config keys that are not in the schema of the kind.

use serde_json::{Map, Value};
use sluice_domain::validation::{Code, Finding, pointer_step, suggest};

use crate::text::value_text::quote;

/// Keys that editors write into every config.
const EDITOR_KEYS: [&str; 2] = ["title", "type"];

/// Maximum number of findings about one config.
const MAX_FINDINGS: usize = 100;

/// The config field with a definition, which is validated separately.
const BODY: &str = "subworkflow";

/// Returns a finding for each key of `config` that `schema` doesn't contain.
pub(crate) fn findings(schema: &Map<String, Value>, config: &Map<String, Value>) -> Vec<Finding> {
    let mut findings = Vec::new();
    Schema { root: schema, part: schema }.check_object(config, "", &mut findings);
    findings
}

/// A part of a schema, with the root that its references refer to.
#[derive(Clone, Copy)]
struct Schema<'s> {
    root: &'s Map<String, Value>,
    part: &'s Map<String, Value>,
}

impl<'s> Schema<'s> {
    fn check_object(self, object: &Map<String, Value>, pointer: &str, findings: &mut Vec<Finding>) {
        let properties = self.part.get("properties").and_then(Value::as_object);
        for (key, value) in object {
            if findings.len() >= MAX_FINDINGS {
                return;
            }
            let is_editor_key = pointer.is_empty() && EDITOR_KEYS.contains(&key.as_str());
            let pointer = format!("{pointer}/{}", pointer_step(key));
            let schema = properties
                .and_then(|properties| properties.get(key))
                .or_else(|| self.part.get("additionalProperties"));
            match (schema, properties) {
                (Some(schema), _) if key != BODY => self.check_value(schema, value, &pointer, findings),
                (None, Some(properties)) if !is_editor_key => {
                    findings.push(unknown_key(key, pointer, properties));
                }
                _ => {}
            }
        }
    }

    fn check_value(self, schema: &'s Value, value: &Value, pointer: &str, findings: &mut Vec<Finding>) {
        let Some(part) = self.resolve(schema) else { return };
        match value {
            Value::Object(object) => Self { part, ..self }.check_object(object, pointer, findings),
            Value::Array(items) => {
                let Some(schema) = part.get("items") else { return };
                for (index, item) in items.iter().enumerate() {
                    self.check_value(schema, item, &format!("{pointer}/{index}"), findings);
                }
            }
            _ => {}
        }
    }

    /// Resolves a schema: returns the target of its `$ref`, its alternative to `null`, or the schema itself.
    fn resolve(self, schema: &'s Value) -> Option<&'s Map<String, Value>> {
        let schema = schema.as_object()?;
        let schema = match schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
            Some([one, null]) if null.get("type") == Some(&Value::from("null")) => one.as_object()?,
            _ => schema,
        };
        let Some(name) = schema.get("$ref").and_then(Value::as_str) else { return Some(schema) };
        self.root.get("$defs")?.get(name.strip_prefix("#/$defs/")?)?.as_object()
    }
}

fn unknown_key(key: &str, pointer: String, properties: &Map<String, Value>) -> Finding {
    let message = format!("The config has the unknown field {}. Correct its name or remove it.", quote(key));
    let nearest = suggest(key, properties.keys().map(String::as_str));
    let help = nearest.map(|nearest| format!("Did you mean \"{nearest}\"?"));
    Finding { code: Code::ConfigKeyUnknown, pointer, message, help }
}
