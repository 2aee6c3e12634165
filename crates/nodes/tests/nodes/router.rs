use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_domain::run::Behavior;
use sluice_domain::validation::Catalog;
use sluice_nodes::NodeKinds;

use super::property_tests::any_json;
use super::{behavior, compute, node};

/// Returns true if a route with these conditions is open if the output of the node "A" is `{"v": actual}`.
fn is_open(conditions: &Value, actual: &Value) -> bool {
    let config = json!({"route_map": {"r": {"conditions": conditions}}});
    let output = compute("RouterNode", &config, &[("A", "a", json!({"v": actual}))]);
    if output["r"].is_null() {
        return false;
    }
    assert_eq!(output["r"], json!({"A": {"v": actual}}));
    true
}

fn holds(actual: &Value, operator: &str, value: &Value) -> bool {
    is_open(&json!([{"variable": "A.v", "operator": operator, "value": value}]), actual)
}

#[test]
fn operators_compare_like_python() {
    let cases = [
        (json!("hi"), "contains", json!("h"), true),
        (json!("hi"), "contains", json!("H"), false),
        (json!("hi"), "contains", json!(""), true),
        (json!(["a", 1]), "contains", json!("'a', 1"), true),
        (json!(true), "contains", json!("True"), true),
        (json!(true), "contains", json!("true"), false),
        (json!("None of it"), "contains", Value::Null, true),
        (json!("bye"), "equals", json!("bye"), true),
        (json!(1), "equals", json!("1"), true),
        (json!("1"), "equals", json!(1), true),
        (json!(1.0), "equals", json!(1), false),
        (json!(1.0), "equals", json!("1.0"), true),
        (json!("1.0"), "equals", json!("1"), false),
        (json!(true), "equals", json!("True"), true),
        (json!(true), "equals", json!(true), true),
        (json!({"a": "it's"}), "equals", json!("{'a': \"it's\"}"), true),
        (json!(1e22), "equals", json!("1e+22"), true),
        (json!("1.0"), "number_equals", json!(1), true),
        (json!(" 1_000 "), "number_equals", json!("1e3"), true),
        (json!(true), "number_equals", json!("1"), true),
        (json!("nan"), "number_equals", json!("nan"), false),
        (json!("one"), "number_equals", json!("one"), false),
        (json!("10"), "greater_than", json!("9"), true),
        (json!("9"), "greater_than", json!("10"), false),
        (json!(10), "greater_than", json!("10"), false),
        (json!("inf"), "greater_than", json!("1e308"), true),
        (json!("ten"), "greater_than", json!("9"), false),
        (json!([10]), "greater_than", json!("9"), false),
        (json!("9"), "less_than", json!(10), true),
        (json!(-0.5), "less_than", json!(false), true),
        (json!("9"), "less_than", json!(""), false),
        (json!("9"), "less_than", Value::Null, false),
        (json!("hello"), "starts_with", json!("he"), true),
        (json!("hello"), "starts_with", json!("lo"), false),
        (json!(123), "starts_with", json!(12), true),
        (json!(["a"]), "starts_with", json!("['a"), true),
        (json!("hello"), "not_starts_with", json!("lo"), true),
        (json!("hello"), "not_starts_with", json!("he"), false),
        (Value::Null, "not_starts_with", json!("he"), false),
        (Value::Null, "equals", Value::Null, false),
        (Value::Null, "is_empty", json!(""), true),
        (Value::Null, "is_not_empty", json!(""), false),
    ];
    for (actual, operator, value, expected) in cases {
        assert_eq!(holds(&actual, operator, &value), expected, "{actual} {operator} {value}");
    }
    for empty in [json!(""), json!(0), json!(0.0), json!(false), json!([]), json!({})] {
        assert!(
            holds(&empty, "is_empty", &json!("")) && !holds(&empty, "is_not_empty", &json!("")),
            "{empty}"
        );
    }
    for full in [json!(" "), json!("0"), json!(-1), json!(true), json!([null]), json!({"a": null})] {
        assert!(!holds(&full, "is_empty", &json!("")) && holds(&full, "is_not_empty", &json!("")), "{full}");
    }
}

