//! API keys: authentication, scopes, expiry and rate limits.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api_keys::{create_key, wait_until_keys_are_required};
use crate::support::app::{App, on_both_databases};
use crate::support::definitions::*;
use crate::support::json::id_of;
use crate::support::polling::eventually;
use crate::support::process::{self, Process, run_async};

on_both_databases!(
    requests_without_a_key_get_401,
    each_scope_allows_exactly_its_operations,
    key_is_accepted_in_two_headers_only,
    revoked_and_expired_keys_are_rejected,
    stream_ends_when_its_key_is_revoked,
    key_decides_pauses_only_for_its_own_user,
    versions_and_label_moves_have_the_name_of_the_key,
    rate_limit_applies_to_each_key,
    keys_are_required_once_one_exists,
    public_address_requires_keys,
    idempotency_keys_are_separate_for_each_api_key,
    key_is_revoked_while_the_server_writes,
    drawing_of_a_run_requires_runs_read,
    cors_allows_configured_origins,
);

/// Operations that each scope allows. Every operation of the document is listed.
const CALLS: &[(&str, &[&str])] = &[
    (
        "workflows:read",
        &[
            "listWorkflows",
            "validateWorkflow",
            "getWorkflow",
            "exportWorkflow",
            "drawWorkflow",
            "listOutputVariables",
            "listVersions",
            "getVersion",
            "diffVersions",
            "listLabels",
            "listLabelMoves",
            "listNodeTypes",
        ],
    ),
    (
        "workflows:write",
        &[
            "createWorkflow",
            "importWorkflows",
            "updateWorkflow",
            "patchWorkflow",
            "deleteWorkflow",
            "resetWorkflow",
            "duplicateWorkflow",
            "restoreVersion",
            "setLabel",
            "deleteLabel",
            "rollbackLabel",
        ],
    ),
    (
        "runs:read",
        &[
            "listRuns",
            "getRun",
            "getRunStatus",
            "followRun",
            "getRunTimeline",
            "listWorkflowRuns",
            "listDatasets",
            "getDataset",
            "listDatasetRuns",
            "listOutputFiles",
            "getOutputFile",
            "downloadOutputFile",
        ],
    ),
    (
        "runs:write",
        &[
            "runWorkflow",
            "runWorkflowV2",
            "startRun",
            "runPartial",
            "startBatchRun",
            "cancelRun",
            "rerunRun",
            "retryRun",
            "uploadDataset",
            "deleteDataset",
            "uploadTestFiles",
        ],
    ),
    ("approvals:read", &["listPausedWorkflows", "followPausedWorkflows", "listPauseHistory"]),
    ("approvals:write", &["processPauseAction"]),
    ("admin", &["listAudit"]),
];

/// Returns the operations of the document: (operation id, method, path with ids, scope).
async fn operations(app: &App) -> Vec<(String, Method, String, Option<String>)> {
    let document = app.get("/openapi.json").await.ok();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, call) in
            item.as_object().expect("an item").iter().filter(|(_, call)| call["operationId"].is_string())
        {
            let schemes = call["security"].as_array().expect("security");
            let scope =
                schemes.first().map(|scheme| scheme["bearer"][0].as_str().expect("a scope").to_owned());
            let path = path
                .split('/')
                .map(|part| if part.starts_with('{') { "00000000-0000-7000-8000-000000000000" } else { part })
                .collect::<Vec<_>>()
                .join("/");
            let method = method.to_uppercase().parse().expect("a method");
            operations.push((call["operationId"].as_str().expect("a name").to_owned(), method, path, scope));
        }
    }
    operations
}

