//! `/wf/{id}/run…/` and `/run/`: starting, reading, listing and canceling runs.

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::database::files_below;
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of, ids, task};

on_both_databases!(
    run_returns_outputs_by_node_id,
    runv2_returns_the_run,
    start_run_returns_before_the_run_ends,
    run_without_inputs_completes,
    outputs_and_inputs_are_keyed_by_title,
    colliding_titles_keep_every_output,
    titles_collide_only_in_the_same_object,
    times_have_milliseconds,
    failed_node_cancels_its_descendants,
    unsupported_node_type_fails_with_a_message,
    enforced_schema_rejects_invalid_inputs,
    output_map_reads_nested_values,
    output_without_a_map_passes_everything,
    run_inputs_accept_files,
    data_uris_are_stored_and_replaced,
    other_text_is_unchanged,
    partial_run_runs_one_node,
    rejects_invalid_partial_runs,
    runs_are_listed_and_filtered,
    child_runs_are_listed_with_their_parent,
    paused_run_can_be_canceled,
    running_run_can_be_canceled,
    wide_workflow_completes,
);

async fn run_returns_outputs_by_node_id(app: App) {
    let id = app.create(&plain("w")).await;
    let outputs = app.post(&format!("/wf/{id}/run/")).json(&run_body("hi")).await.ok();
    let expected =
        json!({"input_node": {"x": "hi"}, "a": {"k": "1"}, "b": {"k": "2"}, "output_node": {"out": "2"}});
    assert_eq!(outputs, expected);

    let gated = app.create(&gated_workflow("g")).await;
    let paused = app.post(&format!("/wf/{gated}/run/")).json(&run_body("hi")).await.expect(202);
    assert_eq!(paused["status"], "PAUSED", "{paused}");

    let broken = app.create(&after_input("f", failing("p"))).await;
    let problem = app.post(&format!("/wf/{broken}/run/")).json(&run_body("hi")).await.problem(424);
    let run = problem["run_id"].as_str().expect("the run's id");
    assert_eq!(app.read_run(run).await["status"], "FAILED");
    assert!(problem.to_string().contains("ZeroDivisionError"), "{problem}");
    assert!(problem.to_string().contains("\"p\"") || problem.to_string().contains("`p`"), "{problem}");
}

async fn runv2_returns_the_run(app: App) {
    let id = app.create(&plain("w")).await;
    let run = app.post(&format!("/wf/{id}/runv2/")).json(&run_body("hi")).await.ok();
    assert_json!(run, {"workflow_id": id, "status": "COMPLETED", "run_type": "interactive", "parent_run_id": null});
    assert_eq!(run["initial_inputs"], json!({"input_node": {"x": "hi"}}));
    assert_eq!(run["outputs"]["output_node"], json!({"out": "2"}));
    assert_eq!(as_floats(&run["percentage_complete"]), json!(100.0));
    assert_eq!(run["workflow_version"]["version"], 1);
    assert!(run["duration"].as_f64().expect("seconds") >= 0.0);
    assert!(run["start_time"].as_str() <= run["end_time"].as_str() && run["end_time"].is_string(), "{run}");
    assert_eq!(run["tasks"].as_array().map(Vec::len), Some(4));
    let b = task(&run, "b");
    assert_json!(b, {"status": "COMPLETED", "inputs": {"a": {"k": "1"}}});
    assert_json!(b, {"outputs": {"k": "2"}, "error": null});
    assert_eq!(b["run_id"], run["id"]);

    let read = app.get(&format!("/run/{}/", id_of(&run))).await.ok();
    assert_json!(read, {"outputs": run["outputs"], "tasks": run["tasks"]});
    assert_eq!(app.read_run(&id_of(&run)).await, read);
}

