//! Repeated requests with an `Idempotency-Key`, after a crash between the commit of the change and the response.
//!
//! Needs a server with the feature `failpoints`, as `make test` builds it.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::api_keys::{create_key, wait_until_keys_are_required};
use crate::support::app::{App, on_both_databases};
use crate::support::client::{Request, Response};
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of};

on_both_databases!(
    created_workflow_is_returned_after_a_crash,
    copied_workflow_is_returned_after_a_crash,
    restored_workflow_is_returned_after_a_crash,
    imported_workflows_are_returned_after_a_crash,
    rolled_back_label_is_returned_after_a_crash,
    created_dataset_is_returned_after_a_crash,
    started_run_is_returned_after_a_crash,
    awaited_run_is_returned_after_a_crash,
    awaited_outputs_are_returned_after_a_crash,
    rerun_is_returned_after_a_crash,
    retried_run_is_returned_after_a_crash,
    canceled_run_is_returned_after_a_crash,
    decided_run_is_returned_after_a_crash,
    started_batch_is_returned_after_a_crash,
    later_changes_do_not_affect_the_response,
    deleted_run_is_not_started_again,
    start_has_one_audit_entry_after_a_crash,
    unavailable_database_does_not_lose_the_outcome,
);

/// Failpoint that crashes the server after the next commit.
const CRASH: [(&str, &str); 1] = [("FAILPOINTS", "append_after=1*return(abort)")];

/// A request that changes something.
enum Change {
    Json(String, Value),
    Dataset,
}

impl Change {
    fn request(&self, app: &App) -> Request {
        match self {
            Self::Json(path, body) => app.post(path).json(body),
            Self::Dataset => {
                let file = Part::text("x\n1\n2\n").file_name("rows.csv");
                app.post("/ds/?name=rows").form(Form::new().part("file", file))
            }
        }
        .idempotency_key("k")
    }
}

/// Makes the same change on two servers, of which one crashes after the commit. Checks that the repeated request gets the
/// response of the server that did not crash, and that the change was made once.
async fn check(mut app: App, prepare: impl AsyncFn(&App) -> Change) {
    let undisturbed = App::start(app.database.backend).await;
    let expected = prepare(&undisturbed).await.request(&undisturbed).await;
    assert!(expected.status < 300, "{expected:?}");

    let change = prepare(&app).await;
    crash(&mut app, &change).await;
    let repeated = change.request(&app).await;
    assert_eq!(repeated.headers["idempotency-replayed"], "true");
    assert_eq!(comparable_parts(&repeated), comparable_parts(&expected));
    assert_eq!(counts(&app).await, counts(&undisturbed).await);

    let second_response = change.request(&app).await;
    assert_eq!((second_response.status, second_response.text), (repeated.status, repeated.text));
}

/// Sends the request to a server that crashes before its response, and restarts the server.
async fn crash(app: &mut App, change: &Change) {
    app.restart_with(&CRASH).await;
    let response = change.request(app).try_send().await;
    assert!(response.is_none(), "was the server built with the feature failpoints? {response:?}");
    app.set_env("FAILPOINTS", None);
    app.restart_after_exit().await;
}

/// Returns the parts of a response that must be equal on both servers.
fn comparable_parts(response: &Response) -> Value {
    let header = |name: &str| response.headers.get(name).map(|value| value.to_str().expect("text"));
    let version = header("etag").and_then(|etag| etag.split_once('-')).map(|(version, _)| version);
    json!({
        "status": response.status,
        "content-type": header("content-type"),
        "etag": version,
        "location": header("location").is_some(),
        "body": without_ids_and_times(response.json()),
    })
}