async fn requests_without_a_key_get_401(app: App) {
    let key = create_key(&app.database, "ci", "admin", &[]).await;
    wait_until_keys_are_required(&app).await;
    for (name, method, path, scope) in operations(&app).await {
        let is_open = ["getHealth", "getReadiness"].contains(&name.as_str());
        assert_eq!(scope.is_none(), is_open, "{name}");
        // Other spellings of a path reach the same operation.
        let written = [path.clone(), format!("/api{path}"), path.trim_end_matches('/').to_owned()];
        for path in written {
            let response = app.request(method.clone(), &path).await;
            if is_open {
                response.ok();
                continue;
            }
            assert_eq!(response.headers["www-authenticate"], "Bearer realm=\"sluice\"", "{name} {path}");
            let problem = response.problem(401);
            assert_eq!(problem["type"], "/problems/unauthenticated", "{name} {path}");
        }
    }
    for path in ["/docs", "/docs/", "/docs/swagger-ui.css", "/openapi.json"] {
        assert!([200, 303].contains(&app.get(path).await.status), "{path}");
    }
    // Attempts to bypass authentication: similar paths, unknown paths, other methods, headers of proxies.
    for path in [
        "/docs/../wf/",
        "//wf/",
        "/healthz/../wf/",
        "/nothing/",
        "/healthz/wf/",
        "/openapi.json/wf/",
        "/%77f/",
    ] {
        let status = app.get(path).await.status;
        assert!([401, 404].contains(&status), "{path}: {status}");
    }
    for method in [Method::PUT, Method::OPTIONS, Method::HEAD, Method::TRACE] {
        assert_eq!(app.request(method.clone(), "/wf/").await.status, 401, "{method}");
    }
    for (name, value) in [
        ("x-original-url", "/healthz"),
        ("x-rewrite-url", "/healthz"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-http-method-override", "GET"),
        ("forwarded", "for=127.0.0.1"),
        ("host", "localhost"),
    ] {
        app.get("/wf/").header(name, value).await.problem(401);
    }
    app.get("/wf/").api_key(&key).await.ok();
}

async fn each_scope_allows_exactly_its_operations(app: App) {
    let mut keys = BTreeMap::new();
    for (scope, _) in CALLS {
        keys.insert(*scope, create_key(&app.database, scope, scope, &[]).await);
    }
    wait_until_keys_are_required(&app).await;
    let operations = operations(&app).await;
    let listed: usize = CALLS.iter().map(|(_, names)| names.len()).sum();
    let with_scope = operations.iter().filter(|(.., scope)| scope.is_some()).count();
    assert_eq!(listed, with_scope, "CALLS must list every operation that requires a scope");
    for (name, method, path, scope) in &operations {
        let Some(scope) = scope else { continue };
        let expected = CALLS.iter().find(|(_, names)| names.contains(&name.as_str()));
        assert_eq!(expected.map(|(scope, _)| *scope), Some(scope.as_str()), "{name}");
        // This stream doesn't end.
        if name == "followPausedWorkflows" {
            continue;
        }
        for (key_scope, key) in &keys {
            let response = app.request(method.clone(), path).api_key(key).await;
            let is_allowed = *key_scope == scope.as_str() || *key_scope == "admin";
            let rejected = [401, 403].contains(&response.status);
            assert_eq!(
                !rejected, is_allowed,
                "{name} with {key_scope}: {} {}",
                response.status, response.text
            );
            if rejected {
                let problem = response.problem(403);
                assert!(problem["detail"].as_str().expect("a detail").contains(scope.as_str()), "{problem}");
            }
        }
    }
}

async fn key_is_accepted_in_two_headers_only(app: App) {
    let key = create_key(&app.database, "ci", "workflows:read", &[]).await;
    let other = create_key(&app.database, "other", "workflows:read", &[]).await;
    wait_until_keys_are_required(&app).await;
    for (name, value) in [
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("bearer  {key}")),
        ("x-api-key", key.clone()),
    ] {
        app.get("/wf/").header(name, &value).await.ok();
    }
    let (head, tail) = key.split_at(key.len() - 1);
    let last = if tail == "0" { "1" } else { "0" };
    let (id, _) = key.trim_start_matches("sluice_").split_once('_').expect("two parts");
    let invalid_keys = [
        String::new(),
        "x".to_owned(),
        format!("{head}{last}"),
        head.to_owned(),
        format!("{key}."),
        key.to_uppercase(),
        format!("sluice_{id}_{}", "0".repeat(64)),
        format!("sluice_{}_{}", "0".repeat(16), "0".repeat(64)),
        format!("{key},{key}"),
        "'; DROP TABLE api_keys; --".to_owned(),
    ];
    for invalid in invalid_keys {
        let problem = app.get("/wf/").header("x-api-key", &invalid).await.problem(401);
        let text = problem.to_string();
        assert!(!text.contains(&key[8..]) && !text.contains("DROP"), "{text}");
    }
    for value in
        [format!("Basic {key}"), key.clone(), "Bearer".to_owned(), format!("Bearer {key}, Bearer {key}")]
    {
        app.get("/wf/").header("authorization", &value).await.problem(401);
    }
    // Two keys are rejected, in one header or in both.
    for pair in [
        [("x-api-key", key.clone()), ("x-api-key", other.clone())],
        [("x-api-key", key.clone()), ("authorization", format!("Bearer {other}"))],
    ] {
        app.get("/wf/").headers(&pair).await.problem(401);
    }
    app.get(&format!("/wf/?api_key={key}")).await.problem(401);
    let log = app.log();
    let secret = key.rsplit('_').next().expect("a secret");
    assert!(!log.contains(secret), "the log contains a secret");
    assert!(log.contains("other") || log.contains("key=ci") || log.contains("\"ci\""), "{log}");
}

