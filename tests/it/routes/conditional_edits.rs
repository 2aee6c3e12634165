//! ETags, preconditions, change notes and merge patches; reading, comparing, restoring and drawing versions.

use std::collections::HashSet;

use futures_util::future::join_all;
use proptest::collection::{hash_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::client::Response;
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of};

on_both_databases!(
    matching_etag_returns_304,
    stale_etag_returns_412_with_the_difference,
    fetched_workflow_can_be_put_unchanged,
    patch_changes_only_given_fields,
    change_note_is_stored_with_the_version,
    version_can_be_read_and_restored,
    versions_are_compared_as_json_patch_and_text,
    workflow_is_drawn_in_three_formats,
    preconditions_follow_rfc_9110,
    one_of_several_concurrent_changes_wins,
    every_state_has_its_own_etag,
);

fn workflow_with(value: i64) -> Value {
    workflow("giving", vec![input(), static_node("f", json!({"out": value}))], chain(&["input_node", "f"]))
}

fn etag(response: &Response) -> String {
    response.headers["etag"].to_str().expect("a text").to_owned()
}

async fn matching_etag_returns_304(app: App) {
    let created = app.post("/wf/").json(&workflow_with(1)).await;
    let id = id_of(&created.json());
    for path in [format!("/wf/{id}/"), format!("/wf/{id}/versions/1/")] {
        let first = app.get(&path).await;
        let tag = etag(&first);
        assert!(tag.starts_with("\"1-"), "{tag}");
        for current in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let cached = app.get(&path).header("if-none-match", &current).await;
            assert_eq!(cached.status, 304, "{current}");
            assert_eq!(cached.text.as_str(), "", "{current}");
            assert_eq!(etag(&cached), tag.clone(), "{current}");
        }
        let other = app.get(&path).header("if-none-match", "\"x\"").await;
        assert_eq!(other.ok(), first.json());
    }
    assert_eq!(
        etag(&created),
        etag(&app.get(&format!("/wf/{id}/")).await),
        "the response of the create has the ETag"
    );
}

async fn stale_etag_returns_412_with_the_difference(app: App) {
    let created = app.post("/wf/").json(&workflow_with(1)).await;
    let (id, old) = (id_of(&created.json()), etag(&created));
    let path = format!("/wf/{id}/");
    let saved = app.put(&path).if_match(&old).json(&workflow_with(2)).await;
    let new_tag = etag(&saved);
    assert_eq!(saved.ok()["version"], 2);
    let rejected = app.put(&path).if_match(&old).json(&workflow_with(3)).await;
    assert_eq!(etag(&rejected), new_tag);
    let problem = rejected.problem(412);
    assert_json!(problem, {"current_etag": new_tag, "current_version": 2});
    let change = &problem["diff"]["nodes"]["changed"][0];
    assert_eq!(change["node_id"], "f");
    assert_eq!(change["changes"], json!([{"pointer": "/config/values/out", "before": 1, "after": 2}]));
    for (method, path) in [
        (Method::DELETE, path.clone()),
        (Method::PUT, format!("{path}reset/")),
        (Method::POST, format!("{path}versions/1/restore/")),
    ] {
        app.request(method, &path).if_match(&old).await.problem(412);
    }
    app.patch(&path).if_match(&old).merge_patch(&json!({"name": "other"})).await.problem(412);
    app.patch(&path).if_match(&new_tag).merge_patch(&json!({"name": "renamed"})).await.ok();
    let renamed = app.put(&path).if_match(&new_tag).json(&workflow_with(3)).await.problem(412);
    assert_eq!(renamed["diff"]["nodes"]["changed"], json!([]));
    assert!(renamed["detail"].as_str().is_some_and(|text| text.contains("in its name")), "{renamed}");
    assert_eq!(app.get(&path).await.ok()["version"], 2, "nothing was changed");
    app.put(&format!("{path}reset/")).if_match("*").await.ok();
    app.delete(&path).if_match(&etag(&app.get(&path).await)).await.expect(204);
}

/// Returns a strategy for random JSON values.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1 << 53).prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        prop_oneof![Just(1.0), Just(-0.0), Just(1e21)].prop_map(Value::from),
        "[^\\x00]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            hash_map("[^\\x00]{0,6}", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

