use std::sync::Arc;

use serde_json::Value;

use super::command::InputError;
use super::decider::Decider;
use crate::pause::{PauseDecision, PausePolicy};
use crate::run::{CancelReason, Event, Inputs, RunStatus, TaskPath};

impl Decider<'_, '_> {
    pub(super) fn decide_pause(
        &mut self,
        node: Option<String>,
        decision: PauseDecision,
    ) -> Result<(), InputError> {
        let mut pauses = self.state.open_pauses();
        let Some(pause) = pauses.find(|pause| node.as_ref().is_none_or(|node| *node == pause.task.node))
        else {
            return Err(InputError::NoOpenPause(node));
        };
        let task = pause.task.clone();
        let output = decision.output(&pause.input).map(Arc::new);
        let at = self.now;
        drop(pauses);
        self.emit(Event::PauseDecided { task: task.clone(), decision, at });
        match output {
            output @ Some(_) => self.emit(Event::TaskCompleted { task, output, at }),
            None => self.emit(Event::TaskCanceled { task, reason: CancelReason::Declined, at }),
        }
        if self.state.status == RunStatus::Paused {
            self.emit(Event::RunResumed { at });
        }
        Ok(())
    }

    /// Opens a pause. Returns true if the gate failed instead, because its input is too large.
    pub(super) fn open_pause(&mut self, task: TaskPath, policy: &PausePolicy, inputs: &Inputs) -> bool {
        match self.check_size(Value::Object(inputs.to_map())) {
            Ok(input) => {
                self.emit(Event::PauseOpened {
                    task,
                    message: policy.message.clone(),
                    input: Arc::new(input),
                    block_only_dependent_nodes: policy.block_only_dependent_nodes,
                    at: self.now,
                });
                false
            }
            Err(error) => {
                self.end_task(task, Err(error));
                true
            }
        }
    }
}
