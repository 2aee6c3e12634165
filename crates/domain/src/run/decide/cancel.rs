use super::command::InputError;
use super::decider::Decider;
use crate::run::Event;

impl Decider<'_, '_> {
    pub(super) fn cancel(&mut self) -> Result<(), InputError> {
        if self.state.status.is_terminal() {
            return Err(InputError::RunEnded(self.state.status));
        }
        self.emit(Event::RunCanceled { at: self.now });
        Ok(())
    }
}
