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

/// One definition for each code, and where the problem is.
fn cases() -> Vec<(Code, &'static str, Value)> {
    let n = |id: &str, kind: &str| json!({"id": id, "node_type": kind});
    let l = |a: &str, b: &str| json!({"source_id": a, "target_id": b});
    let d = |nodes: Vec<Value>, links: Vec<Value>| json!({"nodes": nodes, "links": links});
    let child = |id: &str, parent: &str| json!({"id": id, "node_type": "Echo", "parent_id": parent});
    let mut line: Vec<Value> = (0..20).map(|i| child(&format!("c{i}"), &format!("c{}", i + 1))).collect();
    line.extend([n("c20", "Echo"), input()]);
    let router = |handle: Option<&str>| {
        let link = json!({"source_id": "r", "target_id": "x", "source_handle": handle});
        d(vec![input(), n("r", "RouterNode"), n("x", "Echo")], vec![link])
    };
    let bot = |nodes: Vec<Value>| json!({"nodes": nodes, "links": [], "spur_type": "chatbot"});
    let schema = "{\"properties\": {\"user_message\": {\"type\": \"string\"}, \"session_id\": {\"type\": \"string\"}}}";
    let bot_input = json!({"id": "in", "node_type": "InputNode", "config": {"output_json_schema": schema}});
    vec![
        (Code::NodeIdEmpty, "/nodes/1/id", d(vec![input(), n("", "Echo")], vec![])),
        (Code::NodeIdDuplicate, "/nodes/2/id", d(vec![input(), n("a", "Echo"), n("a", "Echo")], vec![])),
        (Code::InputNodeMissing, "/nodes", d(vec![n("a", "Echo")], vec![])),
        (Code::InputNodeDuplicate, "/nodes/1", d(vec![input(), n("b", "InputNode")], vec![])),
        (
            Code::OutputNodeDuplicate,
            "/nodes/2",
            d(vec![input(), n("b", "OutputNode"), n("c", "OutputNode")], vec![]),
        ),
        (Code::LinkSourceUnknown, "/links/0/source_id", d(vec![input()], vec![l("no", "in")])),
        (Code::LinkTargetUnknown, "/links/0/target_id", d(vec![input()], vec![l("in", "no")])),
        (
            Code::Cycle,
            "/links/0",
            d(vec![input(), n("a", "Echo"), n("b", "Echo")], vec![l("a", "b"), l("b", "a")]),
        ),
        (Code::ParentUnknown, "/nodes/1/parent_id", d(vec![input(), child("a", "no")], vec![])),
        (Code::ParentCycle, "/nodes/1/parent_id", d(vec![input(), child("a", "b"), child("b", "a")], vec![])),
        (Code::NestingTooDeep, "/nodes/0/parent_id", d(line, vec![])),
        (Code::NodeTypeUnknown, "/nodes/1/node_type", d(vec![input(), n("a", "Ecko")], vec![])),
        (
            Code::ConfigInvalid,
            "/nodes/1/config/bad",
            d(vec![input(), json!({"id": "a", "node_type": "Echo", "config": {"bad": 1}})], vec![]),
        ),
        (
            Code::NumberUnsafe,
            "/nodes/1/config/n/0",
            d(
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
            bot(vec![bot_input, n("out", "OutputNode")]),
        ),
        (Code::RouterLinkWithoutHandle, "/links/0/source_handle", router(None)),
        (Code::RouterLinkUnknownRoute, "/links/0/source_handle", router(Some("c"))),
    ]
}

#[test]
fn each_error_has_its_code_and_pointer() {
    for (code, pointer, definition) in cases() {
        let found = error_locations(definition);
        assert!(
            found.iter().any(|(c, p, _)| *c == code && p == pointer),
            "{code:?} at {pointer} is not in {found:?}"
        );
    }
}

#[test]
fn each_code_has_a_case() {
    let cases: Vec<Code> = cases().into_iter().map(|(code, ..)| code).collect();
    // Their definitions are too large for a table, or there is no definition yet. What merely looks wrong has
    // its cases in docs/diagnostics, which the tests of the kinds read.
    let elsewhere = [
        Code::TooManyNodes,
        Code::TooManyLinks,
        Code::TextTooLong,
        Code::JsonSyntax,
        Code::JsonTooDeep,
        Code::JsonRefused,
        Code::ChecksumMismatch,
        Code::ShapeInvalid,
    ];
    for code in Code::ALL.iter().filter(|code| code.severity() == Severity::Error) {
        assert!(cases.contains(code) || elsewhere.contains(code), "{code:?} has no case");
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
    for (length, wanted) in
        [(MAX_NODE_NAME_LENGTH, vec![]), (MAX_NODE_NAME_LENGTH + 1, vec!["/nodes/1/id", "/nodes/1/title"])]
    {
        let name = "ä".repeat(length);
        let node = json!({"id": name, "title": name, "node_type": "Echo"});
        let titled = json!({"id": "b", "title": name, "node_type": "Echo"});
        let of_titled = error_locations(json!({"nodes": [input(), titled], "links": []}));
        assert!(of_titled.iter().all(|(.., node)| node.as_deref() == Some("b")), "{of_titled:?}");
        assert_eq!(of_titled.is_empty(), wanted.is_empty());
        let found = error_locations(json!({"nodes": [input(), node], "links": []}));
        let pointers: Vec<&str> = found.iter().map(|(_, pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, wanted);
        assert!(found.iter().all(|(code, ..)| *code == Code::TextTooLong), "{found:?}");
    }
}

#[test]
fn lists_of_diagnostics_are_truncated() {
    let nodes: Vec<Value> =
        (0..2 * MAX_DIAGNOSTICS).map(|i| json!({"id": format!("n{i}"), "node_type": "Echo"})).collect();
    let links = json!([{"source_id": "n0", "target_id": "n1"}]);
    let mut body = json!({"nodes": nodes, "links": links});
    body["nodes"].as_array_mut().unwrap().push(input());
    let found = diagnose(&serde_json::from_value(body).unwrap(), &TestKinds);
    assert_eq!(found.len(), MAX_DIAGNOSTICS + 1);
    assert_eq!(found.last().map(|last| last.code), Some(Code::DiagnosticsCut));
}

#[test]
fn hostile_texts_are_validated_quickly() {
    let deep = "[".repeat(10_000_000);
    for (text, code) in [
        (deep.as_str(), Code::JsonTooDeep),
        ("{", Code::JsonSyntax),
        ("", Code::JsonSyntax),
        ("{\"a\": 1, \"a\": 2}", Code::JsonRefused),
        ("[]", Code::ShapeInvalid),
        ("{\"definition\": []}", Code::ShapeInvalid),
    ] {
        let found = diagnose_json(text.as_bytes(), &TestKinds);
        assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), [code], "{text:.40}");
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
fn cycles_name_their_path_and_unknown_types_a_similar_one() {
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
