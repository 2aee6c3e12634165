use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{FailureKind, RunStatus, TaskPath};
use crate::pause::PauseDecision;

/// An event in the log of a run. Variants and fields are only ever added, because every later release folds the logs of
/// earlier ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run was accepted.
    RunStarted {
        /// {input node id: {field: value}}.
        inputs: Arc<Map<String, Value>>,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// A batch was accepted. It has no tasks of its own; each of its rows is a run.
    BatchStarted {
        /// The number of rows.
        rows: u64,
        /// The number of rows in progress at the same time.
        mini_batch_size: u32,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// The first rows of a batch are about to start.
    RowsStarted {
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// Every row of a batch has ended, successfully or not.
    BatchCompleted {
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// A node with side effects is ready and waits for a slot. An attempt in progress was interrupted.
    TaskQueued {
        /// The node.
        #[serde(flatten)]
        task: TaskPath,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// An attempt at a node with side effects is about to start.
    TaskStarted {
        /// The node.
        #[serde(flatten)]
        task: TaskPath,
        /// The attempt number, from 1.
        attempt: u32,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// An attempt failed and another one follows.
    TaskRetrying {
        /// The node.
        #[serde(flatten)]
        task: TaskPath,
        /// The error, for the author of the workflow.
        error: String,
        /// The kind of the failure.
        kind: FailureKind,
        /// Time of the next attempt.
        retry_at: DateTime<Utc>,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// The result of a top-level node is reused from the original run.
    TaskReused {
        /// The node.
        #[serde(flatten)]
        task: TaskPath,
        /// The output; absent for null.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Arc<Value>>,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// A loop starts its iterations.
    LoopStarted {
        /// The node.
        #[serde(flatten)]
        task: TaskPath,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// A node produced its output.
    TaskCompleted {
        /// The node.
        #[serde(flatten)]
        task: TaskPath,
        /// The output. Absent for an input node, whose output is the input of its level.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Arc<Value>>,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// A node failed.
    TaskFailed {
        /// The node.
        #[serde(flatten)]
        task: TaskPath,
        /// The error, for the author of the workflow.
        error: String,
        /// The kind of the failure; absent for nodes without side effects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<FailureKind>,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// A node will not run, or was stopped.
    TaskCanceled {
        /// The node.
        #[serde(flatten)]
        task: TaskPath,
        /// The reason.
        reason: CancelReason,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// The run reached a gate.
    PauseOpened {
        /// The node.
        #[serde(flatten)]
        task: TaskPath,
        /// The message for the person who decides.
        message: String,
        /// The input of the gate.
        input: Arc<Value>,
        /// See [`crate::pause::PausePolicy`].
        block_only_dependent_nodes: bool,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// A person decided a pause.
    PauseDecided {
        /// The node.
        #[serde(flatten)]
        task: TaskPath,
        /// The decision.
        decision: PauseDecision,
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// Nothing can run before a decision.
    RunPaused {
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// The run continues after a decision.
    RunResumed {
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// A failed run continues: failed nodes, and nodes canceled because of them, run again.
    RunRetried {
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// Every node has ended and none failed.
    RunCompleted {
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// Every node has ended and at least one failed.
    RunFailed {
        /// Time of the event.
        at: DateTime<Utc>,
    },
    /// The run was canceled, or a declined gate left it without any output.
    RunCanceled {
        /// Time of the event.
        at: DateTime<Utc>,
    },
}

impl Event {
    /// The name of each kind of event, as in the log and in event streams.
    pub const KINDS: [&str; 20] = [
        "run_started",
        "batch_started",
        "rows_started",
        "batch_completed",
        "task_queued",
        "task_started",
        "task_retrying",
        "task_reused",
        "loop_started",
        "task_completed",
        "task_failed",
        "task_canceled",
        "pause_opened",
        "pause_decided",
        "run_paused",
        "run_resumed",
        "run_retried",
        "run_completed",
        "run_failed",
        "run_canceled",
    ];

    /// Returns the name of the event's kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run_started",
            Self::BatchStarted { .. } => "batch_started",
            Self::RowsStarted { .. } => "rows_started",
            Self::BatchCompleted { .. } => "batch_completed",
            Self::TaskQueued { .. } => "task_queued",
            Self::TaskStarted { .. } => "task_started",
            Self::TaskRetrying { .. } => "task_retrying",
            Self::TaskReused { .. } => "task_reused",
            Self::LoopStarted { .. } => "loop_started",
            Self::TaskCompleted { .. } => "task_completed",
            Self::TaskFailed { .. } => "task_failed",
            Self::TaskCanceled { .. } => "task_canceled",
            Self::PauseOpened { .. } => "pause_opened",
            Self::PauseDecided { .. } => "pause_decided",
            Self::RunPaused { .. } => "run_paused",
            Self::RunResumed { .. } => "run_resumed",
            Self::RunRetried { .. } => "run_retried",
            Self::RunCompleted { .. } => "run_completed",
            Self::RunFailed { .. } => "run_failed",
            Self::RunCanceled { .. } => "run_canceled",
        }
    }

    /// Returns the time of the event.
    #[must_use]
    pub fn time(&self) -> DateTime<Utc> {
        match self {
            Self::RunStarted { at, .. }
            | Self::BatchStarted { at, .. }
            | Self::RowsStarted { at, .. }
            | Self::BatchCompleted { at, .. }
            | Self::TaskQueued { at, .. }
            | Self::TaskStarted { at, .. }
            | Self::TaskRetrying { at, .. }
            | Self::TaskReused { at, .. }
            | Self::LoopStarted { at, .. }
            | Self::TaskCompleted { at, .. }
            | Self::TaskFailed { at, .. }
            | Self::TaskCanceled { at, .. }
            | Self::PauseOpened { at, .. }
            | Self::PauseDecided { at, .. }
            | Self::RunPaused { at, .. }
            | Self::RunResumed { at, .. }
            | Self::RunRetried { at, .. }
            | Self::RunCompleted { at, .. }
            | Self::RunFailed { at, .. }
            | Self::RunCanceled { at, .. } => *at,
        }
    }

    /// Returns the status in which the event ends its run; none if the run continues.
    #[must_use]
    pub fn final_status(&self) -> Option<RunStatus> {
        match self {
            Self::RunCompleted { .. } | Self::BatchCompleted { .. } => Some(RunStatus::Completed),
            Self::RunFailed { .. } => Some(RunStatus::Failed),
            Self::RunCanceled { .. } => Some(RunStatus::Canceled),
            _ => None,
        }
    }
}

/// The reason for which a task was canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// It received a null: from a route that was not taken, or a branch without output.
    NullInput,
    /// A node upstream failed.
    UpstreamFailure,
    /// A person declined it.
    Declined,
    /// It produced null.
    NullOutput,
    /// The run was canceled.
    RunCanceled,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_is_the_tag_in_the_log() {
        let at = DateTime::UNIX_EPOCH;
        let task = TaskPath::new(&[], "n");
        let events = [
            Event::RunStarted { inputs: Arc::default(), at },
            Event::RowsStarted { at },
            Event::TaskCompleted { task: task.clone(), output: None, at },
            Event::TaskCanceled { task, reason: CancelReason::Declined, at },
            Event::RunCanceled { at },
        ];
        for event in events {
            let json = serde_json::to_value(&event).unwrap();
            assert!(json.get(event.kind()).is_some(), "{json}");
            assert!(Event::KINDS.contains(&event.kind()));
            assert_eq!(event.time(), at);
        }
    }
}
