//! Timeouts and retries of nodes: `config.policy`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::database::Backend;
use crate::support::definitions::*;
use crate::support::json::{id_of, task};
use crate::support::polling::eventually;

on_both_databases!(
    failing_node_is_retried_up_to_its_policy,
    node_is_stopped_at_its_timeout,
    only_listed_failures_are_retried,
    node_is_retried_after_its_worker_died,
    backoff_survives_a_crash,
    canceled_run_is_not_retried,
    rejects_an_invalid_policy_with_its_pointer,
);

fn with_policy(mut node: Value, policy: Value) -> Value {
    node["config"]["policy"] = policy;
    node
}

fn parse_time(value: &Value) -> DateTime<Utc> {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("not a time: {value}"))
}

fn attempts(task: &Value) -> Vec<(u64, &str, Option<&str>)> {
    let attempts = task["attempts"].as_array().unwrap_or_else(|| panic!("no attempts: {task}"));
    attempts
        .iter()
        .map(|a| {
            (
                a["number"].as_u64().expect("a number"),
                a["status"].as_str().expect("a text"),
                a["failure"].as_str(),
            )
        })
        .collect()
}

async fn failing_node_is_retried_up_to_its_policy(app: App) {
    let retry = json!({"max_attempts": 3, "backoff_seconds": 0.05, "backoff_factor": 2});
    let node = with_policy(failing("p"), json!({"retry": retry}));
    let run = app.create_and_run(&after_input("w", node), &run_body("hi")).await;
    assert_eq!(run["status"], "FAILED", "{run:#}");
    let task = task(&run, "p");
    let failed = |number| (number, "FAILED", Some("error"));
    assert_eq!(attempts(task), [failed(1), failed(2), failed(3)]);
    let all = task["attempts"].as_array().expect("a list");
    for (earlier, later, minimum_ms) in [(&all[0], &all[1], 50), (&all[1], &all[2], 100)] {
        let waited = parse_time(&later["start_time"]) - parse_time(&earlier["end_time"]);
        assert!(waited >= TimeDelta::milliseconds(minimum_ms), "{waited} before the next attempt: {task:#}");
        assert!(earlier["error"].as_str().expect("a text").contains("ZeroDivisionError"), "{task:#}");
    }
    assert_eq!(task["start_time"], all[0]["start_time"]);
    assert_eq!(task["end_time"], all[2]["end_time"]);
}

async fn node_is_stopped_at_its_timeout(app: App) {
    let node = with_policy(never_ending("p"), json!({"timeout_seconds": 0.3}));
    let run = app.create_and_run(&after_input("w", node), &run_body("hi")).await;
    assert_eq!(run["status"], "FAILED", "{run:#}");
    let task = task(&run, "p");
    assert_eq!(attempts(task), [(1, "FAILED", Some("timeout"))]);
    assert!(task["error"].as_str().expect("a text").contains("300ms"), "{task:#}");
    let took = parse_time(&task["end_time"]) - parse_time(&task["start_time"]);
    assert!(took >= TimeDelta::milliseconds(300), "stopped after {took}");
}

async fn only_listed_failures_are_retried(app: App) {
    let retry = json!({"max_attempts": 5, "backoff_seconds": 0, "on": ["timeout"]});
    let node = with_policy(failing("p"), json!({"retry": retry}));
    let run = app.create_and_run(&after_input("w", node), &run_body("hi")).await;
    assert_eq!(attempts(task(&run, "p")), [(1, "FAILED", Some("error"))]);
}

async fn node_is_retried_after_its_worker_died(app: App) {
    let retry = json!({"max_attempts": 2, "backoff_seconds": 0, "on": ["crash"]});
    let node = with_policy(slow("p"), json!({"retry": retry}));
    let workflow = app.create(&after_input("w", node)).await;
    let run = app.start_run(&workflow, &run_body("hi")).await;
    eventually("a worker to die while the node runs", async || {
        let task = task(&app.read_run(&run).await, "p").clone();
        assert_ne!(
            task["status"], "COMPLETED",
            "the node completed before its worker could be killed: {task:#}"
        );
        (task["status"] == "RUNNING" && app.kill_workers() > 0).then_some(())
    })
    .await;
    let run = app.run_until(&run, "COMPLETED").await;
    assert_eq!(attempts(task(&run, "p")), [(1, "FAILED", Some("crash")), (2, "COMPLETED", None)]);
}

