//! Nodes that work outside of the log: they wait for a place, are begun, end, and may be tried again.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::decide::{Action, Decider, Level};
use super::plan::{Behaviour, Effect};
use super::values::Arrived;
use super::{Event, Failure, TaskPath, TaskStatus};

impl<'p> Decider<'p, '_> {
    /// Lets a node that is ready, or was interrupted, wait for a place.
    pub(super) fn enqueue(&mut self, task: TaskPath) {
        self.emit(Event::TaskQueued { task: task.clone(), at: self.now });
        self.decision.actions.push(Action::Enqueue { task });
    }

    /// A node that waits for a place has got one.
    pub(super) fn begin_effect(&mut self, task: TaskPath) {
        let waits = self.state.task(&task).is_some_and(|t| t.status == TaskStatus::Pending && t.is_active());
        let Some((level, index)) = self.locate(&task).filter(|_| waits && !self.state.status.is_terminal())
        else {
            return;
        };
        let node = &level.nodes[index];
        let Behaviour::Effect(effect) = &node.behaviour else { return };
        let inputs = match self.state.arrived(self.plan, level, &task.scope, index, &self.memo) {
            Arrived::Inputs { inputs, .. } => inputs.to_map(),
            Arrived::UpstreamFailure => Map::new(),
        };
        let attempt = self.state.task(&task).map_or(1, |t| t.attempts.len() as u32 + 1);
        self.emit(Event::TaskStarted { task: task.clone(), attempt, at: self.now });
        self.decision.actions.push(Action::Execute {
            task,
            node_type: Arc::clone(&node.node_type),
            effect: Arc::clone(effect),
            inputs: Arc::new(inputs),
        });
    }

    /// Takes what came of an attempt that ended at `at`.
    pub(super) fn finish(&mut self, task: &TaskPath, result: Result<Value, Failure>, at: DateTime<Utc>) {
        let runs = self.state.task(task).is_some_and(|t| t.status == TaskStatus::Running && t.is_at_work());
        let Some((level, index)) = self.locate(task).filter(|_| runs && !self.state.status.is_terminal())
        else {
            return;
        };
        let Behaviour::Effect(effect) = &level.nodes[index].behaviour else { return };
        let now = self.now;
        // It ended before its result was taken in here.
        self.now = at.min(now);
        if let Err(failure) = &result
            && self.try_again(task, failure, effect)
        {
            self.now = now;
            return;
        }
        self.end(task.clone(), result.map_err(|failure| (failure.error, Some(failure.kind))));
        self.now = now;
        self.follow(task);
        self.conclude();
    }

    /// Sees to another attempt, if there is to be one.
    fn try_again(&mut self, task: &TaskPath, failure: &Failure, effect: &Effect) -> bool {
        let failures = self.state.task(task).map_or(0, |t| t.failures) + 1;
        let delay = effect.policy.retry.delay(failures, failure.kind);
        let due = delay.and_then(|delay| self.now.checked_add_signed(TimeDelta::from_std(delay).ok()?));
        let Some(retry_at) = due else { return false };
        self.emit(Event::TaskRetrying {
            task: task.clone(),
            error: failure.error.clone(),
            kind: failure.kind,
            retry_at,
            at: self.now,
        });
        self.decision.actions.push(Action::Wait { task: task.clone(), until: retry_at });
        true
    }

    /// The time has come for the next attempt.
    pub(super) fn backoff_over(&mut self, task: TaskPath) {
        let due =
            self.state.task(&task).is_some_and(|t| t.status == TaskStatus::Running && t.retry_at.is_some());
        if due && !self.state.status.is_terminal() {
            self.enqueue(task);
        }
    }

    /// Takes up a node that an earlier driver has left.
    pub(super) fn recover_effect(&mut self, task: TaskPath) {
        let Some(state) = self.state.task(&task) else { return };
        match (state.status, state.retry_at) {
            (TaskStatus::Pending, _) => self.decision.actions.push(Action::Enqueue { task }),
            (TaskStatus::Running, Some(until)) => self.decision.actions.push(Action::Wait { task, until }),
            (TaskStatus::Running, None) => self.enqueue(task),
            (TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Paused | TaskStatus::Canceled, _) => {}
        }
    }

    fn locate(&self, task: &TaskPath) -> Option<(Level<'p>, usize)> {
        let level = self.plan.level(&task.scope)?;
        Some((level, level.index(&task.node)?))
    }
}
