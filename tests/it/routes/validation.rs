//! Diagnostics of definitions, at save and at `/wf/validate/`.

use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::client::Response;
use crate::support::definitions::*;
use crate::support::json::assert_json;

on_both_databases!(
    every_diagnostic_has_a_code_and_a_pointer,
    all_problems_are_reported_together,
    cycle_shows_its_path,
    unknown_type_suggests_the_nearest,
    loop_bodies_are_validated,
    router_without_routes_reports_that_a_route_is_missing,
    invalid_definition_is_not_saved,
    unfinished_definitions_are_saved,
    rejects_text_with_nul,
    names_and_descriptions_are_limited,
    validation_reports_everything_and_saves_nothing,
    only_valid_definitions_can_be_saved,
    validation_accepts_any_json,
    validation_reports_invalid_json_and_rejects_large_bodies,
    title_that_is_a_keyword_is_reported,
);

/// (pointer, code, node id)
type Problem = (String, String, Option<String>);

/// Returns the sorted errors.
fn problems(response: Response) -> Vec<Problem> {
    let problem = response.problem(422);
    let text = |v: &Value| v.as_str().expect("a text").to_owned();
    let errors = problem["errors"].as_array().expect("errors");
    let mut rows: Vec<_> = errors
        .iter()
        .map(|e| {
            assert!(text(&e["detail"]).split(' ').count() > 4, "a sentence: {e}");
            (text(&e["pointer"]), text(&e["code"]), e["node_id"].as_str().map(str::to_owned))
        })
        .collect();
    rows.sort();
    rows
}

fn problem(pointer: &str, code: &str, node: &str) -> Problem {
    let node = (!node.is_empty()).then(|| node.to_owned());
    (format!("/definition{pointer}"), code.to_owned(), node)
}

fn chatbot(mut body: Value) -> Value {
    body["definition"]["spur_type"] = json!("chatbot");
    body
}

fn cases() -> Vec<(Value, Problem)> {
    let a = || static_node("a", json!({}));
    let never = || router(&[("yes", vec![])]);
    let mut chat_input = input();
    chat_input["config"] = schema(&["user_message", "session_id"]);
    vec![
        (workflow("w", vec![input(), a(), a()], vec![]), problem("/nodes/2/id", "node_id_duplicate", "a")),
        (
            workflow("w", vec![input(), static_node("", json!({}))], vec![]),
            problem("/nodes/1/id", "node_id_empty", ""),
        ),
        (workflow("w", vec![a()], vec![]), problem("/nodes", "input_node_missing", "")),
        (
            workflow("w", vec![input(), node("in2", "InputNode", json!({}))], vec![]),
            problem("/nodes/1", "input_node_duplicate", "in2"),
        ),
        (
            workflow("w", vec![input(), output(json!({})), output_named("out2", json!({}))], vec![]),
            problem("/nodes/2", "output_node_duplicate", "out2"),
        ),
        (
            workflow("w", vec![input(), a()], vec![link("missing", "a")]),
            problem("/links/0/source_id", "link_source_unknown", "missing"),
        ),
        (
            workflow("w", vec![input(), a()], vec![link("input_node", "a"), link("a", "missing")]),
            problem("/links/1/target_id", "link_target_unknown", "missing"),
        ),
        (
            workflow("w", vec![input(), with_parent(a(), "missing")], vec![]),
            problem("/nodes/1/parent_id", "parent_unknown", "a"),
        ),
        (
            workflow("w", vec![input(), node("a", "NoSuchThing", json!({}))], vec![]),
            problem("/nodes/1/node_type", "node_type_unknown", "a"),
        ),
        (
            workflow("w", vec![input(), never(), a()], vec![link("input_node", "r"), link("r", "a")]),
            problem("/links/1/source_handle", "router_link_without_handle", "r"),
        ),
        (
            workflow(
                "w",
                vec![input(), never(), a()],
                vec![link("input_node", "r"), route("r", "a", "maybe")],
            ),
            problem("/links/1/source_handle", "router_link_unknown_route", "r"),
        ),
        (
            chatbot(workflow("w", vec![input()], vec![])),
            problem("/nodes/0/config/output_json_schema", "chatbot_input_fields", "input_node"),
        ),
        (
            chatbot(workflow("w", vec![chat_input, output(json!({}))], vec![])),
            problem("/nodes/1/config/output_json_schema", "chatbot_output_fields", "output_node"),
        ),
    ]
}

