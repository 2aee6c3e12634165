//! `Idempotency-Key`: a repeated request is processed once.

use futures_util::future::join;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::client::Response;
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of};
use crate::support::polling::eventually;

on_both_databases!(
    repeated_post_returns_the_first_response,
    repeated_decision_takes_effect_once,
    rejects_a_key_with_another_request,
    request_in_progress_does_not_start_again,
    request_of_a_disconnected_client_takes_effect_once,
    stored_response_survives_a_crash,
    repeated_run_request_finds_its_run,
    failed_request_can_be_repeated,
    rejects_invalid_keys,
    form_is_identified_by_its_content,
    repeated_request_returns_the_failed_run,
    canceled_batch_stores_its_response,
    stored_response_outlives_later_changes,
);

async fn post_with_key(app: &App, path: &str, body: &Value, key: &str) -> Response {
    app.post(path).idempotency_key(key).json(body).await
}

/// Sends a request twice, and checks that the responses are equal.
async fn post_twice(app: &App, path: &str, body: &Value, key: &str) -> Value {
    let first = post_with_key(app, path, body, key).await;
    assert!([200, 202].contains(&first.status), "{path}: {}", first.text);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let second = post_with_key(app, path, body, key).await;
    assert_eq!(second.status, first.status, "{path}");
    assert_eq!(second.text, first.text, "{path}");
    assert_eq!(second.headers["idempotency-replayed"], "true", "{path}");
    for header in ["content-type", "etag", "location"] {
        assert_eq!(second.headers.get(header), first.headers.get(header), "{path}: {header}");
    }
    first.json()
}

async fn count(app: &App, path: &str) -> usize {
    app.get(path).await.ok().as_array().expect("a list").len()
}

async fn repeated_post_returns_the_first_response(app: App) {
    let workflow = id_of(&post_twice(&app, "/wf/", &plain("plain"), "create").await);
    post_twice(&app, &format!("/wf/{workflow}/duplicate/"), &json!({}), "duplicate").await;
    assert_eq!(count(&app, "/wf/").await, 2);
    app.put(&format!("/wf/{workflow}/")).json(&gated_workflow("changed")).await.ok();
    post_twice(&app, &format!("/wf/{workflow}/versions/1/restore/"), &json!({}), "restore").await;
    assert_eq!(count(&app, &format!("/wf/{workflow}/versions/")).await, 3);
    for version in [1, 2] {
        app.put(&format!("/wf/{workflow}/labels/live/")).json(&json!({"version": version})).await.ok();
    }
    let rolled_back =
        post_twice(&app, &format!("/wf/{workflow}/labels/live/rollback/"), &json!({}), "rollback").await;
    assert_eq!(rolled_back["version"], 1);

    for (n, call) in ["run", "runv2", "start_run", "start_run/?wait_seconds=5"].into_iter().enumerate() {
        let path = format!(
            "/wf/{workflow}/{}",
            if call.contains('?') { call.to_owned() } else { format!("{call}/") }
        );
        post_twice(&app, &path, &run_body("hi"), call).await;
        assert_eq!(count(&app, "/run/").await, n + 1, "{call}");
    }
    let batch = json!({"rows": [{"x": "hi"}]});
    let batch = id_of(&post_twice(&app, &format!("/wf/{workflow}/start_batch_run/"), &batch, "batch").await);
    app.run_until(&batch, "COMPLETED").await;
    let run = id_of(&app.run(&workflow, &run_body("hi")).await);
    let before = count(&app, "/run/?parent_only=false&page_size=100").await;
    post_twice(&app, &format!("/run/{run}/rerun/"), &json!({}), "rerun").await;
    assert_eq!(count(&app, "/run/?parent_only=false&page_size=100").await, before + 1);
    let document = app.get(&format!("/wf/{workflow}/export/")).await.ok();
    let before = count(&app, "/wf/").await;
    post_twice(&app, "/wf/import/", &document, "import").await;
    assert_eq!(count(&app, "/wf/").await, before + 1);
    let part = json!({"node_id": "a", "initial_inputs": {"input_node": {"x": "hi"}}});
    post_twice(&app, &format!("/wf/{workflow}/run_partial/"), &part, "partial").await;
}

async fn repeated_decision_takes_effect_once(app: App) {
    let run = app.start_to_pause(&gated_workflow("gated")).await;
    let path = format!("/wf/process_pause_action/{run}/");
    let decision = json!({"inputs": {}, "user_id": "ada", "action": "APPROVE"});
    post_twice(&app, &path, &decision, "approve").await;
    app.run_until(&run, "COMPLETED").await;
    post_again(&app, &path, &decision, "approve").await;

    let failing = app.create_and_run(&after_input("failing", failing("p")), &run_body("hi")).await;
    post_twice(&app, &format!("/run/{}/retry/", id_of(&failing)), &json!({}), "retry").await;
    let run = app.start_to_pause(&gated_workflow("gated")).await;
    post_twice(&app, &format!("/wf/cancel_workflow/{run}/"), &json!({}), "cancel").await;
    // The run has ended.
    app.post(&format!("/wf/cancel_workflow/{run}/")).json(&json!({})).await.problem(400);
}

