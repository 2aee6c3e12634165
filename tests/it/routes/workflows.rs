//! `/wf/`: create, read, list, update, reset, duplicate, delete.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::database::files_below;
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of, ids};
use crate::support::polling::eventually;

on_both_databases!(
    workflow_without_a_definition_gets_the_default,
    definition_without_nodes_gets_the_default_of_its_spur_type,
    empty_name_becomes_untitled,
    taken_name_gets_a_suffix,
    concurrent_creates_of_one_name_get_suffixes,
    update_replaces_name_description_and_definition,
    update_requires_a_definition_and_a_free_name,
    list_is_paged_newest_first,
    rejects_pages_out_of_range,
    list_skips_an_unreadable_row,
    reset_changes_only_the_definition,
    duplicate_is_independent,
    output_variables_come_from_the_leaves,
    paths_work_without_a_slash_and_under_api,
    unknown_workflows_are_404,
    real_definitions_are_returned_unchanged,
    old_model_names_and_router_links_are_rewritten,
    unknown_members_are_kept_only_in_configs,
    delete_removes_everything_of_the_workflow,
    delete_cancels_running_and_paused_runs,
);

fn default_definition() -> Value {
    json!({
        "nodes": [{
            "id": "input_node", "title": "input_node", "parent_id": null, "node_type": "InputNode",
            "config": {
                "output_schema": {"input_1": "string"},
                "output_json_schema":
                    "{\"type\": \"object\", \"properties\": {\"input_1\": {\"type\": \"string\"} } }",
                "has_fixed_output": false, "enforce_schema": false
            },
            "coordinates": {"x": 100.0, "y": 100.0}, "dimensions": null, "subworkflow": null
        }],
        "links": [], "test_inputs": [], "spur_type": "workflow"
    })
}

async fn workflow_without_a_definition_gets_the_default(app: App) {
    let created = app.post("/wf/").json(&json!({"name": "plain"})).await.ok();
    assert_eq!(as_floats(&created["definition"]), as_floats(&default_definition()));
    assert_json!(created, {"name": "plain", "description": ""});
    for time in ["created_at", "updated_at"] {
        assert!(created[time].as_str().expect("a time").ends_with('Z'), "{created}");
    }
    let keys: HashSet<&str> = created.as_object().expect("an object").keys().map(String::as_str).collect();
    let required = ["id", "name", "description", "definition", "created_at", "updated_at"];
    assert!(required.iter().all(|k| keys.contains(k)), "{keys:?}");

    let id = id_of(&created);
    assert_eq!(app.get(&format!("/wf/{id}/")).await.ok(), created);
    let versions = app.get(&format!("/wf/{id}/versions/")).await.ok();
    assert_eq!(versions[0]["version"], 1, "{versions}");
}

async fn definition_without_nodes_gets_the_default_of_its_spur_type(app: App) {
    let empty = json!({"name": "empty", "definition": {"nodes": [], "links": []}});
    let created = app.post("/wf/").json(&empty).await.ok();
    assert_eq!(as_floats(&created["definition"]), as_floats(&default_definition()));

    let bot = json!({"name": "bot", "definition": {"nodes": [], "links": [], "spur_type": "chatbot"}});
    let created = app.post("/wf/").json(&bot).await.ok();
    let expected: Value =
        serde_json::from_str(include_str!("../../fixtures/chatbot.json")).expect("a fixture");
    assert_eq!(as_floats(&created["definition"]), as_floats(&expected));
}

async fn empty_name_becomes_untitled(app: App) {
    let first = app.post("/wf/").json(&json!({"name": ""})).await.ok();
    assert_eq!(first["name"], "Untitled Workflow");
    let second = app.post("/wf/").json(&json!({"name": ""})).await.ok();
    let name = second["name"].as_str().expect("a name");
    assert!(name.starts_with("Untitled Workflow") && name != "Untitled Workflow", "{name}");
}

