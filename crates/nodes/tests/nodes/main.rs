//! Tests of the node kinds through the traits of `domain`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalog;
mod config_problems;
mod diagnostics;
mod input;
mod kinds;
mod lints;
mod property_tests;
mod python_func;
mod router;

use std::sync::Arc;

use serde_json::Value;
use sluice_domain::Node;
use sluice_domain::graph::RawObject;
use sluice_domain::run::{Behavior, Behaviors, Inputs, NamedInput, NodeBehavior};
use sluice_nodes::NodeKinds;

/// Returns a node with this type and config.
pub(crate) fn node(node_type: &str, config: &Value) -> Node {
    let config = RawObject::from_map(config.as_object().unwrap());
    Node { id: "n".to_owned(), node_type: node_type.to_owned(), config, ..Node::default() }
}

pub(crate) fn behavior(node_type: &str, config: &Value) -> Behavior {
    match NodeKinds::default().behavior(&node(node_type, config)) {
        NodeBehavior::Complete(behavior) => behavior,
        NodeBehavior::Loop(spec) => panic!("a loop: {spec:?}"),
    }
}

/// Returns inputs from (label, node id, value).
pub(crate) fn inputs(predecessors: &[(&str, &str, Value)]) -> Inputs {
    let to_input = |(label, id, value): &(&str, &str, Value)| NamedInput {
        label: Arc::from(*label),
        node_id: Arc::from(*id),
        value: Arc::new(value.clone()),
    };
    Inputs(predecessors.iter().map(to_input).collect())
}

pub(crate) fn compute(node_type: &str, config: &Value, predecessors: &[(&str, &str, Value)]) -> Value {
    match behavior(node_type, config) {
        Behavior::Compute(compute) | Behavior::ComputeAny(compute) => {
            compute.compute(&inputs(predecessors)).unwrap()
        }
        other => panic!("not a computation: {other:?}"),
    }
}

pub(crate) fn invalid_reason(node_type: &str, config: &Value) -> String {
    match behavior(node_type, config) {
        Behavior::Invalid(reason) => reason.to_string(),
        other => panic!("not invalid: {other:?}"),
    }
}
