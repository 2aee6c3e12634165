//! Checks that the documents for OpenAPI 3.0 and 3.1 describe the same API.

use serde_json::Value;

use crate::openapi::OpenApiVersion;
use crate::router::document;

#[test]
fn both_documents_have_the_same_calls_examples_and_components() {
    let (newer, older) = (document(OpenApiVersion::V3_1), document(OpenApiVersion::V3_0));
    let names = |document: &Value, pointer: &str| -> Vec<String> {
        document.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect()
    };
    for pointer in ["/paths", "/components/schemas", "/components/securitySchemes"] {
        assert_eq!(names(&newer, pointer), names(&older, pointer));
    }
    let example = "/paths/~1wf~1/post/requestBody/content/application~1json/example";
    assert!(newer.pointer(example).is_some());
    assert_eq!(newer.pointer(example), older.pointer(example));
}