async fn start_run_returns_before_the_run_ends(app: App) {
    let id = app.create(&after_input("busy", never_ending("p"))).await;
    let started = app.post(&format!("/wf/{id}/start_run/?run_type=batch")).json(&run_body("hi")).await.ok();
    assert_json!(started, {"status": "PENDING", "run_type": "batch", "outputs": null, "end_time": null});
    let run = id_of(&started);
    let running = app.run_until(&run, "RUNNING").await;
    assert_eq!(running["run_type"], "batch");
    app.post(&format!("/wf/cancel_workflow/{run}/")).await.ok();
}

async fn run_without_inputs_completes(app: App) {
    let id = app.create(&plain("w")).await;
    for body in [json!({}), json!({"initial_inputs": null}), json!({"initial_inputs": {}})] {
        let run = app.run(&id, &body).await;
        assert_eq!(run["status"], "COMPLETED");
        assert_eq!(run["outputs"]["output_node"], json!({"out": "2"}));
    }
    let path = format!("/wf/{id}/runv2/");
    assert_eq!(app.post(&path).json(&json!({"initial_inputs": "no"})).await.pointers(), ["/initial_inputs"]);
    app.post(&path).json(&json!({"initial_inputs": {"input_node": 3}})).await.problem(422);
}

async fn outputs_and_inputs_are_keyed_by_title(app: App) {
    let body = workflow(
        "titles",
        vec![
            with_title(input(), "In"),
            with_title(static_node("a", json!({"k": 1})), "First step"),
            with_title(output(json!({"out": "First step.k"})), "Out"),
        ],
        chain(&["input_node", "a", "output_node"]),
    );
    let id = app.create(&body).await;
    let run = app.run(&id, &run_body("hi")).await;
    assert_eq!(run["outputs"], json!({"In": {"x": "hi"}, "First step": {"k": 1}, "Out": {"out": 1}}));
    assert_eq!(task(&run, "a")["inputs"], json!({"In": {"x": "hi"}}));
    assert_eq!(task(&run, "output_node")["inputs"], json!({"First step": {"k": 1}}));
    let by_id = app.post(&format!("/wf/{id}/run/")).json(&run_body("hi")).await.ok();
    assert_eq!(by_id, json!({"input_node": {"x": "hi"}, "a": {"k": 1}, "output_node": {"out": 1}}));
}

async fn colliding_titles_keep_every_output(app: App) {
    let nodes = ["a", "b", "c"].map(|id| with_title(static_node(id, json!({"from": id})), "Same"));
    let mut all = vec![input()];
    all.extend(nodes);
    let links = ["a", "b", "c"].map(|id| link("input_node", id)).to_vec();
    let run = app.create_and_run(&workflow("same", all, links), &run_body("hi")).await;
    let expected =
        json!({"input_node": {"x": "hi"}, "Same": {"from": "a"}, "b": {"from": "b"}, "c": {"from": "c"}});
    assert_eq!(run["outputs"], expected);
}

#[expect(clippy::disallowed_methods, reason = "the test compares the clock of the client")]
async fn times_have_milliseconds(app: App) {
    let workflow = app.create(&after_input("slow", slow("p"))).await;
    let before = Utc::now();
    let run = app.run_until(&app.start_run(&workflow, &run_body("hi")).await, "COMPLETED").await;
    let after = Utc::now();
    let time =
        |value: &Value| value.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok()).expect("a time");
    let slow = task(&run, "p");
    let in_order = [
        before.trunc_subsecs(3),
        time(&run["start_time"]),
        time(&slow["start_time"]),
        time(&slow["end_time"]),
        time(&run["end_time"]),
        after,
    ];
    assert!(in_order.is_sorted(), "{in_order:?}");
    let seconds = run["duration"].as_f64().expect("seconds");
    let between = (in_order[4] - in_order[1]).as_seconds_f64();
    assert!((seconds - between).abs() <= 0.001, "{seconds} is not {between}");
}

