use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::limits::size;
use super::{CancelReason, Event, RunStatus, Scope, TaskPath, TaskStatus};
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
    /// Every pause of the run, the oldest first.
    pub pauses: Vec<Pause>,
    /// When the run was accepted; none before its first event.
    pub started_at: Option<DateTime<Utc>>,
    /// When the run ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How many events were folded: the sequence number of the next event, from 0.
    pub length: u64,
    /// How many tasks are at work outside of the log.
    pub active: usize,
    /// About how many bytes all outputs have as JSON.
    pub bytes: usize,
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
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How often it was begun.
    pub attempt: u32,
    /// The iterations, if it is a loop.
    pub iterations: Vec<Frame>,
}

impl Frame {
    /// Ends what has begun; what has not begun needs no task to be canceled in a canceled run.
    fn cancel_unfinished(&mut self, at: DateTime<Utc>) {
        for task in self.tasks.values_mut().filter(|task| !task.status.is_terminal()) {
            task.status = TaskStatus::Canceled;
            task.canceled = Some(CancelReason::RunCanceled);
            task.ended_at = Some(at);
            task.iterations.iter_mut().for_each(|frame| frame.cancel_unfinished(at));
            self.finished += 1;
        }
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
            Event::TaskStarted { task, attempt, at } => self.start_task(task, *attempt, *at),
            Event::LoopStarted { task, at } => {
                self.run();
                self.update(task, |t| {
                    t.status = TaskStatus::Running;
                    t.started_at = Some(*at);
                });
            }
            Event::TaskCompleted { task, output, at } => {
                self.run();
                self.bytes += output.as_deref().map_or(0, size);
                self.end_task(task, TaskStatus::Completed, *at, |t| t.output.clone_from(output));
            }
            Event::TaskFailed { task, error, at } => {
                self.run();
                self.end_task(task, TaskStatus::Failed, *at, |t| t.error = Some(error.clone()));
            }
            Event::TaskCanceled { task, reason, at } => {
                self.end_task(task, TaskStatus::Canceled, *at, |t| t.canceled = Some(*reason));
            }
            Event::PauseOpened { task, message, input, block_only_dependent_nodes, at } => {
                self.run();
                self.bytes += size(input);
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
                    settled: None,
                });
            }
            Event::PauseSettled { task, decision, at } => {
                if let Some(pause) = self.pauses.iter_mut().find(|p| p.is_open() && p.task == *task) {
                    pause.settled = Some((decision.clone(), *at));
                }
            }
            Event::RunPaused { .. } => self.status = RunStatus::Paused,
            Event::RunResumed { .. } => self.status = RunStatus::Running,
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

    fn start_task(&mut self, task: &TaskPath, attempt: u32, at: DateTime<Utc>) {
        self.run();
        let mut began = false;
        self.update(task, |t| {
            began = t.status != TaskStatus::Running;
            t.status = TaskStatus::Running;
            t.attempt = attempt;
            let _ = t.started_at.get_or_insert(at);
        });
        self.active += usize::from(began);
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
        let was_active = state.status == TaskStatus::Running && state.attempt > 0;
        state.status = status;
        let _ = state.started_at.get_or_insert(at);
        state.ended_at = Some(at);
        change(state);
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

    /// The pauses that nobody has settled, the oldest first; none once the run has ended.
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
