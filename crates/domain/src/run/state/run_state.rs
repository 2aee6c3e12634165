use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::pause::Pause;
use super::task::{Attempt, Frame, TaskState};
use crate::run::{
    CancelReason, Event, FailureKind, LoopIteration, OutputSize, RunStatus, TaskPath, TaskStatus,
};

/// The state of a run, folded from its log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    /// The status.
    pub status: RunStatus,
    /// {input node id: {field: value}}.
    pub inputs: Arc<Map<String, Value>>,
    /// The tasks at the top level. A node without a task is waiting.
    pub root: Frame,
    /// The batch settings, if the run is a batch. A batch has no tasks.
    pub batch: Option<Batch>,
    /// All pauses, oldest first.
    pub pauses: Vec<Pause>,
    /// The time when the run was accepted. `None` before its first event.
    pub started_at: Option<DateTime<Utc>>,
    /// The end time.
    pub ended_at: Option<DateTime<Utc>>,
    /// The number of folded events, which is the sequence number of the next event.
    pub length: u64,
    /// The number of effects that are queued, running or waiting for another attempt.
    pub active: usize,
    /// The total size of all outputs.
    pub size: OutputSize,
}

/// The settings of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The number of rows. Each row is a separate run.
    pub rows: u64,
    /// The maximum number of rows that run concurrently.
    pub mini_batch_size: u32,
}