/// Returns a strategy for random definitions: an input node, and nodes linked to earlier nodes.
fn definitions() -> impl Strategy<Value = Value> {
    let coordinates = option::of((any::<i16>(), any::<i16>()).prop_map(|(x, y)| json!({"x": x, "y": y})));
    let node = ("[^\\x00]{0,8}", hash_map("[^\\x00]{1,6}", values(), 0..4), coordinates, any::<Index>());
    let test_inputs = vec(hash_map("[a-z]{1,4}", values(), 0..3), 0..3);
    (vec(node, 0..6), test_inputs).prop_map(|(nodes, test_inputs)| {
        let (mut all, mut links) = (vec![input()], Vec::new());
        for (number, (title, values, coordinates, before)) in nodes.into_iter().enumerate() {
            let id = format!("n{number}");
            links.push(link(all[before.index(all.len())]["id"].as_str().expect("an id"), &id));
            let mut node = static_node(&id, json!(values));
            (node["title"], node["coordinates"]) = (json!(title), json!(coordinates));
            all.push(node);
        }
        json!({"nodes": all, "links": links, "test_inputs": test_inputs, "spur_type": "workflow"})
    })
}

async fn fetched_workflow_can_be_put_unchanged(app: App) {
    let (mut runner, definitions) = (TestRunner::deterministic(), definitions());
    for _ in 0..100 {
        let definition = definitions.new_tree(&mut runner).expect("a definition").current();
        let created = app.post("/wf/").json(&json!({"name": "any", "definition": definition})).await;
        assert_eq!(created.status, 200, "{definition}: {}", created.text);
        let path = format!("/wf/{}/", id_of(&created.json()));
        let before = app.get(&path).await;
        let after = app.put(&path).body("application/json", before.text.clone()).await;
        assert_eq!(etag(&after), etag(&before), "{definition}");
        assert_eq!(after.text, before.text, "{definition}");
        assert_eq!(after.json()["version"], 1, "{definition}");
    }
}

async fn patch_changes_only_given_fields(app: App) {
    let id = app.create(&workflow_with(1)).await;
    let path = format!("/wf/{id}/");
    let before = app.get(&path).await.ok();
    let patched = app.patch(&path).merge_patch(&json!({"tags": ["a", "b"], "description": "new"})).await.ok();
    assert_json!(patched, {"tags": ["a", "b"], "description": "new", "name": before["name"], "definition": before["definition"]});
    assert_eq!(patched["version"], 1, "a patch of metadata adds no version");
    let cleared =
        app.patch(&path).merge_patch(&json!({"tags": null, "description": null, "name": "other"})).await.ok();
    assert_json!(cleared, {"tags": [], "description": "", "name": "other"});
    assert_eq!(
        app.patch(&path).merge_patch(&json!({})).await.ok(),
        cleared,
        "an empty patch changes nothing"
    );
    app.put(&path).json(&workflow_with(2)).await.ok();
    let other_workflow = app.create(&plain("taken")).await;
    app.patch(&format!("/wf/{other_workflow}/")).merge_patch(&json!({"name": "giving"})).await.problem(409);
    for (body, pointer) in [
        (json!({"name": null}), "/name"),
        (json!({"name": ""}), "/name"),
        (json!({"name": "  "}), "/name"),
        (json!({"tags": ["a", "a"]}), "/tags"),
        (json!({"tags": ["\u{e9}", "e\u{301}"]}), "/tags"),
        (json!({"tags": [""]}), "/tags"),
        (json!({"definition": {}}), "/definition"),
        (json!({"definition": null, "name": "x"}), "/definition"),
    ] {
        let rejected = app.patch(&path).merge_patch(&body).await.problem(422);
        assert!(
            rejected["errors"][0]["pointer"].as_str().is_some_and(|at| pointer.starts_with(at)),
            "{body}: {rejected}"
        );
    }
    let before = app.get(&path).await.ok();
    let ignored = json!({"id": "x", "created_at": "y", "more": 1, "description": "updated"});
    assert_eq!(app.patch(&path).merge_patch(&ignored).await.ok()["description"], "updated");
    assert_eq!(app.get(&path).await.ok()["id"], before["id"]);
    let patch = r#"[{"op": "replace", "path": "/name", "value": "x"}]"#;
    app.patch(&path).body("application/json-patch+json", patch).await.problem(415);
    app.patch("/wf/nope/").merge_patch(&json!({"name": "x"})).await.problem(404);
}

async fn change_note_is_stored_with_the_version(app: App) {
    let id = app.create(&workflow_with(1)).await;
    let path = format!("/wf/{id}/");
    let noted = app.put(&path).header("x-change-note", "Twice as much é").json(&workflow_with(2)).await.ok();
    assert_eq!(noted["version"], 2);
    let versions = app.get(&format!("{path}versions/")).await.ok();
    assert_eq!(versions[0]["note"], "Twice as much é");
    assert_eq!(versions[1]["note"], Value::Null);
    assert_eq!(versions[0]["created_by"], Value::Null);
    app.put(&path).header("x-change-note", "x".repeat(1_001)).json(&workflow_with(3)).await.problem(400);
}

