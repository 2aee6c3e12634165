//! `MergeNode`: several branches as one object.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::run::{Behaviour, Compute, Inputs, LoopBody};
use validator::Validate;

use crate::Policies;
use crate::builtin::NodeKind;

/// The kind.
pub(crate) struct Merge;

/// Gives everything that arrives, each under the title of the node that it comes from.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct MergeConfig {}

impl NodeKind for Merge {
    const NAME: &'static str = "MergeNode";
    type Config = MergeConfig;

    fn behaviour(config: MergeConfig, _: Map<String, Value>, _: &Policies) -> LoopBody {
        LoopBody::None(Behaviour::Compute(Arc::new(config)))
    }
}

impl Compute for MergeConfig {
    fn compute(&self, inputs: &Inputs) -> Result<Value, String> {
        Ok(Value::Object(inputs.to_map()))
    }
}
