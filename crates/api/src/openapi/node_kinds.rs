//! Schemas of nodes by kind. The derived schema has the fields that all nodes have. Here, `node_type` selects the schema of
//! `config`, and nodes of unknown kinds are valid. The schemas come from the catalog, so a new kind needs no change here.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use sluice_nodes::{CatalogEntry, catalog};

/// Prefix of references to components.
pub(super) const COMPONENTS: &str = "#/components/schemas/";

/// Nodes of kinds in the catalog.
const KNOWN: &str = "KnownNode";

/// Nodes of other kinds.
const OTHER: &str = "OtherNode";

/// Name of the schema of a loop body in the schemas of configs.
const BODY: &str = "WorkflowDefinition";

const LOOP_BODY: &str = "LoopBody";

/// Replaces the common schema of nodes by one schema per kind.
pub(super) fn describe(schemas: &mut Map<String, Value>) {
    let Some(common) = schemas.get("Node").cloned() else { return };
    let mut mapping = Map::new();
    let kinds: Vec<&CatalogEntry> = catalog().iter().flat_map(|(_, kinds)| kinds).collect();
    for kind in &kinds {
        let config = format!("{}Config", kind.name);
        schemas.insert(kind.name.to_owned(), node(&common, kind, &config));
        let config_schema = config_of(kind, schemas);
        schemas.insert(config, config_schema);
        mapping.insert(kind.name.to_owned(), format!("{COMPONENTS}{}", kind.name).into());
    }
    let mut other = common;
    other["description"] =
        "A node of a type that listNodeTypes does not return, from an old workflow or a later release."
            .into();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    other["properties"]["node_type"] = json!({
        "type": "string",
        "description": "The node type.",
        "not": {"enum": names},
    });
    schemas.insert(OTHER.to_owned(), other);
    let reference = |name: &str| json!({"$ref": format!("{COMPONENTS}{name}")});
    // A discriminator selects among named kinds, so it excludes the other kinds.
    let known = json!({
        "description": "A node of a type that listNodeTypes returns. \
            `node_type` determines the shape of `config`.",
        "oneOf": names.iter().map(|name| reference(name)).collect::<Vec<_>>(),
        "discriminator": {"propertyName": "node_type", "mapping": mapping},
    });
    schemas.insert(KNOWN.to_owned(), known);
    let node = json!({"description": "A step of a workflow.", "oneOf": [reference(KNOWN), reference(OTHER)]});
    schemas.insert("Node".to_owned(), node);
    schemas.sort_keys();
}

fn node(common: &Value, kind: &CatalogEntry, config: &str) -> Value {
    let mut node = common.clone();
    node["description"] = format!("A node of the type `{}`.", kind.name).into();
    node["properties"]["node_type"] =
        json!({"type": "string", "description": "The node type.", "enum": [kind.name]});
    let description = "Config of the node. Unknown fields are kept.";
    node["properties"]["config"] = json!({"oneOf": [{"$ref": format!("{COMPONENTS}{config}"), "description": description}, {"type": "null"}]});
    node
}

/// Returns the schema of the config of a kind. Adds the schemas that it refers to.
fn config_of(kind: &CatalogEntry, schemas: &mut Map<String, Value>) -> Value {
    let mut config = kind.config.clone();
    let Some(fields) = config.as_object_mut() else { return config };
    fields.shift_remove("title");
    if !kind.is_runnable {
        // Configs of these kinds are not validated, so their fields are not documented.
        fields.shift_remove("properties");
        return config;
    }
    if let Some(Value::Object(shared)) = fields.shift_remove("$defs") {
        for (name, mut part) in shared {
            if name == BODY {
                schemas.insert(LOOP_BODY.to_owned(), loop_body(schemas));
            } else {
                let extracted = extract_named(&mut part, &name);
                schemas.extend(extracted);
                schemas.insert(name, part);
            }
        }
    }
    // A field that is null counts as absent.
    for field in
        fields.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
    {
        allow_null(field);
    }
    let extracted = extract_named(&mut config, &format!("{}Config", kind.name));
    schemas.extend(extracted);
    config
}

/// Returns the schema of a loop body. Unlike a workflow, it may be empty: editors save loops without a body.
fn loop_body(schemas: &Map<String, Value>) -> Value {
    let mut body = schemas.get(BODY).cloned().unwrap_or_default();
    if let Some(fields) = body.as_object_mut() {
        fields.shift_remove("required");
        fields.insert("description".to_owned(), "The body of a loop. Empty if it is not defined yet.".into());
    }
    body
}

