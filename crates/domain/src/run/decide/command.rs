use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::pause::PauseDecision;
use crate::run::{Batch, Effect, Event, Failure, ReusedOutput, RunStatus, TaskPath};

/// A command to a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Start with {input node id: {field: value}}.
    Start(Arc<Map<String, Value>>),
    /// Continue with a new driver: restart the tasks that an earlier driver left unfinished, then advance.
    Recover,
    /// Advance as far as possible.
    Advance,
    /// Start a batch.
    StartBatch(Batch),
    /// Complete a batch: all its rows have ended.
    CompleteBatch,
    /// Reuse outputs of another run. Allowed only for a run that has just started.
    Reuse(Vec<ReusedOutput>),
    /// Start a queued task, which now has a permit.
    StartTask(TaskPath),
    /// End an attempt at a task.
    EndTask {
        /// The task.
        task: TaskPath,
        /// The output, or the failure.
        result: Result<Value, Failure>,
        /// The time when the attempt ended.
        at: DateTime<Utc>,
    },
    /// Retry a task: its backoff is over.
    RetryTask(TaskPath),
    /// Retry the failed nodes of a failed run.
    Retry,
    /// Decide the open pause of the node with this id, or the oldest open pause.
    Decide(Option<String>, PauseDecision),
    /// Cancel the run.
    Cancel,
}

/// The result of a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// Events to commit to the log. Already folded into the state.
    pub events: Vec<Event>,
    /// Actions to perform once the events are committed.
    pub actions: Vec<Action>,
    /// True if loops can continue at once: commit, then send [`Input::Advance`].
    pub has_more: bool,
}

/// An action outside of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Acquire a permit for a task, then send [`Input::StartTask`].
    Enqueue {
        /// The task.
        task: TaskPath,
    },
    /// Execute an attempt at a task, then send [`Input::EndTask`].
    Execute {
        /// The task.
        task: TaskPath,
        /// The node type.
        node_type: Arc<str>,
        /// The configuration and the policy.
        effect: Arc<Effect>,
        /// {label of the predecessor: its output}.
        inputs: Arc<Map<String, Value>>,
    },
    /// Wait, then send [`Input::RetryTask`].
    Wait {
        /// The task.
        task: TaskPath,
        /// The time of the next attempt.
        until: DateTime<Utc>,
    },
}

/// The error of a command that is invalid in the state of the run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The run has no open pause at this node, or no open pause at all.
    #[error("no open pause{}", .0.as_ref().map(|node| format!(" at the node \"{node}\"")).unwrap_or_default())]
    NoOpenPause(Option<String>),
    /// The run has ended.
    #[error("the run has ended with status {}", .0.as_str())]
    RunEnded(RunStatus),
    /// The run has already started.
    #[error("the run has already started")]
    AlreadyStarted,
    /// The run has not failed.
    #[error("only failed runs can be retried, the run is {}", .0.as_str())]
    NotFailed(RunStatus),
    /// The run is a row of a canceled batch.
    #[error("the batch of the run was canceled")]
    BatchCanceled,
}
