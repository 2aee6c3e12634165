use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::limits::{
    MAX_LOOP_EVENTS, MAX_OUTPUT_BYTES, MAX_OUTPUT_DEPTH, MAX_RUN_BYTES, MAX_RUN_VALUES, Size,
};
use super::plan::{Behaviour, Effect, Inputs, LoopPlan, Plan};
use super::values::{Arrived, Memo};
use super::{
    Batch, CancelReason, Event, Failure, FailureKind, Reused, RunState, RunStatus, Scope, TaskPath,
    TaskState, TaskStatus,
};
use crate::pause::{PauseAction, PauseDecision, PausePolicy};

/// What a run is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Begin, with {input node id: {field: value}}.
    Start(Arc<Map<String, Value>>),
    /// A driver takes the run up: what an earlier driver had begun and not finished is begun again, and
    /// the run goes on as far as possible.
    Recover,
    /// Go on as far as possible.
    Advance,
    /// Begin a batch.
    StartBatch(Batch),
    /// Every row of the batch has ended.
    RowsEnded,
    /// What another run has found out is taken over; only told to a run that has just begun.
    Reuse(Vec<Reused>),
    /// A node that waits for a place has got one.
    Begin(TaskPath),
    /// An attempt at a node gave this, at this time.
    Ended(TaskPath, Result<Value, Failure>, DateTime<Utc>),
    /// The wait before a node's next attempt is over.
    BackoffOver(TaskPath),
    /// A run that has failed goes on from where it failed.
    Retry,
    /// A person decided: on the gate with this node id, or on the oldest open one.
    Decide(Option<String>, PauseDecision),
    /// The run is called off.
    Cancel,
}

/// What an input leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// What happened, to be committed to the log. Already folded into the state.
    pub events: Vec<Event>,
    /// What is to be done once the events are committed, and not before.
    pub actions: Vec<Action>,
    /// Whether loops have more to do at once: commit, then say [`Input::Advance`].
    pub has_more: bool,
}

/// Work that happens outside of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Find a place for a node, then say [`Input::Begin`].
    Enqueue {
        /// Which.
        task: TaskPath,
    },
    /// Execute a node once, then say [`Input::Ended`].
    Execute {
        /// Which.
        task: TaskPath,
        /// The kind of the node.
        node_type: Arc<str>,
        /// Its configuration, and how long it may take.
        effect: Arc<Effect>,
        /// {label of the predecessor: its output}.
        inputs: Arc<Map<String, Value>>,
    },
    /// Wait, then say [`Input::BackoffOver`].
    Wait {
        /// For which node.
        task: TaskPath,
        /// Until when.
        until: DateTime<Utc>,
    },
}

/// Why an input can't be taken in this state. The state is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no open pause, or none at the node that was named.
    #[error("no pause is open{}", .0.as_ref().map(|node| format!(" at the node \"{node}\"")).unwrap_or_default())]
    NoOpenPause(Option<String>),
    /// The run has ended.
    #[error("the run has ended: it is {}", .0.as_str())]
    Ended(RunStatus),
    /// The run has begun already.
    #[error("the run has begun already")]
    AlreadyStarted,
    /// Only a run that has failed can be retried.
    #[error("only a run that has failed can be retried: it is {}", .0.as_str())]
    NotFailed(RunStatus),
    /// The run is a row of a batch that was canceled, and with it every row.
    #[error("the batch of the run was canceled")]
    BatchCanceled,
}

/// Says what `input` leads to, and folds it into `state`, so that `state` is at every time what its log
/// tells. Pure but for that: the same plan, state, input and time give the same decision.
///
/// A result for a task that isn't running any more leads to nothing.
///
/// # Errors
/// When the input makes no sense in this state.
pub fn decide(
    plan: &Plan,
    state: &mut RunState,
    input: Input,
    now: DateTime<Utc>,
) -> Result<Decision, Refusal> {
    let mut decider = Decider { plan, state, now, decision: Decision::default(), memo: Memo::default() };
    match input {
        Input::Start(inputs) => decider.start(inputs)?,
        Input::Recover => decider.resume(true),
        Input::Advance => decider.resume(false),
        Input::StartBatch(batch) => decider.start_batch(batch)?,
        Input::RowsEnded => decider.complete_batch(),
        Input::Reuse(reused) => decider.reuse(reused),
        Input::Begin(task) => decider.begin_effect(task),
        Input::Ended(task, result, at) => decider.finish(&task, result, at),
        Input::BackoffOver(task) => decider.backoff_over(task),
        Input::Retry => decider.retry()?,
        Input::Decide(node, pause_decision) => decider.pause_decide(node, pause_decision)?,
        Input::Cancel => decider.cancel()?,
    }
    Ok(decider.decision)
}