async fn version_can_be_read_and_restored(app: App) {
    let id = app.create(&workflow_with(1)).await;
    let path = format!("/wf/{id}/");
    app.put(&path).json(&workflow_with(2)).await.ok();
    let first = app.get(&format!("{path}versions/1/")).await.ok();
    assert_eq!(first["definition"]["nodes"][1]["config"]["values"]["out"], 1);
    assert_eq!(app.get(&format!("{path}versions/draft/")).await.ok()["version"], 2);
    let restored = app.post(&format!("{path}versions/1/restore/")).await.ok();
    assert_json!(restored, {"version": 3, "definition": first["definition"]});
    let third = app.get(&format!("{path}versions/3/")).await.ok();
    assert_json!(third, {"definition_hash": first["definition_hash"], "note": "Restored from version 1."});
    // Restoring the current version does not add a version.
    assert_eq!(app.post(&format!("{path}versions/3/restore/")).await.ok()["version"], 3);
    for version in ["versions/4/", "versions/0/", "versions/nope/", "versions/1.0/"] {
        app.get(&format!("{path}{version}")).await.problem(404);
    }
    app.post(&format!("{path}versions/4/restore/")).await.problem(404);
}

async fn versions_are_compared_as_json_patch_and_text(app: App) {
    let id = app.create(&workflow_with(1)).await;
    let path = format!("/wf/{id}/");
    let mut second = workflow_with(2);
    second["definition"]["nodes"][0]["coordinates"] = json!({"x": 1.0, "y": 2.0});
    app.put(&path).json(&second).await.ok();
    let diff = format!("{path}versions/1/diff/draft/");
    let json = app.get(&diff).await.ok();
    assert_eq!(json["nodes"]["changed"].as_array().map(Vec::len), Some(1), "{json:#}");
    let layout = app.get(&format!("{diff}?layout=true")).await.ok();
    assert_eq!(layout["nodes"]["changed"].as_array().map(Vec::len), Some(2), "{layout:#}");
    let patch = app.get(&diff).header("accept", "application/json-patch+json").await;
    assert_eq!(patch.content_type(), "application/json-patch+json");
    assert_eq!(patch.json()[0]["value"], 2, "{}", patch.text);
    let text = app.get(&diff).header("accept", "text/plain").await;
    assert!(text.content_type().starts_with("text/plain"));
    assert!(text.text.contains("/config/values/out: 1 → 2"), "{}", text.text);
    app.get(&diff).header("accept", "image/png").await.problem(406);
    app.get(&format!("{path}versions/1/diff/7/")).await.problem(404);
    let same = app.get(&format!("{path}versions/2/diff/2/")).await.ok();
    assert_eq!(same["nodes"]["changed"], json!([]));
}

async fn workflow_is_drawn_in_three_formats(app: App) {
    let run = app.start_to_pause(&gated_workflow("gated")).await;
    let id = app.read_run(&run).await["workflow_id"].as_str().expect("an id").to_owned();
    let path = format!("/wf/{id}/graph/");
    for (query, kind, expected) in [
        ("", "image/svg+xml", "<svg"),
        ("?format=mermaid", "text/vnd.mermaid; charset=utf-8", "flowchart"),
        ("?format=dot&version=1", "text/vnd.graphviz; charset=utf-8", "digraph"),
        (&format!("?run={run}"), "image/svg+xml", "paused"),
    ] {
        let drawing = app.get(&format!("{path}{query}")).await;
        assert_eq!(drawing.status, 200, "{query}: {}", drawing.text);
        assert_eq!(drawing.content_type(), kind, "{query}: {}", drawing.text);
        assert!(drawing.text.contains(expected), "{query}: {}", drawing.text);
    }
    app.get(&format!("{path}?format=png")).await.problem(422);
    app.get(&format!("{path}?version=7")).await.problem(404);
    app.get(&format!("{path}?run=019aa2b4-5e10-7c3a-9d51-3f2a8c6b7e01")).await.problem(404);
}

