//! Gates, where a run waits for a person, and the decisions of the person.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Decision on a pause. `APPROVE`: the gate outputs its input, {predecessor title: output}, with the keys of `inputs`
/// added or replaced at the top level. `OVERRIDE`: the gate outputs `inputs` instead of its input. `DECLINE`: the gate
/// outputs null, and its branch is canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum PauseAction {
    /// Continue with the paused input, overlaid with the person's inputs.
    Approve,
    /// Stop: the output of the gate is null.
    Decline,
    /// Continue with the person's inputs in place of the paused input.
    Override,
}

impl PauseAction {
    /// Returns the name in the API and the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "APPROVE",
            Self::Decline => "DECLINE",
            Self::Override => "OVERRIDE",
        }
    }
}

/// The decision of a person on an open pause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PauseDecision {
    /// The decision.
    pub action: PauseAction,
    /// The id of the person.
    pub user_id: String,
    /// The inputs of the person. Their use depends on the action.
    #[serde(default)]
    pub inputs: Arc<Map<String, Value>>,
    /// The comments of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
}

impl PauseDecision {
    /// Returns the output of a gate with the input `paused`, or `None` if it was declined.
    #[must_use]
    pub fn output(&self, paused: &Value) -> Option<Value> {
        match self.action {
            PauseAction::Approve => {
                let mut output = paused.as_object().cloned().unwrap_or_default();
                output.extend(self.inputs.iter().map(|(key, value)| (key.clone(), value.clone())));
                Some(Value::Object(output))
            }
            PauseAction::Override => Some(Value::Object((*self.inputs).clone())),
            PauseAction::Decline => None,
        }
    }
}

/// The configuration of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PausePolicy {
    /// The message for the person who decides.
    pub message: String,
    /// True: only nodes that depend on the gate wait. False: no node starts while the pause is open.
    pub block_only_dependent_nodes: bool,
}