/// How many events one decision makes before loops are left to the next.
const LOOP_BATCH: usize = 1_000;

/// The level that a frame belongs to: the top, or the body of a loop.
pub(super) type Level<'p> = &'p Plan;

pub(super) struct Decider<'p, 's> {
    pub(super) plan: &'p Plan,
    pub(super) state: &'s mut RunState,
    pub(super) now: DateTime<Utc>,
    pub(super) decision: Decision,
    pub(super) memo: Memo,
}

impl<'p> Decider<'p, '_> {
    pub(super) fn emit(&mut self, event: Event) {
        self.state.fold(&event);
        self.decision.events.push(event);
    }

    fn start(&mut self, inputs: Arc<Map<String, Value>>) -> Result<(), Refusal> {
        if self.state.length > 0 {
            return Err(Refusal::AlreadyStarted);
        }
        self.emit(Event::RunStarted { inputs, at: self.now });
        Ok(())
    }

    fn start_batch(&mut self, batch: Batch) -> Result<(), Refusal> {
        if self.state.length > 0 {
            return Err(Refusal::AlreadyStarted);
        }
        let Batch { rows, mini_batch_size } = batch;
        self.emit(Event::BatchStarted { rows, mini_batch_size, at: self.now });
        Ok(())
    }

    fn complete_batch(&mut self) {
        if self.state.batch.is_some() && !self.state.status.is_terminal() {
            self.emit(Event::BatchCompleted { at: self.now });
        }
    }

    fn reuse(&mut self, reused: Vec<Reused>) {
        for Reused { node, output } in reused {
            self.emit(Event::TaskReused { task: TaskPath::new(&[], &node), output, at: self.now });
        }
    }

    fn retry(&mut self) -> Result<(), Refusal> {
        if self.state.status != RunStatus::Failed {
            return Err(Refusal::NotFailed(self.state.status));
        }
        self.emit(Event::RunRetried { at: self.now });
        Ok(())
    }

    fn pause_decide(&mut self, node: Option<String>, decision: PauseDecision) -> Result<(), Refusal> {
        let matches = |id: &String| node.as_ref().is_none_or(|node| node == id);
        let Some(pause) = self.state.open_pauses().find(|pause| matches(&pause.task.node)) else {
            return Err(Refusal::NoOpenPause(node));
        };
        let (task, paused) = (pause.task.clone(), Arc::clone(&pause.input));
        let output = decision.output(&paused).map(Arc::new);
        let at = self.now;
        self.emit(Event::PauseDecided { task: task.clone(), decision, at });
        match output {
            output @ Some(_) => self.emit(Event::TaskCompleted { task, output, at }),
            None => self.emit(Event::TaskCanceled { task, reason: CancelReason::Declined, at }),
        }
        if self.state.status == RunStatus::Paused {
            self.emit(Event::RunResumed { at });
        }
        Ok(())
    }

    fn cancel(&mut self) -> Result<(), Refusal> {
        if self.state.status.is_terminal() {
            return Err(Refusal::Ended(self.state.status));
        }
        self.emit(Event::RunCanceled { at: self.now });
        Ok(())
    }

    fn resume(&mut self, recover: bool) {
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

    /// Starts whatever is ready; to recover, begins again what was begun and has no result.
    fn resume_level(&mut self, level: Level<'p>, scope: &[Scope], recover: bool) {
        for index in 0..level.nodes.len() {
            let node = &level.nodes[index];
            let path = TaskPath::new(scope, &node.id);
            let Some(task) = self.state.task(&path) else { continue };
            match &node.behaviour {
                Behaviour::Loop(body) if task.status == TaskStatus::Running => {
                    if let Some(last) = task.iterations.len().checked_sub(1) {
                        let iteration = path.iteration(u32::try_from(last).unwrap_or(u32::MAX));
                        self.resume_level(&body.body, &iteration, recover);
                    }
                    self.go_round(&path, body);
                }
                Behaviour::Effect(_) if recover && task.is_active() => self.recover_effect(path),
                _ => {}
            }
        }
        self.advance(level, scope, (0..level.nodes.len()).collect());
    }

    /// Starts what waited for `task`, in its level and in the levels around it.
    pub(super) fn follow(&mut self, task: &TaskPath) {
        // The chain of levels from the top down to the task.
        let mut chain: Vec<(Level<'p>, usize)> = Vec::new();
        let mut level = self.plan;
        for step in &task.scope {
            let Some(index) = level.index(&step.loop_id) else { return };
            chain.push((level, index));
            let Behaviour::Loop(body) = &level.nodes[index].behaviour else { return };
            level = &body.body;
        }
        let Some(index) = level.index(&task.node) else { return };
        self.advance(level, &task.scope, level.nodes[index].outgoing.clone());
        for (depth, (level, index)) in chain.iter().enumerate().rev() {
            let path = TaskPath::new(&task.scope[..depth], &level.nodes[*index].id);
            let Behaviour::Loop(body) = &level.nodes[*index].behaviour else { return };
            if !self.go_round(&path, body) {
                return;
            }
            self.advance(level, &task.scope[..depth], level.nodes[*index].outgoing.clone());
        }
    }

    /// Ends the run or pauses it, when nothing else can happen.
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
        let failed = self.state.root.tasks.values().any(|task| task.status == TaskStatus::Failed);
        let event = if failed {
            Event::RunFailed { at }
        } else if self.was_declined() && !self.gave_an_output() {
            Event::RunCanceled { at }
        } else {
            Event::RunCompleted { at }
        };
        self.emit(event);
    }

    fn was_declined(&self) -> bool {
        let declined = |decision: &PauseDecision| decision.action == PauseAction::Decline;
        self.state.pauses.iter().any(|pause| pause.decided.as_ref().is_some_and(|(d, _)| declined(d)))
    }

    fn gave_an_output(&self) -> bool {
        let mut leaves = self.plan.nodes.iter().filter(|node| node.outgoing.is_empty());
        leaves.any(|leaf| {
            self.state.root.tasks.get(&*leaf.id).is_some_and(|t| t.status == TaskStatus::Completed)
        })
    }

    /// Starts those of `candidates` that are ready, then what became ready by that, and so on.
    fn advance(&mut self, level: Level<'p>, scope: &[Scope], candidates: Vec<usize>) {
        let mut wave = candidates;
        loop {
            wave.retain(|index| self.is_ready(level, scope, *index));
            if wave.is_empty() || self.state.is_held() {
                return;
            }
            // Gates last: what is ready at the same time as a gate that holds everything still starts.
            wave.sort_by_key(|index| (matches!(level.nodes[*index].behaviour, Behaviour::Gate(_)), *index));
            let mut next = Vec::new();
            for index in wave {
                if self.begin(level, scope, index) {
                    next.extend_from_slice(&level.nodes[index].outgoing);
                }
            }
            next.sort_unstable();
            next.dedup();
            wave = next;
        }
    }

    fn is_ready(&self, level: Level<'p>, scope: &[Scope], index: usize) -> bool {
        let node = &level.nodes[index];
        let Some(frame) = self.state.frame(scope) else { return node.incoming.is_empty() };
        let ended = |source: usize| {
            frame.tasks.get(&*level.nodes[source].id).is_some_and(|task| task.status.is_terminal())
        };
        !frame.tasks.get(&*node.id).is_some_and(TaskState::has_begun)
            && node.incoming.iter().all(|edge| ended(edge.source))
    }

    /// Begins a node that is ready. Answers whether it has ended already.
    fn begin(&mut self, level: Level<'p>, scope: &[Scope], index: usize) -> bool {
        let node = &level.nodes[index];
        let path = TaskPath::new(scope, &node.id);
        let (inputs, nulls) = match self.state.arrived(self.plan, level, scope, index, &self.memo) {
            Arrived::Inputs { inputs, nulls } => (inputs, nulls),
            Arrived::UpstreamFailure => return self.cancel_task(path, CancelReason::UpstreamFailure),
        };
        let takes_any = matches!(node.behaviour, Behaviour::ComputeAny(_));
        if (takes_any && inputs.0.is_empty()) || (!takes_any && nulls > 0) {
            return self.cancel_task(path, CancelReason::NullInput);
        }
        match &node.behaviour {
            Behaviour::Input(check) => {
                let input = self.state.level_input(self.plan, scope, &node.id, &self.memo);
                match check.check(&input) {
                    Ok(()) => self.emit(Event::TaskCompleted { task: path, output: None, at: self.now }),
                    Err(error) => self.end_task(path, Err(error)),
                }
                true
            }
            Behaviour::Compute(compute) | Behaviour::ComputeAny(compute) => {
                self.end_task(path, compute.compute(&inputs));
                true
            }
            Behaviour::Broken(why) => {
                self.end_task(path, Err(why.to_string()));
                true
            }
            Behaviour::Gate(policy) => self.open_pause(path, policy, &inputs),
            Behaviour::Effect(_) => {
                self.enqueue(path);
                false
            }
            Behaviour::Loop(body) => {
                self.emit(Event::LoopStarted { task: path.clone(), at: self.now });
                self.go_round(&path, body)
            }
        }
    }

    fn end_task(&mut self, task: TaskPath, result: Result<Value, String>) {
        self.end(task, result.map_err(|error| (error, None)));
    }

    /// Ends a task; a failed one with the error and, if it worked outside of the log, its kind.
    pub(super) fn end(&mut self, task: TaskPath, result: Result<Value, (String, Option<FailureKind>)>) {
        let at = self.now;
        self.emit(match result.and_then(|output| self.bounded(output).map_err(|error| (error, None))) {
            Ok(Value::Null) => Event::TaskCanceled { task, reason: CancelReason::NullOutput, at },
            Ok(output) => Event::TaskCompleted { task, output: Some(Arc::new(output)), at },
            Err((error, kind)) => Event::TaskFailed { task, error, kind, at },
        });
    }

    /// The output, if the run has room for it.
    fn bounded(&self, output: Value) -> Result<Value, String> {
        let Size { bytes, values, depth } = Size::of(&output);
        if depth > MAX_OUTPUT_DEPTH {
            return Err(format!("The output is nested {depth} deep, at most {MAX_OUTPUT_DEPTH} are taken."));
        }
        if bytes > MAX_OUTPUT_BYTES {
            return Err(format!("The output has {bytes} bytes, at most {MAX_OUTPUT_BYTES} are taken."));
        }
        if self.state.size.bytes + bytes > MAX_RUN_BYTES {
            return Err(format!("The outputs of the run would have more than {MAX_RUN_BYTES} bytes."));
        }
        if self.state.size.values + values > MAX_RUN_VALUES {
            return Err(format!("The outputs of the run would hold more than {MAX_RUN_VALUES} values."));
        }
        Ok(output)
    }

    fn cancel_task(&mut self, task: TaskPath, reason: CancelReason) -> bool {
        self.emit(Event::TaskCanceled { task, reason, at: self.now });
        true
    }

    /// Stops at a gate. Answers whether the gate has ended instead, for want of room.
    fn open_pause(&mut self, task: TaskPath, policy: &PausePolicy, inputs: &Inputs) -> bool {
        match self.bounded(Value::Object(inputs.to_map())) {
            Ok(input) => self.emit(Event::PauseOpened {
                task,
                message: policy.message.clone(),
                input: Arc::new(input),
                block_only_dependent_nodes: policy.block_only_dependent_nodes,
                at: self.now,
            }),
            Err(error) => {
                self.end_task(task, Err(error));
                return true;
            }
        }
        false
    }

    /// Brings a running loop on: begins its first iteration, or the next when one has ended, or ends
    /// the loop. Answers whether the loop has ended.
    fn go_round(&mut self, path: &TaskPath, body: &'p LoopPlan) -> bool {
        loop {
            let Some(task) = self.state.task(path) else { return false };
            if task.status.is_terminal() {
                return true;
            }
            let begun = task.iterations.len();
            if let Some(last) = task.iterations.last() {
                if last.finished < body.body.nodes.len() {
                    return false;
                }
                if let Some(result) = iteration_failure(begun, last, body) {
                    self.end_task(path.clone(), result);
                    return true;
                }
            }
            if self.state.is_held() && begun < body.iterations as usize {
                return false;
            }
            if begun >= body.iterations as usize {
                let output = self.state.loop_output(self.plan, path, body, &self.memo);
                self.end_task(path.clone(), Ok(output));
                return true;
            }
            // Long loops are brought on in pieces, so that they are committed on the way and can be canceled.
            if self.decision.events.len() > LOOP_BATCH {
                self.decision.has_more = true;
                return false;
            }
            // The nodes at the top have their events whatever loops do.
            if self.state.length > MAX_LOOP_EVENTS + 2 * self.plan.nodes.len() as u64 {
                let error = format!("The loops of the run make more than {MAX_LOOP_EVENTS} events.");
                self.end_task(path.clone(), Err(error));
                return true;
            }
            let scope = path.iteration(u32::try_from(begun).unwrap_or(u32::MAX));
            self.advance(&body.body, &scope, (0..body.body.nodes.len()).collect());
            let progressed = self.state.task(path).is_some_and(|task| task.iterations.len() > begun);
            if !progressed {
                // An empty body, or one of which nothing can begin: nothing will ever come of it.
                self.end_task(path.clone(), Err("The body of the loop has nothing to run.".to_owned()));
                return true;
            }
        }
    }
}

/// How the loop ends with an iteration that gave no output; none when the iteration gave one.
fn iteration_failure(
    begun: usize,
    iteration: &super::Frame,
    body: &LoopPlan,
) -> Option<Result<Value, String>> {
    let failed = body.body.nodes.iter().find_map(|node| {
        let task = iteration.tasks.get(&*node.id)?;
        (task.status == TaskStatus::Failed).then(|| (&node.id, task.error.as_deref().unwrap_or_default()))
    });
    if let Some((id, error)) = failed {
        return Some(Err(format!("The node \"{id}\" failed in iteration {begun}: {error}")));
    }
    let output = iteration.tasks.get(&*body.body.nodes[body.output].id)?;
    (output.status != TaskStatus::Completed).then_some(Ok(Value::Null))
}