async fn every_diagnostic_has_a_code_and_a_pointer(app: App) {
    for (body, expected) in cases() {
        assert_eq!(problems(app.post("/wf/").json(&body).await), [expected], "{body:#}");
    }
    for (invalid, pointer) in [
        (node("n", "PythonFuncNode", json!({"code": 3})), "/code"),
        (node("n", "StaticValueNode", json!({"values": "text"})), "/values"),
        (node("n", "RouterNode", json!({"route_map": []})), "/route_map"),
        (node("n", "CoalesceNode", json!({"preferences": {"a": 1}})), "/preferences"),
        (node("n", "ForLoopNode", json!({"num_iterations": "three"})), "/num_iterations"),
        (node("n", "OutputNode", json!({"output_map": ["a"]})), "/output_map"),
        (
            node("n", "HumanInterventionNode", json!({"block_only_dependent_nodes": "yes"})),
            "/block_only_dependent_nodes",
        ),
    ] {
        let diagnostics = problems(app.post("/wf/").json(&after_input("w", invalid.clone())).await);
        let expected = format!("/definition/nodes/1/config{pointer}");
        let diagnostic = diagnostics.iter().find(|row| row.0.starts_with(&expected));
        let diagnostic = diagnostic.unwrap_or_else(|| panic!("{invalid}: {diagnostics:?}"));
        assert_eq!(diagnostic.1.as_str(), "config_invalid");
        assert_eq!(diagnostic.2.as_deref(), Some("n"));
    }
    let operator = router(&[("yes", vec![condition("input_node.x", "sounds_like", json!("x"))])]);
    let diagnostics = problems(app.post("/wf/").json(&after_input("w", operator)).await);
    assert!(
        diagnostics[0].0.starts_with("/definition/nodes/1/config/route_map/yes/conditions/0"),
        "{diagnostics:?}"
    );
}

async fn all_problems_are_reported_together(app: App) {
    let body = workflow(
        "w",
        vec![
            node("a", "StaticValueNode", json!({"values": {}})),
            node("a", "StaticVallueNode", json!({"values": {}})),
            with_parent(static_node("b", json!({})), "ghost"),
        ],
        vec![link("a", "nowhere"), link("b", "b")],
    );
    let codes: Vec<String> =
        problems(app.post("/wf/").json(&body).await).into_iter().map(|row| row.1).collect();
    for code in [
        "node_id_duplicate",
        "input_node_missing",
        "link_target_unknown",
        "node_type_unknown",
        "parent_unknown",
        "cycle",
    ] {
        assert!(codes.iter().any(|c| c == code), "{code} is missing in {codes:?}");
    }
}

async fn cycle_shows_its_path(app: App) {
    let nodes = || {
        vec![input(), static_node("a", json!({})), static_node("b", json!({})), static_node("c", json!({}))]
    };
    for (links, members) in [
        (chain(&["input_node", "a", "b", "c", "a"]), &["a", "b", "c"][..]),
        (vec![link("b", "b")], &["b"][..]),
    ] {
        let problem = app.post("/wf/").json(&workflow("w", nodes(), links)).await.problem(422);
        let error = &problem["errors"][0];
        assert_eq!(error["code"], "cycle");
        assert_eq!(problem["errors"].as_array().map(Vec::len), Some(1));
        assert!(error["pointer"].as_str().expect("a pointer").starts_with("/definition/links/"), "{error}");
        let detail = error["detail"].as_str().expect("a sentence");
        let order: Vec<_> = members.iter().map(|m| format!("{m} →")).collect();
        assert!(order.iter().all(|step| detail.contains(step)), "{detail}");
        assert!(
            !detail.contains("input_node"),
            "a node that leads into the cycle is not part of it: {detail}"
        );
    }
}

async fn unknown_type_suggests_the_nearest(app: App) {
    for (invalid, suggestion) in
        [("OutputNod", "OutputNode"), ("routernode", "RouterNode"), ("PythonFunctionNode", "PythonFuncNode")]
    {
        let body = after_input("w", node("n", invalid, json!({})));
        let problem = app.post("/wf/").json(&body).await.problem(422);
        let detail = problem["errors"][0]["detail"].as_str().expect("a sentence");
        assert!(detail.contains(&format!("\"{suggestion}\"")), "{invalid}: {detail}");
    }
}

