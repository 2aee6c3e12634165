//! `/audit/`: the audit log.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api_keys::{create_key, wait_until_keys_are_required};
use crate::support::app::{App, on_both_databases};
use crate::support::database::Backend;
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of};
use crate::support::process::run_async;

on_both_databases!(
    every_change_has_an_entry_with_its_key,
    unchanged_workflow_has_no_entry,
    every_label_move_has_an_entry,
    entries_are_filtered_by_key_operation_subject_and_time,
    entries_cannot_be_changed_or_deleted,
    entry_survives_a_crash,
);

/// Returns the audit entries, newest first.
async fn entries(app: &App, key: Option<&str>, query: &str) -> Vec<Value> {
    let path = format!("/audit/{query}");
    let response = match key {
        Some(key) => app.get(&path).api_key(key).await,
        None => app.get(&path).await,
    };
    response.ok().as_array().expect("a list").clone()
}

async fn every_change_has_an_entry_with_its_key(app: App) {
    let key = create_key(&app.database, "ci", "admin", &["--for-others"]).await;
    wait_until_keys_are_required(&app).await;
    let call = async |method: Method, path: &str, body: Option<Value>| {
        let response = app.request(method, path).api_key(&key).optional_json(body.as_ref()).await;
        assert!(response.status < 300, "{path}: {}", response.text);
        let id = response.headers["x-request-id"].to_str().expect("text").to_owned();
        (id, if response.text.is_empty() { Value::Null } else { response.json() })
    };
    let (created, workflow) = call(Method::POST, "/wf/", Some(gated("one"))).await;
    let id = id_of(&workflow);
    let path = |rest: &str| format!("/wf/{id}/{rest}");
    let (updated, _) = call(Method::PUT, &path(""), Some(plain("one"))).await;
    let versions = call(Method::GET, &path("versions/"), None).await.1;
    let hash = |n: usize| versions[n]["definition_hash"].clone();
    assert_eq!(versions[1]["created_by"], "ci", "{versions}");
    let (labeled, _) = call(Method::PUT, &path("labels/live/"), Some(json!({"version": 1}))).await;
    let (moved, _) = call(Method::PUT, &path("labels/live/"), Some(json!({"version": 2}))).await;
    let (back, _) = call(Method::POST, &path("labels/live/rollback/"), None).await;
    let (restored, _) = call(Method::POST, &path("versions/1/restore/"), None).await;
    let (started, run) = call(Method::POST, &path("start_run/"), Some(run_body("hi"))).await;
    let run = id_of(&run);
    crate::support::polling::eventually("the pause", async || {
        let now = app.get(&format!("/run/{run}/status/")).api_key(&key).await.ok();
        (now["status"] == "PAUSED").then_some(())
    })
    .await;
    let decision = json!({"action": "APPROVE", "user_id": "ada", "inputs": {}});
    let (decided, _) = call(Method::POST, &format!("/wf/process_pause_action/{run}/"), Some(decision)).await;
    let (unlabeled, _) = call(Method::DELETE, &path("labels/live/"), None).await;
    let (patched, _) = call(Method::PATCH, &path(""), Some(json!({"description": "new"}))).await;
    let (second_start, waiting) =
        call(Method::POST, &path("start_run/?version=1"), Some(run_body("hi"))).await;
    let waiting = id_of(&waiting);
    crate::support::polling::eventually("the second pause", async || {
        let now = app.get(&format!("/run/{waiting}/status/")).api_key(&key).await.ok();
        (now["status"] == "PAUSED").then_some(())
    })
    .await;
    let (deleted, _) = call(Method::DELETE, &path(""), None).await;

    let (label, pause) = (format!("{id}/live"), format!("PH_{run}_gate"));
    let (one, two, none) = (json!("1"), json!("2"), Value::Null);
    let expected = [
        (deleted.clone(), "deleteWorkflow", "workflow", &id, &hash(1), &none),
        (deleted, "deleteWorkflow", "run", &waiting, &json!("PAUSED"), &json!("CANCELED")),
        (second_start, "startRun", "run", &waiting, &none, &json!("PENDING")),
        (patched, "patchWorkflow", "workflow", &id, &hash(1), &hash(1)),
        (unlabeled, "deleteLabel", "label", &label, &one, &none),
        (decided.clone(), "processPauseAction", "pause", &pause, &json!("open"), &json!("APPROVE by ada")),
        (decided, "processPauseAction", "run", &run, &json!("PAUSED"), &json!("RUNNING")),
        (started, "startRun", "run", &run, &none, &json!("PENDING")),
        (restored, "restoreVersion", "workflow", &id, &hash(0), &hash(1)),
        (back, "rollbackLabel", "label", &label, &two, &one),
        (moved, "setLabel", "label", &label, &one, &two),
        (labeled, "setLabel", "label", &label, &none, &one),
        (updated, "updateWorkflow", "workflow", &id, &hash(1), &hash(0)),
        (created, "createWorkflow", "workflow", &id, &none, &hash(1)),
    ];
    let found = entries(&app, Some(&key), "?page_size=100").await;
    assert_eq!(found.len(), expected.len() + 1, "{found:#?}");
    for (entry, (request, operation, subject, subject_id, before, after)) in found.iter().zip(expected) {
        assert_eq!(entry["actor"], "ci", "{entry}");
        assert_eq!(entry["request_id"], request, "{entry}");
        assert_eq!(entry["operation"], operation, "{entry}");
        assert_json!(entry, {"subject": subject, "subject_id": subject_id});
        assert_eq!(&entry["before"], before, "{entry}");
        assert_eq!(&entry["after"], after, "{entry}");
    }
    let made = found.last().expect("the key");
    assert_json!(made, {"operation": "keys create", "after": "admin, for others"});
    let secret = key.rsplit('_').next().expect("a secret");
    assert!(!found.iter().any(|entry| entry.to_string().contains(secret)));
    run_async(&["keys", "revoke", "ci", "--database-url", &app.database.url]).await;
}

