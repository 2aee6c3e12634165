use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::command::Decision;
use crate::pause::PauseAction;
use crate::run::inputs::{LoopCache, ResolvedInputs};
use crate::run::{
    Behavior, CancelReason, Event, FailureKind, LoopIteration, MAX_OUTPUT_BYTES, MAX_OUTPUT_DEPTH,
    MAX_RUN_BYTES, MAX_RUN_VALUES, OutputSize, Plan, RunState, RunStatus, TaskPath, TaskState, TaskStatus,
};

/// The plan of a level: the whole run, or the body of a loop.
pub(super) type Level<'p> = &'p Plan;

pub(super) struct Decider<'p, 's> {
    pub(super) plan: &'p Plan,
    pub(super) state: &'s mut RunState,
    pub(super) now: DateTime<Utc>,
    pub(super) decision: Decision,
    pub(super) cache: LoopCache,
}

impl<'p, 's> Decider<'p, 's> {
    pub(super) fn new(plan: &'p Plan, state: &'s mut RunState, now: DateTime<Utc>) -> Self {
        Self { plan, state, now, decision: Decision::default(), cache: LoopCache::default() }
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.state.fold(&event);
        self.decision.events.push(event);
    }

    pub(super) fn resume(&mut self, recover: bool) {
        if self.state.length == 0 || self.state.status.is_terminal() {
            return;
        }
        if self.state.batch.is_some() {
            if self.state.status == RunStatus::Pending {
                self.emit(Event::RowsStarted { at: self.now });
            }
            return;
        }
        let plan = self.plan;
        self.resume_level(plan, &[], recover);
        self.conclude();
    }

    /// Starts all ready nodes. With `recover`, also restarts unfinished effects.
    fn resume_level(&mut self, level: Level<'p>, scope: &[LoopIteration], recover: bool) {
        for index in 0..level.nodes.len() {
            let node = &level.nodes[index];
            let path = TaskPath::new(scope, &node.id);
            let Some(task) = self.state.task(&path) else { continue };
            match &node.behavior {
                Behavior::Loop(body) if task.status == TaskStatus::Running => {
                    if let Some(last) = task.iterations.len().checked_sub(1) {
                        let iteration = path.iteration_scope(u32::try_from(last).unwrap_or(u32::MAX));
                        self.resume_level(&body.body, &iteration, recover);
                    }
                    self.advance_loop(&path, body);
                }
                Behavior::Effect(_) if recover && task.is_active() => self.recover_effect(path),
                _ => {}
            }
        }
        self.advance(level, scope, (0..level.nodes.len()).collect());
    }

