use serde_json::{Value, json};
use sluice_domain::run::{Behavior, Behaviors, LoopSpec, NodeBehavior};
use sluice_domain::validation::Catalog;
use sluice_nodes::NodeKinds;

use super::{behavior, compute, invalid_reason, node};

#[test]
fn output_node_reads_dotted_paths() {
    let predecessors = [("A", "a", json!({"x": {"y": [1, {"z": "deep"}]}})), ("B", "b", json!({"k": 2}))];
    let cases = [
        (json!({"output_map": {"out": "B.k", "deep": "A.x.y.1.z"}}), json!({"out": 2, "deep": "deep"})),
        (json!({"output_map": {"all": "A.x"}}), json!({"all": {"y": [1, {"z": "deep"}]}})),
        (json!({"output_map": {"lost": "A.nothing.here", "k": "B.k"}}), json!({"lost": null, "k": 2})),
        (json!({"output_map": {}}), json!({"A": {"x": {"y": [1, {"z": "deep"}]}}, "B": {"k": 2}})),
        (
            json!({"output_map": null, "custom": 1}),
            json!({"A": {"x": {"y": [1, {"z": "deep"}]}}, "B": {"k": 2}}),
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(compute("OutputNode", &config, &predecessors), expected, "{config}");
    }
}

#[test]
fn output_node_keeps_the_order_of_its_map() {
    let config = json!({"output_map": {"z": "A", "a": "A", "m": "A"}});
    let output = compute("OutputNode", &config, &[("A", "a", json!(1))]);
    let keys: Vec<&String> = output.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["z", "a", "m"]);
}

#[test]
fn static_value_ignores_inputs() {
    let predecessors = [("A", "a", json!({"x": 1}))];
    assert_eq!(
        compute("StaticValueNode", &json!({"values": {"k": [1, null]}}), &predecessors),
        json!({"k": [1, null]})
    );
    assert_eq!(compute("StaticValueNode", &json!({}), &predecessors), json!({}));
}

#[test]
fn merge_returns_all_inputs_by_label() {
    let predecessors = [("A", "a", json!({"x": 1})), ("B", "b", json!({"y": 2}))];
    assert_eq!(compute("MergeNode", &json!({}), &predecessors), json!({"A": {"x": 1}, "B": {"y": 2}}));
    assert_eq!(compute("MergeNode", &json!({}), &[]), json!({}));
}

#[test]
fn coalesce_follows_preferences_then_links() {
    // The title of one node is the id of another. Titles take precedence.
    let predecessors =
        [("A", "a", json!({"v": 1})), ("B", "b", json!({"v": 2})), ("a", "c", json!({"v": 3}))];
    let cases: [(&[&str], i64); 8] = [
        (&[], 1),
        (&["B"], 2),
        (&["b"], 2),
        (&["a"], 3),
        (&["unknown", "c"], 3),
        (&["unknown"], 1),
        // `id|title`, as written by PySpur's editor: the id takes precedence, so that the title may have changed.
        (&["unknown|B", "b|B"], 2),
        (&["c|old title"], 3),
    ];
    for (preferences, expected) in cases {
        let output = compute("CoalesceNode", &json!({"preferences": preferences}), &predecessors);
        assert_eq!(output, json!({"v": expected}), "{preferences:?}");
    }
    assert!(matches!(behavior("CoalesceNode", &json!({})), Behavior::ComputeAny(_)));
    assert_eq!(compute("CoalesceNode", &json!({}), &[]), Value::Null);
}

#[test]
fn gate_has_its_message_and_scope() {
    let cases = [
        (json!({}), "Human intervention required", true),
        (json!({"message": null, "block_only_dependent_nodes": null}), "Human intervention required", true),
        (json!({"message": "please look", "block_only_dependent_nodes": false}), "please look", false),
    ];
    for (config, message, dependents_only) in cases {
        let Behavior::Gate(policy) = behavior("HumanInterventionNode", &config) else { panic!("not a gate") };
        assert_eq!((policy.message.as_str(), policy.block_only_dependent_nodes), (message, dependents_only));
    }
}

fn loop_spec(config: &Value) -> LoopSpec {
    match NodeKinds::default().behavior(&node("ForLoopNode", config)) {
        NodeBehavior::Loop(spec) => spec,
        NodeBehavior::Complete(other) => panic!("not a loop: {other:?}"),
    }
}

#[test]
fn loop_has_its_iterations_and_input_map() {
    for empty in [
        json!({}),
        json!({"num_iterations": null, "input_map": null, "subworkflow": null}),
        json!({"subworkflow": {}}),
    ] {
        let spec = loop_spec(&empty);
        assert_eq!((spec.iterations, spec.input_map.len(), spec.body), (1, 0, None), "{empty}");
    }
    let spec = loop_spec(&json!({"num_iterations": 3.0, "input_map": {"b": "A.x", "a": "B"}}));
    assert_eq!(spec.iterations, 3);
    assert_eq!(spec.input_map, [("b".to_owned(), "A.x".to_owned()), ("a".to_owned(), "B".to_owned())]);
    assert_eq!(loop_spec(&json!({"num_iterations": 0})).iterations, 0);
    assert_eq!(loop_spec(&json!({"num_iterations": 1000})).iterations, 1_000);
}

#[test]
fn the_body_of_a_loop_is_normalized() {
    let config =
        json!({"subworkflow": {"nodes": [{"id": "in", "node_type": "InputNode", "title": ""}], "links": []}});
    let body = loop_spec(&config).body.unwrap();
    assert_eq!(body.nodes[0].title, "in");
    assert_eq!(NodeKinds::default().body(&node("ForLoopNode", &config)), Some(body));
    assert_eq!(
        NodeKinds::default().body(&node("ForLoopNode", &json!({"subworkflow": {"nodes": [], "links": []}}))),
        None
    );
    assert_eq!(NodeKinds::default().body(&node("ForLoopNode", &json!({"subworkflow": 3}))), None);
    assert_eq!(NodeKinds::default().body(&node("MergeNode", &config)), None);
}

#[test]
fn planned_and_unknown_kinds_fail_with_a_reason() {
    for known in ["SingleLLMCallNode", "FirecrawlScrapeNode", "MCTSNode", "SendEmailNode", "ExaSearchNode"] {
        let expected = format!("This version of Sluice can't run nodes of type \"{known}\" yet.");
        assert_eq!(invalid_reason(known, &json!({"anything": [1]})), expected);
    }
    assert_eq!(invalid_reason("NoSuchNode", &json!({})), "There is no node type \"NoSuchNode\".");
}

#[test]
fn an_invalid_config_fails_its_node_with_the_problems() {
    let reason = invalid_reason("OutputNode", &json!({"output_map": ["a"]}));
    assert!(reason.starts_with("The config of the node is invalid: \"output_map\""), "{reason}");
    assert!(invalid_reason("ForLoopNode", &json!({"num_iterations": -1})).contains("num_iterations"));
    assert!(
        invalid_reason("ForLoopNode", &json!({"subworkflow": {"nodes": 1}})).contains("/subworkflow/nodes")
    );
}