async fn unchanged_workflow_has_no_entry(app: App) {
    let id = app.create(&plain("one")).await;
    let response = app.get(&format!("/wf/{id}/")).await.ok();
    app.put(&format!("/wf/{id}/")).json(&response).await.ok();
    app.post("/wf/").json(&json!({"name": "", "definition": 3})).await.problem(422);
    app.put(&format!("/wf/{id}/labels/live/")).json(&json!({"version": 9})).await.problem(404);
    app.post("/wf/validate/").json(&plain("x")).await.ok();
    // A run that is started without a key has no audit entry.
    app.run(&id, &run_body("hi")).await;
    for _ in 0..2 {
        app.post("/wf/").idempotency_key("k").json(&plain("two")).await.ok();
    }
    let found = entries(&app, None, "").await;
    let calls: Vec<&Value> = found.iter().map(|entry| &entry["operation"]).collect();
    assert_eq!(calls, ["createWorkflow", "createWorkflow"], "{found:#?}");
    assert!(found.iter().all(|entry| entry["actor"].is_null()));
}

/// Includes moves by an update, a restore or an import.
async fn every_label_move_has_an_entry(app: App) {
    let id = app.create(&plain("one")).await;
    let (path, label) = (format!("/wf/{id}/"), format!("/wf/{id}/labels/live/"));
    for body in [
        json!({"version": 1}),
        json!({"version": 1}),
        json!({"version": 1, "protected": true}),
        json!({"version": 1, "protected": false}),
    ] {
        app.put(&label).json(&body).await.ok();
    }
    app.put(&format!("{path}?label=live")).json(&gated("one")).await.ok();
    app.put(&format!("{path}?label=live")).json(&gated("one")).await.ok();
    app.put(&label).json(&json!({"version": 1})).await.ok();
    // The label moves although the workflow is unchanged.
    app.put(&format!("{path}?label=live")).json(&gated("one")).await.ok();
    app.post(&format!("{path}versions/1/restore/?label=live")).json(&json!({})).await.ok();
    app.put(&label).json(&json!({"version": 3, "protected": true})).await.ok();
    app.delete(&label).await.expect(204);
    let reported: Vec<_> = entries(&app, None, &format!("?subject_id={id}/live"))
        .await
        .iter()
        .rev()
        .map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap_or("-").to_owned();
            format!("{} {} > {}", text("operation"), text("before"), text("after"))
        })
        .collect();
    assert_eq!(
        reported,
        [
            "setLabel - > 1",
            "setLabel 1 > 1 protected",
            "setLabel 1 protected > 1",
            "updateWorkflow 1 > 2",
            "setLabel 2 > 1",
            "updateWorkflow 1 > 2",
            "restoreVersion 2 > 3",
            "setLabel 3 > 3 protected",
            "deleteLabel 3 protected > -",
        ]
    );

    // Labels of an import.
    app.put(&label).json(&json!({"version": 2, "protected": true})).await.ok();
    let document = app.get(&format!("{path}export/?versions=true")).await.ok();
    let imported = app.post("/wf/import/").json(&document).await.ok();
    let copy = imported["results"][0]["id"].as_str().expect("an id").to_owned();
    let found = entries(&app, None, &format!("?subject_id={copy}/live")).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_json!(found[0], {"operation": "importWorkflows", "after": "2 protected"});
}

