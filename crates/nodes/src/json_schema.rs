//! JSON Schemas that the authors of workflows write.

use std::borrow::Cow;

use serde_json::Value;
use sluice_json_schema::{ValidationError, Validator};

use crate::config::SchemaText;

/// The longest text of a schema that is looked into.
const MAX_BYTES: usize = 256 * 1024;

/// How large a schema may be once every reference in it is replaced by what it refers to.
const MAX_EXPANDED: usize = 20_000;

/// How deep it may be then.
const MAX_DEPTH: usize = 200;

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
    if let Some(elsewhere) = remote_reference(&schema) {
        return Err(format!(
            "The output_json_schema refers to {}, but schemas from elsewhere are not fetched. Put it under $defs.",
            crate::wording::quoted(elsewhere)
        ));
    }
    if !expands(&schema, &schema, &mut { MAX_EXPANDED }, 0) {
        return Err("The output_json_schema refers to itself, too often to parts of itself, or in another way than by \
                    \"#/…\". Checking it could take for ever; write it without these references."
            .to_owned());
    }
    // No resource is ever fetched: a schema must not make the server read files or call other hosts.
    match Validator::new(&schema) {
        Ok(validator) => Ok(Some((schema, validator))),
        Err(error) => Err(unusable(&error)),
    }
}

/// Why `schema`, a text or an object, is no JSON Schema; none where it is one, or where there is none.
pub(crate) fn problem(schema: &Value) -> Option<String> {
    let schema = match schema {
        Value::String(text) if text.trim().is_empty() || text.len() > MAX_BYTES => return None,
        Value::String(text) => match serde_json::from_str(text) {
            Ok(schema) => Cow::Owned(schema),
            Err(error) => {
                return Some(format!(
                    "The output_json_schema is no JSON: {error}. Correct it or leave it empty."
                ));
            }
        },
        schema => Cow::Borrowed(schema),
    };
    if !matches!(*schema, Value::Object(_) | Value::Bool(_)) {
        return Some("The output_json_schema is no object. Correct it or leave it empty.".to_owned());
    }
    // Of a dialect that isn't known nothing can be said.
    let is_known = schema
        .get("$schema")
        .and_then(Value::as_str)
        .is_none_or(|dialect| dialect.contains("json-schema.org/draft") && !dialect.contains("draft-03"));
    let found = is_known.then(|| sluice_json_schema::check_schema(&schema).err()).flatten()?;
    Some(unusable(&found))
}

fn unusable(error: &ValidationError<'_>) -> String {
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

/// Whether `part` of `schema` stays within `room` parts when its references are followed. References that lead back, or
/// that double at every step, don't: a small input would keep the check busy for ever.
fn expands(schema: &Value, part: &Value, room: &mut usize, depth: usize) -> bool {
    let Some(left) = room.checked_sub(1).filter(|_| depth < MAX_DEPTH) else { return false };
    *room = left;
    match part {
        Value::Object(fields) => fields.iter().all(|(key, field)| match (key.as_str(), field) {
            ("$ref", Value::String(target)) => {
                let target = target.strip_prefix('#').and_then(|pointer| schema.pointer(pointer));
                target.is_some_and(|target| expands(schema, target, room, depth + 1))
            }
            ("$dynamicRef" | "$recursiveRef", _) => false,
            (_, field) => expands(schema, field, room, depth + 1),
        }),
        Value::Array(items) => items.iter().all(|item| expands(schema, item, room, depth + 1)),
        _ => true,
    }
}