async fn revoked_and_expired_keys_are_rejected(app: App) {
    let (first, second) = (
        create_key(&app.database, "first", "workflows:read", &[]).await,
        create_key(&app.database, "second", "workflows:read", &["--expires-in-days", "1"]).await,
    );
    wait_until_keys_are_required(&app).await;
    for key in [&first, &second] {
        app.get("/wf/").api_key(key).await.ok();
    }
    let listed = run_async(&["keys", "list", "--format", "json", "--database-url", &app.database.url]).await;
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    assert_eq!(listed[0]["name"], "first");
    assert!(listed[1]["expires_at"].is_string() && listed[0]["expires_at"].is_null(), "{listed}");
    assert!(!listed.to_string().contains(first.rsplit('_').next().expect("a secret")));
    eventually("the last use to be stored", async || {
        let listed =
            run_async(&["keys", "list", "--format", "json", "--database-url", &app.database.url]).await;
        let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
        listed[0]["last_used_at"].is_string().then_some(())
    })
    .await;
    let duplicate = run_async(&[
        "keys",
        "create",
        "--name",
        "first",
        "--scope",
        "admin",
        "--database-url",
        &app.database.url,
    ])
    .await;
    assert!(duplicate.code == Some(1) && duplicate.stderr.contains("first"), "{duplicate:?}");
    for name in [listed[0]["id"].as_str().expect("an id"), " ", " a"] {
        let invalid = run_async(&[
            "keys",
            "create",
            "--name",
            name,
            "--scope",
            "admin",
            "--database-url",
            &app.database.url,
        ])
        .await;
        assert!(invalid.code == Some(1) && invalid.stderr.contains("name"), "{invalid:?}");
    }
    let revoked = run_async(&["keys", "revoke", "first", "--database-url", &app.database.url]).await;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    eventually("the key to be rejected", async || {
        let response = app.get("/wf/").api_key(&first).await;
        (response.status == 401 && response.text.contains("revoked")).then_some(())
    })
    .await;
    app.database
        .execute("UPDATE api_keys SET expires_at = '2020-01-01T00:00:00+00:00' WHERE name = 'second'")
        .await;
    eventually("the key to expire", async || {
        let response = app.get("/wf/").api_key(&second).await;
        (response.status == 401 && response.text.contains("expired")).then_some(())
    })
    .await;
    // Keys stay required when no key is valid.
    app.get("/wf/").await.problem(401);
    let unknown = run_async(&["keys", "revoke", "unknown", "--database-url", &app.database.url]).await;
    assert!(unknown.code == Some(1) && unknown.stderr.contains("unknown"), "{unknown:?}");
}

