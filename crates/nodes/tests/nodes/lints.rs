//! Tests of lints that depend on the data flow of node kinds.

use serde_json::{Value, json};
use sluice_domain::transfer::diagnose_json;
use sluice_domain::validation::{Code, Diagnostic, Severity};
use sluice_nodes::NodeKinds;

fn diagnose(nodes: &[Value], links: &[(&str, &str)]) -> Vec<Diagnostic> {
    let links: Vec<Value> = links.iter().map(|(a, b)| json!({"source_id": a, "target_id": b})).collect();
    let text = json!({"nodes": nodes, "links": links}).to_string();
    diagnose_json(text.as_bytes(), &NodeKinds::default())
}

/// Returns the codes and pointers of the warnings.
fn warnings(nodes: &[Value], links: &[(&str, &str)]) -> Vec<(Code, String)> {
    let found = diagnose(nodes, links).into_iter();
    found.filter(|d| d.severity() == Severity::Warning).map(|d| (d.code, d.pointer)).collect()
}

fn node(id: &str, kind: &str, config: Value) -> Value {
    json!({"id": id, "node_type": kind, "config": config})
}

fn input() -> Value {
    node("start", "InputNode", json!({"output_schema": {"text": "string"}}))
}

fn output(path: &str) -> Value {
    node("out", "OutputNode", json!({"output_map": {"x": path}}))
}

/// Returns the codes of the reference diagnostics for a path in an output node. The input node, `nodes` and the output
/// node are linked in this order.
fn reference_codes(nodes: &[Value], path: &str) -> Vec<Code> {
    let mut all = vec![input()];
    all.extend_from_slice(nodes);
    all.push(output(path));
    let ids: Vec<&str> = all.iter().map(|node| node["id"].as_str().unwrap()).collect();
    let links: Vec<(&str, &str)> = ids.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let found = warnings(&all, &links).into_iter().map(|(code, _)| code);
    found.filter(|code| code.as_str().starts_with("reference")).collect()
}

#[test]
fn follows_paths_through_nodes_that_forward_inputs() {
    use Code::{
        ReferenceFieldUnknown as UnknownField, ReferenceNodeUnknown as UnknownNode,
        ReferenceNotUpstream as NotUpstream,
    };
    let merge = || node("m", "MergeNode", json!({}));
    let gate = || node("g", "HumanInterventionNode", json!({}));
    let coalesce = || node("c", "CoalesceNode", json!({}));
    let python =
        |schema: Value| node("p", "PythonFuncNode", json!({"code": "return {}", "output_schema": schema}));
    for (nodes, path, expected) in [
        (vec![], "start.text", vec![]),
        (vec![], "start", vec![]),
        (vec![], "start.txt", vec![UnknownField]),
        (vec![], "inn.text", vec![UnknownNode]),
        (vec![merge()], "m.start.text", vec![]),
        (vec![merge()], "m.start.txt", vec![UnknownField]),
        (vec![merge()], "m.unknown", vec![UnknownField]),
        (vec![merge()], "start.text", vec![NotUpstream]),
        (vec![gate()], "g.start.text", vec![]),
        (vec![gate()], "g.reviewer", vec![]),
        (vec![gate()], "g.start.txt", vec![UnknownField]),
        (vec![coalesce()], "c.text", vec![]),
        (vec![coalesce()], "c.txt", vec![UnknownField]),
        (vec![python(json!({"a": "dict"}))], "p.a.b.c", vec![]),
        (vec![python(json!({"a": "dict"}))], "p.b", vec![UnknownField]),
        (vec![python(json!({}))], "p.anything", vec![]),
        (
            vec![node("s", "StaticValueNode", json!({"values": {"a": {"b": 1}, "c.d": 2, "l": [1]}}))],
            "s.c.d",
            vec![],
        ),
        (vec![node("s", "StaticValueNode", json!({"values": {"a": {"b": 1}, "l": [1]}}))], "s.l.0", vec![]),
        (vec![node("s", "StaticValueNode", json!({"values": {"a": {"b": 1}}}))], "s.a.c", vec![UnknownField]),
    ] {
        assert_eq!(reference_codes(&nodes, path), expected, "{path}");
    }
}

