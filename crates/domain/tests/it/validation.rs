use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_domain::Definition;
use sluice_domain::graph::MAX_NODE_NAME_LENGTH;
use sluice_domain::transfer::diagnose_json;
use sluice_domain::validation::{Code, MAX_DIAGNOSTICS, Severity, diagnose, validate};

use crate::kinds::TestKinds;

fn error_locations(definition: Value) -> Vec<(Code, String, Option<String>)> {
    let definition: Definition = serde_json::from_value(definition).unwrap();
    validate(&definition, &TestKinds).into_iter().map(|d| (d.code, d.pointer, d.node_id)).collect()
}

fn input() -> Value {
    json!({"id": "in", "node_type": "InputNode"})
}

/// Returns a definition for each code, with the pointer to the error.
fn cases() -> Vec<(Code, &'static str, Value)> {
    let node = |id: &str, kind: &str| json!({"id": id, "node_type": kind});
    let link = |a: &str, b: &str| json!({"source_id": a, "target_id": b});
    let graph = |nodes: Vec<Value>, links: Vec<Value>| json!({"nodes": nodes, "links": links});
    let child = |id: &str, parent: &str| json!({"id": id, "node_type": "Echo", "parent_id": parent});
    let mut nested: Vec<Value> = (0..20).map(|i| child(&format!("c{i}"), &format!("c{}", i + 1))).collect();
    nested.extend([node("c20", "Echo"), input()]);
    let router = |handle: Option<&str>| {
        let link = json!({"source_id": "r", "target_id": "x", "source_handle": handle});
        graph(vec![input(), node("r", "RouterNode"), node("x", "Echo")], vec![link])
    };
    let bot = |nodes: Vec<Value>| json!({"nodes": nodes, "links": [], "spur_type": "chatbot"});
    let schema = "{\"properties\": {\"user_message\": {\"type\": \"string\"}, \"session_id\": {\"type\": \"string\"}}}";
    let bot_input = json!({"id": "in", "node_type": "InputNode", "config": {"output_json_schema": schema}});
    vec![
        (Code::NodeIdEmpty, "/nodes/1/id", graph(vec![input(), node("", "Echo")], vec![])),
        (
            Code::NodeIdDuplicate,
            "/nodes/2/id",
            graph(vec![input(), node("a", "Echo"), node("a", "Echo")], vec![]),
        ),
        (Code::InputNodeMissing, "/nodes", graph(vec![node("a", "Echo")], vec![])),
        (Code::InputNodeDuplicate, "/nodes/1", graph(vec![input(), node("b", "InputNode")], vec![])),
        (
            Code::OutputNodeDuplicate,
            "/nodes/2",
            graph(vec![input(), node("b", "OutputNode"), node("c", "OutputNode")], vec![]),
        ),
        (Code::LinkSourceUnknown, "/links/0/source_id", graph(vec![input()], vec![link("no", "in")])),
        (Code::LinkTargetUnknown, "/links/0/target_id", graph(vec![input()], vec![link("in", "no")])),
        (
            Code::Cycle,
            "/links/0",
            graph(vec![input(), node("a", "Echo"), node("b", "Echo")], vec![link("a", "b"), link("b", "a")]),
        ),
        (Code::ParentUnknown, "/nodes/1/parent_id", graph(vec![input(), child("a", "no")], vec![])),
        (
            Code::ParentCycle,
            "/nodes/1/parent_id",
            graph(vec![input(), child("a", "b"), child("b", "a")], vec![]),
        ),
        (Code::NestingTooDeep, "/nodes/0/parent_id", graph(nested, vec![])),
        (Code::NodeTypeUnknown, "/nodes/1/node_type", graph(vec![input(), node("a", "Ecko")], vec![])),
        (
            Code::ConfigInvalid,
            "/nodes/1/config/bad",
            graph(vec![input(), json!({"id": "a", "node_type": "Echo", "config": {"bad": 1}})], vec![]),
        ),
        (
            Code::NumberUnsafe,
            "/nodes/1/config/n/0",
            graph(
                vec![
                    input(),
                    json!({"id": "a", "node_type": "Echo", "config": {"n": [9_007_199_254_740_992_u64]}}),
                ],
                vec![],
            ),
        ),
        (Code::ChatbotInputFields, "/nodes/0/config/output_json_schema", bot(vec![input()])),
        (
            Code::ChatbotOutputFields,
            "/nodes/1/config/output_json_schema",
            bot(vec![bot_input, node("out", "OutputNode")]),
        ),
        (Code::RouterLinkWithoutHandle, "/links/0/source_handle", router(None)),
        (Code::RouterLinkUnknownRoute, "/links/0/source_handle", router(Some("c"))),
    ]
}

