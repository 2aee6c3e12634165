//! The document in OpenAPI 3.0. It says the same, in the words that there were: schemas are a subset of JSON Schema
//! draft 5 with `nullable`, a reference stands alone, and scopes belong to OAuth.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// Schema keywords of OpenAPI 3.0. All others are removed or expressed with these.
const WORDS: [&str; 34] = [
    "title",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "required",
    "enum",
    "type",
    "allOf",
    "oneOf",
    "anyOf",
    "not",
    "items",
    "properties",
    "additionalProperties",
    "description",
    "format",
    "default",
    "nullable",
    "discriminator",
    "readOnly",
    "writeOnly",
    "example",
    "deprecated",
    "$ref",
];

/// The 3.1 document in 3.0.
pub(super) fn converted(mut document: Value) -> Value {
    document["openapi"] = "3.0.3".into();
    if let Some(license) = document["info"]["license"].as_object_mut() {
        license.shift_remove("identifier");
    }
    for item in members(&mut document["components"]["schemas"]) {
        schema(item);
    }
    for item in members(&mut document["paths"]) {
        for operation in members(item) {
            schemas_below(operation);
            without_scopes(operation);
        }
    }
    let schemas = document["components"]["schemas"].as_object();
    let kinds = schemas.into_iter().flatten().map(|(name, schema)| {
        (
            format!("#/components/schemas/{name}"),
            schema.get("type").cloned().unwrap_or_else(|| "object".into()),
        )
    });
    let kinds = kinds.collect();
    nullable_with_type(&mut document["components"]["schemas"], &kinds);
    nullable_with_type(&mut document["paths"], &kinds);
    document
}

/// `nullable` is said of a type, so the type stands beside it, also where a reference has it.
fn nullable_with_type(value: &mut Value, kinds: &HashMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("nullable") && !fields.contains_key("type") {
                let target =
                    fields.get("allOf").and_then(|all| all.pointer("/0/$ref")).and_then(Value::as_str);
                if let Some(kind) = target.and_then(|target| kinds.get(target)) {
                    fields.insert("type".to_owned(), kind.clone());
                }
            }
            let others = fields.iter_mut().filter(|(key, _)| *key != "example");
            others.for_each(|(_, field)| nullable_with_type(field, kinds));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| nullable_with_type(item, kinds)),
        _ => {}
    }
}

fn members(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_object_mut().into_iter().flat_map(Map::values_mut)
}

/// Scopes are for OAuth alone; which one a call needs is said in words.
fn without_scopes(operation: &mut Value) {
    let Some(ways) = operation.get_mut("security").and_then(Value::as_array_mut) else { return };
    let mut needed = None;
    for scopes in ways.iter_mut().flat_map(members) {
        needed = needed.or_else(|| scopes[0].as_str().map(str::to_owned));
        *scopes = json!([]);
    }
    if let (Some(scope), Some(Value::String(text))) = (needed, operation.get_mut("description")) {
        text.push_str(&format!("\n\nThe API key needs the scope `{scope}`."));
    }
}

