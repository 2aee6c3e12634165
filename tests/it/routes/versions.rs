//! `/wf/{id}/versions/`: a version for each change of the executable definition.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of};

on_both_databases!(
    layout_change_updates_the_latest_version,
    number_format_adds_no_version,
    config_change_adds_a_version,
    saving_an_older_definition_adds_a_version,
    hash_is_of_the_canonical_form,
    concurrent_saves_leave_no_gap_in_versions,
    versions_are_paged_highest_first,
    run_keeps_its_version,
    run_starts_with_the_version_of_the_last_change,
);

async fn versions(app: &App, id: &str) -> Vec<Value> {
    let list = app.get(&format!("/wf/{id}/versions/?page_size=100")).await.ok();
    list.as_array().expect("a list").clone()
}

fn numbers(versions: &[Value]) -> Vec<u64> {
    versions.iter().map(|v| v["version"].as_u64().expect("a number")).collect()
}

/// Returns `plain` with another value in node `a`.
fn with_value(name: &str, value: impl Into<Value>) -> Value {
    let mut body = plain(name);
    body["definition"]["nodes"][1]["config"]["values"]["k"] = value.into();
    body
}

async fn layout_change_updates_the_latest_version(app: App) {
    let id = app.create(&plain("w")).await;
    let before = versions(&app, &id).await;
    assert_eq!(numbers(&before), [1]);

    let mut moved = plain("w");
    moved["definition"]["nodes"][0]["coordinates"] = json!({"x": 7.5, "y": -1.0});
    moved["definition"]["nodes"][1]["dimensions"] = json!({"width": 20.0, "height": 10.0});
    moved["definition"]["test_inputs"] = json!([{"x": "try"}]);
    let saved = app.put(&format!("/wf/{id}/")).json(&moved).await.ok();
    assert_eq!(saved["definition"], with_optional_members(&moved["definition"]));

    let after = versions(&app, &id).await;
    assert_eq!(numbers(&after), [1]);
    assert_eq!(after[0]["definition"], saved["definition"], "the layout is stored with the version");
    assert_eq!(after[0]["definition_hash"], before[0]["definition_hash"]);
    assert_eq!(after[0]["created_at"], before[0]["created_at"]);
    assert_ne!(after[0]["updated_at"], before[0]["updated_at"]);
}

async fn config_change_adds_a_version(app: App) {
    let id = app.create(&plain("w")).await;
    let first = versions(&app, &id).await.remove(0);
    let mut body = with_value("renamed", "changed");
    body["description"] = json!("other");
    app.put(&format!("/wf/{id}/")).json(&body).await.ok();
    let both = versions(&app, &id).await;
    assert_eq!(numbers(&both), [2, 1]);
    assert_ne!(both[0]["definition_hash"], first["definition_hash"]);
    assert_json!(both[0], {"name": "renamed", "description": "other"});
    assert_eq!(both[1], first, "a version never changes");
}

async fn saving_an_older_definition_adds_a_version(app: App) {
    let id = app.create(&plain("w")).await;
    for body in [with_value("w", "changed"), plain("w"), plain("w")] {
        app.put(&format!("/wf/{id}/")).json(&body).await.ok();
    }
    let all = versions(&app, &id).await;
    assert_eq!(numbers(&all), [3, 2, 1]);
    assert_eq!(all[0]["definition_hash"], all[2]["definition_hash"]);
    assert_ne!(all[0]["definition_hash"], all[1]["definition_hash"]);
}

async fn hash_is_of_the_canonical_form(app: App) {
    let created = app.post("/wf/").json(&plain("w")).await.ok();
    let hash = versions(&app, &id_of(&created)).await.remove(0)["definition_hash"].clone();
    let text = hash.as_str().expect("a hash");
    assert!(text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit() && !c.is_uppercase()), "{text}");

    // The order of keys and the format of numbers do not affect the hash.
    let mut numbers_a = with_value("a", json!(1.0));
    numbers_a["definition"]["nodes"][1]["config"]["values"]["é"] = json!(["\u{1F389}", 1e21]);
    let mut numbers_b = with_value("b", Value::Null);
    numbers_b["definition"]["nodes"][1]["config"]["values"] =
        json!({"é": ["\u{1F389}", 1_000_000_000_000_000_000_000.0], "k": 1});
    let mut hashes = Vec::new();
    for body in [numbers_a, numbers_b] {
        let id = app.create(&body).await;
        hashes.push(versions(&app, &id).await.remove(0)["definition_hash"].clone());
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[0], hash);
}

async fn concurrent_saves_leave_no_gap_in_versions(app: App) {
    let id = app.create(&plain("w")).await;
    let path = format!("/wf/{id}/");
    let bodies: Vec<Value> = (0..64).map(|n| with_value("w", n)).collect();
    for response in join_all(bodies.iter().map(|body| app.put(&path).json(body).send())).await {
        response.ok();
    }
    let all = versions(&app, &id).await;
    assert_eq!(numbers(&all), (1..=65).rev().collect::<Vec<_>>());
    let mut values: Vec<u64> = all[..64]
        .iter()
        .map(|v| v["definition"]["nodes"][1]["config"]["values"]["k"].as_u64().expect("n"))
        .collect();
    values.sort_unstable();
    assert_eq!(values, (0..64).collect::<Vec<_>>(), "no version is lost");
    let now = app.get(&path).await.ok();
    assert_eq!(now["definition"], all[0]["definition"], "the workflow has its latest version");
}