async fn failed_node_cancels_its_descendants(app: App) {
    let body = workflow(
        "fails",
        vec![
            input(),
            failing("p"),
            static_node("below", json!({"k": 1})),
            static_node("side", json!({"k": "v"})),
            static_node("side2", json!({"k": "w"})),
            output(json!({"out": "below.k"})),
        ],
        vec![
            link("input_node", "p"),
            link("p", "below"),
            link("below", "output_node"),
            link("input_node", "side"),
            link("side", "side2"),
        ],
    );
    let run = app.create_and_run(&body, &run_body("hi")).await;
    assert_eq!(run["status"], "FAILED");
    let failed = task(&run, "p");
    assert_json!(failed, {"status": "FAILED", "outputs": null});
    assert!(failed["error"].as_str().expect("an error").contains("ZeroDivisionError"), "{failed}");
    for node in ["below", "output_node"] {
        let canceled = task(&run, node);
        assert_json!(canceled, {"status": "CANCELED", "error": "Upstream failure"});
    }
    let expected = json!({"input_node": {"x": "hi"}, "side": {"k": "v"}, "side2": {"k": "w"}});
    assert_eq!(run["outputs"], expected, "independent branches finish");
    assert!(run["end_time"].is_string());
}

async fn unsupported_node_type_fails_with_a_message(app: App) {
    let jokes: Value =
        serde_json::from_str(include_str!("../../fixtures/joke_generator.json")).expect("a fixture");
    let run = app
        .create_and_run(&jokes, &json!({"initial_inputs": {"input_node": {"topic": "t", "audience": "a"}}}))
        .await;
    assert_eq!(run["status"], "FAILED");
    let error = task(&run, "SingleShotJoke")["error"].as_str().expect("an error").to_owned();
    assert!(error.contains("SingleLLMCallNode") && error.len() > 30, "{error}");
    assert_eq!(task(&run, "JokeRefiner")["status"], "CANCELED");
}