/// Converts every schema of parameters, bodies and answers; examples are values and stay as they are.
fn schemas_below(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                match key.as_str() {
                    "schema" => schema(field),
                    "example" | "examples" | "description" => {}
                    _ => schemas_below(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(schemas_below),
        _ => {}
    }
}

fn schema(value: &mut Value) {
    if *value == Value::Bool(true) {
        *value = json!({});
    }
    let Some(fields) = value.as_object_mut() else { return };
    binary(fields);
    constant(fields);
    bounds(fields);
    if let Some(first) = fields.get("examples").and_then(|all| all.get(0)).cloned() {
        fields.entry("example").or_insert(first);
    }
    fields.retain(|key, _| WORDS.contains(&key.as_str()) || key.starts_with("x-"));
    types(fields);
    fields.get_mut("properties").into_iter().flat_map(members).for_each(schema);
    for key in ["items", "not", "additionalProperties"] {
        fields.get_mut(key).into_iter().for_each(schema);
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        fields.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().for_each(schema);
    }
    alternatives(fields);
    if fields
        .get("enum")
        .is_some_and(|words| words.as_array().is_some_and(|words| words.contains(&Value::Null)))
    {
        fields.insert("nullable".to_owned(), true.into());
    }
    alone(fields);
}

/// A file in a form.
fn binary(fields: &mut Map<String, Value>) {
    let is_bytes = fields.get("contentMediaType").is_some_and(|kind| kind == "application/octet-stream");
    if is_bytes && !fields.contains_key("contentEncoding") {
        fields.insert("type".to_owned(), "string".into());
        fields.insert("format".to_owned(), "binary".into());
    }
}

fn constant(fields: &mut Map<String, Value>) {
    if let Some(only) = fields.shift_remove("const") {
        fields.insert("enum".to_owned(), json!([only]));
    }
}

/// An excluded bound was a bound and a flag.
fn bounds(fields: &mut Map<String, Value>) {
    for (excluded, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if fields.get(excluded).is_some_and(Value::is_number) {
            let value = fields.insert(excluded.to_owned(), true.into()).unwrap_or_default();
            fields.insert(bound.to_owned(), value);
        }
    }
}

/// A list of types: `null` is a flag, and of several others each is an alternative.
fn types(fields: &mut Map<String, Value>) {
    let kinds = match fields.get("type") {
        Some(Value::Array(kinds)) => kinds.clone(),
        Some(Value::String(kind)) if kind == "null" => vec![kind.clone().into()],
        _ => return,
    };
    fields.shift_remove("type");
    let is_nullable = kinds.contains(&"null".into());
    let mut others: Vec<Value> = kinds.into_iter().filter(|kind| kind != "null").collect();
    match others.len() {
        // Nothing but null.
        0 => fields.insert("enum".to_owned(), json!([null])),
        1 => fields.insert("type".to_owned(), others.remove(0)),
        _ => {
            let of = |kind: Value| match (kind == "array", is_nullable) {
                (true, _) => json!({"type": kind, "items": {}}),
                (false, true) => json!({"type": kind, "nullable": true}),
                (false, false) => json!({"type": kind}),
            };
            fields.insert("anyOf".to_owned(), others.into_iter().map(of).collect());
            return;
        }
    };
    if is_nullable {
        fields.insert("nullable".to_owned(), true.into());
    }
}

/// "This or null" is this, with a flag.
fn alternatives(fields: &mut Map<String, Value>) {
    for key in ["oneOf", "anyOf"] {
        let Some(Value::Array(either)) = fields.get_mut(key) else { continue };
        let before = either.len();
        either.retain(|option| option.get("enum") != Some(&json!([null])));
        if either.len() == before {
            continue;
        }
        let mut left = std::mem::take(either);
        if left.len() > 1 {
            // One of several may be null, it doesn't matter which.
            if let Some(first) = left.first_mut().and_then(Value::as_object_mut) {
                first.insert("nullable".to_owned(), true.into());
                alone(first);
            }
            fields.insert(key.to_owned(), left.into());
            continue;
        }
        fields.insert("nullable".to_owned(), true.into());
        fields.shift_remove(key);
        for option in left {
            let Value::Object(mut option) = option else { continue };
            // Beside a reference nothing counts; in a list of one it keeps company.
            if let Some(target) = option.shift_remove("$ref") {
                fields.insert("allOf".to_owned(), json!([{"$ref": target}]));
            }
            for (word, value) in option {
                fields.entry(word).or_insert(value);
            }
        }
    }
}

/// Beside a reference nothing counts: what is said there goes around it.
fn alone(fields: &mut Map<String, Value>) {
    if fields.len() < 2 {
        return;
    }
    if let Some(target) = fields.shift_remove("$ref") {
        fields.insert("allOf".to_owned(), json!([{"$ref": target}]));
    }
}

#[cfg(test)]
#[path = "v3_0_tests.rs"]
mod tests;
