//! Rules that client generators need.

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

/// (method and path, operation) of every call.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = object(&document["paths"]).iter();
    paths
        .flat_map(|(path, item)| {
            let calls = object(item).iter().filter(|(method, _)| METHODS.contains(&method.as_str()));
            calls.map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

#[test]
fn the_document_is_ours() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let info = &document["info"];
    assert_eq!((&info["title"], &info["version"]), (&"Sluice".into(), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!(info["license"]["name"], "MIT OR Apache-2.0");
    assert!(info.get("contact").is_none(), "{info}");
    assert!(has_text(info, "description"));
    assert!(document.get("security").is_none(), "every call says itself what it asks for");
    let tags: Vec<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(tags, TAGS.map(|(name, _)| name));
    assert!(document["tags"].as_array().unwrap().iter().all(|tag| has_text(tag, "description")));
}

#[test]
fn every_call_of_the_contract_is_there() {
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
fn every_call_says_what_it_is() {
    let document = document();
    let tags: HashSet<&str> = TAGS.iter().map(|(name, _)| *name).collect();
    for (call, operation) in operations(&document) {
        assert!(has_text(operation, "summary"), "{call}: summary");
        assert!(has_text(operation, "description"), "{call}: description");
        let own: Vec<&str> = operation["tags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(own.len() == 1 && tags.contains(own[0]), "{call}: {own:?}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(id.len() <= 24 && id.chars().all(char::is_alphanumeric), "{call}: {id}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(has_text(parameter, "description"), "{call}: {parameter}");
            assert_eq!(parameter["required"], parameter["in"] == "path", "{call}: {parameter}");
            // Swagger UI would send it with every call.
            let is_filled_in = parameter.get("example").is_some();
            assert!(!is_filled_in || parameter["required"] == true, "{call}: {parameter}");
        }
    }
}

#[test]
fn every_answer_is_described_typed_and_shown() {
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
                assert_fits(&document, &content["schema"], &content["example"], &format!("{call} {status}"));
                continue;
            }
            assert_eq!(content["schema"]["$ref"], "#/components/schemas/Problem", "{call} {status}");
            // Of each kind one.
            let examples = object(&content["examples"]);
            assert!(!examples.is_empty(), "{call} {status}: no example");
            for (kind, example) in examples {
                let example = &example["value"];
                assert_eq!(example["type"], format!("/problems/{kind}"), "{call} {status}");
                // Whatever is answered beside what is told one by one.
                let code = example["status"].as_u64().unwrap_or_default();
                assert!(status == "default" || status.parse() == Ok(code), "{call} {status}");
                assert_fits(&document, &content["schema"], example, &format!("{call} {status} {kind}"));
            }
        }
    }
}

#[test]
fn every_body_is_shown() {
    let document = document();
    for (call, operation) in operations(&document) {
        let Some(body) = operation.get("requestBody") else { continue };
        assert!(has_text(body, "description"), "{call}");
        for (media_type, content) in object(&body["content"]) {
            assert!(content.get("example").is_some(), "{call}: no example of {media_type}");
            if media_type == "application/json" {
                assert_fits(&document, &content["schema"], &content["example"], &call);
                assert!(content["example"].is_object(), "{call}");
                assert!(content["schema"].get("$ref").is_some(), "{call}: {}", content["schema"]);
            }
        }
    }
}

/// An example that doesn't fit its own schema misleads.
fn assert_fits(document: &Value, schema: &Value, example: &Value, place: &str) {
    let mut root = object(schema).clone();
    root.insert("components".to_owned(), document["components"].clone());
    let validator = jsonschema::options().should_validate_formats(true).build(&Value::Object(root)).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(example).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{place}: {errors:?}");
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
            // What may be null has its description at the alternative that may not.
            let is_described = has_text(shape, "description") || has_text(&shape["oneOf"][0], "description");
            assert!(is_described, "{name}.{property}: {shape}");
        }
    }
}

#[test]
fn nothing_is_anonymous_that_generators_stumble_over() {
    fn walk(value: &Value, place: &str) {
        match value {
            Value::Object(fields) => {
                assert!(fields.get("allOf").is_none(), "{place}: an anonymous intersection");
                if let Some(options) = fields.get("oneOf").and_then(Value::as_array) {
                    let named = |option: &Value| option.get("$ref").is_some() || option["type"] == "null";
                    assert!(options.iter().all(named), "{place}: {options:?}");
                }
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    assert!(reference.starts_with("#/components/schemas/"), "{place}: {reference}");
                }
                fields.iter().for_each(|(key, value)| walk(value, &format!("{place}/{key}")));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, place)),
            _ => {}
        }
    }
    let document = document();
    walk(&document["components"], "components");
    walk(&document["paths"], "paths");
}

/// Values by name are a type of their own, so that clients get one class for all places; what the kind of a node
/// decides is not theirs.
#[test]
fn values_by_name_are_named() {
    fn walk(value: &Value, place: &str) {
        let own = ["/OtherNode/properties/config", "NodeConfig/properties/", "/NodeType/properties/"];
        match value {
            Value::Object(fields) => {
                let is_free = fields.get("additionalProperties").is_some_and(Value::is_object);
                let is_named = place.matches('/').count() == 1;
                assert!(!is_free || is_named || own.iter().any(|own| place.contains(own)), "{place}");
                fields.iter().for_each(|(key, value)| walk(value, &format!("{place}/{key}")));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, place)),
            _ => {}
        }
    }
    let document = document();
    walk(&document["components"]["schemas"], "");
    walk(&document["paths"], "/paths/");
}

/// A field that is left out when there is nothing to say is never null: clients need not ask for both.
#[test]
fn what_events_leave_out_is_never_null() {
    let document = document();
    for name in ["RunEvent", "PausedWorkflowEvent", "Problem", "Diagnostic"] {
        let text = document["components"]["schemas"][name].to_string();
        assert!(text.contains("properties") && !text.contains("\"null\""), "{name}: {text}");
    }
}
