//! Reruns of runs, and retries of failed runs.

use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of, task};

on_both_databases!(
    rerun_reuses_upstream_results,
    full_rerun_accepts_new_inputs,
    rerun_accepts_another_version,
    rejects_invalid_reruns,
    rerun_pauses_again_at_a_declined_gate,
    retry_resumes_at_the_failed_node,
    retry_resumes_a_loop_in_its_iteration,
    only_failed_runs_can_be_retried,
    retried_run_survives_a_crash,
);

/// Returns the workflow input → a → b → output, in which a and b are Python nodes.
fn two_steps(b: &str) -> Value {
    workflow(
        "two steps",
        vec![
            input(),
            python_with_outputs(
                "a",
                "return {'out': input_model.input_node.x + 'a'}",
                json!({"out": "string"}),
            ),
            python_with_outputs("b", b, json!({"out": "string"})),
            output(json!({"y": "b.out"})),
        ],
        chain(&["input_node", "a", "b", "output_node"]),
    )
}

const APPEND: &str = "return {'out': input_model.a.out + 'b'}";

async fn rerun(app: &App, run: &str, body: &Value) -> Value {
    let started = app.post(&format!("/run/{run}/rerun/")).json(body).await.ok();
    assert_eq!(started["status"], "PENDING", "{started:#}");
    assert_eq!(started["parent_run_id"], run);
    app.run_until(&id_of(&started), "COMPLETED").await
}

async fn rerun_reuses_upstream_results(app: App) {
    let first = app.create_and_run(&two_steps(APPEND), &run_body("x")).await;
    let second = rerun(&app, &id_of(&first), &json!({"from_node": "b"})).await;
    assert_eq!(second["outputs"], first["outputs"]);
    assert_eq!(second["workflow_version_id"], first["workflow_version_id"]);
    for (node, reused, attempts) in
        [("input_node", true, 0), ("a", true, 0), ("b", false, 1), ("output_node", false, 0)]
    {
        let task = task(&second, node);
        assert_eq!(task["reused"], json!(reused), "{task:#}");
        assert_eq!(task["attempts"].as_array().expect("a list").len(), attempts, "{task:#}");
        assert_eq!(task["status"], "COMPLETED");
    }
    // The first run is unchanged.
    assert_eq!(app.read_run(&id_of(&first)).await["tasks"], first["tasks"]);
}

async fn full_rerun_accepts_new_inputs(app: App) {
    let first = app.create_and_run(&two_steps(APPEND), &run_body("x")).await;
    let same = rerun(&app, &id_of(&first), &json!({})).await;
    assert_eq!(same["outputs"], first["outputs"]);
    assert!(same["tasks"].as_array().expect("a list").iter().all(|task| task["reused"] == false));
    let other = rerun(&app, &id_of(&first), &json!({"inputs": {"input_node": {"x": "z"}}})).await;
    assert_eq!(other["outputs"]["output_node"], json!({"y": "zab"}));
}

async fn rerun_accepts_another_version(app: App) {
    let first = app.create_and_run(&two_steps("return {'out': 1 // 0}"), &run_body("x")).await;
    assert_eq!(first["status"], "FAILED");
    let workflow = first["workflow_id"].as_str().expect("a text");
    app.put(&format!("/wf/{workflow}/")).json(&two_steps(APPEND)).await.ok();
    let repaired = rerun(&app, &id_of(&first), &json!({"from_node": "b", "version": 2})).await;
    assert_eq!(repaired["outputs"]["output_node"], json!({"y": "xab"}));
    assert_eq!(repaired["workflow_version"]["version"], 2);
    app.put(&format!("/wf/{workflow}/labels/live/")).json(&json!({"version": 2})).await.ok();
    for pin in ["label=live", "version=2", "version=live"] {
        let path = format!("/run/{}/rerun/?{pin}", id_of(&first));
        let new_run = app.post(&path).json(&json!({"from_node": "b"})).await.ok();
        assert_eq!(new_run["workflow_version"]["version"], 2, "{pin}");
    }
    assert_eq!(task(&repaired, "a")["reused"], true);
}

async fn rejects_invalid_reruns(app: App) {
    let first = app.create_and_run(&two_steps(APPEND), &run_body("x")).await;
    let run = id_of(&first);
    let path = format!("/run/{run}/rerun/");
    for (body, word) in [
        (json!({"from_node": "c"}), "\"c\""),
        (json!({"from_node": "b", "inputs": {"input_node": {"x": "new"}}}), "input_node"),
    ] {
        let problem = app.post(&path).json(&body).await.problem(400);
        assert!(problem["detail"].as_str().expect("a text").contains(word), "{problem:#}");
    }
    for (path, word) in [("?version=7", "version 7"), ("?label=nope", "\"nope\"")] {
        let problem = app.post(&format!("/run/{run}/rerun/{path}")).json(&json!({})).await.problem(404);
        assert!(problem["detail"].as_str().expect("a text").contains(word), "{problem:#}");
    }
    app.post(&path).json(&json!({"version": 7})).await.problem(404);
    let duplicate_version = app.post(&format!("{path}?version=1")).json(&json!({"version": 1})).await;
    assert_eq!(duplicate_version.pointers(), ["/version"]);
    assert_eq!(
        app.post(&path).json(&json!({"inputs": {"input_node": 3}})).await.pointers(),
        ["/inputs/input_node"]
    );
    let unknown = "/run/019aa2b5-0b7c-7f12-8a44-91d0c2e4f602";
    app.post(&format!("{unknown}/rerun/")).json(&json!({})).await.problem(404);
    app.post(&format!("{unknown}/retry/")).json(&json!({})).await.problem(404);
    let runs = app.get(&format!("/wf/{}/runs/", first["workflow_id"].as_str().expect("a text"))).await.ok();
    assert_eq!(runs.as_array().expect("a list").len(), 1, "a rejected rerun does not start a run");
}

