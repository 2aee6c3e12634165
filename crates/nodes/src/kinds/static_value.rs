//! `StaticValueNode`: constants.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::run::{Behaviour, Compute, Inputs, LoopBody};
use validator::Validate;

use crate::Policies;
use crate::builtin::NodeKind;

/// The kind.
pub(crate) struct StaticValue;

/// Gives the same values every time.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct StaticValueConfig {
    /// What the node gives: {field: any value}.
    values: Map<String, Value>,
}

impl NodeKind for StaticValue {
    const NAME: &'static str = "StaticValueNode";
    type Config = StaticValueConfig;

    fn behaviour(config: StaticValueConfig, _: Map<String, Value>, _: &Policies) -> LoopBody {
        LoopBody::None(Behaviour::Compute(Arc::new(config)))
    }
}

impl Compute for StaticValueConfig {
    fn compute(&self, _: &Inputs) -> Result<Value, String> {
        Ok(Value::Object(self.values.clone()))
    }
}