async fn stream_ends_when_its_key_is_revoked(app: App) {
    let key = create_key(&app.database, "watcher", "approvals:read", &[]).await;
    wait_until_keys_are_required(&app).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("{}/wf/paused_workflows/events/", app.base());
    let mut stream = client.get(url).bearer_auth(&key).send().await.expect("a response");
    assert_eq!(stream.status(), 200);
    let revoked = run_async(&["keys", "revoke", "watcher", "--database-url", &app.database.url]).await;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    let end = async { while stream.chunk().await.expect("a stream without errors").is_some() {} };
    tokio::time::timeout(process::DEADLINE, end).await.expect("the end of the stream");
}

async fn key_decides_pauses_only_for_its_own_user(app: App) {
    let workflow = app.create(&gated_workflow("gate")).await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let run = app.start_run(&workflow, &run_body("hi")).await;
        app.run_until(&run, "PAUSED").await;
        runs.push(run);
    }
    let own_key = create_key(&app.database, "grace", "approvals:write", &[]).await;
    let desk = create_key(&app.database, "desk", "approvals:write", &["--for-others"]).await;
    wait_until_keys_are_required(&app).await;
    let path = |run: &str| format!("/wf/process_pause_action/{run}/");
    let decision = |user: &str| json!({"action": "APPROVE", "user_id": user, "inputs": {}});
    let problem = app.post(&path(&runs[0])).api_key(&own_key).json(&decision("ada")).await.problem(403);
    assert_eq!(problem["type"], "/problems/not-yourself");
    app.post(&path(&runs[0])).api_key(&own_key).json(&decision("grace")).await.ok();
    app.post(&path(&runs[1])).api_key(&desk).json(&decision("ada")).await.ok();
}

async fn versions_and_label_moves_have_the_name_of_the_key(app: App) {
    let key = create_key(&app.database, "ci", "workflows:read,workflows:write", &[]).await;
    wait_until_keys_are_required(&app).await;
    let call = async |method, path: &str, body: Option<&Value>| {
        app.request(method, path).api_key(&key).optional_json(body).await.ok()
    };
    let id = id_of(&call(Method::POST, "/wf/", Some(&gated_workflow("named"))).await);
    call(Method::PUT, &format!("/wf/{id}/"), Some(&plain("named"))).await;
    call(Method::PUT, &format!("/wf/{id}/labels/production/"), Some(&json!({"version": 1}))).await;
    let versions = call(Method::GET, &format!("/wf/{id}/versions/"), None).await;
    assert_eq!(versions[0]["created_by"], "ci", "{versions}");
    let moves = call(Method::GET, &format!("/wf/{id}/labels/production/history/"), None).await;
    assert_eq!(moves[0]["moved_by"], "ci", "{moves}");
    let document = call(Method::GET, &format!("/wf/{id}/export/?versions=true"), None).await;
    let import = call(Method::POST, "/wf/import/", Some(&document)).await;
    let copy = import["results"][0]["id"].as_str().expect("an id").to_owned();
    let moves = call(Method::GET, &format!("/wf/{copy}/labels/production/history/"), None).await;
    assert_eq!(moves[0]["moved_by"], "ci", "{moves}");
    let import = call(Method::POST, "/wf/import/", Some(&plain("imported"))).await;
    let imported_id = import["results"][0]["id"].as_str().expect("an id").to_owned();
    let versions = call(Method::GET, &format!("/wf/{imported_id}/versions/"), None).await;
    assert_eq!(versions[0]["created_by"], "ci", "{versions}");
}