/// Sends a request again and returns the stored response.
async fn post_again(app: &App, path: &str, body: &Value, key: &str) -> Response {
    let repeated = post_with_key(app, path, body, key).await;
    assert_eq!(repeated.status, 200);
    assert_eq!(repeated.headers["idempotency-replayed"].as_bytes(), &b"true"[..]);
    repeated
}

async fn rejects_a_key_with_another_request(app: App) {
    let id = id_of(&post_twice(&app, "/wf/", &plain("plain"), "k").await);
    post_with_key(&app, "/wf/", &plain("other"), "k").await.problem(422);
    post_with_key(&app, &format!("/wf/{id}/duplicate/"), &plain("plain"), "k").await.problem(422);
    post_with_key(&app, "/wf/?x=1", &plain("plain"), "k").await.problem(422);
    assert_eq!(count(&app, "/wf/").await, 1);
}

async fn request_in_progress_does_not_start_again(app: App) {
    let endless = app.create(&after_input("endless", never_ending("p"))).await;
    let path = format!("/wf/{endless}/start_run/?wait_seconds=3");
    let body = run_body("hi");
    let second = async {
        eventually("the run to begin", async || (count(&app, "/run/").await == 1).then_some(())).await;
        post_with_key(&app, &path, &body, "k").await
    };
    let (first, second) = join(post_with_key(&app, &path, &body, "k"), second).await;
    second.problem(409);
    assert_eq!(first.status, 202);
    assert_eq!(count(&app, "/run/").await, 1);
}

async fn request_of_a_disconnected_client_takes_effect_once(app: App) {
    let endless = app.create(&after_input("endless", never_ending("p"))).await;
    let path = format!("/wf/{endless}/start_run/?wait_seconds=2");
    let body = run_body("hi");
    let running = eventually("the run to begin", async || (count(&app, "/run/").await == 1).then_some(()));
    // The first client disconnects once the run has started.
    tokio::select! {
        _ = post_with_key(&app, &path, &body, "k") => panic!("the server responded early"),
        () = running => {}
    }
    post_with_key(&app, &path, &body, "k").await.problem(409);
    let response = eventually("the first request to end", async || {
        let response = post_with_key(&app, &path, &body, "k").await;
        (response.status != 409).then_some(response)
    })
    .await;
    assert_eq!(response.status, 202);
    assert_eq!(response.headers["idempotency-replayed"].as_bytes(), &b"true"[..]);
    assert_eq!(count(&app, "/run/").await, 1);
}

async fn stored_response_survives_a_crash(mut app: App) {
    let first = post_with_key(&app, "/wf/", &plain("plain"), "k").await;
    app.crash_and_restart().await;
    assert_eq!(post_again(&app, "/wf/", &plain("plain"), "k").await.text, first.text);
}

async fn repeated_run_request_finds_its_run(mut app: App) {
    let slow = app.create(&after_input("slow", slow("p"))).await;
    let (path, body) = (format!("/wf/{slow}/runv2/"), run_body("hi"));
    let base = app.base().to_owned();
    let lost = tokio::spawn({
        let (path, body) = (path.clone(), body.clone());
        async move {
            let http = reqwest::Client::builder().no_proxy().build().expect("a client");
            http.post(format!("{base}{path}")).header("idempotency-key", "k").json(&body).send().await
        }
    });
    eventually("the run to begin", async || (count(&app, "/run/").await == 1).then_some(())).await;
    app.crash_and_restart().await;
    assert!(lost.await.expect("a task").is_err(), "the client got no response");
    let repeated = post_with_key(&app, &path, &body, "k").await.ok();
    assert_eq!(repeated["status"], "COMPLETED");
    assert_eq!(app.get("/run/").await.ok()[0]["id"], repeated["id"]);
    assert_eq!(count(&app, "/run/").await, 1);
    assert_eq!(post_again(&app, &path, &body, "k").await.json(), repeated);
}

async fn failed_request_can_be_repeated(app: App) {
    post_with_key(&app, "/wf/", &json!({"name": 3}), "k").await.problem(422);
    post_twice(&app, "/wf/", &plain("plain"), "k").await;
    post_with_key(&app, "/wf/nope/run/", &json!({}), "j").await.problem(404);
    let failing = app.create(&after_input("failing", failing("p"))).await;
    for _ in 0..2 {
        post_with_key(&app, &format!("/wf/{failing}/run/"), &run_body("hi"), "f").await.problem(424);
        assert_eq!(count(&app, "/run/").await, 1, "the response has the failed run");
    }
}

