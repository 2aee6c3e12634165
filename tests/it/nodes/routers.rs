//! Router, merge and coalesce nodes.

use serde_json::{Map, Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::definitions::*;
use crate::support::json::task;

on_both_databases!(
    every_operator_compares,
    conditions_are_evaluated_left_to_right,
    route_passes_the_input_and_null_stops,
    several_routes_can_match,
    node_below_two_routes_runs_once,
    coalesce_takes_preferences_then_link_order,
    coalesce_without_a_value_is_canceled,
    merge_takes_the_available_inputs,
    null_passes_through_several_nodes,
    variables_are_named_by_titles,
);

/// Returns test cases: (value, operator, value of the condition, result).
fn cases() -> Vec<(Value, &'static str, Value, bool)> {
    let long = json!([1, "a", null, true, {"b": 1.5}]);
    let mut cases = Vec::new();
    let mut add =
        |value: Value, operator, expected: Value, holds| cases.push((value, operator, expected, holds));
    // As text, in the form of Python's `str`.
    add(json!("hello"), "contains", json!("ell"), true);
    add(json!("hello"), "contains", json!("Ell"), false);
    add(json!("hello"), "contains", json!(""), true);
    add(json!(12345), "contains", json!(234), true);
    add(json!(true), "contains", json!("Tru"), true);
    add(long.clone(), "contains", json!("[1, 'a', None, True, {'b': 1.5}]"), true);
    add(json!({"k": ["it's"]}), "contains", json!("{'k': [\"it's\"]}"), true);
    add(json!("bye"), "equals", json!("bye"), true);
    add(json!("bye"), "equals", json!("by"), false);
    add(json!(7), "equals", json!("7"), true);
    add(json!("7"), "equals", json!(7), true);
    add(json!(1.5), "equals", json!("1.5"), true);
    add(json!(true), "equals", json!("True"), true);
    add(json!(true), "equals", json!(true), true);
    add(json!(false), "equals", json!("False"), true);
    add(json!(true), "equals", json!("true"), false);
    add(long, "equals", json!("[1, 'a', None, True, {'b': 1.5}]"), true);
    add(json!("Zürich"), "starts_with", json!("Zü"), true);
    add(json!("Zürich"), "starts_with", json!("ü"), false);
    add(json!(42), "starts_with", json!(4), true);
    add(json!("Zürich"), "not_starts_with", json!("ü"), true);
    add(json!("Zürich"), "not_starts_with", json!("Z"), false);
    // As numbers, even when written as text.
    add(json!(10), "greater_than", json!("9"), true);
    add(json!("10"), "greater_than", json!("9"), true);
    add(json!("10"), "greater_than", json!(10), false);
    add(json!("-1.5e3"), "less_than", json!("-1499.5"), true);
    add(json!("9"), "less_than", json!("10"), true);
    add(json!(10), "less_than", json!(9), false);
    add(json!("1.0"), "number_equals", json!("1"), true);
    add(json!(1), "number_equals", json!(1.0), true);
    add(json!(" 7 "), "number_equals", json!(7), true);
    add(json!("0.1"), "number_equals", json!(0.2), false);
    for operator in ["greater_than", "less_than", "number_equals"] {
        add(json!("many"), operator, json!(1), false);
        add(json!(1), operator, json!("many"), false);
        add(json!([1]), operator, json!(1), false);
    }
    // Empty values are those that are false in Python.
    for empty in [json!(null), json!(""), json!([]), json!({}), json!(0), json!(0.0), json!(false)] {
        add(empty.clone(), "is_empty", json!(""), true);
        add(empty, "is_not_empty", json!(""), false);
    }
    for full in [json!("0"), json!(" "), json!([null]), json!({"k": null}), json!(-1), json!(true)] {
        add(full.clone(), "is_empty", json!(""), false);
        add(full, "is_not_empty", json!(""), true);
    }
    // A missing value is empty.
    for operator in ["contains", "equals", "starts_with", "not_starts_with", "number_equals", "less_than"] {
        add(json!(null), operator, json!(""), false);
    }
    cases
}

async fn every_operator_compares(app: App) {
    let cases = cases();
    let mut x = Map::new();
    let mut routes = Vec::new();
    let names: Vec<String> = (0..cases.len()).map(|n| format!("case {n}")).collect();
    for (n, (value, operator, expected, _)) in cases.iter().enumerate() {
        x.insert(format!("v{n}"), value.clone());
        routes.push((
            names[n].as_str(),
            vec![condition(&format!("input_node.x.v{n}"), operator, expected.clone())],
        ));
    }
    routes.push(("missing is empty", vec![condition("input_node.x.nothing.at.all", "is_empty", json!(""))]));
    routes.push(("missing is not full", vec![condition("input_node.nothing", "is_not_empty", json!(""))]));
    routes.push(("missing has no text", vec![condition("nobody.x", "contains", json!(""))]));
    routes.push(("no conditions", vec![]));

    let run = app.create_and_run(&after_input("operators", router(&routes)), &run_body(x)).await;
    let open_routes = &run["outputs"]["r"];
    let mismatches: Vec<_> = cases
        .iter()
        .zip(&names)
        .filter(|(case, name)| open_routes[name.as_str()].is_null() == case.3)
        .collect();
    assert!(mismatches.is_empty(), "{mismatches:#?}");
    assert_eq!(open_routes.as_object().expect("the routes").len(), cases.len() + 4, "one key per route");
    assert!(!open_routes["missing is empty"].is_null() && !open_routes["no conditions"].is_null());
    assert!(open_routes["missing is not full"].is_null() && open_routes["missing has no text"].is_null());
}

async fn conditions_are_evaluated_left_to_right(app: App) {
    let test = |holds: bool, operator: Option<&str>| {
        let mut tested = condition("input_node.x", "equals", json!(if holds { "hi" } else { "no" }));
        if let Some(operator) = operator {
            tested["logicalOperator"] = json!(operator);
        }
        tested
    };
    let (and, or) = (Some("AND"), Some("OR"));
    let routes = [
        ("t and f", vec![test(true, None), test(false, and)]),
        ("t and t", vec![test(true, None), test(true, and)]),
        ("t f without operator", vec![test(true, None), test(false, None)]),
        ("f or t", vec![test(false, None), test(true, or)]),
        ("f or f", vec![test(false, None), test(false, or)]),
        ("t or t and f", vec![test(true, None), test(true, or), test(false, and)]),
        ("f and t or t", vec![test(false, None), test(true, and), test(true, or)]),
        ("the first operator is ignored", vec![test(false, or), test(true, and)]),
    ];
    let run = app.create_and_run(&after_input("logic", router(&routes)), &run_body("hi")).await;
    let open_routes: Vec<&str> =
        routes.iter().map(|r| r.0).filter(|r| !run["outputs"]["r"][r].is_null()).collect();
    assert_eq!(open_routes, ["t and t", "f or t", "f and t or t"]);
}

fn yes_no(name: &str) -> Value {
    let routes = router(&[
        ("yes", vec![condition("input_node.x", "contains", json!("h"))]),
        ("no", vec![condition("input_node.x", "equals", json!("bye"))]),
    ]);
    workflow(
        name,
        vec![
            input(),
            routes,
            static_node("s_yes", json!({"k": "yes"})),
            static_node("s_no", json!({"k": "no"})),
            coalesce("c", &["s_yes", "s_no"]),
            output(json!({"out": "c.k"})),
        ],
        vec![
            link("input_node", "r"),
            route("r", "s_yes", "yes"),
            route("r", "s_no", "no"),
            link("s_yes", "c"),
            link("s_no", "c"),
            link("c", "output_node"),
        ],
    )
}

async fn route_passes_the_input_and_null_stops(app: App) {
    let id = app.create(&yes_no("routes")).await;
    let path = format!("/wf/{id}/run/");
    let outputs = app.post(&path).json(&run_body("bye")).await.ok();
    let expected = json!({
        "input_node": {"x": "bye"}, "r": {"yes": null, "no": {"input_node": {"x": "bye"}}},
        "s_no": {"k": "no"}, "c": {"k": "no"}, "output_node": {"out": "no"}
    });
    assert_eq!(outputs, expected);
    let outputs = app.post(&path).json(&run_body("zzz")).await.ok();
    assert_eq!(outputs, json!({"input_node": {"x": "zzz"}, "r": {"yes": null, "no": null}}));

    let run = app.run(&id, &run_body("hi")).await;
    assert_eq!(run["status"], "COMPLETED");
    assert_eq!(task(&run, "s_no")["status"], "CANCELED");
    assert_eq!(task(&run, "s_no")["error"], Value::Null, "a branch that is not taken does not fail");
    assert_eq!(task(&run, "s_yes")["inputs"], json!({"r": {"input_node": {"x": "hi"}}}));
}

async fn several_routes_can_match(app: App) {
    let routes = router(&[
        ("h", vec![condition("input_node.x", "contains", json!("h"))]),
        ("i", vec![condition("input_node.x", "contains", json!("i"))]),
        ("z", vec![condition("input_node.x", "contains", json!("z"))]),
    ]);
    let body = workflow(
        "many",
        vec![
            input(),
            routes,
            static_node("a", json!({"k": 1})),
            static_node("b", json!({"k": 2})),
            static_node("c", json!({"k": 3})),
        ],
        vec![link("input_node", "r"), route("r", "a", "h"), route("r", "b", "i"), route("r", "c", "z")],
    );
    let run = app.create_and_run(&body, &run_body("hi")).await;
    let statuses = ["a", "b", "c"].map(|node| task(&run, node)["status"].clone());
    assert_eq!(statuses, [json!("COMPLETED"), json!("COMPLETED"), json!("CANCELED")]);
}

async fn node_below_two_routes_runs_once(app: App) {
    let routes = router(&[
        ("left", vec![condition("input_node.x", "contains", json!("l"))]),
        ("right", vec![condition("input_node.x", "contains", json!("r"))]),
    ]);
    let body = workflow(
        "both",
        vec![input(), routes, output(json!({}))],
        vec![link("input_node", "r"), route("r", "output_node", "left"), route("r", "output_node", "right")],
    );
    let id = app.create(&body).await;
    for (x, status) in [("lr", "COMPLETED"), ("zz", "CANCELED")] {
        let run = app.run(&id, &run_body(x)).await;
        assert_eq!(task(&run, "output_node")["status"], status, "{x}: {run:#}");
    }
}

async fn coalesce_takes_preferences_then_link_order(app: App) {
    for (n, (preferences, expected)) in
        [(&["b", "a"][..], "b"), (&["nobody", "c"][..], "c"), (&[][..], "a")].into_iter().enumerate()
    {
        let body = workflow(
            &format!("coalesce {n}"),
            vec![
                input(),
                static_node("c", json!({"k": "c"})),
                static_node("b", json!({"k": "b"})),
                static_node("a", json!({"k": "a"})),
                coalesce("first", preferences),
            ],
            vec![
                link("input_node", "a"),
                link("input_node", "b"),
                link("input_node", "c"),
                link("a", "first"),
                link("b", "first"),
                link("c", "first"),
            ],
        );
        let run = app.create_and_run(&body, &run_body("hi")).await;
        assert_eq!(run["outputs"]["first"], json!({"k": expected}), "{preferences:?}");
    }
}

async fn coalesce_without_a_value_is_canceled(app: App) {
    let run = app.create_and_run(&yes_no("routes"), &run_body("zzz")).await;
    assert_eq!(run["status"], "COMPLETED");
    for node in ["s_yes", "s_no", "c", "output_node"] {
        assert_eq!(task(&run, node)["status"], "CANCELED", "{node}");
    }
}

async fn merge_takes_the_available_inputs(app: App) {
    let body = workflow(
        "merge",
        vec![
            input(),
            with_title(static_node("a", json!({"k": 1})), "Left"),
            static_node("b", json!({"k": 2})),
            merge("m"),
        ],
        vec![link("input_node", "a"), link("input_node", "b"), link("a", "m"), link("b", "m")],
    );
    let run = app.create_and_run(&body, &run_body("hi")).await;
    assert_eq!(run["outputs"]["m"], json!({"Left": {"k": 1}, "b": {"k": 2}}));

    let mut yes_no_workflow = yes_no("half");
    yes_no_workflow["definition"]["nodes"][4] = merge("c");
    let run = app.create_and_run(&yes_no_workflow, &run_body("hi")).await;
    assert_eq!(task(&run, "c")["status"], "CANCELED", "an input of the merge is null: {run:#}");
}

async fn null_passes_through_several_nodes(app: App) {
    let never = router(&[("never", vec![condition("input_node.x", "equals", json!("never"))])]);
    let body = workflow(
        "null",
        vec![
            input(),
            never,
            static_node("a", json!({"k": 1})),
            merge("b"),
            static_node("other", json!({"k": "other"})),
            coalesce("c", &["b"]),
            output(json!({"out": "c.k"})),
        ],
        vec![
            link("input_node", "r"),
            route("r", "a", "never"),
            link("a", "b"),
            link("b", "c"),
            link("input_node", "other"),
            link("other", "c"),
            link("c", "output_node"),
        ],
    );
    let run = app.create_and_run(&body, &run_body("hi")).await;
    assert_eq!(run["status"], "COMPLETED");
    assert_eq!(run["outputs"]["output_node"], json!({"out": "other"}));
    for node in ["a", "b"] {
        assert_eq!(task(&run, node)["status"], "CANCELED", "{node}");
    }
}

async fn variables_are_named_by_titles(app: App) {
    let routes = router(&[("yes", vec![condition("Question.x", "equals", json!("hi"))])]);
    let body = workflow(
        "titles",
        vec![
            with_title(input(), "Question"),
            with_title(routes, "Fork"),
            with_title(static_node("a", json!({"k": "taken"})), "Branch A"),
            with_title(static_node("b", json!({"k": "spare"})), "Branch B"),
            with_title(coalesce("c", &["Branch B"]), "Join"),
            with_title(output(json!({"out": "Join.k", "x": "Fork.Question.x"})), "End"),
        ],
        vec![
            link("input_node", "r"),
            route("r", "a", "yes"),
            link("input_node", "b"),
            link("a", "c"),
            link("b", "c"),
            link("c", "output_node"),
            route("r", "output_node", "yes"),
        ],
    );
    let run = app.create_and_run(&body, &run_body("hi")).await;
    assert_eq!(run["outputs"]["End"], json!({"out": "spare", "x": "hi"}), "{run:#}");
}
