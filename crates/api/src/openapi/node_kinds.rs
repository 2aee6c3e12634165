//! Schemas of nodes by kind. The derived schema has the fields that all nodes have. Here, `node_type` selects the schema of
//! `config`, and nodes of unknown kinds are valid. The schemas come from the catalog, so a new kind needs no change here.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use sluice_nodes::{CatalogEntry, catalog};

/// Prefix of references to components.
pub(super) const COMPONENTS: &str = "#/components/schemas/";

/// Nodes of kinds that the catalogue lists.
const KNOWN: &str = "KnownNode";

/// Nodes of other kinds.
const OTHER: &str = "OtherNode";

/// Name of the schema of a loop body in the schemas of configs.
const BODY: &str = "WorkflowDefinition";

const LOOP_BODY: &str = "LoopBody";

/// Puts the kinds in the place of the schema that holds for nodes of every kind.
pub(super) fn describe(schemas: &mut Map<String, Value>) {
    let Some(common) = schemas.get("Node").cloned() else { return };
    let mut mapping = Map::new();
    let kinds: Vec<&CatalogEntry> = catalog().iter().flat_map(|(_, kinds)| kinds).collect();
    for kind in &kinds {
        let config = format!("{}Config", kind.name);
        schemas.insert(kind.name.to_owned(), node(&common, kind, &config));
        let described = config_of(kind, schemas);
        schemas.insert(config, described);
        mapping.insert(kind.name.to_owned(), format!("{COMPONENTS}{}", kind.name).into());
    }
    let mut other = common;
    other["description"] =
        "A node of a type that the catalog does not list, from an old workflow or a later release.".into();
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
        "description": "A node of a type in the catalog. `node_type` determines the shape of `config`.",
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
    let what = "Config of the node. Unknown fields are kept.";
    node["properties"]["config"] =
        json!({"oneOf": [{"$ref": format!("{COMPONENTS}{config}"), "description": what}, {"type": "null"}]});
    node
}

/// The config of a kind. What it refers to becomes components too.
fn config_of(kind: &CatalogEntry, schemas: &mut Map<String, Value>) -> Value {
    let mut config = kind.config.clone();
    let Some(fields) = config.as_object_mut() else { return config };
    fields.shift_remove("title");
    if !kind.is_runnable {
        // Nothing is asked of them, so nothing may be promised.
        fields.shift_remove("properties");
        return config;
    }
    if let Some(Value::Object(shared)) = fields.shift_remove("$defs") {
        for (name, mut part) in shared {
            if name == BODY {
                schemas.insert(LOOP_BODY.to_owned(), loop_body(schemas));
            } else {
                let lifted = lift(&mut part, &name);
                schemas.extend(lifted);
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
    let lifted = lift(&mut config, &format!("{}Config", kind.name));
    schemas.extend(lifted);
    config
}

/// The body of a loop: as a workflow, but it may be empty, as editors write a body that isn't there yet.
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
        let mut named = std::mem::take(fields);
        named.shift_remove("default");
        fields.insert("oneOf".to_owned(), json!([named, {"type": "null"}]));
        return;
    }
    match fields.get_mut("type") {
        Some(Value::Array(types)) if !types.contains(&"null".into()) => types.push("null".into()),
        Some(Value::String(one)) => {
            let one = std::mem::take(one);
            fields.insert("type".to_owned(), json!([one, "null"]));
        }
        _ => {}
    }
}

/// Brings a schema into the form of the others, and takes out of it what has to have a name of its own.
fn lift(schema: &mut Value, name: &str) -> Map<String, Value> {
    let mut lifted = Map::new();
    words(schema);
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
        if let Some(mut either) = fields.shift_remove("anyOf") {
            if let Some(description) = fields.shift_remove("description") {
                either[0]["description"] = description;
            }
            fields.insert("oneOf".to_owned(), either);
        }
        if let Some(Value::Array(options)) = fields.shift_remove("enum") {
            name_words(shape, options, format!("{name}{}", pascal(property)), &mut lifted);
        } else {
            name_types(shape, &pascal(property), &mut lifted);
        }
    }
    refer(schema);
    lifted
}

/// Gives words a name. Words that differ in their case alone would have the same one in many languages, and become a
/// pattern.
fn name_words(shape: &mut Value, mut words: Vec<Value>, name: String, lifted: &mut Map<String, Value>) {
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
    lifted.insert(name, json!({"type": "string", "description": description, "enum": words}));
}

/// Gives each of several types a name.
fn name_types(shape: &mut Value, name: &str, lifted: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = shape.get("type") else { return };
    let types: Vec<&str> = types.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect();
    if types.len() < 2 {
        return;
    }
    let description = shape["description"].clone();
    let mut either = Vec::new();
    for kind in types {
        let (name, what) = match kind {
            "string" => {
                (format!("{name}Text"), json!({"type": kind, "description": "The value as JSON text."}))
            }
            _ => {
                let what = "The value as an object.";
                let what = json!({"type": kind, "description": what, "additionalProperties": {}});
                (format!("{name}{}", pascal(kind)), what)
            }
        };
        either.push(json!({"$ref": format!("{COMPONENTS}{name}"), "description": description}));
        lifted.insert(name, what);
    }
    either.push(json!({"type": "null"}));
    *shape = json!({"oneOf": either});
}

/// Words with a description each are an enumeration.
fn words(schema: &mut Value) {
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

/// Lets references lead to components.
fn refer(schema: &mut Value) {
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
            fields.values_mut().for_each(refer);
        }
        Value::Array(items) => items.iter_mut().for_each(refer),
        _ => {}
    }
}

fn pascal(name: &str) -> String {
    let parts = name.split('_').map(|part| {
        let mut letters = part.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    });
    parts.collect()
}
