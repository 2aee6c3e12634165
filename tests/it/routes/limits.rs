//! Limits of runs, outputs, responses and definitions.

use serde_json::{Map, Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::database::Backend;
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of, task};

on_both_databases!(
    rejects_arrays_for_objects_in_definitions,
    output_nested_too_deep_fails_its_node,
    rejects_a_page_that_is_too_large,
    partial_run_times_out,
);

/// Returns the workflow input → m0 → m1 → …. Each merge node wraps the output of the previous one.
fn merges(count: usize) -> Value {
    let ids: Vec<String> = (0..count).map(|n| format!("m{n}")).collect();
    let links = ["input_node"].into_iter().chain(ids.iter().map(String::as_str)).collect::<Vec<_>>();
    workflow("merges", ids.iter().map(|id| merge(id)).chain([input()]).collect(), chain(&links))
}

async fn output_nested_too_deep_fails_its_node(app: App) {
    let run = id_of(&app.create_and_run(&merges(120), &run_body("hi")).await);
    let run = app.read_run(&run).await;
    assert_eq!(run["status"], "FAILED");
    let failed = task(&run, "m99");
    assert_eq!(task(&run, "m98")["status"], "COMPLETED");
    assert!(
        failed["error"].as_str().is_some_and(|error| error.contains("nested 101 levels deep")),
        "{failed}"
    );
    assert_eq!(app.get(&format!("/run/{}/timeline/", id_of(&run))).await.status, 200);
    assert_eq!(app.get("/run/").await.ok().as_array().map(Vec::len), Some(1));
}

async fn rejects_a_page_that_is_too_large(app: App) {
    let workflow = app.create(&merges(7)).await;
    let large = json!({"initial_inputs": {"input_node": {"x": "x".repeat(5 << 20)}}});
    for _ in 0..2 {
        let run = app.start_run(&workflow, &large).await;
        app.run_until(&run, "COMPLETED").await;
    }
    let rejected = app.get("/run/?page_size=2").await.problem(422);
    assert_eq!(rejected["errors"][0]["pointer"], "/page_size", "{rejected}");
    assert_eq!(app.get("/run/?page_size=1").await.ok().as_array().map(Vec::len), Some(1));
}

async fn partial_run_times_out(mut app: App) {
    app.restart_with(&[("SLUICE_MAX_RUN_WAIT_SECONDS", "1")]).await;
    let workflow = app.create(&after_input("endless", never_ending("p"))).await;
    let part = json!({"node_id": "p", "initial_inputs": {"input_node": {"x": "q"}}});
    let timed_out = app.post(&format!("/wf/{workflow}/run_partial/")).json(&part).await.problem(400);
    assert!(timed_out["detail"].as_str().is_some_and(|detail| detail.contains("1s")), "{timed_out}");
}

/// Returns a workflow of nested loops that pass on all their inputs.
fn nested_loops() -> Value {
    let iterations = |times| json!({"num_iterations": times});
    let plain_node = |id, kind| node(id, kind, json!({}));
    let nodes = vec![
        input(),
        node("outer", "ForLoopNode", iterations(1_000)),
        with_parent(plain_node("outer_in", "InputNode"), "outer"),
        with_parent(node("inner", "ForLoopNode", iterations(1_000)), "outer"),
        with_parent(plain_node("outer_out", "OutputNode"), "outer"),
        with_parent(plain_node("inner_in", "InputNode"), "inner"),
        with_parent(plain_node("inner_out", "OutputNode"), "inner"),
    ];
    let links = [
        chain(&["input_node", "outer"]),
        chain(&["outer_in", "inner", "outer_out"]),
        chain(&["inner_in", "inner_out"]),
    ];
    workflow("loops", nodes, links.concat())
}

#[tokio::test]
async fn loops_of_tiny_values_are_limited() {
    let app = App::start(Backend::Sqlite).await;
    let run = app.create_and_run(&nested_loops(), &json!({})).await;
    assert_eq!(run["status"], "FAILED", "{}", run["message"]);
    let error = task(&app.read_run(&id_of(&run)).await, "outer")["error"].clone();
    assert!(error.as_str().is_some_and(|error| error.contains("inner")), "{error}");
}

