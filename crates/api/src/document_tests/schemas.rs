//! The schemas of definitions are those that the domain writes.

use std::collections::BTreeSet;

use serde_json::Value;
use sluice_domain::graph::{Definition, Link, Node};

use crate::openapi::OpenApiVersion;
use crate::router::document;

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_shapes_are_those_of_the_domain() {
    let document = document(OpenApiVersion::V3_1);
    let properties = |name: &str| keys(&document["components"]["schemas"][name]["properties"]);
    let written = |value: serde_json::Result<Value>| keys(&value.unwrap());
    assert_eq!(properties("OtherNode"), written(serde_json::to_value(Node::default())));
    assert_eq!(properties("Link"), written(serde_json::to_value(Link::default())));
    let definition = written(serde_json::to_value(Definition::default()));
    assert_eq!(properties("WorkflowDefinition"), definition);
    let mut pinned = definition;
    pinned.extend(["id".to_owned(), "name".to_owned()]);
    assert_eq!(properties("PinnedDefinition"), pinned);
}
