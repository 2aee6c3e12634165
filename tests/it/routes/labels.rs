//! `/wf/{id}/labels/`: labels of versions, and runs by label.

use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::definitions::*;
use crate::support::json::assert_json;

on_both_databases!(
    label_is_set_moved_and_deleted,
    rollback_restores_the_previous_version,
    every_start_accepts_a_version_or_a_label,
    saving_moves_a_label_unless_protected,
    duplicate_accepts_a_version_or_a_label,
    rejects_invalid_labels,
);

/// Returns a workflow whose node `f` outputs `value`.
fn workflow_with(value: i64) -> Value {
    workflow("giving", vec![input(), static_node("f", json!({"out": value}))], chain(&["input_node", "f"]))
}

/// Creates a workflow with versions that output 1, 2 and 3.
async fn three_versions(app: &App) -> String {
    let id = app.create(&workflow_with(1)).await;
    for value in [2, 3] {
        app.put(&format!("/wf/{id}/")).json(&workflow_with(value)).await.ok();
    }
    id
}

async fn set_label(app: &App, id: &str, label: &str, version: i64) -> Value {
    app.put(&format!("/wf/{id}/labels/{label}/")).json(&json!({"version": version})).await.ok()
}

async fn label_moves(app: &App, id: &str, label: &str) -> Vec<(Value, Value)> {
    let list = app.get(&format!("/wf/{id}/labels/{label}/history/")).await.ok();
    let label_moves = list.as_array().expect("a list").iter();
    label_moves.map(|step| (step["from_version"].clone(), step["to_version"].clone())).collect()
}

async fn label_is_set_moved_and_deleted(app: App) {
    let id = three_versions(&app).await;
    assert_eq!(app.get(&format!("/wf/{id}/labels/")).await.ok(), json!([]));
    let created = set_label(&app, &id, "production", 1).await;
    assert_json!(created, {"label": "production", "version": 1, "protected": false});
    let moved = set_label(&app, &id, "production", 3).await;
    assert_json!(moved, {"version": 3, "created_at": created["created_at"]});
    assert_eq!(
        set_label(&app, &id, "production", 3).await,
        moved,
        "setting the same version changes nothing"
    );
    set_label(&app, &id, "a-b_9", 2).await;
    let list = app.get(&format!("/wf/{id}/labels/")).await.ok();
    let names: Vec<&Value> = list.as_array().expect("a list").iter().map(|label| &label["label"]).collect();
    assert_eq!(names, ["a-b_9", "production"]);
    assert_eq!(app.delete(&format!("/wf/{id}/labels/production/")).await.status, 204);
    app.delete(&format!("/wf/{id}/labels/production/")).await.problem(404);
    let (version_1, version_3, none) = (json!(1), json!(3), Value::Null);
    let all = [(version_3.clone(), none.clone()), (version_1.clone(), version_3), (none, version_1)];
    assert_eq!(label_moves(&app, &id, "production").await, all);
    for page in [1, 7] {
        app.get(&format!("/wf/{id}/labels/never/history/?page={page}")).await.problem(404);
    }
}

async fn rollback_restores_the_previous_version(app: App) {
    let id = three_versions(&app).await;
    let rollback = format!("/wf/{id}/labels/production/rollback/");
    app.post(&rollback).await.problem(404);
    set_label(&app, &id, "production", 1).await;
    app.post(&rollback).await.problem(409);
    set_label(&app, &id, "production", 3).await;
    assert_eq!(app.post(&rollback).await.ok()["version"], 1);
    assert_eq!(app.post(&rollback).await.ok()["version"], 3);
    assert_eq!(label_moves(&app, &id, "production").await.len(), 4);
}

