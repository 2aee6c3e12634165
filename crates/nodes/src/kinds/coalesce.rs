//! `CoalesceNode`: the first of several branches that gave something.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_domain::run::{Behaviour, Compute, Inputs, LoopBody};
use validator::Validate;

use crate::Policies;
use crate::builtin::NodeKind;

/// The kind.
pub(crate) struct Coalesce;

/// Gives what the first of several branches gave.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
pub(crate) struct CoalesceConfig {
    /// The titles or ids of the nodes to be preferred, or both as `id|title`, the best first. Others follow in the order
    /// of links.
    preferences: Vec<String>,
}

impl NodeKind for Coalesce {
    const NAME: &'static str = "CoalesceNode";
    type Config = CoalesceConfig;

    fn behaviour(config: CoalesceConfig, _: Map<String, Value>, _: &Policies) -> LoopBody {
        LoopBody::None(Behaviour::ComputeAny(Arc::new(config)))
    }
}

impl Compute for CoalesceConfig {
    fn compute(&self, inputs: &Inputs) -> Result<Value, String> {
        let by_id = |id: &str| inputs.0.iter().find(|arrival| &*arrival.node_id == id).map(|a| &*a.value);
        // PySpur's editor writes both.
        let by_both = |name: &str| by_id(name.split_once('|')?.0);
        let named = |name: &String| inputs.get(name).or_else(|| by_id(name)).or_else(|| by_both(name));
        let mut preferred = self.preferences.iter().filter_map(named);
        let first = preferred.next().or_else(|| inputs.0.first().map(|arrival| &*arrival.value));
        Ok(first.cloned().unwrap_or(Value::Null))
    }
}
