//! `/audit/`: the audit log.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api_keys::{create_key, wait_until_keys_are_required};
use crate::support::app::{App, on_both_databases};
use crate::support::database::Backend;
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of};
use crate::support::polling::eventually;
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

/// Returns calls, their bodies, and the entries that they must add, in order: "operation subject id: before >
/// after".
fn changes() -> Vec<(&'static str, Option<Value>, Vec<&'static str>)> {
    let decision = json!({"action": "APPROVE", "user_id": "ada", "inputs": {}});
    vec![
        ("POST /wf/", Some(gated_workflow("one")), vec!["createWorkflow workflow {workflow}: - > {gated}"]),
        (
            "PUT /wf/{workflow}/",
            Some(plain("one")),
            vec!["updateWorkflow workflow {workflow}: {gated} > {plain}"],
        ),
        (
            "PUT /wf/{workflow}/labels/live/",
            Some(json!({"version": 1})),
            vec!["setLabel label {workflow}/live: - > 1"],
        ),
        (
            "PUT /wf/{workflow}/labels/live/",
            Some(json!({"version": 2})),
            vec!["setLabel label {workflow}/live: 1 > 2"],
        ),
        (
            "POST /wf/{workflow}/labels/live/rollback/",
            None,
            vec!["rollbackLabel label {workflow}/live: 2 > 1"],
        ),
        (
            "POST /wf/{workflow}/versions/1/restore/",
            None,
            vec!["restoreVersion workflow {workflow}: {plain} > {gated}"],
        ),
        ("POST /wf/{workflow}/start_run/", Some(run_body("hi")), vec!["startRun run {run}: - > PENDING"]),
        (
            "POST /wf/process_pause_action/{run}/",
            Some(decision),
            vec![
                "processPauseAction run {run}: PAUSED > RUNNING",
                "processPauseAction pause PH_{run}_gate: open > APPROVE by ada",
            ],
        ),
        ("DELETE /wf/{workflow}/labels/live/", None, vec!["deleteLabel label {workflow}/live: 1 > -"]),
        (
            "PATCH /wf/{workflow}/",
            Some(json!({"description": "new"})),
            vec!["patchWorkflow workflow {workflow}: {gated} > {gated}"],
        ),
        (
            "POST /wf/{workflow}/start_run/?version=1",
            Some(run_body("hi")),
            vec!["startRun run {run}: - > PENDING"],
        ),
        (
            "DELETE /wf/{workflow}/",
            None,
            vec![
                "deleteWorkflow run {run}: PAUSED > CANCELED",
                "deleteWorkflow workflow {workflow}: {gated} > -",
            ],
        ),
    ]
}

/// Formats an entry like those in `changes`.
fn line(entry: &Value) -> String {
    let text = |field: &str| entry[field].as_str().unwrap_or("-").to_owned();
    let [operation, subject, id] = ["operation", "subject", "subject_id"].map(text);
    format!("{operation} {subject} {id}: {} > {}", text("before"), text("after"))
}