async fn versions_are_paged_highest_first(app: App) {
    let id = app.create(&plain("w")).await;
    for n in 0..11 {
        app.put(&format!("/wf/{id}/")).json(&with_value("w", n)).await.ok();
    }
    for (query, expected) in [
        ("", (3..=12).rev().collect::<Vec<u64>>()),
        ("?page=2", vec![2, 1]),
        ("?page=2&page_size=5", (3..=7).rev().collect()),
        ("?page=9", vec![]),
    ] {
        let page = app.get(&format!("/wf/{id}/versions/{query}")).await.ok();
        assert_eq!(numbers(page.as_array().expect("a list")), expected, "{query}");
    }
}

async fn run_keeps_its_version(app: App) {
    let id = app.create(&gated_workflow("w")).await;
    let run = app.start_run(&id, &run_body("hi")).await;
    app.run_until(&run, "PAUSED").await;

    let mut edited = gated_workflow("w");
    edited["definition"]["nodes"][3] = static_node("after", json!({"k": "edited"}));
    app.put(&format!("/wf/{id}/")).json(&edited).await.ok();
    let listed = app.get("/wf/paused_workflows/").await.ok();
    assert_eq!(listed[0]["workflow"]["nodes"][3]["config"]["values"]["k"], "done", "{listed}");

    app.approve(&run).await;
    let done = app.run_until(&run, "COMPLETED").await;
    assert_eq!(done["outputs"]["output_node"]["out"], "done");
    assert_eq!(done["workflow_version"]["version"], 1);
    assert_eq!(
        done["workflow_version"]["definition"],
        with_optional_members(&gated_workflow("w")["definition"])
    );

    let next = app.start_run(&id, &run_body("hi")).await;
    app.run_until(&next, "PAUSED").await;
    app.approve(&next).await;
    let done = app.run_until(&next, "COMPLETED").await;
    assert_eq!(done["outputs"]["output_node"]["out"], "edited");
    assert_eq!(done["workflow_version"]["version"], 2);
}

/// Sluice caches latest versions: each kind of change must reach the next run.
async fn run_starts_with_the_version_of_the_last_change(app: App) {
    let id = app.create(&plain("w")).await;
    let path = format!("/wf/{id}/");
    // The second start finds the version in the cache.
    let expect_version = async |expected: u64| {
        for _ in 0..2 {
            let run = app.post(&format!("{path}runv2/")).json(&run_body("x")).await.ok();
            assert_eq!(run["workflow_version"]["version"], expected, "{run}");
        }
    };
    expect_version(1).await;
    app.put(&path).json(&with_value("w", "changed")).await.ok();
    expect_version(2).await;
    app.post(&format!("{path}versions/1/restore/")).await.ok();
    expect_version(3).await;
    app.post("/wf/import/?mode=update").json(&with_value("w", "imported")).await.ok();
    expect_version(4).await;
    app.put(&format!("{path}reset/")).await.ok();
    expect_version(5).await;
    app.delete(&path).await.expect(204);
    app.post(&format!("{path}runv2/")).json(&run_body("x")).await.problem(404);
}

/// `1` and `1.0` have the same hash, so they are one version. The version keeps its behavior, also after a
/// restart.
async fn number_format_adds_no_version(mut app: App) {
    let body = |k: serde_json::Value| {
        workflow("w", vec![input(), static_node("s", json!({"k": k}))], chain(&["input_node", "s"]))
    };
    let id = app.create(&body(json!(1))).await;
    app.put(&format!("/wf/{id}/")).json(&body(json!(1.0))).await.ok();
    let versions = app.get(&format!("/wf/{id}/versions/")).await.ok();
    assert_eq!(versions.as_array().map(Vec::len), Some(1), "{versions}");
    // The stored definition is returned.
    let current = app.get(&format!("/wf/{id}/")).await.ok();
    assert_eq!(current["definition"]["nodes"][1]["config"]["values"]["k"].to_string(), "1");
    let mut moved = body(json!(1.0));
    moved["definition"]["nodes"][1]["coordinates"] = json!({"x": 3, "y": 4});
    let moved = app.put(&format!("/wf/{id}/")).json(&moved).await.ok();
    assert_eq!(moved["definition"]["nodes"][1]["config"]["values"]["k"].to_string(), "1");
    assert_eq!(moved["definition"]["nodes"][1]["coordinates"], json!({"x": 3.0, "y": 4.0}));
    for version in ["1", "draft"] {
        let stored = app.get(&format!("/wf/{id}/versions/{version}/")).await.ok();
        assert_eq!(stored["definition"].to_string(), moved["definition"].to_string(), "{version}");
    }
    app.crash_and_restart().await;
    let run = app.run(&id, &run_body("hi")).await;
    assert_eq!(run["outputs"]["s"]["k"].to_string(), "1");
    let unsafe_number = body(json!(9_007_199_254_740_993_u64));
    let pointers = app.put(&format!("/wf/{id}/")).json(&unsafe_number).await.pointers();
    assert_eq!(pointers, ["/definition/nodes/1/config/values/k"]);
}
