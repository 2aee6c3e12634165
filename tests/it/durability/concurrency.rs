//! Concurrency limits: nodes and runs above them wait, and workflows share the slots fairly.

use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::database::Backend;
use crate::support::definitions::*;
use crate::support::json::task;
use crate::support::polling::eventually;

async fn cancel(app: &App, run: &str) -> Value {
    app.post(&format!("/wf/cancel_workflow/{run}/")).json(&json!({})).await.ok()
}

#[tokio::test]
async fn nodes_above_the_limit_wait() {
    let app = App::start_with(Backend::Sqlite, &[("SLUICE_MAX_CONCURRENT_NODES", "2")]).await;
    let nodes: Vec<String> = (0..4).map(|n| format!("p{n}")).collect();
    let all = nodes.iter().map(|id| never_ending(id)).chain([input()]).collect();
    let links = nodes.iter().map(|id| link("input_node", id)).collect();
    let workflow = app.create(&workflow("w", all, links)).await;
    let run = app.start_run(&workflow, &run_body("hi")).await;
    let now = eventually("two nodes to run", async || {
        let now = app.read_run(&run).await;
        (nodes.iter().filter(|id| task(&now, id)["status"] == "RUNNING").count() == 2).then_some(now)
    })
    .await;
    let waiting: Vec<&String> = nodes.iter().filter(|id| task(&now, id)["status"] == "PENDING").collect();
    assert_eq!(waiting.len(), 2, "{now:#}");
    assert!(waiting.iter().all(|id| task(&now, id)["start_time"].is_null()), "{now:#}");
    assert_eq!(now["status"], "RUNNING");
    cancel(&app, &run).await;
    // A canceled run releases its slots.
    let quick = after_input("after", python("p", "return {'out': 1}"));
    assert_eq!(app.create_and_run(&quick, &run_body("hi")).await["status"], "COMPLETED");
}

#[tokio::test]
async fn runs_above_the_limit_wait_and_can_be_canceled() {
    let mut app = App::start_with(Backend::Sqlite, &[("SLUICE_MAX_CONCURRENT_RUNS", "1")]).await;
    let busy = app.create(&after_input("busy", never_ending("p"))).await;
    let quick = app.create(&plain("quick")).await;
    let first = app.start_run(&busy, &run_body("hi")).await;
    app.run_until(&first, "RUNNING").await;
    let second = app.start_run(&quick, &run_body("hi")).await;
    let third = app.start_run(&quick, &run_body("hi")).await;
    // Waiting runs wait again after a crash.
    app.crash_and_restart().await;
    app.run_until(&first, "RUNNING").await;
    assert_eq!(app.read_run(&second).await["status"], "PENDING");
    assert_eq!(cancel(&app, &second).await["status"], "CANCELED");
    assert_eq!(app.read_run(&third).await["status"], "PENDING");
    cancel(&app, &first).await;
    app.run_until(&third, "COMPLETED").await;
    assert_eq!(app.read_run(&second).await["status"], "CANCELED");
}

#[tokio::test]
async fn paused_run_holds_no_slot() {
    let app = App::start_with(Backend::Sqlite, &[("SLUICE_MAX_CONCURRENT_RUNS", "1")]).await;
    let gated = app.create(&gated_workflow("gated")).await;
    let mut paused = Vec::new();
    for _ in 0..3 {
        paused.push(app.run(&gated, &run_body("hi")).await["id"].as_str().expect("a text").to_owned());
    }
    for run in &paused {
        app.approve(run).await;
        app.run_until(run, "COMPLETED").await;
    }
}

#[tokio::test]
async fn workflow_limit_leaves_slots_for_others() {
    let app = App::start_with(
        Backend::Sqlite,
        &[
            ("SLUICE_MAX_CONCURRENT_RUNS_PER_WORKFLOW", "1"),
            ("SLUICE_MAX_CONCURRENT_NODES", "8"),
            ("SLUICE_PYTHON_WORKERS", "2"),
        ],
    )
    .await;
    let greedy = app.create(&after_input("greedy", never_ending("p"))).await;
    let first = app.start_run(&greedy, &run_body("hi")).await;
    let second = app.start_run(&greedy, &run_body("hi")).await;
    app.run_until(&first, "RUNNING").await;
    let other = app.create_and_run(&plain("other"), &run_body("hi")).await;
    assert_eq!(other["status"], "COMPLETED");
    assert_eq!(app.read_run(&second).await["status"], "PENDING");
}

#[tokio::test]
async fn slots_are_shared_fairly_between_workflows() {
    let app = App::start_with(Backend::Sqlite, &[("SLUICE_MAX_CONCURRENT_NODES", "1")]).await;
    let many = app.create(&after_input("many", slow("p"))).await;
    let few = app.create(&after_input("few", slow("p"))).await;
    let mut of_many = Vec::new();
    for _ in 0..6 {
        of_many.push(app.start_run(&many, &run_body("hi")).await);
    }
    let of_few = app.start_run(&few, &run_body("hi")).await;
    let few_ended =
        app.run_until(&of_few, "COMPLETED").await["end_time"].as_str().expect("a text").to_owned();
    let mut earlier = 0;
    for run in &of_many {
        let ended = app.run_until(run, "COMPLETED").await["end_time"].as_str().expect("a text").to_owned();
        earlier += usize::from(ended < few_ended);
    }
    assert!(earlier < 6, "the run of the other workflow came last");
}