#[test]
fn loops_have_the_output_of_their_body() {
    let body = json!({"nodes": [node("i", "InputNode", json!({})), node("o", "OutputNode", json!({"output_map": {"v": "i.v"}}))],
        "links": [{"source_id": "i", "target_id": "o"}]});
    let loop_node = node("l", "ForLoopNode", json!({"input_map": {"v": "start.text"}, "subworkflow": body}));
    assert_eq!(reference_codes(std::slice::from_ref(&loop_node), "l.v"), []);
    assert_eq!(reference_codes(&[loop_node], "l.w"), [Code::ReferenceFieldUnknown]);
    let mut inner =
        vec![node("i", "InputNode", json!({})), node("o", "OutputNode", json!({"output_map": {"v": "i.v"}}))];
    inner.iter_mut().for_each(|node| node["parent_id"] = "l".into());
    let mut all =
        vec![input(), node("l", "ForLoopNode", json!({"input_map": {"v": "start.txt"}})), output("l.w")];
    all.extend(inner);
    let found = warnings(&all, &[("start", "l"), ("l", "out"), ("i", "o")]);
    let pointers: Vec<&str> = found.iter().map(|(_, pointer)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/nodes/1/config/input_map/v", "/nodes/2/config/output_map/x"]);
}

#[test]
fn inputs_of_bodies_may_have_undeclared_fields() {
    let start = node("i", "InputNode", json!({"output_schema": {"v": "int"}}));
    let end = node("o", "OutputNode", json!({"output_map": {"v": "i.loop_history", "w": "i.laid_over"}}));
    let body = json!({"nodes": [start, end], "links": [{"source_id": "i", "target_id": "o"}]});
    assert_eq!(
        warnings(&[input(), node("l", "ForLoopNode", json!({"subworkflow": body}))], &[("start", "l")]),
        []
    );
}

#[test]
fn ignores_paths_that_branch_at_every_step() {
    let names: Vec<(String, String)> = (0..200).map(|i| (format!("a{i}"), format!("b{i}"))).collect();
    let (mut nodes, mut links) = (vec![input()], vec![("start", "a0"), ("start", "b0")]);
    for (a, b) in &names {
        nodes.extend([node(a, "CoalesceNode", json!({})), node(b, "CoalesceNode", json!({}))]);
    }
    for pair in names.windows(2) {
        let ((a, b), (c, d)) = (&pair[0], &pair[1]);
        links.extend([(&**a, &**c), (a, d), (b, c), (b, d)]);
    }
    nodes.push(output("a199.nothing"));
    links.extend([("a199", "out"), ("b199", "out")]);
    assert_eq!(warnings(&nodes, &links), []);
}

#[test]
fn templates_can_name_any_upstream_node() {
    let llm = |id: &str, text: &str| {
        node(id, "SingleLLMCallNode", json!({"user_message": text, "output_schema": {"answer": "string"}}))
    };
    let codes = |text: &str| -> Vec<Code> {
        let nodes = [input(), llm("a", "{{start.text }}"), llm("b", text), llm("later", "{{ b.answer }}")];
        let links = [("start", "a"), ("a", "b"), ("b", "later")];
        warnings(&nodes, &links).into_iter().map(|(code, _)| code).collect()
    };
    assert_eq!(codes("{{ a.answer }} {{start.text|upper}} {{ x }}"), []);
    assert_eq!(codes("{{ a.anser }}"), [Code::ReferenceFieldUnknown]);
    assert_eq!(codes("{{ later.answer }}"), [Code::ReferenceNotUpstream]);
    assert_eq!(codes("{{ inn.text }}"), [Code::ReferenceNodeUnknown]);
    assert_eq!(codes("{% for x in a.answer %}{{ x.y }}{% endfor %}"), []);
}

#[test]
fn unlinked_nodes_have_no_reference_warnings() {
    let codes: Vec<Code> =
        warnings(&[input(), output("unknown.x")], &[]).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::NodeUnreachable]);
}

