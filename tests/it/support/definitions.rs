//! Builders of workflow definitions.

use serde_json::{Map, Value, json};

pub(crate) fn node(id: &str, kind: &str, config: Value) -> Value {
    json!({"id": id, "title": id, "node_type": kind, "config": config})
}

/// Returns the node with another title.
pub(crate) fn with_title(mut node: Value, title: &str) -> Value {
    node["title"] = json!(title);
    node
}

/// Returns the node as a child of a loop.
pub(crate) fn with_parent(mut node: Value, parent: &str) -> Value {
    node["parent_id"] = json!(parent);
    node
}

pub(crate) fn link(source: &str, target: &str) -> Value {
    json!({"source_id": source, "target_id": target})
}

/// Returns a link from a route of a router.
pub(crate) fn route(source: &str, target: &str, name: &str) -> Value {
    json!({"source_id": source, "target_id": target, "source_handle": name})
}

/// Returns the links of a chain of nodes.
pub(crate) fn chain(ids: &[&str]) -> Vec<Value> {
    ids.windows(2).map(|pair| link(pair[0], pair[1])).collect()
}

pub(crate) fn schema(fields: &[&str]) -> Value {
    let types: Map<String, Value> = fields.iter().map(|f| ((*f).to_owned(), json!("string"))).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|f| ((*f).to_owned(), json!({"type": "string"}))).collect();
    let text = json!({"type": "object", "properties": properties}).to_string();
    json!({"output_schema": types, "output_json_schema": text})
}

pub(crate) fn input() -> Value {
    node("input_node", "InputNode", schema(&["x"]))
}

pub(crate) fn output(map: Value) -> Value {
    output_named("output_node", map)
}

pub(crate) fn output_named(id: &str, map: Value) -> Value {
    let fields: Vec<&str> = map.as_object().expect("a map").keys().map(String::as_str).collect();
    let types = schema(&fields)["output_schema"].clone();
    node(id, "OutputNode", json!({"output_map": map, "output_schema": types}))
}

pub(crate) fn static_node(id: &str, values: Value) -> Value {
    node(id, "StaticValueNode", json!({"values": values}))
}

pub(crate) fn gate(id: &str) -> Value {
    node(id, "HumanInterventionNode", json!({"message": "please look", "block_only_dependent_nodes": true}))
}

pub(crate) fn merge(id: &str) -> Value {
    node(id, "MergeNode", json!({}))
}

pub(crate) fn coalesce(id: &str, preferences: &[&str]) -> Value {
    node(id, "CoalesceNode", json!({"preferences": preferences}))
}

/// Returns a Python node with the output `out`, an integer.
pub(crate) fn python(id: &str, code: &str) -> Value {
    python_with_outputs(id, code, json!({"out": "int"}))
}

pub(crate) fn python_with_outputs(id: &str, code: &str, types: Value) -> Value {
    node(id, "PythonFuncNode", json!({"code": code, "output_schema": types}))
}

/// Returns a Python node that runs for some tenths of a second in a debug build, long enough to be interrupted.
pub(crate) fn slow(id: &str) -> Value {
    python(id, "n = 0\nwhile n < 400000:\n    n = n + 1\nreturn {'out': n}")
}

pub(crate) fn never_ending(id: &str) -> Value {
    python(id, "while True:\n    pass")
}

pub(crate) fn failing(id: &str) -> Value {
    python(id, "return {'out': 1 // 0}")
}

pub(crate) fn condition(variable: &str, operator: &str, value: Value) -> Value {
    json!({"variable": variable, "operator": operator, "value": value})
}

/// Returns a router with the id `r`.
pub(crate) fn router(routes: &[(&str, Vec<Value>)]) -> Value {
    let map: Map<String, Value> =
        routes.iter().map(|(name, all)| ((*name).to_owned(), json!({"conditions": all}))).collect();
    node("r", "RouterNode", json!({"route_map": map}))
}

pub(crate) fn definition(nodes: Vec<Value>, links: Vec<Value>) -> Value {
    json!({"nodes": nodes, "links": links})
}

/// Returns the body of a create request.
pub(crate) fn workflow(name: &str, nodes: Vec<Value>, links: Vec<Value>) -> Value {
    json!({"name": name, "description": "d", "definition": definition(nodes, links)})
}

/// Returns the workflow input → a → b → output.
pub(crate) fn plain(name: &str) -> Value {
    workflow(
        name,
        vec![
            input(),
            static_node("a", json!({"k": "1"})),
            static_node("b", json!({"k": "2"})),
            output(json!({"out": "b.k"})),
        ],
        chain(&["input_node", "a", "b", "output_node"]),
    )
}

/// Returns the workflow input → f, which outputs a constant.
pub(crate) fn constant(name: &str, value: i64) -> Value {
    workflow(name, vec![input(), static_node("f", json!({"out": value}))], chain(&["input_node", "f"]))
}

/// Returns the workflow input → before → gate → after → output, with a link from the gate to the output.
pub(crate) fn gated_workflow(name: &str) -> Value {
    let mut links = chain(&["input_node", "before", "gate", "after", "output_node"]);
    links.push(link("gate", "output_node"));
    workflow(
        name,
        vec![
            input(),
            static_node("before", json!({"k": "v"})),
            gate("gate"),
            static_node("after", json!({"k": "done"})),
            output(json!({"out": "after.k", "seen": "gate.before.k"})),
        ],
        links,
    )
}

/// Returns a workflow of two branches with a gate each, which meet in a merge node.
pub(crate) fn two_gates(name: &str) -> Value {
    workflow(
        name,
        vec![
            input(),
            gate("g1"),
            gate("g2"),
            static_node("s1", json!({"k": "one"})),
            static_node("s2", json!({"k": "two"})),
            merge("all"),
        ],
        vec![
            link("input_node", "g1"),
            link("input_node", "g2"),
            link("g1", "s1"),
            link("g2", "s2"),
            link("s1", "all"),
            link("s2", "all"),
        ],
    )
}

/// Returns the workflow input → node.
pub(crate) fn after_input(name: &str, last: Value) -> Value {
    let id = last["id"].as_str().expect("an id").to_owned();
    workflow(name, vec![input(), last], vec![link("input_node", &id)])
}

pub(crate) fn run_body(x: impl Into<Value>) -> Value {
    json!({"initial_inputs": {"input_node": {"x": x.into()}}})
}

/// Adds the optional members, as the server returns them.
pub(crate) fn with_optional_members(definition: &Value) -> Value {
    let mut filled = definition.clone();
    for node in filled["nodes"].as_array_mut().expect("nodes") {
        for member in ["parent_id", "coordinates", "dimensions", "subworkflow"] {
            node.as_object_mut().expect("a node").entry(member).or_insert(Value::Null);
        }
    }
    for link in filled["links"].as_array_mut().expect("links") {
        for member in ["source_handle", "target_handle"] {
            link.as_object_mut().expect("a link").entry(member).or_insert(Value::Null);
        }
    }
    let members = filled.as_object_mut().expect("a definition");
    members.entry("test_inputs").or_insert(json!([]));
    members.entry("spur_type").or_insert(json!("workflow"));
    filled
}

/// Converts numbers to floats, since 1 and 1.0 are equal in JSON.
pub(crate) fn as_floats(value: &Value) -> Value {
    match value {
        Value::Number(n) => json!(n.as_f64()),
        Value::Array(items) => items.iter().map(as_floats).collect(),
        Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), as_floats(v))).collect(),
        other => other.clone(),
    }
}
