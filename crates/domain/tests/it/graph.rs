use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_domain::json_limits::{MAX_DEFINITION_VALUES, MAX_DEPTH, MAX_VALUES, check_documents, check_json};
use sluice_domain::run::lookup_path;
use sluice_domain::versioning::definition_hash;
use sluice_domain::{Definition, SpurType, naming};

fn parse(value: &Value) -> Definition {
    let mut definition: Definition = serde_json::from_value(value.clone()).unwrap();
    definition.normalize();
    definition
}

fn example(x: f64, code: &str) -> Value {
    json!({
        "nodes": [
            {"id": "in", "node_type": "InputNode", "coordinates": {"x": x, "y": 1}},
            {"id": "loop", "node_type": "ForLoopNode", "config": {"subworkflow": {
                "nodes": [{"id": "p", "node_type": "PythonFuncNode", "config": {"code": code, "n": 1.0},
                    "dimensions": {"width": x, "height": 2}}], "links": [], "test_inputs": [{"x": x}]}}},
        ],
        "links": [{"source_id": "in", "target_id": "loop"}],
        "test_inputs": [{"x": x}],
    })
}

#[test]
fn hash_ignores_layout() {
    let hash = |x, code| definition_hash(&parse(&example(x, code)));
    assert_eq!(hash(1.0, "a"), hash(2.0, "a"));
    assert_ne!(hash(1.0, "a"), hash(1.0, "b"));
}

#[test]
fn hash_is_the_sha256_of_the_canonical_form() {
    // The expected SHA-256 is computed from the RFC 8785 form below.
    let definition = parse(
        &json!({"nodes": [{"id": "a", "node_type": "InputNode", "config": {"b": 1.0, "a": "é"}}], "links": []}),
    );
    let canonical = r#"{"links":[],"nodes":[{"config":{"a":"é","b":1},"id":"a","node_type":"InputNode","parent_id":null,"subworkflow":null,"title":"a"}],"spur_type":"workflow"}"#;
    use sha2::{Digest, Sha256};
    let expected: String = Sha256::digest(canonical).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(definition_hash(&definition), expected);
}

#[test]
fn normalize_adds_model_providers_and_router_handles() {
    let definition = parse(&json!({
        "nodes": [
            {"id": "r", "node_type": "RouterNode"},
            {"id": "l", "node_type": "SingleLLMCallNode", "config": {"llm_info": {"model": "gpt-4o"}}},
            {"id": "m", "node_type": "BestOfNNode", "config": {"llm_info": {"model": "claude-3"}}},
            {"id": "o", "node_type": "Other", "config": {"llm_info": {"model": "gpt-4o"}}},
        ],
        "links": [{"source_id": "r", "target_id": "l", "source_handle": "yes"}],
    }));
    let model = |index: usize| definition.nodes[index].config.to_map()["llm_info"]["model"].clone();
    assert_eq!([model(1), model(2), model(3)], ["openai/gpt-4o", "anthropic/claude-3", "gpt-4o"]);
    assert_eq!(definition.links[0].target_handle.as_deref(), Some("r.r"));
    let mut again = definition.clone();
    again.normalize();
    assert_eq!(again, definition);
}

