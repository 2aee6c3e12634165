use serde_json::{Value, json};
use sluice_domain::validation::Catalog;
use sluice_nodes::Builtin;

use super::node;

fn problems(node_type: &str, config: &Value) -> Vec<(String, String)> {
    let found = Builtin::default().config_problems(&node(node_type, config));
    found.into_iter().map(|problem| (problem.pointer, problem.message)).collect()
}

#[test]
fn each_problem_has_its_place_and_says_what_to_change() {
    let route = |condition: Value| json!({"route_map": {"a/b": {"conditions": [{}, condition]}}});
    let cases = [
        (
            "InputNode",
            json!({"enforce_schema": "yes"}),
            "/enforce_schema",
            "\"enforce_schema\" is a text, but has to be true or false.",
        ),
        (
            "InputNode",
            json!({"output_schema": []}),
            "/output_schema",
            "\"output_schema\" is a list, but has to be an object.",
        ),
        (
            "InputNode",
            json!({"output_json_schema": 3}),
            "/output_json_schema",
            "\"output_json_schema\" is a whole number, but has to be a text or an object.",
        ),
        (
            "MergeNode",
            json!({"has_fixed_output": 1}),
            "/has_fixed_output",
            "\"has_fixed_output\" is a whole number, but has to be true or false.",
        ),
        (
            "OutputNode",
            json!({"output_map": {"a": 1}}),
            "/output_map/a",
            "\"a\" is a whole number, but has to be a text.",
        ),
        (
            "StaticValueNode",
            json!({"values": "x"}),
            "/values",
            "\"values\" is a text, but has to be an object.",
        ),
        (
            "CoalesceNode",
            json!({"preferences": ["a", 1]}),
            "/preferences/1",
            "Item 1 of \"preferences\" is a whole number, but has to be a text.",
        ),
        (
            "HumanInterventionNode",
            json!({"message": {}}),
            "/message",
            "\"message\" is an object, but has to be a text.",
        ),
        ("PythonFuncNode", json!({"code": ["a"]}), "/code", "\"code\" is a list, but has to be a text."),
        (
            "ForLoopNode",
            json!({"num_iterations": "3"}),
            "/num_iterations",
            "\"num_iterations\" is a text, but has to be a whole number.",
        ),
        (
            "ForLoopNode",
            json!({"num_iterations": 2.5}),
            "/num_iterations",
            "\"num_iterations\" is a number with a fraction, but has to be a whole number.",
        ),
        (
            "ForLoopNode",
            json!({"num_iterations": -1}),
            "/num_iterations",
            "\"num_iterations\" is -1, but has to be at least 0.",
        ),
        (
            "ForLoopNode",
            json!({"num_iterations": 1001}),
            "/num_iterations",
            "\"num_iterations\" is 1001, but may be at most 1000.",
        ),
        (
            "ForLoopNode",
            json!({"num_iterations": 1e300}),
            "/num_iterations",
            "\"num_iterations\" is 1e+300, but may be at most 1000.",
        ),
        (
            "ForLoopNode",
            json!({"input_map": {"a": {}}}),
            "/input_map/a",
            "\"a\" is an object, but has to be a text.",
        ),
        (
            "ForLoopNode",
            json!({"subworkflow": []}),
            "/subworkflow",
            "\"subworkflow\" is a list, but has to be an object.",
        ),
        (
            "ForLoopNode",
            json!({"subworkflow": {"nodes": []}}),
            "/subworkflow",
            "\"subworkflow\" lacks \"links\": add it.",
        ),
        (
            "RouterNode",
            json!({"route_map": []}),
            "/route_map",
            "\"route_map\" is a list, but has to be an object.",
        ),
        (
            "RouterNode",
            json!({"route_map": {"a": null}}),
            "/route_map/a",
            "\"a\" is null, but has to be an object.",
        ),
        (
            "RouterNode",
            json!({"route_map": {"a": {"conditions": {}}}}),
            "/route_map/a/conditions",
            "\"conditions\" is an object, but has to be a list.",
        ),
        (
            "RouterNode",
            route(json!({"variable": 3})),
            "/route_map/a~1b/conditions/1/variable",
            "\"variable\" is a whole number, but has to be a text.",
        ),
        (
            "RouterNode",
            route(json!({"logicalOperator": "XOR"})),
            "/route_map/a~1b/conditions/1/logicalOperator",
            "\"logicalOperator\" is \"XOR\", but has to be one of \"AND\", \"OR\", \"and\", \"or\"; did you mean \"OR\"?",
        ),
        (
            "RouterNode",
            route(json!({"operator": "contians"})),
            "/route_map/a~1b/conditions/1/operator",
            "\"operator\" is \"contians\", but has to be one of \"contains\", \"equals\", \"number_equals\", \"greater_than\", \
             \"less_than\", \"starts_with\", \"not_starts_with\", \"is_empty\", \"is_not_empty\"; did you mean \"contains\"?",
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
fn all_problems_are_found_at_once() {
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
fn what_is_missing_null_or_unknown_is_no_problem() {
    for name in Builtin::default().names() {
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
fn what_cannot_run_takes_any_config() {
    let config = json!({"output_schema": 3, "llm_info": [], "has_fixed_output": "maybe"});
    for name in ["SingleLLMCallNode", "AdvancedLLMNode", "SlackNotifyNode"] {
        assert_eq!(problems(name, &config), []);
    }
}
