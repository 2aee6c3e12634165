use std::sync::Arc;

use chrono::{DateTime, Utc};
use sluice_domain::run::{
    Attempt, Behaviour, Event, Frame, Plan, PlanNode, RunState, Scope, TaskPath, TaskStatus,
};
use uuid::Uuid;

use crate::Commit;

/// What a commit says of a run, in the words of numbers and spans.
pub(crate) struct News {
    pub(super) run: Uuid,
    pub(super) workflow: Uuid,
    pub(super) version: Uuid,
    /// The batch that it is a row of.
    pub(super) batch: Option<Uuid>,
    pub(super) items: Vec<Item>,
}

pub(super) enum Item {
    /// The run was accepted.
    Began(DateTime<Utc>),
    /// It goes on: a person decided, or it is tried again.
    GoesOn(DateTime<Utc>),
    /// It waits for a person.
    Paused(DateTime<Utc>),
    /// It ended, and had begun then.
    Ended { how: How, began: Option<DateTime<Utc>>, at: DateTime<Utc> },
    /// A node ended, or an attempt of it.
    Node(Ended),
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Completed,
    Failed,
    Canceled,
    /// An attempt failed, and there will be another one.
    Retried,
}

impl How {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Retried => "retried",
        }
    }
}

/// A node, or an attempt of it, that ended.
pub(super) struct Ended {
    pub(super) kind: Arc<str>,
    pub(super) how: How,
    /// When it began; none for what takes no time of its own.
    pub(super) began: Option<DateTime<Utc>>,
    pub(super) at: DateTime<Utc>,
    /// What only spans need.
    pub(super) detail: Option<Detail>,
}

pub(super) struct Detail {
    /// The node, with the iterations around it.
    pub(super) path: String,
    pub(super) attempt: Option<u32>,
    pub(super) error: Option<String>,
}

/// What the news are read from.
struct Source<'a> {
    plan: &'a Plan,
    state: &'a RunState,
    detailed: bool,
}

impl News {
    /// What `commit` says. `state` is the run after it.
    pub(super) fn of(commit: &Commit, plan: &Plan, state: &RunState, detailed: bool) -> Self {
        let record = &commit.record;
        let source = Source { plan, state, detailed };
        let mut items = Vec::new();
        for event in &commit.events {
            source.read(event, &mut items);
        }
        Self {
            run: record.id,
            workflow: record.workflow_id,
            version: record.version_id,
            batch: record.parent_run_id.filter(|_| record.batch_row.is_some()),
            items,
        }
    }
}

impl Source<'_> {
    fn read(&self, event: &Event, items: &mut Vec<Item>) {
        let ended = |how, at| Item::Ended { how, began: self.state.started_at, at };
        match event {
            Event::RunStarted { at, .. } | Event::BatchStarted { at, .. } => items.push(Item::Began(*at)),
            Event::RunResumed { at } | Event::RunRetried { at } => items.push(Item::GoesOn(*at)),
            Event::RunPaused { at } => items.push(Item::Paused(*at)),
            Event::RunCompleted { at } | Event::BatchCompleted { at } => {
                items.push(ended(How::Completed, *at))
            }
            Event::RunFailed { at } => items.push(ended(How::Failed, *at)),
            Event::RunCanceled { at } => {
                self.interrupted(self.plan, &self.state.root, &mut Vec::new(), *at, items);
                items.push(ended(How::Canceled, *at));
            }
            Event::TaskCompleted { task, at, .. } => items.extend(self.node(task, How::Completed, None, *at)),
            Event::TaskFailed { task, error, at, .. } => {
                items.extend(self.node(task, How::Failed, Some(error), *at))
            }
            Event::TaskRetrying { task, error, at, .. } => {
                items.extend(self.node(task, How::Retried, Some(error), *at))
            }
            Event::TaskCanceled { task, at, .. } => items.extend(self.node(task, How::Canceled, None, *at)),
            Event::RowsStarted { .. }
            | Event::TaskQueued { .. }
            | Event::TaskStarted { .. }
            | Event::TaskReused { .. }
            | Event::LoopStarted { .. }
            | Event::PauseOpened { .. }
            | Event::PauseDecided { .. } => {}
        }
    }

    /// A node that ended.
    fn node(&self, path: &TaskPath, how: How, error: Option<&String>, at: DateTime<Utc>) -> Option<Item> {
        let node = find(self.plan, path)?;
        let task = match node.behaviour {
            // What is computed at once takes no time of its own, and what it was is in the event.
            Behaviour::Input(_) | Behaviour::Compute(_) | Behaviour::ComputeAny(_) | Behaviour::Broken(_) => {
                None
            }
            Behaviour::Effect(_) | Behaviour::Gate(_) | Behaviour::Loop(_) => self.state.task(path),
        };
        let attempt = task.and_then(|task| attempt_until(&task.attempts, at));
        let began = match node.behaviour {
            Behaviour::Effect(_) => attempt.map(|attempt| attempt.started_at),
            _ => task.and_then(|task| task.started_at),
        };
        let detail = self.detailed.then(|| Detail {
            path: path.to_string(),
            attempt: attempt.map(|attempt| attempt.number),
            error: error.cloned(),
        });
        Some(Item::Node(Ended { kind: Arc::clone(&node.node_type), how, began, at, detail }))
    }

    /// The nodes that were at work when the run was canceled: no events tell of them.
    fn interrupted(
        &self,
        plan: &Plan,
        frame: &Frame,
        scope: &mut Vec<Scope>,
        at: DateTime<Utc>,
        items: &mut Vec<Item>,
    ) {
        let tasks = frame.tasks.iter();
        for (id, task) in tasks.filter(|(_, task)| task.ended_at == Some(at) && task.canceled.is_some()) {
            let Some(node) = plan.index(id).and_then(|index| plan.nodes.get(index)) else { continue };
            if let (Behaviour::Loop(inner), Some(last)) = (&node.behaviour, task.iterations.last()) {
                let iteration = u32::try_from(task.iterations.len() - 1).unwrap_or(u32::MAX);
                scope.push(Scope { loop_id: id.clone(), iteration });
                self.interrupted(&inner.body, last, scope, at, items);
                scope.pop();
            }
            if task.status == TaskStatus::Canceled {
                items.extend(self.node(&TaskPath::new(scope, id), How::Canceled, None, at));
            }
        }
    }
}

/// The attempt that ended then. Later ones may have begun in the same commit.
fn attempt_until(attempts: &[Attempt], at: DateTime<Utc>) -> Option<&Attempt> {
    attempts.iter().rev().find(|attempt| attempt.ended_at == Some(at))
}

/// The node of a task.
fn find<'a>(plan: &'a Plan, path: &TaskPath) -> Option<&'a PlanNode> {
    let mut plan = plan;
    for scope in &path.scope {
        let Behaviour::Loop(inner) = &plan.nodes.get(plan.index(&scope.loop_id)?)?.behaviour else {
            return None;
        };
        plan = &inner.body;
    }
    plan.nodes.get(plan.index(&path.node)?)
}