async fn entries_are_filtered_by_key_operation_subject_and_time(app: App) {
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(app.create(&plain(&format!("w{n}"))).await);
    }
    let rename = json!({"description": "new"});
    app.patch(&format!("/wf/{}/", ids[0])).merge_patch(&rename).await.ok();
    let key = create_key(&app.database, "ci", "admin,workflows:write", &[]).await;
    wait_until_keys_are_required(&app).await;
    app.delete(&format!("/wf/{}/", ids[1])).api_key(&key).await.expect(204);
    let found = async |query: &str| entries(&app, Some(&key), query).await.len();
    assert_eq!(found("?actor=ci").await, 1);
    assert_eq!(found("?actor=nobody").await, 0);
    assert_eq!(found("?operation=createWorkflow").await, 5);
    assert_eq!(found(&format!("?subject_id={}", ids[0])).await, 2);
    assert_eq!(found(&format!("?subject_id={}&operation=patchWorkflow", ids[0])).await, 1);
    assert_eq!(found("?after=2000-01-01&before=2999-01-01").await, 8);
    assert_eq!(found("?before=2000-01-01").await, 0);
    let all = entries(&app, Some(&key), "?page_size=100&sort=at").await;
    let first = app.get("/audit/?page_size=3&sort=at&count=true").api_key(&key).await;
    assert_eq!(first.headers["x-total-count"], "8");
    let cursor = first.headers["x-next-cursor"].to_str().expect("text").to_owned();
    let mut walked = first.json().as_array().expect("a list").clone();
    walked.extend(entries(&app, Some(&key), &format!("?page_size=100&sort=at&cursor={cursor}")).await);
    assert_eq!(walked, all);
    app.get("/audit/?actor=").api_key(&key).await.problem(422);
    app.get("/audit/?after=yesterday").api_key(&key).await.problem(422);
}

async fn entries_cannot_be_changed_or_deleted(app: App) {
    app.create(&plain("one")).await;
    let mut changes = vec!["UPDATE audit_log SET actor = 'eve'", "DELETE FROM audit_log"];
    if app.database.backend == Backend::Sqlite {
        changes.push("REPLACE INTO audit_log SELECT * FROM audit_log");
        changes.push(
            "REPLACE INTO audit_log (rowid, id, at, operation, request_id, subject, subject_id) \
             SELECT rowid, x'00', at, 'z', 'z', 'z', 'z' FROM audit_log",
        );
    }
    for sql in changes {
        // Triggers of the database reject the statement.
        let tried = AssertUnwindSafe(app.database.execute(sql)).catch_unwind().await;
        assert!(tried.is_err(), "{sql}");
    }
    let found = entries(&app, None, "").await;
    assert!(found.len() == 1 && found[0]["actor"].is_null(), "{found:?}");
}

async fn entry_survives_a_crash(mut app: App) {
    let id = app.create(&plain("one")).await;
    app.crash_and_restart().await;
    let found = entries(&app, None, "").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["subject_id"], json!(id));
}
