//! Gates: how a run waits for a person, and what the person decides.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::run::TaskPath;

/// What a person does with an open gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PauseAction {
    /// The paused input goes on, with the person's inputs laid over it.
    Approve,
    /// Nothing goes on: the gate gives null.
    Decline,
    /// The person's inputs go on in place of the paused input.
    Override,
}

impl PauseAction {
    /// The word that clients see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "APPROVE",
            Self::Decline => "DECLINE",
            Self::Override => "OVERRIDE",
        }
    }
}

/// A person's decision on one open gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PauseDecision {
    /// What was decided.
    pub action: PauseAction,
    /// Who decided.
    pub user_id: String,
    /// What the person gave along; its use depends on the action.
    #[serde(default)]
    pub inputs: Arc<Map<String, Value>>,
    /// The person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
}

impl PauseDecision {
    /// What the gate gives, when `paused` is what waited at it: nothing when it was declined.
    #[must_use]
    pub fn output(&self, paused: &Value) -> Option<Value> {
        match self.action {
            PauseAction::Approve => {
                let mut output = match paused {
                    Value::Object(map) => map.clone(),
                    _ => Map::new(),
                };
                output.extend(self.inputs.iter().map(|(k, v)| (k.clone(), v.clone())));
                Some(Value::Object(output))
            }
            PauseAction::Override => Some(Value::Object((*self.inputs).clone())),
            PauseAction::Decline => None,
        }
    }
}

/// How a gate holds a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PausePolicy {
    /// What is shown to the person.
    pub message: String,
    /// `true`: only what depends on the gate waits; `false`: nothing new starts while it is open.
    pub block_only_dependent_nodes: bool,
}

/// One stop of a run at a gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Pause {
    /// The gate.
    pub task: TaskPath,
    /// What is shown to the person.
    pub message: String,
    /// What waits at the gate.
    pub input: Arc<Value>,
    /// See [`PausePolicy::block_only_dependent_nodes`].
    pub block_only_dependent_nodes: bool,
    /// When the gate closed.
    pub opened_at: DateTime<Utc>,
    /// The decision, and when it was made; none while the pause is open.
    pub decided: Option<(PauseDecision, DateTime<Utc>)>,
}

impl Pause {
    /// Whether nobody has decided yet and the run still waits for it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.decided.is_none()
    }
}

/// Returns the id of each pause of a run, in their order: `PH_{run}_{node}`, and from the second pause of a node on
/// `PH_{run}_{node}_{n}`.
#[must_use]
pub fn pause_ids(run_id: Uuid, pauses: &[Pause]) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    pauses
        .iter()
        .map(|pause| {
            let node = pause.task.node.as_str();
            let count = counts.entry(node).or_default();
            *count += 1;
            if *count == 1 { format!("PH_{run_id}_{node}") } else { format!("PH_{run_id}_{node}_{count}") }
        })
        .collect()
}
