//! `MergeNode`: the outputs of several branches as one object.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::run::{Behavior, Compute, Inputs, NodeBehavior};
use sluice_domain::validation::{DataFlow, OutputShape};
use validator::Validate;

use super::listing::{Category, Listing};
use super::node_kind::NodeKind;
use crate::config::policy::Policies;

/// The kind.
pub(crate) struct MergeNode;

/// Returns the outputs of all predecessors as one object, by title.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct MergeConfig {}

impl NodeKind for MergeNode {
    const NAME: &'static str = "MergeNode";
    const LISTING: Listing = Listing::new(Category::Logic, "Merge", "MN", "#6F42C1");
    type Config = MergeConfig;

    fn behavior(config: MergeConfig, _: Map<String, Value>, _: &Policies) -> NodeBehavior {
        NodeBehavior::Complete(Behavior::Compute(Arc::new(config)))
    }

    fn data_flow(_: &MergeConfig) -> DataFlow {
        DataFlow { output: OutputShape::Inputs, ..DataFlow::default() }
    }
}

impl Compute for MergeConfig {
    fn compute(&self, inputs: &Inputs) -> Result<Value, String> {
        Ok(Value::Object(inputs.to_map()))
    }
}