#[test]
fn only_is_empty_holds_for_missing_values() {
    for operator in [
        "contains",
        "equals",
        "number_equals",
        "greater_than",
        "less_than",
        "starts_with",
        "not_starts_with",
        "is_empty",
        "is_not_empty",
    ] {
        for variable in ["A.w", "B", "A.v.deeper"] {
            let conditions = json!([{"variable": variable, "operator": operator, "value": ""}]);
            assert_eq!(is_open(&conditions, &json!("x")), operator == "is_empty", "{operator} {variable}");
        }
        let unset = json!([{"variable": "", "operator": operator, "value": ""}]);
        assert!(!is_open(&unset, &json!("x")), "{operator} of nothing");
    }
}

#[test]
fn conditions_are_joined_from_left_to_right() {
    let condition = |holds: bool, junction: Value| json!({"variable": "A.v", "operator": "equals", "value": if holds { "x" } else { "y" }, "logicalOperator": junction});
    let (yes, no) = (|j| condition(true, j), |j| condition(false, j));
    let cases = [
        (json!([]), true),
        (json!([yes(Value::Null)]), true),
        (json!([no(json!("OR"))]), false),
        (json!([yes(Value::Null), no(Value::Null)]), false),
        (json!([yes(Value::Null), no(json!("AND"))]), false),
        (json!([yes(Value::Null), no(json!("OR"))]), true),
        (json!([no(Value::Null), yes(json!("or"))]), true),
        // (true OR true) AND false
        (json!([yes(Value::Null), yes(json!("OR")), no(json!("and"))]), false),
        // (false AND false) OR true
        (json!([no(Value::Null), no(json!("AND")), yes(json!("OR"))]), true),
    ];
    for (conditions, expected) in cases {
        assert_eq!(is_open(&conditions, &json!("x")), expected, "{conditions}");
    }
}

#[test]
fn every_route_whose_conditions_hold_is_open() {
    let contains =
        |value: &str| json!({"conditions": [{"variable": "A.v", "operator": "contains", "value": value}]});
    let config = json!({"route_map": {"z": contains("a"), "no": contains("q"), "b": contains("b"), "any": {"conditions": null}}});
    let predecessors = [("A", "a", json!({"v": "ab"})), ("B", "b", json!({"w": 1}))];
    let output = compute("RouterNode", &config, &predecessors);
    let all_inputs = json!({"A": {"v": "ab"}, "B": {"w": 1}});
    assert_eq!(output, json!({"z": all_inputs, "no": null, "b": all_inputs, "any": all_inputs}));
    let keys: Vec<&String> = output.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["z", "no", "b", "any"]);
}

#[test]
fn the_default_route_never_opens() {
    let predecessors = [("A", "a", json!({"v": 1}))];
    assert_eq!(compute("RouterNode", &json!({}), &predecessors), json!({"route1": null}));
    assert_eq!(compute("RouterNode", &json!({"route_map": {}}), &predecessors), json!({}));
}

#[test]
fn routes_are_listed_by_name() {
    let routes = |node_type: &str, config: Value| NodeKinds::default().routes(&node(node_type, &config));
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(routes("RouterNode", json!({"route_map": {"z": {}, "a": 3}})), names(&["z", "a"]));
    assert_eq!(routes("RouterNode", json!({})), names(&["route1"]));
    assert_eq!(routes("RouterNode", json!({"route_map": 3})), names(&[]));
    assert_eq!(routes("MergeNode", json!({"route_map": {"z": {}}})), None);
}

proptest! {
    #[test]
    fn evaluates_any_condition(actual in any_json(), value in any_json(), path in "[Av.0]{0,6}") {
        for operator in ["contains", "equals", "number_equals", "greater_than", "less_than", "starts_with", "not_starts_with", "is_empty", "is_not_empty"] {
            let config = json!({"route_map": {"r": {"conditions": [{"variable": path, "operator": operator, "value": value}]}}});
            let Behavior::Compute(router) = behavior("RouterNode", &config) else { panic!("invalid") };
            prop_assert!(router.compute(&super::inputs(&[("A", "a", actual.clone())])).is_ok());
        }
    }
}
