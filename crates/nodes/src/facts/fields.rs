//! Fields that a config declares.

use std::collections::HashMap;

use serde_json::{Map, Value};
use sluice_domain::validation::{Fields, Output};

use super::{OUTPUT_JSON_SCHEMA, OUTPUT_SCHEMA};

/// How deep fields are looked into.
const MAX_DEPTH: usize = 16;

/// What `output_schema` and `output_json_schema` declare together; editors don't always keep both up to date.
pub(super) fn declared(config: &Map<String, Value>) -> Output {
    let names = config.get(OUTPUT_SCHEMA).and_then(Value::as_object);
    let mut fields: HashMap<String, Option<Fields>> =
        names.into_iter().flatten().map(|(name, _)| (name.clone(), None)).collect();
    let schema = match config.get(OUTPUT_JSON_SCHEMA) {
        Some(Value::String(text)) if !text.trim().is_empty() => match serde_json::from_str(text) {
            Ok(schema) => Some(schema),
            Err(_) => return Output::Unknown,
        },
        Some(schema @ Value::Object(_)) => Some(schema.clone()),
        _ => None,
    };
    if let Some(schema) = schema {
        let is_empty = schema.as_object().is_some_and(Map::is_empty);
        match of_schema(&schema, 0) {
            Some(of_schema) => fields.extend(of_schema.0),
            None if is_empty => {}
            None => return Output::Unknown,
        }
    }
    if fields.is_empty() { Output::Unknown } else { Output::Fields(Fields(fields)) }
}

/// The fields of the objects that a JSON Schema describes; none where there may be others.
fn of_schema(schema: &Value, depth: usize) -> Option<Fields> {
    let schema = schema.as_object().filter(|_| depth < MAX_DEPTH)?;
    let opens =
        ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentSchemas"];
    let adds = schema.get("additionalProperties").is_some_and(|more| more != &Value::Bool(false));
    if adds || opens.iter().any(|key| schema.contains_key(*key)) {
        return None;
    }
    let properties = schema.get("properties")?.as_object().filter(|properties| !properties.is_empty())?;
    let described = properties.iter().map(|(name, inner)| (name.clone(), of_schema(inner, depth + 1)));
    // What is required is there, described or not.
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let required = required.filter_map(Value::as_str).filter(|name| !properties.contains_key(*name));
    Some(Fields(described.chain(required.map(|name| (name.to_owned(), None))).collect()))
}

/// The fields of fixed values.
pub(super) fn of_values(values: Option<&Value>) -> Output {
    match values.and_then(|values| of_value(values, 0)) {
        Some(fields) => Output::Fields(fields),
        None => Output::Unknown,
    }
}

fn of_value(value: &Value, depth: usize) -> Option<Fields> {
    let fields = value.as_object().filter(|_| depth < MAX_DEPTH)?;
    Some(Fields(fields.iter().map(|(name, inner)| (name.clone(), of_value(inner, depth + 1))).collect()))
}
