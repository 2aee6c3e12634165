//! Recovery after crashes, shutdown, and the lock on a database.

#![expect(clippy::print_stdout, reason = "the numbers of accepted and rejected requests show the load")]

use std::cell::{Cell, RefCell};

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::app::{App, on_both_databases};
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of, task};
use crate::support::polling::eventually;
use crate::support::process::{self, DEADLINE};

on_both_databases!(
    pause_survives_a_crash,
    run_resumes_after_its_last_completed_node,
    decision_survives_a_crash_after_its_response,
    started_run_survives_a_crash_after_its_response,
    finished_run_does_not_run_again,
    saved_workflow_survives_a_crash,
    run_survives_repeated_crashes,
    second_server_on_a_database_does_not_start,
    sigterm_under_load_loses_no_run,
    sigterm_drains_open_requests,
    rejects_a_newer_schema,
);

async fn pause_survives_a_crash(mut app: App) {
    let run = app.start_to_pause(&gated_workflow("g")).await;
    let (before, history) = (app.read_run(&run).await, format!("/wf/pause_history/{run}/"));
    let pauses = app.get(&history).await.ok();
    app.crash_and_restart().await;
    let after = app.run_until(&run, "PAUSED").await;
    assert_json!(after, {"tasks": before["tasks"], "outputs": before["outputs"]});
    assert_eq!(app.get(&history).await.ok(), pauses, "the same pause, opened at the same time");
    app.approve(&run).await;
    let done = app.run_until(&run, "COMPLETED").await;
    assert_eq!(done["outputs"]["output_node"]["out"], "done");
}

/// A chain of slow nodes, so that the kill hits a running node between two commits.
async fn run_resumes_after_its_last_completed_node(mut app: App) {
    let names = ["p0", "p1", "p2", "p3", "p4", "p5"];
    let mut nodes = vec![input()];
    nodes.extend(names.map(slow));
    let mut links = vec![link("input_node", "p0")];
    links.extend(chain(&names));
    let id = app.create(&workflow("chain", nodes, links)).await;
    let run = app.start_run(&id, &run_body("hi")).await;
    let completed = |run: &Value, node: &str| {
        let tasks = run["tasks"].as_array().cloned().unwrap_or_default();
        tasks.iter().any(|t| t["node_id"] == node && t["status"] == "COMPLETED")
    };
    let before = eventually("the second node", async || {
        let now = app.read_run(&run).await;
        completed(&now, "p1").then_some(now)
    })
    .await;
    assert_eq!(before["status"], "RUNNING", "the run ended before the kill: {before:#}");
    app.crash_and_restart().await;
    let done = app.run_until(&run, "COMPLETED").await;
    for node in ["p0", "p1"] {
        assert_eq!(task(&done, node), task(&before, node), "{node} ran again");
    }
    assert!(names.iter().all(|node| completed(&done, node)), "{done:#}");
}

async fn decision_survives_a_crash_after_its_response(mut app: App) {
    for (name, action, status) in [("a", "APPROVE", "COMPLETED"), ("d", "DECLINE", "CANCELED")] {
        let run = app.start_to_pause(&gated_workflow(name)).await;
        let body = json!({"inputs": {"note": "kept"}, "user_id": "ada", "action": action});
        app.pause_decide(&run, &body).await.ok();
        app.crash_and_restart().await;
        let done = app.run_until(&run, status).await;
        let noted = &done["outputs"]["gate"]["note"];
        assert_eq!(*noted, if action == "APPROVE" { json!("kept") } else { Value::Null });
        let history = app.get(&format!("/wf/pause_history/{run}/")).await.ok();
        assert_eq!(history[0]["resume_action"], json!(action));
        assert_eq!(history.as_array().map(Vec::len), Some(1));
    }
}

async fn started_run_survives_a_crash_after_its_response(mut app: App) {
    let id = app.create(&after_input("slow", slow("p"))).await;
    let run = app.start_run(&id, &run_body("kept")).await;
    app.crash_and_restart().await;
    let done = app.run_until(&run, "COMPLETED").await;
    assert_eq!(done["outputs"]["input_node"], json!({"x": "kept"}));
    assert_eq!(task(&done, "p")["status"], "COMPLETED");
}

async fn finished_run_does_not_run_again(mut app: App) {
    let done = app.create_and_run(&plain("p"), &run_body("hi")).await;
    let failed = app.create_and_run(&after_input("f", failing("p")), &run_body("hi")).await;
    app.crash_and_restart().await;
    for run in [done, failed] {
        let id = run["id"].as_str().expect("an id");
        let after = app.read_run(id).await;
        for member in ["status", "outputs", "tasks", "end_time"] {
            assert_eq!(after[member], run[member], "{member}");
        }
    }
}

async fn saved_workflow_survives_a_crash(mut app: App) {
    let created = app.post("/wf/").json(&gated_workflow("kept")).await.ok();
    app.crash_and_restart().await;
    let path = format!("/wf/{}/", created["id"].as_str().expect("an id"));
    assert_eq!(app.get(&path).await.ok(), created);
    app.delete(&path).await.expect(204);
    app.crash_and_restart().await;
    app.get(&path).await.problem(404);
}