#[tokio::test]
async fn node_and_page_limits_are_settings() {
    let mut app = App::start(Backend::Sqlite).await;
    let large = app.create(&merges(3)).await;
    for n in 0..3 {
        app.create(&plain(&format!("small {n}"))).await;
    }
    app.restart_with(&[("SLUICE_MAX_DEFINITION_NODES", "3"), ("SLUICE_MAX_PAGE_SIZE", "2")]).await;
    let rejected = app.post("/wf/").json(&merges(3)).await.problem(422);
    assert_eq!(rejected["errors"][0]["code"], "too_many_nodes", "{rejected}");
    assert!(
        rejected["errors"][0]["detail"].as_str().is_some_and(|text| text.contains("the limit is 3")),
        "{rejected}"
    );
    let import = app.post("/wf/import/").json(&merges(3)).await.problem(422);
    assert_eq!(import["errors"][0]["code"], "too_many_nodes", "{import}");
    let validated = app.post("/wf/validate/").json(&merges(3)).await.ok();
    assert_eq!(validated["valid"], false);
    assert_eq!(validated["diagnostics"][0]["code"], "too_many_nodes");
    app.create(&merges(2)).await;
    // Existing workflows are not affected.
    assert_eq!(app.run(&large, &run_body("hi")).await["status"], "COMPLETED");

    assert_eq!(app.get("/wf/").await.ok().as_array().map(Vec::len), Some(2));
    let page = app.get("/wf/?page_size=3").await.problem(422);
    assert_json!(page["errors"][0], {"pointer": "/page_size", "code": "range"});
    // The document is the same on every server.
    let document = app.get("/openapi.json").await.ok();
    let parameters = document["paths"]["/wf/"]["get"]["parameters"].as_array().expect("parameters");
    let page_size = parameters.iter().find(|parameter| parameter["name"] == "page_size").expect("page_size");
    assert_json!(page_size["schema"], {"maximum": 100, "default": 10});
    assert!(!document["info"]["description"].as_str().expect("a text").contains("--max-definition-nodes"));
}

#[tokio::test]
async fn only_batches_have_output_files() {
    let app = App::start(Backend::Sqlite).await;
    let workflow = app.create(&plain("plain")).await;
    app.post(&format!("/wf/{workflow}/start_run/?run_type=batch")).json(&run_body("hi")).await.ok();
    assert_eq!(app.get("/of/").await.ok(), json!([]));
}

#[tokio::test]
async fn rejects_an_array_as_a_body() {
    let app = App::start(Backend::Sqlite).await;
    let rejected = app.post("/wf/").json(&json!(["a name", "a description"])).await;
    assert_eq!(rejected.pointers(), [""]);
    let workflow = app.create(&plain("plain")).await;
    let inputs: Map<String, Value> = Map::from_iter([("input_node".to_owned(), json!({"x": "hi"}))]);
    app.post(&format!("/wf/{workflow}/start_run/")).json(&json!([inputs])).await.problem(422);
}

/// Serde would deserialize an array as the fields of a struct, in their order.
async fn rejects_arrays_for_objects_in_definitions(app: App) {
    let node = json!(["a", "a", null, "InputNode", {}]);
    let good = plain("plain")["definition"].clone();
    for (pointer, bad) in [
        ("/definition/nodes/0", json!({"nodes": [node], "links": []})),
        ("/definition/links/0", json!({"nodes": good["nodes"], "links": [["input_node", "output_node"]]})),
        ("/definition", json!([good["nodes"], []])),
    ] {
        let body = json!({"name": "listed", "definition": bad});
        assert_eq!(app.post("/wf/").json(&body).await.pointers(), [pointer]);
        let report = app.post("/wf/validate/").json(&body).await.ok();
        assert_eq!(report["valid"], false, "{report}");
        assert_eq!(report["diagnostics"][0]["pointer"], json!(pointer), "{report}");
        app.post("/wf/import/").json(&body).await.problem(422);
    }
    let mut document =
        app.get(&format!("/wf/{}/export/?versions=true", app.create(&plain("plain")).await)).await.ok();
    document["versions"] = json!([[1, "plain", null, good, null, null, "2026-01-01T00:00:00Z"]]);
    app.post("/wf/import/").json(&document).await.problem(422);
    assert_eq!(app.get("/wf/").await.ok().as_array().expect("a list").len(), 1);
}
