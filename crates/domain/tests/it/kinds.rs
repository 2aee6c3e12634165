//! A small set of node kinds, enough to exercise every behavior.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sluice_domain::graph::RawObject;
use sluice_domain::pause::PausePolicy;
use sluice_domain::run::{
    Behavior, Behaviors, CheckInput, Compute, Effect, FailureKind, Inputs, LoopSpec, NodeBehavior, Policy,
    Retry,
};
use sluice_domain::validation::{Catalog, ConfigProblem};
use sluice_domain::{Definition, Link, Node};

pub(crate) struct TestKinds;

#[derive(Debug)]
struct AcceptAll;

impl CheckInput for AcceptAll {
    fn check(&self, _: &Value) -> Result<(), String> {
        Ok(())
    }
}

/// Outputs its inputs under its own name.
#[derive(Debug)]
struct Echo(String);

impl Compute for Echo {
    fn compute(&self, inputs: &Inputs) -> Result<Value, String> {
        Ok(json!({ &self.0: inputs.to_map() }))
    }
}

/// Always opens the route `a`, never the route `b`.
#[derive(Debug)]
struct Router;

impl Compute for Router {
    fn compute(&self, inputs: &Inputs) -> Result<Value, String> {
        Ok(json!({"a": inputs.to_map(), "b": null}))
    }
}

#[derive(Debug)]
struct FirstInput;

impl Compute for FirstInput {
    fn compute(&self, inputs: &Inputs) -> Result<Value, String> {
        Ok((*inputs.0[0].value).clone())
    }
}

#[derive(Debug)]
struct EmptyOutput;

impl Compute for EmptyOutput {
    fn compute(&self, _: &Inputs) -> Result<Value, String> {
        Ok(json!({}))
    }
}

#[derive(Debug)]
struct Fails;

impl Compute for Fails {
    fn compute(&self, _: &Inputs) -> Result<Value, String> {
        Err("no".to_owned())
    }
}

fn effect(retry: Retry) -> Arc<Effect> {
    Arc::new(Effect { config: Map::new(), policy: Policy { timeout: Duration::from_secs(1), retry } })
}

impl Behaviors for TestKinds {
    fn behavior(&self, node: &Node) -> NodeBehavior {
        let gate = |block_only_dependent_nodes| {
            Behavior::Gate(PausePolicy { message: "look".to_owned(), block_only_dependent_nodes })
        };
        NodeBehavior::Complete(match node.node_type.as_str() {
            "InputNode" => Behavior::Input(Arc::new(AcceptAll)),
            "RouterNode" => Behavior::Compute(Arc::new(Router)),
            "CoalesceNode" => Behavior::ComputeAny(Arc::new(FirstInput)),
            "Fixed" => Behavior::Compute(Arc::new(EmptyOutput)),
            "Fails" => Behavior::Compute(Arc::new(Fails)),
            "Effect" | "EffectFails" => Behavior::Effect(effect(Retry::NEVER)),
            "Flaky" => Behavior::Effect(effect(Retry {
                max_attempts: 3,
                on: vec![FailureKind::Error],
                ..Retry::NEVER
            })),
            "Gate" => gate(true),
            "HoldingGate" => gate(false),
            "ForLoopNode" => {
                let config = node.config.to_map();
                let body = config.get("subworkflow").cloned();
                return NodeBehavior::Loop(LoopSpec {
                    iterations: config.get("num_iterations").and_then(Value::as_u64).unwrap_or(1) as u32,
                    input_map: Vec::new(),
                    body: body.map(|body| serde_json::from_value(body).unwrap()),
                });
            }
            _ => Behavior::Compute(Arc::new(Echo(node.id.clone()))),
        })
    }
}

pub(crate) const KINDS: [&str; 10] = [
    "Echo",
    "RouterNode",
    "CoalesceNode",
    "Fails",
    "Effect",
    "EffectFails",
    "Flaky",
    "Gate",
    "HoldingGate",
    "ForLoopNode",
];

impl Catalog for TestKinds {
    fn names(&self) -> Vec<&'static str> {
        KINDS.into_iter().chain(["InputNode", "OutputNode"]).collect()
    }

    fn config_problems(&self, node: &Node) -> Vec<ConfigProblem> {
        let bad = node.config.to_map().contains_key("bad");
        let problem = ConfigProblem { pointer: "/bad".to_owned(), message: "Remove it.".to_owned() };
        bad.then_some(problem).into_iter().collect()
    }

    fn routes(&self, node: &Node) -> Option<Vec<String>> {
        (node.node_type == "RouterNode").then(|| vec!["a".to_owned(), "b".to_owned()])
    }

    fn body(&self, node: &Node) -> Option<Definition> {
        let body = node.config.to_map().remove("subworkflow")?;
        serde_json::from_value(body).ok()
    }
}

pub(crate) fn node(id: &str, node_type: &str) -> Node {
    Node { id: id.to_owned(), title: id.to_owned(), node_type: node_type.to_owned(), ..Node::default() }
}

pub(crate) fn link(source: &str, target: &str, handle: Option<&str>) -> Link {
    Link {
        source_id: source.to_owned(),
        target_id: target.to_owned(),
        source_handle: handle.map(str::to_owned),
        target_handle: None,
    }
}

/// Returns a loop whose body is an input, one node of the type `inner`, and an output.
pub(crate) fn loop_node(id: &str, iterations: u32, inner: &str) -> Node {
    let body = Definition {
        nodes: vec![node("in", "InputNode"), node("inner", inner), node("out", "OutputNode")],
        links: vec![link("in", "inner", Some("a")), link("inner", "out", Some("a"))],
        ..Definition::default()
    };
    let config = json!({"num_iterations": iterations, "subworkflow": body});
    let Value::Object(config) = config else { unreachable!() };
    Node { config: RawObject::from_map(&config), ..node(id, "ForLoopNode") }
}