#[test]
fn each_error_has_its_code_and_pointer() {
    for (code, pointer, definition) in cases() {
        let diagnostics = error_locations(definition);
        assert!(
            diagnostics.iter().any(|(c, p, _)| *c == code && p == pointer),
            "{code:?} at {pointer} is not in {diagnostics:?}"
        );
    }
}

#[test]
fn each_code_has_a_case() {
    let cases: Vec<Code> = cases().into_iter().map(|(code, ..)| code).collect();
    // Definitions with these errors are too large for a table, or the text has no definition. The cases of warnings and
    // hints are in docs/diagnostics, which the tests of the node types read.
    let tested_elsewhere = [
        Code::TooManyNodes,
        Code::TooManyLinks,
        Code::TextTooLong,
        Code::JsonSyntax,
        Code::JsonTooDeep,
        Code::JsonRejected,
        Code::ChecksumMismatch,
        Code::ShapeInvalid,
    ];
    for code in Code::ALL.iter().filter(|code| code.severity() == Severity::Error) {
        assert!(cases.contains(code) || tested_elsewhere.contains(code), "{code:?} has no case");
    }
}

#[test]
fn too_many_nodes_or_links_end_the_validation() {
    use sluice_domain::graph::{MAX_LINKS, MAX_NODES};
    let mut definition = Definition::default();
    definition.nodes.resize(MAX_NODES + 1, crate::kinds::node("a", "Echo"));
    definition.links.resize(MAX_LINKS + 1, crate::kinds::link("a", "a", None));
    let codes: Vec<Code> = validate(&definition, &TestKinds).into_iter().map(|d| d.code).collect();
    assert_eq!(codes, [Code::TooManyNodes, Code::TooManyLinks]);
}

#[test]
fn rejects_long_names() {
    for (length, expected) in
        [(MAX_NODE_NAME_LENGTH, vec![]), (MAX_NODE_NAME_LENGTH + 1, vec!["/nodes/1/id", "/nodes/1/title"])]
    {
        let name = "ä".repeat(length);
        let node = json!({"id": name, "title": name, "node_type": "Echo"});
        let titled = json!({"id": "b", "title": name, "node_type": "Echo"});
        let of_titled = error_locations(json!({"nodes": [input(), titled], "links": []}));
        assert!(of_titled.iter().all(|(.., node)| node.as_deref() == Some("b")), "{of_titled:?}");
        assert_eq!(of_titled.is_empty(), expected.is_empty());
        let diagnostics = error_locations(json!({"nodes": [input(), node], "links": []}));
        let pointers: Vec<&str> = diagnostics.iter().map(|(_, pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, expected);
        assert!(diagnostics.iter().all(|(code, ..)| *code == Code::TextTooLong), "{diagnostics:?}");
    }
}

#[test]
fn lists_of_diagnostics_are_truncated() {
    let nodes: Vec<Value> =
        (0..2 * MAX_DIAGNOSTICS).map(|i| json!({"id": format!("n{i}"), "node_type": "Echo"})).collect();
    let links = json!([{"source_id": "n0", "target_id": "n1"}]);
    let mut body = json!({"nodes": nodes, "links": links});
    body["nodes"].as_array_mut().unwrap().push(input());
    let diagnostics = diagnose(&serde_json::from_value(body).unwrap(), &TestKinds);
    assert_eq!(diagnostics.len(), MAX_DIAGNOSTICS + 1);
    assert_eq!(diagnostics.last().map(|last| last.code), Some(Code::DiagnosticsCut));
}

#[test]
fn hostile_texts_are_validated_quickly() {
    let deep = "[".repeat(10_000_000);
    for (text, code) in [
        (deep.as_str(), Code::JsonTooDeep),
        ("{", Code::JsonSyntax),
        ("", Code::JsonSyntax),
        ("{\"a\": 1, \"a\": 2}", Code::JsonRejected),
        ("[]", Code::ShapeInvalid),
        ("{\"definition\": []}", Code::ShapeInvalid),
    ] {
        let diagnostics = diagnose_json(text.as_bytes(), &TestKinds);
        assert_eq!(diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), [code], "{text:.40}");
    }
    assert_eq!(diagnose_json(b"{\"definition\": null}", &TestKinds), []);
}

