//! Batch runs: one run for each row of JSON, a file or a dataset.

use std::collections::HashSet;

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::client::Response;
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of, ids};
use crate::support::polling::eventually;

on_both_databases!(
    batch_runs_every_row,
    rows_come_from_a_file,
    rows_come_from_a_dataset,
    failing_row_does_not_affect_other_rows,
    retried_row_survives_a_crash,
    paused_rows_release_their_slots,
    batch_survives_a_crash,
    deleted_batch_has_one_audit_entry,
    canceled_batch_cancels_its_rows,
    canceled_batch_starts_no_more_rows,
    row_of_a_canceled_batch_is_not_retried,
    rejects_invalid_batches,
    rejects_invalid_datasets,
    dataset_names_and_descriptions_are_limited,
    every_form_route_rejects_a_malformed_form,
);

/// Returns the workflow input → p, which outputs x with an exclamation mark.
fn uppercase_workflow() -> Value {
    let code = "return {'out': input_model.input_node.x + '!'}";
    after_input("shouting", python_with_outputs("p", code, json!({"out": "string"})))
}

/// Returns the workflow input → p, which divides 6 by n.
fn division_workflow() -> Value {
    let number = node("input_node", "InputNode", json!({"output_schema": {"n": "int"}}));
    let divide = python("p", "return {'out': 6 // input_model.input_node.n}");
    workflow("dividing", vec![number, divide], chain(&["input_node", "p"]))
}

fn rows(count: usize) -> Value {
    (0..count).map(|row| json!({"x": format!("row {row}")})).collect()
}

fn file(name: &str, text: &str) -> Form {
    Form::new().part("file", Part::bytes(text.as_bytes().to_vec()).file_name(name.to_owned()))
}

async fn start(app: &App, workflow: &str, body: &Value) -> Response {
    app.post(&format!("/wf/{workflow}/start_batch_run/")).json(body).await
}

async fn start_file(app: &App, workflow: &str, form: Form) -> Response {
    app.post(&format!("/wf/{workflow}/start_batch_run/")).form(form).await
}

