use std::sync::Arc;

use serde_json::{Map, Value};

use super::command::InputError;
use super::decider::Decider;
use crate::run::{Event, ReusedOutput, TaskPath};

impl Decider<'_, '_> {
    pub(super) fn start(&mut self, inputs: Arc<Map<String, Value>>) -> Result<(), InputError> {
        if self.state.length > 0 {
            return Err(InputError::AlreadyStarted);
        }
        self.emit(Event::RunStarted { inputs, at: self.now });
        Ok(())
    }

    pub(super) fn reuse_outputs(&mut self, outputs: Vec<ReusedOutput>) {
        for ReusedOutput { node, output } in outputs {
            self.emit(Event::TaskReused { task: TaskPath::new(&[], &node), output, at: self.now });
        }
    }
}