async fn every_start_accepts_a_version_or_a_label(app: App) {
    let id = three_versions(&app).await;
    set_label(&app, &id, "production", 1).await;
    for (pin, value) in [
        ("", 3),
        ("?version=2", 2),
        ("?label=production", 1),
        ("?version=production", 1),
        ("?version=draft", 3),
    ] {
        let outputs = app.post(&format!("/wf/{id}/run/{pin}")).json(&run_body("hi")).await.ok();
        assert_eq!(outputs["f"]["out"], value, "{pin}");
        let run = app.post(&format!("/wf/{id}/runv2/{pin}")).json(&run_body("hi")).await.ok();
        assert_eq!(run["workflow_version"]["version"], value, "{pin}");
        let started = app.post(&format!("/wf/{id}/start_run/{pin}")).json(&run_body("hi")).await.ok();
        assert_eq!(started["workflow_version"]["version"], value, "{pin}");
        let rows = json!({"rows": [{"x": "hi"}]});
        let batch = app.post(&format!("/wf/{id}/start_batch_run/{pin}")).json(&rows).await.ok();
        assert_eq!(batch["workflow_version"]["version"], value, "{pin}");
        let part = json!({"node_id": "f", "initial_inputs": {"input_node": {"x": "hi"}}});
        let part = app.post(&format!("/wf/{id}/run_partial/{pin}")).json(&part).await.ok();
        assert_eq!(part["f"]["out"], value, "{pin}");
    }
    for call in ["run", "runv2", "start_run", "start_batch_run", "run_partial"] {
        let path = format!("/wf/{id}/{call}/");
        let body = json!({"node_id": "f", "rows": [{"x": "hi"}]});
        for (pin, status) in
            [("version=9", 404), ("label=no", 404), ("version=1&label=production", 422), ("version=0", 422)]
        {
            app.post(&format!("{path}?{pin}")).json(&body).await.problem(status);
        }
    }
}

async fn saving_moves_a_label_unless_protected(app: App) {
    let id = three_versions(&app).await;
    app.put(&format!("/wf/{id}/?label=staging")).json(&workflow_with(4)).await.ok();
    assert_eq!(label_moves(&app, &id, "staging").await, [(Value::Null, json!(4))]);
    // Saving an unchanged workflow adds no version and does not move the label.
    app.put(&format!("/wf/{id}/?label=staging")).json(&workflow_with(4)).await.ok();
    assert_eq!(label_moves(&app, &id, "staging").await.len(), 1);
    let protect = json!({"version": 2, "protected": true});
    app.put(&format!("/wf/{id}/labels/production/")).json(&protect).await.ok();
    app.put(&format!("/wf/{id}/?label=production")).json(&workflow_with(5)).await.problem(409);
    assert_eq!(app.get(&format!("/wf/{id}/")).await.ok()["version"], 4, "nothing was saved");
    app.put(&format!("/wf/{id}/reset/?label=production")).await.problem(409);
    app.post(&format!("/wf/{id}/versions/1/restore/?label=production")).await.problem(409);
    let moved = set_label(&app, &id, "production", 3).await;
    assert_json!(moved, {"version": 3, "protected": true}; "an explicit move is allowed");
}

async fn duplicate_accepts_a_version_or_a_label(app: App) {
    let id = three_versions(&app).await;
    set_label(&app, &id, "production", 2).await;
    for (pin, value) in [("", 3), ("?version=1", 1), ("?label=production", 2)] {
        let copy = app.post(&format!("/wf/{id}/duplicate/{pin}")).await.ok();
        assert_eq!(copy["definition"]["nodes"][1]["config"]["values"]["out"], value, "{pin}");
        assert_eq!(copy["version"], 1);
    }
    app.post(&format!("/wf/{id}/duplicate/?version=9")).await.problem(404);
}

async fn rejects_invalid_labels(app: App) {
    let id = three_versions(&app).await;
    for name in ["draft", "latest", "Big", "9", "-a", "a%20b", &"a".repeat(65)] {
        app.put(&format!("/wf/{id}/labels/{name}/")).json(&json!({"version": 1})).await.problem(422);
        app.delete(&format!("/wf/{id}/labels/{name}/")).await.problem(404);
    }
    let path = format!("/wf/{id}/labels/production/");
    app.put(&path).json(&json!({"version": 4})).await.problem(404);
    assert_eq!(app.put(&path).json(&json!({"version": 0})).await.pointers(), ["/version"]);
    assert_eq!(app.put(&path).json(&json!({})).await.pointers(), ["/version"]);
    let missing = "/wf/019aa2b4-5e10-7c3a-9d51-3f2a8c6b7e01/labels";
    app.get(&format!("{missing}/")).await.problem(404);
    app.put(&format!("{missing}/production/")).json(&json!({"version": 1})).await.problem(404);
}