/// Kills a server with many runs several times. Every run completes.
async fn run_survives_repeated_crashes(mut app: App) {
    let mut body = gated_workflow("many");
    body["definition"]["nodes"][1] = python("before", "return {'out': 1}");
    body["definition"]["nodes"][4]["config"]["output_map"] = json!({"out": "after.k"});
    let id = app.create(&body).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        for _ in 0..8 {
            runs.push(app.start_run(&id, &run_body("hi")).await);
        }
        app.crash_and_restart().await;
    }
    for run in &runs {
        app.run_until(run, "PAUSED").await;
        app.approve(run).await;
    }
    app.crash_and_restart().await;
    for run in &runs {
        let done = app.run_until(run, "COMPLETED").await;
        assert_eq!(done["outputs"]["output_node"], json!({"out": "done"}));
    }
}

async fn second_server_on_a_database_does_not_start(app: App) {
    let second = process::run(&app.arguments(), &[]);
    assert!(second.code.is_some_and(|code| code != 0), "{second:?}");
    let text = second.text().to_lowercase();
    // The message names the holder of the lock and the remedy.
    assert!(text.contains("another sluice owns the database") && text.contains("stop it"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    assert_eq!(app.get("/readyz").await.status, 200, "the first server still runs");
    app.create_and_run(&plain("still"), &run_body("works")).await;
}

async fn sigterm_drains_open_requests(mut app: App) {
    let run = app.start_to_pause(&gated_workflow("g")).await;
    app.terminate().await;
    app.start_server().await;
    app.approve(&run).await;
    app.run_until(&run, "COMPLETED").await;
    // The server also shuts down while a run is running.
    let busy = app.create(&after_input("busy", slow("p"))).await;
    let busy = app.start_run(&busy, &run_body("hi")).await;
    app.terminate().await;
    app.start_server().await;
    app.run_until(&busy, "COMPLETED").await;
}

/// Clients that send requests during shutdown get a response or a rejected connection, and every confirmed run
/// is stored.
async fn sigterm_under_load_loses_no_run(mut app: App) {
    let shapes = [plain("plain"), gated_workflow("gated"), after_input("slow", slow("p"))];
    let mut workflows = Vec::new();
    for shape in &shapes {
        workflows.push(app.create(shape).await);
    }
    let (accepted, rejected) = (RefCell::new(Vec::new()), Cell::new(0));
    let http = Client::builder().no_proxy().timeout(DEADLINE).build().expect("a client");
    let (base, started) = (app.base().to_owned(), Notify::new());
    let client = async |number: usize| {
        for workflow in workflows.iter().cycle().skip(number) {
            let url = format!("{base}/wf/{workflow}/start_run/");
            let response = match http.post(url).json(&run_body("hi")).send().await {
                Ok(response) => response,
                Err(error) => return assert!(error.is_connect() || error.is_request(), "{error:?}"),
            };
            let status = response.status().as_u16();
            let body: Value = response.json().await.expect("a complete response");
            match status {
                200 => accepted.borrow_mut().push(id_of(&body)),
                503 => return rejected.set(rejected.get() + 1),
                other => panic!("{other}: {body}"),
            }
            if accepted.borrow().len() >= 40 {
                started.notify_one();
            }
        }
    };
    let stop = async {
        started.notified().await;
        app.terminate().await;
    };
    tokio::join!(join_all((0..8).map(client)), stop);
    println!("{} accepted, {} rejected", accepted.borrow().len(), rejected.get());
    app.start_server().await;
    for run in accepted.into_inner() {
        eventually(&format!("{run} to complete or to pause"), async || {
            let status = app.read_run(&run).await["status"].clone();
            ["COMPLETED", "PAUSED"].iter().any(|end| status == *end).then_some(())
        })
        .await;
    }
}

async fn rejects_a_newer_schema(mut app: App) {
    app.create(&plain("w")).await;
    app.terminate().await;
    let newer = "m20990101_000000_from_the_future";
    app.database
        .execute(&format!(
            "INSERT INTO applied_migrations (version, applied_at) VALUES ('{newer}', 4070908800)"
        ))
        .await;
    for command in ["serve", "migrate"] {
        let mut arguments = app.arguments();
        if command == "migrate" {
            arguments = vec!["migrate".to_owned(), "--database-url".to_owned(), app.database.url.clone()];
        }
        let rejected = process::run(&arguments, &[]);
        assert!(rejected.code.is_some_and(|code| code != 0), "{command}: {rejected:?}");
        let text = rejected.text();
        assert!(text.contains("newer") && text.contains(newer), "{command}: {text}");
        assert!(!text.contains("panicked"), "{command}: {text}");
    }
    app.database.execute(&format!("DELETE FROM applied_migrations WHERE version = '{newer}'")).await;
    app.start_server().await;
    assert_eq!(app.get("/wf/").await.ok()[0]["name"], "w", "nothing was lost");
}
