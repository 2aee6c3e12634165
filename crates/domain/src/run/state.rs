use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::limits::Size;
use super::{CancelReason, Event, FailureKind, RunStatus, Scope, TaskPath, TaskStatus};
use crate::pause::Pause;

/// A run, as its log tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    /// Where the run stands.
    pub status: RunStatus,
    /// {input node id: {field: value}}.
    pub inputs: Arc<Map<String, Value>>,
    /// The tasks at the top. A node without a task waits.
    pub root: Frame,
    /// The rows, if it is a batch. It has no tasks then.
    pub batch: Option<Batch>,
    /// Every pause of the run, the oldest first.
    pub pauses: Vec<Pause>,
    /// When the run was accepted; none before its first event.
    pub started_at: Option<DateTime<Utc>>,
    /// When the run ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How many events were folded: the sequence number of the next event, from 0.
    pub length: u64,
    /// How many tasks are at work outside of the log, or wait for a place or another attempt there.
    pub active: usize,
    /// What all outputs take up.
    pub size: Size,
}

/// What a batch is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many rows there are, each a run of its own.
    pub rows: u64,
    /// How many of them go on at the same time.
    pub mini_batch_size: u32,
}

/// The tasks of one level: of the whole run, or of one iteration of a loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// By node id; a node that waits has none.
    pub tasks: HashMap<String, TaskState>,
    /// How many of them have ended.
    pub finished: usize,
}

/// The work of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskState {
    /// Where it stands.
    pub status: TaskStatus,
    /// What it gave; none also for an input node, whose output is what its level was given.
    pub output: Option<Arc<Value>>,
    /// What went wrong.
    pub error: Option<String>,
    /// Why it was canceled.
    pub canceled: Option<CancelReason>,
    /// When it was ready and began to wait for a place, if it works outside of the log; the last time.
    pub queued_at: Option<DateTime<Utc>>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Every time that it was begun, if it works outside of the log.
    pub attempts: Vec<Attempt>,
    /// How many attempts have failed, since the run was begun or retried.
    pub failures: u32,
    /// When the next attempt is due, while it is waited for.
    pub retry_at: Option<DateTime<Utc>>,
    /// Whether its output was taken over from another run.
    pub reused: bool,
    /// The iterations, if it is a loop.
    pub iterations: Vec<Frame>,
}

/// One time that a node worked outside of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The how manieth time, from 1.
    pub number: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended, or was found to be interrupted.
    pub ended_at: Option<DateTime<Utc>>,
    /// What went wrong.
    pub error: Option<String>,
    /// Why it gave nothing; none also when it was interrupted.
    pub failure: Option<FailureKind>,
}

impl TaskState {
    /// Whether it has begun, or waits for a place to begin.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.status != TaskStatus::Pending || self.queued_at.is_some()
    }

    /// Whether it works outside of the log, or waits for a place or another attempt there.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.queued_at.is_some() && !self.status.is_terminal()
    }

    /// Returns true if the node was given its inputs: it started, and was not skipped for what arrived at it.
    #[must_use]
    pub fn has_inputs(&self) -> bool {
        let was_skipped = match self.canceled {
            Some(CancelReason::NullInput | CancelReason::UpstreamFailure) => true,
            // A reused null doesn't tell whether the node ran in the original run.
            Some(CancelReason::NullOutput) => self.reused,
            Some(CancelReason::Declined | CancelReason::RunCanceled) | None => false,
        };
        self.started_at.is_some() && !was_skipped
    }

    /// Whether an attempt is being made.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| attempt.ended_at.is_none())
    }

    fn end_attempt(&mut self, at: DateTime<Utc>, failure: Option<(FailureKind, &str)>) {
        let Some(attempt) = self.attempts.last_mut().filter(|attempt| attempt.ended_at.is_none()) else {
            return;
        };
        attempt.ended_at = Some(at);
        if let Some((kind, error)) = failure {
            attempt.failure = Some(kind);
            attempt.error = Some(error.to_owned());
        }
    }
}

impl Frame {
    /// Ends what has begun; what has not begun needs no task to be canceled in a canceled run.
    fn cancel_unfinished(&mut self, at: DateTime<Utc>) {
        for task in self.tasks.values_mut().filter(|task| !task.status.is_terminal()) {
            task.status = TaskStatus::Canceled;
            task.canceled = Some(CancelReason::RunCanceled);
            task.ended_at = Some(at);
            task.retry_at = None;
            task.end_attempt(at, None);
            task.iterations.iter_mut().for_each(|frame| frame.cancel_unfinished(at));
            self.finished += 1;
        }
    }

    /// Lets what failed, and what was canceled for it, run again; in loops only in the iteration that failed.
    fn forget_failures(&mut self) {
        let mut finished = self.finished;
        self.tasks.retain(|_, task| {
            let upstream = task.canceled == Some(CancelReason::UpstreamFailure);
            if task.status != TaskStatus::Failed && !upstream {
                return true;
            }
            finished -= 1;
            task.error = None;
            task.canceled = None;
            task.ended_at = None;
            task.failures = 0;
            task.retry_at = None;
            task.queued_at = None;
            if let Some(last) = task.iterations.last_mut() {
                last.forget_failures();
                task.status = TaskStatus::Running;
            } else {
                task.status = TaskStatus::Pending;
            }
            // The attempts that were made stay visible.
            task.has_begun() || !task.attempts.is_empty()
        });
        self.finished = finished;
    }
}