async fn enforced_schema_rejects_invalid_inputs(app: App) {
    let mut strict = input();
    strict["config"]["enforce_schema"] = json!(true);
    strict["config"]["output_json_schema"] =
        json!(r#"{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}"#);
    strict["config"]["output_schema"] = json!({"x": "int"});
    let id = app.create(&workflow("strict", vec![strict.clone()], vec![])).await;
    assert_eq!(app.run(&id, &run_body(3)).await["status"], "COMPLETED");
    for invalid_body in [run_body("three"), json!({"initial_inputs": {"input_node": {}}}), json!({})] {
        let run = app.run(&id, &invalid_body).await;
        assert_eq!(run["status"], "FAILED", "{invalid_body}");
        let error = task(&run, "input_node")["error"].as_str().expect("an error");
        assert!(error.contains('x'), "the error names the field: {error}");
    }

    strict["config"]["enforce_schema"] = json!(false);
    let id = app.create(&workflow("lax", vec![strict], vec![])).await;
    assert_eq!(app.run(&id, &run_body("three")).await["outputs"]["input_node"], json!({"x": "three"}));
}

async fn output_map_reads_nested_values(app: App) {
    let values = json!({"k": {"l": {"m": {"n": [1, {"o": null}]}}}, "zero": 0});
    let body = workflow(
        "deep",
        vec![
            input(),
            static_node("a", values),
            output(json!({"four": "a.k.l.m.n", "two": "a.k.l", "node": "a", "zero": "a.zero"})),
        ],
        chain(&["input_node", "a", "output_node"]),
    );
    let run = app.create_and_run(&body, &run_body("hi")).await;
    let expected = json!({
        "four": [1, {"o": null}], "two": {"m": {"n": [1, {"o": null}]}},
        "node": {"k": {"l": {"m": {"n": [1, {"o": null}]}}}, "zero": 0}, "zero": 0
    });
    assert_eq!(run["outputs"]["output_node"], expected);
}

async fn output_without_a_map_passes_everything(app: App) {
    let body = workflow(
        "all",
        vec![
            input(),
            static_node("a", json!({"k": [1]})),
            static_node("b", json!({"k": null})),
            output(json!({})),
        ],
        vec![
            link("input_node", "a"),
            link("input_node", "b"),
            link("a", "output_node"),
            link("b", "output_node"),
        ],
    );
    let run = app.create_and_run(&body, &run_body("hi")).await;
    assert_eq!(run["outputs"]["output_node"], json!({"a": {"k": [1]}, "b": {"k": null}}));
}

async fn run_inputs_accept_files(app: App) {
    let id = app.create(&plain("w")).await;
    let form = reqwest::multipart::Form::new()
        .text("workflow_id", id.clone())
        .text("node_id", "input_node")
        .part("files", reqwest::multipart::Part::bytes(b"hello".to_vec()).file_name("a.txt"));
    let paths = app.upload(form).await.ok()["input_node"].clone();
    let mut body = run_body("hi");
    body["files"] = json!({"input_node": paths});
    let run = app.run(&id, &body).await;
    assert_eq!(run["outputs"]["input_node"], json!({"x": "hi", "files": paths}));
}

async fn data_uris_are_stored_and_replaced(app: App) {
    let id = app.create(&plain("w")).await;
    let uri = "data:image/png;base64,iVBORw0KGgo=";
    let nested = json!({"pictures": [uri, uri], "text": "data:text/plain;base64,aGVsbG8="});
    let run = app.run(&id, &run_body(nested)).await;
    let x = &run["outputs"]["input_node"]["x"];
    let png = x["pictures"][0].as_str().expect("a path");
    assert!(png.starts_with(&format!("run_files/{id}/")) && png.ends_with(".png"), "{png}");
    assert_eq!(x["pictures"][1], png, "the same content is one file");
    let txt = x["text"].as_str().expect("a path");
    assert!(txt.starts_with(&format!("run_files/{id}/")) && txt.ends_with(".txt"), "{txt}");

    let stored = files_below(&app.data_dir());
    assert_eq!(stored.iter().filter(|f| f.contains(&id)).count(), 2, "{stored:?}");
    let bytes = std::fs::read(app.data_dir().join(txt)).expect("the stored file");
    assert_eq!(bytes, b"hello");

    let rerun = app.run(&id, &run_body(uri)).await;
    assert_eq!(rerun["outputs"]["input_node"]["x"], png, "the file is named after its content");
}

async fn other_text_is_unchanged(app: App) {
    let id = app.create(&plain("w")).await;
    for text in [
        "data: the newest figures",
        "data:",
        "data:,hello",
        "data:text/plain,hello",
        "data:text/plain;base64",
        "data:text/plain;base64,not base64!",
        "see data:text/plain;base64,aGVsbG8=",
        "\u{1F389} ünïcode \n\t\"quoted\"",
        "",
    ] {
        let run = app.run(&id, &run_body(text)).await;
        assert_eq!(run["outputs"]["input_node"]["x"], text);
    }
    assert_eq!(files_below(&app.data_dir()).iter().filter(|f| f.contains(&id)).count(), 0);
}

async fn partial_run_runs_one_node(app: App) {
    let code = "return {'out': int(input_model.a.k) + 1}";
    let body = workflow(
        "part",
        vec![
            input(),
            static_node("a", json!({"k": "1"})),
            python("p", code),
            static_node("z", json!({"k": 1})),
        ],
        chain(&["input_node", "a", "p", "z"]),
    );
    let id = app.create(&body).await;
    let path = format!("/wf/{id}/run_partial/");
    let body = json!({"node_id": "p", "initial_inputs": {"input_node": {"x": "q"}}, "partial_outputs": {"a": {"k": "41"}}});
    let outputs = app.post(&path).json(&body).await.ok();
    assert_json!(outputs, {"p": {"out": 42}, "a": {"k": "41"}});
    assert!(outputs["z"].is_null(), "later nodes do not run: {outputs}");

    let rerun =
        json!({"node_id": "p", "initial_inputs": {"input_node": {"x": "q"}}, "rerun_predecessors": true});
    let outputs = app.post(&path).json(&rerun).await.ok();
    assert_json!(outputs, {"p": {"out": 2}, "a": {"k": "1"}});
    assert_eq!(app.get("/run/").await.ok(), json!([]), "a partial run is not stored");
}

async fn rejects_invalid_partial_runs(app: App) {
    let id = app.create(&after_input("fails", failing("p"))).await;
    let path = format!("/wf/{id}/run_partial/");
    let problem = app.post(&path).json(&json!({"node_id": "missing"})).await.problem(400);
    assert!(problem["detail"].as_str().expect("a sentence").contains("missing"), "{problem}");
    let body = json!({"node_id": "p", "partial_outputs": {"input_node": {"x": 1}}});
    let problem = app.post(&path).json(&body).await.problem(400);
    assert!(problem.to_string().contains("ZeroDivisionError"), "{problem}");
    assert_eq!(app.post(&path).json(&json!({})).await.pointers(), ["/node_id"]);
}

async fn runs_are_listed_and_filtered(app: App) {
    let id = app.create(&plain("w")).await;
    let other = app.create(&after_input("f", failing("p"))).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(id_of(&app.run(&id, &run_body("hi")).await));
    }
    runs.reverse();
    let failed = app.run(&other, &run_body("hi")).await;

    let runs_path = format!("/wf/{id}/runs/");
    assert_eq!(ids(&app.get(&runs_path).await.ok()), runs);
    assert_eq!(ids(&app.get(&format!("{runs_path}?page=2&page_size=2")).await.ok()), runs[2..]);
    assert_eq!(ids(&app.get(&format!("{runs_path}?status=COMPLETED")).await.ok()), runs);
    assert_eq!(app.get(&format!("{runs_path}?status=FAILED")).await.ok(), json!([]));
    assert_eq!(ids(&app.get(&format!("/wf/{other}/runs/?status=FAILED")).await.ok()), [id_of(&failed)]);
    app.get(&format!("{runs_path}?status=SLEEPING")).await.problem(422);

    let middle = app.read_run(&runs[1]).await["start_time"].as_str().expect("a time").to_owned();
    assert_eq!(ids(&app.get(&format!("{runs_path}?start_date={middle}")).await.ok()), runs[..2]);
    assert_eq!(ids(&app.get(&format!("{runs_path}?end_date={middle}")).await.ok()), runs[1..]);
    assert_eq!(app.get(&format!("{runs_path}?start_date=2100-01-01T00:00:00Z")).await.ok(), json!([]));
    assert_eq!(app.get(&format!("{runs_path}?end_date=2001-01-01T00:00:00Z")).await.ok(), json!([]));
    app.get(&format!("{runs_path}?start_date=yesterday")).await.problem(422);

    let all = ids(&app.get("/run/").await.ok());
    assert_eq!(all.len(), 4);
    assert_eq!(all[0], id_of(&failed));
    assert_eq!(ids(&app.get("/run/?page=2&page_size=3").await.ok()), all[3..]);
}

