use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::command::Action;
use super::decider::{Decider, Level};
use crate::run::inputs::ResolvedInputs;
use crate::run::{Behavior, Effect, Event, Failure, TaskPath, TaskStatus};

impl<'p> Decider<'p, '_> {
    /// Queues an effect that is ready, or was interrupted, for a permit.
    pub(super) fn enqueue(&mut self, task: TaskPath) {
        self.emit(Event::TaskQueued { task: task.clone(), at: self.now });
        self.decision.actions.push(Action::Enqueue { task });
    }

    /// Starts an attempt at a queued effect.
    pub(super) fn start_effect(&mut self, task: TaskPath) {
        let is_queued =
            self.state.task(&task).is_some_and(|t| t.status == TaskStatus::Pending && t.is_active());
        let Some((level, index)) =
            self.locate(&task).filter(|_| is_queued && !self.state.status.is_terminal())
        else {
            return;
        };
        let node = &level.nodes[index];
        let Behavior::Effect(effect) = &node.behavior else { return };
        let inputs = match self.state.resolve_inputs(self.plan, level, &task.scope, index, &self.cache) {
            ResolvedInputs::Ready { inputs, .. } => inputs.to_map(),
            ResolvedInputs::UpstreamFailure => Map::new(),
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

    /// Ends an attempt that ended at `at`, and retries the task if its policy says so.
    pub(super) fn end_effect(&mut self, task: &TaskPath, result: Result<Value, Failure>, at: DateTime<Utc>) {
        let is_running =
            self.state.task(task).is_some_and(|t| t.status == TaskStatus::Running && t.is_executing());
        let Some((level, index)) =
            self.locate(task).filter(|_| is_running && !self.state.status.is_terminal())
        else {
            return;
        };
        let Behavior::Effect(effect) = &level.nodes[index].behavior else { return };
        let now = self.now;
        // The attempt ended before this decision.
        self.now = at.min(now);
        if let Err(failure) = &result
            && self.schedule_retry(task, failure, effect)
        {
            self.now = now;
            return;
        }
        self.end_with_kind(task.clone(), result.map_err(|failure| (failure.error, Some(failure.kind))));
        self.now = now;
        self.start_successors(task);
        self.conclude();
    }

    /// Schedules the next attempt, if the policy allows one.
    fn schedule_retry(&mut self, task: &TaskPath, failure: &Failure, effect: &Effect) -> bool {
        let failures = self.state.task(task).map_or(0, |t| t.failures) + 1;
        let delay = effect.policy.retry.delay(failures, failure.kind);
        let retry_at = delay.and_then(|delay| self.now.checked_add_signed(TimeDelta::from_std(delay).ok()?));
        let Some(retry_at) = retry_at else { return false };
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

    /// Queues the next attempt at an effect after its backoff.
    pub(super) fn retry_effect(&mut self, task: TaskPath) {
        let is_due =
            self.state.task(&task).is_some_and(|t| t.status == TaskStatus::Running && t.retry_at.is_some());
        if is_due && !self.state.status.is_terminal() {
            self.enqueue(task);
        }
    }

    /// Restarts an effect that an earlier driver left unfinished.
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