async fn preconditions_follow_rfc_9110(app: App) {
    let created = app.post("/wf/").json(&workflow_with(1)).await;
    let path = format!("/wf/{}/", id_of(&created.json()));
    let mut tag = etag(&created);
    // A weak tag never matches (RFC 9110, 13.1.1).
    for (lines, status) in [
        (vec![format!("W/{tag}")], 412),
        (vec!["\"x\", \"y\"".to_owned()], 412),
        (vec!["\"x\"".to_owned(), "W/\"y\"".to_owned()], 412),
        (vec!["nope".to_owned()], 400),
        (vec![tag.trim_matches('"').to_owned()], 400),
        (vec![String::new()], 400),
        (vec!["\"".to_owned()], 400),
        (vec![format!("*, {tag}")], 400),
        (vec![format!("{tag}, nope")], 400),
    ] {
        let headers: Vec<_> = lines.iter().map(|line| ("if-match", line.as_str())).collect();
        let response = app.put(&path).headers(&headers).json(&workflow_with(2)).await;
        assert_eq!(response.status, status, "{lines:?}: {}", response.text);
        response.problem(status);
        assert_eq!(etag(&app.get(&path).await), tag, "{lines:?}");
    }
    for (value, lines) in
        [(2, vec!["*"]), (3, vec!["\"x\", @"]), (4, vec!["\"x\"", "@"]), (5, vec!["W/\"x\",@ , \"y\""])]
    {
        let lines: Vec<_> = lines.iter().map(|line| line.replace('@', &tag)).collect();
        let headers: Vec<_> = lines.iter().map(|line| ("if-match", line.as_str())).collect();
        let saved = app.put(&path).headers(&headers).json(&workflow_with(value)).await;
        assert_eq!(saved.status, 200, "{lines:?}: {}", saved.text);
        tag = etag(&saved);
    }
    for bad in ["nope", "", "\"", &format!("*, {tag}")] {
        app.get(&path).header("if-none-match", bad).await.problem(400);
    }
    let current = [("if-none-match", "\"x\""), ("if-none-match", tag.as_str())];
    assert_eq!(app.get(&path).headers(&current).await.status, 304);
    let missing = "/wf/019aa2b4-5e10-7c3a-9d51-3f2a8c6b7e01/";
    app.put(missing).if_match("*").json(&workflow_with(2)).await.problem(404);
    app.delete(missing).if_match("*").await.problem(404);
}

async fn one_of_several_concurrent_changes_wins(app: App) {
    for round in 0..5 {
        let created = app.post("/wf/").json(&workflow_with(1)).await;
        let path = format!("/wf/{}/", id_of(&created.json()));
        app.put(&path).json(&workflow_with(2)).await.ok();
        let before = app.get(&path).await;
        let tag = etag(&before);
        let (name, condition) = (json!({"name": format!("n{round}")}), [("if-match", tag.as_str())]);
        let changes: [(Method, String, Value); 5] = [
            (Method::PUT, path.clone(), workflow_with(3)),
            (Method::PATCH, path.clone(), name),
            (Method::PUT, format!("{path}reset/"), Value::Null),
            (Method::POST, format!("{path}versions/1/restore/"), Value::Null),
            (Method::DELETE, path.clone(), Value::Null),
        ];
        let all = changes.iter().chain(&changes[..4]);
        let requests = all.map(|(method, path, body)| {
            app.request(method.clone(), path).headers(&condition).json(body).send()
        });
        let mut statuses: Vec<u16> =
            join_all(requests).await.iter().map(|response| response.status).collect();
        statuses.sort_unstable();
        assert!([200, 204].contains(&statuses[0]), "{statuses:?}");
        // 404 when the workflow was deleted.
        let others = &statuses[1..];
        assert!(others.iter().all(|status| [404, 412].contains(status)), "{statuses:?}");
        app.delete(&path).await;
    }
}

async fn every_state_has_its_own_etag(app: App) {
    let created = app.post("/wf/").json(&workflow_with(1)).await;
    let path = format!("/wf/{}/", id_of(&created.json()));
    let mut tags = HashSet::from([etag(&created)]);
    let mut placed = workflow_with(1);
    for x in 0..20 {
        // A new layout changes the ETag but does not add a version.
        placed["definition"]["nodes"][0]["coordinates"] = json!({"x": x, "y": 0});
        let saved = app.put(&path).json(&placed).await;
        assert!(tags.insert(etag(&saved)), "{x}");
        assert_eq!(saved.json()["version"], 1);
        assert_eq!(etag(&app.get(&path).await), etag(&saved));
        let patched = app.patch(&path).merge_patch(&json!({"tags": [x.to_string()]})).await;
        assert!(tags.insert(etag(&patched)), "{x}");
    }
    let version = format!("{path}versions/1/");
    let (before, _) =
        (etag(&app.get(&version).await), placed["definition"]["nodes"][0]["coordinates"].take());
    app.put(&path).json(&placed).await.ok();
    assert_ne!(etag(&app.get(&version).await), before);
}
