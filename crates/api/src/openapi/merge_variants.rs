//! Structs with a flattened enum, such as events, become one object with optional fields. The derived schema is an
//! anonymous intersection with a union, which client generators don't support.

use serde_json::{Map, Value, json};

use super::node_kinds::COMPONENTS;

/// Merges every `allOf` of an object and the variants of an enum.
pub(super) fn merge(schemas: &mut Map<String, Value>) {
    let names: Vec<String> = schemas
        .iter()
        .filter(|(_, schema)| schema.get("allOf").is_some())
        .map(|(name, _)| name.clone())
        .collect();
    for name in names {
        let mut parts = Vec::new();
        for part in schemas[&name]["allOf"].take().as_array().into_iter().flatten() {
            let target = part["$ref"].as_str().and_then(|target| target.strip_prefix(COMPONENTS));
            parts.push(match target {
                Some(target) => schemas.shift_remove(target).unwrap_or_default(),
                None => part.clone(),
            });
        }
        let description = schemas[&name]["description"].take();
        schemas.insert(name, merge_parts(&parts, description));
    }
}

/// Returns the object of all `parts`. Only the fields of objects are required, not those of variants. If several
/// variants have a field, the first one describes it.
fn merge_parts(parts: &[Value], description: Value) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let (objects, enums): (Vec<&Value>, Vec<&Value>) = parts.iter().partition(|part| part["oneOf"].is_null());
    for object in &objects {
        required.extend(object["required"].as_array().into_iter().flatten().cloned());
    }
    let variants = enums.iter().filter_map(|part| part["oneOf"].as_array()).flatten();
    for (field, shape) in
        objects.into_iter().chain(variants).filter_map(|part| part["properties"].as_object()).flatten()
    {
        properties.entry(field).or_insert_with(|| shape.clone());
    }
    json!({"type": "object", "description": description, "required": required, "properties": properties})
}
