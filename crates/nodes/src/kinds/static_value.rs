//! `StaticValueNode`: constant values.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::run::{Behavior, Compute, Inputs, NodeBehavior};
use sluice_domain::validation::DataFlow;
use validator::Validate;

use super::listing::{Category, Listing};
use super::node_kind::NodeKind;
use crate::config::policy::Policies;
use crate::data_flow::output_shape;

/// The kind.
pub(crate) struct StaticValueNode;

/// Returns constant values.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct StaticValueConfig {
    /// The output: {field: any value}.
    values: Map<String, Value>,
}

impl NodeKind for StaticValueNode {
    const NAME: &'static str = "StaticValueNode";
    const LISTING: Listing = Listing::new(Category::Logic, "Static Value", "CVN", "#20C997");
    type Config = StaticValueConfig;

    fn behavior(config: StaticValueConfig, _: Map<String, Value>, _: &Policies) -> NodeBehavior {
        NodeBehavior::Complete(Behavior::Compute(Arc::new(config)))
    }

    fn data_flow(config: &StaticValueConfig) -> DataFlow {
        DataFlow { output: output_shape::from_values(&config.values), ..DataFlow::default() }
    }
}

impl Compute for StaticValueConfig {
    fn compute(&self, _: &Inputs) -> Result<Value, String> {
        Ok(Value::Object(self.values.clone()))
    }
}