#[test]
fn inputs_that_code_or_templates_use_are_not_reported() {
    let unused = |node: Value| {
        let id = node["id"].as_str().unwrap().to_owned();
        let found = diagnose(&[input(), node], &[("start", &id)]);
        found.iter().filter(|d| d.code == Code::InputUnused).count()
    };
    let python = |code: &str| node("p", "PythonFuncNode", json!({"code": code}));
    assert_eq!(unused(python("return {'a': input_model.start.text}")), 0);
    assert_eq!(unused(python("x = 1\nreturn {'a':\ninput_model.start['text']}")), 0);
    assert_eq!(unused(python("return dict(input_model)")), 0);
    assert_eq!(unused(python("return {}")), 1);
    assert_eq!(unused(node("l", "SingleLLMCallNode", json!({"user_message": "{{start.text}}"}))), 0);
    assert_eq!(unused(node("l", "SingleLLMCallNode", json!({"user_message": "hello"}))), 1);
    assert_eq!(unused(node("o", "OutputNode", json!({}))), 0);
    assert_eq!(unused(node("m", "MergeNode", json!({}))), 0);
    assert_eq!(unused(node("s", "SlackNotifyNode", json!({"message": "hello"}))), 0);
}

#[test]
fn contradictory_conditions_are_reported() {
    let never_matches = |conditions: Value| {
        let router = node("r", "RouterNode", json!({"route_map": {"a": {"conditions": conditions}}}));
        warnings(&[input(), router], &[("start", "r")])
            .iter()
            .any(|(code, _)| *code == Code::RouteNeverMatches)
    };
    let c = |operator: &str, value: Value, junction: &str| json!({"variable": "start.text", "operator": operator, "value": value, "logicalOperator": junction});
    for (conditions, expected) in [
        (json!([]), false),
        (json!([c("equals", json!("a"), "AND")]), false),
        (json!([c("equals", json!(1), "AND"), c("equals", json!("1"), "AND")]), false),
        (json!([c("equals", json!("a"), "AND"), c("equals", json!("b"), "AND")]), true),
        (json!([c("equals", json!("a"), "AND"), c("equals", json!("b"), "OR")]), false),
        (
            json!([
                c("equals", json!("a"), "AND"),
                c("is_empty", json!(""), "OR"),
                c("is_not_empty", json!(""), "AND")
            ]),
            false,
        ),
        (json!([c("is_empty", json!(""), "AND"), c("is_not_empty", json!(""), "AND")]), true),
        (json!([c("greater_than", json!(5), "AND"), c("less_than", json!("3"), "AND")]), true),
        (json!([c("greater_than", json!(3), "AND"), c("less_than", json!(5), "AND")]), false),
        (json!([c("greater_than", json!("many"), "AND")]), true),
        (json!([{"operator": "contains", "value": "x"}]), true),
    ] {
        assert_eq!(never_matches(conditions.clone()), expected, "{conditions}");
    }
}

#[test]
fn unknown_nested_keys_are_reported() {
    let policy =
        json!({"policy": {"retry": {"max_atempts": 3}}, "title": "p", "output_schema": {"any": "string"}});
    let found = warnings(&[input(), node("p", "PythonFuncNode", policy)], &[("start", "p")]);
    assert_eq!(found, [(Code::ConfigKeyUnknown, "/nodes/1/config/policy/retry/max_atempts".to_owned())]);
    let planned = node("s", "SlackNotifyNode", json!({"chanel": "x"}));
    assert_eq!(warnings(&[input(), planned], &[("start", "s")]), []);
}

/// Returns the ids of the gates for which the lint reports that declining them leaves the workflow without output.
fn gates_without_output(nodes: &[Value], links: &[(&str, &str, Option<&str>)]) -> Vec<String> {
    let links: Vec<Value> = links
        .iter()
        .map(|(a, b, route)| json!({"source_id": a, "target_id": b, "source_handle": route}))
        .collect();
    let text = json!({"nodes": nodes, "links": links}).to_string();
    let found = diagnose_json(text.as_bytes(), &NodeKinds::default()).into_iter();
    found.filter(|d| d.code == Code::GateDeclineNoOutput).filter_map(|d| d.node_id).collect()
}