async fn child_runs_are_listed_with_their_parent(app: App) {
    let id = app.create(&plain("w")).await;
    let parent = id_of(&app.run(&id, &run_body("hi")).await);
    let mut body = run_body("hi");
    body["parent_run_id"] = json!(parent);
    let child = app.run(&id, &body).await;
    assert_eq!(child["parent_run_id"], json!(parent));
    let child = id_of(&child);
    let batch =
        id_of(&app.post(&format!("/wf/{id}/start_run/?run_type=batch")).json(&run_body("hi")).await.ok());

    assert_eq!(ids(&app.get("/run/").await.ok()), [&batch, &parent].map(String::as_str), "parents only");
    assert_eq!(
        ids(&app.get("/run/?parent_only=false").await.ok()),
        [&batch, &child, &parent].map(String::as_str)
    );
    assert_eq!(ids(&app.get("/run/?run_type=batch").await.ok()), [batch.as_str()]);
    assert_eq!(app.get("/run/?run_type=evaluation").await.ok(), json!([]));
}

async fn paused_run_can_be_canceled(app: App) {
    let run = app.start_to_pause(&gated_workflow("g")).await;
    let path = format!("/wf/cancel_workflow/{run}/");
    let canceled = app.post(&path).await.ok();
    assert_eq!(canceled["status"], "CANCELED");
    assert!(canceled["end_time"].is_string(), "{canceled}");
    for node in ["gate", "after", "output_node"] {
        assert_eq!(task(&canceled, node)["status"], "CANCELED", "{node}");
    }
    assert_eq!(task(&canceled, "before")["status"], "COMPLETED");
    assert_eq!(app.get("/wf/paused_workflows/").await.ok(), json!([]));
    app.post(&path).await.problem(400);
    let decision = json!({"inputs": {}, "user_id": "ada", "action": "APPROVE"});
    app.pause_decide(&run, &decision).await.problem(400);
}

