//! Checks that the schemas of node configs match their validation.

use serde_json::{Value, json};
use sluice_domain::validation::{Catalog as _, Code};
use sluice_domain::{Node, validation};
use sluice_nodes::{NodeKinds, catalog};

use crate::openapi::OpenApiVersion;
use crate::router::document;

/// Returns values of every type, including values at the limits.
fn values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(1000),
        json!(1001),
        json!(""),
        json!("contains"),
        json!([]),
        json!([null]),
        json!([1]),
        json!(["text"]),
        json!({}),
        json!({"a": null}),
        json!({"a": 1}),
        json!({"a": "text"}),
        json!({"a": {}}),
        json!({"nodes": [], "links": []}),
        json!({"nodes": 1}),
        json!({"timeout_seconds": 0}),
        json!({"timeout_seconds": 1.5, "retry": {"max_attempts": 0}}),
        json!({"retry": {"max_attempts": 2, "on": ["timeout"]}}),
        json!({"retry": {"on": ["never"]}}),
        json!({"r": {"conditions": null}}),
        json!({"r": {"conditions": [{"operator": "equals", "logicalOperator": "or", "value": 1}]}}),
        json!({"r": {"conditions": [{"operator": "resembles"}]}}),
        json!({"r": {"conditions": [{"variable": 1}]}}),
    ]
}

/// The document and the server reject the same node configs.
#[test]
fn document_and_server_reject_the_same_configs() {
    let document = document(OpenApiVersion::V3_1);
    let schema = json!({"$ref": "#/components/schemas/Node", "components": document["components"]});
    let validator = jsonschema::options().build(&schema).unwrap();
    let (mut accepted, mut rejected) = (0, 0);
    for (_, kinds) in catalog().iter() {
        for kind in kinds {
            let documented =
                document["components"]["schemas"][format!("{}Config", kind.name)]["properties"].as_object();
            assert_eq!(kind.is_runnable, documented.is_some(), "{}", kind.name);
            let fields = ["output_schema".to_owned(), "unknown".to_owned()];
            for field in documented.into_iter().flat_map(|fields| fields.keys()).chain(&fields) {
                for value in values() {
                    let node = json!({"id": "a", "node_type": kind.name, "config": {field: value}});
                    let parsed: Node = serde_json::from_value(node.clone()).unwrap();
                    let problems = NodeKinds::default().config_problems(&parsed);
                    let is_valid = validator.is_valid(&node);
                    // A schema cannot express these rules: a text is a JSON Schema, a loop body may be empty but not
                    // incomplete, code is Python.
                    let is_expressible =
                        !["output_json_schema", "subworkflow", "code"].contains(&field.as_str());
                    assert!(is_valid || !problems.is_empty(), "the document rejects {node}");
                    assert!(!is_valid || !is_expressible || problems.is_empty(), "{node}: {problems:?}");
                    if is_valid { accepted += 1 } else { rejected += 1 }
                }
            }
        }
    }
    assert!(accepted > 100 && rejected > 100, "{accepted} {rejected}");
}

#[test]
fn node_schema_accepts_unknown_kinds() {
    let document = document(OpenApiVersion::V3_1);
    let schema = json!({"$ref": "#/components/schemas/Node", "components": document["components"]});
    let validator = jsonschema::options().build(&schema).unwrap();
    assert!(validator.is_valid(&json!({"id": "a", "node_type": "LaterNode", "config": {"anything": 1}})));
    assert!(!validator.is_valid(&json!({"id": "a", "node_type": "LaterNode", "config": 1})));
    let node = &document["components"]["schemas"]["KnownNode"];
    let kinds: usize = catalog().iter().map(|(_, kinds)| kinds.len()).sum();
    assert_eq!(node["oneOf"].as_array().unwrap().len(), kinds);
    for (name, target) in node["discriminator"]["mapping"].as_object().unwrap() {
        let pointer = target.as_str().unwrap().trim_start_matches('#');
        assert_eq!(document.pointer(pointer).unwrap()["properties"]["node_type"]["enum"], json!([name]));
    }
}

#[test]
fn text_limits_of_the_document_are_enforced() {
    let document = document(OpenApiVersion::V3_1);
    let mut checked = 0;
    let properties = document["components"]["schemas"]["InputNode"]["properties"].as_object().unwrap();
    for (field, shape) in properties {
        let Some(limit) = shape["maxLength"].as_u64() else { continue };
        for (length, is_accepted) in [(limit, true), (limit + 1, false)] {
            let mut node = json!({"id": "a", "node_type": "InputNode"});
            node[field] = "ä".repeat(usize::try_from(length).unwrap()).into();
            let definition = serde_json::from_value(json!({"nodes": [node], "links": []})).unwrap();
            let diagnostics = validation::validate(&definition, &NodeKinds::default());
            assert_eq!(
                diagnostics.iter().all(|diagnostic| diagnostic.code != Code::TextTooLong),
                is_accepted,
                "{field} {length}"
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 4, "id and title");
}