async fn every_change_has_an_entry_with_its_key(app: App) {
    let key = create_key(&app.database, "ci", "admin", &["--for-others"]).await;
    wait_until_keys_are_required(&app).await;
    // Values of the names in braces.
    let mut names: HashMap<&str, String> = HashMap::new();
    let fill = |text: &str, names: &HashMap<&str, String>| {
        names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    };
    let mut expected = Vec::new();
    for (call, body, entries) in changes() {
        let (method, path) = call.split_once(' ').expect("a method and a path");
        let path = fill(path, &names);
        let method: Method = method.parse().expect("a method");
        let response = app.request(method, &path).api_key(&key).optional_json(body.as_ref()).await;
        assert!(response.status < 300, "{path}: {}", response.text);
        let request = response.headers["x-request-id"].to_str().expect("text").to_owned();
        if call == "POST /wf/" {
            names.insert("workflow", id_of(&response.json()));
        } else if call.contains("start_run") {
            let run = id_of(&response.json());
            eventually("the pause", async || {
                let now = app.get(&format!("/run/{run}/status/")).api_key(&key).await.ok();
                (now["status"] == "PAUSED").then_some(())
            })
            .await;
            names.insert("run", run);
        } else if call.contains("process_pause_action") {
            // Deleting the workflow would cancel an open run, which has an entry.
            let run = &names["run"];
            eventually("the end of the run", async || {
                let now = app.get(&format!("/run/{run}/status/")).api_key(&key).await.ok();
                (now["status"] == "COMPLETED").then_some(())
            })
            .await;
        } else if call == "PUT /wf/{workflow}/" {
            let versions = app.get(&format!("{path}versions/")).api_key(&key).await.ok();
            assert_eq!(versions[1]["created_by"], "ci", "{versions}");
            for (name, version) in [("plain", 0), ("gated", 1)] {
                names.insert(name, versions[version]["definition_hash"].as_str().expect("a hash").to_owned());
            }
        }
        expected.extend(entries.into_iter().map(|entry| (request.clone(), entry, names.clone())));
    }

    let mut actual = entries(&app, Some(&key), "?page_size=100").await;
    actual.reverse();
    assert_json!(actual[0], {"operation": "keys create", "after": "admin, for others"});
    assert_eq!(actual.len(), 1 + expected.len(), "{actual:#?}");
    for (entry, (request, expected, mut values)) in actual[1..].iter().zip(expected) {
        // The hashes of the definitions are known after the second call.
        for name in ["gated", "plain"] {
            values.insert(name, names[name].clone());
        }
        assert_eq!(line(entry), fill(expected, &values));
        assert_json!(entry, {"actor": "ci", "request_id": request});
    }
    let secret = key.rsplit('_').next().expect("a secret");
    assert!(!actual.iter().any(|entry| entry.to_string().contains(secret)));
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
    let audit_entries = entries(&app, None, "").await;
    let operations: Vec<&Value> = audit_entries.iter().map(|entry| &entry["operation"]).collect();
    assert_eq!(operations, ["createWorkflow", "createWorkflow"], "{audit_entries:#?}");
    assert!(audit_entries.iter().all(|entry| entry["actor"].is_null()));
}

/// An update, a restore or an import can move a label too.
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
    app.put(&format!("{path}?label=live")).json(&gated_workflow("one")).await.ok();
    app.put(&format!("{path}?label=live")).json(&gated_workflow("one")).await.ok();
    app.put(&label).json(&json!({"version": 1})).await.ok();
    // The label moves although the workflow is unchanged.
    app.put(&format!("{path}?label=live")).json(&gated_workflow("one")).await.ok();
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
    let audit_entries = entries(&app, None, &format!("?subject_id={copy}/live")).await;
    assert_eq!(audit_entries.len(), 1, "{audit_entries:?}");
    assert_json!(audit_entries[0], {"operation": "importWorkflows", "after": "2 protected"});
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
    let count = async |query: &str| entries(&app, Some(&key), query).await.len();
    assert_eq!(count("?actor=ci").await, 1);
    assert_eq!(count("?actor=unknown").await, 0);
    assert_eq!(count("?operation=createWorkflow").await, 5);
    assert_eq!(count(&format!("?subject_id={}", ids[0])).await, 2);
    assert_eq!(count(&format!("?subject_id={}&operation=patchWorkflow", ids[0])).await, 1);
    assert_eq!(count("?after=2000-01-01&before=2999-01-01").await, 8);
    assert_eq!(count("?before=2000-01-01").await, 0);
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
        let result = AssertUnwindSafe(app.database.execute(sql)).catch_unwind().await;
        assert!(result.is_err(), "{sql}");
    }
    let audit_entries = entries(&app, None, "").await;
    assert!(audit_entries.len() == 1 && audit_entries[0]["actor"].is_null(), "{audit_entries:?}");
}

async fn entry_survives_a_crash(mut app: App) {
    let id = app.create(&plain("one")).await;
    app.crash_and_restart().await;
    let audit_entries = entries(&app, None, "").await;
    assert_eq!(audit_entries.len(), 1);
    assert_eq!(audit_entries[0]["subject_id"], json!(id));
}
