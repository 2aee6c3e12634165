//! Pauses: open gates of runs and the decisions on them.

pub(crate) mod decide;
pub(crate) mod events;
pub(crate) mod history;
pub(crate) mod list;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use sluice_domain::pause::PauseAction;
use sluice_domain::run::{Pause, RunState, pause_ids};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::openapi::value_types::Fields;
use crate::timestamp::Timestamp;

/// A pause of a run at a gate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PauseHistory {
    /// `PH_{run id}_{node id}`. Further pauses of the same gate have the suffix `_2`, `_3` and so on.
    id: String,
    /// Id of the run.
    run_id: Uuid,
    /// Id of the gate node.
    node_id: String,
    /// Message for the person who decides.
    #[schema(required = true)]
    pause_message: Option<String>,
    /// Time at which the pause was opened.
    #[schema(value_type = String, format = DateTime)]
    pause_time: Timestamp,
    /// Time of the decision.
    #[schema(value_type = Option<String>, format = DateTime, required = true, nullable = true)]
    resume_time: Option<Timestamp>,
    /// The person who decided.
    #[schema(required = true)]
    resume_user_id: Option<String>,
    /// The decision.
    #[schema(required = true)]
    resume_action: Option<PauseAction>,
    /// Input of the gate.
    #[schema(value_type = Option<Fields>, required = true, nullable = true)]
    input_data: Option<Arc<Value>>,
    /// Comments on the decision.
    #[schema(required = true)]
    comments: Option<String>,
}

impl PauseHistory {
    fn new(run_id: Uuid, id: String, pause: &Pause) -> Self {
        let (decision, at) = pause.decided.as_ref().map(|(decision, at)| (decision, *at)).unzip();
        Self {
            id,
            run_id,
            node_id: pause.task.node.clone(),
            pause_message: Some(pause.message.clone()),
            pause_time: Timestamp(pause.opened_at),
            resume_time: at.map(Timestamp),
            resume_user_id: decision.map(|decision| decision.user_id.clone()),
            resume_action: decision.map(|decision| decision.action),
            input_data: Some(Arc::clone(&pause.input)),
            comments: decision.and_then(|decision| decision.comments.clone()),
        }
    }

    /// Returns every pause of a run, newest first, and whether it is open.
    pub(crate) fn of_run(run_id: Uuid, state: &RunState) -> Vec<(Self, bool)> {
        let ended = state.status.is_terminal();
        let mut pauses: Vec<_> = pause_ids(run_id, &state.pauses)
            .into_iter()
            .zip(&state.pauses)
            .map(|(id, pause)| (Self::new(run_id, id, pause), pause.is_open() && !ended))
            .collect();
        pauses.reverse();
        pauses
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use sluice_domain::pause::PauseDecision;
    use sluice_domain::run::{Event, TaskPath};

    use super::*;

    #[test]
    fn pauses_are_numbered_and_newest_first() {
        let task = |node: &str| TaskPath::new(&[], node);
        let at = DateTime::UNIX_EPOCH;
        let opened = |node: &str| Event::PauseOpened {
            task: task(node),
            message: "look".to_owned(),
            input: Arc::new(Value::Null),
            block_only_dependent_nodes: true,
            at,
        };
        let decision = PauseDecision {
            action: PauseAction::Approve,
            user_id: "ada".to_owned(),
            inputs: Arc::default(),
            comments: None,
        };
        let decided = Event::PauseDecided { task: task("gate"), decision, at };
        let events = [opened("gate"), decided, opened("other"), opened("gate")];
        let run_id = Uuid::nil();
        let pauses = PauseHistory::of_run(run_id, &RunState::from_log(&events));
        let actual: Vec<_> = pauses.iter().map(|(pause, open)| (pause.id.as_str(), *open)).collect();
        let id = |rest: &str| format!("PH_{run_id}_{rest}");
        let (second, other, first) = (id("gate_2"), id("other"), id("gate"));
        assert_eq!(actual, [(second.as_str(), true), (other.as_str(), true), (first.as_str(), false)]);
        assert_eq!(pauses[2].0.resume_user_id.as_deref(), Some("ada"));
    }
}
