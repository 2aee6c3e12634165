//! `ForLoopNode`: a body that runs repeatedly on its own previous outputs.

use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::definitions::*;
use crate::support::json::task;
use crate::support::polling::eventually;

on_both_databases!(
    loop_passes_values_between_iterations,
    long_loop_leaves_the_server_responsive_and_can_be_canceled,
    children_of_a_loop_are_its_body,
    loop_body_reads_the_history,
    loop_without_a_map_passes_all_inputs,
    nested_loops_run,
    failure_in_the_body_fails_the_loop,
    gate_in_the_body_pauses_each_iteration,
    loop_survives_a_crash_at_its_gate,
);

/// Returns the nodes `start` → `step` → `end`. `step` adds one, and sums the outputs of earlier iterations.
fn body_nodes() -> Vec<Value> {
    let code = "before = input_model.start.loop_history.get('step', [])\n\
                count = input_model.start.count + 1\n\
                return {'count': count, 'total': sum([b['count'] for b in before]) + count}";
    vec![
        node("start", "InputNode", json!({"output_schema": {"count": "int"}, "enforce_schema": false})),
        python_with_outputs("step", code, json!({"count": "int", "total": "int"})),
        output_named("end", json!({"count": "step.count", "total": "step.total"})),
    ]
}

fn body_links() -> Vec<Value> {
    chain(&["start", "step", "end"])
}

fn loop_node(times: u32, body: Value) -> Value {
    let config =
        json!({"num_iterations": times, "input_map": {"count": "input_node.x"}, "subworkflow": body});
    node("loop", "ForLoopNode", config)
}

fn with_loop(name: &str, loop_node: Value) -> Value {
    workflow(
        name,
        vec![input(), loop_node, output(json!({"count": "loop.count"}))],
        chain(&["input_node", "loop", "output_node"]),
    )
}

fn assert_counted_to_three(run: &Value) {
    assert_eq!(run["status"], "COMPLETED", "{run:#}");
    assert_eq!(run["outputs"]["loop"], json!({"count": 3, "total": 6}));
    assert_eq!(run["outputs"]["output_node"], json!({"count": 3}));
    let steps: Vec<&Value> =
        task(run, "loop")["subworkflow_output"]["step"].as_array().expect("the steps").iter().collect();
    assert_eq!(
        steps,
        [
            &json!({"count": 1, "total": 1}),
            &json!({"count": 2, "total": 3}),
            &json!({"count": 3, "total": 6})
        ]
    );
}

async fn loop_passes_values_between_iterations(app: App) {
    let body = with_loop("config", loop_node(3, definition(body_nodes(), body_links())));
    let run = app.create_and_run(&body, &run_body(0)).await;
    assert_counted_to_three(&run);
    assert!(!task(&run, "loop")["subworkflow"].is_null(), "the task shows the body that ran");
}

async fn children_of_a_loop_are_its_body(app: App) {
    let mut config = loop_node(3, Value::Null);
    config["config"].as_object_mut().expect("a config").remove("subworkflow");
    let mut body = with_loop("children", config);
    let nodes = body["definition"]["nodes"].as_array_mut().expect("nodes");
    nodes.extend(body_nodes().into_iter().map(|node| with_parent(node, "loop")));
    body["definition"]["links"].as_array_mut().expect("links").extend(body_links());
    let run = app.create_and_run(&body, &run_body(0)).await;
    assert_counted_to_three(&run);
}

async fn loop_body_reads_the_history(app: App) {
    let nodes = vec![
        node("start", "InputNode", json!({"output_schema": {"count": "int"}, "enforce_schema": false})),
        python("seen", "return {'out': len(input_model.start.loop_history.get('seen', []))}"),
        output_named("end", json!({"count": "seen.out"})),
    ];
    let body = with_loop("history", loop_node(4, definition(nodes, chain(&["start", "seen", "end"]))));
    let run = app.create_and_run(&body, &run_body(0)).await;
    assert_eq!(run["outputs"]["loop"], json!({"count": 3}));
    let history = &task(&run, "loop")["subworkflow_output"];
    assert_eq!(history["seen"], json!([{"out": 0}, {"out": 1}, {"out": 2}, {"out": 3}]));
    assert_eq!(history["start"][3], json!({"count": 2}), "the history does not contain itself: {history}");
}

async fn loop_without_a_map_passes_all_inputs(app: App) {
    let nodes = vec![
        node("start", "InputNode", json!({"output_schema": {}, "enforce_schema": false})),
        output_named("end", json!({"count": "start.input_node.x"})),
    ];
    let config = json!({"subworkflow": definition(nodes, chain(&["start", "end"]))});
    let run =
        app.create_and_run(&with_loop("no map", node("loop", "ForLoopNode", config)), &run_body("hi")).await;
    assert_eq!(run["outputs"]["loop"], json!({"count": "hi"}), "one iteration by default");
}

