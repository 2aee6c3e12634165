use super::command::InputError;
use super::decider::Decider;
use crate::run::{Batch, Event};

impl Decider<'_, '_> {
    pub(super) fn start_batch(&mut self, batch: Batch) -> Result<(), InputError> {
        if self.state.length > 0 {
            return Err(InputError::AlreadyStarted);
        }
        let Batch { rows, mini_batch_size } = batch;
        self.emit(Event::BatchStarted { rows, mini_batch_size, at: self.now });
        Ok(())
    }

    pub(super) fn complete_batch(&mut self) {
        if self.state.batch.is_some() && !self.state.status.is_terminal() {
            self.emit(Event::BatchCompleted { at: self.now });
        }
    }
}