async fn backoff_survives_a_crash(mut app: App) {
    let retry = json!({"max_attempts": 2, "backoff_seconds": 1.5});
    let node = with_policy(failing("p"), json!({"retry": retry}));
    let workflow = app.create(&after_input("w", node)).await;
    let run = app.start_run(&workflow, &run_body("hi")).await;
    let due = eventually("the first attempt to fail", async || {
        let due = task(&app.read_run(&run).await, "p")["retry_time"].clone();
        (!due.is_null()).then_some(due)
    })
    .await;
    app.crash_and_restart().await;
    let run = app.run_until(&run, "FAILED").await;
    let task = task(&run, "p");
    assert_eq!(attempts(task), [(1, "FAILED", Some("error")), (2, "FAILED", Some("error"))]);
    assert!(parse_time(&task["attempts"][1]["start_time"]) >= parse_time(&due), "{task:#}, due at {due}");
}

async fn canceled_run_is_not_retried(app: App) {
    let retry = json!({"max_attempts": 9, "backoff_seconds": 0.2});
    let node = with_policy(failing("p"), json!({"retry": retry}));
    let workflow = app.create(&after_input("w", node)).await;
    let run = app.start_run(&workflow, &run_body("hi")).await;
    eventually("the first attempt to fail", async || {
        (!task(&app.read_run(&run).await, "p")["retry_time"].is_null()).then_some(())
    })
    .await;
    let canceled = app.post(&format!("/wf/cancel_workflow/{run}/")).json(&json!({})).await.ok();
    let attempts_before = attempts(task(&canceled, "p")).len();
    // Another attempt takes longer than the backoff would.
    let slow = app.create_and_run(&after_input("slow", slow("p")), &run_body("hi")).await;
    assert_eq!(slow["status"], "COMPLETED", "{slow:#}");
    let now = app.read_run(&run).await;
    assert_eq!(now["status"], "CANCELED", "{now:#}");
    assert_eq!(attempts(task(&now, "p")).len(), attempts_before);
    assert!(task(&now, "p")["retry_time"].is_null(), "{now:#}");
}

async fn rejects_an_invalid_policy_with_its_pointer(app: App) {
    let node = with_policy(failing("p"), json!({"timeout_seconds": -1, "retry": {"on": ["never"]}}));
    let pointers = app.post("/wf/").json(&after_input("w", node)).await.pointers();
    let pointer = "/definition/nodes/1/config/policy";
    assert_eq!(pointers, [format!("{pointer}/timeout_seconds"), format!("{pointer}/retry/on/0")]);
}

#[tokio::test]
async fn server_settings_cap_policies() {
    let caps = [("SLUICE_MAX_NODE_TIMEOUT_SECONDS", "0.2"), ("SLUICE_MAX_NODE_ATTEMPTS", "2")];
    let app = App::start_with(Backend::Sqlite, &caps).await;
    let retry = json!({"max_attempts": 50, "backoff_seconds": 0});
    let node = with_policy(never_ending("p"), json!({"timeout_seconds": 3_000, "retry": retry}));
    let workflow = app.create(&after_input("w", node)).await;
    let run = id_of(&app.run(&workflow, &run_body("hi")).await);
    let run = app.read_run(&run).await;
    let timed_out = |number| (number, "FAILED", Some("timeout"));
    assert_eq!(attempts(task(&run, "p")), [timed_out(1), timed_out(2)]);
}

#[tokio::test]
async fn server_settings_are_defaults_of_policies() {
    let defaults = [("SLUICE_DEFAULT_NODE_TIMEOUT_SECONDS", "0.2"), ("SLUICE_DEFAULT_NODE_ATTEMPTS", "2")];
    let app = App::start_with(Backend::Sqlite, &defaults).await;
    let run = app.create_and_run(&after_input("w", never_ending("p")), &run_body("hi")).await;
    let timed_out = |number| (number, "FAILED", Some("timeout"));
    assert_eq!(attempts(task(&run, "p")), [timed_out(1), timed_out(2)]);
}
