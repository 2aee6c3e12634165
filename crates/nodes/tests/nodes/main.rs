//! What each kind does, as the plan and the validation of the domain see it.

#![expect(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod catalogue;
mod config_problems;
mod diagnostics;
mod input;
mod kinds;
mod lints;
mod python_func;
mod robust;
mod router;

use std::sync::Arc;

use serde_json::Value;
use sluice_domain::Node;
use sluice_domain::graph::RawObject;
use sluice_domain::run::{Arrival, Behaviour, Inputs, Kinds, LoopBody};
use sluice_nodes::Builtin;

/// A node of this type. The config is an object.
pub(crate) fn node(node_type: &str, config: &Value) -> Node {
    let config = RawObject::from_map(config.as_object().unwrap());
    Node { id: "n".to_owned(), node_type: node_type.to_owned(), config, ..Node::default() }
}

pub(crate) fn behaviour(node_type: &str, config: &Value) -> Behaviour {
    match Builtin::default().behaviour(&node(node_type, config)) {
        LoopBody::None(behaviour) => behaviour,
        LoopBody::Needed(spec) => panic!("a loop: {spec:?}"),
    }
}

/// What arrives: (label, node id, value).
pub(crate) fn inputs(arrivals: &[(&str, &str, Value)]) -> Inputs {
    let arrival = |(label, id, value): &(&str, &str, Value)| Arrival {
        label: Arc::from(*label),
        node_id: Arc::from(*id),
        value: Arc::new(value.clone()),
    };
    Inputs(arrivals.iter().map(arrival).collect())
}

pub(crate) fn compute(node_type: &str, config: &Value, arrivals: &[(&str, &str, Value)]) -> Value {
    match behaviour(node_type, config) {
        Behaviour::Compute(compute) | Behaviour::ComputeAny(compute) => {
            compute.compute(&inputs(arrivals)).unwrap()
        }
        other => panic!("computes nothing: {other:?}"),
    }
}

pub(crate) fn broken(node_type: &str, config: &Value) -> String {
    match behaviour(node_type, config) {
        Behaviour::Broken(sentence) => sentence.to_string(),
        other => panic!("not broken: {other:?}"),
    }
}
