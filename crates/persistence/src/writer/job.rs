//! Jobs of the writer's queue.

use super::queued_change::QueuedChange;
use super::run_commits::RunCommit;
use super::workflow_inserts::WorkflowInsert;

/// A job of the writer.
pub(super) enum Job {
    /// Appends events to the log of a run.
    Commit(Box<RunCommit>),
    /// Creates a workflow.
    InsertWorkflow(Box<WorkflowInsert>),
    /// Applies another change.
    Change(Box<dyn QueuedChange>),
    /// Stops the writer.
    Stop,
}

impl Job {
    /// Returns true if the job may change the latest version of an existing workflow.
    pub(super) fn changes_versions(&self) -> bool {
        matches!(self, Self::Change(change) if change.changes_versions())
    }

    pub(super) fn frees_space(&self) -> bool {
        matches!(self, Self::Change(change) if change.frees_space())
    }
}
