//! Conversion of the document to OpenAPI 3.0. Its schemas are a subset of JSON Schema draft 5 with `nullable`, a
//! reference has no other keywords, and only OAuth has scopes.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// Schema keywords of OpenAPI 3.0. All others are removed or expressed with these.
const KEYWORDS: [&str; 34] = [
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

/// Converts the document from OpenAPI 3.1 to 3.0.
pub(super) fn convert(mut document: Value) -> Value {
    document["openapi"] = "3.0.3".into();
    if let Some(license) = document["info"]["license"].as_object_mut() {
        license.shift_remove("identifier");
    }
    for item in members(&mut document["components"]["schemas"]) {
        convert_schema(item);
    }
    for item in members(&mut document["paths"]) {
        for operation in members(item) {
            convert_schemas(operation);
            move_scope(operation);
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
    add_nullable_types(&mut document["components"]["schemas"], &kinds);
    add_nullable_types(&mut document["paths"], &kinds);
    document
}

/// Adds the type next to `nullable`, which requires it. The type of a reference is that of its target.
fn add_nullable_types(value: &mut Value, kinds: &HashMap<String, Value>) {
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
            others.for_each(|(_, field)| add_nullable_types(field, kinds));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| add_nullable_types(item, kinds)),
        _ => {}
    }
}

fn members(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_object_mut().into_iter().flat_map(Map::values_mut)
}

/// Moves the scope of an operation to its description, since only OAuth has scopes.
fn move_scope(operation: &mut Value) {
    let Some(requirements) = operation.get_mut("security").and_then(Value::as_array_mut) else { return };
    let mut scope = None;
    for scopes in requirements.iter_mut().flat_map(members) {
        scope = scope.or_else(|| scopes[0].as_str().map(str::to_owned));
        *scopes = json!([]);
    }
    if let (Some(scope), Some(Value::String(text))) = (scope, operation.get_mut("description")) {
        text.push_str(&format!("\n\nThe API key needs the scope `{scope}`."));
    }
}

/// Converts every schema of parameters, bodies and responses. Examples stay unchanged.
fn convert_schemas(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                match key.as_str() {
                    "schema" => convert_schema(field),
                    "example" | "examples" | "description" => {}
                    _ => convert_schemas(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(convert_schemas),
        _ => {}
    }
}

fn convert_schema(value: &mut Value) {
    if *value == Value::Bool(true) {
        *value = json!({});
    }
    let Some(fields) = value.as_object_mut() else { return };
    convert_file(fields);
    convert_constant(fields);
    convert_bounds(fields);
    if let Some(first) = fields.get("examples").and_then(|all| all.get(0)).cloned() {
        fields.entry("example").or_insert(first);
    }
    fields.retain(|key, _| KEYWORDS.contains(&key.as_str()) || key.starts_with("x-"));
    convert_types(fields);
    fields.get_mut("properties").into_iter().flat_map(members).for_each(convert_schema);
    for key in ["items", "not", "additionalProperties"] {
        fields.get_mut(key).into_iter().for_each(convert_schema);
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        fields.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().for_each(convert_schema);
    }
    convert_alternatives(fields);
    if fields
        .get("enum")
        .is_some_and(|words| words.as_array().is_some_and(|words| words.contains(&Value::Null)))
    {
        fields.insert("nullable".to_owned(), true.into());
    }
    wrap_reference(fields);
}

/// Converts a file in a form.
fn convert_file(fields: &mut Map<String, Value>) {
    let is_bytes = fields.get("contentMediaType").is_some_and(|kind| kind == "application/octet-stream");
    if is_bytes && !fields.contains_key("contentEncoding") {
        fields.insert("type".to_owned(), "string".into());
        fields.insert("format".to_owned(), "binary".into());
    }
}

fn convert_constant(fields: &mut Map<String, Value>) {
    if let Some(value) = fields.shift_remove("const") {
        fields.insert("enum".to_owned(), json!([value]));
    }
}

/// Converts an exclusive bound to a bound and a flag.
fn convert_bounds(fields: &mut Map<String, Value>) {
    for (excluded, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if fields.get(excluded).is_some_and(Value::is_number) {
            let value = fields.insert(excluded.to_owned(), true.into()).unwrap_or_default();
            fields.insert(bound.to_owned(), value);
        }
    }
}

/// Converts a list of types: `null` becomes a flag, and several other types become alternatives.
fn convert_types(fields: &mut Map<String, Value>) {
    let kinds = match fields.get("type") {
        Some(Value::Array(kinds)) => kinds.clone(),
        Some(Value::String(kind)) if kind == "null" => vec![kind.clone().into()],
        _ => return,
    };
    fields.shift_remove("type");
    let is_nullable = kinds.contains(&"null".into());
    let mut others: Vec<Value> = kinds.into_iter().filter(|kind| kind != "null").collect();
    match others.len() {
        // Only null.
        0 => fields.insert("enum".to_owned(), json!([null])),
        1 => fields.insert("type".to_owned(), others.remove(0)),
        _ => {
            let alternative = |kind: Value| match (kind == "array", is_nullable) {
                (true, _) => json!({"type": kind, "items": {}}),
                (false, true) => json!({"type": kind, "nullable": true}),
                (false, false) => json!({"type": kind}),
            };
            fields.insert("anyOf".to_owned(), others.into_iter().map(alternative).collect());
            return;
        }
    };
    if is_nullable {
        fields.insert("nullable".to_owned(), true.into());
    }
}

/// Converts `null` among alternatives to a flag.
fn convert_alternatives(fields: &mut Map<String, Value>) {
    for key in ["oneOf", "anyOf"] {
        let Some(Value::Array(either)) = fields.get_mut(key) else { continue };
        let before = either.len();
        either.retain(|option| option.get("enum") != Some(&json!([null])));
        if either.len() == before {
            continue;
        }
        let mut remaining = std::mem::take(either);
        if remaining.len() > 1 {
            // It is sufficient that one alternative is nullable.
            if let Some(first) = remaining.first_mut().and_then(Value::as_object_mut) {
                first.insert("nullable".to_owned(), true.into());
                wrap_reference(first);
            }
            fields.insert(key.to_owned(), remaining.into());
            continue;
        }
        fields.insert("nullable".to_owned(), true.into());
        fields.shift_remove(key);
        for option in remaining {
            let Value::Object(mut option) = option else { continue };
            // Keywords next to a reference are ignored, so the reference moves to an `allOf`.
            if let Some(target) = option.shift_remove("$ref") {
                fields.insert("allOf".to_owned(), json!([{"$ref": target}]));
            }
            for (word, value) in option {
                fields.entry(word).or_insert(value);
            }
        }
    }
}

/// Moves a reference with other keywords to an `allOf`, since keywords next to a reference are ignored.
fn wrap_reference(fields: &mut Map<String, Value>) {
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