async fn loop_bodies_are_validated(app: App) {
    let inner = definition(vec![input(), static_node("s", json!({}))], vec![link("s", "gone")]);
    let loop_node = node("loop", "ForLoopNode", json!({"num_iterations": 1, "subworkflow": inner}));
    let diagnostics = problems(app.post("/wf/").json(&after_input("w", loop_node)).await);
    let expected = "/definition/nodes/1/config/subworkflow/links/0/target_id";
    assert!(
        diagnostics.iter().any(|row| row.0 == expected && row.1 == "link_target_unknown"),
        "{diagnostics:?}"
    );

    let children = vec![
        input(),
        node("loop", "ForLoopNode", json!({"num_iterations": 1})),
        with_parent(node("i1", "InputNode", json!({})), "loop"),
        with_parent(node("i2", "InputNode", json!({})), "loop"),
    ];
    let diagnostics =
        problems(app.post("/wf/").json(&workflow("w", children, vec![link("input_node", "loop")])).await);
    assert!(diagnostics.contains(&problem("/nodes/3", "input_node_duplicate", "i2")), "{diagnostics:?}");
}

async fn router_without_routes_reports_that_a_route_is_missing(app: App) {
    let nodes = vec![input(), router(&[]), static_node("a", json!({}))];
    let body = workflow("w", nodes, vec![link("input_node", "r"), link("r", "a")]);
    let problem = app.post("/wf/").json(&body).await.problem(422);
    let detail = problem["errors"][0]["detail"].as_str().expect("a detail");
    assert!(detail.ends_with("Add a route to the router."), "{detail}");
}

async fn invalid_definition_is_not_saved(app: App) {
    let bad = workflow("bad", vec![input(), node("a", "NoSuchThing", json!({}))], vec![]);
    app.post("/wf/").json(&bad).await.problem(422);
    assert_eq!(app.get("/wf/").await.ok(), json!([]));
    let created = app.post("/wf/").json(&plain("good")).await.ok();
    let path = format!("/wf/{}/", created["id"].as_str().expect("an id"));
    app.put(&path).json(&bad).await.problem(422);
    assert_eq!(app.get(&path).await.ok(), created);
    let versions = app.get(&format!("{path}versions/")).await.ok();
    assert_eq!(versions.as_array().map(Vec::len), Some(1));
}

async fn unfinished_definitions_are_saved(app: App) {
    let bodies = [
        workflow("no links yet", vec![input(), static_node("a", json!({})), output(json!({}))], vec![]),
        workflow("no output", vec![input(), static_node("a", json!({}))], vec![link("input_node", "a")]),
        workflow(
            "a is not reachable",
            vec![input(), static_node("a", json!({})), static_node("b", json!({}))],
            chain(&["a", "b"]),
        ),
        workflow("empty router", vec![input(), router(&[])], vec![link("input_node", "r")]),
        after_input(
            "not supported yet",
            node("n", "SlackNotifyNode", json!({"channel": "c", "mode": "bot", "message": "m"})),
        ),
    ];
    for body in bodies {
        let created = app.post("/wf/").json(&body).await.ok();
        assert_eq!(
            created["definition"]["nodes"],
            with_optional_members(&body["definition"])["nodes"],
            "{}",
            body["name"]
        );
    }
}