async fn rerun_pauses_again_at_a_declined_gate(app: App) {
    let run = app.start_to_pause(&gated_workflow("gated")).await;
    app.pause_decide(&run, &json!({"inputs": {}, "user_id": "ada", "action": "DECLINE"})).await.ok();
    app.run_until(&run, "CANCELED").await;
    let new_run =
        app.post(&format!("/run/{run}/rerun/")).json(&json!({"from_node": "output_node"})).await.ok();
    app.run_until(&id_of(&new_run), "PAUSED").await;
    app.approve(&id_of(&new_run)).await;
    app.run_until(&id_of(&new_run), "COMPLETED").await;
}

/// Returns the workflow input → a, input → b → output. Node b fails at its timeout of 50 ms.
fn partially_failing_workflow() -> Value {
    let code = "n = 0\nwhile True:\n    n = n + 1\nreturn {'out': n}";
    let mut stuck = python("b", code);
    stuck["config"]["policy"] = json!({"timeout_seconds": 0.05});
    workflow(
        "half failing",
        vec![input(), python("a", "return {'out': 1}"), stuck, output(json!({"y": "b.out"}))],
        [chain(&["input_node", "a"]), chain(&["input_node", "b", "output_node"])].concat(),
    )
}

async fn retry(app: &App, run: &str) -> Value {
    app.post(&format!("/run/{run}/retry/")).json(&json!({})).await.ok()
}

async fn retry_resumes_at_the_failed_node(app: App) {
    let failed = app.create_and_run(&partially_failing_workflow(), &run_body("x")).await;
    assert_eq!(failed["status"], "FAILED", "{failed:#}");
    let run = id_of(&failed);
    let retried = retry(&app, &run).await;
    assert_json!(retried, {"id": failed["id"], "status": "RUNNING"});
    assert_eq!(retried["end_time"], Value::Null);
    assert_eq!(task(&retried, "output_node")["status"], "PENDING");
    let retried = app.run_until(&run, "FAILED").await;
    assert_eq!(task(&retried, "a"), task(&failed, "a"), "completed nodes do not run again");
    let numbers: Vec<_> = task(&retried, "b")["attempts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|a| a["number"].clone())
        .collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(task(&retried, "output_node")["error"], "Upstream failure");
}

async fn retry_resumes_a_loop_in_its_iteration(app: App) {
    let code = "if len(input_model.loop_input.loop_history.get('step', [])) == 2:\n    return {'n': 1 // 0}\nreturn {'n': 1}";
    let nodes = vec![
        input(),
        node("loop", "ForLoopNode", json!({"num_iterations": 4})),
        with_parent(node("loop_input", "InputNode", json!({})), "loop"),
        with_parent(python_with_outputs("step", code, json!({"n": "int"})), "loop"),
        with_parent(output_named("loop_output", json!({"n": "step.n"})), "loop"),
    ];
    let links = [chain(&["input_node", "loop"]), chain(&["loop_input", "step", "loop_output"])].concat();
    let failed = app.create_and_run(&workflow("looped", nodes, links), &run_body("x")).await;
    assert_eq!(failed["status"], "FAILED", "{failed:#}");
    assert!(task(&failed, "loop")["error"].as_str().expect("a text").contains("iteration 3"), "{failed:#}");
    retry(&app, &id_of(&failed)).await;
    let retried = app.run_until(&id_of(&failed), "FAILED").await;
    assert_eq!(task(&retried, "loop")["error"], task(&failed, "loop")["error"]);
    let history = &task(&retried, "loop")["subworkflow_output"]["step"];
    assert_eq!(history, &json!([{"n": 1}, {"n": 1}]), "{retried:#}");
}

async fn only_failed_runs_can_be_retried(app: App) {
    let run = app.create_and_run(&plain("plain"), &run_body("x")).await;
    let problem = app.post(&format!("/run/{}/retry/", id_of(&run))).json(&json!({})).await.problem(400);
    assert!(problem["detail"].as_str().expect("a text").contains("COMPLETED"), "{problem:#}");
    let paused = app.start_to_pause(&gated_workflow("gated")).await;
    app.post(&format!("/run/{paused}/retry/")).json(&json!({})).await.problem(400);
    app.run_until(&paused, "PAUSED").await;
}

async fn retried_run_survives_a_crash(mut app: App) {
    let failed = app.create_and_run(&partially_failing_workflow(), &run_body("x")).await;
    retry(&app, &id_of(&failed)).await;
    app.crash_and_restart().await;
    let retried = app.run_until(&id_of(&failed), "FAILED").await;
    assert!(task(&retried, "b")["attempts"].as_array().expect("a list").len() >= 2, "{retried:#}");
}
