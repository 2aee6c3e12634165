use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sluice_domain::run::{Action, Failure, FailureKind, Input, TaskPath};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;
use uuid::Uuid;

use crate::clock;
use crate::executors::Executors;
use crate::fair_semaphore::{FairSemaphore, Permit};

/// Shared resources of all task runners. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RunnerContext {
    pub(crate) executors: Executors,
    /// Limits the nodes with side effects that execute at the same time.
    pub(crate) node_slots: FairSemaphore,
}

/// The actions in progress of one run: nodes that wait for a slot, nodes that execute, and delays before the next
/// attempt. Dropping the runner stops them.
pub(crate) struct TaskRunner {
    context: RunnerContext,
    workflow: Uuid,
    /// Canceled when the run is about to be canceled. Then no more nodes start.
    canceled: CancellationToken,
    tasks: JoinSet<TaskResult>,
    /// Permits of nodes that are about to start.
    permits: HashMap<TaskPath, Permit>,
}

enum TaskResult {
    Acquired(TaskPath, Permit),
    Input(Input),
}

impl TaskRunner {
    pub(crate) fn new(context: RunnerContext, workflow: Uuid, canceled: CancellationToken) -> Self {
        Self { context, workflow, canceled, tasks: JoinSet::new(), permits: HashMap::new() }
    }

    /// Returns true if no action is in progress.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Takes a permit for a node if a slot is free. Returns true if the node may start.
    pub(crate) fn try_acquire(&mut self, task: &TaskPath) -> bool {
        if self.canceled.is_cancelled() {
            return false;
        }
        let Some(permit) = self.context.node_slots.try_acquire(self.workflow) else { return false };
        self.permits.insert(task.clone(), permit);
        true
    }

    /// Releases the permits of all nodes except for those that `inputs` start.
    pub(crate) fn release_permits_except(&mut self, inputs: &[Input]) {
        self.permits
            .retain(|task, _| inputs.iter().any(|input| matches!(input, Input::StartTask(t) if t == task)));
    }

    /// Stops all actions.
    pub(crate) fn stop(&mut self) {
        self.tasks.abort_all();
        self.permits.clear();
    }

    /// Waits for the next input that an action produces. Returns `None` if no action is in progress.
    pub(crate) async fn next_input(&mut self) -> Option<Input> {
        loop {
            match self.tasks.join_next().await? {
                Ok(TaskResult::Input(input)) => return Some(input),
                Ok(TaskResult::Acquired(task, permit)) => {
                    self.permits.insert(task.clone(), permit);
                    return Some(Input::StartTask(task));
                }
                // The task was stopped, because the run has ended.
                Err(error) if error.is_cancelled() => {}
                Err(error) => error!(%error, workflow = %self.workflow, "task of a run failed"),
            }
        }
    }

    /// Performs actions. Their events have been committed.
    pub(crate) fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Enqueue { task } => self.acquire(task),
                Action::Execute { .. } => self.execute(action),
                Action::Wait { task, until } => self.wait(task, until),
            }
        }
    }

    fn acquire(&mut self, task: TaskPath) {
        let acquire = self.context.node_slots.acquire(self.workflow);
        let canceled = self.canceled.clone();
        self.tasks.spawn(async move {
            let permit = acquire.wait().await;
            if canceled.is_cancelled() {
                drop(permit);
                std::future::pending().await
            } else {
                TaskResult::Acquired(task, permit)
            }
        });
    }

    fn execute(&mut self, action: Action) {
        let Action::Execute { task, node_type, effect, inputs } = action else { return };
        let permit = self.permits.remove(&task);
        let executors = self.context.executors.clone();
        self.tasks.spawn(async move {
            let execution = executors.execute(&node_type, &effect, &inputs);
            let result = AssertUnwindSafe(execution).catch_unwind().await.unwrap_or_else(|_| {
                let error = "The node failed because of an internal server error.".to_owned();
                Err(Failure { kind: FailureKind::Crash, error })
            });
            drop(permit);
            TaskResult::Input(Input::EndTask { task, result, at: clock::now() })
        });
    }

    fn wait(&mut self, task: TaskPath, until: DateTime<Utc>) {
        self.tasks.spawn(async move {
            let delay = (until - clock::now()).to_std().unwrap_or(Duration::ZERO);
            tokio::time::sleep(delay).await;
            TaskResult::Input(Input::RetryTask(task))
        });
    }
}
