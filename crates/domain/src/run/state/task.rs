use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::run::{CancelReason, FailureKind, TaskStatus};

/// The tasks of one level: of the whole run, or of one iteration of a loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// The tasks by node id. A waiting node has no task.
    pub tasks: HashMap<String, TaskState>,
    /// The number of ended tasks.
    pub finished: usize,
}

/// The state of a task: one node in one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskState {
    /// The status.
    pub status: TaskStatus,
    /// The output. `None` for an input node, whose output is the input of its level.
    pub output: Option<Arc<Value>>,
    /// The error.
    pub error: Option<String>,
    /// The reason for a cancellation.
    pub canceled: Option<CancelReason>,
    /// The time when it was last queued, if it is an effect.
    pub queued_at: Option<DateTime<Utc>>,
    /// The start time.
    pub started_at: Option<DateTime<Utc>>,
    /// The end time.
    pub ended_at: Option<DateTime<Utc>>,
    /// The attempts, if it is an effect.
    pub attempts: Vec<Attempt>,
    /// The number of failed attempts since the run was started or retried.
    pub failures: u32,
    /// The time of the next attempt, during the backoff.
    pub retry_at: Option<DateTime<Utc>>,
    /// True if its output comes from another run.
    pub reused: bool,
    /// The iterations, if it is a loop.
    pub iterations: Vec<Frame>,
}

/// An attempt to execute an effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The attempt number, from 1.
    pub number: u32,
    /// The start time.
    pub started_at: DateTime<Utc>,
    /// The time when it ended, or when its interruption was detected.
    pub ended_at: Option<DateTime<Utc>>,
    /// The error.
    pub error: Option<String>,
    /// The kind of failure. `None` if the attempt succeeded or was interrupted.
    pub failure: Option<FailureKind>,
}

impl TaskState {
    /// Returns true if the task has started or is queued.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.status != TaskStatus::Pending || self.queued_at.is_some()
    }

    /// Returns true if the task is an effect that is queued, running or waiting for another attempt.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.queued_at.is_some() && !self.status.is_terminal()
    }

    /// Returns true if the node received inputs: it started, and was not skipped because of its predecessors.
    #[must_use]
    pub fn has_inputs(&self) -> bool {
        let was_skipped = match self.canceled {
            Some(CancelReason::NullInput | CancelReason::UpstreamFailure) => true,
            // A reused null doesn't show if the node ran in the original run.
            Some(CancelReason::NullOutput) => self.reused,
            Some(CancelReason::Declined | CancelReason::RunCanceled) | None => false,
        };
        self.started_at.is_some() && !was_skipped
    }

    /// Returns true during an attempt.
    #[must_use]
    pub fn is_executing(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| attempt.ended_at.is_none())
    }

    pub(super) fn end_attempt(&mut self, at: DateTime<Utc>, failure: Option<(FailureKind, &str)>) {
        let Some(attempt) = self.attempts.last_mut().filter(|attempt| attempt.ended_at.is_none()) else {
            return;
        };
        attempt.ended_at = Some(at);
        if let Some((kind, error)) = failure {
            attempt.failure = Some(kind);
            attempt.error = Some(error.to_owned());
        }
    }
}

impl Frame {
    /// Cancels the tasks that have not ended. Nodes that have not started have no task.
    pub(super) fn cancel_unfinished(&mut self, at: DateTime<Utc>) {
        for task in self.tasks.values_mut().filter(|task| !task.status.is_terminal()) {
            task.status = TaskStatus::Canceled;
            task.canceled = Some(CancelReason::RunCanceled);
            task.ended_at = Some(at);
            task.retry_at = None;
            task.end_attempt(at, None);
            task.iterations.iter_mut().for_each(|frame| frame.cancel_unfinished(at));
            self.finished += 1;
        }
    }

    /// Resets failed tasks and tasks canceled because of them; in loops only those of the failed iteration.
    pub(super) fn reset_failures(&mut self) {
        let mut finished = self.finished;
        self.tasks.retain(|_, task| {
            let upstream = task.canceled == Some(CancelReason::UpstreamFailure);
            if task.status != TaskStatus::Failed && !upstream {
                return true;
            }
            finished -= 1;
            task.error = None;
            task.canceled = None;
            task.ended_at = None;
            task.failures = 0;
            task.retry_at = None;
            task.queued_at = None;
            if let Some(last) = task.iterations.last_mut() {
                last.reset_failures();
                task.status = TaskStatus::Running;
            } else {
                task.status = TaskStatus::Pending;
            }
            // Previous attempts stay visible.
            task.has_started() || !task.attempts.is_empty()
        });
        self.finished = finished;
    }
}
