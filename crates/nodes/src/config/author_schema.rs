//! JSON Schemas that the authors of workflows write.

use std::borrow::Cow;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::common::SchemaText;
use crate::text::value_text::quote;

/// The longest schema text that is parsed, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The most parts of a schema after every reference is replaced by its target.
const MAX_EXPANDED: usize = 20_000;

/// The deepest nesting of a schema after every reference is replaced by its target.
const MAX_DEPTH: usize = 200;

/// Compiles a schema; none if it is empty.
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
    if !expands(&schema, &schema, &mut { MAX_EXPANDED }, 0) {
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

/// The reason why `schema`, a text or an object, isn't a JSON Schema; none if it is one, or if it is empty.
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
    // There is nothing to check other dialects with.
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
    // Only the compiler of the schema finds invalid patterns. It gives their location as the path in the schema.
    let pointer = match error.kind() {
        ValidationErrorKind::Format { .. } => error.schema_path().as_str(),
        _ => error.instance_path().as_str(),
    };
    let place = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
    let reason = error.masked_with("it");
    format!("output_json_schema is not a valid JSON Schema{place}: {reason}. Correct it or leave it empty.")
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

/// True if `part` of `schema` has at most `budget` parts when its references are followed. Recursive references, and
/// references that double at every step, exceed it: with them, a small input would keep the check busy forever.
fn expands(schema: &Value, part: &Value, budget: &mut usize, depth: usize) -> bool {
    let Some(left) = budget.checked_sub(1).filter(|_| depth < MAX_DEPTH) else { return false };
    *budget = left;
    match part {
        Value::Object(fields) => fields.iter().all(|(key, field)| match (key.as_str(), field) {
            ("$ref", Value::String(target)) => {
                let target = target.strip_prefix('#').and_then(|pointer| schema.pointer(pointer));
                target.is_some_and(|target| expands(schema, target, budget, depth + 1))
            }
            ("$dynamicRef" | "$recursiveRef", _) => false,
            (_, field) => expands(schema, field, budget, depth + 1),
        }),
        Value::Array(items) => items.iter().all(|item| expands(schema, item, budget, depth + 1)),
        _ => true,
    }
}