async fn rate_limit_applies_to_each_key(mut app: App) {
    app.restart_with(&[("SLUICE_RATE_LIMIT", "5")]).await;
    let (busy, calm) = (
        create_key(&app.database, "busy", "workflows:read", &[]).await,
        create_key(&app.database, "calm", "workflows:read", &[]).await,
    );
    wait_until_keys_are_required(&app).await;
    let rejected = eventually("a request above the limit", async || {
        let response = app.get("/wf/").api_key(&busy).await;
        assert_eq!(response.headers["ratelimit-policy"], "\"key\";q=5;w=1");
        assert!(response.headers["ratelimit"].to_str().expect("text").starts_with("\"key\";r="));
        (response.status == 429).then_some(response)
    })
    .await;
    assert!(rejected.headers.contains_key("retry-after"));
    let problem = rejected.problem(429);
    assert_eq!(problem["type"], "/problems/too-many-requests");
    app.get("/wf/").api_key(&calm).await.ok();
    eventually("the key to be accepted again", async || {
        (app.get("/wf/").api_key(&busy).await.status == 200).then_some(())
    })
    .await;
}

async fn keys_are_required_once_one_exists(mut app: App) {
    app.get("/wf/").await.ok();
    // A page of another origin, in a browser on this machine.
    app.get("/wf/").header("origin", "https://evil.example").await.problem(403);
    app.get("/wf/").header("host", "evil.example").await.problem(403);
    app.get("/wf/").header("host", "localhost:1").await.ok();
    let own_origin = app.base().to_owned();
    app.get("/wf/").header("origin", &own_origin).await.ok();
    let key = create_key(&app.database, "ci", "workflows:read", &[]).await;
    wait_until_keys_are_required(&app).await;
    app.crash_and_restart().await;
    app.get("/wf/").await.problem(401);
    app.get("/wf/").api_key(&key).await.ok();
    app.restart_with(&[("SLUICE_INSECURE_NO_AUTH", "true")]).await;
    app.get("/wf/").await.ok();
}

async fn public_address_requires_keys(mut app: App) {
    app.terminate().await;
    let data = app.data_dir().display().to_string();
    let arguments =
        ["serve", "--listen", "0.0.0.0:0", "--database-url", &app.database.url, "--data-dir", &data];
    let rejected = run_async(&arguments).await;
    assert_eq!(rejected.code, Some(1), "{rejected:?}");
    for word in ["sluice keys create", "--insecure-no-auth", "127.0.0.1"] {
        assert!(rejected.stderr.contains(word), "{rejected:?}");
    }
    // The same holds for the address of the metrics.
    let metrics = ["--listen", "127.0.0.1:0", "--metrics-listen", "0.0.0.0:0"];
    let rejected = run_async(&[&["serve"], &metrics[..], &arguments[3..]].concat()).await;
    assert!(rejected.code == Some(1) && rejected.stderr.contains("0.0.0.0:0"), "{rejected:?}");
    create_key(&app.database, "ci", "admin", &[]).await;
    let open = Process::start(&arguments.map(str::to_owned), &[]);
    let response = reqwest::get(format!("{}/wf/", open.base)).await.expect("a response");
    assert_eq!(response.status(), 401);
}

/// `keys revoke` must not time out while the server writes.
async fn key_is_revoked_while_the_server_writes(app: App) {
    let admin = create_key(&app.database, "admin", "admin", &[]).await;
    for n in 0..5 {
        create_key(&app.database, &format!("k{n}"), "workflows:read", &[]).await;
    }
    wait_until_keys_are_required(&app).await;
    let body = plain("busy");
    let id = id_of(&app.post("/wf/").api_key(&admin).json(&body).await.ok());
    let path = format!("/wf/{id}/");
    let is_over = std::cell::Cell::new(false);
    let writing = async {
        let mut n = 0;
        while !is_over.get() {
            n += 1;
            let change = json!({"description": n.to_string()});
            app.patch(&path).api_key(&admin).json(&change).await.ok();
        }
    };
    let revoking = async {
        for n in 0..5 {
            let name = format!("k{n}");
            let revoked = run_async(&["keys", "revoke", &name, "--database-url", &app.database.url]).await;
            assert_eq!(revoked.code, Some(0), "{revoked:?}");
        }
        is_over.set(true);
    };
    tokio::join!(writing, revoking);
}

