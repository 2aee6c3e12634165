//! `/wf/{id}/export/` and `/wf/import/`.

use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::database::Backend;
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of, ids};

on_both_databases!(
    export_is_complete_and_has_an_etag,
    workflow_moves_with_its_history,
    dry_run_describes_an_update,
    every_document_form_is_imported,
    failed_import_lists_every_problem_and_writes_nothing,
    rejects_invalid_imports,
    saved_workflows_can_be_imported,
    import_swaps_names,
    reordered_keys_are_not_a_change,
    repeated_import_returns_the_stored_response,
);

/// Returns the value with the keys of all objects in reverse order.
fn with_reversed_keys(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().rev().map(|(key, value)| (key.clone(), with_reversed_keys(value))).collect()
        }
        Value::Array(items) => items.iter().map(with_reversed_keys).collect(),
        other => other.clone(),
    }
}

async fn reordered_keys_are_not_a_change(app: App) {
    let id = app.create(&after_input("keys", static_node("a", json!({"x": 1, "y": {"b": 2, "a": 3}})))).await;
    let mut document = export(&app, &id).await;
    let members = document.as_object_mut().expect("an object");
    members.remove("checksum");
    let reordered = with_reversed_keys(&document);
    assert_ne!(reordered.to_string(), document.to_string());
    assert_eq!(import(&app, "?mode=update", &reordered).await[0]["action"], "unchanged");
    assert_eq!(export(&app, &id).await["definition"].to_string(), document["definition"].to_string());
}

async fn export(app: &App, id: &str) -> Value {
    app.get(&format!("/wf/{id}/export/")).await.ok()
}

async fn import(app: &App, query: &str, body: &Value) -> Value {
    app.post(&format!("/wf/import/{query}")).json(body).await.ok()["results"].take()
}

async fn count(app: &App) -> usize {
    ids(&app.get("/wf/?page_size=100").await.ok()).len()
}

/// A workflow with three versions and two labels.
async fn with_history(app: &App) -> String {
    let id = app.create(&constant("moving", 1)).await;
    app.put(&format!("/wf/{id}/")).header("x-change-note", "two").json(&constant("moving", 2)).await.ok();
    app.put(&format!("/wf/{id}/")).json(&constant("moving", 3)).await.ok();
    let protected = json!({"version": 1, "protected": true});
    app.put(&format!("/wf/{id}/labels/production/")).json(&protected).await.ok();
    app.put(&format!("/wf/{id}/labels/staging/")).json(&json!({"version": 3})).await.ok();
    id
}

