use serde_json::{Value, json};
use sluice_domain::validation::Catalog;
use sluice_nodes::NodeKinds;

use super::node;

fn problems(node_type: &str, config: &Value) -> Vec<(String, String)> {
    let found = NodeKinds::default().config_problems(&node(node_type, config));
    found.into_iter().map(|problem| (problem.pointer, problem.message)).collect()
}

#[test]
fn each_problem_has_a_pointer_and_a_message() {
    let route = |condition: Value| json!({"route_map": {"a/b": {"conditions": [{}, condition]}}});
    let cases = [
        (
            "InputNode",
            json!({"enforce_schema": "yes"}),
            "/enforce_schema",
            "\"enforce_schema\" must be true or false, got \"yes\".",
        ),
        (
            "InputNode",
            json!({"output_schema": []}),
            "/output_schema",
            "\"output_schema\" must be an object, got a list.",
        ),
        (
            "InputNode",
            json!({"output_json_schema": 3}),
            "/output_json_schema",
            "\"output_json_schema\" must be a string or an object, got 3.",
        ),
        (
            "MergeNode",
            json!({"has_fixed_output": 1}),
            "/has_fixed_output",
            "\"has_fixed_output\" must be true or false, got 1.",
        ),
        ("OutputNode", json!({"output_map": {"a": 1}}), "/output_map/a", "\"a\" must be a string, got 1."),
        ("StaticValueNode", json!({"values": "x"}), "/values", "\"values\" must be an object, got \"x\"."),
        (
            "CoalesceNode",
            json!({"preferences": ["a", 1]}),
            "/preferences/1",
            "Item 1 of \"preferences\" must be a string, got 1.",
        ),
        (
            "HumanInterventionNode",
            json!({"message": {}}),
            "/message",
            "\"message\" must be a string, got an object.",
        ),
        ("PythonFuncNode", json!({"code": ["a"]}), "/code", "\"code\" must be a string, got a list."),
        (
            "ForLoopNode",
            json!({"num_iterations": "3"}),
            "/num_iterations",
            "\"num_iterations\" must be a whole number, got \"3\".",
        ),
        (
            "ForLoopNode",
            json!({"num_iterations": 2.5}),
            "/num_iterations",
            "\"num_iterations\" must be a whole number, got 2.5.",
        ),
        (
            "ForLoopNode",
            json!({"num_iterations": -1}),
            "/num_iterations",
            "\"num_iterations\" must be at least 0, got -1.",
        ),
        (
            "ForLoopNode",
            json!({"num_iterations": 1001}),
            "/num_iterations",
            "\"num_iterations\" must be at most 1000, got 1001.",
        ),
        (
            "ForLoopNode",
            json!({"num_iterations": 1e300}),
            "/num_iterations",
            "\"num_iterations\" must be at most 1000, got 1e+300.",
        ),
        (
            "ForLoopNode",
            json!({"input_map": {"a": {}}}),
            "/input_map/a",
            "\"a\" must be a string, got an object.",
        ),
        (
            "ForLoopNode",
            json!({"subworkflow": []}),
            "/subworkflow",
            "\"subworkflow\" must be an object, got a list.",
        ),
        (
            "ForLoopNode",
            json!({"subworkflow": {"nodes": []}}),
            "/subworkflow",
            "\"subworkflow\" must have the field \"links\".",
        ),
        (
            "RouterNode",
            json!({"route_map": []}),
            "/route_map",
            "\"route_map\" must be an object, got a list.",
        ),
        (
            "RouterNode",
            json!({"route_map": {"a": null}}),
            "/route_map/a",
            "\"a\" must be an object, got null.",
        ),
        (
            "RouterNode",
            json!({"route_map": {"a": {"conditions": {}}}}),
            "/route_map/a/conditions",
            "\"conditions\" must be a list, got an object.",
        ),
        (
            "RouterNode",
            route(json!({"variable": 3})),
            "/route_map/a~1b/conditions/1/variable",
            "\"variable\" must be a string, got 3.",
        ),
        (
            "RouterNode",
            route(json!({"logicalOperator": "XOR"})),
            "/route_map/a~1b/conditions/1/logicalOperator",
            "\"logicalOperator\" must be one of \"AND\", \"OR\", \"and\", \"or\", got \"XOR\". Did you mean \"OR\"?",
        ),
        (
            "RouterNode",
            route(json!({"operator": "contians"})),
            "/route_map/a~1b/conditions/1/operator",
            "\"operator\" must be one of \"contains\", \"equals\", \"number_equals\", \"greater_than\", \
             \"less_than\", \"starts_with\", \"not_starts_with\", \"is_empty\", \"is_not_empty\", got \"contians\". Did you mean \"contains\"?",
        ),
    ];
    for (node_type, config, pointer, message) in cases {
        assert_eq!(
            problems(node_type, &config),
            [(pointer.to_owned(), message.to_owned())],
            "{node_type} {config}"
        );
    }
}

#[test]
fn reports_all_problems_at_once() {
    let pointers = |node_type: &str, config: &Value| {
        let mut pointers: Vec<String> = problems(node_type, config).into_iter().map(|p| p.0).collect();
        pointers.sort();
        pointers
    };
    let config = json!({"num_iterations": -1, "input_map": {"a": 1, "b": 2}, "has_fixed_output": "x", "subworkflow": {
        "nodes": [{"id": 1, "node_type": "A"}, {"id": "b", "node_type": "ForLoopNode", "subworkflow": {"nodes": 3, "links": []}}],
        "links": [{"source_id": "a"}], "spur_type": "zebra",
    }});
    let expected = [
        "/has_fixed_output",
        "/input_map/a",
        "/input_map/b",
        "/num_iterations",
        "/subworkflow/links/0",
        "/subworkflow/nodes/0/id",
        "/subworkflow/nodes/1/subworkflow/nodes",
        "/subworkflow/spur_type",
    ];
    assert_eq!(pointers("ForLoopNode", &config), expected);
    let config = json!({"route_map": {"a": {"conditions": [{"operator": "x"}, {"variable": 1}]}, "b": 1}});
    let expected =
        ["/route_map/a/conditions/0/operator", "/route_map/a/conditions/1/variable", "/route_map/b"];
    assert_eq!(pointers("RouterNode", &config), expected);
}

#[test]
fn absent_null_and_unknown_fields_are_valid() {
    for name in NodeKinds::default().names() {
        assert_eq!(problems(name, &json!({})), [], "{name}");
        let unknown = json!({"title": "x", "type": "object", "whatever": [1], "output_schema": null, "num_iterations": null});
        assert_eq!(problems(name, &unknown), [], "{name}");
    }
    let loose = json!({"route_map": {"a": {}, "b": {"conditions": [{"variable": null, "operator": null, "logicalOperator": null}]}}});
    assert_eq!(problems("RouterNode", &loose), []);
    let types =
        json!({"output_schema": {"a": {"type": "string"}, "b": 1}, "output_json_schema": {"type": "object"}});
    assert_eq!(problems("InputNode", &types), []);
    assert_eq!(problems("InputNode", &json!({"enforce_schema": true, "output_json_schema": "broken {"})), []);
}

#[test]
fn planned_kinds_accept_any_config() {
    let config = json!({"output_schema": 3, "llm_info": [], "has_fixed_output": "maybe"});
    for name in ["SingleLLMCallNode", "AdvancedLLMNode", "SlackNotifyNode"] {
        assert_eq!(problems(name, &config), []);
    }
}
