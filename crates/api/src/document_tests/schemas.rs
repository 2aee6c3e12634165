//! Checks that the schema of a definition with an id and a name has the fields of a definition.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::openapi::OpenApiVersion;
use crate::router::document;

fn properties<'d>(document: &'d Value, schema: &str) -> BTreeSet<&'d str> {
    let properties = document["components"]["schemas"][schema]["properties"].as_object().unwrap();
    properties.keys().map(String::as_str).collect()
}

#[test]
fn pinned_definition_has_the_fields_of_a_definition() {
    let document = document(OpenApiVersion::V3_1);
    let mut expected = properties(&document, "WorkflowDefinition");
    expected.extend(["id", "name"]);
    assert_eq!(properties(&document, "PinnedDefinition"), expected);
}
