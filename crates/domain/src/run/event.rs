use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{FailureKind, RunStatus, TaskPath};
use crate::pause::PauseDecision;

/// An event in the log of a run. Variants and fields are only ever added, because every later release folds the logs of
/// earlier ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, strum::EnumDiscriminants)]
#[serde(rename_all = "snake_case")]
#[strum_discriminants(
    name(EventKind),
    doc = "Type of a run event. Only Python nodes have `task_queued`, `task_started` and `task_retrying`. Loops start \
           with `loop_started`, gates with `pause_opened`. Other nodes only have `task_completed`, `task_failed`, \
           `task_canceled` or `task_reused`.",
    derive(Hash, Serialize, strum::IntoStaticStr, strum::VariantArray),
    serde(rename_all = "snake_case"),
    strum(serialize_all = "snake_case")
)]
#[cfg_attr(
    feature = "openapi",
    strum_discriminants(derive(utoipa::ToSchema), schema(as = RunEventType))
)]
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
    /// Returns the kind of the event.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.into()
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

    /// Returns the path of the task that the event concerns, or `None` if it concerns the whole run.
    #[must_use]
    pub fn task(&self) -> Option<&TaskPath> {
        match self {
            Self::TaskQueued { task, .. }
            | Self::TaskStarted { task, .. }
            | Self::TaskRetrying { task, .. }
            | Self::TaskReused { task, .. }
            | Self::LoopStarted { task, .. }
            | Self::TaskCompleted { task, .. }
            | Self::TaskFailed { task, .. }
            | Self::TaskCanceled { task, .. }
            | Self::PauseOpened { task, .. }
            | Self::PauseDecided { task, .. } => Some(task),
            Self::RunStarted { .. }
            | Self::BatchStarted { .. }
            | Self::RowsStarted { .. }
            | Self::BatchCompleted { .. }
            | Self::RunPaused { .. }
            | Self::RunResumed { .. }
            | Self::RunRetried { .. }
            | Self::RunCompleted { .. }
            | Self::RunFailed { .. }
            | Self::RunCanceled { .. } => None,
        }
    }

    /// Returns the status with which the event ends its run, or `None` if the run continues.
    #[must_use]
    pub fn final_status(&self) -> Option<RunStatus> {
        match self {
            Self::RunCompleted { .. } | Self::BatchCompleted { .. } => Some(RunStatus::Completed),
            Self::RunFailed { .. } => Some(RunStatus::Failed),
            Self::RunCanceled { .. } => Some(RunStatus::Canceled),
            Self::RunStarted { .. }
            | Self::BatchStarted { .. }
            | Self::RowsStarted { .. }
            | Self::TaskQueued { .. }
            | Self::TaskStarted { .. }
            | Self::TaskRetrying { .. }
            | Self::TaskReused { .. }
            | Self::LoopStarted { .. }
            | Self::TaskCompleted { .. }
            | Self::TaskFailed { .. }
            | Self::TaskCanceled { .. }
            | Self::PauseOpened { .. }
            | Self::PauseDecided { .. }
            | Self::RunPaused { .. }
            | Self::RunResumed { .. }
            | Self::RunRetried { .. } => None,
        }
    }

    /// Returns true if the event ends its run.
    #[must_use]
    pub fn ends_run(&self) -> bool {
        self.final_status().is_some()
    }

    /// Returns true if the event continues a run that had ended.
    #[must_use]
    pub fn reopens_run(&self) -> bool {
        matches!(self, Self::RunRetried { .. })
    }

    /// Returns true if the event opens or decides a pause.
    #[must_use]
    pub fn changes_pause(&self) -> bool {
        matches!(self, Self::PauseOpened { .. } | Self::PauseDecided { .. })
    }
}

impl EventKind {
    /// Returns the name in the log and in event streams.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Reason why a task was canceled. `null_input`: a predecessor was canceled, or its route was not taken.
/// `upstream_failure`: a node upstream failed. `declined`: a person declined the pause. `null_output`: the node itself
/// produced null. `run_canceled`: the run was canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
            assert!(json.get(event.kind().as_str()).is_some(), "{json}");
            assert_eq!(event.time(), at);
        }
    }
}
