//! JSON Schemas written by the authors of workflows.

use std::borrow::Cow;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::common::SchemaText;
use crate::text::value_text::quote;

/// Maximum length of a schema text, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Maximum number of parts of a schema after all references are replaced by their targets.
const MAX_EXPANDED: usize = 20_000;

/// Maximum nesting of a schema after all references are replaced by their targets.
const MAX_DEPTH: usize = 200;

/// Compiles a schema. Returns `None` if it is empty.
///
/// # Errors
/// The reason why the schema can't be used.
pub(crate) fn compile(schema: &SchemaText) -> Result<Option<(Value, Validator)>, String> {
    let schema = match schema {
        SchemaText::Text(text) if text.trim().is_empty() => return Ok(None),
        SchemaText::Text(text) if text.len() > MAX_BYTES => {
            let got = text.len();
            return Err(format!("output_json_schema must have at most {MAX_BYTES} bytes, got {got}."));
        }
        SchemaText::Text(text) => parse(text)?,
        SchemaText::Object(fields) if fields.is_empty() => return Ok(None),
        SchemaText::Object(fields) => Value::Object(fields.clone()),
    };
    if let Some(target) = remote_reference(&schema) {
        return Err(format!(
            "output_json_schema refers to {}, but the server doesn't fetch schemas. Copy the schema into $defs.",
            quote(target)
        ));
    }
    if !is_expandable(&schema, &schema, &mut { MAX_EXPANDED }, 0) {
        return Err(
            "output_json_schema has references that are recursive, too many, or not of the form \"#/…\". \
                    Checking a value could take forever. Remove these references."
                .to_owned(),
        );
    }
    match jsonschema::validator_for(&schema) {
        Ok(validator) => Ok(Some((schema, validator))),
        Err(error) => Err(schema_error(&error)),
    }
}

/// Returns the reason why `schema`, a text or an object, isn't a JSON Schema. Returns `None` if it is a JSON Schema or
/// empty.
pub(crate) fn problem(schema: &Value) -> Option<String> {
    let schema = match schema {
        Value::String(text) if text.trim().is_empty() || text.len() > MAX_BYTES => return None,
        Value::String(text) => match parse(text) {
            Ok(schema) => Cow::Owned(schema),
            Err(error) => return Some(error),
        },
        schema => Cow::Borrowed(schema),
    };
    if !matches!(*schema, Value::Object(_) | Value::Bool(_)) {
        return Some("output_json_schema must be an object. Correct it or leave it empty.".to_owned());
    }
    // Other dialects can't be checked.
    let is_known_dialect = schema
        .get("$schema")
        .and_then(Value::as_str)
        .is_none_or(|dialect| dialect.contains("json-schema.org/draft") && !dialect.contains("draft-03"));
    let error = is_known_dialect.then(|| jsonschema::meta::validate(&schema).err()).flatten()?;
    Some(schema_error(&error))
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| {
        format!("output_json_schema is not valid JSON: {error}. Correct it or leave it empty.")
    })
}

fn schema_error(error: &ValidationError<'_>) -> String {
    // Invalid patterns are found only by the schema compiler, which reports their location as the path in the schema.
    let pointer = match error.kind() {
        ValidationErrorKind::Format { .. } => error.schema_path().as_str(),
        _ => error.instance_path().as_str(),
    };
    let location = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
    let reason = error.masked_with("it");
    format!(
        "output_json_schema is not a valid JSON Schema{location}: {reason}. Correct it or leave it empty."
    )
}

/// Returns the first reference to a schema on another host or in a file.
fn remote_reference(schema: &Value) -> Option<&str> {
    match schema {
        Value::Object(fields) => {
            let target = fields.get("$ref").and_then(Value::as_str);
            target
                .filter(|target| target.contains("://"))
                .or_else(|| fields.values().find_map(remote_reference))
        }
        Value::Array(items) => items.iter().find_map(remote_reference),
        _ => None,
    }
}

/// Returns true if `part` of `schema` has at most `budget` parts when its references are followed. Recursive
/// references, and references that double at every step, exceed the budget: checking even a small input could take
/// forever.
fn is_expandable(schema: &Value, part: &Value, budget: &mut usize, depth: usize) -> bool {
    let Some(remaining) = budget.checked_sub(1).filter(|_| depth < MAX_DEPTH) else { return false };
    *budget = remaining;
    match part {
        Value::Object(fields) => fields.iter().all(|(key, field)| match (key.as_str(), field) {
            ("$ref", Value::String(target)) => {
                let target = target.strip_prefix('#').and_then(|pointer| schema.pointer(pointer));
                target.is_some_and(|target| is_expandable(schema, target, budget, depth + 1))
            }
            ("$dynamicRef" | "$recursiveRef", _) => false,
            (_, field) => is_expandable(schema, field, budget, depth + 1),
        }),
        Value::Array(items) => items.iter().all(|item| is_expandable(schema, item, budget, depth + 1)),
        _ => true,
    }
}
