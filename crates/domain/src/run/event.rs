use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{FailureKind, TaskPath};
use crate::pause::PauseDecision;

/// Something that happened to a run. Events are only ever added, to the log and to this list: logs of
/// every release are folded for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run was accepted.
    RunStarted {
        /// {input node id: {field: value}}.
        inputs: Arc<Map<String, Value>>,
        /// When.
        at: DateTime<Utc>,
    },
    /// A batch was accepted: the run itself has no tasks, each of its rows is a run of its own.
    BatchStarted {
        /// How many rows there are.
        rows: u64,
        /// How many rows go on at the same time.
        mini_batch_size: u32,
        /// When.
        at: DateTime<Utc>,
    },
    /// The first rows of a batch are about to begin.
    RowsStarted {
        /// When.
        at: DateTime<Utc>,
    },
    /// Every row of a batch has ended, well or not.
    BatchCompleted {
        /// When.
        at: DateTime<Utc>,
    },
    /// A node that works outside of the log is ready, and waits for a place to run. An attempt that had
    /// begun was interrupted.
    TaskQueued {
        /// Which.
        #[serde(flatten)]
        task: TaskPath,
        /// When.
        at: DateTime<Utc>,
    },
    /// A node that works outside of the log is about to run.
    TaskStarted {
        /// Which.
        #[serde(flatten)]
        task: TaskPath,
        /// The how manieth time, from 1.
        attempt: u32,
        /// When.
        at: DateTime<Utc>,
    },
    /// An attempt failed, and there will be another one.
    TaskRetrying {
        /// Which.
        #[serde(flatten)]
        task: TaskPath,
        /// What went wrong, for the author of the workflow.
        error: String,
        /// Why the attempt gave nothing.
        kind: FailureKind,
        /// When the next attempt is due.
        retry_at: DateTime<Utc>,
        /// When.
        at: DateTime<Utc>,
    },
    /// What a node at the top gave in the run that this one was made from is taken over.
    TaskReused {
        /// Which.
        #[serde(flatten)]
        task: TaskPath,
        /// What it gave; absent when it gave null.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Arc<Value>>,
        /// When.
        at: DateTime<Utc>,
    },
    /// A loop begins its iterations.
    LoopStarted {
        /// Which.
        #[serde(flatten)]
        task: TaskPath,
        /// When.
        at: DateTime<Utc>,
    },
    /// A node gave its output.
    TaskCompleted {
        /// Which.
        #[serde(flatten)]
        task: TaskPath,
        /// The output. Absent for an input node, whose output is what its level was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Arc<Value>>,
        /// When.
        at: DateTime<Utc>,
    },
    /// A node gave an error.
    TaskFailed {
        /// Which.
        #[serde(flatten)]
        task: TaskPath,
        /// What went wrong, for the author of the workflow.
        error: String,
        /// Why; absent for a node that doesn't work outside of the log, and in logs of release 0.1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<FailureKind>,
        /// When.
        at: DateTime<Utc>,
    },
    /// A node will not run, or not go on.
    TaskCanceled {
        /// Which.
        #[serde(flatten)]
        task: TaskPath,
        /// Why.
        reason: CancelReason,
        /// When.
        at: DateTime<Utc>,
    },
    /// The run came to a gate.
    PauseOpened {
        /// Which.
        #[serde(flatten)]
        task: TaskPath,
        /// What is shown to the person.
        message: String,
        /// What waits at the gate.
        input: Arc<Value>,
        /// See [`crate::pause::PausePolicy`].
        block_only_dependent_nodes: bool,
        /// When.
        at: DateTime<Utc>,
    },
    /// A person decided on a gate.
    PauseDecided {
        /// Which.
        #[serde(flatten)]
        task: TaskPath,
        /// How.
        decision: PauseDecision,
        /// When.
        at: DateTime<Utc>,
    },
    /// Nothing can run before a person decides.
    RunPaused {
        /// When.
        at: DateTime<Utc>,
    },
    /// A person decided, the run goes on.
    RunResumed {
        /// When.
        at: DateTime<Utc>,
    },
    /// A run that had failed goes on: what failed, and what was canceled for it, is to run again.
    RunRetried {
        /// When.
        at: DateTime<Utc>,
    },
    /// Every node finished and none failed.
    RunCompleted {
        /// When.
        at: DateTime<Utc>,
    },
    /// Every node finished and at least one failed.
    RunFailed {
        /// When.
        at: DateTime<Utc>,
    },
    /// The run was called off, or declined so that nothing was left to give.
    RunCanceled {
        /// When.
        at: DateTime<Utc>,
    },
}

/// Why a task was canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// A null arrived at it: a route that was not taken, a branch that gave nothing.
    NullInput,
    /// A node before it failed.
    UpstreamFailure,
    /// A person declined it.
    Declined,
    /// It gave null itself.
    NullOutput,
    /// The run was canceled.
    RunCanceled,
}
