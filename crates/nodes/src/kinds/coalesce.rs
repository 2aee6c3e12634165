//! `CoalesceNode`: the output of one of several branches.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::run::{Behavior, Compute, Inputs, NodeBehavior};
use sluice_domain::validation::{DataFlow, OutputShape, Reference};
use validator::Validate;

use super::listing::{Category, Listing};
use super::node_kind::NodeKind;
use crate::config::policy::Policies;

/// The kind.
pub(crate) struct CoalesceNode;

/// Returns the first output of its predecessors that is not null, in the order of `preferences`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct CoalesceConfig {
    /// Predecessors in order of preference: title, id, or both as `id|title`. Other predecessors follow in link order.
    preferences: Vec<String>,
}

impl NodeKind for CoalesceNode {
    const NAME: &'static str = "CoalesceNode";
    const LISTING: Listing = Listing::new(Category::Logic, "Coalesce", "CN", "#28A745");
    type Config = CoalesceConfig;

    fn behavior(config: CoalesceConfig, _: Map<String, Value>, _: &Policies) -> NodeBehavior {
        NodeBehavior::Complete(Behavior::ComputeAny(Arc::new(config)))
    }

    fn data_flow(config: &CoalesceConfig) -> DataFlow {
        let mut data_flow = DataFlow { output: OutputShape::OneInput, ..DataFlow::default() };
        data_flow.inputs.any_is_enough = true;
        for (index, name) in config.preferences.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            data_flow.references.push(Reference::node(format!("/preferences/{index}"), name));
        }
        data_flow
    }
}

impl Compute for CoalesceConfig {
    fn compute(&self, inputs: &Inputs) -> Result<Value, String> {
        let by_id = |id: &str| inputs.0.iter().find(|input| &*input.node_id == id).map(|input| &*input.value);
        let mut preferred = self.preferences.iter().filter_map(|name| {
            inputs.get(name).or_else(|| by_id(name)).or_else(|| by_id(name.split_once('|')?.0))
        });
        let first = preferred.next().or_else(|| inputs.0.first().map(|input| &*input.value));
        Ok(first.cloned().unwrap_or(Value::Null))
    }
}