async fn nested_loops_run(app: App) {
    let mut inner = loop_node(3, definition(body_nodes(), body_links()));
    inner["id"] = json!("inner");
    inner["title"] = json!("inner");
    inner["config"]["input_map"] = json!({"count": "outer_start.count"});
    let nodes = vec![
        node("outer_start", "InputNode", json!({"output_schema": {"count": "int"}, "enforce_schema": false})),
        inner,
        output_named("outer_end", json!({"count": "inner.count"})),
    ];
    let body =
        with_loop("nested", loop_node(2, definition(nodes, chain(&["outer_start", "inner", "outer_end"]))));
    let run = app.create_and_run(&body, &run_body(0)).await;
    assert_eq!(run["outputs"]["output_node"], json!({"count": 6}), "{run:#}");
    let inner = &task(&run, "loop")["subworkflow_output"]["inner"];
    assert_eq!(*inner, json!([{"count": 3, "total": 6}, {"count": 6, "total": 15}]));
}

async fn failure_in_the_body_fails_the_loop(app: App) {
    let mut nodes = body_nodes();
    nodes[1] = python_with_outputs(
        "step",
        "if input_model.start.count == 1:\n    raise ValueError('not again')\nreturn {'count': 1, 'total': 1}",
        json!({"count": "int", "total": "int"}),
    );
    let body = with_loop("fails", loop_node(3, definition(nodes, body_links())));
    let run = app.create_and_run(&body, &run_body(0)).await;
    assert_eq!(run["status"], "FAILED");
    let failed = task(&run, "loop");
    assert_eq!(failed["status"], "FAILED");
    assert!(failed["error"].as_str().expect("an error").contains("not again"), "{failed}");
    assert_eq!(task(&run, "output_node")["error"], "Upstream failure");
}

fn gated_loop(name: &str) -> Value {
    let nodes = vec![
        node("start", "InputNode", json!({"output_schema": {"count": "int"}, "enforce_schema": false})),
        gate("gate"),
        output_named("end", json!({"count": "gate.next"})),
    ];
    with_loop(name, loop_node(2, definition(nodes, chain(&["start", "gate", "end"]))))
}

async fn wait_for_pauses(app: &App, run: &str, count: usize) -> Value {
    eventually(&format!("pause {count} of {run}"), async || {
        let history = app.get(&format!("/wf/pause_history/{run}/")).await.ok();
        let list = history.as_array().expect("a list");
        (list.len() == count && list[0]["resume_action"].is_null()).then_some(history)
    })
    .await
}

fn approval(n: u32) -> Value {
    json!({"inputs": {"next": n}, "user_id": "ada", "action": "APPROVE"})
}

async fn gate_in_the_body_pauses_each_iteration(app: App) {
    let run = app.start_to_pause(&gated_loop("gate")).await;
    let first = wait_for_pauses(&app, &run, 1).await;
    assert_eq!(first[0]["pause_message"], "please look");
    let paused = app.read_run(&run).await;
    assert_eq!(task(&paused, "output_node")["status"], "PENDING");
    app.pause_decide(&run, &approval(7)).await.ok();
    let second = wait_for_pauses(&app, &run, 2).await;
    assert_eq!(second[0]["input_data"]["start"]["count"], 7, "{second}");
    app.run_until(&run, "PAUSED").await;
    app.pause_decide(&run, &approval(8)).await.ok();
    let done = app.run_until(&run, "COMPLETED").await;
    assert_eq!(done["outputs"]["output_node"], json!({"count": 8}));
    assert_eq!(task(&done, "loop")["subworkflow_output"]["end"], json!([{"count": 7}, {"count": 8}]));
}

async fn loop_survives_a_crash_at_its_gate(mut app: App) {
    let run = app.start_to_pause(&gated_loop("crash")).await;
    app.pause_decide(&run, &approval(7)).await.ok();
    wait_for_pauses(&app, &run, 2).await;
    app.crash_and_restart().await;
    let waiting = wait_for_pauses(&app, &run, 2).await;
    assert_eq!(waiting[1]["resume_action"], "APPROVE", "{waiting}");
    app.pause_decide(&run, &approval(8)).await.ok();
    let done = app.run_until(&run, "COMPLETED").await;
    assert_eq!(task(&done, "loop")["subworkflow_output"]["end"], json!([{"count": 7}, {"count": 8}]));
}

/// Nested loops take seconds. Meanwhile the server responds, and a cancel stops them.
async fn long_loop_leaves_the_server_responsive_and_can_be_canceled(app: App) {
    let innermost = definition(
        vec![
            node("i", "InputNode", json!({})),
            static_node("s", json!({"k": 1})),
            output_named("o", json!({"k": "s.k"})),
        ],
        chain(&["i", "s", "o"]),
    );
    let inner = node("inner", "ForLoopNode", json!({"num_iterations": 1000, "subworkflow": innermost}));
    let body = definition(
        vec![node("i", "InputNode", json!({})), inner, output_named("o", json!({"k": "inner.k"}))],
        chain(&["i", "inner", "o"]),
    );
    let outer = node("outer", "ForLoopNode", json!({"num_iterations": 1000, "subworkflow": body}));
    let id = app.create(&workflow("w", vec![input(), outer], chain(&["input_node", "outer"]))).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(app.start_run(&id, &run_body("hi")).await);
    }
    for run in &runs {
        app.run_until(run, "RUNNING").await;
    }
    assert_eq!(app.get("/healthz").await.status, 200);
    app.create_and_run(&plain("beside"), &run_body("hi")).await;
    for run in &runs {
        let canceled = app.post(&format!("/wf/cancel_workflow/{run}/")).await.ok();
        assert_eq!(canceled["status"], "CANCELED", "the run ended before it could be canceled");
    }
}
