//! Views of a run for the API.

mod task_view;
mod timeline;

pub use task_view::{Outputs, TaskView};
pub use timeline::TimelineTask;
