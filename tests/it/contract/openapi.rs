//! `/openapi.json` and `/docs`: rules for generated clients, and the copy in the repository.

use std::collections::HashSet;

use serde_json::Value;

use crate::support::app::App;
use crate::support::database::Backend;
use crate::support::process;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

async fn document() -> Value {
    App::start(Backend::Sqlite).await.get("/openapi.json").await.ok()
}

/// Returns the operations: (method and path, operation).
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = Vec::new();
    for (path, entry) in paths {
        for method in METHODS {
            if let Some(operation) = entry.get(method) {
                operations.push((format!("{method} {path}"), operation));
            }
        }
    }
    operations
}

#[tokio::test]
async fn document_matches_the_file_in_the_repository() {
    let served = document().await;
    // Read at run time, since `make openapi` builds before the file exists.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/openapi.json");
    let text = std::fs::read_to_string(path).expect("openapi/openapi.json: run `make openapi`");
    let checked_in: Value = serde_json::from_str(&text).expect("JSON");
    assert!(served == checked_in, "the API changed: run `make openapi` and look at the difference");
    let printed = process::run(&["openapi"], &[]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(printed.stdout, text, "run `make openapi`");
}

#[tokio::test]
async fn every_operation_has_a_description() {
    let document = document().await;
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1"));
    let tags: HashSet<&str> = document["tags"]
        .as_array()
        .expect("tags")
        .iter()
        .map(|t| {
            assert!(t["description"].as_str().is_some_and(|d| !d.is_empty()), "{t}");
            t["name"].as_str().expect("a name")
        })
        .collect();
    let mut ids = HashSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{name} has no operationId"));
        let lower_camel =
            id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(lower_camel, "{name}: {id}");
        assert!(ids.insert(id.to_owned()), "{id} is not unique");
        for member in ["summary", "description"] {
            assert!(operation[member].as_str().is_some_and(|s| !s.is_empty()), "{name} has no {member}");
        }
        let used = operation["tags"].as_array().unwrap_or_else(|| panic!("{name} has no tag"));
        assert!(
            !used.is_empty() && used.iter().all(|t| tags.contains(t.as_str().expect("a tag"))),
            "{name}: {used:?}"
        );
    }
    for id in ["createWorkflow", "startRun"] {
        assert!(ids.contains(id), "{id} is missing in {ids:?}");
    }
}

#[tokio::test]
async fn every_body_has_a_schema_and_an_example() {
    let document = document().await;
    for (name, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let location = format!("{name} {status}");
            assert!(
                response["description"].as_str().is_some_and(|d| !d.is_empty()),
                "{location} has no description"
            );
            for (kind, content) in response["content"].as_object().into_iter().flatten() {
                let is_problem = status.starts_with('4') || status.starts_with('5');
                assert!(!is_problem || kind == "application/problem+json", "{location}: {kind}");
                check_content(&document, &location, kind, content);
            }
        }
        for (kind, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
            check_content(&document, &name, kind, content);
        }
        let problems =
            operation["responses"].as_object().expect("responses").keys().filter(|s| s.starts_with('4'));
        let cannot_fail =
            ["/healthz", "/readyz", "/node/supported_types/"].iter().any(|path| name.ends_with(path));
        assert!(problems.count() > 0 || cannot_fail, "{name} has no 4xx response");
    }
}

fn check_content(document: &Value, location: &str, kind: &str, content: &Value) {
    assert!(content["schema"].is_object(), "{location}: {kind} has no schema");
    if kind.contains("json") {
        let has_own = ["example", "examples"].iter().any(|member| !content[member].is_null());
        assert!(
            has_own || schema_has_example(document, &content["schema"]),
            "{location}: {kind} has no example"
        );
    }
}

fn schema_has_example(document: &Value, schema: &Value) -> bool {
    let target = schema["$ref"].as_str().and_then(|r| document.pointer(r.trim_start_matches('#')));
    [Some(schema), target].into_iter().flatten().any(|s| !s["example"].is_null() || !s["examples"].is_null())
}

#[tokio::test]
async fn every_reference_resolves() {
    fn walk(document: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    let resolved = document.pointer(target.trim_start_matches('#'));
                    assert!(target.starts_with('#') && resolved.is_some(), "{target}");
                }
                members.values().for_each(|v| walk(document, v));
            }
            Value::Array(items) => items.iter().for_each(|v| walk(document, v)),
            _ => {}
        }
    }
    let document = document().await;
    walk(&document, &document);
}

#[tokio::test]
async fn document_has_every_operation_of_the_contract() {
    let document = document().await;
    let names: HashSet<String> = operations(&document)
        .into_iter()
        .map(|(name, _)| {
            let segments = name.trim_end_matches('/').split('/');
            segments.map(|s| if s.starts_with('{') { "*" } else { s }).collect::<Vec<_>>().join("/")
        })
        .collect();
    for call in [
        "post /wf",
        "get /wf",
        "get /wf/*",
        "put /wf/*",
        "delete /wf/*",
        "put /wf/*/reset",
        "post /wf/*/duplicate",
        "get /wf/*/output_variables",
        "post /wf/upload_test_files",
        "get /wf/*/versions",
        "post /wf/*/run",
        "post /wf/*/runv2",
        "post /wf/*/start_run",
        "post /wf/*/run_partial",
        "get /wf/*/runs",
        "get /run",
        "get /run/*",
        "get /run/*/status",
        "post /wf/cancel_workflow/*",
        "get /wf/paused_workflows",
        "get /wf/pause_history/*",
        "post /wf/process_pause_action/*",
        "get /node/supported_types",
    ] {
        assert!(names.contains(call), "{call} is missing in {names:#?}");
    }
}

#[tokio::test]
async fn docs_page_loads_nothing_from_other_hosts() {
    let app = App::start(Backend::Sqlite).await;
    let page = app.get("/docs/").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.content_type().starts_with("text/html"), "{}", page.content_type());
    let references: Vec<&str> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|mark| page.text.split(mark).skip(1))
        .map(|rest| rest.split('"').next().unwrap_or_default())
        .collect();
    assert!(references.len() > 2, "{}", page.text);
    for file in references {
        assert!(!file.contains("//"), "{file} is on another host");
        let path = if file.starts_with('/') {
            file.to_owned()
        } else {
            format!("/docs/{}", file.trim_start_matches("./"))
        };
        assert_eq!(app.get(&path).await.status, 200, "{path}");
    }
    assert_eq!(app.get("/docs").await.status, 200, "without the trailing slash");
}
