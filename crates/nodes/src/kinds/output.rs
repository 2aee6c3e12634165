//! `OutputNode`: the output of a workflow or of the body of a loop.

use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::Node;
use sluice_domain::graph::node_type;
use sluice_domain::run::{Behavior, Compute, Inputs, NodeBehavior, lookup_path};
use sluice_domain::validation::{DataFlow, Fields, OutputShape};
use validator::Validate;

use super::listing::{Category, Listing};
use super::node_kind::NodeKind;
use crate::config::parse;
use crate::config::policy::Policies;
use crate::data_flow::paths;

/// The kind.
pub(crate) struct OutputNode;

/// Returns the output of the workflow.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct OutputConfig {
    /// The output: {field: dotted path into the inputs of the node, such as `node.items.0.name`}. A path without a
    /// value yields null. If empty, the output is all inputs of the node by title.
    output_map: IndexMap<String, String>,
}

impl NodeKind for OutputNode {
    const NAME: &'static str = node_type::OUTPUT;
    const LISTING: Listing = Listing::new(Category::InputOutput, "Output", "ON", "#17A2B8");
    type Config = OutputConfig;

    fn behavior(config: OutputConfig, _: Map<String, Value>, _: &Policies) -> NodeBehavior {
        NodeBehavior::Complete(Behavior::Compute(Arc::new(config)))
    }

    fn data_flow(config: &OutputConfig) -> DataFlow {
        let mut data_flow = DataFlow {
            references: paths::references("output_map", &config.output_map),
            ..DataFlow::default()
        };
        match paths::fields(&config.output_map) {
            Some(fields) => data_flow.output = OutputShape::Fields(fields),
            None => {
                data_flow.output = OutputShape::Inputs;
                data_flow.inputs.uses_all = true;
            }
        }
        data_flow
    }
}

/// Returns the fields that an output node declares.
pub(crate) fn declared_fields(node: &Node) -> Option<Fields> {
    let config = parse::parse::<OutputConfig>(parse::without_nulls(node.config.to_map()));
    paths::fields(&config.ok()?.output_map)
}

impl Compute for OutputConfig {
    fn compute(&self, inputs: &Inputs) -> Result<Value, String> {
        let inputs = Value::Object(inputs.to_map());
        if self.output_map.is_empty() {
            return Ok(inputs);
        }
        let fields = self.output_map.iter();
        let fields = fields
            .map(|(name, path)| (name.clone(), lookup_path(&inputs, path).cloned().unwrap_or_default()));
        Ok(Value::Object(fields.collect()))
    }
}