async fn rejects_invalid_keys(app: App) {
    for key in ["", "a b", &"x".repeat(256)] {
        post_with_key(&app, "/wf/", &plain("plain"), key).await.problem(400);
    }
    let two = [("idempotency-key", "a".to_owned()), ("idempotency-key", "b".to_owned())];
    app.post("/wf/").headers(&two).json(&plain("plain")).await.problem(400);
    // Other methods ignore the header.
    app.get("/wf/").idempotency_key("a b").await.ok();
}

async fn form_is_identified_by_its_content(app: App) {
    let workflow = app.create(&plain("plain")).await;
    // Each form has a different boundary.
    let files = |content: &'static str, name: &'static str| {
        let form = Form::new().text("workflow_id", workflow.clone()).text("node_id", "input_node");
        form.part("files", Part::text(content).file_name(name))
    };
    let upload = async |form, key| app.post("/wf/upload_test_files/").idempotency_key(key).form(form).await;
    let first = upload(files("one", "a.txt"), "files").await;
    let repeated = upload(files("one", "a.txt"), "files").await;
    assert_eq!(repeated.headers["idempotency-replayed"], "true");
    assert_eq!(first.ok(), repeated.ok());
    for other in [files("two", "a.txt"), files("one", "b.txt"), files("one", "a.txt").text("more", "x")] {
        let problem = upload(other, "files").await.problem(422);
        assert_eq!(problem["type"], "/problems/key-reused");
    }
    let rows = |content: &'static str| Form::new().part("file", Part::text(content).file_name("rows.csv"));
    let dataset = async |form, key| app.post("/ds/?name=rows").idempotency_key(key).form(form).await;
    let first = dataset(rows("x\n1\n"), "rows").await.ok();
    assert_eq!(dataset(rows("x\n1\n"), "rows").await.ok(), first);
    dataset(rows("x\n2\n"), "rows").await.problem(422);
    assert_eq!(count(&app, "/ds/").await, 1);
    let batch = async |form| {
        app.post(&format!("/wf/{workflow}/start_batch_run/")).idempotency_key("batch").form(form).await
    };
    let first = id_of(&batch(rows("x\n1\n")).await.ok());
    assert_eq!(id_of(&batch(rows("x\n1\n")).await.ok()), first);
    batch(rows("x\n1\n2\n")).await.problem(422);
}

async fn repeated_request_returns_the_failed_run(app: App) {
    let workflow = app.create(&after_input("failing", failing("p"))).await;
    let path = format!("/wf/{workflow}/run/");
    let first = post_with_key(&app, &path, &run_body("hi"), "k").await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let run = first.problem(424)["run_id"].clone();
    let second = post_with_key(&app, &path, &run_body("hi"), "k").await;
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(second.problem(424)["run_id"], run);
    assert_eq!(count(&app, "/run/").await, 1);
}

async fn canceled_batch_stores_its_response(mut app: App) {
    let id = app.create(&gated_workflow("gated")).await;
    let rows = json!({"rows": [{"x": "a"}, {"x": "b"}]});
    let batch = id_of(&app.post(&format!("/wf/{id}/start_batch_run/")).json(&rows).await.ok());
    let both_paused = async || (app.read_run(&batch).await["batch"]["paused"] == 2).then_some(());
    eventually("the rows to pause", both_paused).await;
    app.restart_with(&[("FAILPOINTS", "append_after=1*return(abort)")]).await;
    let path = format!("/wf/cancel_workflow/{batch}/");
    assert!(
        app.post(&path).idempotency_key("k").json(&json!({})).try_send().await.is_none(),
        "the client got no response"
    );
    app.set_env("FAILPOINTS", None);
    app.restart_after_exit().await;
    let response = post_again(&app, &path, &json!({}), "k").await.json();
    assert_json!(response, {"id": batch, "status": "CANCELED"});
    assert_eq!(response["batch"]["total"], 2);
    app.post(&path).json(&json!({})).await.problem(400);
}

async fn stored_response_outlives_later_changes(app: App) {
    let created = post_with_key(&app, "/wf/", &plain("plain"), "create").await;
    let path = format!("/wf/{}/", id_of(&created.json()));
    let start = format!("{path}start_run/");
    let started = post_with_key(&app, &start, &run_body("hi"), "start").await;
    app.run_until(&id_of(&started.json()), "COMPLETED").await;
    app.put(&path).json(&gated_workflow("changed")).await.ok();
    for _ in 0..2 {
        let repeated = post_again(&app, "/wf/", &plain("plain"), "create").await;
        assert_eq!((&repeated.text, &repeated.headers["etag"]), (&created.text, &created.headers["etag"]));
        assert_eq!(post_again(&app, &start, &run_body("hi"), "start").await.text, started.text);
        // The second time, the workflow is deleted.
        app.delete(&path).await;
    }
}