fn allow_null(field: &mut Value) {
    let Some(fields) = field.as_object_mut() else { return };
    if fields.contains_key("$ref") {
        let mut schema_without_default = std::mem::take(fields);
        schema_without_default.shift_remove("default");
        fields.insert("oneOf".to_owned(), json!([schema_without_default, {"type": "null"}]));
        return;
    }
    match fields.get_mut("type") {
        Some(Value::Array(types)) if !types.contains(&"null".into()) => types.push("null".into()),
        Some(Value::String(kind)) => {
            let kind = std::mem::take(kind);
            fields.insert("type".to_owned(), json!([kind, "null"]));
        }
        _ => {}
    }
}

/// Converts a schema to the form of the other schemas, and extracts the parts that need a name.
fn extract_named(schema: &mut Value, name: &str) -> Map<String, Value> {
    let mut extracted = Map::new();
    convert_enum(schema);
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (property, shape) in properties.into_iter().flatten() {
        let Some(fields) = shape.as_object_mut() else { continue };
        // Many generators don't support objects as defaults.
        fields.retain(|key, value| {
            key != "default" || value.is_string() || value.is_boolean() || value.is_number()
        });
        if fields.get("format").is_some_and(|format| format == "uint32") {
            fields.insert("format".to_owned(), "int64".into());
        }
        if let Some(mut alternatives) = fields.shift_remove("anyOf") {
            if let Some(description) = fields.shift_remove("description") {
                alternatives[0]["description"] = description;
            }
            fields.insert("oneOf".to_owned(), alternatives);
        }
        if let Some(Value::Array(options)) = fields.shift_remove("enum") {
            extract_enum(shape, options, format!("{name}{}", pascal_case(property)), &mut extracted);
        } else {
            extract_types(shape, &pascal_case(property), &mut extracted);
        }
    }
    point_to_components(schema);
    extracted
}

/// Extracts an enum as a named schema. An enum whose values differ only in case becomes a pattern, since its values
/// would have the same name in many languages.
fn extract_enum(shape: &mut Value, mut words: Vec<Value>, name: String, extracted: &mut Map<String, Value>) {
    words.retain(|word| !word.is_null());
    let texts: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    let distinct: HashSet<String> = texts.iter().map(|text| text.to_lowercase()).collect();
    if distinct.len() < texts.len() {
        shape["pattern"] = format!("^({})$", texts.join("|")).into();
        return;
    }
    let description = shape["description"].clone();
    let reference = json!({"$ref": format!("{COMPONENTS}{name}"), "description": description});
    *shape = json!({"oneOf": [reference, {"type": "null"}]});
    extracted.insert(name, json!({"type": "string", "description": description, "enum": words}));
}

/// Extracts each of several types as a named schema.
fn extract_types(shape: &mut Value, name: &str, extracted: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = shape.get("type") else { return };
    let types: Vec<&str> = types.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect();
    if types.len() < 2 {
        return;
    }
    let description = shape["description"].clone();
    let mut alternatives = Vec::new();
    for kind in types {
        let (name, schema) = match kind {
            "string" => {
                (format!("{name}Text"), json!({"type": kind, "description": "The value as JSON text."}))
            }
            _ => {
                let schema = json!({"type": kind, "description": "The value as an object.", "additionalProperties": {}});
                (format!("{name}{}", pascal_case(kind)), schema)
            }
        };
        alternatives.push(json!({"$ref": format!("{COMPONENTS}{name}"), "description": description}));
        extracted.insert(name, schema);
    }
    alternatives.push(json!({"type": "null"}));
    *shape = json!({"oneOf": alternatives});
}

/// Converts constants with a description each to an enum.
fn convert_enum(schema: &mut Value) {
    let options = schema.get("oneOf").and_then(Value::as_array);
    let words: Option<Vec<&Value>> =
        options.and_then(|all| all.iter().map(|option| option.get("const")).collect());
    let Some(words) = words else { return };
    let texts = options.into_iter().flatten().map(|option| {
        format!(
            "`{}`: {}",
            option["const"].as_str().unwrap_or_default(),
            option["description"].as_str().unwrap_or_default()
        )
    });
    let description = format!(
        "{} {}",
        schema["description"].as_str().unwrap_or_default(),
        texts.collect::<Vec<_>>().join(" ")
    );
    *schema = json!({"type": "string", "description": description, "enum": words});
}

/// Makes references point to components.
fn point_to_components(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get_mut("$ref")
                && let Some(name) = target.strip_prefix("#/$defs/")
            {
                let name = if name == BODY { LOOP_BODY } else { name };
                *target = format!("{COMPONENTS}{name}");
            }
            if fields.get("additionalProperties") == Some(&Value::Bool(true)) {
                fields.insert("additionalProperties".to_owned(), json!({}));
            }
            fields.values_mut().for_each(point_to_components);
        }
        Value::Array(items) => items.iter_mut().for_each(point_to_components),
        _ => {}
    }
}

fn pascal_case(name: &str) -> String {
    let parts = name.split('_').map(|part| {
        let mut letters = part.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    });
    parts.collect()
}
