//! The request examples of the OpenAPI document: each is sent, with ids of existing resources.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::json::{id_of, ids};

on_both_databases!(every_request_example_is_accepted);

/// Deletes all workflows, creates the resources that `path` names, and returns the path with their ids.
async fn prepare_path(app: &App, document: &Value, path: &str) -> String {
    for id in ids(&app.get("/wf/").await.ok()) {
        app.delete(&format!("/wf/{id}/")).await.expect(204);
    }
    let example = |path: &str| {
        document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"].clone()
    };
    let mut path = path.replace("{label}", "production");
    if path.contains("{workflow_id}") || path.contains("{run_id}") {
        let workflow = id_of(&app.post("/wf/").json(&example("/wf/")).await.ok());
        path = path.replace("{workflow_id}", &workflow);
        if path.contains("{run_id}") {
            let run = app.start_run(&workflow, &example("/wf/{workflow_id}/start_run/")).await;
            app.run_until(&run, "PAUSED").await;
            path = path.replace("{run_id}", &run);
        }
    }
    assert!(!path.contains('{'), "{path}: this test creates no resource for the parameter");
    path
}

/// Returns the form of an example, with the id of an existing workflow.
async fn form_of_example(app: &App, document: &Value, content: &Value) -> Form {
    let schema = content["schema"]["$ref"].as_str().expect("a named form").trim_start_matches('#');
    let is_file = |name: &str| {
        let field = &document.pointer(schema).expect("its schema")["properties"][name];
        [field, &field["items"]].iter().any(|field| field["format"] == "binary")
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut form = Form::new();
    for (name, value) in content["example"].as_object().expect("fields") {
        form = match name.as_str() {
            "workflow_id" => {
                form.text("workflow_id", app.create(&crate::support::definitions::plain("its files")).await)
            }
            name if is_file(name) => {
                let files = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                files.iter().fold(form, |form, file| {
                    form.part(name.to_owned(), Part::text(text(file)).file_name("pasted.csv"))
                })
            }
            name => form.text(name.to_owned(), text(value)),
        };
    }
    form
}

async fn every_request_example_is_accepted(app: App) {
    let document = app.get("/openapi.json").await.ok();
    let mut sent_names = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let bodies = operation["requestBody"]["content"].as_object();
            for (kind, content) in bodies.into_iter().flatten() {
                let path = prepare_path(&app, &document, path).await;
                let name = operation["operationId"].as_str().expect("an operationId");
                let response = if kind.contains("json") {
                    let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
                    app.request(method, &path).body(kind, content["example"].to_string()).await
                } else {
                    assert_eq!(kind.as_str(), "multipart/form-data", "{name}");
                    assert_eq!(method.as_str(), "post", "{name}");
                    app.post(&path).form(form_of_example(&app, &document, content).await).await
                };
                let is_documented = operation["responses"].get(response.status.to_string()).is_some();
                assert!(
                    response.status < 300 && is_documented,
                    "{name}: {} {}",
                    response.status,
                    response.text
                );
                sent_names.push(name.to_owned());
            }
        }
    }
    for name in ["createWorkflow", "startRun", "processPauseAction", "patchWorkflow", "uploadTestFiles"] {
        assert!(sent_names.iter().any(|sent| sent == name), "{name} is missing in {sent_names:?}");
    }
}

/// OpenAPI 3.0 is served for older generators.
#[tokio::test]
async fn document_is_served_as_openapi_3_1_and_3_0() {
    let app = App::start(crate::support::database::Backend::Sqlite).await;
    for (path, version) in [
        ("/openapi.json", "3.1.0"),
        ("/openapi.json?version=3.1", "3.1.0"),
        ("/openapi.json?version=3.0", "3.0.3"),
        ("/api/openapi.json?version=3.0", "3.0.3"),
    ] {
        assert_eq!(app.get(path).await.ok()["openapi"], version, "{path}");
    }
    assert_eq!(app.get("/openapi.json?version=2.0").await.pointers(), ["/version"]);
    let served = app.get("/openapi.json?version=3.0").await.ok();
    let printed = crate::support::process::run(&["openapi", "--version", "3.0"], &[]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert!(
        served == serde_json::from_str::<Value>(&printed.stdout).expect("JSON"),
        "the printed document differs"
    );
}

/// Serde would deserialize an array as the fields of a struct, in their order.
#[tokio::test]
async fn rejects_arrays_for_objects_in_configs() {
    let app = App::start(crate::support::database::Backend::Sqlite).await;
    for (kind, config) in [
        ("PythonFuncNode", json!({"code": "return {}", "policy": [1.0]})),
        ("PythonFuncNode", json!({"code": "return {}", "policy": {"retry": [2]}})),
        ("RouterNode", json!({"route_map": {"high": [[]]}})),
        ("RouterNode", json!({"route_map": {"high": {"conditions": [["a", "equals", 1, "AND"]]}}})),
    ] {
        let nodes = json!([
            {"id": "in", "node_type": "InputNode", "config": {}},
            {"id": "node", "node_type": kind, "config": config},
            {"id": "out", "node_type": "OutputNode", "config": {}},
        ]);
        let body = json!({"name": "lists", "definition": {"nodes": nodes, "links": []}});
        let pointers = app.post("/wf/").json(&body).await.pointers();
        assert!(pointers[0].starts_with("/definition/nodes/1/config/"), "{config}: {pointers:?}");
    }
}