#[test]
fn all_errors_are_reported_at_once() {
    let codes = error_locations(json!({
        "nodes": [{"id": "a", "node_type": "Nope"}, {"id": "a", "node_type": "Echo", "config": {"bad": 1}}],
        "links": [{"source_id": "a", "target_id": "x"}, {"source_id": "a", "target_id": "a"}],
    }));
    let codes: Vec<Code> = codes.into_iter().map(|(code, ..)| code).collect();
    for code in [
        Code::NodeIdDuplicate,
        Code::InputNodeMissing,
        Code::NodeTypeUnknown,
        Code::LinkTargetUnknown,
        Code::Cycle,
        Code::ConfigInvalid,
    ] {
        assert!(codes.contains(&code), "{code:?} is not in {codes:?}");
    }
}

#[test]
fn unfinished_definitions_are_valid() {
    let loop_without_body = json!({"id": "l", "node_type": "ForLoopNode"});
    let unfinished =
        json!({"nodes": [input(), {"id": "a", "node_type": "Echo"}, loop_without_body], "links": []});
    assert_eq!(error_locations(unfinished), []);
}

#[test]
fn errors_in_bodies_have_full_pointers() {
    let body = json!({"nodes": [input(), {"id": "x", "node_type": "Nope"}], "links": []});
    let definition = json!({"nodes": [input(),
        {"id": "l", "node_type": "ForLoopNode", "config": {"subworkflow": body}},
        {"id": "m", "node_type": "ForLoopNode", "subworkflow": body}], "links": []});
    let pointers: Vec<String> =
        error_locations(definition).into_iter().map(|(_, pointer, _)| pointer).collect();
    assert_eq!(
        pointers,
        ["/nodes/1/config/subworkflow/nodes/1/node_type", "/nodes/2/subworkflow/nodes/1/node_type"]
    );
}

#[test]
fn cycle_errors_list_the_path_and_unknown_types_suggest_a_similar_one() {
    let definition: Definition = serde_json::from_value(json!({
        "nodes": [input(), {"id": "a", "node_type": "Echo"}, {"id": "b", "node_type": "RuoterNode"}],
        "links": [{"source_id": "a", "target_id": "b"}, {"source_id": "b", "target_id": "a"}],
    }))
    .unwrap();
    let messages: Vec<String> = validate(&definition, &TestKinds).into_iter().map(|d| d.message).collect();
    assert!(messages.iter().any(|m| m.contains("a → b → a")), "{messages:?}");
    assert!(messages.iter().any(|m| m.contains("\"RouterNode\"")), "{messages:?}");
}

proptest! {
    #[test]
    fn forward_graphs_have_no_cycle_until_a_back_link(count in 2..30usize, back in (0..30usize, 0..30usize)) {
        let nodes: Vec<Value> = std::iter::once(input())
            .chain((0..count).map(|i| json!({"id": format!("n{i}"), "node_type": "Echo"}))).collect();
        let mut links: Vec<Value> = (1..count)
            .map(|i| json!({"source_id": format!("n{}", i - 1), "target_id": format!("n{i}")})).collect();
        prop_assert_eq!(error_locations(json!({"nodes": nodes, "links": links})), vec![]);
        let (a, b) = (back.0 % count, back.1 % count);
        links.push(json!({"source_id": format!("n{}", a.max(b)), "target_id": format!("n{}", a.min(b))}));
        let codes: Vec<Code> = error_locations(json!({"nodes": nodes, "links": links})).into_iter().map(|(code, ..)| code).collect();
        prop_assert_eq!(codes, vec![Code::Cycle]);
    }
}
