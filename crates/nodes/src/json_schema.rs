//! JSON Schemas that the authors of workflows write.

use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::config::SchemaText;

/// The longest text of a schema that is looked into.
const MAX_BYTES: usize = 256 * 1024;

/// A schema made ready to check values with; none where there is none.
///
/// # Errors
/// A sentence that says why the schema can't be used.
pub(crate) fn compile(schema: &SchemaText) -> Result<Option<(Value, Validator)>, String> {
    let schema = match schema {
        SchemaText::Text(text) if text.trim().is_empty() => return Ok(None),
        SchemaText::Text(text) if text.len() > MAX_BYTES => {
            return Err(format!("The output_json_schema is longer than {MAX_BYTES} bytes. Shorten it."));
        }
        SchemaText::Text(text) => serde_json::from_str(text).map_err(|error| {
            format!("The output_json_schema is no JSON: {error}. Correct it or leave it empty.")
        })?,
        SchemaText::Object(fields) if fields.is_empty() => return Ok(None),
        SchemaText::Object(fields) => Value::Object(fields.clone()),
    };
    // No resource is ever fetched: a schema must not make the server read files or call other hosts.
    match jsonschema::options().offline().build(&schema) {
        Ok(validator) => Ok(Some((schema, validator))),
        Err(error) => Err(unusable(&schema, &error)),
    }
}

fn unusable(schema: &Value, error: &ValidationError<'_>) -> String {
    if let Some(elsewhere) = remote_reference(schema) {
        return format!(
            "The output_json_schema refers to {}, but schemas from elsewhere are not fetched. Put it under $defs.",
            crate::wording::quoted(elsewhere)
        );
    }
    let place = error.instance_path().as_str();
    let at = if place.is_empty() { String::new() } else { format!(" at {place}") };
    let why = error.masked_with("it");
    format!("The output_json_schema is no valid JSON Schema{at}: {why}. Correct it or leave it empty.")
}

/// The first reference to a schema on another host or in a file.
fn remote_reference(schema: &Value) -> Option<&str> {
    match schema {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str).filter(|target| target.contains("://"));
            own.or_else(|| fields.values().find_map(remote_reference))
        }
        Value::Array(items) => items.iter().find_map(remote_reference),
        _ => None,
    }
}
