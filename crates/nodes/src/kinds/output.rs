//! `OutputNode`: where a level ends.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::graph::node_type;
use sluice_domain::run::{Behaviour, Compute, Inputs, LoopBody, dig};
use validator::Validate;

use crate::Policies;
use crate::builtin::NodeKind;
use crate::ordered::Ordered;

/// The kind.
pub(crate) struct Output;

/// Gathers what the workflow gives.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct OutputConfig {
    /// {field of the output: dotted path into what arrives, as in `node.items.0.name`}. A path that leads
    /// nowhere gives null. Without any field, everything that arrives passes through.
    output_map: Ordered<String>,
}

impl NodeKind for Output {
    const NAME: &'static str = node_type::OUTPUT;
    type Config = OutputConfig;

    fn behaviour(config: OutputConfig, _: Map<String, Value>, _: &Policies) -> LoopBody {
        LoopBody::None(Behaviour::Compute(Arc::new(config)))
    }
}

impl Compute for OutputConfig {
    fn compute(&self, inputs: &Inputs) -> Result<Value, String> {
        let arrived = Value::Object(inputs.to_map());
        if self.output_map.0.is_empty() {
            return Ok(arrived);
        }
        let field = |(name, path): &(String, String)| {
            (name.clone(), dig(&arrived, path).cloned().unwrap_or(Value::Null))
        };
        Ok(Value::Object(self.output_map.0.iter().map(field).collect()))
    }
}
