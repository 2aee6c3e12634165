use super::command::InputError;
use super::decider::Decider;
use crate::run::{Event, RunStatus};

impl Decider<'_, '_> {
    pub(super) fn retry_run(&mut self) -> Result<(), InputError> {
        if self.state.status != RunStatus::Failed {
            return Err(InputError::NotFailed(self.state.status));
        }
        self.emit(Event::RunRetried { at: self.now });
        Ok(())
    }
}
