//! Routes of a router.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::condition::{Condition, Junction};
use crate::config::common::null_as_default;

/// A route out of the router.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Route {
    /// Conditions, evaluated from left to right without precedence. A route without conditions is always open.
    #[serde(deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<Condition>>")]
    pub(super) conditions: Vec<Condition>,
}

impl Route {
    /// Returns true if the conditions hold for `inputs`.
    pub(super) fn is_open(&self, inputs: &Value) -> bool {
        let Some((first, others)) = self.conditions.split_first() else { return true };
        others.iter().fold(first.holds(inputs), |result, condition| match condition.junction {
            Junction::And => result && condition.holds(inputs),
            Junction::Or => result || condition.holds(inputs),
        })
    }
}
