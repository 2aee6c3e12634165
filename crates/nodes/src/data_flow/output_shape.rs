//! Shapes of outputs, from the fields and schemas that configs declare.

use std::collections::HashMap;

use serde_json::{Map, Value};
use sluice_domain::validation::{Fields, OutputShape};

use crate::config::common::SchemaText;

/// Maximum nesting at which fields are read.
const MAX_DEPTH: usize = 16;

/// Returns the shape with all fields of `output_schema` and `output_json_schema`, because editors don't always update
/// both.
pub(crate) fn from_schemas(output_schema: &Map<String, Value>, json_schema: &SchemaText) -> OutputShape {
    let mut fields: HashMap<String, Option<Fields>> =
        output_schema.keys().map(|name| (name.clone(), None)).collect();
    let schema = match json_schema {
        SchemaText::Text(text) if text.trim().is_empty() => None,
        SchemaText::Text(text) => match serde_json::from_str(text) {
            Ok(schema) => Some(schema),
            Err(_) => return OutputShape::Unknown,
        },
        SchemaText::Object(schema) => Some(Value::Object(schema.clone())),
    };
    if let Some(schema) = schema {
        match fields_of_schema(&schema, 0) {
            Some(Fields(of_schema)) => fields.extend(of_schema),
            None if schema.as_object().is_some_and(Map::is_empty) => {}
            None => return OutputShape::Unknown,
        }
    }
    if fields.is_empty() { OutputShape::Unknown } else { OutputShape::Fields(Fields(fields)) }
}

/// Returns the shape with the fields of an `output_schema`, or an unknown shape if it is empty.
pub(crate) fn from_output_schema(output_schema: &Map<String, Value>) -> OutputShape {
    if output_schema.is_empty() {
        return OutputShape::Unknown;
    }
    OutputShape::Fields(Fields(output_schema.keys().map(|name| (name.clone(), None)).collect()))
}

/// Returns the shape of constant values.
pub(crate) fn from_values(values: &Map<String, Value>) -> OutputShape {
    OutputShape::Fields(fields_of_object(values, 0))
}

/// Returns the fields of the objects that match a JSON Schema, or `None` if there may be other fields.
fn fields_of_schema(schema: &Value, depth: usize) -> Option<Fields> {
    let schema = schema.as_object().filter(|_| depth < MAX_DEPTH)?;
    let open_keywords =
        ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentSchemas"];
    let allows_others =
        schema.get("additionalProperties").is_some_and(|others| others != &Value::Bool(false));
    if allows_others || open_keywords.iter().any(|keyword| schema.contains_key(*keyword)) {
        return None;
    }
    let properties = schema.get("properties")?.as_object().filter(|properties| !properties.is_empty())?;
    let mut fields = HashMap::new();
    // A required field exists even if `properties` doesn't describe it.
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    fields.extend(required.filter_map(Value::as_str).map(|name| (name.to_owned(), None)));
    fields.extend(properties.iter().map(|(name, inner)| (name.clone(), fields_of_schema(inner, depth + 1))));
    Some(Fields(fields))
}

fn fields_of_value(value: &Value, depth: usize) -> Option<Fields> {
    value.as_object().filter(|_| depth < MAX_DEPTH).map(|fields| fields_of_object(fields, depth))
}

fn fields_of_object(fields: &Map<String, Value>, depth: usize) -> Fields {
    Fields(fields.iter().map(|(name, inner)| (name.clone(), fields_of_value(inner, depth + 1))).collect())
}