#[test]
fn reports_gates_on_exclusive_routes() {
    let equals = |value: &str| json!({"conditions": [{"variable": "start.text", "operator": "equals", "value": value}]});
    let contains = |value: &str| json!({"conditions": [{"variable": "start.text", "operator": "contains", "value": value}]});
    let router = |a: Value, b: Value| node("r", "RouterNode", json!({"route_map": {"yes": a, "no": b}}));
    let gate = |id: &str| node(id, "HumanInterventionNode", json!({}));
    let fixed = |id: &str| node(id, "StaticValueNode", json!({"values": {"a": 1}}));
    let coalesce = || node("c", "CoalesceNode", json!({}));
    let (yes, no) = (Some("yes"), Some("no"));
    // One of two leaves depends on the gate.
    let separate = [("start", "r", None), ("r", "g", yes), ("r", "s", no)];
    let nodes = |router: Value| [input(), router, gate("g"), fixed("s")];
    assert_eq!(gates_without_output(&nodes(router(equals("a"), equals("b"))), &separate), ["g"]);
    assert!(
        gates_without_output(&nodes(router(contains("a"), contains("b"))), &separate).is_empty(),
        "both can be open"
    );
    assert!(
        gates_without_output(&nodes(router(equals("a"), equals("a"))), &separate).is_empty(),
        "both are open"
    );
    // The branches join: with exclusive routes, the other branch has no output.
    let joined = [("start", "r", None), ("r", "g", yes), ("r", "s", no), ("g", "c", None), ("s", "c", None)];
    let nodes = |router: Value| [input(), router, gate("g"), fixed("s"), coalesce()];
    assert_eq!(gates_without_output(&nodes(router(equals("a"), equals("b"))), &joined), ["g"]);
    assert!(gates_without_output(&nodes(router(contains("b"), equals("b"))), &joined).is_empty());
    // A path bypasses the router, or one of the outputs doesn't depend on it.
    let bypass =
        [("start", "r", None), ("r", "c", yes), ("start", "c", None), ("c", "g", None), ("r", "s", no)];
    assert!(gates_without_output(&nodes(router(equals("a"), equals("b"))), &bypass).is_empty());
    let beside = [("start", "r", None), ("r", "g", yes), ("r", "c", no), ("start", "s", None)];
    assert!(gates_without_output(&nodes(router(equals("a"), equals("b"))), &beside).is_empty());
    // A gate on each route, and a gate before the router.
    let each = [input(), router(equals("a"), equals("b")), gate("g"), gate("h")];
    assert_eq!(
        gates_without_output(&each, &[("start", "r", None), ("r", "g", yes), ("r", "h", no)]),
        ["g", "h"]
    );
    let before = [("start", "g", None), ("g", "r", None), ("r", "s", yes), ("r", "h", no)];
    assert_eq!(
        gates_without_output(
            &[input(), router(equals("a"), equals("b")), gate("g"), fixed("s"), fixed("h")],
            &before
        ),
        ["g"]
    );
}

#[test]
fn preferences_are_checked_against_predecessors() {
    let codes = |preferences: Value| -> Vec<(Code, String)> {
        let mut titled = node("id_a", "StaticValueNode", json!({"values": {"x": 1}}));
        titled["title"] = "a".into();
        let other = node("far", "StaticValueNode", json!({"values": {"x": 1}}));
        let nodes = [input(), titled, other, node("c", "CoalesceNode", json!({"preferences": preferences}))];
        let found = warnings(&nodes, &[("start", "id_a"), ("start", "far"), ("id_a", "c"), ("start", "c")]);
        found.into_iter().filter(|(code, _)| code.as_str().starts_with("reference")).collect()
    };
    assert_eq!(codes(json!(["a", "start"])), []);
    assert_eq!(codes(json!(["id_a", "id_a|a", "start|old title"])), []);
    let at = |index: usize| format!("/nodes/3/config/preferences/{index}");
    assert_eq!(codes(json!(["a", "far"])), [(Code::ReferenceNotUpstream, at(1))]);
    assert_eq!(codes(json!(["far|far"])), [(Code::ReferenceNotUpstream, at(0))]);
    assert_eq!(
        codes(json!(["b", "start.text"])),
        [(Code::ReferenceNodeUnknown, at(0)), (Code::ReferenceNodeUnknown, at(1))]
    );
}

