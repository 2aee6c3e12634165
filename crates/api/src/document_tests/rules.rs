//! Checks of rules that client generators require.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::openapi::OpenApiVersion;
use crate::openapi::build::TAGS;
use crate::router;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

fn document() -> Value {
    router::document(OpenApiVersion::V3_1)
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

fn has_text(value: &Value, key: &str) -> bool {
    value[key].as_str().is_some_and(|text| !text.trim().is_empty())
}

/// Returns (method and path, operation) of every operation.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = object(&document["paths"]).iter();
    paths
        .flat_map(|(path, item)| {
            let methods = object(item).iter().filter(|(method, _)| METHODS.contains(&method.as_str()));
            methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

#[test]
fn document_has_title_version_and_license() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let info = &document["info"];
    assert_eq!((&info["title"], &info["version"]), (&"Sluice".into(), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!(info["license"]["name"], "MIT OR Apache-2.0");
    assert!(info.get("contact").is_none(), "{info}");
    assert!(has_text(info, "description"));
    assert!(document.get("security").is_none(), "each operation declares its own security");
    let tags: Vec<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(tags, TAGS.map(|(name, _)| name));
    assert!(document["tags"].as_array().unwrap().iter().all(|tag| has_text(tag, "description")));
}

#[test]
fn document_has_every_operation_of_the_contract() {
    let document = document();
    let found: HashSet<String> = operations(&document)
        .iter()
        .map(|(call, operation)| format!("{} {call}", operation["operationId"].as_str().unwrap()))
        .collect();
    let expected: HashSet<String> = [
        "createWorkflow post /wf/",
        "listWorkflows get /wf/",
        "validateWorkflow post /wf/validate/",
        "getWorkflow get /wf/{workflow_id}/",
        "updateWorkflow put /wf/{workflow_id}/",
        "deleteWorkflow delete /wf/{workflow_id}/",
        "resetWorkflow put /wf/{workflow_id}/reset/",
        "duplicateWorkflow post /wf/{workflow_id}/duplicate/",
        "listOutputVariables get /wf/{workflow_id}/output_variables/",
        "uploadTestFiles post /wf/upload_test_files/",
        "listVersions get /wf/{workflow_id}/versions/",
        "runWorkflow post /wf/{workflow_id}/run/",
        "runWorkflowV2 post /wf/{workflow_id}/runv2/",
        "startRun post /wf/{workflow_id}/start_run/",
        "runPartial post /wf/{workflow_id}/run_partial/",
        "listWorkflowRuns get /wf/{workflow_id}/runs/",
        "listRuns get /run/",
        "getRun get /run/{run_id}/",
        "getRunStatus get /run/{run_id}/status/",
        "cancelRun post /wf/cancel_workflow/{run_id}/",
        "listPausedWorkflows get /wf/paused_workflows/",
        "listPauseHistory get /wf/pause_history/{run_id}/",
        "processPauseAction post /wf/process_pause_action/{run_id}/",
        "listNodeTypes get /node/supported_types/",
        "getHealth get /healthz",
        "getReadiness get /readyz",
    ]
    .map(str::to_owned)
    .into();
    let missing: Vec<&String> = expected.difference(&found).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
}

#[test]
fn every_operation_has_texts_and_one_tag() {
    let document = document();
    let tags: HashSet<&str> = TAGS.iter().map(|(name, _)| *name).collect();
    for (call, operation) in operations(&document) {
        assert!(has_text(operation, "summary"), "{call}: summary");
        assert!(has_text(operation, "description"), "{call}: description");
        let used: Vec<&str> =
            operation["tags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(used.len() == 1 && tags.contains(used[0]), "{call}: {used:?}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(id.len() <= 24 && id.chars().all(char::is_alphanumeric), "{call}: {id}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(has_text(parameter, "description"), "{call}: {parameter}");
            assert_eq!(parameter["required"], parameter["in"] == "path", "{call}: {parameter}");
            // Swagger UI would send the example with every call.
            let has_example = parameter.get("example").is_some();
            assert!(!has_example || parameter["required"] == true, "{call}: {parameter}");
        }
    }
}

#[test]
fn every_response_has_a_description_schema_and_example() {
    let document = document();
    for (call, operation) in operations(&document) {
        let responses = object(&operation["responses"]);
        assert!(responses.keys().any(|status| status.starts_with('2')), "{call}");
        assert!(responses.keys().any(|status| status.starts_with('4')), "{call}");
        assert!(responses.contains_key("default") && !responses.contains_key("4XX"), "{call}");
        for (status, response) in responses {
            assert!(has_text(response, "description"), "{call} {status}");
            if ["204", "304"].contains(&status.as_str()) {
                continue;
            }
            let (media_type, content) = object(&response["content"]).iter().next().unwrap();
            let is_problem = !status.starts_with('2');
            let id = operation["operationId"].as_str().unwrap();
            let expected = match id {
                _ if is_problem => "application/problem+json",
                _ if id.starts_with("follow") => "text/event-stream",
                _ if id.starts_with("download") => "application/x-ndjson",
                _ if id.starts_with("draw") => "image/svg+xml",
                _ => "application/json",
            };
            assert_eq!(media_type, expected, "{call} {status}");
            if !is_problem {
                assert_valid(&document, &content["schema"], &content["example"], &format!("{call} {status}"));
                continue;
            }
            assert_eq!(content["schema"]["$ref"], "#/components/schemas/Problem", "{call} {status}");
            // There is one example per problem kind.
            let examples = object(&content["examples"]);
            assert!(!examples.is_empty(), "{call} {status}: no example");
            for (kind, example) in examples {
                let example = &example["value"];
                assert_eq!(example["type"], format!("/problems/{kind}"), "{call} {status}");
                // The `default` response covers several statuses.
                let code = example["status"].as_u64().unwrap_or_default();
                assert!(status == "default" || status.parse() == Ok(code), "{call} {status}");
                assert_valid(&document, &content["schema"], example, &format!("{call} {status} {kind}"));
            }
        }
    }
}

#[test]
fn every_request_body_has_an_example() {
    let document = document();
    for (call, operation) in operations(&document) {
        let Some(body) = operation.get("requestBody") else { continue };
        assert!(has_text(body, "description"), "{call}");
        for (media_type, content) in object(&body["content"]) {
            assert!(content.get("example").is_some(), "{call}: no example of {media_type}");
            if media_type == "application/json" {
                assert_valid(&document, &content["schema"], &content["example"], &call);
                assert!(content["example"].is_object(), "{call}");
                assert!(content["schema"].get("$ref").is_some(), "{call}: {}", content["schema"]);
            }
        }
    }
}

/// Checks that an example is valid for its schema.
fn assert_valid(document: &Value, schema: &Value, example: &Value, location: &str) {
    let mut root = object(schema).clone();
    root.insert("components".to_owned(), document["components"].clone());
    let validator = jsonschema::options().should_validate_formats(true).build(&Value::Object(root)).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(example).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{location}: {errors:?}");
}

#[test]
fn every_component_is_described_and_used() {
    let document = document();
    let text = document.to_string();
    for (name, schema) in object(&document["components"]["schemas"]) {
        assert!(has_text(schema, "description"), "{name}");
        assert!(name.chars().all(char::is_alphanumeric), "{name}");
        assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "{name} is not used");
        for (property, shape) in schema["properties"].as_object().into_iter().flatten() {
            // A nullable property has its description at the alternative that is not null.
            let is_described = has_text(shape, "description") || has_text(&shape["oneOf"][0], "description");
            assert!(is_described, "{name}.{property}: {shape}");
        }
    }
}

#[test]
fn schemas_have_no_anonymous_alternatives() {
    fn walk(value: &Value, location: &str) {
        match value {
            Value::Object(fields) => {
                assert!(fields.get("allOf").is_none(), "{location}: an anonymous intersection");
                if let Some(options) = fields.get("oneOf").and_then(Value::as_array) {
                    let is_named = |option: &Value| option.get("$ref").is_some() || option["type"] == "null";
                    assert!(options.iter().all(is_named), "{location}: {options:?}");
                }
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    assert!(reference.starts_with("#/components/schemas/"), "{location}: {reference}");
                }
                fields.iter().for_each(|(key, value)| walk(value, &format!("{location}/{key}")));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, location)),
            _ => {}
        }
    }
    let document = document();
    walk(&document["components"], "components");
    walk(&document["paths"], "paths");
}

/// Maps are named types, so that a client has one class for each. Maps in node configs are exempt, since they depend on
/// the kind of the node.
#[test]
fn maps_are_named_types() {
    fn walk(value: &Value, location: &str) {
        let exempt = ["/OtherNode/properties/config", "NodeConfig/properties/", "/NodeType/properties/"];
        match value {
            Value::Object(fields) => {
                let is_map = fields.get("additionalProperties").is_some_and(Value::is_object);
                let is_named = location.matches('/').count() == 1;
                assert!(
                    !is_map || is_named || exempt.iter().any(|part| location.contains(part)),
                    "{location}"
                );
                fields.iter().for_each(|(key, value)| walk(value, &format!("{location}/{key}")));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, location)),
            _ => {}
        }
    }
    let document = document();
    walk(&document["components"]["schemas"], "");
    walk(&document["paths"], "/paths/");
}

/// Fields that can be omitted are never null, so that clients have to check for only one of them.
#[test]
fn omitted_fields_are_not_nullable() {
    let document = document();
    for name in ["RunEvent", "PausedWorkflowEvent", "Problem", "Diagnostic"] {
        let text = document["components"]["schemas"][name].to_string();
        assert!(text.contains("properties") && !text.contains("\"null\""), "{name}: {text}");
    }
}
