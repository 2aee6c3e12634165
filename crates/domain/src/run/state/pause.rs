use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::pause::PauseDecision;
use crate::run::TaskPath;

/// A pause of a run at a gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Pause {
    /// The gate.
    pub task: TaskPath,
    /// The message for the person who decides.
    pub message: String,
    /// The input of the gate.
    pub input: Arc<Value>,
    /// See [`crate::pause::PausePolicy::block_only_dependent_nodes`].
    pub block_only_dependent_nodes: bool,
    /// The time when the pause was opened.
    pub opened_at: DateTime<Utc>,
    /// The decision and its time. `None` while the pause is open.
    pub decided: Option<(PauseDecision, DateTime<Utc>)>,
}

impl Pause {
    /// Returns true until the pause is decided.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.decided.is_none()
    }
}

/// Returns the ids of the pauses of a run, in order: `PH_{run}_{node}`, and from the second pause of a node on
/// `PH_{run}_{node}_{n}`.
#[must_use]
pub fn pause_ids(run_id: Uuid, pauses: &[Pause]) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut ids = Vec::with_capacity(pauses.len());
    for pause in pauses {
        let node = pause.task.node.as_str();
        let count = counts.entry(node).or_default();
        *count += 1;
        ids.push(if *count == 1 {
            format!("PH_{run_id}_{node}")
        } else {
            format!("PH_{run_id}_{node}_{count}")
        });
    }
    ids
}
