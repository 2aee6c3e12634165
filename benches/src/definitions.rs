//! The workflow definitions of the benchmarks.

use serde_json::{Value, json};

fn node(id: &str, kind: &str, config: Value) -> Value {
    json!({"id": id, "title": id, "node_type": kind, "config": config, "coordinates": {"x": 0, "y": 0}})
}

fn static_value(id: &str) -> Value {
    node(id, "StaticValueNode", json!({"values": {"text": format!("what {id} says")}}))
}

fn input() -> Value {
    node("input", "InputNode", json!({"output_schema": {"x": "string"}}))
}

fn link(source: &str, target: &str) -> Value {
    json!({"source_id": source, "target_id": target})
}

fn workflow(name: &str, nodes: Vec<Value>, links: Vec<Value>) -> Value {
    json!({"name": name, "description": "measured", "definition": {"nodes": nodes, "links": links}})
}

/// Returns a workflow of twelve nodes without side effects: a router, two layers of values, a merge, a coalesce and an
/// output.
pub(crate) fn twelve_nodes() -> Value {
    let condition = json!({"variable": "input.x", "operator": "equals", "value": "hi"});
    let mut nodes = vec![
        input(),
        node("r", "RouterNode", json!({"route_map": {"yes": {"conditions": [condition]}}})),
        node("m", "MergeNode", json!({})),
        node("c", "CoalesceNode", json!({"preferences": ["b1"]})),
        node(
            "output",
            "OutputNode",
            json!({"output_map": {"y": "c.text"}, "output_schema": {"y": "string"}}),
        ),
    ];
    nodes.extend(["a1", "a2", "a3", "a4", "b1", "b2", "b3"].map(static_value));
    let mut links = vec![link("input", "r"), link("c", "output")];
    links.push(json!({"source_id": "r", "target_id": "a1", "source_handle": "yes"}));
    links.extend(["a2", "a3", "a4"].map(|id| link("input", id)));
    links.extend(["a1", "a2", "a3", "a4"].map(|id| link(id, "m")));
    links.extend(["b1", "b2", "b3"].map(|id| link("m", id)));
    links.extend(["b1", "b2", "b3"].map(|id| link(id, "c")));
    workflow("twelve nodes", nodes, links)
}

/// Returns a workflow of two hundred parallel nodes between an input and a merge.
pub(crate) fn fan() -> Value {
    let ids: Vec<String> = (0..200).map(|number| format!("n{number}")).collect();
    let mut nodes = vec![input(), node("m", "MergeNode", json!({}))];
    nodes.extend(ids.iter().map(|id| static_value(id)));
    let links = ids.iter().flat_map(|id| [link("input", id), link(id, "m")]).collect();
    workflow("a fan", nodes, links)
}

/// Returns a workflow of an input and a gate.
pub(crate) fn gate() -> Value {
    let gate = node("gate", "HumanInterventionNode", json!({"message": "please look"}));
    workflow("a gate", vec![input(), gate], vec![link("input", "gate")])
}

/// Returns a workflow with a Python node that runs an endless loop.
pub(crate) fn busy() -> Value {
    let config = json!({"code": "while True:\n    pass", "output_schema": {"out": "int"}});
    workflow("busy", vec![input(), node("p", "PythonFuncNode", config)], vec![link("input", "p")])
}

/// Returns an acyclic workflow of `size` nodes in layers of ten, each linked to three nodes of the next layer.
pub(crate) fn layers(size: usize) -> Value {
    let id = |number: usize| format!("n{number}");
    let nodes =
        (0..size).map(|number| if number == 0 { input() } else { static_value(&id(number)) }).collect();
    let name = |number: usize| if number == 0 { "input".to_owned() } else { id(number) };
    let links = (0..size).flat_map(|source| {
        let targets = (0..3).map(move |step| source - source % 10 + 10 + (source + step) % 10);
        targets.filter(move |target| *target < size).map(move |target| link(&name(source), &name(target)))
    });
    workflow("layers", nodes, links.collect())
}

pub(crate) fn inputs() -> String {
    json!({"initial_inputs": {"input": {"x": "hi"}}}).to_string()
}