fn without_ids_and_times(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(name, _)| name != "duration");
            members.map(|(name, value)| (name, without_ids_and_times(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_ids_and_times).collect(),
        Value::String(text) if is_uuid(&text) => json!("an id"),
        Value::String(text) if is_time(&text) => json!("a time"),
        value => value,
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn is_time(text: &str) -> bool {
    text.starts_with("20") && text.contains('T') && text.ends_with('Z')
}

/// Counts the resources that a change can add.
async fn counts(app: &App) -> Vec<(String, usize)> {
    let mut paths = ["/wf/", "/run/?parent_only=true", "/ds/", "/audit/"].map(str::to_owned).to_vec();
    for workflow in app.get("/wf/").await.ok().as_array().expect("a list") {
        paths.push(format!("/wf/{}/versions/", id_of(workflow)));
    }
    let mut counts = Vec::new();
    for path in paths {
        let list = app.get(&path).await.ok();
        let name =
            path.split('/').find(|part| !part.is_empty() && !is_uuid(part)).expect("a name").to_owned();
        counts.push((name, list.as_array().expect("a list").len()));
    }
    counts
}

async fn created_workflow_is_returned_after_a_crash(app: App) {
    check(app, async |_| Change::Json("/wf/".to_owned(), plain("new"))).await;
}

async fn copied_workflow_is_returned_after_a_crash(app: App) {
    check(app, async |app| {
        let id = app.create(&plain("one")).await;
        Change::Json(format!("/wf/{id}/duplicate/"), json!({}))
    })
    .await;
}

async fn restored_workflow_is_returned_after_a_crash(app: App) {
    check(app, async |app| {
        let id = app.create(&plain("one")).await;
        app.put(&format!("/wf/{id}/")).json(&gated_workflow("one")).await.ok();
        Change::Json(format!("/wf/{id}/versions/1/restore/"), json!({}))
    })
    .await;
}

/// Imports a new, an updated and an unchanged workflow. The response has a difference and warnings.
async fn imported_workflows_are_returned_after_a_crash(app: App) {
    check(app, async |app| {
        app.create(&plain("updated")).await;
        let unchanged = app.create(&gated_workflow("unchanged")).await;
        let unchanged = app.get(&format!("/wf/{unchanged}/export/")).await.ok();
        let mut unconnected = gated_workflow("updated");
        unconnected["definition"]["links"] = json!([]);
        let workflows = json!([unconnected, unchanged, plain("new")]);
        Change::Json("/wf/import/?mode=update".to_owned(), workflows)
    })
    .await;
}

async fn rolled_back_label_is_returned_after_a_crash(app: App) {
    check(app, async |app| {
        let id = app.create(&plain("one")).await;
        app.put(&format!("/wf/{id}/")).json(&gated_workflow("one")).await.ok();
        for version in [1, 2] {
            app.put(&format!("/wf/{id}/labels/live/")).json(&json!({"version": version})).await.ok();
        }
        Change::Json(format!("/wf/{id}/labels/live/rollback/"), json!({}))
    })
    .await;
}

async fn created_dataset_is_returned_after_a_crash(app: App) {
    check(app, async |_| Change::Dataset).await;
}

/// The run ends in the commit that starts it. The response has the pending run.
async fn started_run_is_returned_after_a_crash(app: App) {
    check(app, async |app| {
        let id = app.create(&plain("one")).await;
        Change::Json(format!("/wf/{id}/start_run/"), run_body("hi"))
    })
    .await;
}

async fn awaited_run_is_returned_after_a_crash(app: App) {
    check(app, async |app| {
        let id = app.create(&gated_workflow("one")).await;
        Change::Json(format!("/wf/{id}/runv2/"), run_body("hi"))
    })
    .await;
}

async fn awaited_outputs_are_returned_after_a_crash(app: App) {
    check(app, async |app| {
        let id = app.create(&plain("one")).await;
        Change::Json(format!("/wf/{id}/run/"), run_body("hi"))
    })
    .await;
}

async fn rerun_is_returned_after_a_crash(app: App) {
    check(app, async |app| {
        let run = id_of(&app.create_and_run(&plain("one"), &run_body("hi")).await);
        Change::Json(format!("/run/{run}/rerun/"), json!({"from_node": "b"}))
    })
    .await;
}

async fn retried_run_is_returned_after_a_crash(app: App) {
    check(app, async |app| {
        let run = id_of(&app.create_and_run(&after_input("one", failing("p")), &run_body("hi")).await);
        Change::Json(format!("/run/{run}/retry/"), json!({}))
    })
    .await;
}

async fn canceled_run_is_returned_after_a_crash(app: App) {
    check(app, async |app| {
        let run = app.start_to_pause(&gated_workflow("one")).await;
        Change::Json(format!("/wf/cancel_workflow/{run}/"), json!({}))
    })
    .await;
}

async fn decided_run_is_returned_after_a_crash(app: App) {
    check(app, async |app| {
        let run = app.start_to_pause(&gated_workflow("one")).await;
        let decision = json!({"inputs": {}, "user_id": "ada", "action": "APPROVE"});
        Change::Json(format!("/wf/process_pause_action/{run}/"), decision)
    })
    .await;
}

async fn started_batch_is_returned_after_a_crash(app: App) {
    check(app, async |app| {
        let id = app.create(&plain("one")).await;
        let rows = json!({"rows": [{"x": "a"}, {"x": "b"}]});
        Change::Json(format!("/wf/{id}/start_batch_run/"), rows)
    })
    .await;
}

async fn later_changes_do_not_affect_the_response(mut app: App) {
    let change = Change::Json("/wf/".to_owned(), plain("new"));
    crash(&mut app, &change).await;
    let id = id_of(&app.get("/wf/").await.ok()[0]);
    let path = format!("/wf/{id}/");
    let before = app.get(&path).await;
    app.put(&path).json(&gated_workflow("renamed")).await.ok();
    let repeated = change.request(&app).await;
    assert_eq!(repeated.headers["etag"], before.headers["etag"]);
    assert_eq!(repeated.json(), before.json());
    // The stored response has replaced the stored outcome.
    app.delete(&path).await.expect(204);
    assert_eq!(change.request(&app).await.text, repeated.text);
}

async fn deleted_run_is_not_started_again(mut app: App) {
    let path = format!("/wf/{}/", app.create(&plain("one")).await);
    let change = Change::Json(format!("{path}start_run/"), run_body("hi"));
    crash(&mut app, &change).await;
    app.delete(&path).await.expect(204);
    for _ in 0..2 {
        let problem = change.request(&app).await.problem(404);
        assert_eq!(problem["type"], "/problems/run-not-found");
    }
}

async fn start_has_one_audit_entry_after_a_crash(mut app: App) {
    let key = create_key(&app.database, "ci", "admin", &[]).await;
    wait_until_keys_are_required(&app).await;
    let workflow = id_of(&app.post("/wf/").api_key(&key).json(&gated_workflow("one")).await.ok());
    let path = format!("/wf/{workflow}/start_run/");
    let start = |app: &App| app.post(&path).api_key(&key).idempotency_key("k").json(&run_body("hi"));
    app.restart_with(&CRASH).await;
    while !app.has_ended() {
        assert!(start(&app).try_send().await.is_none(), "the server crashes before its response");
    }
    app.set_env("FAILPOINTS", None);
    app.restart_after_exit().await;
    let run = id_of(&start(&app).await.ok());
    let entries = app.get("/audit/?operation=startRun").api_key(&key).await.ok();
    let entries = entries.as_array().expect("a list");
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_json!(entries[0], {"actor": "ci", "subject": "run", "subject_id": run, "after": "PENDING"});
}

async fn unavailable_database_does_not_lose_the_outcome(mut app: App) {
    // The first commit succeeds without a reply, so the client gets a 503.
    app.restart_with(&[("FAILPOINTS", "append_after=1*return(fail)")]).await;
    let change = Change::Json("/wf/".to_owned(), plain("new"));
    change.request(&app).await.problem(503);
    let repeated = change.request(&app).await;
    assert!(repeated.headers.contains_key("idempotency-replayed"), "{repeated:?}");
    assert_eq!(repeated.ok()["name"], "new");
    assert_eq!(app.get("/wf/").await.ok().as_array().expect("a list").len(), 1);
}