async fn export_is_complete_and_has_an_etag(app: App) {
    let id = with_history(&app).await;
    let kept = app.get(&format!("/wf/{id}/")).await;
    let response = app.get(&format!("/wf/{id}/export/")).await;
    assert_eq!(response.headers["etag"], kept.headers["etag"]);
    let (kept, document) = (kept.ok(), response.ok());
    assert_json!(document, {"format": "sluice/workflow", "format_version": 1});
    for member in ["id", "name", "description", "tags", "definition"] {
        assert_eq!(document[member], kept[member], "{member}");
    }
    let version = app.get(&format!("/wf/{id}/versions/3/")).await.ok();
    assert_eq!(document["definition_hash"], version["definition_hash"]);
    assert!(document["checksum"].as_str().is_some_and(|sum| sum.len() == 71 && sum.starts_with("sha256:")));
    assert!(document.get("versions").is_none() && document.get("labels").is_none(), "{document}");

    let path = format!("/wf/{id}/export/?versions=true");
    let response = app.get(&path).await;
    let etag = response.headers["etag"].to_str().expect("a text").to_owned();
    let document = response.ok();
    let numbers: Vec<_> =
        document["versions"].as_array().expect("a list").iter().map(|v| v["version"].clone()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(document["versions"][1]["note"], "two");
    assert_eq!(document["labels"][0], json!({"label": "production", "version": 1, "protected": true}));
    assert_eq!(app.get(&path).header("if-none-match", &etag).await.status, 304);
    app.put(&format!("/wf/{id}/labels/staging/")).json(&json!({"version": 2})).await.ok();
    assert_eq!(app.get(&path).header("if-none-match", &etag).await.status, 200, "a label moved");
    app.get("/wf/019aa2b4-5e10-7c3a-9d51-3f2a8c6b7e01/export/").await.problem(404);
    app.get(&format!("/wf/{id}/export/?versions=maybe")).await.problem(422);
}

async fn workflow_moves_with_its_history(app: App) {
    let id = with_history(&app).await;
    let path = format!("/wf/{id}/export/?versions=true");
    let text = app.get(&path).await.text;
    let document: Value = serde_json::from_str(&text).expect("JSON");
    app.delete(&format!("/wf/{id}/")).await;

    let results = import(&app, "?mode=update", &document).await;
    assert_json!(results[0], {"action": "create", "id": id, "version": 3, "diff": null});
    assert_eq!(app.get(&path).await.text, text, "nothing is lost on the way");
    assert_eq!(import(&app, "?mode=update", &document).await[0]["action"], "unchanged");
    let outputs = app.post(&format!("/wf/{id}/run/?label=production")).json(&run_body("hi")).await.ok();
    assert_eq!(outputs["f"]["out"], 1, "old versions run");

    let copy = import(&app, "", &document).await;
    assert_json!(copy[0], {"action": "create", "name": "moving (2)"});
    assert_ne!(copy[0]["id"], json!(id));
    let copied = app.get(&format!("/wf/{}/export/?versions=true", id_of(&copy[0]))).await.ok();
    assert_json!(copied, {"versions": document["versions"], "labels": document["labels"]});

    // A definition that differs from the last version makes one more.
    let mut changed = document.clone();
    changed["checksum"] = Value::Null;
    changed["definition"]["nodes"][1]["config"]["values"]["out"] = json!(4);
    let results = import(&app, "", &changed).await;
    assert_json!(results[0], {"version": 4, "name": "moving (3)"});
}

async fn dry_run_describes_an_update(app: App) {
    let id = app.create(&constant("by id", 1)).await;
    app.create(&constant("by name", 1)).await;
    let mut renamed = export(&app, &id).await;
    renamed["name"] = json!("renamed");
    renamed["checksum"] = Value::Null;
    let body = json!([renamed, constant("by name", 2), constant("new", 3)]);
    let planned = import(&app, "?mode=dry_run", &body).await;
    let actions = |results: &Value| {
        let results = results.as_array().expect("a list").iter();
        results.map(|one| (one["action"].clone(), one["version"].clone())).collect::<Vec<_>>()
    };
    let wanted = [("update", 1), ("update", 2), ("create", 1)].map(|(a, v)| (json!(a), json!(v)));
    assert_eq!(actions(&planned), wanted);
    assert_eq!(planned[2]["id"], Value::Null);
    assert_eq!(planned[1]["diff"]["nodes"]["changed"][0]["node_id"], "f");
    assert_eq!(count(&app).await, 2, "nothing was written");
    assert_eq!(app.get(&format!("/wf/{id}/")).await.ok()["name"], "by id");

    let mut done = import(&app, "?mode=update", &body).await;
    assert!(done[2]["id"].is_string());
    done[2]["id"] = Value::Null;
    assert_eq!(done, planned);
    assert_eq!(app.get(&format!("/wf/{id}/")).await.ok()["name"], "renamed");
    let version = app.get(&format!("/wf/{}/versions/2/", id_of(&done[1]))).await.ok();
    assert_eq!(version["note"], "Imported.");
    let again = import(&app, "?mode=update", &body).await;
    assert!(again.as_array().expect("a list").iter().all(|one| one["action"] == "unchanged"), "{again}");
}

async fn every_document_form_is_imported(app: App) {
    let plain = constant("x", 1)["definition"].clone();
    assert_eq!(import(&app, "", &plain).await[0]["name"], "Untitled Workflow");
    assert_eq!(import(&app, "?name=Called", &plain).await[0]["name"], "Called");
    assert_eq!(import(&app, "?mode=update&name=Called", &plain).await[0]["action"], "unchanged");
    assert_eq!(import(&app, "?mode=update", &plain).await[0]["action"], "create", "no workflow matches");
    let request = constant("a request", 1);
    assert_eq!(import(&app, "", &request).await[0]["name"], "a request");
    assert_eq!(import(&app, "", &json!([])).await, json!([]));
    let all = import(&app, "", &json!([plain, request])).await;
    assert_eq!(all[0]["name"], "Untitled Workflow (3)");
    assert_eq!(all[1]["name"], "a request (2)");
    let lonely = workflow("lonely", vec![input(), static_node("f", json!({}))], vec![]);
    let warned = import(&app, "", &json!([request, lonely])).await;
    assert_eq!(warned[1]["diagnostics"][0]["code"], "node_unreachable");
    assert_eq!(warned[1]["diagnostics"][0]["pointer"], "/1/definition/nodes/1");
}

async fn failed_import_lists_every_problem_and_writes_nothing(app: App) {
    let id = with_history(&app).await;
    let mut changed = app.get(&format!("/wf/{id}/export/?versions=true")).await.ok();
    changed["description"] = json!("changed on its way");
    let mut wrong = changed.clone();
    wrong["checksum"] = Value::Null;
    wrong["versions"][1]["definition"]["nodes"][1]["node_type"] = json!("Nope");
    wrong["labels"][0]["version"] = json!(9);
    let unknown = workflow("w", vec![input(), node("a", "NoSuchThing", json!({}))], vec![]);
    let misshapen = json!({"name": 3, "definition": {"nodes": [{"id": 1}], "links": []}});
    let body = json!([constant("fine", 1), changed, wrong, unknown, misshapen, 7]);
    for mode in ["create", "update", "dry_run"] {
        let problem = app.post(&format!("/wf/import/?mode={mode}")).json(&body).await.problem(422);
        let found: Vec<(String, String)> = problem["errors"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|e| {
                (e["pointer"].as_str().expect("a text").into(), e["code"].as_str().expect("a text").into())
            })
            .collect();
        for (pointer, code) in [
            ("/1/checksum", "checksum_mismatch"),
            ("/2/versions/1/definition/nodes/1/node_type", "node_type_unknown"),
            ("/2/labels/0/version", "shape_invalid"),
            ("/3/definition/nodes/1/node_type", "node_type_unknown"),
            ("/4/name", "type"),
            ("/4/definition/nodes/0/id", "type"),
            ("/4/definition/nodes/0/node_type", "missing"),
            ("/5", "type"),
        ] {
            assert!(found.contains(&(pointer.to_owned(), code.to_owned())), "{pointer} {code}: {found:?}");
        }
        assert!(found.iter().all(|(pointer, _)| !pointer.starts_with("/0")), "{found:?}");
    }
    // The same errors as at a save.
    for body in [&unknown, &misshapen] {
        let saved = app.post("/wf/").json(body).await.problem(422);
        let imported = app.post("/wf/import/").json(body).await.problem(422);
        assert_eq!(imported["errors"], saved["errors"]);
        assert_eq!(imported["type"], saved["type"]);
    }
    assert_eq!(count(&app).await, 1);
}

async fn rejects_invalid_imports(app: App) {
    let (one, two) = (app.create(&constant("one", 1)).await, app.create(&constant("two", 1)).await);
    let mut taken = export(&app, &one).await;
    taken["name"] = json!("two");
    taken["checksum"] = Value::Null;
    assert_eq!(app.post("/wf/import/?mode=update").json(&json!([taken])).await.pointers(), ["/0/name"]);
    let document = export(&app, &two).await;
    let twice = json!([constant("new", 1), document, constant("two", 5)]);
    assert_eq!(app.post("/wf/import/?mode=update").json(&twice).await.pointers(), ["/2"]);
    assert_eq!(count(&app).await, 2, "all or nothing");
    let new = json!([constant("new", 1), constant("new", 2)]);
    assert_eq!(app.post("/wf/import/?mode=dry_run").json(&new).await.pointers(), ["/1"]);
    for count in [101, 1_000] {
        let many = Value::Array(vec![constant("many", 1); count]);
        let rejected = app.post("/wf/import/").json(&many).await.problem(422);
        assert_json!(rejected["errors"][0], {"pointer": "", "code": "length"});
    }
    assert_eq!(app.post("/wf/import/?mode=replace").json(&new).await.pointers(), ["/mode"]);
    let mut newer = document.clone();
    (newer["format_version"], newer["checksum"]) = (json!(2), Value::Null);
    assert_eq!(app.post("/wf/import/").json(&newer).await.pointers(), ["/format_version"]);
    for (field, value, pointer) in [
        ("name", json!("x".repeat(256)), "/name"),
        ("tags", json!(["a", "a"]), "/tags"),
        ("id", json!("no id"), "/id"),
        (
            "versions",
            json!([{"version": 0, "name": "n", "definition": document["definition"], "created_at": "2026-01-01T00:00:00Z"}]),
            "/versions/0/version",
        ),
    ] {
        let mut wrong = document.clone();
        (wrong[field], wrong["checksum"]) = (value, Value::Null);
        assert_eq!(app.post("/wf/import/").json(&wrong).await.pointers(), [pointer]);
    }
    app.post("/wf/import/").body("application/json", "{").await.problem(400);
}

fn deep(levels: usize) -> Value {
    let nested = (0..levels).fold(json!(1), |inner, _| json!([inner]));
    workflow("deep", vec![input(), static_node("f", json!({"out": nested}))], chain(&["input_node", "f"]))
}

async fn saved_workflows_can_be_imported(app: App) {
    // Five levels around it: definition, nodes, node, config, values; and the body.
    let id = app.create(&deep(58)).await;
    app.post("/wf/").json(&deep(59)).await.problem(422);
    let document = app.get(&format!("/wf/{id}/export/?versions=true")).await.ok();
    assert_eq!(import(&app, "?mode=update", &json!([document])).await[0]["action"], "unchanged");
    assert_eq!(import(&app, "", &json!([document])).await[0]["action"], "create");
    let problem = app.post("/wf/import/").json(&json!([deep(59)])).await.problem(422);
    assert_eq!(problem["errors"][0]["code"], "json_too_deep", "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], "/0/definition");
}

#[tokio::test]
async fn rejects_an_unreadable_history() {
    let app = App::start(Backend::Sqlite).await;
    let id = app.create(&plain("plain")).await;
    let mut document = app.get(&format!("/wf/{id}/export/?versions=true")).await.ok();
    document.as_object_mut().expect("a document").remove("checksum");
    let mut later = document.clone();
    later["format_version"] = json!(2);
    let problem = app.post("/wf/import/").json(&later).await.problem(422);
    assert_eq!(problem["errors"][0]["pointer"], "/format_version");
    assert!(problem["detail"].as_str().expect("a text").contains("Upgrade sluice"), "{problem}");
    document["versions"][0]["created_at"] = json!("0000-01-01T00:00:00Z");
    document["versions"][0]["note"] = json!("x".repeat(1_001));
    let pointers = app.post("/wf/import/").json(&document).await.pointers();
    assert_eq!(pointers, ["/versions/0/note", "/versions/0/created_at"]);
    // A blank name matches no existing workflow.
    let untitled = id_of(&app.post("/wf/").json(&json!({"name": ""})).await.ok());
    let blank = json!({"name": "", "definition": plain("x")["definition"]});
    let done = app.post("/wf/import/?mode=update").json(&blank).await.ok();
    assert_eq!(done["results"][0]["action"], "create");
    assert_ne!(done["results"][0]["id"], json!(untitled));
}

async fn import_swaps_names(app: App) {
    let mut moved = Vec::new();
    for (name, after) in [("a", "b"), ("b", "c"), ("c", "a"), ("d", "e")] {
        let id = app.create(&constant(name, 1)).await;
        let mut document = export(&app, &id).await;
        (document["name"], document["checksum"]) = (json!(after), Value::Null);
        moved.push(document);
    }
    // A new workflow takes a name that the import frees. One without a name takes a free name.
    moved.push(constant("d", 7));
    moved.push(constant("x", 8)["definition"].clone());
    let body = Value::Array(moved.clone());
    let planned = import(&app, "?mode=dry_run", &body).await;
    let done = import(&app, "?mode=update", &body).await;
    for results in [&planned, &done] {
        let reported = results.as_array().expect("a list").iter();
        let reported: Vec<_> = reported.map(|one| (one["action"].clone(), one["name"].clone())).collect();
        let wanted = [("update", "b"), ("update", "c"), ("update", "a"), ("update", "e")];
        let wanted = wanted.into_iter().chain([("create", "d"), ("create", "Untitled Workflow")]);
        assert_eq!(reported, wanted.map(|(action, name)| (json!(action), json!(name))).collect::<Vec<_>>());
    }
    for document in &moved[..4] {
        let id = document["id"].as_str().expect("an id");
        assert_eq!(app.get(&format!("/wf/{id}/")).await.ok()["name"], document["name"]);
        let found = app.get(&format!("/wf/?q={}", document["name"].as_str().expect("a name"))).await.ok();
        assert_eq!(ids(&found), [id], "it is found by its new name");
    }
    moved.pop();
    let again = import(&app, "?mode=update", &Value::Array(moved.clone())).await;
    assert!(again.as_array().expect("a list").iter().all(|one| one["action"] == "unchanged"), "{again}");
    // A name that its workflow keeps is taken.
    moved[1]["name"] = json!("b");
    assert_eq!(app.post("/wf/import/?mode=update").json(&Value::Array(moved)).await.pointers(), ["/1"]);
}

async fn repeated_import_returns_the_stored_response(app: App) {
    app.create(&constant("kept", 1)).await;
    let body = json!([constant("kept", 2), constant("new", 1)]);
    let path = "/wf/import/?mode=update";
    let first = app.post(path).idempotency_key("imported-once").json(&body).await;
    let again = app.post(path).idempotency_key("imported-once").json(&body).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let (first, again) = (first.ok(), again.ok());
    assert_eq!(first, again);
    assert_eq!(first["results"][0]["diff"]["nodes"]["changed"][0]["node_id"], "f");
    assert_eq!(count(&app).await, 2);
}

/// A workflow whose definition has about this many values, and one text of this length.
fn large(values: usize, text: usize, last: i64) -> Value {
    let mut list = vec![json!(0); values];
    list.extend([json!("x".repeat(text)), json!(last)]);
    workflow("large", vec![input(), static_node("f", json!({"out": list}))], chain(&["input_node", "f"]))
}

#[tokio::test]
async fn large_export_can_be_imported() {
    let app = App::start(Backend::Sqlite).await;
    let id = app.create(&large(400_000, 3_000_000, 1)).await;
    for last in 2..=3 {
        app.put(&format!("/wf/{id}/")).json(&large(400_000, 3_000_000, last)).await.ok();
    }
    let path = format!("/wf/{id}/export/?versions=true");
    let text = app.get(&path).await.text;
    assert!(text.len() > 8 << 20, "more bytes, and more values, than other bodies may have: {}", text.len());
    app.delete(&format!("/wf/{id}/")).await;
    let put = |path| app.post(path).body("application/json", text.as_str()).send();
    assert_eq!(put("/wf/import/?mode=dry_run").await.ok()["results"][0]["action"], "create");
    let done = put("/wf/import/?mode=update").await.ok();
    assert_json!(done["results"][0], {"version": 3, "id": id});
    assert!(app.get(&path).await.text == text, "nothing is lost on the way");
    put("/wf/").await.problem(413);
}

#[tokio::test]
async fn rejects_an_export_too_large_to_import() {
    let app = App::start_with(Backend::Sqlite, &[("SLUICE_MAX_IMPORT_BYTES", "4000")]).await;
    let id = app.create(&large(500, 1, 1)).await;
    let document = export(&app, &id).await;
    assert_eq!(import(&app, "?mode=update", &document).await[0]["action"], "unchanged");
    for last in 2..=4 {
        app.put(&format!("/wf/{id}/")).json(&large(500, 1, last)).await.ok();
    }
    let problem = app.get(&format!("/wf/{id}/export/?versions=true")).await.problem(413);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("?versions=true")), "{problem}");
    let body = constant(&"x".repeat(200), 1).to_string() + &" ".repeat(4_000);
    for key in [None, Some("too-large-once")] {
        let response = match key {
            None => app.post("/wf/import/").body("application/json", body.as_str()).await,
            Some(key) => {
                let padded = json!([constant(&"x".repeat(200), 1), "y".repeat(4_000)]);
                app.post("/wf/import/").idempotency_key(key).json(&padded).await
            }
        };
        response.problem(413);
    }
}