    /// Starts the nodes that waited for `task`, in its level and in the levels around it.
    pub(super) fn start_successors(&mut self, task: &TaskPath) {
        // The chain of levels from the top down to the task.
        let mut chain: Vec<(Level<'p>, usize)> = Vec::new();
        let mut level = self.plan;
        for step in &task.scope {
            let Some(index) = level.index(&step.loop_id) else { return };
            chain.push((level, index));
            let Behavior::Loop(body) = &level.nodes[index].behavior else { return };
            level = &body.body;
        }
        let Some(index) = level.index(&task.node) else { return };
        self.advance(level, &task.scope, level.nodes[index].outgoing.clone());
        for (depth, (level, index)) in chain.iter().enumerate().rev() {
            let path = TaskPath::new(&task.scope[..depth], &level.nodes[*index].id);
            let Behavior::Loop(body) = &level.nodes[*index].behavior else { return };
            if !self.advance_loop(&path, body) {
                return;
            }
            self.advance(level, &task.scope[..depth], level.nodes[*index].outgoing.clone());
        }
    }

    /// Ends or pauses the run if nothing else can happen.
    pub(super) fn conclude(&mut self) {
        let at = self.now;
        if self.state.active > 0 || self.decision.has_more || self.state.status.is_terminal() {
            return;
        }
        if self.state.root.finished < self.plan.nodes.len() {
            if self.state.status != RunStatus::Paused && self.state.open_pauses().next().is_some() {
                self.emit(Event::RunPaused { at });
            }
            return;
        }
        let has_failed = self.state.root.tasks.values().any(|task| task.status == TaskStatus::Failed);
        let event = if has_failed {
            Event::RunFailed { at }
        } else if self.has_declined_gate() && !self.has_output() {
            Event::RunCanceled { at }
        } else {
            Event::RunCompleted { at }
        };
        self.emit(event);
    }

    fn has_declined_gate(&self) -> bool {
        let mut decisions = self.state.pauses.iter().filter_map(|pause| pause.decided.as_ref());
        decisions.any(|(decision, _)| decision.action == PauseAction::Decline)
    }

    fn has_output(&self) -> bool {
        let mut leaves = self.plan.nodes.iter().filter(|node| node.outgoing.is_empty());
        leaves.any(|leaf| {
            self.state.root.tasks.get(&*leaf.id).is_some_and(|task| task.status == TaskStatus::Completed)
        })
    }

    /// Starts the `candidates` that are ready, then the nodes that become ready as a result, and so on.
    pub(super) fn advance(&mut self, level: Level<'p>, scope: &[LoopIteration], candidates: Vec<usize>) {
        let mut wave = candidates;
        loop {
            wave.retain(|index| self.is_ready(level, scope, *index));
            if wave.is_empty() || self.state.is_blocked() {
                return;
            }
            // Gates are last: nodes that become ready together with a blocking gate still start.
            wave.sort_by_key(|index| (matches!(level.nodes[*index].behavior, Behavior::Gate(_)), *index));
            let mut next = Vec::new();
            for index in wave {
                if self.start_node(level, scope, index) {
                    next.extend_from_slice(&level.nodes[index].outgoing);
                }
            }
            next.sort_unstable();
            next.dedup();
            wave = next;
        }
    }

    fn is_ready(&self, level: Level<'p>, scope: &[LoopIteration], index: usize) -> bool {
        let node = &level.nodes[index];
        let Some(frame) = self.state.frame(scope) else { return node.incoming.is_empty() };
        let has_ended = |source: usize| {
            frame.tasks.get(&*level.nodes[source].id).is_some_and(|task| task.status.is_terminal())
        };
        !frame.tasks.get(&*node.id).is_some_and(TaskState::has_started)
            && node.incoming.iter().all(|edge| has_ended(edge.source))
    }

    /// Starts a ready node. Returns true if it has already ended.
    fn start_node(&mut self, level: Level<'p>, scope: &[LoopIteration], index: usize) -> bool {
        let node = &level.nodes[index];
        let path = TaskPath::new(scope, &node.id);
        let (inputs, nulls) = match self.state.resolve_inputs(self.plan, level, scope, index, &self.cache) {
            ResolvedInputs::Ready { inputs, nulls } => (inputs, nulls),
            ResolvedInputs::UpstreamFailure => return self.cancel_task(path, CancelReason::UpstreamFailure),
        };
        let any_is_enough = matches!(node.behavior, Behavior::ComputeAny(_));
        if (any_is_enough && inputs.0.is_empty()) || (!any_is_enough && nulls > 0) {
            return self.cancel_task(path, CancelReason::NullInput);
        }
        match &node.behavior {
            Behavior::Input(check) => {
                let input = self.state.level_input(self.plan, scope, &node.id, &self.cache);
                match check.check(&input) {
                    Ok(()) => self.emit(Event::TaskCompleted { task: path, output: None, at: self.now }),
                    Err(error) => self.end_task(path, Err(error)),
                }
                true
            }
            Behavior::Compute(compute) | Behavior::ComputeAny(compute) => {
                self.end_task(path, compute.compute(&inputs));
                true
            }
            Behavior::Invalid(reason) => {
                self.end_task(path, Err(reason.to_string()));
                true
            }
            Behavior::Gate(policy) => self.open_pause(path, policy, &inputs),
            Behavior::Effect(_) => {
                self.enqueue(path);
                false
            }
            Behavior::Loop(body) => {
                self.emit(Event::LoopStarted { task: path.clone(), at: self.now });
                self.advance_loop(&path, body)
            }
        }
    }

    /// Ends a task that is not an effect.
    pub(super) fn end_task(&mut self, task: TaskPath, result: Result<Value, String>) {
        self.end_with_kind(task, result.map_err(|error| (error, None)));
    }

    /// Ends a task. The error of a failed effect comes with its kind.
    pub(super) fn end_with_kind(
        &mut self,
        task: TaskPath,
        result: Result<Value, (String, Option<FailureKind>)>,
    ) {
        let at = self.now;
        self.emit(match result.and_then(|output| self.check_size(output).map_err(|error| (error, None))) {
            Ok(Value::Null) => Event::TaskCanceled { task, reason: CancelReason::NullOutput, at },
            Ok(output) => Event::TaskCompleted { task, output: Some(Arc::new(output)), at },
            Err((error, kind)) => Event::TaskFailed { task, error, kind, at },
        });
    }

    /// Checks an output against the limits on the size of a run.
    pub(super) fn check_size(&self, output: Value) -> Result<Value, String> {
        let OutputSize { bytes, values, depth } = OutputSize::measure(&output);
        if depth > MAX_OUTPUT_DEPTH {
            return Err(format!(
                "The output is nested {depth} levels deep, the limit is {MAX_OUTPUT_DEPTH}. Flatten it."
            ));
        }
        if bytes > MAX_OUTPUT_BYTES {
            return Err(format!("The output has {bytes} bytes, the limit is {MAX_OUTPUT_BYTES}. Reduce it."));
        }
        if self.state.size.bytes + bytes > MAX_RUN_BYTES {
            return Err(format!(
                "The outputs of the run exceed the limit of {MAX_RUN_BYTES} bytes. Reduce them."
            ));
        }
        if self.state.size.values + values > MAX_RUN_VALUES {
            return Err(format!(
                "The outputs of the run exceed the limit of {MAX_RUN_VALUES} values. Reduce them."
            ));
        }
        Ok(output)
    }

    fn cancel_task(&mut self, task: TaskPath, reason: CancelReason) -> bool {
        self.emit(Event::TaskCanceled { task, reason, at: self.now });
        true
    }
}