#[test]
fn paths_in_code_are_checked() {
    let codes = |code: &str| reference_codes(&[node("p", "PythonFuncNode", json!({"code": code}))], "p.x");
    assert_eq!(codes("return {'x': input_model.start.text}"), []);
    assert_eq!(codes("return {'x': input_model.start.txt}"), [Code::ReferenceFieldUnknown]);
    assert_eq!(codes("return {'x': input_model['inn'].text}"), [Code::ReferenceNodeUnknown]);
    assert_eq!(codes("return {'x': input_model.out.x}"), [Code::ReferenceNotUpstream]);
    assert_eq!(codes("# input_model.inn.text\nreturn {'x': 'input_model.inn.text'}"), []);
}

#[test]
fn inputs_of_bodies_are_known_if_the_loop_declares_them() {
    let codes = |field: &str, input_map: Value, output_map: Value, has_children: bool| -> Vec<Code> {
        let start = node("i", "InputNode", json!({}));
        let end = node("o", "OutputNode", json!({"output_map": output_map}));
        let step =
            node("s", "PythonFuncNode", json!({"code": format!("return {{'r': input_model.i.{field}}}")}));
        let mut inner = vec![start, step, end];
        let links = json!([{"source_id": "i", "target_id": "s"}, {"source_id": "s", "target_id": "o"}]);
        let mut config = json!({"input_map": input_map, "num_iterations": 2});
        let mut nodes = vec![input()];
        let mut all_links = vec![json!({"source_id": "start", "target_id": "l"})];
        if has_children {
            inner.iter_mut().for_each(|node| node["parent_id"] = "l".into());
            all_links.extend(links.as_array().unwrap().clone());
        } else {
            config["subworkflow"] = json!({"nodes": std::mem::take(&mut inner), "links": links});
        }
        nodes.push(node("l", "ForLoopNode", config));
        nodes.extend(inner);
        let text = json!({"nodes": nodes, "links": all_links}).to_string();
        diagnose_json(text.as_bytes(), &NodeKinds::default()).into_iter().map(|d| d.code).collect()
    };
    let map = || json!({"v": "start.text"});
    for has_children in [false, true] {
        for field in ["v", "r", "loop_history.s"] {
            assert_eq!(codes(field, map(), json!({"r": "s.r"}), has_children), [], "{field}");
        }
        assert_eq!(codes("w", map(), json!({"r": "s.r"}), has_children), [Code::ReferenceFieldUnknown]);
        // Without an input map, the body receives all inputs. Without an output map, the output is unknown.
        assert_eq!(codes("w", json!({}), json!({"r": "s.r"}), has_children), []);
        assert_eq!(codes("w", map(), json!({}), has_children), []);
    }
}

#[test]
fn variables_of_models_are_checked() {
    let codes = |config: Value| -> Vec<(Code, String)> {
        warnings(&[input(), node("m", "SingleLLMCallNode", config)], &[("start", "m")])
    };
    let at = |field: &str| (Code::ReferenceFieldUnknown, format!("/nodes/1/config/{field}"));
    let history =
        |uses: bool, path: &str| json!({"enable_message_history": uses, "message_history_variable": path});
    assert_eq!(codes(history(true, "start.texts")), [at("message_history_variable")]);
    assert_eq!(codes(history(true, "start.text")), []);
    assert_eq!(codes(history(false, "start.texts")), []);
    assert_eq!(codes(history(true, "message_history")), []);
    assert_eq!(codes(json!({"url_variables": {"image": "start.picture"}})), [at("url_variables/image")]);
    assert_eq!(codes(json!({"user_message": "{{ x | default(\"start.picture\") }}"})), []);
    assert_eq!(codes(json!({"user_message": "{{ 'start.picture' }} {{start.text }}"})), []);
    assert_eq!(codes(json!({"user_message": "{{ 'a' ~ start.picture }}"})), [at("user_message")]);
}
