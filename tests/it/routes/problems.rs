//! Problem details of failed requests.

use reqwest::Method;
use serde_json::json;

use crate::support::app::{App, on_both_databases};
use crate::support::database::Backend;
use crate::support::definitions::*;

on_both_databases!(
    rejects_unknown_paths_and_wrong_methods,
    rejects_bodies_that_are_not_json,
    invalid_body_lists_every_error,
    each_problem_kind_has_its_type,
    problem_has_the_id_of_its_request,
);

async fn rejects_unknown_paths_and_wrong_methods(app: App) {
    for path in ["/nope", "/api/nope/", "/wf/a/b/c/d", "/%ff", "/api", "//wf//"] {
        app.get(path).await.problem(404);
    }
    for (method, path) in [
        (Method::DELETE, "/wf/"),
        (Method::POST, "/wf/x/"),
        (Method::GET, "/wf/x/run/"),
        (Method::PUT, "/node/supported_types/"),
        (Method::POST, "/run/"),
        (Method::POST, "/api/healthz"),
    ] {
        let response = app.request(method, path).await;
        if path == "/api/healthz" {
            assert!([404, 405].contains(&response.status), "{}", response.status);
            continue;
        }
        let allow = response.headers.get("allow").map(|v| v.to_str().expect("a text").to_owned());
        assert!(
            allow.is_some_and(|methods| !methods.is_empty()),
            "{path}: a 405 must list the allowed methods"
        );
        response.problem(405);
    }
}

async fn rejects_bodies_that_are_not_json(app: App) {
    let json = "application/json";
    for body in ["", "{", "nonsense", "{\"name\": \"x\"", "{\"name\": \"x\"} trailing", "\u{feff}{}"] {
        let response = app.post("/wf/").body(json, body).await;
        let status = response.status;
        assert!([400, 422].contains(&status), "{body:?}: {status} {}", response.text);
        response.problem(status);
    }
    let broken = app.post("/wf/").body(json, vec![b'"', 0xff, b'"']).await;
    assert!([400, 422].contains(&broken.status), "{}", broken.text);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        app.post("/wf/").body(kind, r#"{"name": "x"}"#).await.problem(415);
    }
    app.post("/wf/").body("application/json; charset=utf-8", r#"{"name": "x"}"#).await.ok();
    app.post("/wf/").body("application/problem+json", r#"{"name": "y"}"#).await;
}

async fn invalid_body_lists_every_error(app: App) {
    let node = json!({"id": "a"});
    let cases = [
        (json!({}), vec!["/name"]),
        (json!({"name": 3}), vec!["/name"]),
        (
            json!({"definition": {"nodes": [node], "links": []}}),
            vec!["/definition/nodes/0/node_type", "/name"],
        ),
        (
            json!({"name": "x", "description": 1, "definition": {"nodes": "no", "links": [], "spur_type": "zebra"}}),
            vec!["/definition/nodes", "/definition/spur_type", "/description"],
        ),
        (
            json!({"name": "x", "definition": {"nodes": [input()], "links": [{"source_id": "a"}, {"target_id": 3}]}}),
            vec![
                "/definition/links/0/target_id",
                "/definition/links/1/source_id",
                "/definition/links/1/target_id",
            ],
        ),
        (
            json!({"name": "x", "definition": {"nodes": [
                {"id": "a", "node_type": "InputNode", "config": [], "coordinates": {"x": "left", "y": 0}}], "links": []}}),
            vec!["/definition/nodes/0/config", "/definition/nodes/0/coordinates/x"],
        ),
        (json!({"name": "x", "definition": {}}), vec!["/definition/links", "/definition/nodes"]),
    ];
    for (body, expected) in cases {
        let mut pointers = app.post("/wf/").json(&body).await.pointers();
        pointers.sort();
        assert_eq!(pointers, expected, "{body}");
    }
    for body in ["[]", "3", "null", "\"text\""] {
        app.post("/wf/").body("application/json", body).await.problem(422);
    }
}

async fn each_problem_kind_has_its_type(app: App) {
    let kind = |problem: serde_json::Value| problem["type"].as_str().expect("a type").to_owned();
    let missing = kind(app.get("/wf/nope/").await.problem(404));
    let path = kind(app.get("/nope").await.problem(404));
    let shape = kind(app.post("/wf/").json(&json!({})).await.problem(422));
    let media = kind(app.post("/wf/").body("text/plain", "x").await.problem(415));
    let missing_too = kind(app.get("/wf/nope/versions/").await.problem(404));
    assert_eq!(missing, missing_too);
    assert_ne!(missing, path, "a missing resource and an unknown path are different problems");
    for other in [&missing, &path, &media] {
        assert_ne!(&shape, other);
    }
}

async fn problem_has_the_id_of_its_request(app: App) {
    let response = app.get("/api/wf/nope/").await;
    let request_id = response.headers["x-request-id"].to_str().expect("a text header").to_owned();
    let problem = response.problem(404);
    assert_eq!(problem["instance"], format!("urn:uuid:{request_id}"));
    assert!(problem["detail"].as_str().expect("a sentence").ends_with('.'), "{problem}");
}

/// The body is small enough to be sent before the server responds: a client that is still writing when the
/// connection closes may never read the response.
#[tokio::test]
async fn rejects_a_body_that_is_too_large() {
    let app = App::start_with(Backend::Sqlite, &[("SLUICE_MAX_BODY_BYTES", "1000")]).await;
    let with_length = |length: usize| {
        let rest = json!({"name": "x", "description": ""}).to_string().len();
        json!({"name": "x", "description": "d".repeat(length - rest)})
    };
    app.post("/wf/").json(&with_length(1001)).await.problem(413);
    assert_eq!(app.get("/wf/").await.ok(), json!([]));
    app.post("/wf/").json(&with_length(1000)).await.ok();
}