async fn running_run_can_be_canceled(app: App) {
    let body = workflow(
        "busy",
        vec![input(), never_ending("p"), static_node("below", json!({"k": 1}))],
        chain(&["input_node", "p", "below"]),
    );
    let id = app.create(&body).await;
    let run = app.start_run(&id, &run_body("hi")).await;
    app.run_until(&run, "RUNNING").await;
    let path = format!("/wf/cancel_workflow/{run}/");
    app.post(&path).await.ok();
    let canceled = app.run_until(&run, "CANCELED").await;
    for node in ["p", "below"] {
        assert_eq!(task(&canceled, node)["status"], "CANCELED", "{node}");
    }
    app.post(&path).await.problem(400);
    let done = app.create_and_run(&plain("done"), &run_body("hi")).await;
    app.post(&format!("/wf/cancel_workflow/{}/", id_of(&done))).await.problem(400);
}

async fn wide_workflow_completes(app: App) {
    let names: Vec<String> = (0..100).map(|n| format!("n{n}")).collect();
    let mut nodes = vec![input()];
    nodes.extend(names.iter().map(|n| static_node(n, json!({"k": n}))));
    nodes.push(merge("all"));
    let mut links: Vec<Value> = names.iter().map(|n| link("input_node", n)).collect();
    links.extend(names.iter().map(|n| link(n, "all")));
    let run = app.create_and_run(&workflow("wide", nodes, links), &run_body("hi")).await;
    assert_eq!(run["status"], "COMPLETED");
    let all = run["outputs"]["all"].as_object().expect("the merged outputs");
    assert_eq!(all.len(), 100);
    assert_eq!(all["n99"], json!({"k": "n99"}));
}

/// Two nodes have the same title. A node that is linked to only one of them refers to it by the title.
async fn titles_collide_only_in_the_same_object(app: App) {
    let nodes = vec![
        input(),
        with_title(static_node("s1", json!({"k": 1})), "T"),
        with_title(static_node("s2", json!({"k": 2})), "T"),
        merge("one"),
        merge("both"),
    ];
    let links = vec![
        link("input_node", "s1"),
        link("input_node", "s2"),
        link("s2", "one"),
        link("s2", "both"),
        link("s1", "both"),
    ];
    let run = app.create_and_run(&workflow("w", nodes, links), &run_body("hi")).await;
    assert_eq!(task(&run, "one")["inputs"], json!({"T": {"k": 2}}));
    // The source of the first link gets the title.
    assert_eq!(task(&run, "both")["inputs"], json!({"T": {"k": 2}, "s1": {"k": 1}}));
    assert_json!(run["outputs"], {"T": {"k": 1}, "s2": {"k": 2}});
}