/// The drawing of a run shows the status of its nodes.
async fn drawing_of_a_run_requires_runs_read(app: App) {
    let workflow = app.create(&plain("one")).await;
    let run = id_of(&app.run(&workflow, &run_body("hi")).await);
    let reader = create_key(&app.database, "reader", "workflows:read", &[]).await;
    let both = create_key(&app.database, "both", "workflows:read,runs:read", &[]).await;
    wait_until_keys_are_required(&app).await;
    let (drawing, of_run) = (format!("/wf/{workflow}/graph/"), format!("/wf/{workflow}/graph/?run={run}"));
    assert_eq!(app.get(&drawing).api_key(&reader).await.status, 200);
    let rejected = app.get(&of_run).api_key(&reader).await.problem(403);
    assert!(rejected["detail"].as_str().is_some_and(|text| text.contains("runs:read")), "{rejected}");
    assert_eq!(app.get(&of_run).api_key(&both).await.status, 200);
}

/// Preflight requests and rejected requests have CORS headers too.
async fn cors_allows_configured_origins(mut app: App) {
    app.restart_with(&[("SLUICE_CORS_ORIGINS", "https://app.example")]).await;
    let key = create_key(&app.database, "ci", "admin", &[]).await;
    wait_until_keys_are_required(&app).await;
    for (origin, is_configured) in [("https://app.example", true), ("https://evil.example", false)] {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        let preflight = app.request(Method::OPTIONS, "/wf/").headers(&headers).await;
        assert_eq!(preflight.status, 200, "{}", preflight.text);
        let allowed = preflight.headers.get("access-control-allow-origin").map(|value| value == origin);
        assert_eq!(allowed, is_configured.then_some(true), "{:?}", preflight.headers);
        for header in ["x-request-id", "x-content-type-options", "content-security-policy"] {
            assert!(preflight.headers.contains_key(header), "{header}: {:?}", preflight.headers);
        }
        let headers = [("origin", origin), ("x-api-key", &key)];
        let response = app.get("/wf/").headers(&headers).await;
        assert_eq!(response.headers.contains_key("access-control-allow-origin"), is_configured);
        // Problems have the CORS headers too.
        let long = format!("/wf/?q={}", "x".repeat(9_000));
        let rejected = app.get(&long).headers(&headers).await;
        assert_eq!(rejected.status, 414, "{}", rejected.text);
        assert_eq!(rejected.headers.contains_key("access-control-allow-origin"), is_configured);
    }
}

async fn idempotency_keys_are_separate_for_each_api_key(app: App) {
    let (first_key, second_key) = (
        create_key(&app.database, "one", "workflows:write", &[]).await,
        create_key(&app.database, "two", "workflows:write", &[]).await,
    );
    wait_until_keys_are_required(&app).await;
    let create = async |key: &str| {
        let headers = [("x-api-key", key.to_owned()), ("idempotency-key", "same".to_owned())];
        id_of(&app.post("/wf/").headers(&headers).json(&gated_workflow("twice")).await.ok())
    };
    let first = create(&first_key).await;
    assert_eq!(create(&first_key).await, first);
    assert_ne!(create(&second_key).await, first, "a response stored for another key");
}

#[tokio::test]
async fn rejects_unknown_scopes_and_lists_the_known_ones() {
    let output = run_async(&["keys", "create", "--name", "x", "--scope", "runs:all"]).await;
    assert!(output.code == Some(2) && output.stderr.contains("runs:write"), "{output:?}");
}