async fn rejects_text_with_nul(app: App) {
    let nul = workflow("nul\u{0}", vec![input()], vec![]);
    let response = app.post("/wf/").json(&nul).await;
    assert!([400, 422].contains(&response.status), "{}", response.text);
    let mut nul = plain("w");
    nul["definition"]["nodes"][1]["config"]["values"]["k"] = json!("a\u{0}b");
    let response = app.post("/wf/").json(&nul).await;
    assert!([400, 422].contains(&response.status), "{}", response.text);

    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for hostile in [
        format!(r#"{{"name": "deep", "extra": {deep}}}"#),
        r#"{"name": "big", "extra": 1e400}"#.to_owned(),
        r#"{"name": "lone \ud800"}"#.to_owned(),
        r#"{"name": "one", "name": "two"}"#.to_owned(),
    ] {
        let response = app.post("/wf/").body("application/json", hostile.clone()).await;
        assert!([400, 422].contains(&response.status), "{:.60}: {}", hostile, response.text);
        let status = response.status;
        response.problem(status);
    }
    assert_eq!(app.get("/wf/").await.ok(), json!([]));
}

async fn names_and_descriptions_are_limited(app: App) {
    let body = |name: usize, description: usize| json!({"name": "n".repeat(name), "description": "ü".repeat(description)});
    app.post("/wf/").json(&body(255, 65_536)).await.ok();
    assert_eq!(app.post("/wf/").json(&body(256, 65_537)).await.pointers(), ["/name", "/description"]);
}

/// Returns whether `POST /wf/validate/` reports `body` as valid, and its diagnostics: (code, severity, pointer).
async fn validate(app: &App, body: &Value) -> (bool, Vec<(String, String, String)>) {
    let response = app.post("/wf/validate/").json(body).await.ok();
    let text = |v: &Value| v.as_str().expect("a text").to_owned();
    let rows = response["diagnostics"].as_array().expect("diagnostics").iter();
    let rows: Vec<_> = rows.map(|d| (text(&d["code"]), text(&d["severity"]), text(&d["pointer"]))).collect();
    (response["valid"].as_bool().expect("valid"), rows)
}

fn row(code: &str, severity: &str, pointer: &str) -> (String, String, String) {
    (code.to_owned(), severity.to_owned(), pointer.to_owned())
}

async fn validation_reports_everything_and_saves_nothing(app: App) {
    assert!(validate(&app, &plain("good")).await.0);
    // Codes and pointers equal those of a save, also for a bare definition.
    for (body, (pointer, code, _)) in cases() {
        let (valid, diagnostics) = validate(&app, &body).await;
        assert!(!valid && diagnostics.contains(&row(&code, "error", &pointer)), "{diagnostics:?}");
        let (valid, diagnostics) = validate(&app, &body["definition"]).await;
        let pointer = pointer.trim_start_matches("/definition");
        assert!(!valid && diagnostics.contains(&row(&code, "error", pointer)), "{diagnostics:?}");
    }
    let leaf = workflow(
        "w",
        vec![input(), static_node("a", json!({"letter": 1})), output(json!({"x": "a.leter"}))],
        vec![link("input_node", "a"), link("a", "output_node")],
    );
    let response = app.post("/wf/validate/").json(&leaf).await.ok();
    assert_eq!(response["valid"], true);
    let diagnostics = response["diagnostics"].as_array().expect("diagnostics");
    let field = diagnostics.iter().find(|d| d["code"] == "reference_field_unknown").expect("a warning");
    assert_eq!(field["pointer"], "/definition/nodes/2/config/output_map/x");
    assert_json!(field, {"severity": "warning", "node_id": "output_node"});
    assert!(field["help"].as_str().is_some_and(|help| help.contains("\"letter\"")), "{field}");
    assert_eq!(field["related"][0]["pointer"], "/definition/nodes/1");
    // Definitions with warnings are saved.
    assert_eq!(app.get("/wf/").await.ok(), json!([]));
    app.post("/wf/").json(&leaf).await.ok();
    let dangling = workflow("w", vec![input()], vec![link("input_node", "gone")]);
    let response = app.post("/wf/validate/").json(&dangling).await.ok();
    assert_eq!(response["diagnostics"][0]["link_index"], 0);
}

/// Returns create requests with combinations of valid and invalid members.
fn requests() -> Vec<Value> {
    let tags = |count: usize| Value::from((0..count).map(|i| format!("t{i}")).collect::<Vec<_>>());
    let long = |count: usize| json!("ü".repeat(count));
    let broken = definition(vec![input(), static_node("a", json!({}))], vec![link("a", "gone")]);
    let members: [(&str, Vec<Value>); 4] = [
        (
            "name",
            vec![
                json!("valid"),
                json!(""),
                json!("  "),
                json!("\n"),
                json!("a\u{7}b"),
                json!(null),
                json!(7),
                long(255),
                long(256),
            ],
        ),
        (
            "description",
            vec![json!(null), json!(""), json!("a\nb"), json!(["text"]), long(65_536), long(65_537)],
        ),
        (
            "tags",
            vec![
                json!(null),
                tags(50),
                tags(51),
                json!(["a", "a"]),
                json!([""]),
                json!(["a\tb"]),
                json!([3]),
                json!("a"),
                json!([long(64)]),
                json!([long(65)]),
            ],
        ),
        (
            "definition",
            vec![
                json!(null),
                json!({"nodes": [], "links": []}),
                json!({"nodes": []}),
                json!([[], []]),
                json!("text"),
                plain("")["definition"].clone(),
                broken,
                json!({"nodes": [{"id": "in", "node_type": "InputNode"}], "links": [], "spur_type": "chatbot"}),
                json!({"nodes": [{"id": "in", "node_type": "InputNode"}], "links": [], "spur_type": "x"}),
            ],
        ),
    ];
    let mut all = vec![json!({"definition": plain("")["definition"]})];
    for (member, values) in &members {
        for value in values {
            let mut body = json!({"name": "valid", "definition": plain("")["definition"]});
            body[member] = value.clone();
            all.push(body.clone());
            // Adds another invalid member, and an unknown one.
            for (other, _) in members.iter().filter(|(other, _)| other != member) {
                let mut body = body.clone();
                body[other] = json!(3);
                body["more"] = json!([value]);
                all.push(body);
            }
        }
    }
    all
}

async fn only_valid_definitions_can_be_saved(app: App) {
    for body in requests() {
        let (valid, diagnostics) = validate(&app, &body).await;
        let saved = app.post("/wf/").json(&body).await;
        let context = format!("{:.300}: {diagnostics:?}, {:.300}", body.to_string(), saved.text);
        assert_eq!(valid, saved.status == 200, "{context}");
        if valid {
            continue;
        }
        // Both have the same pointers. Outside of the definition, the codes of a save are more specific.
        let mut reported: Vec<String> =
            diagnostics.iter().filter(|d| d.1 == "error").map(|d| d.2.clone()).collect();
        let problem = saved.problem(422);
        let rejected = problem["errors"].as_array().expect("errors");
        for error in rejected {
            let (pointer, code) = (error["pointer"].as_str().expect("a pointer"), &error["code"]);
            assert!(reported.iter().any(|reported| reported == pointer), "{pointer}: {context}");
            if problem["type"].as_str().is_some_and(|kind| kind.ends_with("definition")) {
                assert!(diagnostics.iter().any(|d| d.2 == pointer && d.0 == *code), "{code}: {context}");
            }
        }
        reported.dedup();
        assert!(reported.len() >= rejected.len(), "{context}");
    }
}

async fn validation_accepts_any_json(app: App) {
    for (body, pointers) in [
        (json!([]), vec![""]),
        (json!("text"), vec![""]),
        (json!({}), vec!["/nodes", "/links"]),
        (json!([[], []]), vec![""]),
        (json!({"definition": 3}), vec!["/definition", "/name"]),
        (json!({"definition": null}), vec!["/name"]),
        (json!({"name": null}), vec!["/name"]),
        (json!({"nodes": [{"id": 1}], "links": []}), vec!["/nodes/0/id", "/nodes/0/node_type"]),
        (json!({"name": 3, "definition": {"nodes": {}, "links": []}}), vec!["/name", "/definition/nodes"]),
    ] {
        let (valid, diagnostics) = validate(&app, &body).await;
        assert!(!valid, "{body}");
        assert!(diagnostics.iter().all(|(code, severity, _)| code == "shape_invalid" && severity == "error"));
        let mut actual: Vec<&str> = diagnostics.iter().map(|(.., pointer)| pointer.as_str()).collect();
        let mut pointers = pointers;
        actual.sort_unstable();
        pointers.sort_unstable();
        assert_eq!(actual, pointers, "{body}");
    }
    let duplicate_key = r#"{"nodes": [], "nodes": [], "links": []}"#.to_owned();
    let response = app.post("/wf/validate/").body("application/json", duplicate_key).await.ok();
    assert_eq!(response["diagnostics"][0]["code"], "json_rejected");
    assert_eq!(validate(&app, &json!({"name": "n", "definition": null})).await, (true, vec![]));
}

async fn validation_reports_invalid_json_and_rejects_large_bodies(app: App) {
    let post = async |body: String| app.post("/wf/validate/").body("application/json", body).await;
    let deep = "[".repeat(1 << 20);
    for (broken, code) in [
        ("", "json_syntax"),
        ("{", "json_syntax"),
        ("nope", "json_syntax"),
        ("{} {}", "json_syntax"),
        ("[\"\\ud800\"]", "json_syntax"),
        ("\u{feff}{}", "json_syntax"),
        (&deep, "json_too_deep"),
    ] {
        let report = post(broken.to_owned()).await.ok();
        assert_eq!(report["valid"], false, "{report}");
        assert_eq!(report["diagnostics"][0]["code"], json!(code), "{report}");
    }
    post("[".repeat(10 << 20)).await.problem(413);
    app.post("/wf/validate/").body("text/plain", "{}".to_owned()).await.problem(415);
}

/// Python and templates cannot read a field whose name is a keyword.
async fn title_that_is_a_keyword_is_reported(app: App) {
    for (title, is_valid) in
        [("class", false), ("None", false), ("true", false), ("klass", true), ("Class", true)]
    {
        let mut node = static_node("f", json!({"out": 1}));
        node["title"] = json!(title);
        let body = workflow("w", vec![input(), node], chain(&["input_node", "f"]));
        let (valid, diagnostics) = validate(&app, &body).await;
        let reported = diagnostics.iter().any(|(code, _, _)| code == "title_unnameable");
        assert!(valid, "{title}: {diagnostics:?}");
        assert_eq!(reported, !is_valid, "{title}: {diagnostics:?}");
    }
}
