//! The state of a run, folded from its log.

mod pause;
mod run_state;
mod task;

pub use pause::{Pause, pause_ids};
pub use run_state::{Batch, RunState};
pub use task::{Attempt, Frame, TaskState};