#[test]
fn config_text_is_preserved_verbatim() {
    let text =
        r#"{"nodes":[{"id":"a","node_type":"X","config":{"z":1e2,"a":12345678901234567890123}}],"links":[]}"#;
    let definition: Definition = serde_json::from_str(text).unwrap();
    assert!(definition.to_json().contains(r#""config":{"z":1e2,"a":12345678901234567890123}"#));
}

#[test]
fn default_definitions_have_the_expected_nodes() {
    let chatbot = Definition::default_for(SpurType::Chatbot);
    let schema: Value =
        serde_json::from_str(chatbot.nodes[0].config.to_map()["output_json_schema"].as_str().unwrap())
            .unwrap();
    assert_eq!(schema["required"], json!(["user_message", "session_id"]));
    assert_eq!(Definition::default().or_default().nodes.len(), 1);
}

#[test]
fn dotted_paths_resolve_objects_arrays_and_keys_with_dots() {
    let value = json!({"a": {"b": [{"c": 1}], "x.y": {"z": 2}}, "p.q": 3});
    let lookup = |path| lookup_path(&value, path).cloned();
    assert_eq!(lookup("a.b.0.c"), Some(json!(1)));
    assert_eq!(lookup("a.x.y.z"), Some(json!(2)));
    assert_eq!(lookup("p.q"), Some(json!(3)));
    assert_eq!(lookup("a.b.1"), None);
    assert_eq!(lookup("a..b"), None);
}

#[test]
fn json_limits_report_each_violation() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(check_json(deep(MAX_DEPTH).as_bytes()).is_ok());
    for bad in [
        deep(MAX_DEPTH + 1).as_str(),
        r#"{"a":1,"a":2}"#,
        r#""\u0000""#,
        r#"{"\u0000":1}"#,
        r#""\ud800""#,
        "1e400",
        "[1,]",
        "{} {}",
        "",
        r#"{"$serde_json::private::RawValue":"1"}"#,
    ] {
        assert!(check_json(bad.as_bytes()).is_err(), "{bad} was accepted");
    }
}

#[test]
fn json_limits_count_values_per_workflow_and_definition() {
    let list = |values: usize| format!("[{}0]", "0,".repeat(values - 1));
    let (half, max_definition) = (list(MAX_VALUES / 2), list(MAX_DEFINITION_VALUES - 1));
    assert!(check_json(format!("[{half},{half}]").as_bytes()).is_err());
    for accepted in [
        format!(
            "{{\"definition\":{max_definition},\"versions\":[{{\"definition\":{max_definition}}},{{\"definition\":{max_definition}}}]}}"
        ),
        format!(
            "[{{\"definition\":{max_definition}}},{{\"nodes\":{half},\"links\":{half}}},{{\"nodes\":{half}}}]"
        ),
    ] {
        assert!(check_documents(accepted.as_bytes()).is_ok());
    }
    for bad in [
        format!("{{\"definition\":[{max_definition}]}}"),
        format!("[{{\"definition\":{{\"definition\":{max_definition},\"b\":{half}}}}}]"),
        format!("{{\"versions\":[{{\"note\":{max_definition}}}]}}"),
        format!("{{\"tags\":{max_definition},\"definition\":0}}"),
    ] {
        assert!(check_documents(bad.as_bytes()).is_err());
    }
}

proptest! {
    #[test]
    fn numbered_names_fit_the_limit_and_differ(base in "\\PC{0,300}", n in 1..1_000_000u32) {
        let name = naming::numbered_name(&base, n);
        prop_assert!(name.chars().count() <= naming::MAX_NAME_LENGTH);
        prop_assert_ne!(naming::numbered_name(&base, n + 1), name);
    }

    #[test]
    fn json_limits_never_panic(text in "\\PC{0,64}") {
        let parsed = serde_json::from_str::<Value>(&text).is_ok();
        prop_assert!(parsed || check_json(text.as_bytes()).is_err());
    }

    #[test]
    fn hash_ignores_the_order_of_keys(keys in proptest::collection::hash_set("[a-z]{1,6}", 1..8)) {
        let config = |keys: Vec<&String>| json!({"nodes": [{"id": "a", "node_type": "X",
            "config": keys.into_iter().map(|key| (key.clone(), json!(key))).collect::<serde_json::Map<_, _>>()}], "links": []});
        let mut sorted: Vec<&String> = keys.iter().collect();
        sorted.sort();
        let reversed = sorted.iter().rev().copied().collect();
        prop_assert_eq!(definition_hash(&parse(&config(sorted))), definition_hash(&parse(&config(reversed))));
    }
}
