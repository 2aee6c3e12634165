//! Jobs of the writer.

use super::queued_change::Work;
use super::run_commits::RunCommit;
use super::workflow_inserts::Creation;

/// What the writer is asked for.
pub(super) enum Job {
    /// Events of a run.
    Commit(Box<RunCommit>),
    /// A new workflow.
    Create(Box<Creation>),
    /// Any other change.
    Work(Box<dyn Work>),
    /// To finish what waits and to end.
    Stop,
}

impl Job {
    pub(super) fn frees_space(&self) -> bool {
        matches!(self, Self::Work(work) if work.frees_space())
    }
}