impl RunState {
    /// Folds all `events`.
    #[must_use]
    pub fn from_log<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.fold(event);
        }
        state
    }

    /// Applies an event. An event that is impossible in this state only changes [`Self::length`]: reading a log never
    /// fails.
    pub fn fold(&mut self, event: &Event) {
        self.length += 1;
        match event {
            Event::RunStarted { inputs, at } => {
                self.inputs = Arc::clone(inputs);
                self.started_at = Some(*at);
            }
            Event::BatchStarted { rows, mini_batch_size, at } => {
                self.batch = Some(Batch { rows: *rows, mini_batch_size: *mini_batch_size });
                self.started_at = Some(*at);
            }
            Event::RowsStarted { .. } => self.mark_running(),
            Event::BatchCompleted { at } => self.mark_ended(RunStatus::Completed, *at),
            Event::TaskQueued { task, at } => self.queue_task(task, *at),
            Event::TaskStarted { task, attempt, at } => self.start_task(task, *attempt, *at),
            Event::TaskRetrying { task, error, kind, retry_at, at } => self.update(task, |t| {
                t.end_attempt(*at, Some((*kind, error)));
                t.failures += 1;
                t.retry_at = Some(*retry_at);
            }),
            Event::TaskReused { task, output, at } => self.reuse_task(task, output.as_ref(), *at),
            Event::LoopStarted { task, at } => {
                self.mark_running();
                self.update(task, |t| {
                    t.status = TaskStatus::Running;
                    t.started_at = Some(*at);
                });
            }
            Event::TaskCompleted { task, output, at } => {
                self.mark_running();
                self.size.add(output.as_deref().map(OutputSize::measure).unwrap_or_default());
                self.end_task(task, TaskStatus::Completed, *at, |t| t.output.clone_from(output));
            }
            Event::TaskFailed { task, error, kind, at } => {
                self.mark_running();
                self.end_task(task, TaskStatus::Failed, *at, |t| {
                    t.end_attempt(*at, Some((kind.unwrap_or(FailureKind::Error), error)));
                    t.error = Some(error.clone());
                });
            }
            Event::TaskCanceled { task, reason, at } => {
                self.end_task(task, TaskStatus::Canceled, *at, |t| t.canceled = Some(*reason));
            }
            Event::PauseOpened { task, message, input, block_only_dependent_nodes, at } => {
                self.mark_running();
                self.size.add(OutputSize::measure(input));
                self.update(task, |t| {
                    t.status = TaskStatus::Paused;
                    t.started_at = Some(*at);
                });
                self.pauses.push(Pause {
                    task: task.clone(),
                    message: message.clone(),
                    input: Arc::clone(input),
                    block_only_dependent_nodes: *block_only_dependent_nodes,
                    opened_at: *at,
                    decided: None,
                });
            }
            Event::PauseDecided { task, decision, at } => {
                if let Some(pause) = self.pauses.iter_mut().find(|p| p.is_open() && p.task == *task) {
                    pause.decided = Some((decision.clone(), *at));
                }
            }
            Event::RunPaused { .. } => self.status = RunStatus::Paused,
            Event::RunResumed { .. } => self.status = RunStatus::Running,
            Event::RunRetried { .. } if self.status == RunStatus::Failed => {
                self.root.reset_failures();
                self.status = RunStatus::Running;
                self.ended_at = None;
            }
            Event::RunRetried { .. } => {}
            Event::RunCompleted { at } => self.mark_ended(RunStatus::Completed, *at),
            Event::RunFailed { at } => self.mark_ended(RunStatus::Failed, *at),
            Event::RunCanceled { at } => {
                self.root.cancel_unfinished(*at);
                self.active = 0;
                self.mark_ended(RunStatus::Canceled, *at);
            }
        }
    }

    fn mark_running(&mut self) {
        if self.status == RunStatus::Pending {
            self.status = RunStatus::Running;
        }
    }

    fn mark_ended(&mut self, status: RunStatus, at: DateTime<Utc>) {
        self.status = status;
        self.ended_at = Some(at);
    }

    fn queue_task(&mut self, task: &TaskPath, at: DateTime<Utc>) {
        self.mark_running();
        self.activate(task, at, |t| {
            t.end_attempt(at, None);
            t.status = TaskStatus::Pending;
            t.queued_at = Some(at);
            t.retry_at = None;
        });
    }

    fn start_task(&mut self, task: &TaskPath, attempt: u32, at: DateTime<Utc>) {
        self.mark_running();
        self.activate(task, at, |t| {
            t.end_attempt(at, None);
            t.status = TaskStatus::Running;
            t.retry_at = None;
            t.attempts.push(Attempt {
                number: attempt,
                started_at: at,
                ended_at: None,
                error: None,
                failure: None,
            });
            let _ = t.started_at.get_or_insert(at);
        });
    }

    /// Changes a task and counts it as active.
    fn activate(&mut self, task: &TaskPath, at: DateTime<Utc>, change: impl FnOnce(&mut TaskState)) {
        let mut activated = false;
        self.update(task, |t| {
            activated = t.queued_at.is_none();
            let _ = t.queued_at.get_or_insert(at);
            change(t);
        });
        self.active += usize::from(activated);
    }

    fn reuse_task(&mut self, task: &TaskPath, output: Option<&Arc<Value>>, at: DateTime<Utc>) {
        let status = if output.is_some() { TaskStatus::Completed } else { TaskStatus::Canceled };
        self.size.add(output.map(|output| OutputSize::measure(output)).unwrap_or_default());
        self.end_task(task, status, at, |t| {
            t.reused = true;
            t.output = output.cloned();
            t.canceled = output.is_none().then_some(CancelReason::NullOutput);
        });
    }

    fn end_task(
        &mut self,
        task: &TaskPath,
        status: TaskStatus,
        at: DateTime<Utc>,
        change: impl FnOnce(&mut TaskState),
    ) {
        let frame = self.frame_mut(&task.scope);
        let state = frame.tasks.entry(task.node.clone()).or_default();
        if state.status.is_terminal() {
            return;
        }
        let was_active = state.is_active();
        state.status = status;
        state.retry_at = None;
        let _ = state.started_at.get_or_insert(at);
        state.ended_at = Some(at);
        change(state);
        state.end_attempt(at, None);
        frame.finished += 1;
        self.active -= usize::from(was_active);
    }

    fn update(&mut self, task: &TaskPath, change: impl FnOnce(&mut TaskState)) {
        let state = self.frame_mut(&task.scope).tasks.entry(task.node.clone()).or_default();
        if !state.status.is_terminal() {
            change(state);
        }
    }

    /// Returns the tasks of an iteration, or `None` if it has not started.
    #[must_use]
    pub fn frame(&self, scope: &[LoopIteration]) -> Option<&Frame> {
        scope.iter().try_fold(&self.root, |frame, step| {
            frame.tasks.get(&step.loop_id)?.iterations.get(step.iteration as usize)
        })
    }

    fn frame_mut(&mut self, scope: &[LoopIteration]) -> &mut Frame {
        scope.iter().fold(&mut self.root, |frame, step| {
            let iterations = &mut frame.tasks.entry(step.loop_id.clone()).or_default().iterations;
            let index = step.iteration as usize;
            if iterations.len() <= index {
                iterations.resize_with(index + 1, Frame::default);
            }
            &mut iterations[index]
        })
    }

    /// Returns the task at `path`, or `None` if it is waiting.
    #[must_use]
    pub fn task(&self, path: &TaskPath) -> Option<&TaskState> {
        self.frame(&path.scope)?.tasks.get(&path.node)
    }

    /// Returns the open pauses, oldest first. Empty once the run has ended.
    pub fn open_pauses(&self) -> impl DoubleEndedIterator<Item = &Pause> {
        let ended = self.status.is_terminal();
        self.pauses.iter().filter(move |pause| !ended && pause.is_open())
    }

    /// Returns true if an open pause keeps all nodes from starting.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.open_pauses().any(|pause| !pause.block_only_dependent_nodes)
    }
}
