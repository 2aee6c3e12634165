//! The workflows in `examples/`, and the quick start of the README.

use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::definitions::*;
use crate::support::json::assert_json;

on_both_databases!(
    approval_example_waits_for_approval,
    router_example_selects_the_queue,
    loop_example_counts,
    readme_commands_work
);

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("an example is JSON")
}

/// Saves an example and checks the returned definition.
async fn save(app: &App, example: &Value) -> String {
    let created = app.post("/wf/").json(example).await.ok();
    assert_json!(created, {"name": example["name"], "description": example["description"]});
    created["id"].as_str().expect("an id").to_owned()
}

async fn approval_example_waits_for_approval(app: App) {
    let id = save(&app, &read(include_str!("../../../examples/approval.json"))).await;
    let body = json!({"initial_inputs": {"input_node": {"customer": "Ada", "amount": 120}}});
    let run = app.start_run(&id, &body).await;
    let paused = app.run_until(&run, "PAUSED").await;
    assert!(paused["outputs"]["output_node"].is_null(), "the output node waits for the approval");
    let listed = app.get("/wf/paused_workflows/").await.ok();
    let waiting = &listed[0]["current_pause"];
    assert_eq!(waiting["node_id"], "approval");
    assert_eq!(waiting["input_data"]["draft"]["refund"]["customer"], "Ada", "{waiting}");
    let approval =
        json!({"inputs": {"reviewer": "Grace"}, "user_id": "grace", "action": "APPROVE", "comments": "fine"});
    app.pause_decide(&run, &approval).await.ok();
    let done = app.run_until(&run, "COMPLETED").await;
    let expected =
        json!({"customer": "Ada", "amount": 120, "text": "We refund your order.", "reviewer": "Grace"});
    assert_eq!(done["outputs"]["output_node"], expected);
}

async fn router_example_selects_the_queue(app: App) {
    let id = save(&app, &read(include_str!("../../../examples/router.json"))).await;
    for (priority, amount, queue) in [("high", 1, "urgent"), ("low", 5000, "urgent"), ("low", 10, "normal")] {
        let body = json!({"initial_inputs": {"input_node": {"priority": priority, "amount": amount}}});
        let run = app.run(&id, &body).await;
        assert_eq!(run["outputs"]["output_node"], json!({"queue": queue}), "{priority} {amount}");
    }
}

async fn loop_example_counts(app: App) {
    let id = save(&app, &read(include_str!("../../../examples/loop.json"))).await;
    let run = app.run(&id, &json!({"initial_inputs": {"input_node": {"start": 1}}})).await;
    assert_eq!(run["status"], "COMPLETED", "{run:#}");
    assert_eq!(run["outputs"]["output_node"], json!({"value": 32, "steps": [2, 4, 8, 16, 32]}));
    // Another workflow runs afterwards.
    app.create_and_run(&plain("afterwards"), &run_body("hi")).await;
}

/// Runs the shell blocks of the README in order. Each waits until the run has the status that the README
/// states.
async fn readme_commands_work(app: App) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let readme = std::fs::read_to_string(format!("{root}/README.md")).expect("the README");
    let blocks: Vec<&str> =
        readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [create, start, see, approve, read] = blocks[..] else {
        panic!("the README has other blocks: {blocks:?}")
    };
    let until = |status: &str| {
        format!(
            "until curl -s localhost:8080/run/$run/ | grep -q '\"status\":\"{status}\"'; do sleep 0.05; done\n"
        )
    };
    let script =
        ["set -e\n", create, start, &until("PAUSED"), see, approve, &until("COMPLETED"), read].concat();
    let script = script.replace("localhost:8080", app.base().trim_start_matches("http://"));
    let bash = tokio::process::Command::new("timeout")
        .args(["30", "bash", "-c", &script])
        .current_dir(root)
        .output();
    let output = bash.await.expect("bash runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("\"pause_message\": \"Please check this refund.\""), "{stdout}");
    let outputs = stdout.rsplit_once("]\n").expect("the list, then the outputs").1;
    let outputs: Value = serde_json::from_str(outputs).expect("the outputs in JSON");
    let expected =
        json!({"customer": "Ada", "amount": 120, "text": "We refund your order.", "reviewer": "Grace"});
    assert_eq!(outputs["output_node"], expected);
}