async fn taken_name_gets_a_suffix(app: App) {
    app.create(&plain("twin")).await;
    let second = app.post("/wf/").json(&plain("twin")).await.ok();
    let name = second["name"].as_str().expect("a name");
    assert!(name.starts_with("twin") && name != "twin", "{name}");
}

async fn concurrent_creates_of_one_name_get_suffixes(app: App) {
    let body = json!({"name": "wanted"});
    let responses = join_all((0..64).map(|_| app.post("/wf/").json(&body).send())).await;
    let names: HashSet<String> =
        responses.into_iter().map(|a| a.ok()["name"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(names.len(), 64, "{names:?}");
    assert!(names.contains("wanted") && names.iter().all(|n| n.starts_with("wanted")), "{names:?}");
}

async fn update_replaces_name_description_and_definition(app: App) {
    let created = app.post("/wf/").json(&json!({"name": "before", "description": "first"})).await.ok();
    let path = format!("/wf/{}/", id_of(&created));
    let response = app.put(&path).json(&plain("after")).await.ok();
    assert_json!(response, {"name": "after", "description": "d"});
    assert_eq!(response["definition"], with_optional_members(&plain("after")["definition"]));
    assert_json!(response, {"id": created["id"], "created_at": created["created_at"]});
    assert_ne!(response["updated_at"], created["updated_at"]);
    assert_eq!(app.get(&path).await.ok(), response);

    // A workflow can keep its name.
    app.put(&path).json(&plain("after")).await.ok();
}

async fn update_requires_a_definition_and_a_free_name(app: App) {
    app.create(&plain("taken")).await;
    let path = format!("/wf/{}/", app.create(&plain("mine")).await);
    let before = app.get(&path).await.ok();
    app.put(&path).json(&json!({"name": "mine"})).await.problem(400);
    app.put(&path).json(&plain("taken")).await.problem(409);
    assert_eq!(app.get(&path).await.ok(), before, "a rejected update changes nothing");
}

async fn list_is_paged_newest_first(app: App) {
    let mut created = Vec::new();
    for n in 0..12 {
        created.push(app.create(&json!({"name": format!("w{n}")})).await);
    }
    created.reverse();
    assert_eq!(ids(&app.get("/wf/").await.ok()), created[..10], "a page has ten rows by default");
    assert_eq!(ids(&app.get("/wf/?page=2").await.ok()), created[10..]);
    assert_eq!(ids(&app.get("/wf/?page=3&page_size=5").await.ok()), created[10..]);
    assert_eq!(ids(&app.get("/wf/?page_size=100").await.ok()), created);
    assert_eq!(app.get("/wf/?page=4&page_size=5").await.ok(), json!([]));
}

async fn rejects_pages_out_of_range(app: App) {
    let id = app.create(&plain("w")).await;
    let nested_lists = [format!("/wf/{id}/versions/"), format!("/wf/{id}/runs/")];
    let lists = nested_lists.iter().map(String::as_str).chain(["/wf/", "/run/", "/wf/paused_workflows/"]);
    for list in lists {
        for query in ["page=0", "page=-1", "page=abc", "page_size=0", "page_size=101", "page_size="] {
            app.get(&format!("{list}?{query}")).await.problem(422);
        }
        // A page far after the end is empty. It must not overflow.
        let far = format!("{list}?page=9223372036854775807&page_size=100");
        let response = app.get(&far).await;
        assert!([200, 422].contains(&response.status), "{far}: {} {}", response.status, response.text);
    }
}

async fn list_skips_an_unreadable_row(mut app: App) {
    let readable = app.create(&plain("good")).await;
    let unreadable = app.create(&plain("bad")).await;
    app.terminate().await;
    let changed =
        app.database.execute("UPDATE workflows SET definition = '{broken' WHERE name LIKE 'bad%'").await;
    assert_eq!(changed, 1, "one row is changed");
    app.start_server().await;
    assert_eq!(ids(&app.get("/wf/").await.ok()), [readable]);
    eventually("a line in the log", async || app.log().contains(&unreadable).then_some(())).await;
}

async fn reset_changes_only_the_definition(app: App) {
    let created = app.post("/wf/").json(&plain("w")).await.ok();
    let id = id_of(&created);
    let run = id_of(&app.run(&id, &run_body("hi")).await);
    let reset = app.put(&format!("/wf/{id}/reset/")).await.ok();
    assert_eq!(as_floats(&reset["definition"]), as_floats(&default_definition()));
    for member in ["id", "name", "description", "created_at"] {
        assert_eq!(reset[member], created[member], "{member}");
    }
    assert_eq!(app.get(&format!("/wf/{id}/")).await.ok(), reset);
    assert_eq!(ids(&app.get(&format!("/wf/{id}/runs/")).await.ok()), [run]);
    let versions = app.get(&format!("/wf/{id}/versions/")).await.ok();
    assert_eq!(versions[1]["definition"], created["definition"], "the previous version is kept: {versions}");
}

async fn duplicate_is_independent(app: App) {
    let mut body = plain("dup");
    body["definition"]["test_inputs"] = json!([{"id": 1, "x": "hello"}]);
    let created = app.post("/wf/").json(&body).await.ok();
    let id = id_of(&created);
    app.run(&id, &run_body("hi")).await;
    let path = format!("/wf/{id}/duplicate/");
    let copy = app.post(&path).await.ok();
    assert_json!(copy, {"name": "dup (Copy)", "description": "d"});
    assert_eq!(copy["definition"], created["definition"]);
    let copy_id = id_of(&copy);
    assert_ne!(copy_id, id);
    assert_eq!(app.get(&format!("/wf/{copy_id}/runs/")).await.ok(), json!([]));

    let second = app.post(&path).await.ok();
    let name = second["name"].as_str().expect("a name");
    assert!(name.starts_with("dup (Copy)") && name != "dup (Copy)", "{name}");

    app.delete(&format!("/wf/{id}/")).await.expect(204);
    assert_eq!(app.get(&format!("/wf/{copy_id}/")).await.ok(), copy);
    app.run(&copy_id, &run_body("still runs")).await;
}

async fn output_variables_come_from_the_leaves(app: App) {
    let body = workflow(
        "vars",
        vec![
            input(),
            output(json!({"out": "input_node.x"})),
            node(
                "leaf",
                "PythonFuncNode",
                json!({"code": "return {}", "output_schema": {"p": "int", "q": "str"}}),
            ),
            static_node("silent", json!({"k": 1})),
        ],
        vec![link("input_node", "output_node"), link("input_node", "leaf"), link("input_node", "silent")],
    );
    let id = app.create(&body).await;
    let row = |node: &str, name: &str| json!({"node_id": node, "variable_name": name, "prefixed_variable": format!("{node}-{name}")});
    assert_eq!(
        app.get(&format!("/wf/{id}/output_variables/")).await.ok(),
        json!([row("output_node", "out"), row("leaf", "p"), row("leaf", "q")])
    );
}

async fn paths_work_without_a_slash_and_under_api(app: App) {
    let id = app.create(&plain("w")).await;
    let workflow_body = app.get(&format!("/wf/{id}/")).await.ok();
    for path in [format!("/wf/{id}"), format!("/api/wf/{id}/"), format!("/api/wf/{id}")] {
        assert_eq!(app.get(&path).await.ok(), workflow_body, "{path}");
    }
    for path in ["/wf", "/api/wf/", "/api/wf"] {
        assert_eq!(ids(&app.get(path).await.ok()), [id.as_str()], "{path}");
    }
    let created = app.post("/api/wf").json(&plain("other")).await.ok();
    app.delete(&format!("/api/wf/{}", id_of(&created))).await.expect(204);
    for path in ["/api/node/supported_types", "/node/supported_types/", "/api/run/", "/run"] {
        app.get(path).await.ok();
    }
}

async fn unknown_workflows_are_404(app: App) {
    // A valid id, an invalid id, and two injection attempts.
    for id in ["018f0000-0000-7000-8000-000000000000", "nope", "%27%20OR%201=1--", "..%2f..%2fetc"] {
        app.get(&format!("/wf/{id}/")).await.problem(404);
        app.put(&format!("/wf/{id}/")).json(&plain("n")).await.problem(404);
        app.delete(&format!("/wf/{id}/")).await.problem(404);
        app.post(&format!("/wf/{id}/duplicate/")).await.problem(404);
        app.put(&format!("/wf/{id}/reset/")).await.problem(404);
        for list in ["output_variables", "versions", "runs"] {
            app.get(&format!("/wf/{id}/{list}/")).await.problem(404);
        }
        for run in ["run", "runv2", "start_run"] {
            app.post(&format!("/wf/{id}/{run}/")).json(&json!({"initial_inputs": {}})).await.problem(404);
        }
        app.post(&format!("/wf/{id}/run_partial/")).json(&json!({"node_id": "a"})).await.problem(404);
        app.get(&format!("/run/{id}/")).await.problem(404);
        app.get(&format!("/run/{id}/status/")).await.problem(404);
        app.get(&format!("/wf/pause_history/{id}/")).await.problem(404);
        app.post(&format!("/wf/cancel_workflow/{id}/")).await.problem(404);
        let decision = json!({"inputs": {}, "user_id": "u", "action": "APPROVE"});
        app.pause_decide(id, &decision).await.problem(404);
    }
}

async fn real_definitions_are_returned_unchanged(app: App) {
    let summary: Value =
        serde_json::from_str(include_str!("../../fixtures/slack_summary.json")).expect("a fixture");
    let created = app.post("/wf/").json(&summary).await.ok();
    assert_eq!(as_floats(&created["definition"]), as_floats(&with_optional_members(&summary["definition"])));
    let id = id_of(&created);
    assert_eq!(app.get(&format!("/wf/{id}/")).await.ok(), created);
    let variables = app.get(&format!("/wf/{id}/output_variables/")).await.ok();
    assert_eq!(variables[0]["prefixed_variable"], "SlackNotifyNode_1-output");
    // Saving the returned definition adds no version.
    app.put(&format!("/wf/{id}/")).json(&created).await.ok();
    let versions = app.get(&format!("/wf/{id}/versions/")).await.ok();
    assert_eq!(versions.as_array().map(Vec::len), Some(1), "{versions}");
}

async fn old_model_names_and_router_links_are_rewritten(app: App) {
    let jokes: Value =
        serde_json::from_str(include_str!("../../fixtures/joke_generator.json")).expect("a fixture");
    let created = app.post("/wf/").json(&jokes).await.ok();
    let mut expected = with_optional_members(&jokes["definition"]);
    for n in 1..4 {
        assert_eq!(expected["nodes"][n]["config"]["llm_info"]["model"], "gpt-4o");
        expected["nodes"][n]["config"]["llm_info"]["model"] = json!("openai/gpt-4o");
    }
    assert_eq!(as_floats(&created["definition"]), as_floats(&expected));

    for (model, expected) in [
        ("chatgpt-4o-latest", "openai/chatgpt-4o-latest"),
        ("o1-mini", "openai/o1-mini"),
        ("claude-3", "anthropic/claude-3"),
        ("gemini/gemini-2.0", "gemini/gemini-2.0"),
        ("openai/gpt-4o", "openai/gpt-4o"),
    ] {
        let mut llm = jokes["definition"]["nodes"][3].clone();
        llm["config"]["llm_info"]["model"] = json!(model);
        let created = app.post("/wf/").json(&after_input("models", llm)).await.ok();
        assert_eq!(created["definition"]["nodes"][1]["config"]["llm_info"]["model"], expected);
    }

    let routes = router(&[("yes", vec![]), ("no", vec![])]);
    let mut no_route = route("r", "b", "no");
    no_route["target_handle"] = json!("no");
    let body = workflow(
        "routed",
        vec![input(), routes, static_node("a", json!({})), static_node("b", json!({}))],
        vec![link("input_node", "r"), route("r", "a", "yes"), no_route],
    );
    let created = app.post("/wf/").json(&body).await.ok();
    let handles: Vec<&Value> = created["definition"]["links"]
        .as_array()
        .expect("links")
        .iter()
        .map(|l| &l["target_handle"])
        .collect();
    assert_eq!(handles, [&Value::Null, &json!("r.r"), &json!("r.no")]);
}

async fn unknown_members_are_kept_only_in_configs(app: App) {
    let mut body = plain("extra");
    body["surprise"] = json!(1);
    body["definition"]["surprise"] = json!(1);
    body["definition"]["nodes"][1]["surprise"] = json!(1);
    body["definition"]["nodes"][1]["config"]["surprise"] = json!({"kept": [1, null, "\u{1F389}"]});
    let created = app.post("/wf/").json(&body).await.ok();
    let node = &created["definition"]["nodes"][1];
    assert_eq!(node["config"]["surprise"], json!({"kept": [1, null, "\u{1F389}"]}));
    assert!([&created, &created["definition"], node].iter().all(|v| v["surprise"].is_null()), "{created}");
}

async fn delete_removes_everything_of_the_workflow(app: App) {
    let id = app.create(&plain("w")).await;
    let run = id_of(&app.run(&id, &run_body("data:text/plain;base64,aGVsbG8=")).await);
    let form = reqwest::multipart::Form::new()
        .text("workflow_id", id.clone())
        .text("node_id", "input_node")
        .part("files", reqwest::multipart::Part::bytes(b"hello".to_vec()).file_name("a.txt"));
    app.upload(form).await.ok();
    assert_eq!(files_below(&app.data_dir()).iter().filter(|f| f.contains(&id)).count(), 2);

    let other = app.create(&plain("other")).await;
    let other_run = id_of(&app.run(&other, &run_body("hi")).await);

    let deleted = app.delete(&format!("/wf/{id}/")).await;
    assert_eq!(deleted.text, "", "a 204 has no body");
    deleted.expect(204);
    for path in [format!("/wf/{id}/"), format!("/wf/{id}/versions/"), format!("/wf/{id}/runs/")] {
        app.get(&path).await.problem(404);
    }
    app.get(&format!("/run/{run}/")).await.problem(404);
    app.get(&format!("/wf/pause_history/{run}/")).await.problem(404);
    app.delete(&format!("/wf/{id}/")).await.problem(404);
    let remaining = files_below(&app.data_dir());
    assert!(!remaining.iter().any(|f| f.contains(&id)), "{remaining:?}");

    assert_eq!(ids(&app.get("/wf/").await.ok()), [other]);
    assert_eq!(ids(&app.get("/run/").await.ok()), [other_run]);
    app.create(&plain("w")).await;
    let names = app.get("/wf/").await.ok();
    assert_eq!(names[0]["name"], "w", "the name is free again");
}

async fn delete_cancels_running_and_paused_runs(app: App) {
    let paused = app.create(&gated_workflow("paused")).await;
    let at_gate = app.start_run(&paused, &run_body("hi")).await;
    app.run_until(&at_gate, "PAUSED").await;
    let busy = app.create(&after_input("busy", never_ending("p"))).await;
    let running = app.start_run(&busy, &run_body("hi")).await;
    app.run_until(&running, "RUNNING").await;

    app.delete(&format!("/wf/{paused}/")).await.expect(204);
    app.delete(&format!("/wf/{busy}/")).await.expect(204);
    for run in [at_gate, running] {
        app.get(&format!("/run/{run}/")).await.problem(404);
    }
    assert_eq!(app.get("/wf/paused_workflows/").await.ok(), json!([]));
    // The server still works.
    let run = app.create_and_run(&plain("next"), &run_body("hi")).await;
    assert_eq!(run["status"], "COMPLETED");
}