/// Returns the rows of the output file of a batch.
async fn lines(app: &App, batch: &Value) -> Vec<Value> {
    let file = batch["output_file_id"].as_str().expect("an output file");
    let response = app.get(&format!("/of/{file}/download/")).await;
    assert_eq!(response.status, 200, "{}", response.text);
    assert_eq!(response.content_type(), "application/x-ndjson", "{}", response.text);
    let disposition = response.headers["content-disposition"].to_str().expect("a text");
    assert!(disposition.starts_with("attachment; filename=\"output_"), "{disposition}");
    response.text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Returns the row number, the status and the output of `p` of each row.
fn summary(lines: &[Value]) -> Vec<(i64, &str, &Value)> {
    let seen: HashSet<&str> = lines.iter().map(|line| line["run_id"].as_str().expect("an id")).collect();
    assert_eq!(seen.len(), lines.len(), "one run for each row");
    lines
        .iter()
        .map(|line| {
            let row = line["row"].as_i64().expect("a number");
            (row, line["status"].as_str().expect("a text"), &line["outputs"]["p"]["out"])
        })
        .collect()
}

async fn batch_runs_every_row(app: App) {
    let workflow = app.create(&uppercase_workflow()).await;
    let body = json!({"rows": [{"x": "a"}, {"input_node": {"x": "b"}}, {"x": "c"}], "mini_batch_size": 2});
    let batch = start(&app, &workflow, &body).await.ok();
    assert_json!(batch, {"status": "PENDING", "run_type": "batch"});
    assert_eq!(batch["batch"]["total"], 3);
    assert_eq!(batch["percentage_complete"], 0.0);

    let batch = app.run_until(&id_of(&batch), "COMPLETED").await;
    let counts = json!({"total": 3, "pending": 0, "running": 0, "paused": 0, "completed": 3, "failed": 0, "canceled": 0});
    assert_eq!(batch["batch"], counts);
    assert_eq!(batch["percentage_complete"], 100.0);
    let lines = lines(&app, &batch).await;
    let outputs = [json!("a!"), json!("b!"), json!("c!")];
    assert_eq!(
        summary(&lines),
        [(0, "COMPLETED", &outputs[0]), (1, "COMPLETED", &outputs[1]), (2, "COMPLETED", &outputs[2])]
    );
    assert_eq!(lines[0]["inputs"], json!({"input_node": {"x": "a"}}));

    // A row is a run with a parent and a row number.
    let row = app.read_run(lines[1]["run_id"].as_str().expect("an id")).await;
    assert_json!(row, {"parent_run_id": batch["id"], "batch_row": 1});
    assert_eq!(row["workflow_version_id"], batch["workflow_version_id"]);
    let parents = app.get("/run/?run_type=batch&parent_only=true").await.ok();
    assert_eq!(ids(&parents), [id_of(&batch)]);

    let file = batch["output_file_id"].as_str().expect("an output file");
    let described = app.get(&format!("/of/{file}/")).await.ok();
    assert_eq!(described["id"], file);
    assert_eq!(app.get("/of/").await.ok(), json!([described]));
    app.get(&format!("/of/{}/download/", id_of(&row))).await.problem(404);
    app.delete(&format!("/wf/{workflow}/")).await.expect(204);
    app.get(&format!("/of/{file}/download/")).await.problem(404);
}

async fn rows_come_from_a_file(app: App) {
    let workflow = app.create(&division_workflow()).await;
    for (name, text) in [
        ("t.csv", "n\n1\n2\n3\n"),
        ("t.jsonl", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"),
        ("t.json", r#"[{"n":1},{"n":2},{"n":3}]"#),
    ] {
        let form = file(name, text).text("mini_batch_size", "1");
        let batch = start_file(&app, &workflow, form).await.ok();
        let batch = app.run_until(&id_of(&batch), "COMPLETED").await;
        assert_eq!(batch["batch"]["completed"], 3, "{name}: {batch:#}");
        let lines = lines(&app, &batch).await;
        let outputs: Vec<&Value> = summary(&lines).into_iter().map(|(_, _, out)| out).collect();
        assert_eq!(outputs, [&json!(6), &json!(3), &json!(2)], "{name}");
    }
}

async fn rows_come_from_a_dataset(app: App) {
    let workflow = app.create(&division_workflow()).await;
    let form = file("numbers.csv", "n\n2\n3\n").text("description", "two numbers");
    let dataset = app.post("/ds/?name=numbers").form(form).await.ok();
    let id = id_of(&dataset);
    assert_eq!(dataset["name"], "numbers");
    assert_eq!(dataset["description"], "two numbers");
    assert_json!(dataset, {"filename": "numbers.csv", "rows": 2});
    assert_eq!(app.get(&format!("/ds/{id}/")).await.ok(), dataset);
    let second = app.post("/ds/").form(file("more.jsonl", "{\"n\": 6}\n").text("name", "more")).await.ok();
    assert_eq!(app.get("/ds/").await.ok(), json!([second, dataset]));
    assert_eq!(app.get("/ds/?page=2&page_size=1").await.ok(), json!([dataset]));
    assert_eq!(app.get("/ds/?page=0").await.pointers(), ["/page"]);

    let batch = start(&app, &workflow, &json!({"dataset_id": id})).await.ok();
    assert_eq!(batch["input_dataset_id"], id);
    let batch = app.run_until(&id_of(&batch), "COMPLETED").await;
    let lines_before = lines(&app, &batch).await;
    assert_eq!(summary(&lines_before).iter().map(|(_, _, out)| (*out).clone()).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(ids(&app.get(&format!("/ds/{id}/list_runs/")).await.ok()), [id_of(&batch)]);

    app.delete(&format!("/ds/{id}/")).await.ok();
    app.get(&format!("/ds/{id}/")).await.problem(404);
    app.delete(&format!("/ds/{id}/")).await.problem(404);
    app.get(&format!("/ds/{id}/list_runs/")).await.problem(404);
    start(&app, &workflow, &json!({"dataset_id": id})).await.problem(404);
    // Runs of a deleted dataset are kept.
    assert_eq!(lines(&app, &app.read_run(&id_of(&batch)).await).await, lines_before);
}

async fn failing_row_does_not_affect_other_rows(app: App) {
    let workflow = app.create(&division_workflow()).await;
    let rows = json!({"rows": [{"n": 1}, {"n": 0}, {"n": "none"}, {"n": 3}]});
    let batch = start(&app, &workflow, &rows).await.ok();
    let batch = app.run_until(&id_of(&batch), "COMPLETED").await;
    assert_json!(batch["batch"], {"completed": 2, "failed": 2});
    assert_eq!(batch["percentage_complete"], 100.0);
    let lines = lines(&app, &batch).await;
    assert_eq!(
        summary(&lines),
        [
            (0, "COMPLETED", &json!(6)),
            (1, "FAILED", &Value::Null),
            (2, "FAILED", &Value::Null),
            (3, "COMPLETED", &json!(2))
        ]
    );
    assert!(lines[1]["error"].as_str().expect("an error").contains("ZeroDivisionError"), "{:#}", lines[1]);
    assert_eq!(lines[0]["error"], Value::Null);
}

/// The row is retried after its batch has ended.
async fn retried_row_survives_a_crash(mut app: App) {
    let code = "n = 0\nwhile n < 400000:\n    n = n + 1\nreturn {'out': 1 // 0}";
    let workflow = app.create(&after_input("slowly", python("p", code))).await;
    let batch = id_of(&start(&app, &workflow, &json!({"rows": rows(1)})).await.ok());
    let batch = app.run_until(&batch, "COMPLETED").await;
    let row = lines(&app, &batch).await[0]["run_id"].as_str().expect("an id").to_owned();
    let retried = app.post(&format!("/run/{row}/retry/")).json(&json!({})).await.ok();
    assert_eq!(retried["status"], "RUNNING");
    app.crash_and_restart().await;
    app.run_until(&row, "FAILED").await;
}

async fn paused_rows_release_their_slots(app: App) {
    let workflow = app.create(&gated_workflow("gated")).await;
    let batch = id_of(&start(&app, &workflow, &json!({"rows": rows(2), "mini_batch_size": 1})).await.ok());
    // A paused row releases its slot.
    eventually("both rows to pause", async || {
        (app.read_run(&batch).await["batch"]["paused"] == 2).then_some(())
    })
    .await;
    // The server counts rows after it reads the run, so read it again.
    let batch = app.read_run(&batch).await;
    assert_json!(batch, {"status": "RUNNING", "percentage_complete": 0.0});
    for line in lines(&app, &batch).await {
        app.approve(line["run_id"].as_str().expect("an id")).await;
    }
    let batch = app.run_until(&id_of(&batch), "COMPLETED").await;
    assert_eq!(batch["batch"]["completed"], 2);
}

async fn deleted_batch_has_one_audit_entry(app: App) {
    let workflow = app.create(&gated_workflow("gated")).await;
    let batch = id_of(&start(&app, &workflow, &json!({"rows": rows(10)})).await.ok());
    eventually("the rows to pause", async || {
        (app.read_run(&batch).await["batch"]["paused"] == 10).then_some(())
    })
    .await;
    app.delete(&format!("/wf/{workflow}/")).await.expect(204);
    let reported = app.get("/audit/?operation=deleteWorkflow&page_size=100").await.ok();
    let reported: Vec<_> =
        reported.as_array().expect("a list").iter().map(|entry| &entry["subject_id"]).collect();
    assert_eq!(reported, [&json!(workflow), &json!(batch)]);
}

async fn batch_survives_a_crash(mut app: App) {
    let workflow = app.create(&after_input("slow", slow("p"))).await;
    let batch = id_of(&start(&app, &workflow, &json!({"rows": rows(12), "mini_batch_size": 3})).await.ok());
    for done in [1, 5] {
        eventually(&format!("{done} rows to complete"), async || {
            let now = app.read_run(&batch).await;
            (now["batch"]["completed"].as_i64() >= Some(done)).then_some(())
        })
        .await;
        app.crash_and_restart().await;
    }
    let batch = app.run_until(&batch, "COMPLETED").await;
    assert_eq!(batch["batch"]["completed"], 12, "{:#}", batch["batch"]);
    let lines = lines(&app, &batch).await;
    let in_order: Vec<i64> = summary(&lines).iter().map(|(row, _, _)| *row).collect();
    assert_eq!(in_order, (0..12).collect::<Vec<i64>>());
}

async fn canceled_batch_cancels_its_rows(mut app: App) {
    let workflow = app.create(&after_input("endless", never_ending("p"))).await;
    let batch = id_of(&start(&app, &workflow, &json!({"rows": rows(5), "mini_batch_size": 2})).await.ok());
    eventually("a row to run", async || {
        let now = app.read_run(&batch).await;
        (now["batch"]["running"].as_i64() > Some(0)).then_some(())
    })
    .await;
    let canceled = app.post(&format!("/wf/cancel_workflow/{batch}/")).await.ok();
    assert_eq!(canceled["status"], "CANCELED");
    assert_eq!(canceled["batch"]["total"], 5);
    let ended = eventually("the rows to be canceled", async || {
        let now = app.read_run(&batch).await;
        let rows = &now["batch"];
        (rows["running"] == 0 && rows["pending"] == 0).then_some(now)
    })
    .await;
    let lines_after = lines(&app, &ended).await;
    assert!(
        !lines_after.is_empty() && lines_after.len() < 5,
        "only rows that had started are in the output file: {lines_after:#?}"
    );
    assert!(summary(&lines_after).iter().all(|(_, status, _)| *status == "CANCELED"), "{lines_after:#?}");
    app.post(&format!("/wf/cancel_workflow/{batch}/")).await.problem(400);

    // Its rows stay canceled.
    app.crash_and_restart().await;
    assert_eq!(lines(&app, &app.read_run(&batch).await).await, lines_after);
}

async fn canceled_batch_starts_no_more_rows(app: App) {
    let workflow = app.create(&after_input("endless", never_ending("p"))).await;
    let size = json!({"rows": rows(100), "mini_batch_size": 100});
    let batch = id_of(&start(&app, &workflow, &size).await.ok());
    eventually("every row to run", async || {
        let now = app.read_run(&batch).await;
        (now["batch"]["running"] == 100).then_some(())
    })
    .await;
    let canceled = app.post(&format!("/wf/cancel_workflow/{batch}/")).await.ok();
    eventually("the rows to be canceled", async || {
        (app.read_run(&batch).await["batch"]["canceled"] == 100).then_some(())
    })
    .await;
    let path = "/run/?parent_only=false&page_size=100&run_type=batch";
    let started_late = app
        .get(path)
        .await
        .ok()
        .as_array()
        .expect("a list")
        .iter()
        .filter(|run| {
            let start_times = run["tasks"].as_array().into_iter().flatten().map(|task| &task["start_time"]);
            run["parent_run_id"] == batch
                && start_times.filter_map(Value::as_str).any(|at| Some(at) > canceled["end_time"].as_str())
        })
        .count();
    // Rows that had a slot may have started: there are as many slots as Python workers.
    assert!(started_late <= 4, "{started_late} nodes started after the cancel");
}

async fn row_of_a_canceled_batch_is_not_retried(app: App) {
    // The first row fails at once, the second never ends.
    let number = node("input_node", "InputNode", json!({"output_schema": {"n": "int"}}));
    let code = "while input_model.input_node.n == 1:\n    pass\nreturn {'out': 1 // 0}";
    let picky = workflow("picky", vec![number, python("p", code)], chain(&["input_node", "p"]));
    let workflow = app.create(&picky).await;
    let rows = json!({"rows": [{"n": 0}, {"n": 1}], "mini_batch_size": 2});
    let batch = id_of(&start(&app, &workflow, &rows).await.ok());
    let batch = eventually("one row to fail, the other to run", async || {
        let now = app.read_run(&batch).await;
        (now["batch"]["failed"] == 1 && now["batch"]["running"] == 1).then_some(now)
    })
    .await;
    let rows = lines(&app, &batch).await;
    let failed = rows.iter().find(|line| line["status"] == "FAILED").expect("one failed");
    let retry = format!("/run/{}/retry/", failed["run_id"].as_str().expect("an id"));
    app.post(&format!("/wf/cancel_workflow/{}/", id_of(&batch))).await.ok();
    let rejected = app.post(&retry).json(&json!({})).await.problem(400);
    assert!(rejected["detail"].as_str().expect("a text").contains("batch"), "{rejected}");
}

async fn rejects_invalid_batches(app: App) {
    let workflow = app.create(&uppercase_workflow()).await;
    let missing = "019a0000-0000-7000-8000-000000000000";
    for (body, pointers) in [
        (json!({}), vec![""]),
        (json!({"rows": [{"x": "a"}], "dataset_id": missing}), vec![""]),
        (json!({"rows": []}), vec!["/rows"]),
        (json!({"rows": [1]}), vec!["/rows/0"]),
        (json!({"rows": [{"x": "a"}], "mini_batch_size": 0}), vec!["/mini_batch_size"]),
        (json!({"rows": [{"x": "a"}], "mini_batch_size": 1001}), vec!["/mini_batch_size"]),
    ] {
        let response = start(&app, &workflow, &body).await;
        assert_eq!(response.pointers(), pointers, "{body}");
    }
    for (name, text, size) in [
        ("t.csv", "x,y\n1\n", "1"),
        ("t.txt", "x\n1\n", "1"),
        ("t.jsonl", "[1]\n", "1"),
        ("t.csv", "x\n", "1"),
    ] {
        let response = start_file(&app, &workflow, file(name, text).text("mini_batch_size", size)).await;
        assert_eq!(response.pointers(), ["/file"], "{name} {text:?}");
    }
    let long = format!("{}\n1\n", "n".repeat(256));
    assert_eq!(start_file(&app, &workflow, file("t.csv", &long)).await.pointers(), ["/file"]);
    // A small file that expands in memory: each row holds all column names.
    let names: Vec<String> = (0..250).map(|number| format!("{number:0250}")).collect();
    let wide = format!("{}\n{}", names.join(","), format!("{}\n", ",".repeat(249)).repeat(9_000));
    assert_eq!(start_file(&app, &workflow, file("t.csv", &wide)).await.pointers(), ["/file"]);
    let response = start_file(&app, &workflow, file("t.csv", "x\n1\n").text("mini_batch_size", "many")).await;
    assert_eq!(response.pointers(), ["/mini_batch_size"]);
    assert_eq!(start_file(&app, &workflow, Form::new().text("a", "b")).await.pointers(), ["/file"]);
    start(&app, &workflow, &json!({"rows": rows(10_001)})).await.problem(413);
    start(&app, &workflow, &json!({"dataset_id": missing})).await.problem(404);
    start(&app, missing, &json!({"rows": rows(1)})).await.problem(404);
    app.get(&format!("/of/{missing}/")).await.problem(404);
    app.get("/of/?page=0").await.problem(422);
    assert_eq!(app.get("/run/?run_type=batch").await.ok(), json!([]), "no run was started");
}

async fn rejects_invalid_datasets(app: App) {
    assert_eq!(app.post("/ds/").form(file("t.csv", "x\n1\n")).await.pointers(), ["/name"]);
    assert_eq!(app.post("/ds/?name=n").form(Form::new().text("a", "b")).await.pointers(), ["/file"]);
    assert_eq!(app.post("/ds/?name=n").form(file("t.csv", "x,x\n1,2\n")).await.pointers(), ["/file"]);
    let long = format!("/ds/?name={}", "n".repeat(256));
    app.post(&long).form(file("t.csv", "x\n1\n")).await.problem(422);
    app.post("/ds/?name=n").json(&json!({})).await.problem(415);
    app.get("/ds/none/").await.problem(404);
    assert_eq!(app.get("/ds/").await.ok(), json!([]), "nothing is stored");
}

/// Limits count characters, in the query and in the form.
async fn dataset_names_and_descriptions_are_limited(app: App) {
    let (name, text) = ("ü".repeat(255), "ü".repeat(1_000));
    let path = format!("/ds/?name={name}&description={text}");
    let queried = app.post(&path).form(file("t.csv", "x\n1\n")).await.ok();
    assert_json!(queried, {"name": name, "description": text});
    let long = format!("/ds/?name=n&description={}", "u".repeat(4_097));
    assert_eq!(app.post(&long).form(file("t.csv", "x\n1\n")).await.pointers(), ["/description"]);
    app.post(&format!("{long}{}", "u".repeat(4_096))).form(file("t.csv", "x\n1\n")).await.problem(414);
    let text = "ü".repeat(65_536);
    let upload = |name: String, text: String| {
        app.post("/ds/").form(file("t.csv", "x\n1\n").text("name", name).text("description", text)).send()
    };
    let dataset = upload(name.clone(), text.clone()).await.ok();
    assert_json!(dataset, {"name": name, "description": text});
    assert_eq!(upload(name.clone() + "ü", String::new()).await.pointers(), ["/name"]);
    assert_eq!(upload(name, text + "ü").await.pointers(), ["/description"]);
}

async fn every_form_route_rejects_a_malformed_form(app: App) {
    let workflow = app.create(&uppercase_workflow()).await;
    let batch = format!("/wf/{workflow}/start_batch_run/");
    for path in ["/ds/?name=n", &batch, "/wf/upload_test_files/"] {
        for (kind, body) in [
            ("multipart/form-data", "--B\r\n"),
            (
                "multipart/form-data; boundary=B",
                "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\nx\n1",
            ),
        ] {
            let problem = app.post(path).body(kind, body).await.problem(400);
            assert_eq!(problem["type"], "/problems/bad-request", "{path} {kind}: {problem}");
        }
    }
}