impl RunState {
    /// The state after all of `events`.
    #[must_use]
    pub fn from_log<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.fold(event);
        }
        state
    }

    /// Takes one event into the state. An event that doesn't fit the state changes nothing but
    /// [`Self::length`]: a log is read, never judged.
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
            Event::RowsStarted { .. } => self.run(),
            Event::BatchCompleted { at } => self.end(RunStatus::Completed, *at),
            Event::TaskQueued { task, at } => self.queue_task(task, *at),
            Event::TaskStarted { task, attempt, at } => self.start_task(task, *attempt, *at),
            Event::TaskRetrying { task, error, kind, retry_at, at } => self.update(task, |t| {
                t.end_attempt(*at, Some((*kind, error)));
                t.failures += 1;
                t.retry_at = Some(*retry_at);
            }),
            Event::TaskReused { task, output, at } => self.reuse_task(task, output.as_ref(), *at),
            Event::LoopStarted { task, at } => {
                self.run();
                self.update(task, |t| {
                    t.status = TaskStatus::Running;
                    t.started_at = Some(*at);
                });
            }
            Event::TaskCompleted { task, output, at } => {
                self.run();
                self.size.add(output.as_deref().map(Size::of).unwrap_or_default());
                self.end_task(task, TaskStatus::Completed, *at, |t| t.output.clone_from(output));
            }
            Event::TaskFailed { task, error, kind, at } => {
                self.run();
                self.end_task(task, TaskStatus::Failed, *at, |t| {
                    t.end_attempt(*at, Some((kind.unwrap_or(FailureKind::Error), error)));
                    t.error = Some(error.clone());
                });
            }
            Event::TaskCanceled { task, reason, at } => {
                self.end_task(task, TaskStatus::Canceled, *at, |t| t.canceled = Some(*reason));
            }
            Event::PauseOpened { task, message, input, block_only_dependent_nodes, at } => {
                self.run();
                self.size.add(Size::of(input));
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
                self.root.forget_failures();
                self.status = RunStatus::Running;
                self.ended_at = None;
            }
            Event::RunRetried { .. } => {}
            Event::RunCompleted { at } => self.end(RunStatus::Completed, *at),
            Event::RunFailed { at } => self.end(RunStatus::Failed, *at),
            Event::RunCanceled { at } => {
                self.root.cancel_unfinished(*at);
                self.active = 0;
                self.end(RunStatus::Canceled, *at);
            }
        }
    }

    fn run(&mut self) {
        if self.status == RunStatus::Pending {
            self.status = RunStatus::Running;
        }
    }

    fn end(&mut self, status: RunStatus, at: DateTime<Utc>) {
        self.status = status;
        self.ended_at = Some(at);
    }

    fn queue_task(&mut self, task: &TaskPath, at: DateTime<Utc>) {
        self.run();
        self.activate(task, at, |t| {
            t.end_attempt(at, None);
            t.status = TaskStatus::Pending;
            t.queued_at = Some(at);
            t.retry_at = None;
        });
    }

    fn start_task(&mut self, task: &TaskPath, attempt: u32, at: DateTime<Utc>) {
        self.run();
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

    /// Changes a task that is at work outside of the log from then on, if it was not before.
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
        self.size.add(output.map(|output| Size::of(output)).unwrap_or_default());
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

    /// The tasks of the iteration `scope`; none when it has not begun.
    #[must_use]
    pub fn frame(&self, scope: &[Scope]) -> Option<&Frame> {
        scope.iter().try_fold(&self.root, |frame, step| {
            frame.tasks.get(&step.loop_id)?.iterations.get(step.iteration as usize)
        })
    }

    fn frame_mut(&mut self, scope: &[Scope]) -> &mut Frame {
        scope.iter().fold(&mut self.root, |frame, step| {
            let iterations = &mut frame.tasks.entry(step.loop_id.clone()).or_default().iterations;
            let index = step.iteration as usize;
            if iterations.len() <= index {
                iterations.resize_with(index + 1, Frame::default);
            }
            &mut iterations[index]
        })
    }

    /// The task at `path`; none when it waits.
    #[must_use]
    pub fn task(&self, path: &TaskPath) -> Option<&TaskState> {
        self.frame(&path.scope)?.tasks.get(&path.node)
    }

    /// The pauses that nobody has decided, the oldest first; none once the run has ended.
    pub fn open_pauses(&self) -> impl DoubleEndedIterator<Item = &Pause> {
        let ended = self.status.is_terminal();
        self.pauses.iter().filter(move |pause| !ended && pause.is_open())
    }

    /// Whether an open pause keeps every node from starting.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.open_pauses().any(|pause| !pause.block_only_dependent_nodes)
    }
}
